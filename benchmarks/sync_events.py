"""Errors of clocks from events that devices share: TTL pulses, LED flashes, linear timecode, on simulated recordings.

Each session draws an offset of 0.01 to 60 s, a drift of 0 to 200 ppm, jitter, missing and extra events, sample rates,
noise, and for cameras exposure, reading of rows, what the time stamps are of, and 5 % dropped frames. The recordings
are signals, pictures and sounds, read by the same functions as real ones.
`python -m benchmarks.sync_events [--sessions N] [KIND ...]`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError
from data_schemas.stream import Audio, Mark, Marks, Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular, to_ns
from pipeline.simulate.chance import generator
from pipeline.simulate.flashes import FlashCamera, flash_video
from pipeline.simulate.ltc import ltc_sound
from sync.cues.events import estimate_of, events_of
from sync.cues.flash import FlashEvidence
from sync.cues.ltc import LtcEvidence
from sync.cues.timecode_rate import RATES
from sync.estimate import Estimate
from sync.match import match_events

Floats = NDArray[np.float64]

SESSIONS, FEW = 200, 12
KINDS = ("ttl_fast", "ttl_slow", "flash", "ltc")
OFFSET_S, MOST_DRIFT = (0.01, 60.0), 200e-6
FAST_HZ, SLOW_HZ = (1000, 2000, 5000), (100, 250, 500)
LOST, DROPPED = 0.05, 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """One session.

    Attributes:
        error_s: Estimated minus true offset at the estimate's anchor.
        ci95_s: Half width of its interval.
        unit_s: Sample period, or frame period, that errors are compared with.
        drift_error_ppm: Estimated minus true drift.
    """

    error_s: float
    ci95_s: float
    unit_s: float
    drift_error_ppm: float


@dataclass(frozen=True, slots=True)
class Relation:
    """True relation of two clocks: other = (1 + drift) * own + offset."""

    offset_s: float
    drift: float

    def to_other(self, own_s: Floats) -> Floats:
        """Own to other seconds."""
        return np.asarray(own_s) * (1 + self.drift) + self.offset_s

    def judge(self, found: Estimate, unit_s: float) -> Outcome:
        """An estimate against the truth."""
        at = found.anchor_ns / NS_PER_S
        truth = self.drift * at + self.offset_s
        return Outcome(found.offset_s - truth, found.ci95_s, unit_s, found.drift_ppm - self.drift * 1e6)


def draw_relation(rng: np.random.Generator) -> Relation:
    """Offset of 0.01 to 60 s to either side, evenly in its logarithm; drift of up to 200 ppm to either side."""
    offset = float(np.exp(rng.uniform(*np.log(OFFSET_S))) * rng.choice([-1, 1]))
    return Relation(offset, float(rng.uniform(-MOST_DRIFT, MOST_DRIFT)))


def measure(full: bool) -> Mapping[str, float]:
    """Figures of all kinds (`measure_sessions`).

    Args:
        full: 200 sessions of each kind instead of 12.
    """
    return measure_sessions(SESSIONS if full else FEW)


def measure_sessions(sessions: int, kinds: tuple[str, ...] = KINDS) -> Mapping[str, float]:
    """Figures over all sessions.

    Args:
        sessions: Sessions of each kind.
        kinds: Of `KINDS`.

    Returns:
        For each kind `<kind>_sessions`, `<kind>_failed`, `<kind>_median_ms`, `<kind>_p95_ms`, `<kind>_median_periods`
        (absolute error in sample or frame periods), `<kind>_covered` (share of 95 % intervals of the offset that hold
        the truth) and `<kind>_drift_ppm` (median absolute error).
    """
    figures: dict[str, float] = {}
    for kind in kinds:
        outcomes = [outcome for seed in range(sessions) if (outcome := run_session(kind, seed)) is not None]
        figures[f"{kind}_sessions"] = float(sessions)
        figures[f"{kind}_failed"] = float(sessions - len(outcomes))
        if not outcomes:
            continue
        error = np.abs([one.error_s for one in outcomes])
        figures[f"{kind}_median_ms"] = 1e3 * float(np.median(error))
        figures[f"{kind}_p95_ms"] = 1e3 * float(np.percentile(error, 95))
        figures[f"{kind}_median_periods"] = float(np.median(error / [one.unit_s for one in outcomes]))
        figures[f"{kind}_covered"] = float(np.mean(error <= [one.ci95_s for one in outcomes]))
        figures[f"{kind}_drift_ppm"] = float(np.median(np.abs([one.drift_error_ppm for one in outcomes])))
    return figures


def run_session(kind: str, seed: int) -> Outcome | None:
    """Simulate and estimate one session; None where the cue refused."""
    rng = generator(seed, f"sync events {kind}")
    try:
        if kind == "flash":
            return _flash(rng, seed)
        return _ltc(rng) if kind == "ltc" else _ttl(rng, FAST_HZ if kind == "ttl_fast" else SLOW_HZ)
    except TelltaleError as error:
        sys.stderr.write(f"{kind} {seed}: {error}\n")
        return None


def _events(rng: np.random.Generator, least_s: float) -> Floats:
    """Onsets of one to three minutes, irregular, at least `least_s` apart."""
    n = int(rng.integers(20, 50))
    return 2 + np.cumsum(least_s + rng.uniform(0.2, 4.0, n))


def _seen(rng: np.random.Generator, onsets_s: Floats, jitter_s: float) -> Floats:
    """What one device catches: jitter, missing events, extra ones that keep their distance."""
    caught = (onsets_s + rng.normal(0, jitter_s, len(onsets_s)))[rng.random(len(onsets_s)) >= LOST]
    extra = rng.uniform(onsets_s[0], onsets_s[-1], rng.poisson(LOST * len(onsets_s)))
    extra = extra[np.abs(extra[:, None] - onsets_s).min(axis=1) > 0.3]
    every = np.sort(np.r_[caught, extra])
    return every[np.r_[True, np.diff(every) > 0.25]]


def pulse_signal(rng: np.random.Generator, onsets_s: Floats, length_s: float, rate_hz: float, name: str) -> Signal:
    """A sampled TTL line: 0 or 5 V at each sample, noise, a sample clock of any phase."""
    start = float(onsets_s[0]) - 2 + float(rng.uniform(0, 1 / rate_hz))
    t = start + np.arange(int((onsets_s[-1] + 2 - start) * rate_hz)) / rate_hz
    x = np.zeros(len(t))
    for onset in onsets_s.tolist():
        x[np.searchsorted(t, onset) : np.searchsorted(t, onset + length_s)] = 5.0
    x += rng.normal(0, 0.05, len(x))
    axis = Regular.from_rate(rate_hz, len(t), start_ns=round(start * NS_PER_S))
    return Signal(info=StreamInfo(name, "pulse", name), axis=axis, values=x[:, None], columns=("ttl",), units=("V",))


def _ttl(rng: np.random.Generator, rates: tuple[int, ...]) -> Outcome:
    relation = draw_relation(rng)
    own_hz, other_hz = (float(rng.choice(rates)) for _ in range(2))
    length = max(float(rng.uniform(0.01, 0.15)), 3 / min(own_hz, other_hz))
    onsets, jitter = _events(rng, 0.5), float(rng.uniform(0, 0.0005))
    own = pulse_signal(rng, _seen(rng, onsets, jitter), length, own_hz, "own")
    other = pulse_signal(rng, _seen(rng, relation.to_other(onsets), jitter), length, other_hz, "other")
    (own_ns, _), (other_ns, _) = events_of(own), events_of(other)
    match = match_events(own_ns, other_ns, resolution_s=float(np.hypot(1 / own_hz, 1 / other_hz)))
    return relation.judge(estimate_of(match, own_ns), 1 / min(own_hz, other_hz))


def _flash(rng: np.random.Generator, seed: int) -> Outcome:
    relation = draw_relation(rng)
    side = int(rng.choice([rng.integers(4, 13), rng.integers(106, 117)]))
    camera = FlashCamera(
        fps=float(rng.choice([15, 25, 30, 60])),
        exposure=float(rng.uniform(0.1, 1.0)),
        readout=float(rng.uniform(0.0, 0.8)),
        stamp=str(rng.choice(["start", "middle", "end"])),  # type: ignore[arg-type]
        dropped=DROPPED,
        led_xy=(side, int(rng.integers(4, 86))),
        led_px=float(rng.uniform(1.2, 3.0)),
        led_height=float(rng.uniform(50, 150)),
        breathing=float(rng.uniform(0.0, 0.2)),
    )
    onsets = 2 + np.cumsum(0.5 + rng.uniform(0.2, 2.0, int(rng.integers(12, 25))))
    shown = _seen(rng, onsets, 0.0002)
    video = flash_video(camera, shown, shown + 0.2, float(onsets[-1]) + 2, seed)
    times = _seen(rng, relation.to_other(onsets), 0.0002)
    marks = Marks.of(StreamInfo("other", "markers", "other"), [Mark(int(t)) for t in to_ns(times)])
    return relation.judge(FlashEvidence().compare(video, marks), 1 / camera.fps)


def _ltc(rng: np.random.Generator) -> Outcome:
    relation = draw_relation(rng)
    rate = RATES[int(rng.integers(len(RATES)))]
    first, frames = int(rng.integers(rate.day_frames)), int(rng.uniform(10, 25) / float(rate.frame_s))
    numbers = (first + np.arange(frames)) % rate.day_frames
    speed = 1 + rng.normal(0, 20e-6)
    edges = np.asarray(0.3 + np.arange(frames + 1) * float(rate.frame_s) / speed, np.float64)
    begin = int(rng.integers(0, frames // 3))
    sounds = []
    for name, from_frame, moments in (("own", 0, edges), ("other", begin, relation.to_other(edges))):
        hz = float(rng.choice([8000, 16000, 44100, 48000]))
        start = float(moments[from_frame]) + float(rng.uniform(-0.2, 0.2))
        x = ltc_sound(rate, numbers, moments - start, hz, int((moments[-1] - start + 0.1) * hz))
        x = (rng.uniform(0.02, 0.9) * (x + rng.uniform(0, 0.2) * rng.standard_normal(len(x)))).astype(np.float32)
        sounds.append(_audio(x[:, None], hz, start, name))
    return relation.judge(LtcEvidence().compare(sounds[0], sounds[1]), float(rate.frame_s))


def _audio(x: NDArray[np.float32], rate_hz: float, start_s: float, name: str) -> Audio:
    axis = Regular.from_rate(rate_hz, len(x), start_ns=round(start_s * NS_PER_S))
    return Audio(
        info=StreamInfo(name, "sync_audio", name), axis=axis, source=lambda first, n: x[first : first + n], channels=1
    )


def main(words: list[str]) -> None:
    """Print the table."""
    sessions = int(words[words.index("--sessions") + 1]) if "--sessions" in words else SESSIONS
    kinds = tuple(word for word in words if word in KINDS) or KINDS
    figures = measure_sessions(sessions, kinds)
    columns = ("sessions", "failed", "median_ms", "p95_ms", "median_periods", "covered", "drift_ppm")
    sys.stdout.write(f"{'':10s}" + "".join(f"{column:>16s}" for column in columns) + "\n")
    for kind in kinds:
        cells = "".join(f"{figures.get(f'{kind}_{column}', float('nan')):16.4g}" for column in columns)
        sys.stdout.write(f"{kind:10s}{cells}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
