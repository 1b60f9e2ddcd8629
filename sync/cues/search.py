"""Where in a long recording another one lies: coarse features of short windows, looked for in the whole other one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sync.cues.line import Line, consensus

Floats = NDArray[np.float64]
_WINDOW_S = 20.0
_WINDOWS = 48
_PEAKS = 12
_LEAST_CLEAR = 2.5
_LEAST_OVERLAP = 0.2
_APART_S = 0.25


@dataclass(frozen=True, eq=False)
class Features:
    """A recording reduced to few numbers per second.

    Attributes:
        values: (frames, channels), mean about 0, scatter about 1 per channel.
        rate_hz: Frames per second.
        start_s: Time of the first frame.
    """

    values: NDArray[np.float32]
    rate_hz: float
    start_s: float

    @property
    def length_s(self) -> float:
        """Seconds."""
        return len(self.values) / self.rate_hz


@dataclass(frozen=True, eq=False)
class Votes:
    """Lags at which windows of one recording look like the other.

    Attributes:
        times_s: Middle of the window, own time, (n,).
        offsets_s: Against-time minus own time, (n,).
        weights: How clearly, standard deviations, (n,).
        window: Number of the window, ascending, (n,).
        windows: How many windows there were.
        tried: How many different offsets, about.
    """

    times_s: Floats
    offsets_s: Floats
    weights: Floats
    window: NDArray[np.int64]
    windows: int
    tried: int


def vote(own: Features, other: Features, paired: bool) -> Votes:
    """Look for windows of the shorter recording in the whole of the longer one.

    Args:
        own: Features of the one.
        other: Of the other, at the same rate.
        paired: Channel k of the one goes with channel k of the other (bands of sound); else any with any, and with any
            sign (axes of sensors).
    """
    swapped = len(own.values) > len(other.values)
    short, long = (other, own) if swapped else (own, other)
    finder = _Finder(long.values, paired, round(min(_WINDOW_S * own.rate_hz, len(short.values))))
    starts = _starts(short.values, finder.size)
    times, offsets, weights, window = [], [], [], []
    for number, start in enumerate(starts.tolist()):
        positions, clear = finder.find(short.values[start : start + finder.size], short.rate_hz)
        middle = short.start_s + (start + finder.size / 2) / short.rate_hz
        lag = long.start_s - short.start_s + (positions - start) / short.rate_hz
        # A window of the other recording that lies at own time t has the offset -(t - its time) at own time t.
        times.append(middle + lag if swapped else np.full(len(lag), middle))
        offsets.append(-lag if swapped else lag)
        weights.append(clear)
        window.append(np.full(len(lag), number))
    return Votes(
        np.concatenate(times) if times else np.zeros(0),
        np.concatenate(offsets) if offsets else np.zeros(0),
        np.concatenate(weights) if weights else np.zeros(0),
        np.concatenate(window).astype(np.int64) if window else np.zeros(0, np.int64),
        len(starts),
        len(own.values) + len(other.values),
    )


def candidates(votes: Votes, most: int, max_drift: float, tolerance_s: float) -> list[tuple[float, Line]]:
    """The lines on which most windows agree, with their worth, best first, no two of them nearly the same."""
    if not len(votes.times_s):
        return []
    span = float(np.ptp(votes.times_s))
    steps = int(np.ceil(max_drift * span / tolerance_s))
    slopes = np.linspace(-max_drift, max_drift, 2 * min(steps, 100) + 1)
    kept: list[tuple[float, Line]] = []
    lines = consensus(votes.times_s, votes.offsets_s, votes.weights, votes.window, slopes, tolerance_s)
    for worth, line in lines:
        middle = float(np.median(votes.times_s))
        if all(abs(float(line.at(middle) - one.at(middle))) > max(_APART_S, 4 * tolerance_s) for _, one in kept):
            kept.append((worth, line))
        if len(kept) == most:
            break
    return kept


def _starts(values: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    """Starts of windows, half overlapping or, in long recordings, the livelier of each stretch."""
    if len(values) <= size:
        return np.zeros(1, np.int64)
    starts = np.unique(np.linspace(0, len(values) - size, 1 + int(np.ceil(2 * (len(values) / size - 1)))).astype(int))
    energy = np.r_[0.0, np.cumsum((values.astype(np.float64) ** 2).sum(axis=1))]
    lively = energy[starts + size] - energy[starts]
    starts, lively = starts[lively > 0], lively[lively > 0]
    if len(starts) <= _WINDOWS:
        return starts.astype(np.int64)
    groups = np.array_split(np.arange(len(starts)), _WINDOWS)
    return np.array([starts[group[np.argmax(lively[group])]] for group in groups], dtype=np.int64)


class _Finder:
    """Correlates windows with one long recording, whose spectra are kept."""

    def __init__(self, values: NDArray[np.float32], paired: bool, size: int) -> None:
        from scipy.fft import next_fast_len, rfft

        self.paired, self.size, self.n = paired, size, len(values)
        self.length = next_fast_len(self.n + size, real=True)
        self.spectra = np.stack([rfft(column, self.length) for column in values.T]).astype(np.complex64)
        energy = np.r_[0.0, np.cumsum((values.astype(np.float64) ** 2).sum(axis=1))]
        first = np.arange(-size + 1, self.n)
        begin, end = np.clip(first, 0, self.n), np.clip(first + size, 0, self.n)
        local = energy[end] - energy[begin]
        # Quiet stretches are not blown up: noise there would look like agreement.
        self.scale = np.sqrt(local + 0.2 * energy[-1] / self.n * size)
        self.usable = (end - begin) >= _LEAST_OVERLAP * size

    def find(self, window: NDArray[np.float32], rate_hz: float) -> tuple[Floats, Floats]:
        """Positions (frames, fractional) of the window in the recording, and how clear each is."""
        from scipy.fft import irfft, rfft
        from scipy.signal import find_peaks

        spectra = np.stack([np.conj(rfft(column, self.length)) for column in window.T]).astype(np.complex64)
        if self.paired:
            score = self._unrolled(irfft((spectra * self.spectra).sum(axis=0), self.length))
        else:
            total = np.zeros(len(self.scale))
            for one in spectra:
                for other in self.spectra:
                    total += self._unrolled(irfft(one * other, self.length)) ** 2
            score = np.sqrt(total)
        score = score / self.scale
        usable = score[self.usable]
        if not len(usable):
            return np.zeros(0), np.zeros(0)
        centre = float(np.median(usable))
        scatter = max(1e-12, 1.4826 * float(np.median(np.abs(usable - centre))))
        clear = np.where(self.usable, (score - centre) / scatter, 0.0)
        tops, _ = find_peaks(np.r_[0.0, clear, 0.0], height=_LEAST_CLEAR, distance=max(1, round(0.1 * rate_hz)))
        tops = tops - 1
        tops = tops[np.argsort(-clear[tops])[:_PEAKS]]
        inner = np.clip(tops, 1, len(clear) - 2)
        before, top, after = clear[inner - 1], clear[inner], clear[inner + 1]
        bend = np.minimum(before - 2 * top + after, -1e-9)
        shift = np.where(inner == tops, np.clip(0.5 * (before - after) / bend, -0.5, 0.5), 0.0)
        return tops + shift - (self.size - 1), clear[tops]

    def _unrolled(self, score: Floats) -> Floats:
        """From circular lags to -size + 1 .. n - 1."""
        return np.asarray(np.r_[score[self.length - self.size + 1 :], score[: self.n]], dtype=np.float64)
