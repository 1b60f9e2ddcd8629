"""Even sampling and rolling medians: what the regional spotter needs before it can look for peaks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray
from modalities.face.pieces import pieces

MAX_RATE_HZ = 100.0
"""Faster video is sampled at this rate: the shortest expression still has five samples."""
MAX_GAP_S = 0.15
"""Frames farther apart than this are not joined."""
_SLOW_HZ = 5.0


def judged_runs(times_ns: Int64Array, judged: NDArray[np.bool_], least_s: float) -> Iterator[NDArray[np.int64]]:
    """Frame numbers of each unbroken run of judged frames that lasts at least `least_s`.

    A run ends where a frame is not judged, or where the next one comes later than `MAX_GAP_S` or four usual frame
    distances.
    """
    rows = np.flatnonzero(judged)
    if len(rows) < 2:
        return
    usual = float(np.median(np.diff(times_ns)))
    wide = np.diff(times_ns[rows]) > max(MAX_GAP_S * NS_PER_S, 4 * usual)
    for run in np.split(rows, np.flatnonzero(wide | (np.diff(rows) > 1)) + 1):
        if len(run) > 1 and to_s(int(times_ns[run[-1]] - times_ns[run[0]])) >= least_s:
            yield run


def even_times(times_ns: Int64Array) -> Int64Array:
    """Evenly spaced times over the same span, at the usual frame rate but no faster than `MAX_RATE_HZ`."""
    period = max(float(np.median(np.diff(times_ns))), NS_PER_S / MAX_RATE_HZ)
    count = round((int(times_ns[-1]) - int(times_ns[0])) / period) + 1
    return np.rint(np.linspace(times_ns[0], times_ns[-1], max(2, count))).astype(np.int64)


def resample(values: FloatArray, times_ns: Int64Array, at_ns: Int64Array) -> FloatArray:
    """Straight lines between frames; values (n, c) at new times, (m, c)."""
    out = np.empty((len(at_ns), *values.shape[1:]))
    for part in pieces(len(at_ns)):
        right = np.clip(np.searchsorted(times_ns, at_ns[part]), 1, len(times_ns) - 1)
        left = right - 1
        share = (at_ns[part] - times_ns[left]) / (times_ns[right] - times_ns[left])
        out[part] = values[left] + share[:, None] * (values[right] - values[left])
    return out


def smooth(values: FloatArray, rate_hz: float, sigma_s: float) -> FloatArray:
    """Gaussian smoothing along time, (n, c)."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, sigma_s * rate_hz, axis=0, mode="nearest")


def rolling_median(values: FloatArray, rate_hz: float, window_s: float) -> FloatArray:
    """Median over a window around each sample, (n, c); mirrored at the ends."""
    return rolling_percentile(values, rate_hz, window_s, 50.0)


def rolling_percentile(values: FloatArray, rate_hz: float, window_s: float, percent: float) -> FloatArray:
    """Percentile over a window around each sample, (n, c); mirrored at the ends.

    Windows longer than 4 s are taken at 5 Hz and joined by straight lines: what they follow is slow.
    """
    from scipy.ndimage import percentile_filter

    step = max(1, int(rate_hz / _SLOW_HZ)) if window_s > 4 else 1
    few = values[::step]
    size = max(1, 2 * round(window_s * rate_hz / step / 2) + 1)
    out = np.column_stack([percentile_filter(column, percent, size=size, mode="mirror") for column in few.T])
    if step == 1:
        return out
    nodes = np.arange(0, len(values), step)
    return np.column_stack([np.interp(np.arange(len(values)), nodes, column) for column in out.T])
