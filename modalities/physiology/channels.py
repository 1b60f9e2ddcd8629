"""One kind of signal to columns and events: heart, skin, breathing, temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.stream import Signal
from data_schemas.time import NS_PER_S, Int64Array
from modalities.physiology import beats as beat_module
from modalities.physiology.beats import Beats, find_pulses, find_r_peaks, pulse_heights
from modalities.physiology.breathing import LOWEST_RATE_HZ as LOWEST_BREATHING_RATE_HZ
from modalities.physiology.breathing import SHORTEST_S as SHORTEST_BREATHING_S
from modalities.physiology.breathing import breathing_rate, find_breaths, line_length
from modalities.physiology.correction import Rhythm
from modalities.physiology.heart import Column, Intervals, beat_course, heart_rate, intervals_of, variability
from modalities.physiology.stretches import Cut, Stretch, cut
from modalities.physiology.variability import spectrum, spread

_UPSIDE_DOWN = -0.25


@dataclass
class Reading:
    """What one column of one stream gave.

    Attributes:
        stream: Name of the stream.
        columns: Features on the grid, by name.
        reason: Why nothing of it is valid, object (n,), "" where something is.
        events: In order of onset.
        quality: Figures for the report.
        warnings: In plain sentences.
    """

    stream: str
    columns: dict[str, Column]
    reason: NDArray[np.object_]
    events: list[Event] = field(default_factory=list)
    quality: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def usable(self) -> float:
        """Share of the recorded time with a valid value, 0..1; also in `quality`."""
        return float(self.quality.get("usable_share", 0.0))


def reasons(
    grid_ns: Int64Array, parts: Cut, columns: dict[str, Column], shortest_s: float, invalid: str = "noise"
) -> tuple[NDArray[np.object_], float]:
    """Why nothing holds at each grid time: "gap", "electrode_off", "too_short", else `invalid`; and the usable share.

    Returns:
        object (n,) with "" where any column holds; and the share of the recorded grid times where one does.
    """
    out = np.full(len(grid_ns), "gap", dtype=object)
    for start, end in parts.off_ns.tolist():
        out[slice(*np.searchsorted(grid_ns, (start, end)))] = "electrode_off"
    for stretch in parts.stretches:
        here = slice(*np.searchsorted(grid_ns, (stretch.start_ns, stretch.end_ns)))
        out[here] = "too_short" if stretch.seconds < shortest_s else invalid
    recorded = out != "gap"
    for column in columns.values():
        out[column.valid] = ""
    share = float(np.count_nonzero(recorded & (out == ""))) / max(1, int(np.count_nonzero(recorded)))
    return out, round(share, 4)


def read_heart(signal: Signal, column: str, grid_ns: Int64Array, person: str, kind: str) -> Reading:
    """Heart rate, variability and quality from an ECG (kind "ecg", which also gives R peaks) or a PPG."""
    parts = cut(signal, column, bridge_s=0.04, flat_s=1.0)
    rate = _rate_of(parts)
    least = beat_module.LOWEST_RATE_HZ if kind == "ecg" else beat_module.LOWEST_PULSE_RATE_HZ
    flip = False
    if kind == "ecg":
        found = [find_r_peaks(stretch) for stretch in parts.stretches]
        flip = _upside_down(found)
        if flip:
            found = [find_r_peaks(stretch, flip=True) for stretch in parts.stretches]
    else:
        found = [find_pulses(stretch) for stretch in parts.stretches]
    pairs = list(zip(parts.stretches, found, strict=True))
    judged = [intervals_of(stretch, beats) for stretch, beats in pairs]
    intervals: list[Intervals] = [one for one, _ in judged]
    rhythms: list[Rhythm] = [rhythm for _, rhythm in judged]
    hearts = heart_rate(grid_ns, intervals)
    columns = {"heart_rate_bpm": hearts, "rmssd_ms": variability(grid_ns, intervals, hearts)}
    columns["sdnn_ms"], columns["pnn50"] = spread(grid_ns, intervals, hearts)
    columns["lf_ms2"], columns["hf_ms2"], columns["lf_hf"] = spectrum(grid_ns, intervals, hearts)
    columns["beat_quality"] = beat_course(grid_ns, pairs, [one.quality for one in found], hearts)
    if kind == "ecg":
        columns["ecg_quality"] = beat_course(grid_ns, pairs, [one.likeness for one in found], hearts)
    else:
        columns["pulse_amplitude"] = _pulse_amplitude(grid_ns, pairs, hearts)
    reason, usable = reasons(grid_ns, parts, columns, beat_module.SHORTEST_S)
    for stretch, beats in pairs:
        if beats.good.any():
            _excuse_ends(grid_ns, stretch, reason)
    reading = Reading(signal.info.name, columns, reason)
    good = np.concatenate([beats.good for beats in found]) if found else np.zeros(0, bool)
    likeness = np.concatenate([beats.likeness for beats in found])[good] if found else np.zeros(0)
    index = np.concatenate([beats.quality for beats in found])[good] if found else np.zeros(0)
    irregular = sum(one.irregular * len(one.ectopic) for one in rhythms) / max(
        1, sum(len(one.ectopic) for one in rhythms)
    )
    reading.quality = {
        "column": column,
        "rate_hz": round(rate, 3),
        "usable_share": usable,
        "beats": int(np.count_nonzero(good)),
        "beats_refused": int(np.count_nonzero(~good)),
        "median_likeness": round(float(np.median(likeness)), 4) if len(likeness) else None,
        "median_quality": round(float(np.median(index)), 4) if len(index) else None,
        "beats_ectopic": int(sum(np.count_nonzero(one.ectopic) for one in rhythms)),
        "beats_extra": int(sum(np.count_nonzero(one.extra) for one in rhythms)),
        "beats_missed": int(sum(one.missed for one in rhythms)),
        "irregular_share": round(irregular, 4),
        "electrode_off_s": round(_total_s(parts.off_ns), 3),
    }
    if kind == "ecg":
        reading.quality["inverted"] = flip
        reading.events = _r_peaks(pairs, rhythms, person)
        if flip:
            reading.warnings.append(f"'{signal.info.name}': the ECG is upside-down and was turned over")
    if parts.stretches and rate < least:
        reading.warnings.append(
            f"'{signal.info.name}' is sampled at {rate:.3g} Hz; no heart rate, for beats need {least:.0f} Hz or more"
        )
    return reading


def read_breathing(signal: Signal, column: str, grid_ns: Int64Array) -> Reading:
    """Respiration rate from a belt or flow signal in any unit."""
    parts = cut(signal, column, bridge_s=0.25, flat_s=10.0)
    found = [(stretch, *find_breaths(stretch)) for stretch in parts.stretches]
    breaths = breathing_rate(grid_ns, found)
    columns = {
        "respiration_rate_bpm": breaths,
        "respiration_line_length": line_length(grid_ns, parts.stretches, breaths),
    }
    reason, usable = reasons(grid_ns, parts, columns, SHORTEST_BREATHING_S)
    rate = _rate_of(parts)
    quality = {
        "column": column,
        "rate_hz": round(rate, 3),
        "usable_share": usable,
        "breaths": int(sum(np.count_nonzero(good) for _, _, good in found)),
    }
    warnings = []
    if parts.stretches and rate < LOWEST_BREATHING_RATE_HZ:
        warnings.append(f"'{signal.info.name}' is sampled at {rate:.3g} Hz; breathing needs 1 Hz or more")
    return Reading(signal.info.name, columns, reason, [], quality, warnings)


def read_temperature(signal: Signal, column: str, grid_ns: Int64Array) -> Reading:
    """Skin temperature in degrees Celsius; what lies outside 10 to 45 degrees is taken for a sensor without contact."""
    unit = signal.units[signal.columns.index(column)].strip().lower().replace("°", "deg").replace(" ", "")
    parts = cut(signal, column, bridge_s=1.0, flat_s=None)
    out = Column.blank(len(grid_ns))
    for stretch in parts.stretches:
        slow = stretch.slowed(4.0)
        value = slow.values
        if unit in ("k", "kelvin", "degk"):
            value = value - 273.15
        elif unit in ("f", "degf", "fahrenheit"):
            value = (value - 32) / 1.8
        first, stop = np.searchsorted(grid_ns, (stretch.start_ns, stretch.end_ns))
        since = np.arange(len(value)) / slow.rate_hz
        out.values[first:stop] = np.interp((grid_ns[first:stop] - stretch.start_ns) / NS_PER_S, since, value)
        out.valid[first:stop] = True
    out = Column(out.values, out.valid & (out.values >= 10) & (out.values <= 45))
    columns = {"temperature_degc": out}
    reason, usable = reasons(grid_ns, parts, columns, 0.0, "electrode_off")
    quality = {"column": column, "rate_hz": round(_rate_of(parts), 3), "usable_share": usable}
    warnings = []
    if unit not in ("c", "degc", "celsius", "k", "kelvin", "degk", "f", "degf", "fahrenheit"):
        warnings.append(f"'{signal.info.name}': the unit of the temperature is not stated; degrees Celsius are assumed")
    return Reading(signal.info.name, columns, reason, [], quality, warnings)


def _excuse_ends(grid_ns: Int64Array, stretch: Stretch, reason: NDArray[np.object_]) -> None:
    """Before the first and after the last beat of a stretch is no noise: there is too little signal for a rate."""
    two_seconds = 2 * NS_PER_S
    for start, end in (
        (stretch.start_ns, stretch.start_ns + two_seconds),
        (stretch.end_ns - two_seconds, stretch.end_ns),
    ):
        here = slice(*np.searchsorted(grid_ns, (start, end)))
        reason[here] = np.where(reason[here] == "noise", "too_short", reason[here])


def _upside_down(found: Sequence[Beats]) -> bool:
    """Whether most of the good beats point down."""
    votes = [(one.upright, int(np.count_nonzero(one.good))) for one in found if one.good.any()]
    total = sum(count for _, count in votes)
    return bool(total) and sum(upright * count for upright, count in votes) / total < _UPSIDE_DOWN


def _pulse_amplitude(grid_ns: Int64Array, pairs: Sequence[tuple[Stretch, Beats]], hearts: Column) -> Column:
    """Height of the pulse wave over its median of the whole recording."""
    heights = [pulse_heights(stretch, beats) for stretch, beats in pairs]
    all_good = [high[beats.good] for high, (_, beats) in zip(heights, pairs, strict=True)]
    usual = float(np.median(np.concatenate(all_good))) if all_good and any(map(len, all_good)) else 0.0
    if usual <= 0:
        return Column.blank(len(grid_ns))
    return beat_course(grid_ns, pairs, [np.clip(high / usual, 0, 100) for high in heights], hearts)


def _r_peaks(pairs: Sequence[tuple[Stretch, Beats]], rhythms: Sequence[Rhythm], person: str) -> list[Event]:
    """The good beats; `score` is the index of each, `label` says if it is ectopic or extra."""
    events = []
    for (stretch, beats), rhythm in zip(pairs, rhythms, strict=True):
        times = stretch.times_of(beats.at).tolist()
        for at in np.flatnonzero(beats.good).tolist():
            label = "ectopic" if rhythm.ectopic[at] else "extra" if rhythm.extra[at] else ""
            details = {"likeness": round(float(beats.likeness[at]), 4)}
            score = round(float(beats.quality[at]), 4)
            events.append(
                Event(
                    "physiology", "r_peak", times[at], times[at] + 1_000_000, times[at], person, score, label, details
                )
            )
    return events


def _rate_of(parts: Cut) -> float:
    return max((stretch.rate_hz for stretch in parts.stretches), default=0.0)


def _total_s(bounds: Int64Array) -> float:
    return float((bounds[:, 1] - bounds[:, 0]).sum()) / NS_PER_S
