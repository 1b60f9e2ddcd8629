"""OpenSignals (r)evolution text files: a JSON header and raw ADC counts.

ECG and EDA are converted where device and resolution are in the header, by the transfer functions of the makers' sensor
data sheets (PLUX, "Electrocardiography (ECG) Sensor Data Sheet" and "Electrodermal Activity (EDA) Sensor Data Sheet";
the same for BITalino (r)evolution), with n the resolution in bits:

    ECG [V]  = (ADC / 2^n - 1/2) * VCC / G      biosignalsplux: VCC = 3.0 V, G = 1019;  BITalino: 3.3 V, G = 1100
    EDA [uS] = (ADC / 2^n) * VCC / C            biosignalsplux: VCC = 3.0 V, C = 0.12;  BITalino: 3.3 V, C = 0.132

Everything else stays in counts, unit "adc".
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import Regular
from modalities.readers.columns import distinct, read_columns
from modalities.readers.delimited import TableForm
from modalities.readers.faults import reading
from modalities.readers.info import SIGNAL_KINDS, AnyStream, FileInfo
from modalities.readers.labels import guess_kind
from modalities.readers.selection import Channel, choose, tracks_of, unfit
from modalities.readers.table import count_rows

_WHAT = "an OpenSignals text file"
_SUPPLY_V = {"biosignalsplux": 3.0, "channeller": 3.0, "bitalino_rev": 3.3}
_ECG_GAIN = {"biosignalsplux": 1019.0, "channeller": 1019.0, "bitalino_rev": 1100.0}
_EDA_SCALE = {"biosignalsplux": 0.12, "channeller": 0.12, "bitalino_rev": 0.132}
"""By the header's "device"; "channeller" is how early OpenSignals called biosignalsplux."""


@dataclass(frozen=True)
class _Column:
    """One column: its name, the sensor on it ("" for counter and digital lines), its device and ADC bits."""

    name: str
    sensor: str
    device: str
    bits: int

    @property
    def convertible(self) -> bool:
        return self.sensor.startswith(("ECG", "EDA")) and self.device in _SUPPLY_V and 0 < self.bits <= 64


class OpenSignalsReader:
    """Reads OpenSignals text files."""

    def probe(self, path: Path) -> FileInfo:
        """Sensors, rate and start time from the header; counts the rows."""
        with reading(path, _WHAT):
            columns, rate, wall, form = _header(path)
            n = count_rows(path, form)
            channels = [_channel(column, rate, n) for column in columns]
            channels = [replace(one, kind="") if _is_still(path, form, one) else one for one in channels]
            channels = [one for one in channels if one.name.lower() != "nseq"]
        return FileInfo(path, "opensignals", tuple(tracks_of(channels)), wall)

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """The channels of an entry; ECG in mV and EDA in uS where the header tells how, else raw counts."""
        if entry.kind not in SIGNAL_KINDS:
            raise unfit(entry, path, "an OpenSignals file holds signals", SIGNAL_KINDS)
        with reading(path, _WHAT):
            columns, rate, wall, form = _header(path)
            picked = choose(entry, path, [_channel(column, rate, None) for column in columns])
            counter = next((at for at, column in enumerate(columns) if column.name.lower() == "nseq"), None)
            table = read_columns(path, form, picked if counter is None else [*picked, counter])
        notes = list(table.notes)
        if counter is not None:
            notes += _lost(table.values[:, -1])
        raw = table.values[:, : len(picked)]
        values = np.column_stack([_physical(raw[:, k], columns[at]) for k, at in enumerate(picked)])
        return Signal(
            info=replace(
                info,
                notes=(*info.notes, *notes),
                origin=f"columns {', '.join(columns[at].name for at in picked)}",
                wall_start=wall,
                nominal_rate_hz=rate,
            ),
            axis=Regular.from_rate(rate, len(values)),
            values=values,
            columns=tuple(columns[at].name for at in picked),
            units=tuple(_unit(columns[at]) for at in picked),
            mask=table.mask[:, : len(picked)],
        )


