"""Rebuild the shipped fusion weights: `python -m pipeline.simulate.default_model -o fusion/weights`.

Trains two networks on simulated sessions alone, with fixed seeds, on one core, in about ten minutes each; writes
`default.safetensors`, `default.json` (columns, decisions, seeds, figures) and `default.md` (the model card). The same
machine gives the same numbers. `measured_figures` measures the figures of the card again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.emotion import CHANNELS
from data_schemas.hook import Hook, silent
from data_schemas.threads import end_with_parent
from fusion.attribution import joint_and_shares
from fusion.card import write_card
from fusion.checkpoint import DEFAULT, Checkpoint, load_checkpoint, save_checkpoint
from fusion.ensemble import together
from fusion.evaluation import measure, subset_uncertainty
from fusion.training import Example, TrainingPlan, decide, fit
from fusion.transformer import build
from pipeline import __version__
from pipeline.simulate.designs_figures import published_figures
from pipeline.simulate.tokens import examples, play, simulate_tokens
from pipeline.simulate.tokens_course import Course, CourseCue, Stretch
from pipeline.simulate.tokens_effects import ASSUMPTIONS, NO_EFFECTS, Effects

if TYPE_CHECKING:
    from torch import nn

PLAN = TrainingPlan(seed=7, batches=1600, per_session=6, learning_rate=3.5e-3, check_every=100, patience=6)
HELD_OUT, CALIBRATION = range(48), range(1_000, 1_150)
TEST, TEST_WITHOUT_EFFECTS, TEST_COMPLETE = range(2_000, 2_160), range(3_000, 3_120), range(4_000, 4_048)
TRAINING = range(100_000, 200_000)
"""Seeds of the simulated sessions of each part; the parts share none."""
MEMBERS, PER_MEMBER = 2, 30_000
"""Networks that speak together, each trained on sessions of its own."""

LIMITS = (
    "Trained and tested on simulated sessions alone: the figures say how well it reads the simulator, not people.",
    "Noise, misses and false alarms are those of the real encoders on rendered faces, voices and bodies, spread out by "
    "chance; on recordings of people they are not known.",
    "Where a prior is centred on zero (micro-expressions, voice, body) the model hardly moves on that evidence alone.",
    "Without any effect a display has nothing to do with what is felt, so it mostly differs from it: the overall AUC "
    "of such sessions lies above one half for that reason alone; behind a neutral face it is chance.",
    "The shares see one channel at a time; of two channels that say the same, neither gets the credit due.",
    "The uncertainty is that of the model's own world; it does not know how far a real session lies outside it.",
)


def _report(step: str, completed: int, total: int | None) -> None:
    if total is None or completed % 50 == 0:
        sys.stderr.write(f"{step} {completed}{f' of {total}' if total else ''}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, write; 0 when done."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped fusion weights from simulated sessions.")
    parser.add_argument(
        "-o", "--out", type=Path, default=DEFAULT.parent, help="folder for default.safetensors/.json/.md"
    )
    parser.add_argument("-j", "--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    rebuild(options.out, hook=_report, jobs=options.jobs)
    return 0


def rebuild(folder: Path, plan: TrainingPlan = PLAN, hook: Hook = silent, jobs: int = 1) -> Checkpoint:
    """Train on simulated sessions, measure on others, and write weights, record and card into a folder.

    Args:
        folder: Made if absent.
        plan: Sizes and seed of the training.
        hook: Progress.
        jobs: Processes; the weights do not depend on them.

    Raises:
        OSError: the folder cannot be written.
    """
    work = partial(_train, plan=plan)
    if jobs > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            trained = list(pool.map(work, range(MEMBERS)))
    else:
        trained = [work(member, hook=hook) for member in range(MEMBERS)]
    networks = []
    for weights, _ in trained:
        network = build(plan.shape)
        network.load_state_dict(weights)
        networks.append(network.eval())
    return finish(together(networks), {"members": [history for _, history in trained]}, folder, plan, hook)


def _train(member: int, plan: TrainingPlan, hook: Hook = _report) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights and history of one member, with a start, an order and sessions of its own."""
    sessions = examples(TRAINING[member * PER_MEMBER :])
    fitted = fit(sessions, list(examples(HELD_OUT)), replace(plan, seed=plan.seed + member), hook)
    history = {
        "batches": len(fitted.losses),
        "first_loss": round(float(np.mean(fitted.losses[:20])), 4),
        "last_loss": round(float(np.mean(fitted.losses[-20:])), 4),
        "held_out_losses": [round(loss, 4) for loss in fitted.held_out_losses],
        "kept_check": fitted.best_check,
    }
    return dict(fitted.network.state_dict()), history


