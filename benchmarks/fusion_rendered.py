"""The shipped fusion on rendered sessions read by the real encoders, beside the token level it was trained at.

`python -m benchmarks.fusion_rendered [--sessions 20] [--jobs 2]`. Three sets, none of them seen in training: effects
drawn from the priors, the same effects halved, and no effect at all. A session of 45 s takes a minute of one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from fusion.calibration import auc_of, calibration_error
from fusion.checkpoint import Checkpoint, load_checkpoint
from fusion.evaluation import auc_behind_neutral
from fusion.posterior import concealed_of
from fusion.tokens import tokens_of
from fusion.training import Example
from fusion.windows import session_joint
from pipeline.simulate.filmed import Filmed, film, film_all
from pipeline.simulate.tokens import simulate_tokens
from pipeline.simulate.tokens_effects import NO_EFFECTS, scaled

SEEDS = range(70_000, 71_000)
SECONDS = 45.0


def measure(full: bool) -> dict[str, float]:
    """Figures of all sets.

    Args:
        full: 20 sessions of each set instead of 2.

    Returns:
        By set ("effects", "halved", "none") and level ("rendered", "tokens"): `auc` of concealed, `behind_neutral`
        (within sessions), `ece`, and `moved`, the mean distance of the probability from the set's base rate.
    """
    return measure_sessions(20 if full else 2, 2)


def measure_sessions(count: int, jobs: int) -> dict[str, float]:
    """`measure` with so many sessions of each set."""
    model = load_checkpoint()
    figures: dict[str, float] = {}
    drawn = list(film_all(SEEDS[:count], SECONDS, None, jobs, _report))
    figures |= _figures(model, drawn, "effects")
    figures |= _figures(model, [_halved(one) for one in SEEDS[:count]], "halved")
    figures |= _figures(model, list(film_all(SEEDS[500 : 500 + count], SECONDS, NO_EFFECTS, jobs, _report)), "none")
    return figures


def _halved(seed: int) -> Filmed:
    return film(seed, SECONDS, scaled(simulate_tokens(seed, SECONDS).effects, 0.5))


def _figures(model: Checkpoint, sessions: Sequence[Filmed], name: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    levels: dict[str, list[Example]] = {"rendered": [], "tokens": []}
    for one in sessions:
        tokens = tokens_of(list(one.encodings.values()), one.extent)
        inside = (tokens.times_ns >= 0) & (tokens.times_ns < one.drawn.extent.end_ns)
        first, last = np.flatnonzero(inside)[[0, -1]]
        truth = one.drawn.truth_at(tokens.times_ns[inside])
        levels["rendered"].append(Example(tokens.part(int(first), int(last) + 1), truth))
        levels["tokens"].append(one.drawn.example())
    for level, examples in levels.items():
        joints = [session_joint(model.network, one.tokens, model.decisions.temperature) for one in examples]
        said = np.concatenate([concealed_of(joint) for joint in joints])
        hidden = np.concatenate([one.truth.felt != one.truth.shown for one in examples])
        figures |= {
            f"{name}_{level}_auc": auc_of(said, hidden),
            f"{name}_{level}_behind_neutral": auc_behind_neutral(joints, examples),
            f"{name}_{level}_ece": calibration_error(said, hidden),
            f"{name}_{level}_moved": float(np.abs(said - hidden.mean()).mean()),
            f"{name}_{level}_base_rate": float(hidden.mean()),
        }
    return figures


def _report(step: str, completed: int, total: int | None) -> None:
    sys.stderr.write(f"{step} {completed} of {total}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    for key, value in measure_sessions(options.sessions, options.jobs).items():
        print(f"{key:40} {value:.4f}")