def _header(path: Path) -> tuple[list[_Column], float, dt.datetime | None, TableForm]:
    lines: list[str] = []
    with path.open("r", encoding="utf-8", errors="replace") as handle:
        for line in handle:
            lines.append(line)
            if "EndOfHeader" in line or len(lines) > 50:
                break
    if not lines or "EndOfHeader" not in lines[-1]:
        raise UnreadableFileError(
            "the header does not end", file=path, mend="The file seems to be cut off in its header."
        )
    text = next((line.lstrip("# ") for line in lines if line.lstrip("# ").startswith("{")), "")
    devices: dict[str, dict[str, Any]] = json.loads(text)
    columns: list[_Column] = []
    for device in devices.values():
        sensors = [str(one) for one in device.get("sensor", [])]
        names = [str(one) for one in device["column"]]
        bits = [int(one) for one in device.get("resolution", [])]
        plain = len(names) - len(sensors)
        # Resolutions are listed for the sensors alone by PLUX devices, for counter and digital lines too by BITalino.
        bits = bits[-len(sensors) :] if sensors else []
        for at, name in enumerate(names):
            sensor = sensors[at - plain].upper() if at >= plain else ""
            own = bits[at - plain] if at >= plain and at - plain < len(bits) else 0
            columns.append(_Column(name, sensor, str(device.get("device", "")), own))
    if len(columns) > _MOST_COLUMNS:
        raise UnreadableFileError("the header names too many columns", file=path, got=len(columns))
    first = next(iter(devices.values()))
    rate = float(first["sampling rate"])
    rates = {float(device["sampling rate"]) for device in devices.values()}
    if len(rates) > 1 or not rate > 0:
        raise UnreadableFileError("the devices in the header have no common rate", file=path, got=sorted(rates))
    names = distinct([column.name for column in columns])
    columns = [replace(column, name=name) for column, name in zip(columns, names, strict=True)]
    width = len(columns)
    form = TableForm("utf-8", "\t", ".", tuple(names), ("1",) * width, len(lines), True, (True,) * width, ())
    return columns, rate, _wall(first), form


def _wall(device: dict[str, Any]) -> dt.datetime | None:
    try:
        year, month, day = (int(part) for part in str(device["date"]).split("-"))
        hour, minute, second = str(device["time"]).split(":")
        start = dt.datetime(year, month, day, int(hour), int(minute))
        return start + dt.timedelta(seconds=float(second))
    except (KeyError, ValueError, OverflowError):
        return None


def _channel(column: _Column, rate: float, n: int | None) -> Channel:
    if not column.sensor:
        return Channel(column.name, "1", rate, n, kind=None if column.name.lower() != "di" else "pulse")
    kind = "acceleration" if column.sensor.startswith(("XYZ", "ACC")) else guess_kind(column.sensor, "")
    return Channel(column.name, _unit(column), rate, n, kind=kind or guess_kind(column.name, ""))


def _unit(column: _Column) -> str:
    if not column.convertible:
        return "adc" if column.sensor else "1"
    return "mV" if column.sensor.startswith("ECG") else "uS"


def _physical(counts: NDArray[np.float64], column: _Column) -> NDArray[np.float64]:
    """Counts to mV or uS by the data sheet; unchanged for other sensors."""
    if not column.convertible:
        return counts
    share = counts / 2.0**column.bits
    if column.sensor.startswith("ECG"):
        return (share - 0.5) * _SUPPLY_V[column.device] / _ECG_GAIN[column.device] * 1000
    return share * _SUPPLY_V[column.device] / _EDA_SCALE[column.device]


def _is_still(path: Path, form: TableForm, channel: Channel) -> bool:
    """Whether a digital line never changes: then nothing was plugged in."""
    if channel.guess != "pulse":
        return False
    line = read_columns(path, form, [form.names.index(channel.name)]).values
    return bool(np.all(line == line[0]))


_MOST_COLUMNS = 2048
_MOST_COUNTED = 2.0**32
"""Devices count within 4 to 16 bits; a file of joined recordings counts its samples."""


def _lost(counter: NDArray[np.float64]) -> list[str]:
    """Samples that the sequence counter says were lost on the air; it wraps at a power of two."""
    if len(counter) < 3:
        return []
    top = counter.max() + 1
    if top > _MOST_COUNTED:
        return ["the sequence counter holds impossible numbers: whether samples were lost is not known"]
    steps = np.diff(counter)
    wrap = 2.0 ** np.ceil(np.log2(top)) if top > 1 else 1.0
    lost = int(np.sum(np.where(steps < 0, steps + wrap, steps) - 1))
    return (
        [f"the sequence counter says that {lost} samples were lost: times after them are too early"] if lost > 0 else []
    )
