"""The shipped fusion at token level, on simulated sessions that it never saw.

`python -m benchmarks.fusion_calibration [--full] [--jobs 2]`. What the model states is, every 0.5 s, the probability of
each pair of felt and shown emotion. It states no size of an effect and no amount over a session, so that ranks and
intervals are those of the state itself: the smallest set of states that holds 90 % of the probability (its last state
taken in by chance, so that it holds exactly that much) must hold the truth in 90 % of the steps, and the content of the
smallest set that reaches the truth must be uniform over 0..1 (simulation-based calibration: Talts et al. 2018,
arXiv:1804.06788; randomised for states that cannot be ordered by size: Czado et al. 2009, Biometrics 65, 1254-1261).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.ranking import auc_of
from data_schemas.threads import end_with_parent
from fusion.attribution import joint_and_change, shares_over
from fusion.calibration import calibration_error
from fusion.checkpoint import Checkpoint, load_checkpoint
from fusion.evaluation import auc_behind_neutral, auc_beyond_display, subset_uncertainty
from fusion.posterior import concealed_of, felt_of, shown_of, uncertainty_of
from fusion.training import Example, Truth
from fusion.windows import Joint, session_joint
from pipeline.simulate.chance import generator
from pipeline.simulate.default_model import _planted_cases
from pipeline.simulate.tokens import play, simulate_tokens
from pipeline.simulate.tokens_course import Course
from pipeline.simulate.tokens_effects import NO_EFFECTS, Effects, draw_effects

Floats = NDArray[np.float64]
BINS = 10
LEVEL = 0.9
SEEDS = {"effects": range(30_000, 31_000), "silent": range(32_000, 32_400), "unrelated": range(33_000, 33_400)}
"""Sets of sessions: effects from the priors; nothing felt leaves a trace, as in 12 % of the priors' sessions, and no
cue tells when something may be felt; displays that have nothing to do with what is felt, as in none of the priors'
sessions: there felt mostly differs from shown, which nothing in training prepares for."""
REDUCED = {"effects": 60, "silent": 120, "unrelated": 60}
COMPLETE = range(34_000, 34_060)
PLANTED = range(35_000, 35_200)
STRETCH = slice(60, 72)
"""Steps of the planted evidence."""
DURING_S = (29.5, 33.0)
"""When the skin answers to it."""
NAMES = {
    "a display, all channels there": "attribution_display",
    "skin and heart, face absent": "attribution_skin_and_heart",
    "a cue, face absent": "attribution_cue",
}


@dataclass(frozen=True, eq=False)
class Told:
    """One session: what was said and what was so, n steps.

    Attributes:
        joint: Probability of each pair, (n, 16).
        truth: Felt and shown.
    """

    joint: Joint
    truth: Truth

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Where felt differs from shown, (n,)."""
        return np.asarray(self.truth.felt != self.truth.shown)


def measure(full: bool) -> dict[str, float]:
    """All figures.

    Args:
        full: 1,000 sessions with effects and 400 of each kind without, instead of 60, 120 and 60.

    Returns:
        Of "felt", "shown", "pair" and "concealed": `_covered` (share of the steps whose truth lies in the set of 90 %),
        `_ranks_p` (chi-square of the ranks in 10 bins, one step of every session). `auc`, `behind_neutral`, `ece` of
        concealed, `felt_ece` of the likeliest felt emotion. By set without effects ("silent", "unrelated"): `_auc`,
        `_auc_beyond_display` (among steps of one session with the same display), `_ece`, `_base_rate`, `_said` (mean
        probability), `_ece_at_base_rate` (after all log odds were moved alike, so that the two agree). `subsets`
        (subsets of the channels that ran, of 32), `uncertainty_0` to `uncertainty_5` (mean over subsets of a size),
        `uncertainty_step` (the least by which it falls with a channel more), `subsets_surer` (share of all ways to lose
        a channel by which it falls, by more than 0.01). `attribution` and by case `attribution_...`: how often the
        channel of planted evidence has the largest share, where it measured the evidence.
    """
    return measure_sessions(full, 1)


