"""How the recurrent labellers are trained (`modalities.face.spotting.recurrent`), and their thresholds found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.models import FloatArray
from modalities.face.spotting.bands import resample
from modalities.face.spotting.learned import Learned
from modalities.face.spotting.recurrent import KINDS, build_labeller, even_grid, labelled, read, scaled
from modalities.face.synthesis.events import PlantedExpression
from pipeline.simulate.spotter_lessons import Lesson, event_scores, figures_of
from pipeline.simulate.spotter_pictures import RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor, nn

SEED = 7
PASSES, BATCH, LEARNING_RATE = 60, 16, 6e-3
NOISE = 0.3
"""Standard deviation of what is added to the scaled features in training."""
STEPS = np.linspace(60, 99.5, 14)
"""Percentiles of the logits that are tried as thresholds."""
WEIGHT = 2.0
"""How much more a moment of an expression counts than another one."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One stretch, evenly sampled.

    Attributes:
        times_ns: (m,).
        features: (m, c).
        labels: (m, 2).
        planted: The truth.
    """

    times_ns: Int64Array
    features: FloatArray
    labels: NDArray[np.bool_]
    planted: tuple[PlantedExpression, ...]


def reading(lesson: Lesson, table: FloatArray, features: Callable[[FloatArray], FloatArray]) -> Reading:
    """A lesson as a labeller reads it.

    Args:
        lesson: The stretch.
        table: What the reducer keeps, (t, columns), the last one saying where.
        features: Of the spotter.
    """
    rows = np.flatnonzero(table[:, -1] > 0)
    even = even_grid(lesson.times_ns[rows])
    values = resample(table[rows, :-1].astype(np.float64), lesson.times_ns[rows], even)
    at = np.clip(np.rint(even / NS_PER_S * RATE_HZ).astype(np.int64), 0, len(lesson.labels) - 1)
    return Reading(even, features(values), lesson.labels[at], lesson.planted)


def fit_labeller(
    training: Sequence[Reading], held_out: Sequence[Reading], begin: dict[str, Any] | None = None
) -> Learned:
    """Train a labeller, and find its thresholds where F1 is best on held-out faces.

    Args:
        training: To learn from.
        held_out: Of other faces.
        begin: Tables that the spotter needs besides.

    Returns:
        Tables "mean", "spread", "labeller.*" and those of `begin`; a card without the plan.
    """
    import torch

    everything = np.concatenate([one.features for one in training])
    tables: dict[str, Any] = {"mean": everything.mean(axis=0), "spread": everything.std(axis=0) + 1e-3}
    start = Learned(tables, {})
    torch.manual_seed(SEED)
    network = build_labeller(everything.shape[1])
    length = min(len(one.features) for one in training)
    rows = torch.from_numpy(np.stack([scaled(one.features, start)[:length] for one in training]))
    labels = torch.from_numpy(np.stack([one.labels[:length] for one in training]).astype(np.float32))
    descend(network, rows, labels)
    state = {f"labeller.{key}": value.numpy() for key, value in network.state_dict().items()}
    learned = Learned({**tables, **state, **(begin or {})}, {})
    return Learned(learned.tables, thresholds(network.eval(), learned, held_out))


def descend(network: nn.Module, rows: Tensor, labels: Tensor) -> None:
    """Fit by AdamW on a one-cycle schedule (Smith & Topin 2019)."""
    import torch

    order = np.random.default_rng(SEED)
    steps = PASSES * max(1, len(rows) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(PASSES):
        shuffled = order.permutation(len(rows))
        for batch in np.array_split(shuffled, max(1, len(rows) // BATCH)):
            optimiser.zero_grad()
            said = network(rows[batch] + NOISE * torch.randn_like(rows[batch]))
            moment_loss(said, labels[batch]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()


def moment_loss(said: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over moments and kinds."""
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(said, labels, labels * (WEIGHT - 1) + 1)


def thresholds(network: nn.Module, learned: Learned, held_out: Sequence[Reading]) -> dict[str, Any]:
    """Logits of both kinds from which F1 over both is best on held-out faces, and the figures there.

    What is best there may be so by chance; the middle of where it is good is taken, the best mean of neighbours.
    """
    from scipy.ndimage import uniform_filter

    said = [read(network, scaled(one.features, learned)) for one in held_out]
    every = np.concatenate(said)
    steps = [np.percentile(every[:, column], STEPS).tolist() for column in range(len(KINDS))]
    tried = [[_counted(held_out, said, [first, second]) for second in steps[1]] for first in steps[0]]
    mean = np.array([[sum(figures_of(one, kind)["f1"] for kind in KINDS) for one in row] for row in tried])
    row, column = np.unravel_index(uniform_filter(mean, 3, mode="nearest").argmax(), mean.shape)
    least = [steps[0][row], steps[1][column]]
    return {
        "threshold_logit": dict(zip(KINDS, least, strict=True)),
        "figures": {kind: figures_of(tried[row][column], kind) for kind in KINDS},
    }


def _counted(
    held_out: Sequence[Reading], said: Sequence[FloatArray], least: list[float]
) -> list[dict[str, tuple[int, int, int]]]:
    """Scores of each reading with these thresholds."""
    out = []
    for one, logits in zip(held_out, said, strict=True):
        score = 1 / (1 + np.exp(-(logits - least).max(axis=1)))
        found = sorted(labelled(one.times_ns, score), key=lambda each: -each[-1])
        spans = [(kind, int(one.times_ns[a]), int(one.times_ns[b])) for kind, a, _, b, _ in found]
        out.append(event_scores(spans, one.planted))
    return out