def finish(
    network: nn.Module, history: Mapping[str, Any], folder: Path, plan: TrainingPlan = PLAN, hook: Hook = silent
) -> Checkpoint:
    """Calibrate and measure a trained network, and write weights, record and card.

    Args:
        network: In evaluation mode.
        history: Figures of its training.
        folder: Made if absent.
        plan: What it was trained with.
        hook: Progress.
    """
    hook("calibrate", 0, None)
    decisions = decide(network, list(examples(CALIBRATION)), plan.seed)
    draft = Checkpoint(network, plan.shape, decisions, "default", _training_record(plan))
    hook("measure", 0, None)
    figures = {**measured_figures(draft), "published": published_figures(), "training": dict(history)}
    checkpoint = Checkpoint(network, plan.shape, decisions, "default", draft.training, figures)
    save_checkpoint(checkpoint, folder / "default.safetensors")
    write_card(checkpoint, folder / "default.md")
    return checkpoint


def measured_figures(checkpoint: Checkpoint | None = None, share: float = 1.0) -> dict[str, Any]:
    """The figures of the card, measured on simulated sessions that training never saw.

    Args:
        checkpoint: The shipped one by default.
        share: Part of the test sessions to use, from the first; 1 gives the card's own figures.
    """
    model = load_checkpoint() if checkpoint is None else checkpoint
    network, decisions = model.network, model.decisions
    test = list(examples(_first(TEST, share)))
    null = list(examples(_first(TEST_WITHOUT_EFFECTS, share), NO_EFFECTS))
    complete = [simulate_tokens(seed, channels=CHANNELS).example() for seed in _first(TEST_COMPLETE, share)]
    by_subset = subset_uncertainty(network, decisions, complete)
    return {
        "sets": {
            "all sessions": measure(network, decisions, test),
            "without any effect": measure(network, decisions, null),
        },
        "channels": {
            channel: measure(network, decisions, [only(one, (channel,)) for one in complete]) for channel in CHANNELS
        },
        "uncertainty_by_channels": {
            str(size): round(float(np.mean([u for subset, u in by_subset.items() if len(subset) == size])), 4)
            for size in range(1, len(CHANNELS) + 1)
        },
        "attribution": attribution_figures(model, max(4, round(40 * share))),
    }


def only(example: Example, channels: Sequence[str]) -> Example:
    """The same session with the other channels masked."""
    return Example(example.tokens.only(channels), example.truth)


def attribution_figures(model: Checkpoint, sessions: int = 40) -> dict[str, float]:
    """How often the channel of planted evidence has the largest mean share during the evidence, by case.

    In each case one stretch of emotion lies in an otherwise calm minute and reaches a single channel.
    """
    out = {}
    for name, (course, effects, channels, planted) in _planted_cases().items():
        hits = 0
        for seed in range(5_000, 5_000 + sessions):
            tokens = play(course, seed, effects, channels).example().tokens
            _, shares = joint_and_shares(model.network, tokens, model.decisions.temperature)
            during = slice(60, 72)
            hits += CHANNELS[int(np.argmax(shares[during].mean(axis=0)))] == planted
        out[name] = round(hits / sessions, 4)
    return out


def _planted_cases() -> dict[str, tuple[Course, Effects, tuple[str, ...], str]]:
    felt, shown = Stretch(29.0, 36.0, "negative"), Stretch(29.0, 36.0, "positive")
    cue = CourseCue(28.0, 35.0, "stimulus", "negative")
    quiet = Effects(follows=True)
    body = Effects(follows=True, scr=1.0, heart_rate=(1.5, 1.5, 1.5))
    others = ("voice", "body", "physiology")
    return {
        "a display, all channels there": (Course(60.0, (shown,), (shown,), (), ()), quiet, CHANNELS, "face"),
        "skin and heart, face absent": (Course(60.0, (felt,), (), (), ()), body, others, "physiology"),
        "a cue, face absent": (Course(60.0, (felt,), (), (cue,), ()), quiet, (*others, "context"), "context"),
    }


def _training_record(plan: TrainingPlan) -> dict[str, Any]:
    return {
        "data": "simulated sessions alone",
        "warning": "No person's data were used; nothing here has been validated on people.",
        "made_by": "python -m pipeline.simulate.default_model -o fusion/weights",
        "telltale_version": __version__,
        "plan": asdict(plan),
        "assumptions": list(ASSUMPTIONS),
        "limits": list(LIMITS),
    }


def _first(seeds: range, share: float) -> range:
    return seeds[: max(4, round(len(seeds) * share))]


if __name__ == "__main__":
    sys.exit(main())
