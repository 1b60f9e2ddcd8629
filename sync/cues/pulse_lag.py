"""The pulse in the face against the R peaks of the ECG: the same heart seen by two devices.

The pulse is folded on the beats of the ECG, moved by a lag. Its coefficients at the beat's frequency and its multiples
add up over minutes only at lags where the beat-to-beat pattern (respiratory arrhythmia and slower changes) is the same;
one beat off, they no longer do. Within the beat, the lag is that of the foot of the pulse wave, whose shape differs by
person and is therefore averaged over. What scatters from one group of beats to the next is the noise, so its colour
needs no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Marks, Signal, Stream
from data_schemas.time import Int64Array, to_ns, to_s
from sync.cues.pulse_shapes import HARMONICS, shapes
from sync.estimate import Curve, Estimate, estimate_of_lag

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

TRANSIT_S, TRANSIT_SD_S = 0.25, 0.09
"""From the R peak to the foot of the pulse in the face: about 0.1 to 0.4 s, differing by person."""
GROUP_BEATS = 6
"""So many beats are folded together; groups are what scatter is measured between."""
LEAST_GROUPS, LEAST_S = 5, 25.0
SURE = 0.9
"""Least confidence with which an interval is claimed."""
CHANCE = 1e-5
"""Agreement that chance would reach with a greater probability than this is too weak."""
MOST_GAIN = 150.0
"""Evidence (nats) that no signal exceeds, however clear: transit times change by some milliseconds from beat to beat,
which a steady lag does not explain, and which looks like a beat-to-beat pattern."""
DOUBT = 0.7
"""Odds between lags a beat apart are raised to this power: noise that swells and fades has fewer independent groups
than are counted."""
SYSTOLE_S, STRETCH = 0.45, 0.35
"""Systolic and dicrotic wave at 60 beats per minute; it grows with this power of the beat's length (electromechanical
systole: Weissler, Harris & Schoenfeld 1968, Circulation 37:149)."""
OUT_OF_STEP = "the face's pulse does not keep step with the heart beats at any lag"
_COARSE_S, _FINE_S = 0.1, 0.004
_BEAT_S = (0.27, 2.0)
_ODD_BEAT = (0.65, 1.5)
_CLIP = 3.5


@dataclass(frozen=True, eq=False)
class PulseFinding:
    """What the pulse says of two clocks.

    Attributes:
        weak: Why nothing is claimed; "" where the rest holds.
        agreement: Share of the pulse that keeps step with the ECG's beats at the best lag, 0..1.
        seconds: Length of the pulse signal that could be compared.
        beats: R peaks within it.
        lag_s: The foot of the pulse comes so long after the R peak by the two clocks as they are.
        lag_ci95_s: Half width of its 95 % interval; it spans several beats where only that they are all wrong is sure.
        confidence: Chance that the lag is not a beat or more off, 0..1.
        in_time: Chance that the lag is one that a body can have, 0..1: what speaks for the clocks as they are.
        offset_s: Clock of the ECG minus clock of the video, after the usual transit time is taken off.
        ci95_s: Half width of its 95 % interval, with the spread of transit times.
        curve: Agreement by lag.
        times_ns: Middle of each group of beats, on the video's clock.
        residuals_s: How much later than the lag its pulse came.
    """

    weak: str
    agreement: float
    seconds: float
    beats: int
    lag_s: float
    lag_ci95_s: float
    confidence: float
    in_time: float
    offset_s: float
    ci95_s: float
    curve: Curve
    times_ns: Int64Array
    residuals_s: Floats


@dataclass(frozen=True)
class PulseLag:
    """Clocks by heart beats.

    Attributes:
        max_lag_s: Lags up to this are looked at.
        transit_s: Mean time from R peak to the foot of the pulse in the face.
        transit_sd_s: Its standard deviation over people.
    """

    max_lag_s: float = 10.0
    transit_s: float = TRANSIT_S
    transit_sd_s: float = TRANSIT_SD_S

    @property
    def method(self) -> str:
        """See `Evidence.method`."""
        return "pulse"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the video's clock relates to that of the ECG.

        Args:
            own: The pulse in the face, its first column; masked where there is none.
            against: The R peaks, one mark each.

        Raises:
            ClockError: other kinds of streams, or too little or too weak a signal.
        """
        if not isinstance(own, Signal) or not isinstance(against, Marks):
            raise ClockError(
                "the pulse of a face is compared with the R peaks of an ECG",
                stream=own.info.name,
                got=f"{type(own).__name__} and {type(against).__name__}",
                expected="a Signal of the pulse and Marks of the R peaks",
            )
        kept = np.flatnonzero(own.mask[:, 0])
        found = self.measure(own.times_of(kept), own.values[kept, 0], against.onsets_ns)
        return self.estimate(found, own.info.name, against.info.name)

    def estimate(self, found: PulseFinding, own: str, against: str) -> Estimate:
        """A finding as an estimate about two streams.

        Raises:
            ClockError: the finding claims nothing.
        """
        return estimate_of_lag(
            self.method, found, (own, against), "the pulse says", "a longer and better lit recording of the face"
        )

    def measure(self, times_ns: Int64Array, pulse: NDArray[np.floating], r_ns: Int64Array) -> PulseFinding:
        """The lag of the pulse behind the R peaks.

        Args:
            times_ns: Times of the frames that show a pulse, increasing, any steps, (n,).
            pulse: Its values, positive with more blood, any unit, (n,).
            r_ns: R peaks on the other clock, (b,); missing and extra ones do little harm.
        """
        r_ns = np.unique(np.asarray(r_ns, np.int64))
        if len(times_ns) < 50 or len(r_ns) < 10:
            return _nothing(f"{len(times_ns)} frames with a pulse and {len(r_ns)} heart beats", len(r_ns))
        zero = int(times_ns[0])
        fold = _Folded.of(to_s(times_ns - zero), np.asarray(pulse, np.float64), to_s(r_ns - zero), self._lags())
        if fold is None:
            return _nothing("too few heart beats and frames of the same time", len(r_ns))
        return self._judge(fold, zero)

    def _lags(self) -> Floats:
        reach = int(np.ceil((self.max_lag_s + abs(self.transit_s)) / _COARSE_S))
        return np.arange(-reach, reach + 1, dtype=np.float64) * _COARSE_S

    def _judge(self, fold: _Folded, zero_ns: int) -> PulseFinding:
        from scipy.special import logsumexp

        scatter = fold.scatter()
        best = int(np.argmax((np.abs(fold.sums) ** 2 / scatter).sum(axis=1)))
        noise, groups = scatter[best], fold.groups(best)
        free = 2.0 * HARMONICS * (groups - 1)
        lags = np.arange(fold.lags[0], fold.lags[-1], _FINE_S)
        wave, prior = shapes(round(fold.beat_s, 2))
        at_lag = fold.between(lags) / noise
        match = np.maximum((at_lag @ wave.conj().T).real, 0.0)
        gain = match**2 / (np.abs(wave) ** 2 / noise).sum(axis=1)
        gain /= 1 + float(gain.max()) / MOST_GAIN
        top = float(gain.max())
        # Student's t: the noise was measured on few groups.
        support = -(free + 1) / 2 * np.log1p(2 * (top - gain) / free) + np.log(prior)
        log_chance = logsumexp(support, axis=1)
        chance = np.exp(log_chance - logsumexp(log_chance))
        middle = float(lags[np.argmax(chance)])
        chance = _doubted(chance, np.rint((lags - middle) / fold.beat_s).astype(np.int64))
        near = np.abs(lags - middle) < 0.5 * fold.beat_s
        confidence = float(chance[near].sum())
        counted = near if confidence >= SURE else np.ones(len(lags), bool)
        low, high = _quantiles(lags[counted], chance[counted], (0.025, 0.975))
        lag, half = (low + high) / 2, max((high - low) / 2, _FINE_S)
        reach = 1.96 * self.transit_sd_s
        in_time = float(chance[np.abs(lags - self.transit_s) <= reach].sum())
        trials = 2 * self.max_lag_s / fold.beat_s
        by_chance = trials * float(np.exp(-free / 2 * np.log1p(2 * top / free)))
        weak = ""
        if by_chance > CHANCE:
            weak = OUT_OF_STEP
        elif confidence < SURE and in_time > 0.05:
            weak = "too regular a pulse, or too short, to tell the lag from one a beat longer or shorter"
        agreement, moments, late = fold.single(lag)
        return PulseFinding(
            weak=weak,
            agreement=agreement,
            seconds=fold.seconds,
            beats=fold.beats,
            lag_s=lag,
            lag_ci95_s=half,
            confidence=confidence,
            in_time=in_time,
            offset_s=self.transit_s - lag,
            ci95_s=float(np.hypot(half, reach)),
            curve=Curve(lags[::5], gain[::5].max(axis=1), "evidence that the pulse follows the beats (nats)"),
            times_ns=zero_ns + to_ns(moments),
            residuals_s=late,
        )


