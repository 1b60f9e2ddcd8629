"""Lags between simulated recordings of the same sound, and of the same movement, against the planted ones.

Every pair is drawn anew: speech-like or clapping sound heard through two microphones (filters, rooms, gains, rates of
8 to 48 kHz, SNR 0 to 30 dB), or a body's movement felt by two sensors (turned, scaled, rates of 25 to 1000 Hz); offsets
of 0.01 to 60 s, drifts of 0 to 200 ppm, and a clock that wanders around its line. Besides them
unrelated pairs, of which nothing should be said with confidence. `python -m benchmarks.sync_pairs [--pairs N]`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Audio, Signal, StreamInfo
from data_schemas.time import Regular, to_s
from sync.cues.motion import MotionEvidence
from sync.cues.sound import SoundEvidence
from sync.estimate import Estimate

Wave = NDArray[np.float64]
WORLD_HZ = 32_000
MOTION_HZ = 400
SOUND_RATES = (8000, 16_000, 22_050, 44_100, 48_000)
MOTION_RATES = (25.0, 50.0, 64.0, 100.0, 250.0, 1000.0)
OFFSET_S, DRIFT_PPM, SNR_DB = (0.01, 60.0), (0.0, 200.0), (0.0, 30.0)
WANDER_S, WANDERS_OVER_S = (2e-5, 5e-4), (1.0, 5.0)
HIGH = 0.8
"""Confidence from which an answer counts as given with confidence."""
WRONG_S = {"sound": 0.02, "motion": 0.1}


@dataclass(frozen=True, eq=False)
class Pair:
    """Two recordings and their truth.

    Attributes:
        kind: "speech", "clap" or "motion".
        own: The one.
        against: The other.
        offset_s: Against-time minus own time at own time 0; None for unrelated recordings.
        drift: Planted drift, dimensionless.
        snr_db: Planted signal-to-noise ratio of the worse recording.
    """

    kind: str
    own: Audio | Signal
    against: Audio | Signal
    offset_s: float | None
    drift: float
    snr_db: float


def draw_pair(number: int, kind: str, related: bool = True, seconds: tuple[float, float] = (20.0, 60.0)) -> Pair:
    """One pair, fixed by its number.

    Args:
        number: Seed.
        kind: "speech", "clap" or "motion".
        related: Whether both recorded the same.
        seconds: Shortest and longest length of each recording.
    """
    rng = np.random.default_rng([number, len(kind), int(related)])
    lengths = rng.uniform(*seconds, 2)
    offset = float(np.exp(rng.uniform(*np.log(OFFSET_S))))
    offset *= float(rng.choice((-1, 1)))
    # The one that began earlier lasts until enough is common.
    lengths[0 if offset < 0 else 1] = max(lengths.max(), abs(offset) + float(rng.uniform(12, 40)))
    drift = float(rng.uniform(*DRIFT_PPM)) * 1e-6 * float(rng.choice((-1, 1)))
    begin = max(0.0, -offset) + 1.0
    total = begin + max(lengths[0] + max(offset, 0.0), lengths[1]) + 2.0
    snr = rng.uniform(*SNR_DB, 2)
    worlds = [_world(kind, total, rng)]
    worlds.append(worlds[0] if related else _world(kind, total, rng))
    streams: list[Audio | Signal] = []
    for at, (world, start) in enumerate(zip(worlds, (begin + offset, begin), strict=True)):
        warp = drift if at == 0 else 0.0
        name = ("own", "against")[at]
        if kind == "motion":
            rate = float(rng.choice(MOTION_RATES))
            times = _times(lengths[at], rate, start, warp, rng if at == 0 else None)
            streams.append(_feel(world, times, rate, float(snr[at]), name, rng))
        else:
            rate = int(rng.choice(SOUND_RATES))
            times = _times(lengths[at], rate, start, warp, rng if at == 0 else None)
            streams.append(_hear(world, times, rate, float(snr[at]), name, kind, rng))
    return Pair(kind, streams[0], streams[1], offset if related else None, drift, float(snr.min()))


def _times(length_s: float, rate_hz: float, start_s: float, drift: float, rng: np.random.Generator | None) -> Wave:
    """World times of the samples of one device; with chance its clock wanders around its line."""
    from scipy.ndimage import gaussian_filter1d

    own = np.arange(int(length_s * rate_hz)) / rate_hz
    times = start_s + own * (1 + drift)
    if rng is None:
        return times
    width = float(rng.uniform(*WANDERS_OVER_S))
    knots = np.arange(0, length_s + 1, 0.1)
    wander = gaussian_filter1d(rng.standard_normal(len(knots)), width * 10 / 2, mode="reflect")
    wander *= float(np.exp(rng.uniform(*np.log(WANDER_S)))) / wander.std()
    return times + np.interp(own, knots, wander)


def _world(kind: str, seconds: float, rng: np.random.Generator) -> Wave:
    if kind == "motion":
        return _movement(seconds, rng)
    return _speech(seconds, rng) if kind == "speech" else _claps(seconds, rng)


def _speech(seconds: float, rng: np.random.Generator) -> Wave:
    """Syllables of pulses or noise through resonances, with pauses; 1 RMS while it sounds."""
    from scipy.signal import lfilter

    out = np.zeros(int(seconds * WORLD_HZ))
    now, pitch = 0.3, float(rng.uniform(90, 220))
    while now < seconds - 0.4:
        n = int(rng.uniform(0.08, 0.28) * WORLD_HZ)
        time = np.arange(n) / WORLD_HZ
        if rng.random() < 0.75:
            phase = (
                np.cumsum(pitch * (1 + rng.uniform(-0.3, 0.3) * time / time[-1]) * rng.uniform(0.8, 1.25)) / WORLD_HZ
            )
            source = np.diff(np.floor(phase), prepend=0.0) + 0.01 * rng.standard_normal(n)
            centres = rng.uniform((250, 800, 2000, 3300), (900, 2200, 3200, 4500))
        else:
            source = 0.05 * rng.standard_normal(n)
            centres = rng.uniform((1500, 3000, 4500), (3000, 4500, 6000))
        voice = np.zeros(n)
        for centre in centres:
            r = np.exp(-np.pi * rng.uniform(60, 200) / WORLD_HZ)
            voice += lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * centre / WORLD_HZ), r * r], source)
        voice *= np.hanning(n) * rng.uniform(0.3, 1.0) / max(1e-9, voice.std())
        first = int(now * WORLD_HZ)
        out[first : first + n] += voice[: len(out) - first]
        now += n / WORLD_HZ + (rng.uniform(0.3, 2.5) if rng.random() < 0.12 else rng.uniform(0, 0.08))
    return out / out[np.abs(out) > 1e-6].std()


def _claps(seconds: float, rng: np.random.Generator) -> Wave:
    """Some ten claps at random times: short decaying bursts, 1 RMS over their first 20 ms."""
    out = np.zeros(int(seconds * WORLD_HZ))
    now = float(rng.uniform(0.5, 2))
    while now < seconds - 0.5:
        n = int(0.1 * WORLD_HZ)
        burst = rng.standard_normal(n) * np.exp(-np.arange(n) / WORLD_HZ / rng.uniform(0.003, 0.02))
        first = int(now * WORLD_HZ)
        out[first : first + n] += burst / burst[: int(0.02 * WORLD_HZ)].std() * rng.uniform(0.5, 1.5)
        now += float(rng.uniform(0.5, 5.0))
    return out


def _hear(world: Wave, times: Wave, rate: int, snr_db: float, name: str, kind: str, rng: np.random.Generator) -> Audio:
    """What one microphone makes of it: room, filter, own rate, noise, gain, perhaps turned polarity."""
    from scipy.ndimage import map_coordinates
    from scipy.signal import butter, fftconvolve, lfilter, sosfilt

    tail = rng.standard_normal(int(0.4 * WORLD_HZ)) * np.exp(
        -np.arange(int(0.4 * WORLD_HZ)) / WORLD_HZ / rng.uniform(0.03, 0.09)
    )
    tail[: int(rng.uniform(0.002, 0.01) * WORLD_HZ)] = 0
    tail *= 10 ** (-rng.uniform(0, 15) / 20) / np.linalg.norm(tail)
    tail[0] = 1.0
    heard = fftconvolve(world, tail)[: len(world)]
    top = min(6800.0, 0.42 * rate, float(rng.uniform(3000, 7000)))
    heard = sosfilt(butter(2, float(rng.uniform(40, 200)), "high", fs=WORLD_HZ, output="sos"), heard)
    # The anti-alias filter of a converter has linear phase, and its delay is taken out.
    from scipy.signal import firwin

    heard = fftconvolve(heard, firwin(301, top, fs=WORLD_HZ), mode="same")
    for _ in range(2):
        r, centre = rng.uniform(0.8, 0.95), rng.uniform(300, 5000)
        turn = 2 * r * np.cos(2 * np.pi * centre / WORLD_HZ)
        q = r * rng.uniform(0.85, 1.0)
        heard = lfilter([1, -2 * q * np.cos(2 * np.pi * centre / WORLD_HZ), q * q], [1, -turn, r * r], heard)
    sound = map_coordinates(heard, [times * WORLD_HZ], order=3, mode="constant")
    level = sound[np.abs(sound) > 0.05 * np.abs(sound).max()].std() if kind == "clap" else sound.std()
    noise = rng.standard_normal(len(sound)) + lfilter([0.3], [1, -0.98], rng.standard_normal(len(sound)))
    sound = sound + noise / noise.std() * level * 10 ** (-snr_db / 20)
    sound *= float(rng.uniform(0.02, 0.5)) / np.abs(sound).max() * float(rng.choice((-1, 1), p=(0.2, 0.8)))
    return sound_stream(sound, rate, name)


def sound_stream(values: Wave, rate_hz: float, name: str = "sound") -> Audio:
    """One channel of sound as a stream."""
    kept = values.astype(np.float32)[:, None]
    info = StreamInfo(name, "audio", name)
    return Audio(
        info=info,
        axis=Regular.from_rate(rate_hz, len(kept)),
        source=lambda first, count: kept[first : first + count],
        channels=1,
    )


def _movement(seconds: float, rng: np.random.Generator) -> Wave:
    """Three axes of a limb's acceleration: bouts of movement of falling spectrum, jolts, (n, 3), and a local part."""
    from scipy.ndimage import gaussian_filter1d

    n = int(seconds * MOTION_HZ)
    frequency = np.fft.rfftfreq(n, 1 / MOTION_HZ)
    shape = np.where(frequency > 0.2, 1 / (1 + (frequency / rng.uniform(2, 6)) ** 2), 0.0)
    axes = np.stack([np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * shape, n) for _ in range(3)], axis=1)
    axes *= rng.uniform(0.4, 1.5, 3) / axes.std(axis=0)
    bouts = gaussian_filter1d((rng.random(n) < 0.3 / MOTION_HZ).astype(float), 0.8 * MOTION_HZ)
    axes *= (0.05 + bouts / max(bouts.max(), 1e-12))[:, None]
    for at in rng.integers(0, n - 40, max(1, int(seconds / 10))):
        axes[at : at + 40] += (
            np.exp(-np.arange(40) / 8)[:, None] * np.sin(np.arange(40) / 3)[:, None] * rng.normal(0, 1, 3)
        )
    return axes


