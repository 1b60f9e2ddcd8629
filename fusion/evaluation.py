"""Figures of a network on sessions with known truth: per statement, per subset of channels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS, EMOTIONS
from data_schemas.errors import NothingUsableError
from data_schemas.ranking import auc_of
from fusion.calibration import Decisions, calibration_error
from fusion.incongruence import LEAST_NS, hysteresis
from fusion.inference import judge
from fusion.posterior import concealed_of, felt_of, shown_of, uncertainty_of
from fusion.tokens import HOP_NS
from fusion.training import Example, Truth
from fusion.transformer import steps_of
from fusion.windows import Joint, joint_of, session_joint

if TYPE_CHECKING:
    from torch import nn

NEUTRAL = EMOTIONS.index("neutral")
DIGITS = 4


def measure(network: nn.Module, decisions: Decisions, sessions: Sequence[Example]) -> dict[str, Any]:
    """Accuracy, AUC and calibration of all statements over the steps of all sessions, in a form that JSON holds.

    `concealed.auc_behind_neutral` asks the harder question: among steps with a neutral display, is something felt? It
    is taken within each session and averaged, so that knowing which sessions hide more does not count.

    Raises:
        NothingUsableError: no session.
    """
    if not sessions:
        raise NothingUsableError("nothing to measure on: no session")
    joints = [session_joint(network, one.tokens, decisions.temperature) for one in sessions]
    joint = np.concatenate(joints)
    felt = np.concatenate([one.truth.felt for one in sessions])
    shown = np.concatenate([one.truth.shown for one in sessions])
    concealed, hidden = concealed_of(joint), felt != shown
    return {
        "sessions": len(sessions),
        "steps": len(felt),
        "felt": _emotion_figures(felt_of(joint), felt),
        "shown": _emotion_figures(shown_of(joint), shown),
        "concealed": {
            "base_rate": _short(hidden.mean()),
            "auc": _short(auc_of(concealed, hidden)),
            "auc_behind_neutral": _short(auc_behind_neutral(joints, [one.truth for one in sessions])),
            "ece": _short(calibration_error(concealed, hidden)),
        },
        "uncertainty": _short(uncertainty_of(joint).mean()),
        "events": event_figures(network, decisions, sessions),
        "cannot_say": _short(np.mean(uncertainty_of(joint) > decisions.cannot_say_above)),
    }


def auc_behind_neutral(joints: Sequence[Joint], truths: Sequence[Truth]) -> float:
    """Mean over sessions of the AUC of `concealed` among steps with a neutral display; NaN if no session has both."""
    values = []
    for joint, truth in zip(joints, truths, strict=True):
        calm = truth.shown == NEUTRAL
        values.append(auc_of(concealed_of(joint[calm]), truth.felt[calm] != NEUTRAL))
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def auc_beyond_display(joints: Sequence[Joint], truths: Sequence[Truth]) -> float:
    """AUC of `concealed` over all pairs of steps of one session with the same display; NaN without such a pair.

    What is shown can be seen, and displays differ in how often they hide something; this leaves out what follows from
    that alone, and what follows from sessions that hide more than others.
    """
    right = pairs = 0.0
    for joint, truth in zip(joints, truths, strict=True):
        said, hidden = concealed_of(joint), truth.felt != truth.shown
        for display in np.unique(truth.shown):
            at = truth.shown == display
            count = float(np.count_nonzero(hidden[at])) * float(np.count_nonzero(~hidden[at]))
            if count:
                right, pairs = right + count * auc_of(said[at], hidden[at]), pairs + count
    return right / pairs if pairs else float("nan")


def event_figures(network: nn.Module, decisions: Decisions, sessions: Sequence[Example]) -> dict[str, Any]:
    """Incongruence events against the truth: how many, how many true, how much they find.

    An event is true if felt differs from shown in more than half of its steps; a hidden stretch is found if an event
    overlaps it.
    """
    said = true = hidden = found = steps = 0
    for one in sessions:
        joint = session_joint(network, one.tokens, decisions.temperature)
        _, silenced = judge(one.tokens, joint, decisions.cannot_say_above)
        differs = one.truth.felt != one.truth.shown
        marked = np.zeros(len(differs), bool)
        for at in hysteresis(concealed_of(joint), ~silenced, decisions.conceal_enter, decisions.conceal_leave):
            if (at.stop - at.start) * HOP_NS >= LEAST_NS:
                marked[at] = True
                said, true = said + 1, true + int(differs[at].mean() > 0.5)
        for stretch in hysteresis(differs.astype(float), np.ones(len(differs), bool), 0.5, 0.5):
            hidden, found = hidden + 1, found + int(marked[stretch].any())
        steps += len(differs)
    return {
        "per_hour": _short(said / (steps * HOP_NS / 3.6e12)),
        "true": _short(true / said) if said else None,
        "hidden_found": _short(found / hidden) if hidden else None,
    }


def subset_uncertainty(
    network: nn.Module, decisions: Decisions, sessions: Sequence[Example]
) -> dict[tuple[str, ...], float]:
    """Mean uncertainty with each of the 31 subsets of channels, over one window in the middle of every session."""
    steps = steps_of(network)
    middles = [max(0, (len(one.tokens) - steps) // 2) for one in sessions]
    parts = [one.tokens.part(at, at + steps) for one, at in zip(sessions, middles, strict=True)]
    out = {}
    for subset in subsets():
        joint = joint_of(network, [part.only(subset) for part in parts], decisions.temperature)
        lengths = [len(part) for part in parts]
        out[subset] = float(np.mean([uncertainty_of(joint[at, :n]).mean() for at, n in enumerate(lengths)]))
    return out


def subsets() -> list[tuple[str, ...]]:
    """All 31 non-empty subsets of the channels, the smallest first."""
    return [subset for size in range(1, len(CHANNELS) + 1) for subset in combinations(CHANNELS, size)]


def _emotion_figures(probability: NDArray[np.float64], truth: NDArray[np.int8]) -> dict[str, Any]:
    top = probability.argmax(-1)
    return {
        "accuracy": _short(np.mean(top == truth)),
        "majority": _short(np.bincount(truth, minlength=len(EMOTIONS)).max() / len(truth)),
        "auc": {e: _short(auc_of(probability[:, at], truth == at)) for at, e in enumerate(EMOTIONS)},
        "ece": _short(calibration_error(probability.max(-1), top == truth)),
    }


def _short(value: float | np.floating) -> float | None:
    """Rounded; None where it is not a number, because JSON has no NaN."""
    return round(float(value), DIGITS) if np.isfinite(value) else None