@dataclass(frozen=True, eq=False)
class _Folded:
    """Sums of the pulse, turned back by the phase of the beat, for each lag, group of beats and harmonic.

    Attributes:
        times_s, pulse, trust, r_s: What was folded, and the weight of each sample; times from any zero.
        lags: (l,).
        parts: Complex (l, groups, harmonics).
        counts: Sum of the weights in each, (l, groups).
        beat_s: Mean length of a beat.
    """

    times_s: Floats
    pulse: Floats
    trust: Floats
    r_s: Floats
    lags: Floats
    parts: Complex
    counts: Floats
    beat_s: float

    @classmethod
    def of(cls, times_s: Floats, pulse: Floats, r_s: Floats, lags: Floats) -> _Folded | None:
        """Fold at every lag; None where too little overlaps at lag 0."""
        number = 1 + (len(r_s) - 1) // GROUP_BEATS
        pulse, trust = _calm(times_s, pulse)
        parts, counts = np.zeros((len(lags), number, HARMONICS), complex), np.zeros((len(lags), number))
        sound = _sound_beats(r_s)
        for at, lag in enumerate(lags.tolist()):
            parts[at], counts[at] = _fold(times_s - lag, pulse, trust, r_s, sound, number)
        usual = np.median(counts[counts > 0]) if (counts > 0).any() else 0
        small = counts < 0.4 * usual
        parts[small], counts[small] = 0, 0
        steps = np.diff(times_s)
        here = (times_s[:-1] >= r_s[0]) & (times_s[:-1] < r_s[-1])
        seconds = float(np.minimum(steps, 0.25)[here].sum())
        middle = len(lags) // 2
        if (counts[middle] > 0).sum() < LEAST_GROUPS or seconds < LEAST_S:
            return None
        return cls(times_s, pulse, trust, r_s, lags, parts, counts, float(np.median(np.diff(r_s)[sound])))

    @property
    def sums(self) -> Complex:
        """Over all groups, (l, harmonics)."""
        return np.asarray(self.parts.sum(axis=1))

    @property
    def seconds(self) -> float:
        """Time compared at lag 0."""
        here = (self.times_s[:-1] >= self.r_s[0]) & (self.times_s[:-1] < self.r_s[-1])
        return float(np.minimum(np.diff(self.times_s), 0.25)[here].sum())

    @property
    def beats(self) -> int:
        """R peaks within the time of the pulse."""
        return int(np.count_nonzero((self.r_s >= self.times_s[0]) & (self.r_s <= self.times_s[-1])))

    def groups(self, at: int) -> int:
        """Groups of beats in use at a lag."""
        return int(np.count_nonzero(self.counts[at]))

    def scatter(self) -> Floats:
        """Variance of `sums` by what differs between groups, (l, harmonics)."""
        used = self.counts > 0
        share = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        off = np.abs(self.parts - share[..., None] * self.sums[:, None, :]) ** 2 * used[..., None]
        groups = np.maximum(used.sum(axis=1), 2)
        return np.asarray(off.sum(axis=1) * (groups / (groups - 1))[:, None] + 1e-300)

    def between(self, lags: Floats) -> Complex:
        """`sums` at lags between those folded, (k, harmonics): less the mean beat's turn, they change slowly."""
        turn = 2j * np.pi / self.beat_s * np.arange(1, HARMONICS + 1)
        slow = self.sums * np.exp(-self.lags[:, None] * turn)
        out = np.empty((len(lags), HARMONICS), complex)
        for k in range(HARMONICS):
            out[:, k] = np.interp(lags, self.lags, slow[:, k].real) + 1j * np.interp(lags, self.lags, slow[:, k].imag)
        return np.asarray(out * np.exp(lags[:, None] * turn))

    def single(self, lag: float) -> tuple[float, Floats, Floats]:
        """At one lag: agreement 0..1, middle of each group, and how late its pulse came, seconds."""
        number = self.parts.shape[1]
        parts, counts = _fold(self.times_s - lag, self.pulse, self.trust, self.r_s, _sound_beats(self.r_s), number)
        used = np.flatnonzero(counts > 0.4 * np.median(counts[counts > 0]))
        first = parts[used, 0]
        agreement = float(np.abs(first.sum()) / max(np.abs(first).sum(), 1e-300))
        late = -np.angle(first * np.conj(first.sum())) * self.beat_s / (2 * np.pi)
        beats = np.minimum((used + 0.5) * GROUP_BEATS, len(self.r_s) - 1)
        return agreement, np.interp(beats, np.arange(len(self.r_s)), self.r_s) + lag, late


