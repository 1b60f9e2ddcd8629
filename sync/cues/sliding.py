"""Windows along two recordings, each correlated finely: offset and drift by a robust line, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sync.cues.correlation import Band, Correlations, Spectra, coherent_weight, correlate, cross_spectra, matrices_at
from sync.cues.line import Line, chance_of, consensus, fit_line
from sync.cues.search import Features

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]
_SLOPES = 120
_ENOUGH = 10
"""Fewer windows do not teach each other what to look at."""
_ENERGY = (0.1, 1.0)
"""A window of little power weighs less, down to this share: noise and whatever only one recorded matter more in it."""
_PREFIXES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording that windows are cut from.

    Attributes:
        read: `(first sample, count)` -> float32 (<= count, channels); first and count within the recording.
        n: Number of samples.
        rate_hz: Samples per second on its own clock.
        start_s: Time of sample 0.
        features: The coarse features, for choosing lively windows.
    """

    read: Callable[[int, int], Samples]
    n: int
    rate_hz: float
    start_s: float
    features: Features

    @property
    def end_s(self) -> float:
        """One sample after the last."""
        return self.start_s + self.n / self.rate_hz


@dataclass(frozen=True)
class Sliding:
    """How windows are laid and judged.

    Attributes:
        band: Frequencies to correlate; the upper end is lowered to what both recordings hold.
        window_s: Shortest and longest window.
        share: A window is this share of the common stretch, within those limits.
        margin_s: How far the offset may lie from the guess.
        tolerance_s: How far windows of the right offset may disagree at first.
        least_s: Narrowest agreement asked for.
        prior_s: Scatter expected of one window.
        floor_s: Error common to all windows, standard deviation.
        max_drift: Largest drift, dimensionless.
    """

    band: Band
    window_s: tuple[float, float]
    share: float
    margin_s: float
    tolerance_s: float
    least_s: float
    prior_s: float
    floor_s: float
    max_drift: float


@dataclass(frozen=True, eq=False)
class Found:
    """What sliding windows say.

    Attributes:
        line: Offset by own time.
        times_s: Middle of the windows on the line, (k,).
        residuals_s: What each says more than the line, (k,).
        strength: Sum of how clearly they stand out, standard deviations.
        clearness: The same as one number for all of them together: root of the sum of squares.
        decades: How unlikely chance would make so many agree, as -log10; what was tried is taken into account.
        windows: How many windows were looked at.
        strays: Windows with a clear peak off the line.
        curve: Offsets around the answer (n,) and the mean correlation there (n,).
    """

    line: Line
    times_s: Floats
    residuals_s: Floats
    strength: float
    clearness: float
    decades: float
    windows: int
    strays: int
    curve: tuple[Floats, Floats]


@dataclass(frozen=True, eq=False)
class _Cut:
    """Windows and excerpts, and their exact starts on either clock."""

    own: Samples
    other: Samples
    own_hz: float
    other_hz: float
    own_start: Floats
    other_start: Floats
    length_s: float

    @property
    def middle(self) -> Floats:
        return self.own_start + self.length_s / 2

    def offsets(self, lags_s: Floats, drift: float) -> Floats:
        """Offsets at the middle of the windows that lags mean."""
        return self.other_start + (self.length_s / 2 + lags_s) * (1 + drift) - self.middle

    def lags(self, offsets_s: Floats, drift: float) -> Floats:
        """Lags that offsets at the middle of the windows mean."""
        return (offsets_s + self.middle - self.other_start) / (1 + drift) - self.length_s / 2


