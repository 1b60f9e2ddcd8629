"""Shared motion: accelerometers, motion energy or any other signals in which two devices recorded the same movement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Signal, Stream
from data_schemas.time import NS_PER_S, to_s
from sync.cues.correlation import Band
from sync.cues.lag import Search, compare_recordings
from sync.cues.search import Features
from sync.cues.sliding import Recorded, Sliding
from sync.estimate import Estimate

_FRAMES_HZ = 25.0
_TREND_S = 4.0
_CLIP = 4.0
_LEAST_S = 4.0
_LONGEST_GAP = 4.0
_MOST_COLUMNS = 8


@dataclass(frozen=True)
class MotionEvidence:
    """Movement that both streams recorded, at any two rates, in any two orientations.

    The correlation of every axis of the one with every axis of the other makes a matrix; its norm does not change when
    a device is turned; where that finds nothing, the length of the movement is compared, for devices that turn against
    each other during the recording, and for one axis against several.
    First coarse windows are looked for in the whole other recording, then the offset is measured in windows along it
    (generalised cross-correlation, Knapp and Carter, 1976), and a robust line gives the drift. The same works for two
    signals of any kind, of either sign.

    Attributes:
        low_hz: Lowest frequency used.
        high_hz: Highest frequency used; lowered to what the slower signal holds.
        max_drift_ppm: Largest drift looked for.
        margin_s: How far the fine search looks around the place found.
        windows: Largest number of fine windows.
    """

    low_hz: float = 0.3
    high_hz: float = 50.0
    max_drift_ppm: float = 1000.0
    margin_s: float = 2.0
    windows: int = 100

    @property
    def method(self) -> str:
        """The name of the cue."""
        return "motion"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """Offset and drift between the clocks of two signals.

        Raises:
            ClockError: a stream is no signal, holds nothing that moves, or is too short; or nothing of the one was
                found in the other.
        """
        how = Sliding(
            band=Band(self.low_hz, self.high_hz, 3.0),
            window_s=(3.0, 20.0),
            share=1 / 12,
            margin_s=self.margin_s,
            tolerance_s=0.05,
            least_s=0.005,
            prior_s=0.001,
            floor_s=0.0003,
            max_drift=self.max_drift_ppm * 1e-6,
        )
        search = Search("motion", "motion", how, paired=False, tolerance_s=0.1, windows=self.windows)
        answers, refusals = [], []
        for turned in (False, True):
            try:
                answers.append(compare_recordings(own, against, partial(recorded_of, turned=turned), search))
            except ClockError as error:
                refusals.append(error)
            if answers and (answers[0].confidence >= 0.8 or not any(_axes(one) > 1 for one in (own, against))):
                break
        if not answers:
            raise refusals[0]
        return max(answers, key=lambda one: one.confidence)


def _axes(stream: Stream) -> int:
    return len(stream.columns) if isinstance(stream, Signal) else 0


def recorded_of(stream: Stream, turned: bool = False) -> Recorded:
    """A signal as windows are cut from it: evenly sampled and without its trend.

    Args:
        stream: A signal.
        turned: Reduce several columns to the length of their vector.

    Raises:
        ClockError: it is no signal, too short, or nothing in it moves.
    """
    if not isinstance(stream, Signal):
        raise ClockError(
            "only signals can be compared by motion",
            stream=stream.info.name,
            got=stream.info.kind,
            mend="Name a sampled signal (acceleration, motion energy), or compare by another cue.",
        )
    values, rate, start_s = _even(stream)
    moved = _movement(values, rate, turned)
    if not np.any(moved):
        raise ClockError(
            "nothing in the signal moves", stream=stream.info.name, mend="Name other columns with --columns."
        )

    def read(first: int, count: int) -> NDArray[np.float32]:
        return moved[first : first + count]

    return Recorded(read, len(moved), rate, start_s, _features(moved, rate, start_s))


def _even(stream: Signal) -> tuple[NDArray[np.float32], float, float]:
    """Values on an even grid at the signal's median rate, NaN inside gaps; the rate; the time of the first.

    Raises:
        ClockError: too few valid samples.
    """
    columns = [k for k in range(len(stream.columns)) if stream.mask[:, k].sum() > 8][:_MOST_COLUMNS]
    times = stream.times_ns
    length = to_s(int(times[-1] - times[0])) if len(times) else 0.0
    if not columns or length < _LEAST_S:
        raise ClockError(
            "the signal is too short to be compared",
            stream=stream.info.name,
            got=f"{length:.2f} s",
            expected=f"at least {_LEAST_S:g} s of valid samples",
            mend="Name a longer recording, or other columns.",
        )
    period = float(np.median(np.diff(times)))
    # A mean period that is nearly the median is the better one: stamps are often rounded.
    mean = float(times[-1] - times[0]) / (len(times) - 1)
    if abs(mean / period - 1) < 0.01:
        period = mean
    n = int((times[-1] - times[0]) / period + 1e-6) + 1
    grid = np.arange(n) * period
    out = np.empty((n, len(columns)), np.float32)
    for place, k in enumerate(columns):
        kept = np.flatnonzero(stream.mask[:, k])
        own = (times[kept] - times[0]).astype(np.float64)
        column = stream.values[kept, k].astype(np.float64)
        # float32 would lose small movement on a large offset of raw counts.
        line = np.interp(grid, own, column - np.median(column))
        after = np.clip(np.searchsorted(own, grid), 1, len(own) - 1)
        hole = (own[after] - own[after - 1] > _LONGEST_GAP * period) | (grid > own[-1]) | (grid < own[0])
        out[:, place] = np.where(hole & ~np.isin(grid, own), np.nan, line)
    return out, NS_PER_S / period, to_s(int(times[0]))


def _movement(values: NDArray[np.float32], rate_hz: float, turned: bool) -> NDArray[np.float32]:
    """Columns without their trend, scatter 1 all together; where `turned`, their length instead. 0 in gaps."""
    axes = np.nan_to_num(_without_trend(values, rate_hz))
    scatter = float(np.sqrt((axes**2).sum(axis=1).mean()))
    if scatter == 0:
        return np.zeros_like(axes)
    if not turned or axes.shape[1] == 1:
        return np.asarray(axes / scatter, dtype=np.float32)
    length = np.sqrt((axes**2).sum(axis=1, keepdims=True))
    length = np.nan_to_num(_without_trend(length, rate_hz))
    return np.asarray(length / max(1e-12, float(length.std())), dtype=np.float32)


def _without_trend(values: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Less the running mean over some seconds, gaps left out of it."""
    from scipy.ndimage import uniform_filter1d

    size = max(3, round(_TREND_S * rate_hz))
    there = np.isfinite(values)
    share = uniform_filter1d(there.astype(np.float64), size, axis=0)
    mean = uniform_filter1d(np.where(there, values, 0).astype(np.float64), size, axis=0) / np.maximum(share, 1e-9)
    return np.asarray(values - mean, dtype=np.float32)


