"""Opening of the mouth against the loudness of speech: who speaks is seen to speak.

Mouth opening and speech envelope share the rhythm of syllables, 2 to 7 Hz (Chandrasekaran et al. 2009, "The natural
statistics of audiovisual speech", PLoS Comput. Biol. 5:e1000436). The mouth leads a little: between 0 and 0.15 s in
running speech (Schwartz & Savariaux 2014, "No, there is no 150 ms lead of visual speech on auditory speech", PLoS
Comput. Biol. 10:e1003743). Slow movement, as of a smile, is taken off both; silence adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Signal, Stream
from data_schemas.time import Int64Array, to_ns, to_s
from sync.estimate import Curve, Estimate, estimate_of_lag

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAD_S, LEAD_SD_S = 0.07, 0.055
"""The mouth comes before the sound."""
SLOW_S = 0.45
"""Half width of the local mean that is taken off: what is slower than a syllable."""
DYNAMICS_DB = 30.0
"""Sound so far below the loudest counts as silence."""
BLOCK_S = 3.0
LEAST_BLOCKS, LEAST_SPEECH_S = 5, 8.0
LEAST_MOUTH = 0.5
"""A mouth that moves by less than this (95th percentile, % of the inter-ocular distance) is not seen to speak."""
SURE = 0.9
SIGNIFICANT = 5.5
"""So many times as high as correlations at wrong lags usually are must the peak be."""
SAME_S = 0.12
"""Peaks nearer than this are the same one."""
STEP_S, FINE_S = 0.03, 0.01
"""Distance of lags, and near the best one."""
APART = "mouth and sound do not move together at any lag"
TALKING = 1.0
"""A mouth moves as in speech where its syllables measure so much, root mean square over 1 s, % of the IOD."""
_DRAWS = 300
_SPEECH_DB = 6.0


@dataclass(frozen=True, eq=False)
class LipsFinding:
    """What the lips say of two clocks.

    Attributes:
        weak: Why nothing is claimed; "" where the rest holds.
        agreement: Correlation of mouth and sound at the best lag, 0..1.
        speech_s: Length of speech while the mouth was in view.
        talking_s: For how long the mouth moved as in speech, whatever was heard.
        lead_s: The mouth comes so long before the sound by the two clocks as they are.
        lead_ci95_s: Half width of its 95 % interval.
        confidence: Chance that this is the right peak, 0..1.
        offset_s: Clock of the sound minus clock of the video, after the usual lead is taken off.
        ci95_s: Half width of its 95 % interval, with the spread of leads.
        curve: Correlation by lag.
        times_ns: Middle of each block with speech, on the video's clock.
        residuals_s: How much more the mouth led there.
    """

    weak: str
    agreement: float
    speech_s: float
    talking_s: float
    lead_s: float
    lead_ci95_s: float
    confidence: float
    offset_s: float
    ci95_s: float
    curve: Curve
    times_ns: Int64Array
    residuals_s: Floats


@dataclass(frozen=True)
class Lips:
    """Clocks by speech that is seen and heard.

    Attributes:
        max_lag_s: Lags up to this are looked at.
        lead_s: How long the mouth usually comes before the sound.
        lead_sd_s: Its standard deviation over people and texts.
    """

    max_lag_s: float = 6.0
    lead_s: float = LEAD_S
    lead_sd_s: float = LEAD_SD_S

    @property
    def method(self) -> str:
        """See `Evidence.method`."""
        return "lips"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the video's clock relates to that of the sound.

        Args:
            own: Opening of the mouth, its first column, percent of the inter-ocular distance.
            against: Level of the sound, its first column, dB, at 20 Hz or more.

        Raises:
            ClockError: other kinds of streams, or too little or too weak a signal.
        """
        if not isinstance(own, Signal) or not isinstance(against, Signal):
            raise ClockError(
                "the mouth's opening is compared with the level of the sound",
                stream=own.info.name,
                got=f"{type(own).__name__} and {type(against).__name__}",
                expected="two Signals",
            )
        seen, heard = np.flatnonzero(own.mask[:, 0]), np.flatnonzero(against.mask[:, 0])
        found = self.measure(own.times_of(seen), own.values[seen, 0], against.times_of(heard), against.values[heard, 0])
        return self.estimate(found, own.info.name, against.info.name)

    def estimate(self, found: LipsFinding, own: str, against: str) -> Estimate:
        """A finding as an estimate about two streams.

        Raises:
            ClockError: the finding claims nothing.
        """
        return estimate_of_lag(self.method, found, (own, against), "the lips say", "a recording with more speech")

    def measure(
        self,
        times_ns: Int64Array,
        mouth: NDArray[np.floating],
        sound_ns: Int64Array,
        level_db: NDArray[np.floating],
    ) -> LipsFinding:
        """How far the mouth leads the sound.

        Args:
            times_ns: Times of the frames that show the mouth, increasing, any steps, (n,).
            mouth: Its opening, percent of the inter-ocular distance, (n,).
            sound_ns: Times of the level, increasing; steps above 0.1 s are gaps, (m,).
            level_db: Level of the sound in dB, (m,).
        """
        if len(times_ns) < 100 or len(sound_ns) < 100:
            return _nothing("too little of mouth or sound")
        zero = int(times_ns[0])
        now, heard = to_s(times_ns - zero), to_s(sound_ns - zero)
        loud, speech = _loudness(heard, level_db)
        opening = _opening(now, mouth)
        reach = round(self.max_lag_s / STEP_S)
        lags = np.arange(-reach, reach + 1, dtype=np.float64) * STEP_S
        lags = lags + round(self.lead_s / STEP_S) * STEP_S
        at_frames = np.interp(now, heard, speech.astype(float), left=0, right=0) > 0.5
        steps = np.minimum(np.diff(now, append=now[-1]), 0.25)
        speech_s = float(steps[at_frames].sum())
        moving = float(np.percentile(np.abs(opening), 95)) >= LEAST_MOUTH
        if speech_s < LEAST_SPEECH_S or not moving:
            why = f"{speech_s:.0f} s of speech in view" if moving else "the mouth hardly moves"
            return _nothing(why, speech_s)
        talking_s = float(steps[_local_rms(now, opening) >= TALKING].sum())
        products, power = _products(now, opening, heard, loud, lags)
        top = float(lags[np.argmax(products.sum(axis=0) / _size(power))])
        fine = top + np.arange(-6, 7, dtype=np.float64) * FINE_S
        close, _ = _products(now, opening, heard, loud, fine)
        return self._judge(products, power, lags, (fine, close), float((opening**2).sum()), (speech_s, talking_s), zero)

    def _judge(
        self,
        products: Floats,
        power: Floats,
        lags: Floats,
        near: tuple[Floats, Floats],
        mouth_power: float,
        active_s: tuple[float, float],
        zero_ns: int,
    ) -> LipsFinding:
        from scipy.special import stdtrit

        active = np.abs(products).max(axis=1) > 1e-3 * np.abs(products).max()
        if active.sum() < LEAST_BLOCKS:
            return _nothing("speech in too few places", *active_s)
        used, total = products[active], products.sum(axis=0)
        size = _size(power)
        curve = total / size / np.sqrt(mouth_power)
        peak = int(np.argmax(curve))
        wrong = curve[np.abs(lags - lags[peak]) > 0.7]
        usual = float(np.sqrt(np.mean(wrong**2)))
        draws = np.random.default_rng(0).multinomial(len(used), np.full(len(used), 1 / len(used)), _DRAWS)
        tops = lags[np.argmax((draws @ used) / size, axis=1)]
        confidence = float(np.mean(np.abs(tops - lags[peak]) <= SAME_S))
        fine, close = near
        inside = int(np.clip(np.argmax(close.sum(axis=0)), 3, len(fine) - 4))
        reach = np.arange(-3, 4)
        bend = np.polynomial.polynomial.polyfit(reach * FINE_S, close.sum(axis=0)[inside + reach], 2)
        slopes = close[active][:, inside + reach] @ (reach / (np.sum(reach**2) * FINE_S))
        weak = ""
        if curve[peak] < SIGNIFICANT * usual or bend[2] >= 0 or peak in (0, len(lags) - 1):
            weak = APART
        elif confidence < SURE:
            weak = "several lags fit mouth and sound about as well"
        curvature = max(-2 * float(bend[2]), 1e-12)
        lead = float(fine[inside] + np.clip(bend[1] / curvature, -STEP_S, STEP_S))
        spread = float(np.sqrt(np.sum((slopes - slopes.mean()) ** 2) * len(used) / (len(used) - 1))) / curvature
        half = max(float(stdtrit(len(used) - 1, 0.975)) * spread, 1e-3)
        moments = (np.flatnonzero(active) + 0.5) * BLOCK_S
        return LipsFinding(
            weak=weak,
            agreement=float(np.clip(curve[peak], 0, 1)),
            speech_s=active_s[0],
            talking_s=active_s[1],
            lead_s=lead,
            lead_ci95_s=half,
            confidence=confidence,
            offset_s=lead - self.lead_s,
            ci95_s=float(np.hypot(half, 1.96 * self.lead_sd_s)),
            curve=Curve(lags, curve, "correlation of mouth opening and loudness"),
            times_ns=zero_ns + to_ns(moments),
            residuals_s=np.clip((slopes - slopes.mean()) / curvature * len(used), -SAME_S, SAME_S),
        )


