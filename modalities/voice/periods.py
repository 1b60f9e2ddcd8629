"""Glottal periods: where each begins, how long it is and how strong; jitter and shimmer.

Jitter and shimmer are the local ones of eGeMAPS (Eyben et al. 2016): differences of successive periods and of their
levels. The vocal tract rings on from one period into the next and falsifies both, so they are measured on the residual
of a linear predictor, which takes the ringing away (Davis 1976, "Computer evaluation of laryngeal pathology based on
inverse filtering of speech"). A first guess of the periods is the phase of the fundamental along the pitch track; each
period is then measured as the shift at which two successive ones agree best (Medan et al. 1991, "Super resolution
pitch determination of speech signals").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of
from modalities.voice.prediction import solve_predictors

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

ORDER = 16
_WINDOW_S = 0.025
_EMPHASIS = 0.8
_BEFORE, _AFTER = 0.1, 0.7
"""Of a period, around the excitation: the part by which successive periods are compared."""
_MOST_SHIFT = 0.12
"""Greatest difference between a period and the pitch track, as a share of the period."""
_LEAST_AGREEMENT = 0.5
_BINS = 24
_CUTS_HZ = (3000.0, 1500.0)
_CLEAR, _GAIN = 0.8, 0.1
"""Where noise fills the upper spectrum, periods are compared by what lies below these frequencies; only where they
agree badly, and then clearly better, since the full spectrum tells times apart best."""


@dataclass(frozen=True)
class Periods:
    """Pairs of successive glottal periods.

    Attributes:
        at: Sample index between the two periods (k,).
        length: Length of the first one, samples (k,).
        step: Length of the second one less that of the first, samples (k,).
        level_db: Level of the second one less that of the first, dB (k,).
    """

    at: NDArray[np.float64]
    length: NDArray[np.float64]
    step: NDArray[np.float64]
    level_db: NDArray[np.float64]


def find_periods(
    sound: Floats, first_centre: int, hop: int, pitch_hz: Floats, voiced: Flags, rate_hz: float
) -> Periods:
    """Measure the glottal periods of a block of sound.

    Args:
        sound: Samples (n,), at least 20 ms more than the centres on either side.
        first_centre: Sample index of the middle of the first frame.
        hop: Samples from frame to frame.
        pitch_hz: Pitch of each frame (m,).
        voiced: Where there is pitch (m,).
        rate_hz: Samples per second, about 16000.

    Returns:
        The pairs of periods that agree well enough to be compared, in order.
    """
    residual = _residual(sound, first_centre, hop, voiced, rate_hz)
    starts: list[NDArray[np.float64]] = []
    for first, stop in runs_of(voiced):
        if stop - first >= 3:
            starts.append(_guess(sound, residual, first_centre, hop, first, pitch_hz[first:stop], rate_hz))
    begin = np.concatenate([one[:-1] for one in starts]) if starts else np.zeros(0)
    end = np.concatenate([one[1:] for one in starts]) if starts else np.zeros(0)
    joined = np.concatenate([np.r_[False, np.ones(max(0, len(one) - 2), bool)][: len(one) - 1] for one in starts]) if (
        starts
    ) else np.zeros(0, bool)  # fmt: skip
    length, level, agreement = _compare(residual, begin, end)
    for cut_hz in _CUTS_HZ:
        other = _compare(_low_passed(residual, cut_hz, rate_hz), begin, end)
        better = (agreement < _CLEAR) & (other[2] > agreement + _GAIN)
        length, level = np.where(better, other[0], length), np.where(better, other[1], level)
        agreement = np.where(better, other[2], agreement)
    good = agreement > _LEAST_AGREEMENT
    pair = joined[1:] & good[1:] & good[:-1]
    return Periods(end[:-1][pair], length[:-1][pair], np.diff(length)[pair], level[:-1][pair])


def _residual(sound: Floats, first_centre: int, hop: int, voiced: Flags, rate_hz: float) -> Floats:
    """What a predictor of 1 ms leaves of the sound near voiced frames (n,); 0 elsewhere."""
    from scipy.fft import irfft, rfft
    from scipy.ndimage import binary_dilation

    out = np.zeros(len(sound), np.float32)
    at = np.flatnonzero(binary_dilation(np.pad(voiced, 1))) - 1
    if not len(at):
        return out
    size = round(_WINDOW_S * rate_hz)
    sharp = np.empty_like(sound)
    sharp[0], sharp[1:] = sound[0], sound[1:] - np.float32(_EMPHASIS) * sound[:-1]
    centres = first_centre + hop * at
    frames = np.lib.stride_tricks.sliding_window_view(sharp, size)[centres - size // 2]
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    spectrum = rfft(frames * window, 1024, axis=1)
    correlation = irfft(spectrum.real**2 + spectrum.imag**2, 1024, axis=1)[:, : ORDER + 1]
    poly = solve_predictors(correlation.astype(np.float64)).astype(np.float32)
    reach = 2 * hop + ORDER
    spans = np.lib.stride_tricks.sliding_window_view(sharp, reach)[centres - hop - ORDER]
    fade = (1 - np.abs(np.arange(2 * hop) + 0.5 - hop) / hop).astype(np.float32)
    left = np.zeros((len(at), 2 * hop), np.float32)
    for lag in range(ORDER + 1):
        left += poly[:, lag : lag + 1] * spans[:, ORDER - lag : reach - lag]
    left *= fade
    for row, centre in zip(left, centres.tolist(), strict=True):
        out[centre - hop : centre + hop] += row
    return out


def _low_passed(signal: Floats, cut_hz: float, rate_hz: float) -> Floats:
    from scipy.signal import firwin, oaconvolve

    taps = firwin(63, cut_hz, fs=rate_hz).astype(np.float32)
    return np.asarray(oaconvolve(signal, taps, mode="same"), dtype=np.float32)


def _guess(
    sound: Floats, residual: Floats, first_centre: int, hop: int, first: int, pitch_hz: Floats, rate_hz: float
) -> NDArray[np.float64]:
    """Sample indices of the excitations of one voiced stretch, from the phase of its fundamental."""
    from scipy.ndimage import uniform_filter1d

    begin = first_centre + hop * first - hop // 2
    n = hop * len(pitch_hz)
    part = slice(begin, begin + n)
    pitch = np.interp(np.arange(n), hop * np.arange(len(pitch_hz)) + hop / 2, pitch_hz)
    phase = np.cumsum(pitch) / rate_hz
    size = max(3, round(rate_hz / float(np.median(pitch))))
    turned = sound[part] * np.exp(-2j * np.pi * phase)
    for _ in range(2):
        real = uniform_filter1d(turned.real, size, mode="nearest")
        turned = real + 1j * uniform_filter1d(turned.imag, size, mode="nearest")
    cycles = np.maximum.accumulate(phase + np.unwrap(np.angle(turned)) / (2 * np.pi))
    share = (cycles % 1.0 * _BINS).astype(int) % _BINS
    energy = np.bincount(share, residual[part].astype(np.float64) ** 2, _BINS)
    offset = (int(energy.argmax()) + 0.5) / _BINS
    wanted = np.arange(np.ceil(cycles[0] - offset), np.floor(cycles[-1] - offset) + 1) + offset
    return begin + np.interp(wanted, cycles, np.arange(n))


def _compare(
    residual: Floats, begin: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Length of each period, level of the next one less its own in dB, and how well the two agree 0..1, (k,) each."""
    k = len(begin)
    length, level, agreement = end - begin, np.zeros(k), np.zeros(k)
    if k == 0:
        return length, level, agreement
    classes = np.rint(np.log(np.maximum(length, 8.0)) / np.log(1.15)).astype(int)
    for one in np.unique(classes):
        at = np.flatnonzero(classes == one)
        period = 1.15**one
        before, size = round(_BEFORE * period), max(8, round((_BEFORE + _AFTER) * period))
        reach = max(3, round(_MOST_SHIFT * period)) + 1
        from_, to = np.rint(begin[at]).astype(np.int64), np.rint(end[at]).astype(np.int64)
        fits = (from_ - before >= 0) & (to - before - reach >= 0) & (to - before + size + reach < len(residual))
        at, from_, to = at[fits], from_[fits], to[fits]
        if not len(at):
            continue
        mine = residual[(from_ - before)[:, None] + np.arange(size)].astype(np.float64)
        wide = residual[(to - before - reach)[:, None] + np.arange(size + 2 * reach)].astype(np.float64)
        shifted = np.lib.stride_tricks.sliding_window_view(wide, size, axis=1)
        energy = np.einsum("prl,prl->pr", shifted, shifted)
        own = np.einsum("pl,pl->p", mine, mine)
        match = np.einsum("pl,prl->pr", mine, shifted) / np.sqrt(np.maximum(own[:, None] * energy, 1e-20))
        best = np.clip(match.argmax(axis=1), 1, 2 * reach - 1)
        row = np.arange(len(at))
        left, mid, right = match[row, best - 1], match[row, best], match[row, best + 1]
        curve = np.minimum(left + right - 2 * mid, -1e-9)
        shift = best - reach + np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
        length[at] = to + shift - from_
        level[at] = 10 * np.log10(np.maximum(energy[row, best], 1e-20) / np.maximum(own, 1e-20))
        inside = (match.argmax(axis=1) > 0) & (match.argmax(axis=1) < 2 * reach)
        agreement[at] = np.where(inside, mid, 0)
    return length, level, agreement


def join_periods(parts: Sequence[Periods]) -> Periods:
    """Periods of consecutive stretches as one."""
    return Periods(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Periods)))


def average(periods: Periods, centres: NDArray[np.float64], half: float) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Jitter and shimmer in windows.

    Args:
        periods: From `find_periods`.
        centres: Middles of the windows, sample indices, increasing (m,).
        half: Half of their length, samples.

    Returns:
        Jitter (difference of successive periods over the mean period, a share) (m,), shimmer in dB (m,), and the number
        of pairs in each window (m,).
    """
    sums = [np.r_[0, np.cumsum(one)] for one in (np.abs(periods.step), periods.length, np.abs(periods.level_db))]
    low, high = np.searchsorted(periods.at, centres - half), np.searchsorted(periods.at, centres + half)
    step, length, level = (total[high] - total[low] for total in sums)
    count = high - low
    return (
        (step / np.maximum(length, 1e-9)).astype(np.float32),
        (level / np.maximum(count, 1)).astype(np.float32),
        count,
    )