def _feel(world: Wave, times: Wave, rate: float, snr_db: float, name: str, rng: np.random.Generator) -> Signal:
    """What one sensor makes of it: turned, scaled, gravity, its own part of the movement, noise, rounding."""
    from scipy.ndimage import map_coordinates
    from scipy.signal import butter, sosfiltfilt
    from scipy.spatial.transform import Rotation

    if rate < MOTION_HZ:
        world = sosfiltfilt(butter(4, 0.4 * rate, fs=MOTION_HZ, output="sos"), world, axis=0)
    felt = np.stack([map_coordinates(axis, [times * MOTION_HZ], order=3, mode="nearest") for axis in world.T], axis=1)
    level = felt.std()
    local = np.cumsum(rng.standard_normal(felt.shape), axis=0)
    local -= np.stack([np.convolve(axis, np.ones(int(rate)) / int(rate), mode="same") for axis in local.T], axis=1)
    felt = felt + local / local.std() * level * 0.2
    felt = felt + rng.standard_normal(felt.shape) * level * 10 ** (-snr_db / 20)
    turned = Rotation.random(random_state=int(rng.integers(1 << 31))).apply(felt) + rng.normal(0, 5 * level, 3)
    return motion_stream(np.rint(turned / level * 200), rate, name)


def motion_stream(values: Wave, rate_hz: float, name: str = "motion") -> Signal:
    """Axes of a sensor as a stream."""
    names = tuple("xyz"[: values.shape[1]])
    info = StreamInfo(name, "acceleration", name)
    axis = Regular.from_rate(rate_hz, len(values))
    return Signal(info=info, axis=axis, values=values.astype(np.float64), columns=names, units=("adc",) * len(names))