def _loudness(times_s: Floats, level_db: NDArray[np.floating]) -> tuple[Floats, Flags]:
    """Level in dB above silence without its slow changes, and where there is sound to speak of, (m,) each."""
    top = float(np.percentile(level_db, 98))
    floor = max(float(np.percentile(level_db, 5)), top - DYNAMICS_DB)
    level = np.clip(np.asarray(level_db, np.float64), floor, top)
    return _without_slow(times_s, level), level > floor + min(_SPEECH_DB, 0.5 * (top - floor) + 1e-9)


def _opening(times_s: Floats, mouth: NDArray[np.floating]) -> Floats:
    """Opening without its slow changes; single wild frames are cut off, (n,)."""
    fast = _without_slow(times_s, np.asarray(mouth, np.float64))
    limit = 1.5 * float(np.percentile(np.abs(fast), 99))
    return np.clip(fast, -limit, limit)


def _without_slow(times_s: Floats, values: Floats) -> Floats:
    """Values less their mean within `SLOW_S` on either side; steps may be uneven."""
    total = np.r_[0.0, np.cumsum(values - values.mean())]
    first = np.searchsorted(times_s, times_s - SLOW_S)
    stop = np.searchsorted(times_s, times_s + SLOW_S, side="right")
    return np.asarray(values - values.mean() - (total[stop] - total[first]) / (stop - first))