def _fold(
    times_s: Floats, pulse: Floats, trust: Floats, r_s: Floats, sound: NDArray[np.bool_], number: int
) -> tuple[Complex, Floats]:
    beat = np.searchsorted(r_s, times_s, side="right") - 1
    inside = (beat >= 0) & (beat < len(r_s) - 1)
    inside[inside] = sound[beat[inside]]
    beat = beat[inside]
    phase = _phase(times_s[inside] - r_s[beat], r_s[beat + 1] - r_s[beat], float(np.median(np.diff(r_s)[sound])))
    turn = np.exp(-2j * np.pi * phase)
    group = beat // GROUP_BEATS
    counts = np.asarray(np.bincount(group, trust[inside], number), np.float64)
    parts = np.empty((number, HARMONICS), complex)
    wave = (pulse * trust)[inside].astype(complex)
    for k in range(HARMONICS):
        wave = wave * turn
        parts[:, k] = np.bincount(group, wave.real, number) + 1j * np.bincount(group, wave.imag, number)
    return parts, counts


def _phase(since_s: Floats, length_s: Floats, usual_s: float) -> Floats:
    """Phase 0..1 in a beat: its systolic part changes little with the beat's length, the rest fills the beat.

    Args:
        since_s: Time since the beat began.
        length_s: Length of that beat.
        usual_s: Length of the usual beat.
    """
    share = SYSTOLE_S / np.sqrt(usual_s)
    early = share * usual_s * (length_s / usual_s) ** STRETCH
    late = share + (since_s - early) / (length_s - early) * (1 - share)
    return np.where(since_s < early, share * since_s / early, late)