def measure_sessions(full: bool, jobs: int) -> dict[str, float]:
    """`measure` in several processes."""
    sets = {name: seeds if full else seeds[: REDUCED[name]] for name, seeds in SEEDS.items()}
    told = {name: list(_tell_all(seeds, name, jobs)) for name, seeds in sets.items()}
    figures = calibration(told["effects"])
    for name in ("silent", "unrelated"):
        figures |= {f"{name}_{key}": value for key, value in without_effect(told[name]).items()}
    figures |= subsets(COMPLETE if full else COMPLETE[:12])
    return figures | attribution(200 if full else 24)


def calibration(sessions: Sequence[Told]) -> dict[str, float]:
    """Ranks, cover, discrimination and calibration error over sessions with effects."""
    from scipy.stats import chisquare

    rng = np.random.default_rng(11)
    figures = {}
    ranks = {
        name: [content(of(one.joint), state(one.truth), rng) for one in sessions]
        for name, (of, state) in STATEMENTS.items()
    }
    for name, each in ranks.items():
        chosen = [float(rng.choice(one)) for one in each]
        figures[f"{name}_covered"] = float(np.mean(np.concatenate(each) <= LEVEL))
        figures[f"{name}_ranks_p"] = float(chisquare(np.histogram(chosen, BINS, (0, 1))[0]).pvalue)
    joint = np.concatenate([one.joint for one in sessions])
    hidden = np.concatenate([one.hidden for one in sessions])
    felt = np.concatenate([one.truth.felt for one in sessions])
    said, top = concealed_of(joint), felt_of(joint)
    return figures | {
        "auc": auc_of(said, hidden),
        "behind_neutral": auc_behind_neutral([one.joint for one in sessions], [one.truth for one in sessions]),
        "ece": calibration_error(said, hidden),
        "felt_ece": calibration_error(top.max(-1), top.argmax(-1) == felt),
        "base_rate": float(hidden.mean()),
    }


def without_effect(sessions: Sequence[Told]) -> dict[str, float]:
    """What is said where nothing can be known."""
    said = np.concatenate([concealed_of(one.joint) for one in sessions])
    hidden = np.concatenate([one.hidden for one in sessions])
    return {
        "auc": auc_of(said, hidden),
        "auc_beyond_display": auc_beyond_display([one.joint for one in sessions], [one.truth for one in sessions]),
        "ece": calibration_error(said, hidden),
        "base_rate": float(hidden.mean()),
        "said": float(said.mean()),
        "ece_at_base_rate": calibration_error(moved_to(said, float(hidden.mean())), hidden),
    }