def ask(pair: Pair) -> Estimate | None:
    """What the cue says of a pair; None where it refuses."""
    cue = MotionEvidence() if pair.kind == "motion" else SoundEvidence()
    try:
        return cue.compare(pair.own, pair.against)
    except ClockError:
        return None


def judge(pairs: list[tuple[Pair, Estimate | None]]) -> dict[str, float]:
    """Figures of one kind of pairs.

    Returns:
        Of related pairs: `error_ms` (median, absolute, at the anchor), `error_p95_ms`, `drift_error_ppm` (median, where
        measured), `coverage` and `drift_coverage` (share of 95 % intervals, of answers that are right, that hold the
        truth), `right` and `sure` (shares with an error below the bound, and with high confidence too), `interval_ms`
        (median half width). Of all: `wrong_and_sure`, wrong or unrelated answers with high confidence.
    """
    errors, covered, drifts, drift_covered, widths = [], [], [], [], []
    right = sure = wrong_and_sure = related = 0
    for pair, answer in pairs:
        high = answer is not None and answer.confidence >= HIGH
        if pair.offset_s is None:
            wrong_and_sure += high
            continue
        related += 1
        if answer is None:
            continue
        error = answer.offset_s - pair.offset_s - pair.drift * to_s(answer.anchor_ns)
        if abs(error) > WRONG_S["motion" if pair.kind == "motion" else "sound"]:
            wrong_and_sure += high
            errors.append(abs(error))
            continue
        right += 1
        sure += high
        errors.append(abs(error))
        covered.append(abs(error) <= answer.ci95_s)
        widths.append(answer.ci95_s)
        if answer.drift_ci95_ppm is not None:
            drifts.append(abs(answer.drift_ppm - pair.drift * 1e6))
            drift_covered.append(drifts[-1] <= answer.drift_ci95_ppm)
    figures = {"wrong_and_sure": float(wrong_and_sure)}
    if related:
        figures |= {
            "error_ms": 1e3 * float(np.median(errors)) if errors else float("nan"),
            "error_p95_ms": 1e3 * float(np.percentile(errors, 95)) if errors else float("nan"),
            "interval_ms": 1e3 * float(np.median(widths)) if widths else float("nan"),
            "coverage": float(np.mean(covered)) if covered else float("nan"),
            "drift_error_ppm": float(np.median(drifts)) if drifts else float("nan"),
            "drift_coverage": float(np.mean(drift_covered)) if drift_covered else float("nan"),
            "right": right / related,
            "sure": sure / related,
        }
    return figures


