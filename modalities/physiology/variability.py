"""Heart rate variability in sliding windows, in time and in frequency (Task Force of the ESC and NASPE 1996)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.physiology.heart import LONGEST_BRIDGE_S, Column, Intervals

Values = NDArray[np.float64]

TIME_WINDOW_S, LF_WINDOW_S, HF_WINDOW_S = 60.0, 120.0, 60.0
LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.4)
_LEAST_INTERVALS = 20
_RATE_HZ = 4.0
_LEAST_SHARE = 0.9
_CHUNK = 512


def spread(grid_ns: Int64Array, stretches: Sequence[Intervals], rate: Column) -> tuple[Column, Column]:
    """SDNN in ms, and the share of successive normal intervals that differ by more than 50 ms, over the 60 s before.

    Valid where the heart rate is and at least 20 normal intervals lie in the window.
    """
    ends, lengths, pair_ends, far = [], [], [], []
    for one in stretches:
        ends.append(one.end_ns[one.normal])
        lengths.append(one.seconds[one.normal] * 1000)
        pair = one.normal[1:] & one.normal[:-1]
        pair_ends.append(one.end_ns[1:][pair])
        far.append(np.abs(np.diff(one.seconds))[pair] > 0.05)
    if not ends:
        return Column.blank(len(grid_ns)), Column.blank(len(grid_ns))
    since = grid_ns - round(TIME_WINDOW_S * NS_PER_S)
    end, length = np.concatenate(ends), np.concatenate(lengths)
    length = length - (length.mean() if len(length) else 0.0)
    count, total = _sums(end, np.ones_like(length), grid_ns, since), _sums(end, length, grid_ns, since)
    squares = _sums(end, length**2, grid_ns, since)
    variance = (squares - total**2 / np.maximum(count, 1)) / np.maximum(count - 1, 1)
    pairs = _sums(np.concatenate(pair_ends), np.ones(sum(map(len, far))), grid_ns, since)
    beyond = _sums(np.concatenate(pair_ends), np.concatenate(far).astype(np.float64), grid_ns, since)
    valid = rate.valid & (count >= _LEAST_INTERVALS)
    return (
        Column(np.sqrt(np.maximum(variance, 0)), valid),
        Column(beyond / np.maximum(pairs, 1), valid & (pairs >= _LEAST_INTERVALS - 2)),
    )


def _sums(times_ns: Int64Array, values: Values, grid_ns: Int64Array, since_ns: Int64Array) -> Values:
    """Sum of the values in (since, grid] at each grid time."""
    total = np.r_[0.0, np.cumsum(values)]
    return np.asarray(
        total[np.searchsorted(times_ns, grid_ns, "right")] - total[np.searchsorted(times_ns, since_ns, "right")]
    )


def spectrum(grid_ns: Int64Array, stretches: Sequence[Intervals], rate: Column) -> tuple[Column, Column, Column]:
    """Power of the beat-to-beat interval: LF (the 120 s before), HF (the 60 s before) and LF/HF.

    LF is 0.04 to 0.15 Hz, HF 0.15 to 0.4 Hz, in ms^2. The corrected intervals at 4 Hz, without their trend, under a
    Hann window, once a second. Valid where the heart rate is and 90 % of the window is covered. LF/HF takes both from
    the 120 s.
    """
    n_grid = len(grid_ns)
    blank = Column.blank(n_grid), Column.blank(n_grid), Column.blank(n_grid)
    runs = [run for one in stretches for run in _runs(one)]
    if not runs or len(grid_ns) < 2:
        return blank
    start = min(int(times[0]) for times, _ in runs)
    n = int((max(int(times[-1]) for times, _ in runs) - start) / NS_PER_S * _RATE_HZ) + 1
    series, known = np.zeros(n), np.zeros(n, bool)
    for times, length in runs:
        since = (times - start) / NS_PER_S * _RATE_HZ
        first, stop = int(np.ceil(since[0])), int(since[-1]) + 1
        series[first:stop] = np.interp(np.arange(first, stop), since, length)
        known[first:stop] = True
    if known.sum() < 2:
        return blank
    series = np.interp(np.arange(n), np.flatnonzero(known), series[known])
    hf_at, hf = _powers(series, known, HF_WINDOW_S, (HF_HZ,))
    both_at, both = _powers(series, known, LF_WINDOW_S, (LF_HZ, HF_HZ))
    ratio = both[:, 0] / np.maximum(both[:, 1], 1e-3)
    return (
        _onto(grid_ns, start, both_at, both[:, 0], rate),
        _onto(grid_ns, start, hf_at, hf[:, 0], rate),
        _onto(grid_ns, start, both_at, np.minimum(ratio, 1000.0), rate),
    )


def _runs(one: Intervals) -> list[tuple[Int64Array, Values]]:
    """Middles of the usable intervals and their lengths in ms, divided where none is usable for 3 s."""
    at = np.flatnonzero(one.usable)
    if len(at) < 2:
        return []
    breaks = np.flatnonzero((one.start_ns[at[1:]] - one.end_ns[at[:-1]]) > LONGEST_BRIDGE_S * NS_PER_S) + 1
    middle = one.start_ns + (one.end_ns - one.start_ns) // 2
    return [(middle[run], one.seconds[run] * 1000) for run in np.split(at, breaks) if len(run) > 1]


def _powers(
    series: Values, known: NDArray[np.bool_], window_s: float, bands: tuple[tuple[float, float], ...]
) -> tuple[Values, Values]:
    """Ends of the windows in seconds of the series (k,), and power in each band in ms^2 (k, bands)."""
    size, step = round(window_s * _RATE_HZ), round(_RATE_HZ)
    if len(series) < size:
        return np.zeros(0), np.zeros((0, len(bands)))
    views = np.lib.stride_tricks.sliding_window_view(series, size)[::step]
    covered = np.r_[0, np.cumsum(known)]
    starts = np.arange(len(views)) * step
    fair = np.flatnonzero(covered[starts + size] - covered[starts] >= _LEAST_SHARE * size)
    taper = np.hanning(size)
    ramp = np.linspace(-1, 1, size)
    hertz = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    out = np.zeros((len(fair), len(bands)))
    for first in range(0, len(fair), _CHUNK):
        part = views[fair[first : first + _CHUNK]]
        part = part - part.mean(axis=1, keepdims=True)
        part = (part - (part @ ramp / (ramp @ ramp))[:, None] * ramp) * taper
        density = 2 * np.abs(np.fft.rfft(part, axis=1)) ** 2 / (_RATE_HZ * float(taper @ taper))
        for at, (low, high) in enumerate(bands):
            inside = (hertz >= low) & (hertz < high)
            out[first : first + _CHUNK, at] = density[:, inside].sum(axis=1) * (hertz[1] - hertz[0])
    return (starts[fair] + size) / _RATE_HZ, out


def _onto(grid_ns: Int64Array, start_ns: int, ends_s: Values, values: Values, rate: Column) -> Column:
    """Values known at the ends of windows, at the grid: straight lines, at most 1.5 s from a window's end."""
    out = Column.blank(len(grid_ns))
    if not len(ends_s):
        return out
    here = (grid_ns - start_ns) / NS_PER_S
    after = np.clip(np.searchsorted(ends_s, here), 0, len(ends_s) - 1)
    near = np.minimum(np.abs(ends_s[after] - here), np.abs(ends_s[np.maximum(after - 1, 0)] - here))
    out.values[:] = np.interp(here, ends_s, values)
    out.valid[:] = rate.valid & (near <= 1.5)
    return out
