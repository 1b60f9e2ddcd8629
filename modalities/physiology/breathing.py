"""Breathing rate from a belt or a flow sensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.physiology.heart import Column
from modalities.physiology.stretches import Stretch

Values = NDArray[np.float64]

RATE_HZ = 10.0
SHORTEST_S = 10.0
LOWEST_RATE_HZ = 1.0
LOWEST_BPM, HIGHEST_BPM = 3.0, 60.0
LINE_WINDOW_S = 10.0
_BAND_HZ = (0.05, 1.0)
_LONGEST_BRIDGE_S = 10.0
_WINDOW_S, _LEAST_SHARE = 20.0, 0.6


def find_breaths(stretch: Stretch) -> tuple[Values, NDArray[np.bool_]]:
    """Peaks of the breathing movement, and whether the signal around them is breathing and not noise.

    Breathing is taken to be where the band from 0.05 to 1 Hz holds at least 0.6 of the power above 0.05 Hz.

    Args:
        stretch: At least `SHORTEST_S` long and at `LOWEST_RATE_HZ` or more; else no breath is found.

    Returns:
        Times of the peaks in seconds from the start of the stretch (k,), and whether each can be trusted (k,).
    """
    from scipy.ndimage import median_filter, uniform_filter1d
    from scipy.signal import butter, find_peaks, sosfiltfilt

    if stretch.seconds < SHORTEST_S or stretch.rate_hz < LOWEST_RATE_HZ:
        return np.zeros(0), np.zeros(0, bool)
    slow = stretch.slowed(RATE_HZ)
    rate = slow.rate_hz
    x = (slow.values - np.median(slow.values)) / max(float(np.ptp(slow.values)), 1e-300)
    reach = min(len(x) - 1, round(30 * rate))
    padded = np.pad(x, reach, mode="reflect", reflect_type="odd")
    moving = sosfiltfilt(butter(2, _BAND_HZ[0], "highpass", fs=rate, output="sos"), padded)
    top = min(_BAND_HZ[1], 0.4 * rate)
    breath = sosfiltfilt(butter(2, top, fs=rate, output="sos"), moving)[reach : reach + len(x)]
    moving = moving[reach : reach + len(x)]
    size = min(len(x), round(_WINDOW_S * rate))
    power = uniform_filter1d(breath**2, size, mode="nearest")
    share = power / np.maximum(uniform_filter1d(moving**2, size, mode="nearest"), 1e-300)
    scale = np.sqrt(2 * np.maximum(power, 1e-300))
    peaks, _ = find_peaks(
        breath / np.maximum(scale, 1e-3 * scale.max()), prominence=0.6, distance=max(1, round(0.8 * rate))
    )
    if len(peaks) < 3:
        return np.zeros(0), np.zeros(0, bool)
    length = np.diff(peaks)
    usual = median_filter(length, min(7, len(length)), mode="nearest")
    odd = median_filter(np.abs(length / usual - 1), min(7, len(length)), mode="nearest")
    steady = np.r_[odd[0], odd] < 0.35
    return peaks / rate, np.asarray((share[peaks] > _LEAST_SHARE) & steady)


def breathing_rate(grid_ns: Int64Array, stretches: list[tuple[Stretch, Values, NDArray[np.bool_]]]) -> Column:
    """Breaths per minute: 60 over each peak-to-peak interval at its middle, straight lines in between."""
    out = Column.blank(len(grid_ns))
    for stretch, peaks, good in stretches:
        times = stretch.start_ns + np.rint(peaks * NS_PER_S).astype(np.int64)
        start, end = times[:-1], times[1:]
        seconds = (end - start) / NS_PER_S
        usable = good[:-1] & good[1:] & (seconds >= 60 / HIGHEST_BPM) & (seconds <= 60 / LOWEST_BPM)
        at = np.flatnonzero(usable)
        if not len(at):
            continue
        breaks = np.flatnonzero(start[at[1:]] - end[at[:-1]] > _LONGEST_BRIDGE_S * NS_PER_S) + 1
        for run in np.split(at, breaks):
            first, stop = np.searchsorted(grid_ns, (start[run[0]], end[run[-1]] + 1))
            middle = (start[run] + end[run]) / 2 - start[run[0]]
            here = (grid_ns[first:stop] - start[run[0]]).astype(np.float64)
            out.values[first:stop] = np.interp(here, middle, 60 / seconds[run])
            out.valid[first:stop] = True
    return out


def line_length(grid_ns: Int64Array, stretches: Sequence[Stretch], rate: Column) -> Column:
    """Way of the breathing line per second over the 10 s before, in depths of an ordinary breath.

    The respiration line length of Timm (1982, J. Appl. Psychol. 67:391), made independent of the sensor's unit: what is
    slower than 1 Hz, divided by the median over half minutes of its range. Shallower and slower breathing
    shortens it. Valid where the breathing rate is and the stretch reaches 10 s back.

    Args:
        grid_ns: Where it is wanted.
        stretches: The signal.
        rate: From `breathing_rate`.
    """
    from scipy.ndimage import gaussian_filter1d

    out = Column.blank(len(grid_ns))
    smooth = []
    for stretch in stretches:
        if stretch.seconds >= SHORTEST_S and stretch.rate_hz >= LOWEST_RATE_HZ:
            slow = stretch.slowed(RATE_HZ)
            smooth.append(Stretch(slow.start_ns, slow.rate_hz, gaussian_filter1d(slow.values, 0.16 * slow.rate_hz)))
    depths = []
    for one in smooth:
        blocks = np.array_split(one.values, max(1, round(one.seconds / 30)))
        depths += [float(np.subtract(*np.percentile(block, (95, 5)))) for block in blocks]
    depth = float(np.median(depths)) if depths else 0.0
    if depth <= 0:
        return out
    for one in smooth:
        way = np.r_[0.0, np.cumsum(np.abs(np.diff(one.values)))] / depth
        back = LINE_WINDOW_S * one.rate_hz
        here = (grid_ns - one.start_ns) / NS_PER_S * one.rate_hz
        inside = (here >= back) & (here <= len(way) - 1)
        places = np.arange(len(way))
        length = (np.interp(here, places, way) - np.interp(here - back, places, way)) / LINE_WINDOW_S
        out.values[inside] = length[inside]
        out.valid[inside] = rate.valid[inside]
    return out