def measure(full: bool = False, pairs: int | None = None) -> Mapping[str, float]:
    """All figures, by kind: `speech_error_ms`, `clap_coverage`, ..., `speech_unrelated_wrong_and_sure`.

    `sound_...` are speech and claps together.

    Args:
        full: 200 pairs of each kind instead of 12.
        pairs: Another number of pairs of each kind; half as many unrelated ones.
    """
    n = pairs if pairs is not None else 200 if full else 12
    figures: dict[str, float] = {}
    sounds: list[tuple[Pair, Estimate | None]] = []
    for kind in ("speech", "clap", "motion"):
        asked = []
        for number in range(n):
            pair = draw_pair(number, kind)
            asked.append((pair, ask(pair)))
        figures |= {f"{kind}_{name}": value for name, value in judge(asked).items()}
        sounds += asked if kind != "motion" else []
        strangers = []
        for number in range((n + 1) // 2):
            pair = draw_pair(number, kind, related=False)
            strangers.append((pair, ask(pair)))
        figures[f"{kind}_unrelated_wrong_and_sure"] = judge(strangers)["wrong_and_sure"]
    return figures | {f"sound_{name}": value for name, value in judge(sounds).items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40, help="pairs of each kind")
    for name, value in measure(pairs=parser.parse_args().pairs).items():
        sys.stdout.write(f"{name:32s} {value:.4g}\n")
