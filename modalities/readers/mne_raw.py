"""What the readers through MNE share: a recording opened quietly, its channels in stated units, its annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks, Signal, StreamInfo
from data_schemas.time import Regular, to_ns
from modalities.readers.info import TrackInfo
from modalities.readers.selection import missing

ANNOTATIONS = "annotations"
_FROM_SI = {"uV": 1e6, "mV": 1e3, "V": 1.0, "nV": 1e9}
"""MNE gives volts for these units, whatever the file's."""


def signal_of(
    raw: Any, names: Sequence[str], units: Sequence[str], scales: Sequence[float], info: StreamInfo
) -> Signal:
    """Channels of an MNE recording as a signal.

    Args:
        raw: The recording; all channels at one rate.
        names: Channels, as MNE calls them.
        units: Unit of the values that come out.
        scales: What MNE's values are multiplied with to get there.
        info: The stream's.
    """
    values = np.empty((raw.n_times, len(names)))
    for at, name in enumerate(names):
        values[:, at] = raw.get_data(picks=[name])[0] * scales[at]
    rate = float(raw.info["sfreq"])
    return Signal(
        info=replace(
            info, wall_start=raw.info["meas_date"], nominal_rate_hz=rate, origin=f"channels {', '.join(names)}"
        ),
        axis=Regular.from_rate(rate, len(values)),
        values=values,
        columns=tuple(names),
        units=tuple(units),
    )


def marks_of(raw: Any, info: StreamInfo) -> Marks:
    """The annotations of an MNE recording; onsets count from the first sample."""
    rows = [
        Mark(to_ns(float(one["onset"])), max(0, to_ns(float(one["duration"]))), _as_utf8(str(one["description"])))
        for one in raw.annotations
    ]
    return Marks.of(replace(info, wall_start=raw.info["meas_date"], origin=ANNOTATIONS), rows)


def _as_utf8(text: str) -> str:
    """Text that was read as Latin-1 but written as UTF-8, as it was meant."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def annotation_track(raw: Any) -> list[TrackInfo]:
    """The annotations as a track, where there are any."""
    n = len(raw.annotations)
    return [TrackInfo(track=ANNOTATIONS, kind="markers", n=n, detail=f"{n} annotations")] if n else []


def check_track(entry: StreamEntry, path: Path) -> None:
    """Annotations are the only track with a name in these formats.

    Raises:
        MissingTrackError: another one is asked for.
    """
    if entry.track is not None and entry.track != ANNOTATIONS:
        raise missing("track", entry.track, [ANNOTATIONS], entry, path)


def scale_for(unit: str) -> float:
    """What MNE's value of a channel with this unit is multiplied with to be in it."""
    return _FROM_SI.get(unit, 1.0)
