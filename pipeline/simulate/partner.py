"""A second person in a simulated session: another script, which answers the first person's with a known delay.

Who is with somebody takes over smiles and gestures within seconds (Hess & Bourgeois 2010, Biological Psychology 84;
Chartrand & Lakin 2013, Annual Review of Psychology 64) and comes into step with their heart (Palumbo et al. 2017,
Personality and Social Psychology Review 21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from data_schemas.errors import InvalidValueError
from pipeline.simulate.chance import between, generator
from pipeline.simulate.emotion import Episode, Expression
from pipeline.simulate.pairs_of_people import Planted
from pipeline.simulate.profiles import Profile
from pipeline.simulate.script import Script, plan_script, space_gestures
from pipeline.simulate.trials import CALM_S, Gesture

BEHAVIOURS = ("smile", "gesture", "heart_rate")
"""What the second person may take over."""
LONGEST_LAG_S = 5.0
AROUND_S = 0.25
"""What is felt begins so much before the smile that shows it, and ends so much after."""
OTHER_SEED = 500_001
"""Added to a session's seed for the second person: an odd number, so that the two have different faces."""


def draw_mimicry(seed: int) -> dict[str, Planted]:
    """A delay of 0.6 to 2.5 s for every behaviour."""
    rng = generator(seed, "mimicry")
    return {name: _planted(name, round(between(rng, 0.6, 2.5), 2)) for name in BEHAVIOURS}


def read_mimicry(text: str) -> dict[str, Planted]:
    """Mimicry as a user writes it: "smile=0.8,heart_rate=1.5", delays in seconds; "none" for none.

    Raises:
        InvalidValueError: something else; an unknown behaviour or a delay out of its range.
    """
    out: dict[str, Planted] = {}
    for part in [] if text.strip() == "none" else text.split(","):
        name, _, lag = part.strip().partition("=")
        try:
            out[name] = _planted(name, float(lag))
        except ValueError as error:
            raise InvalidValueError(
                "mimicry is not understood", got=part.strip() or "nothing", expected="NAME=SECONDS,... or none"
            ) from error
    check_mimicry(out)
    return out


def _planted(name: str, lag_s: float) -> Planted:
    """Seven of ten smiles and gestures are answered; of the heart's course it is 0.9."""
    return Planted(lag_s, 0.9 if name == "heart_rate" else 0.7, 0.1)


def check_mimicry(mimicry: Mapping[str, Planted]) -> None:
    """Refuse what cannot be planted.

    Raises:
        InvalidValueError: an unknown behaviour, or a delay or share out of its range.
    """
    for name, how in mimicry.items():
        if name not in BEHAVIOURS:
            raise InvalidValueError(
                "nobody can be simulated to take this over", got=name, expected=" or ".join(BEHAVIOURS)
            )
        if not 0.0 <= how.lag_s <= LONGEST_LAG_S:
            raise InvalidValueError(
                f"the delay of {name} is out of range", got=f"{how.lag_s} s", expected=f"0 to {LONGEST_LAG_S:g} s"
            )
        if not 0.0 <= how.share <= 1.0 or how.jitter_s < 0:
            raise InvalidValueError(f"the share of {name} is out of range", got=how.share, expected="0 to 1")


def plan_partner(script: Script, mimicry: Mapping[str, Planted]) -> Script:
    """The script of whoever is with the person of a script: own trials, speech in the other's pauses, and mimicry.

    Args:
        script: Of the first person.
        mimicry: By behaviour (`BEHAVIOURS`), how the second one follows; heart rate follows in `physiology.draw_heart`.
    """
    seed = script.seed + OTHER_SEED
    own = plan_script(script.seconds, seed)
    rng = generator(seed, "answers")
    turns = tuple(
        turn
        for turn in own.turns
        if not any(
            turn.onset_s < other.offset_s + 0.2 and other.onset_s < turn.offset_s + 0.2 for other in script.turns
        )
    )
    own = replace(own, markers_s=script.markers_s, turns=turns)
    if "smile" in mimicry:
        own = _with_smiles(own, _answers(rng, smiles_of(script), mimicry["smile"], script.seconds - 0.3), rng)
    if "gesture" in mimicry:
        wanted = [gesture.profile for gesture in script.gestures]
        answers = _answers(rng, wanted, mimicry["gesture"], script.seconds - 0.3)
        own = replace(own, gestures=_with_gestures(own.gestures, answers, rng, script.seconds))
    return own


def smiles_of(script: Script) -> list[Profile]:
    """When somebody smiles, longer than for a moment."""
    return [one.profile for one in script.expressions if one.kind == "macro" and one.emotion == "positive"]


def _answers(rng: np.random.Generator, wanted: Sequence[Profile], how: Planted, end_s: float) -> list[Profile]:
    """Those that are answered, each later by the delay."""
    out: list[Profile] = []
    for profile in wanted:
        late = max(0.04, how.lag_s + how.jitter_s * float(rng.standard_normal()))
        if rng.random() < how.share and profile.offset_s + late < end_s:
            times = (profile.onset_s, profile.apex_s, profile.release_s, profile.offset_s)
            out.append(Profile(*(time + late for time in times)))
    return out


def _with_smiles(script: Script, smiles: Sequence[Profile], rng: np.random.Generator) -> Script:
    """The script with felt smiles, without the own episodes and expressions that they would meet."""
    smiles = [one for at, one in enumerate(smiles) if not at or one.onset_s > smiles[at - 1].offset_s + 2 * AROUND_S]
    added = [Episode(one.onset_s - AROUND_S, one.offset_s + AROUND_S, "positive", "positive") for one in smiles]
    dropped = [
        one
        for one in script.episodes
        if any(one.onset_s < new.offset_s + CALM_S and new.onset_s < one.offset_s + CALM_S for new in added)
    ]
    kept = [
        one
        for one in script.expressions
        if not any(smile.overlaps(one.profile.onset_s, one.profile.offset_s, CALM_S) for smile in smiles)
        and not any(gone.onset_s <= one.profile.apex_s < gone.offset_s for gone in dropped)
    ]
    answers = [Expression("macro", smile, "positive", _smile(rng), concealed=False) for smile in smiles]
    episodes = [one for one in script.episodes if one not in dropped] + added
    return replace(
        script,
        expressions=tuple(sorted([*kept, *answers], key=lambda one: one.profile.onset_s)),
        episodes=tuple(sorted(episodes, key=lambda one: one.onset_s)),
    )


def _smile(rng: np.random.Generator) -> dict[str, float]:
    strength = between(rng, 0.55, 1.0)
    return {"au06": round(0.9 * strength, 4), "au12_left": round(strength, 4), "au12_right": round(strength, 4)}


def _with_gestures(
    own: Sequence[Gesture], answers: Sequence[Profile], rng: np.random.Generator, seconds: float
) -> tuple[Gesture, ...]:
    """Answers, and the own gestures that leave room for them."""
    added = [Gesture(profile, ("left", "right")[int(rng.integers(2))]) for profile in answers]
    free = [one for one in own if not any(one.profile.overlaps(two.onset_s, two.offset_s, 0.3) for two in answers)]
    return space_gestures(sorted([*added, *free], key=lambda one: one.profile.onset_s), seconds)
