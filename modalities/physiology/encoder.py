"""The physiology encoder: heart, skin, breathing and temperature on one track of 10 Hz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Encoding, Track
from data_schemas.intervals import Interval
from data_schemas.stream import Signal
from data_schemas.time import Int64Array
from modalities.base import Task
from modalities.physiology.channels import Reading, read_breathing, read_heart, read_temperature
from modalities.physiology.electrodermal import read_skin
from modalities.physiology.features import SPEC

Reader = Callable[[Signal, str, Int64Array], Reading]

_PERIOD_NS = 100_000_000
_LEAST_USABLE = 0.1
_OF_THE_HEART = ("heart_rate_bpm", "rmssd_ms", "sdnn_ms", "pnn50", "lf_ms2", "hf_ms2", "lf_hf", "beat_quality")
_WORST_FIRST = ("electrode_off", "noise", "too_short", "gap")


class PhysiologyEncoder:
    """Heart rate and variability, skin conductance, breathing and skin temperature of one person.

    Takes any of ECG, EDA, respiration, PPG and temperature. Of several streams or columns of a kind the first one that
    is usable for a tenth of its time is taken, else the best. Without a usable ECG the heart rate comes from the PPG,
    and `parameters["heart_rate_from"]` says so.
    """

    spec = SPEC

    def encode(self, task: Task) -> Encoding:
        """Encode one person's body signals.

        Returns:
            A track at multiples of 0.1 s over the session's extent; R peaks and skin conductance responses. Dead
            electrodes, noise, gaps and stretches that are too short are masked with a reason.
        """
        grid = _grid(task.extent)
        person = task.person
        readers: dict[str, Reader] = {
            "ecg": lambda signal, column, at: read_heart(signal, column, at, person, "ecg"),
            "ppg": lambda signal, column, at: read_heart(signal, column, at, person, "ppg"),
            "eda": lambda signal, column, at: read_skin(signal, column, at, person),
            "respiration": read_breathing,
            "temperature": read_temperature,
        }
        readings: dict[str, Reading] = {}
        for done, (kind, reader) in enumerate(readers.items()):
            task.hook("physiology", done, len(readers))
            reading = _best(task, kind, reader, grid)
            if reading is not None:
                readings[kind] = reading
        task.hook("physiology", len(readers), len(readers))
        heart_from = _choose_heart(readings)
        parameters: dict[str, Any] = {
            "track_hz": 10,
            "heart_rate_from": heart_from,
            "rmssd_window_s": 30,
            "hrv_window_s": 60,
            "lf_window_s": 120,
        }
        return Encoding(
            SPEC,
            person,
            _track(grid, readings),
            tuple(sorted((e for one in readings.values() for e in one.events), key=lambda event: event.onset_ns)),
            {kind: {"stream": one.stream, **one.quality} for kind, one in readings.items()},
            tuple(dict.fromkeys(one.stream for one in readings.values())),
            parameters,
            tuple(text for one in readings.values() for text in one.warnings) + _about_heart(heart_from, readings),
        )


def _grid(extent: Interval) -> Int64Array:
    """Multiples of 0.1 s within the extent, at least one time."""
    first = -(-extent.start_ns // _PERIOD_NS)
    last = (extent.end_ns - 1) // _PERIOD_NS
    if last < first:
        return np.array([extent.start_ns], dtype=np.int64)
    return np.arange(first, last + 1, dtype=np.int64) * _PERIOD_NS


def _best(task: Task, kind: str, reader: Reader, grid: Int64Array) -> Reading | None:
    """The first usable column of the streams of a kind, else the one that is usable for longest."""
    best: Reading | None = None
    for stream in task.of_kind(kind):
        if not isinstance(stream, Signal):
            continue
        for column in stream.columns:
            reading = reader(stream, column, grid)
            if best is None or reading.usable > best.usable:
                best = reading
            if best.usable >= _LEAST_USABLE:
                return best
    return best


def _choose_heart(readings: dict[str, Reading]) -> str | None:
    """Where the heart rate comes from: the PPG only where the ECG is hardly usable and the PPG is better.

    The other one gives up the columns that both have.
    """
    ecg, ppg = readings.get("ecg"), readings.get("ppg")
    if ecg is None:
        return "ppg" if ppg is not None else None
    if ppg is None:
        return "ecg"
    best, other = ("ecg", ppg) if ecg.usable >= min(_LEAST_USABLE, ppg.usable) else ("ppg", ecg)
    for name in _OF_THE_HEART:
        other.columns.pop(name, None)
    return best


def _about_heart(heart_from: str | None, readings: dict[str, Reading]) -> tuple[str, ...]:
    if heart_from == "ppg" and "ecg" in readings:
        return (f"the ECG '{readings['ecg'].stream}' is hardly usable; the heart rate comes from the PPG",)
    return ()


def _track(grid: Int64Array, readings: dict[str, Reading]) -> Track:
    shape = (len(grid), len(SPEC.features))
    values, valid = np.zeros(shape, np.float32), np.zeros(shape, bool)
    for reading in readings.values():
        for name, column in reading.columns.items():
            at = SPEC.feature_names.index(name)
            feature = SPEC.features[at]
            low = -np.inf if feature.low is None else feature.low
            high = np.inf if feature.high is None else feature.high
            values[:, at], valid[:, at] = np.clip(column.values, low, high), column.valid
    return Track(grid, SPEC.feature_names, values, valid, _reason(len(grid), list(readings.values()), valid))


def _reason(n: int, readings: list[Reading], valid: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Of the reasons of all signals, the one that tells most."""
    out = np.full(n, "no_stream", dtype=object)
    for word in reversed(_WORST_FIRST):
        for reading in readings:
            out[reading.reason == word] = word
    out[valid.any(axis=1)] = ""
    return out
