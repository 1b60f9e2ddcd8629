"""BIDS physiological recordings: `*_physio.tsv.gz` without a header, described by a JSON file beside it.

Fields of the sidecar as in the BIDS specification, "Physiological recordings": SamplingFrequency, StartTime, Columns,
and Units per column. Time zero is that of the run (StartTime may be negative).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import Regular, to_ns
from modalities.readers.columns import read_columns
from modalities.readers.delimited import TableForm, sniff_table
from modalities.readers.faults import reading
from modalities.readers.info import SIGNAL_KINDS, AnyStream, FileInfo
from modalities.readers.labels import canonical_unit, guess_kind
from modalities.readers.selection import Channel, choose, tracks_of, unfit
from modalities.readers.table import count_rows

_WHAT = "a BIDS physiological recording"


class BidsPhysioReader:
    """Reads physio.tsv.gz with its sidecar."""

    def probe(self, path: Path) -> FileInfo:
        """Columns by kind, from the sidecar; counts the rows."""
        with reading(path, _WHAT):
            channels, rate, start, form = _describe(path)
            n = count_rows(path, form)
            tracks = tracks_of([replace(channel, rate_hz=rate, n=n) for channel in channels], start_s=start)
        return FileInfo(path, "bids_physio", tuple(tracks))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """The columns of an entry as a signal."""
        if entry.kind not in SIGNAL_KINDS:
            raise unfit(entry, path, "a BIDS physiological recording holds signals", SIGNAL_KINDS)
        with reading(path, _WHAT):
            channels, rate, start, form = _describe(path)
            picked = choose(entry, path, channels)
            table = read_columns(path, form, picked)
        return Signal(
            info=replace(
                info,
                files=(str(path), str(_sidecar(path))),
                notes=(*info.notes, *table.notes),
                origin=f"columns {', '.join(form.names[at] for at in picked)}",
                nominal_rate_hz=rate,
            ),
            axis=Regular.from_rate(rate, len(table.values), to_ns(start)),
            values=table.values,
            columns=tuple(form.names[at] for at in picked),
            units=tuple(form.units[at] for at in picked),
            mask=table.mask,
        )


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".tsv") + ".json")


def _describe(path: Path) -> tuple[list[Channel], float, float, TableForm]:
    sidecar = _sidecar(path)
    if not sidecar.is_file():
        raise UnreadableFileError("the JSON file that describes it is not beside it", file=path, expected=sidecar.name)
    try:
        fields: dict[str, Any] = json.loads(sidecar.read_text("utf-8"))
        names = tuple(str(name) for name in fields["Columns"])
        rate, start = float(fields["SamplingFrequency"]), float(fields.get("StartTime", 0.0))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            "the JSON file beside it lacks what is needed",
            file=sidecar,
            got=f"{type(error).__name__}: {error}",
            expected="Columns, SamplingFrequency and StartTime",
        ) from error
    if not rate > 0 or not abs(start) < 1e9:
        raise UnreadableFileError("SamplingFrequency or StartTime makes no sense", file=sidecar, got=f"{rate}, {start}")
    form = sniff_table(path, header=False)
    if len(form.names) != len(names):
        raise UnreadableFileError(
            "table and sidecar differ in their columns", file=path, got=f"{len(form.names)}", expected=f"{len(names)}"
        )
    described = {name: fields.get(name) for name in names}
    units = tuple(
        canonical_unit(str(one.get("Units", ""))) if isinstance(one, dict) else "1" for one in described.values()
    )
    form = replace(form, names=names, units=units)
    channels = [Channel(name, unit, rate, kind=_kind(name, unit)) for name, unit in zip(names, units, strict=True)]
    return channels, rate, start, form


def _kind(name: str, unit: str) -> str | None:
    """BIDS calls heart signals "cardiac": an ECG where the unit is a voltage, else a pulse wave."""
    if name.lower() == "cardiac":
        return "ecg" if unit in ("mV", "uV", "V") else "ppg"
    return guess_kind(name, unit)