def slide(own: Recorded, other: Recorded, guess: Line, how: Sliding, most: int, tried: int) -> Found | None:
    """Measure the offset around a guess.

    Args:
        own: Recording whose windows are looked for.
        other: Recording in which they are looked for.
        guess: Offset of the other clock, to within the margin.
        how: Windows and limits.
        most: Largest number of windows.
        tried: How many offsets the guess was chosen from.

    Returns:
        None where the two have no common stretch long enough, or no window stands out.
    """
    cut = _cut(own, other, guess, how, most)
    if cut is None or not np.any(cut.own) or not np.any(cut.other):
        return None
    line, spectra, drift, asked = guess, None, 0.0, 0.0
    reach = how.tolerance_s
    power = (cut.own.astype(np.float64) ** 2).mean(axis=(1, 2))
    energy = np.clip(power / power.mean(), *_ENERGY)
    for turn in range(4):
        if spectra is None or abs(line.drift - asked) * cut.length_s > 1e-6:
            asked = line.drift
            spectra = cross_spectra(cut.own, cut.other, cut.own_hz, cut.other_hz * (1 + asked), how.band, floors=True)
            drift = spectra.other_hz / cut.other_hz - 1
        found, width = _correlate(spectra, cut, line, drift, how, first=turn == 0)
        offsets = cut.offsets(found.peak_s, drift)
        if turn == 0:
            line = _agreed(cut.middle, offsets, found.clearness, guess, how)
        inside = np.abs(offsets - line.at(cut.middle)) <= reach
        if not inside.any():
            return None
        line, residuals = fit_line(
            cut.middle[inside],
            offsets[inside],
            np.clip(found.clearness[inside], 3, 30) ** 2 * energy[inside],
            how.prior_s,
            how.floor_s,
            how.max_drift,
        )
        spread = 1.4826 * float(np.median(np.abs(residuals)))
        reach = float(np.clip(5 * spread, how.least_s, how.tolerance_s))
    inside = np.abs(offsets - line.at(cut.middle)) <= reach
    if not inside.any():
        return None
    times = cut.middle[inside]
    share = min(1.0, (2 * reach + width) / (2 * how.margin_s))
    decades = _surprise(inside, found.clearness, share) - _freedom(cut, how, share, tried)
    strays = int(np.sum((found.clearness >= 8) & (np.abs(offsets - line.at(cut.middle)) > max(3 * reach, width))))
    return Found(
        line,
        times,
        offsets[inside] - line.at(times),
        float(found.clearness[inside].sum()),
        float(np.linalg.norm(found.clearness[inside])),
        max(0.0, decades),
        len(inside),
        strays,
        _curve(found, cut, line, drift, how),
    )


def _correlate(
    spectra: Spectra, cut: _Cut, line: Line, drift: float, how: Sliding, first: bool
) -> tuple[Correlations, float]:
    """Correlations of all windows, and the width of their peak.

    From the second turn on each half of the windows is weighted by what the other half has in common, so that no window
    vouches for itself.
    """
    hide = 0.1 * how.margin_s
    longest = 2 * how.margin_s
    width = _width(spectra)
    if first or len(cut.middle) < _ENOUGH:
        return correlate(spectra, None, None, longest, hide), width
    lags = cut.lags(line.at(cut.middle), drift)
    even = np.arange(len(lags)) % 2 == 0
    parts: dict[bool, Correlations] = {}
    for half in (True, False):
        teach = _part(spectra, even != half)
        matrix = matrices_at(teach, None, lags[even != half]).mean(axis=0)
        pattern = matrix / max(1e-30, float(np.linalg.norm(matrix)))
        weight = coherent_weight(teach, pattern, lags[even != half], how.band.smooth_hz)
        parts[half] = correlate(_part(spectra, even == half), weight, pattern, longest, hide)
    score = np.empty((len(lags), parts[True].score.shape[1]), np.float32)
    peak, clear = np.empty(len(lags)), np.empty(len(lags))
    for half, one in parts.items():
        score[even == half], peak[even == half], clear[even == half] = one.score, one.peak_s, one.clearness
    return Correlations(parts[True].lags_s, score, peak, clear), width


def _part(spectra: Spectra, which: NDArray[np.bool_]) -> Spectra:
    return Spectra(spectra.phase[which], spectra.gain[which], spectra.first, spectra.period_s, spectra.other_hz)


def _width(spectra: Spectra) -> float:
    """Width of a correlation peak that the used frequencies allow: the inverse of twice their root mean square."""
    mean = spectra.gain.astype(np.float64).mean(axis=0)
    frequencies = spectra.frequencies_hz
    return float(0.5 / np.sqrt(np.average(frequencies**2, weights=np.maximum(mean, 1e-30))))


def _agreed(times: Floats, offsets: Floats, clearness: Floats, guess: Line, how: Sliding) -> Line:
    """The line around the guess on which the clearest windows agree."""
    span = max(1e-3, float(np.ptp(times)))
    slack = min(2 * how.max_drift, 0.5 * how.margin_s / span)
    steps = int(np.clip(np.ceil(slack * span / how.tolerance_s), 1, _SLOPES))
    slopes = guess.drift + np.linspace(-slack, slack, 2 * steps + 1) if len(times) > 2 else np.array([guess.drift])
    slopes = np.clip(slopes, -how.max_drift, how.max_drift)
    weights = np.clip(clearness - 3.0, 0.05, 10.0)
    return consensus(times, offsets, weights, np.arange(len(times)), slopes, how.tolerance_s)[0][1]


def _surprise(inside: NDArray[np.bool_], clearness: Floats, share: float) -> float:
    """-log10 of the chance that so many of the clearest windows agree, of the best number of windows."""
    ordered = inside[np.argsort(-clearness)]
    hits = np.cumsum(ordered)
    counts = [n for n in _PREFIXES if n < len(ordered)] + [len(ordered)]
    return max(-chance_of(int(hits[n - 1]), n, share) for n in counts) - float(np.log10(len(counts)))


