"""A second person: two people whose smiles, gestures, pitch and heart rate are known, and who follows whom.

Nothing is drawn as pictures or sound: the courses are those that the encoders would give. Every course is one that a
careless test takes for a relation: smiles and gestures come in bursts, pitch exists only in the own turns of a
dialogue, heart rates drift and swing with breathing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S, Int64Array, to_ns
from pipeline.simulate.chance import generator

RATE_HZ = 25.0
NAMES = ("smile", "gesture", "pitch", "heart_rate")
Course = NDArray[np.float64]


@dataclass(frozen=True)
class Planted:
    """How the second person follows the first in one behaviour.

    Attributes:
        lag_s: Delay, >= 0 seconds.
        share: Share of the events that are answered, or weight of the other's course in the own, 0..1.
        jitter_s: Standard deviation of the delay from event to event (events only), seconds.
    """

    lag_s: float
    share: float = 0.6
    jitter_s: float = 0.15


@dataclass(frozen=True, eq=False)
class Simulated:
    """One person.

    Attributes:
        name: "p01" or "p02".
        courses: Smile intensity 0..1, movement energy (shoulder widths/s), pitch (Hz) and heart rate (bpm) by the names
            of `NAMES`, each float64 (n,).
        valid: Validity of each, bool (n,): pitch exists in the own turns alone.
        onsets_s: Onsets of smiles and gestures, seconds, by name.
    """

    name: str
    courses: Mapping[str, Course]
    valid: Mapping[str, NDArray[np.bool_]]
    onsets_s: Mapping[str, Course]


@dataclass(frozen=True, eq=False)
class PairOfPeople:
    """Two people and what was planted.

    Attributes:
        times_ns: Of all courses, int64 (n,).
        people: The first and the second.
        planted: By behaviour, how the second follows the first; others are independent.
    """

    times_ns: Int64Array
    people: tuple[Simulated, Simulated]
    planted: Mapping[str, Planted] = field(default_factory=dict)

    @property
    def extent(self) -> Interval:
        """From the first sample to one period after the last."""
        return Interval(int(self.times_ns[0]), int(self.times_ns[-1]) + round(NS_PER_S / RATE_HZ))

    def encodings(self) -> list[Encoding]:
        """What encoders of face, voice, body and physiology would say of both, session clock."""
        return [one for person in self.people for one in _encodings(person, self.times_ns)]


def simulate_pair(seed: int, seconds: float, planted: Mapping[str, Planted] | None = None) -> PairOfPeople:
    """Two people who talk to each other.

    Args:
        seed: Fixes everything.
        seconds: Length.
        planted: By behaviour (`NAMES`), how the second person follows the first.
    """
    wanted = dict(planted or {})
    n = round(seconds * RATE_HZ)
    times = np.arange(n) / RATE_HZ
    turns = _turns(generator(seed, "turns"), times)
    first, second = (_person(seed, which, times, seconds, turns == which) for which in (0, 1))
    for name, how in wanted.items():
        second = _with_following(generator(seed, f"follow {name}"), first, second, name, how, times)
    ticks = np.asarray(to_ns(times), dtype=np.int64)
    return PairOfPeople(ticks, (first, second), wanted)


def _person(seed: int, which: int, times: Course, seconds: float, speaks: NDArray[np.bool_]) -> Simulated:
    rng = generator(seed, f"person {which}")
    onsets = {name: _clustered(rng, seconds, every) for name, every in (("smile", 14.0), ("gesture", 9.0))}
    voiced = speaks & (_wander(rng, len(times), 0.3) > -0.5)
    rhythm = 2 * np.pi * np.cumsum(rng.uniform(0.2, 0.3) + 0.02 * _wander(rng, len(times), 8.0)) / RATE_HZ
    heart = rng.uniform(60, 85) + 3.0 * _wander(rng, len(times), 6.0) + 2.0 * np.sin(rhythm + rng.uniform(0, 6))
    heart += 4.0 * _wander(rng, len(times), 120.0)
    pitch = rng.uniform(100, 220) * 2 ** (1.5 * _wander(rng, len(times), 1.5) / 12)
    courses = {
        "smile": _bumps(rng, times, onsets["smile"], (1.0, 3.5), (0.2, 0.8)) + 0.02 * rng.standard_normal(len(times)),
        "gesture": 0.1 + _bumps(rng, times, onsets["gesture"], (0.6, 2.0), (0.4, 1.5)),
        "pitch": pitch,
        "heart_rate": heart,
    }
    courses["smile"] = np.clip(courses["smile"], 0, 1)
    courses["gesture"] = courses["gesture"] * np.exp(0.2 * rng.standard_normal(len(times)))
    valid = {name: voiced if name == "pitch" else np.ones(len(times), bool) for name in NAMES}
    return Simulated(f"p{which + 1:02d}", courses, valid, onsets)


def _with_following(
    rng: np.random.Generator, first: Simulated, second: Simulated, name: str, how: Planted, times: Course
) -> Simulated:
    courses, onsets = dict(second.courses), dict(second.onsets_s)
    if name in ("smile", "gesture"):
        answered = first.onsets_s[name][rng.random(len(first.onsets_s[name])) < how.share]
        late = answered + np.maximum(0.04, how.lag_s + how.jitter_s * rng.standard_normal(len(answered)))
        own = second.onsets_s[name][rng.random(len(second.onsets_s[name])) < 1 - how.share / 2]
        onsets[name] = np.sort(np.r_[own, late[late < times[-1]]])
        if name == "smile":
            bumps = _bumps(rng, times, onsets[name], (1.0, 3.5), (0.2, 0.8))
            courses[name] = np.clip(bumps + 0.02 * rng.standard_normal(len(times)), 0, 1)
        else:
            bumps = 0.1 + _bumps(rng, times, onsets[name], (0.6, 2.0), (0.4, 1.5))
            courses[name] = bumps * np.exp(0.2 * rng.standard_normal(len(times)))
    else:
        theirs = np.interp(times - how.lag_s, times, first.courses[name])
        own_part = second.courses[name]
        mixed = how.share * (theirs - theirs.mean()) / theirs.std()
        mixed += np.sqrt(1 - how.share**2) * (own_part - own_part.mean()) / own_part.std()
        courses[name] = own_part.mean() + own_part.std() * mixed
    return Simulated(second.name, courses, second.valid, onsets)


def _wander(rng: np.random.Generator, n: int, tau_s: float) -> Course:
    """Unit variance, smooth, with a memory of about `tau_s`: white noise through two equal poles."""
    from scipy.signal import lfilter

    pole = np.exp(-2.0 / (tau_s * RATE_HZ))
    lead = int(8 * tau_s * RATE_HZ)
    noise = rng.standard_normal(n + lead)
    course = lfilter([1.0], [1.0, -2 * pole, pole * pole], noise)[lead:]
    gain = np.sqrt((1 + pole**2) / (1 - pole**2) ** 3)
    return np.asarray(course / gain)


def _clustered(rng: np.random.Generator, seconds: float, every_s: float) -> Course:
    """Onsets in bursts: the pace changes by a factor of about two over half minutes; at least 1.5 s apart."""
    out, now = [], rng.uniform(0, every_s)
    while now < seconds - 1:
        out.append(now)
        now += 1.5 + rng.gamma(1.2, (every_s - 1.5) / 1.2) * (0.5 if rng.random() < 0.3 else 1.2)
    return np.array(out)


def _bumps(
    rng: np.random.Generator, times: Course, onsets: Course, length_s: tuple[float, float], height: tuple[float, float]
) -> Course:
    out = np.zeros(len(times))
    for onset in onsets.tolist():
        length, top = rng.uniform(*length_s), rng.uniform(*height)
        phase = (times - onset) / length
        inside = (phase >= 0) & (phase <= 1)
        out[inside] = np.maximum(out[inside], top * np.sin(np.pi * np.sqrt(phase[inside])) ** 2)
    return out


def _turns(rng: np.random.Generator, times: Course) -> NDArray[np.int64]:
    """Who speaks: 0, 1, or 2 for nobody."""
    out, now, who = np.full(len(times), 2), 0.0, int(rng.integers(0, 2))
    while now < times[-1]:
        length = rng.gamma(2.0, 2.5) + 0.5
        out[(times >= now) & (times < now + length)] = who
        now += length + rng.uniform(0.0, 0.8)
        who = 1 - who
    return out


def _encodings(person: Simulated, times_ns: Int64Array) -> list[Encoding]:
    def track(*columns: tuple[str, Course, NDArray[np.bool_]]) -> Track:
        valid = np.stack([one[2] for one in columns], axis=1)
        reason = np.where(valid.any(axis=1), "", "unvoiced").astype(object)
        values = np.stack([one[1] for one in columns], axis=1).astype(np.float32)
        return Track(times_ns, tuple(one[0] for one in columns), values, valid, reason)

    def spec(channel: str, features: tuple[FeatureSpec, ...], events: tuple[str, ...] = ()) -> EncoderSpec:
        return EncoderSpec(f"simulated_{channel}", "1", channel, (), features, events)

    def of(name: str) -> tuple[Course, NDArray[np.bool_]]:
        return person.courses[name], person.valid[name]

    gestures = tuple(
        Event("body", "gesture", to_ns(at), to_ns(at + 1.0), person=person.name)
        for at in person.onsets_s["gesture"].tolist()
    )
    units = tuple(FeatureSpec(f"au12_{side}", "1", "lip corner puller", 0, 1) for side in ("left", "right"))
    energy = FeatureSpec("movement_energy", "shoulder widths/s", "movement", 0)
    return [
        Encoding(spec("face", units), person.name, track(("au12_left", *of("smile")), ("au12_right", *of("smile")))),
        Encoding(
            spec("body", (energy,), ("gesture",)), person.name, track(("movement_energy", *of("gesture"))), gestures
        ),
        Encoding(
            spec("voice", (FeatureSpec("pitch_hz", "Hz", "pitch", 60, 500),)),
            person.name,
            track(("pitch_hz", *of("pitch"))),
        ),
        Encoding(
            spec("physiology", (FeatureSpec("heart_rate_bpm", "bpm", "heart rate", 20, 250),)),
            person.name,
            track(("heart_rate_bpm", *of("heart_rate"))),
        ),
    ]