def content(probability: Floats, state: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Content of the smallest credible set that reaches the true state, a random part of which counts; shape (n,).

    Args:
        probability: Of each of k states, (n, k).
        state: The true one, (n,).
        rng: Chance.
    """
    own = probability[np.arange(len(state)), state]
    above = np.where(probability > own[:, None], probability, 0.0).sum(axis=1)
    return np.asarray(above + rng.random(len(state)) * own)


def moved_to(probability: Floats, rate: float) -> Floats:
    """The probabilities with one number added to all log odds, so that their mean is a base rate within 0..1."""
    from scipy.optimize import brentq

    odds = np.log(np.clip(probability, 1e-6, 1 - 1e-6)) - np.log(np.clip(1 - probability, 1e-6, 1 - 1e-6))

    def shifted(by: float) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(odds + by))))

    return shifted(float(brentq(lambda by: float(shifted(by).mean()) - rate, -15, 15)))


def subsets(seeds: range) -> dict[str, float]:
    """Uncertainty with every subset of the channels, none included."""
    model = _model()
    complete = [simulate_tokens(seed, 30, channels=CHANNELS).example() for seed in seeds]
    by_subset = subset_uncertainty(model.network, model.decisions, complete)
    none = [one.tokens.only(()) for one in complete]
    by_subset[()] = float(
        np.mean([uncertainty_of(session_joint(model.network, one, model.decisions.temperature)).mean() for one in none])
    )
    by_size = [
        float(np.mean([value for subset, value in by_subset.items() if len(subset) == size]))
        for size in range(len(CHANNELS) + 1)
    ]
    lost = [
        value - by_subset[tuple(c for c in subset if c != channel)]
        for subset, value in by_subset.items()
        for channel in subset
    ]
    return {
        "subsets": float(np.isfinite(list(by_subset.values())).sum()),
        **{f"uncertainty_{size}": value for size, value in enumerate(by_size)},
        "uncertainty_step": float(-np.diff(by_size).max()),
        "subsets_surer": float(np.mean(np.array(lost) > 0.01)),
    }


def attribution(sessions: int) -> dict[str, float]:
    """How often the channel of planted evidence has the largest share over the stretch, by case and on average.

    Only sessions in which the evidence reached its channel: a face that is there in most of the stretch, a skin
    response that was found, the cue itself. What no encoder measured cannot be attributed.
    """
    figures = {}
    for name, case in _planted_cases().items():
        hits = [hit for seed in PLANTED[:sessions] if (hit := _hit(seed, *case)) is not None]
        figures[NAMES[name]] = float(np.mean(hits))
        figures[f"{NAMES[name]}_cases"] = float(len(hits))
    return figures | {"attribution": float(np.mean([figures[name] for name in NAMES.values()]))}


def _hit(seed: int, course: Course, effects: Effects, channels: tuple[str, ...], planted: str) -> bool | None:
    """Whether the planted channel has the largest share; None where it did not measure the evidence."""
    model = _model()
    session = play(course, seed, effects, channels)
    tokens = session.example().tokens
    if planted == "physiology":
        onsets = [one.onset_ns / 1e9 for each in session.encodings for one in each.events if one.kind == "scr"]
        reached = any(DURING_S[0] <= onset < DURING_S[1] for onset in onsets)
    else:
        reached = bool(tokens.present(planted)[STRETCH].mean() > 0.5)
    if not reached:
        return None
    _, change = joint_and_change(model.network, tokens, model.decisions.temperature)
    return CHANNELS[int(np.argmax(shares_over(change[STRETCH])))] == planted


def _tell_all(seeds: range, name: str, jobs: int) -> Iterator[Told]:
    work = partial(tell, name=name)
    if jobs <= 1:
        yield from map(work, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        yield from pool.map(work, seeds, chunksize=8)


def tell(seed: int, name: str) -> Told:
    """Draw a session of one of the sets and ask the shipped weights about it."""
    model = _model()
    channels = CHANNELS[:-1] if name == "silent" else None
    one: Example = simulate_tokens(seed, effects=EFFECTS[name](seed), channels=channels).example()
    return Told(session_joint(model.network, one.tokens, model.decisions.temperature), one.truth)


def _silent(seed: int) -> Effects:
    """Displays as the priors draw them, and nothing else."""
    drawn = draw_effects(generator(seed, "token effects"))
    return Effects(follows=True, voice_shown=drawn.voice_shown, body_shown=drawn.body_shown)


@cache
def _model() -> Checkpoint:
    return load_checkpoint()


EFFECTS: dict[str, Callable[[int], Effects | None]] = {
    "effects": lambda seed: None,
    "silent": _silent,
    "unrelated": lambda seed: NO_EFFECTS,
}
STATEMENTS: dict[str, tuple[Callable[[Joint], Floats], Callable[[Truth], NDArray[np.int64]]]] = {
    "felt": (felt_of, lambda truth: truth.felt.astype(np.int64)),
    "shown": (shown_of, lambda truth: truth.shown.astype(np.int64)),
    "pair": (lambda joint: joint, lambda truth: truth.joint),
    "concealed": (
        lambda joint: np.column_stack([1 - concealed_of(joint), concealed_of(joint)]),
        lambda truth: (truth.felt != truth.shown).astype(np.int64),
    ),
}
"""Statement -> probability of its states, the true one."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for key, value in measure_sessions(options.full, options.jobs).items():
        print(f"{key:36} {value:.4g}")
