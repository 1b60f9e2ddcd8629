"""AcqKnowledge text exports of BIOPAC recordings: name, sample interval, channels, then columns.

Layout as AcqKnowledge writes it with "Save as text" and "include header" (BIOPAC, AcqKnowledge Software Guide):

    name.acq
    0.5 msec/sample
    2 channels
    ECG
    mV
    Skin conductance
    microsiemens
    sec <tab> CH1 <tab> CH2          the first column is absent where the horizontal scale was not exported
    <tab> 120000 <tab> 60000         number of samples of each channel
    0 <tab> -0.12 <tab> 3.4

A channel of a lower rate has values only in some rows, or the last ones repeated; it is kept as the file has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import Regular, to_ns
from modalities.readers.columns import distinct, read_columns
from modalities.readers.delimited import TableForm
from modalities.readers.faults import reading
from modalities.readers.info import SIGNAL_KINDS, AnyStream, FileInfo
from modalities.readers.labels import canonical_unit
from modalities.readers.selection import Channel, choose, tracks_of, unfit
from modalities.readers.table import count_rows
from modalities.readers.text_lines import encoding_of, lines_of

_WHAT = "an AcqKnowledge text export"
_SCALES_S = {"sec": 1.0, "s": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0, "hrs": 3600.0, "hours": 3600.0}
_SCALES_S |= {"msec": 1e-3, "ms": 1e-3, "milliseconds": 1e-3}


@dataclass(frozen=True)
class _Header:
    """What stands before the data."""

    rate_hz: float
    names: tuple[str, ...]
    units: tuple[str, ...]
    form: TableForm
    scale_s: float | None
    start_s: float


class BiopacTextReader:
    """Reads text exports of AcqKnowledge."""

    def probe(self, path: Path) -> FileInfo:
        """Channels by kind, from the header; counts the rows."""
        with reading(path, _WHAT):
            header = _header(path)
            n = count_rows(path, header.form)
            channels = [
                Channel(name, unit, header.rate_hz, n) for name, unit in zip(header.names, header.units, strict=True)
            ]
        return FileInfo(path, "biopac_text", tuple(tracks_of(channels, start_s=header.start_s)))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """The channels of an entry."""
        if entry.kind not in SIGNAL_KINDS:
            raise unfit(entry, path, "an AcqKnowledge text export holds signals", SIGNAL_KINDS)
        with reading(path, _WHAT):
            header = _header(path)
            offered = [Channel(n, u, header.rate_hz) for n, u in zip(header.names, header.units, strict=True)]
            picked = choose(entry, path, offered)
            first = 0 if header.scale_s is None else 1
            table = read_columns(path, header.form, [first + at for at in picked])
        names = tuple(header.names[at] for at in picked)
        return Signal(
            info=replace(
                info,
                origin=f"channels {', '.join(names)}",
                nominal_rate_hz=header.rate_hz,
                notes=(*info.notes, *table.notes),
            ),
            axis=Regular.from_rate(header.rate_hz, len(table.values), to_ns(header.start_s)),
            values=table.values,
            columns=names,
            units=tuple(header.units[at] for at in picked),
            mask=table.mask,
        )


def _header(path: Path) -> _Header:
    lines: list[str] = []
    for line in lines_of(path):
        lines.append(line)
        if len(lines) >= 200:
            break
    at = next((k for k, line in enumerate(lines[:3]) if _rate(line)), None)
    rate = None if at is None else _rate(lines[at])
    count = re.match(r"\s*(\d+)\s+channels?", lines[at + 1]) if at is not None and at + 1 < len(lines) else None
    if at is None or not rate or count is None:
        raise UnreadableFileError(
            "not a text export of AcqKnowledge with its header",
            file=path,
            expected="lines such as '0.5 msec/sample' and '2 channels'",
            mend="Export it again with 'include header', or give rate_hz and read it as a table.",
        )
    n = int(count.group(1))
    words = lines[at + 2 : at + 2 + 2 * n]
    body = [(k, line) for k, line in enumerate(lines) if k >= at + 2 + 2 * n and line.strip()]
    if n < 1 or len(words) < 2 * n or len(body) < 1:
        raise UnreadableFileError("the header of the text export is cut off", file=path, got=f"{len(lines)} lines")
    delimiter = "\t" if "\t" in body[-1][1] else ","
    titles = [cell.strip() for cell in body[0][1].split(delimiter)]
    scale = _SCALES_S.get(titles[0].lower())
    rows = body[2:] if len(body) > 1 and _is_counts(body[1][1], delimiter, scale is not None) else body[1:]
    data = rows[0][0] if rows else len(lines)
    width = n + (scale is not None)
    names = distinct([name.strip() or f"channel_{k}" for k, name in enumerate(words[::2], 1)])
    units = [canonical_unit(unit) for unit in words[1::2]]
    with path.open("rb") as handle:
        encoding = encoding_of(handle.read(4096))
    columns = tuple((["time"] if scale else []) + names)
    form = TableForm(encoding, delimiter, ".", columns, ("1",) * width, data, True, (True,) * width, ())
    start = float(lines[data].split(delimiter)[0]) * scale if scale is not None and data < len(lines) else 0.0
    return _Header(rate, tuple(names), tuple(units), form, scale, start)


def _rate(line: str) -> float | None:
    found = re.match(r"\s*([\d.,]+)\s*(msec|sec|samples?)\s*/\s*(sample|sec|second)", line, re.IGNORECASE)
    if found is None:
        return None
    number = float(found.group(1).replace(",", "."))
    if not number > 0 or not np.isfinite(number):
        return None
    unit = found.group(2).lower()
    return number if unit.startswith("sample") else 1 / number if unit == "sec" else 1000 / number


def _is_counts(line: str, delimiter: str, timed: bool) -> bool:
    """Whether a line holds the channels' numbers of samples; there is none in the column of the times."""
    cells = [cell.strip() for cell in line.split(delimiter)]
    told = [cell for cell in cells if cell]
    return bool(told) and all(cell.isdigit() for cell in told) and not (timed and cells[0])