def _size(power: Floats) -> Floats:
    """Root of the loudness squared at each lag; where little sound is left it does not count for less than half."""
    size = np.sqrt(np.maximum(power, 1e-12))
    return np.asarray(np.maximum(size, 0.5 * size.max()))


def _local_rms(times_s: Floats, values: Floats) -> Floats:
    """Root mean square within half a second on either side, (n,)."""
    total = np.r_[0.0, np.cumsum(values**2)]
    first, stop = np.searchsorted(times_s, times_s - 0.5), np.searchsorted(times_s, times_s + 0.5, side="right")
    return np.asarray(np.sqrt((total[stop] - total[first]) / (stop - first)))


def _products(now: Floats, opening: Floats, heard: Floats, loud: Floats, lags: Floats) -> tuple[Floats, Floats]:
    """Sum of opening times loudness in each block at each lag, (blocks, l), and loudness squared over all, (l,)."""
    block = (now // BLOCK_S).astype(np.int64)
    number = int(block[-1]) + 1
    products, power = np.zeros((number, len(lags))), np.zeros(len(lags))
    broken = np.diff(heard) > 0.1
    for at, lag in enumerate(lags.tolist()):
        then = now + lag
        place = np.searchsorted(heard, then, side="right") - 1
        inside = (place >= 0) & (place < len(heard) - 1)
        inside[inside] = ~broken[place[inside]]
        sound = np.where(inside, np.interp(then, heard, loud), 0.0)
        products[:, at] = np.bincount(block, opening * sound, number)
        power[at] = float(sound @ sound)
    return products, power


def _nothing(why: str, speech_s: float = 0.0, talking_s: float = 0.0) -> LipsFinding:
    empty = np.zeros(0)
    curve = Curve(empty, empty, "correlation of mouth opening and loudness")
    return LipsFinding(
        why, 0.0, speech_s, talking_s, 0.0, np.inf, 0.0, 0.0, np.inf, curve, np.zeros(0, np.int64), empty
    )