def _freedom(cut: _Cut, how: Sliding, share: float, tried: int) -> float:
    """log10 of how many lines were open to choice."""
    slopes = 1.0 if len(cut.middle) < 3 else min(100.0, 1 + 2 * how.max_drift * float(np.ptp(cut.middle)) / 0.002)
    return float(np.log10(max(1.0, tried)) + np.log10(1 / share) + 0.5 * np.log10(slopes))


def _curve(found: Correlations, cut: _Cut, line: Line, drift: float, how: Sliding) -> tuple[Floats, Floats]:
    """Mean correlation over windows by offset, windows shifted along the line."""
    shifts = np.linspace(-0.8 * how.margin_s, 0.8 * how.margin_s, 1601)
    centre = cut.lags(line.at(cut.middle), drift)
    rows = [np.interp(lag + shifts, found.lags_s, row) for lag, row in zip(centre, found.score, strict=True)]
    return line.offset_s + shifts, np.mean(rows, axis=0)


def _cut(own: Recorded, other: Recorded, guess: Line, how: Sliding, most: int) -> _Cut | None:
    """Cut windows out of both recordings; each is read forwards once."""
    begin = max(own.start_s, other.start_s - float(guess.at(np.array(other.start_s))))
    end = min(own.end_s, other.end_s - float(guess.at(np.array(other.end_s))))
    # A guess may miss by the margin; where that leaves nothing, the recordings do not overlap.
    common = end - begin
    if common < how.window_s[0]:
        return None
    length = float(np.clip(common * how.share, *how.window_s))
    slots = int(np.clip(common // length, 1, most))
    edges = np.linspace(begin, end, slots + 1)
    starts = np.array([_livelier(own, other, guess, a, b, length) for a, b in pairwise(edges.tolist())])
    highest = min(how.band.high_hz, 0.45 * own.rate_hz, 0.45 * other.rate_hz)
    mine, own_hz, own_start = _excerpts(own, starts, length, highest)
    wanted = own_start + guess.at(own_start + length / 2) - how.margin_s
    theirs, other_hz, other_start = _excerpts(other, wanted, length + 2 * how.margin_s, highest)
    return _Cut(mine, theirs, own_hz, other_hz, own_start, other_start, mine.shape[1] / own_hz)


def _livelier(own: Recorded, other: Recorded, guess: Line, begin: float, end: float, length: float) -> float:
    """Start of the window between two times in which both recordings are liveliest."""
    if end - begin <= 1.25 * length:
        return (begin + end - length) / 2
    starts = np.linspace(begin, end - length, max(2, int(4 * (end - begin) / length)))
    total = np.ones(len(starts))
    for features, shift in ((own.features, 0.0), (other.features, float(guess.at(np.array(begin))))):
        frame = (starts + shift - features.start_s) * features.rate_hz
        size = max(1, round(length * features.rate_hz))
        for at, first in enumerate(np.rint(frame).astype(int).tolist()):
            part = features.values[max(0, first) : max(0, first + size)]
            total[at] *= float((part.astype(np.float64) ** 2).sum()) + 1e-9
    return float(starts[np.argmax(total)])


def _excerpts(recorded: Recorded, starts: Floats, length_s: float, highest_hz: float) -> tuple[Samples, float, Floats]:
    """Excerpts (windows, samples, channels), zero where there is no recording; their rate, and their exact starts.

    Rates far above what is needed are reduced in the frequency domain, by a ratio that is returned exactly.
    """
    n = max(8, round(length_s * recorded.rate_hz))
    reduced = min(n, int(np.ceil(n * 2.5 * highest_hz / recorded.rate_hz)))
    first = np.rint((starts - recorded.start_s) * recorded.rate_hz).astype(np.int64)
    pieces: dict[int, Samples] = {}
    for at in np.argsort(first, kind="stable").tolist():
        a, b = max(0, int(first[at])), min(recorded.n, int(first[at]) + n)
        block = recorded.read(a, b - a) if b > a else None
        channels = block.shape[1] if block is not None else recorded.read(0, 1).shape[1]
        whole = np.zeros((n, channels), np.float32)
        if block is not None:
            whole[a - int(first[at]) : a - int(first[at]) + len(block)] = block
        pieces[at] = _reduce(whole, reduced) if reduced < n else whole
    stacked = np.stack([pieces[at] for at in range(len(starts))])
    return stacked, recorded.rate_hz * reduced / n, recorded.start_s + first / recorded.rate_hz


def _reduce(block: Samples, n: int) -> Samples:
    from scipy.fft import irfft, rfft

    return np.asarray(irfft(rfft(block, axis=0)[: n // 2 + 1], n, axis=0) * (n / len(block)), dtype=np.float32)