def _features(moved: NDArray[np.float32], rate_hz: float, start_s: float) -> Features:
    """The movement at 25 values per second, each the mean of a cell, large ones held down."""
    n = max(1, int(len(moved) / rate_hz * _FRAMES_HZ))
    if rate_hz <= _FRAMES_HZ:
        at = np.arange(n) * rate_hz / _FRAMES_HZ
        columns = [np.interp(at, np.arange(len(moved)), column) for column in moved.T]
        coarse, shift = np.stack(columns, axis=1), 0.0
    else:
        edges = np.rint(np.arange(n + 1) * rate_hz / _FRAMES_HZ).astype(np.int64)
        total = np.vstack([np.zeros((1, moved.shape[1])), np.cumsum(moved, axis=0, dtype=np.float64)])
        edges = np.minimum(edges, len(moved))
        coarse = (total[edges[1:]] - total[edges[:-1]]) / np.maximum(1, np.diff(edges))[:, None]
        shift = 0.5 / _FRAMES_HZ - 0.5 / rate_hz
    scatter = 1.4826 * np.median(np.abs(coarse), axis=0) + 0.1 * coarse.std(axis=0) + 1e-12
    return Features(np.clip(coarse / scatter, -_CLIP, _CLIP).astype(np.float32), _FRAMES_HZ, start_s + shift)