def _sound_beats(r_s: Floats) -> NDArray[np.bool_]:
    """Which intervals between R peaks are one beat: none missing, none extra, (b - 1,)."""
    from scipy.ndimage import median_filter

    length = np.diff(r_s)
    ratio = length / median_filter(length, min(9, len(length)), mode="nearest")
    return np.asarray(
        (length > _BEAT_S[0]) & (length < _BEAT_S[1]) & (ratio > _ODD_BEAT[0]) & (ratio < _ODD_BEAT[1]), bool
    )


def _calm(times_s: Floats, pulse: Floats) -> tuple[Floats, Floats]:
    """The pulse with jerks of the head cut off at what it usually reaches, and how far to trust each sample.

    Where the signal is stronger than usual, it is movement: its trust falls with its power within 3 s on either side.
    """
    values = pulse - np.median(pulse)
    limit = _CLIP * 1.4826 * float(np.median(np.abs(values)))
    values = np.clip(values, -limit, limit) if limit > 0 else values
    total = np.r_[0.0, np.cumsum(values**2)]
    first, stop = np.searchsorted(times_s, times_s - 3), np.searchsorted(times_s, times_s + 3, side="right")
    power = (total[stop] - total[first]) / (stop - first)
    usual = float(np.median(power))
    return values, usual / np.maximum(power, 0.5 * usual + 1e-300)


def _doubted(chance: Floats, beat: Int64Array) -> Floats:
    """The same chances with their odds between beats drawn to the root (`DOUBT`); within a beat they keep their shape.

    Args:
        chance: Of each lag, summing to 1, (k,).
        beat: By how many beats the lag is off the most likely one, (k,).
    """
    index = beat - beat.min()
    mass = np.bincount(index, chance)
    drawn = mass**DOUBT / np.sum(mass**DOUBT)
    return np.asarray(chance * (drawn / np.maximum(mass, 1e-300))[index])


def _quantiles(at: Floats, weight: Floats, wanted: tuple[float, float]) -> tuple[float, float]:
    total = np.cumsum(weight) - weight / 2
    low, high = np.interp(wanted, total / weight.sum(), at)
    return float(low), float(high)


def _nothing(why: str, beats: int) -> PulseFinding:
    empty = np.zeros(0)
    curve = Curve(empty, empty, "evidence that the pulse follows the beats (nats)")
    return PulseFinding(why, 0.0, 0.0, beats, 0.0, np.inf, 0.0, 0.0, 0.0, np.inf, curve, np.zeros(0, np.int64), empty)
