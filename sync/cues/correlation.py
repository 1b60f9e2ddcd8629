"""Generalised cross-correlation of excerpts: phase of the cross-spectrum, weighted where both have something in common.

After Knapp and Carter (1976), "The generalized correlation method for estimation of time delay". The cross-spectrum is
reduced to its phase, so that filters and gains of microphones and sensors do not matter, and each frequency is weighted
by how far it stands out of either recording's floor, later by the coherence found there (their maximum likelihood
processor). Several channels give a matrix of correlations; its norm does not depend on how a sensor is turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WHITENING = 0.5
"""How far each single frequency is reduced to its phase, beyond the whitening of its surroundings."""
_FINE = 4
"""Points per period of the highest frequency, before the parabola."""
_LEAST_POWER = 1e-7
_LEAST_GAIN = 0.02
_MOST_COHERENT = 0.95


@dataclass(frozen=True)
class Band:
    """What is correlated.

    Attributes:
        low_hz: Lowest frequency.
        high_hz: Highest frequency.
        smooth_hz: Width over which spectra are averaged.
    """

    low_hz: float
    high_hz: float
    smooth_hz: float


@dataclass(frozen=True, eq=False)
class Spectra:
    """Phases of the cross-spectra of windows.

    Attributes:
        phase: complex64 (windows, frequencies, own channels, other channels), Frobenius norm 1 at each frequency.
        gain: How far each frequency stands out of both floors, 0..1, (windows, frequencies).
        first: Number of the first frequency, in steps of `1 / period_s`.
        period_s: Length over which the excerpts were transformed.
        other_hz: Rate of the other, per own second, that the lengths of the transforms came to.
    """

    phase: NDArray[np.complex64]
    gain: NDArray[np.float32]
    first: int
    period_s: float
    other_hz: float

    @property
    def frequencies_hz(self) -> Floats:
        """Shape (frequencies,)."""
        return (self.first + np.arange(self.phase.shape[1])) / self.period_s


def cross_spectra(
    own: NDArray[np.float32],
    other: NDArray[np.float32],
    own_hz: float,
    other_hz: float,
    band: Band,
    floors: bool,
) -> Spectra:
    """Cross-spectra of pairs of excerpts whose rates may differ.

    Both are padded with zeros to the same length in time, so that equal bins are equal frequencies: a common rate needs
    no filter.

    Args:
        own: Windows of the one recording, (windows, samples, channels).
        other: Longer excerpts of the other, (windows, samples, channels).
        own_hz: Samples per second of the own clock.
        other_hz: Samples of the other per second of the *own* clock.
        band: Frequencies.
        floors: Whether the weakest windows show what each recording's floor is; without, all frequencies count alike.
    """
    from scipy.fft import rfft
    from scipy.ndimage import uniform_filter1d

    lengths = _lengths(max(own.shape[1], int(np.ceil(other.shape[1] / other_hz * own_hz))), other_hz / own_hz)
    period = lengths[0] / own_hz
    first = max(1, int(np.ceil(band.low_hz * period)))
    last = min(int(band.high_hz * period), *(n // 2 for n in lengths)) + 1
    wide = max(1, round(band.smooth_hz * period))
    powers = []
    spectra = []
    longer = other.shape[1] - own.shape[1] * other_hz / own_hz
    tapers = (_taper(own.shape[1], own.shape[1] // 3), _taper(other.shape[1], max(1, int(longer / 2))))
    for excerpts, taper, n in zip((own, other), tapers, lengths, strict=True):
        spectrum = np.stack([rfft(one * taper, n, axis=0)[first:last] for one in excerpts]).astype(np.complex64)
        spectra.append(spectrum)
        powers.append(uniform_filter1d((np.abs(spectrum) ** 2).sum(axis=2), wide, axis=1))
    crossed = np.conj(spectra[0])[:, :, :, None] * spectra[1][:, :, None, :]
    size = np.sqrt((np.abs(crossed) ** 2).sum(axis=(2, 3), keepdims=True))
    smooth = np.sqrt(powers[0] * powers[1])[:, :, None, None]
    phase = crossed / np.maximum(size**_WHITENING * smooth ** (1 - _WHITENING), 1e-30)
    gain = np.ones(powers[0].shape, np.float32)
    for power in powers:
        if floors and len(power) >= 4:
            floor = np.percentile(power, 10, axis=0)
            gain *= np.clip(1 - floor / np.maximum(power, 1e-30), _LEAST_GAIN, 1)
        # A frequency far below the others holds nothing but rounding and what leaks from the others.
        gain *= power > _LEAST_POWER * power.max(axis=1, keepdims=True)
    return Spectra(phase, gain.astype(np.float32), first, period, lengths[1] / period)


def _taper(n: int, ramp: int) -> NDArray[np.float32]:
    """Raised cosines at both ends: cut edges would leak into frequencies that hold little, and agree there."""
    ends = 0.5 - 0.5 * np.cos(np.pi * (np.arange(max(1, ramp)) + 0.5) / max(1, ramp))
    taper = np.ones(n, np.float32)
    taper[: len(ends)] = ends
    taper[n - len(ends) :] *= ends[::-1].astype(np.float32)
    return taper[:, None]


def _lengths(least: int, ratio: float) -> tuple[int, int]:
    """Two lengths of transforms whose ratio is nearly exact, the first a little more than `least`."""
    from scipy.fft import next_fast_len

    tried = [max(8, least) + more for more in range(min(least // 4 + 8, 1000))]
    if least > 4000:
        tried = [next_fast_len(least, real=True)]
        while tried[-1] < 1.2 * least:
            tried.append(next_fast_len(tried[-1] + 1, real=True))
    best = min(tried, key=lambda n: abs(n * ratio - round(n * ratio)) / n)
    return best, round(best * ratio)


@dataclass(frozen=True, eq=False)
class Correlations:
    """Correlations of windows by lag.

    Attributes:
        lags_s: Lags, from 0, in own seconds, (lags,).
        score: (windows, lags), 1 for perfect agreement.
        peak_s: Lag of each window's best, interpolated, (windows,).
        clearness: Height of the best over the scatter of all lags, in standard deviations, (windows,).
    """

    lags_s: Floats
    score: NDArray[np.float32]
    peak_s: Floats
    clearness: Floats

    def within(self, low_s: Floats, high_s: Floats) -> Floats:
        """Interpolated lag of the best of each window between two lags, (windows,)."""
        inside = (self.lags_s[None, :] >= low_s[:, None]) & (self.lags_s[None, :] <= high_s[:, None])
        return _interpolate(self.lags_s, self.score, np.argmax(np.where(inside, self.score, -np.inf), axis=1))


def correlate(
    spectra: Spectra, weight: Floats | None, pattern: Floats | None, longest_s: float, hide_s: float
) -> Correlations:
    """Correlation by lag from 0 to `longest_s`.

    Args:
        spectra: Cross-spectra.
        weight: Worth of each frequency, >= 0, beside the windows' own gains; None for all alike.
        pattern: Which own channel goes with which other and with what sign, Frobenius norm 1; None if not known: then
            the norm over all pairs counts.
        longest_s: Largest lag.
        hide_s: Around the peak, left out of the scatter.
    """
    gains = spectra.gain.astype(np.float64)
    if weight is not None:
        gains = gains * weight[None, :]
    total = np.maximum(gains.sum(axis=1), 1e-30)
    rows = []
    lags = np.zeros(0)
    for at in range(len(gains)):
        weighted = spectra.phase[at] * (gains[at] / total[at])[:, None, None]
        if pattern is not None:
            lags, row = _back((weighted * pattern[None]).sum(axis=(1, 2)), spectra, longest_s)
        else:
            both = [_back(one, spectra, longest_s) for one in weighted.reshape(len(weighted), -1).T]
            lags = both[0][0]
            row = np.sqrt(np.sum([one**2 for _, one in both], axis=0))
        rows.append(row.astype(np.float32))
    score = np.stack(rows)
    best = np.argmax(score, axis=1)
    hidden = np.abs(lags[None, :] - lags[best][:, None]) < hide_s
    rest = np.ma.masked_array(score, hidden)
    mean = np.asarray(rest.mean(axis=1).filled(0.0)) if pattern is None else np.zeros(len(score))
    scatter = np.sqrt(np.asarray(((rest - mean[:, None]) ** 2).mean(axis=1).filled(1.0)))
    height = score[np.arange(len(score)), best] - mean
    return Correlations(lags, score, _interpolate(lags, score, best), height / np.maximum(scatter, 1e-12))


def matrices_at(spectra: Spectra, weight: Floats | None, lags_s: Floats) -> Floats:
    """Correlation of every pair of channels at one lag of each window, (windows, own channels, other channels)."""
    turned = np.exp(2j * np.pi * spectra.frequencies_hz[None, :] * lags_s[:, None])
    gains = spectra.gain * (1.0 if weight is None else weight[None, :])
    return np.real(np.einsum("wf,wfij->wij", gains * turned, spectra.phase)) / np.maximum(
        gains.sum(axis=1)[:, None, None], 1e-30
    )


def coherent_weight(spectra: Spectra, pattern: Floats, lags_s: Floats, smooth_hz: float) -> Floats:
    """Worth of each frequency by the coherence that aligned windows show there, (frequencies,).

    The maximum likelihood weight of Knapp and Carter: `c^2 / (1 - c^2)`, the coherence averaged over windows and
    neighbouring frequencies, less what chance gives.
    """
    from scipy.ndimage import uniform_filter1d

    wide = max(1, round(smooth_hz * spectra.period_s))
    total = np.zeros(spectra.phase.shape[1])
    for phase, lag in zip(spectra.phase, lags_s.tolist(), strict=True):
        turned = np.exp(2j * np.pi * spectra.frequencies_hz * lag)
        total += np.real((phase * pattern[None]).sum(axis=(1, 2)) * turned)
    mean = uniform_filter1d(total / len(spectra.phase), wide)
    chance = 1 / np.sqrt(2.0 * len(spectra.phase) * wide)
    coherence = np.clip(mean - 2 * chance, 0.0, _MOST_COHERENT)
    weight = coherence**2 / (1 - coherence**2)
    return np.asarray(weight / weight.max() + 1e-3) if weight.max() > 0 else np.ones(len(weight))


def _back(spectrum: NDArray[np.complexfloating], spectra: Spectra, longest_s: float) -> tuple[Floats, Floats]:
    """Lags from 0 to `longest_s` and the correlation there."""
    from scipy.fft import irfft, next_fast_len

    highest = spectra.first + len(spectrum)
    n = next_fast_len(_FINE * highest, real=True)
    padded = np.zeros(n // 2 + 1, np.complex128)
    padded[spectra.first : highest] = spectrum
    lags = np.arange(int(longest_s / spectra.period_s * n) + 1) * spectra.period_s / n
    return lags, irfft(padded, n)[: len(lags)] * (n / 2)


def _interpolate(lags_s: Floats, score: NDArray[np.float32], best: NDArray[np.int64]) -> Floats:
    """Lags of the tops of the parabolas through the best points and their neighbours."""
    at = np.clip(best, 1, len(lags_s) - 2)
    row = np.arange(len(score))
    before, top, after = (score[row, at + step].astype(np.float64) for step in (-1, 0, 1))
    bend = before - 2 * top + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return lags_s[at] + np.clip(shift, -1, 1) * (lags_s[1] - lags_s[0])
