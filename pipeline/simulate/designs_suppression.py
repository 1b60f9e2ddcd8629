"""Sessions of a study of expressive suppression with known truth, at the unit of its published effects: the session.

A lab's sessions differ in the reactivity of the skin to its stimuli, heart rate, movement, blinking and phasic skin
conductance; where expression is suppressed these are shifted, in standard deviations of sessions: reactivity by the
pooled g, the others in the direction of the table by half-normal amounts, because it states no size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from fusion.effect_table import effects_of
from fusion.evidence_cues import ROOM_US
from fusion.evidence_model import REACTIVITY, name_of
from fusion.evidence_ratio import HALF_NORMAL, NO_EFFECT
from pipeline.simulate.chance import between, generator

PERSON = "person"
STIMULI = 12
SECONDS = 300.0
_WITHIN = 0.6
"""Standard deviation of the logarithm of a person's reactions to the stimuli."""
SCALES: dict[str, tuple[float, float]] = {
    REACTIVITY: (-1.0, 0.6),
    "physiology.heart_rate_bpm": (74.0, 9.0),
    "physiology.eda_phasic_us": (0.05, 0.02),
    "body.movement_energy": (1.0, 0.3),
    "face.blink_rate": (16.0, 6.0),
}
"""Mean and standard deviation of sessions of each measured cue, in the encoders' units; of the reactivity without the
chance of single reactions."""


@dataclass(frozen=True, eq=False)
class SuppressionSession:
    """One person's session.

    Attributes:
        seed: What it was drawn from.
        suppressed: Whether expression was suppressed.
        shows: Whether any effect is there at all.
        shifts: Cue -> true shift in standard deviations of sessions; empty without suppression or effect.
        encodings: Context with stimuli, face, body, physiology with reactions.
        extent: Of the session.
    """

    seed: int
    suppressed: bool
    shows: bool
    shifts: dict[str, float]
    encodings: tuple[Encoding, ...]
    extent: Interval


def simulate_suppression(
    seed: int, suppressed: bool | None = None, *, vary: bool = True, no_effect: float = NO_EFFECT
) -> SuppressionSession:
    """Draw one person's session.

    Args:
        seed: Everything follows from it. Sessions that differ in `suppressed` alone share all chance.
        suppressed: Whether expression is suppressed; by a coin if None.
        vary: Whether labs differ in their effects; False gives the table's effect, and the mean of a half-normal where
            it states the direction alone.
        no_effect: Share of sessions in which nothing shows; 1 is a world without effect.
    """
    rng = generator(seed, "suppression")
    coin, shows = bool(rng.random() < 0.5), bool(rng.random() >= no_effect)
    active = coin if suppressed is None else suppressed
    shifts = _shifts(generator(seed, "suppression effects"), vary)
    shifts = shifts if active and shows else {}
    levels = generator(seed, "suppression levels").standard_normal(len(SCALES))
    extent = Interval(0, to_ns(SECONDS))
    encodings = _encodings(generator(seed, "suppression noise"), dict(zip(SCALES, levels, strict=True)), shifts, extent)
    return SuppressionSession(seed, active, shows, shifts, encodings, extent)


def _shifts(rng: np.random.Generator, vary: bool) -> dict[str, float]:
    out = {}
    for one in effects_of("suppression", "session"):
        half = abs(float(rng.normal(0, HALF_NORMAL)))
        if one.magnitude is None:
            out[name_of(one)] = one.sign * (half if vary else HALF_NORMAL * float(np.sqrt(2 / np.pi)))
        else:
            out[name_of(one)] = one.sign * (one.magnitude + (float(rng.normal(0, one.error or 0.0)) if vary else 0.0))
    return out


def _encodings(
    rng: np.random.Generator, levels: dict[str, float], shifts: dict[str, float], extent: Interval
) -> tuple[Encoding, ...]:
    times = np.arange(0, extent.end_ns, 500_000_000, dtype=np.int64)
    onsets = 15.0 + np.arange(STIMULI) * (SECONDS - 30.0) / STIMULI
    cues = tuple(
        Event(
            "context", "cue", to_ns(float(at)), to_ns(float(at) + 6.0), person=PERSON, label=f"film {number}",
            details={"kind": "stimulus", "stream": "cues"},
        )
        for number, at in enumerate(onsets, 1)
    )  # fmt: skip
    context = EncoderSpec("simulated context", "1", "context", (), (), ("cue",))
    out = [Encoding(context, PERSON, Track.empty(()), cues)]
    reactions = _reactions(rng, cues, levels[REACTIVITY], shifts.get(REACTIVITY, 0.0))
    for channel in ("face", "body", "physiology"):
        names = tuple(cue.partition(".")[2] for cue in SCALES if cue.startswith(f"{channel}.") and cue != REACTIVITY)
        cells = np.zeros((len(times), len(names)), np.float32)
        for column, name in enumerate(names):
            cue = f"{channel}.{name}"
            mean, sd = SCALES[cue]
            wobble = rng.standard_normal(len(times))
            cells[:, column] = mean + sd * (levels[cue] + shifts.get(cue, 0.0) + 0.5 * (wobble - wobble.mean()))
        valid = np.repeat((rng.random(len(times)) > between(rng, 0.0, 0.2))[:, None], len(names), axis=1)
        reason = np.where(valid.any(axis=1), "", "gap").astype(object)
        features = tuple(FeatureSpec(name, "1", "simulated") for name in names)
        spec = EncoderSpec(f"simulated {channel}", "1", channel, (), features, ("reaction",))
        events = reactions if channel == "physiology" else ()
        out.append(Encoding(spec, PERSON, Track(times, names, cells, valid, reason), events))
    return tuple(out)


def _reactions(rng: np.random.Generator, cues: tuple[Event, ...], level: float, shift: float) -> tuple[Event, ...]:
    """A reaction per stimulus; the shift counts in the standard deviation of the mean over the stimuli."""
    mean, sd = SCALES[REACTIVITY]
    whole = float(np.sqrt(sd**2 + _WITHIN**2 / len(cues)))
    logs = mean + sd * level + shift * whole + _WITHIN * rng.standard_normal(len(cues))
    found = []
    for cue, size in zip(cues, np.exp(logs), strict=True):
        amplitude = max(float(size) - ROOM_US, 0.0)
        details = {"scr_amplitude_us": amplitude}
        end = cue.onset_ns + to_ns(15.0)
        found.append(Event("physiology", "reaction", cue.onset_ns, end, None, PERSON, amplitude, cue.label, details))
    return tuple(found)
