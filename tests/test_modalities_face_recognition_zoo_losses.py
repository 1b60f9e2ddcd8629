"""Losses at points worked out by hand, and what is learnt beside the class."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy as np
import pytest
import torch

from modalities.face.recognition.layers_capsule import Cosine
from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.schedule_losses import Beside, Focal, LargeMargin, Metric
from modalities.face.recognition.zoo.losses import BLOCK, FIXED

ANGLES = np.deg2rad([0.0, 60.0, 90.0])
POINTS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
"""On the unit circle: 1, 1.41421 and 0.517638 apart (first and second, first and third, second and third)."""


class Told(torch.nn.Module):
    """Features are what is seen, twice as long; every class is as likely as any other."""

    def features(self, x: Any) -> Any:
        return 2 * x

    def head(self, found: Any) -> Any:
        return 0 * found

    def forward(self, x: Any) -> Any:
        return x


def started(loss: Any, x: np.ndarray, y: list[int]) -> Any:
    made = Lesson(Told, x, np.array(y), {}, 2, loss, 0)
    return loss.start(Told(), made)


def value(loss: Any, x: np.ndarray, y: list[int], rows: list[int] | None = None) -> float:
    picked = torch.tensor(range(len(y)) if rows is None else rows)
    with torch.no_grad():
        return float(started(loss, x, y)(Told(), torch.from_numpy(x)[picked], picked))


def test_contrastive_loss_by_hand() -> None:
    """1 for the pair of a class; (1.5 - 1.41421)^2 = 0.00736 and (1.5 - 0.517638)^2 = 0.96504 for the others."""
    by_hand = (1 + 0.0073593 + 0.9650352) / 3
    found = value(Metric("contrastive", weight=0.5, margin=1.5), POINTS, [0, 0, 1])
    assert found == pytest.approx(log(2) + 0.5 * by_hand, abs=1e-4)
    alone = value(Metric("contrastive", weight=1.0, margin=0.5), POINTS, [0, 0, 1])
    assert alone == pytest.approx(log(2) + 1 / 3, abs=1e-4), "unlike pairs beyond the margin cost nothing"


def test_triplet_loss_by_hand() -> None:
    """Only the second point is nearer to the other class: 1 - 0.517638 + 0.3; the first has 1 - 1.41421 + 0.3 < 0."""
    found = value(Metric("triplet", weight=1.0, margin=0.3), POINTS, [0, 0, 1])
    assert found == pytest.approx(log(2) + 0.782362 / 3, abs=1e-3)


def test_center_loss_by_hand() -> None:
    """Centres at 0 and 90 degrees: squared distances 0, 1, 0."""
    made = started(Metric("center", weight=0.5), POINTS, [0, 0, 1])
    with torch.no_grad():
        made.learnt[0].weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.2]]))
        found = float(made(Told(), torch.from_numpy(POINTS), torch.arange(3)))
    assert found == pytest.approx(log(2) + 0.5 / 3, abs=1e-5)


def test_focal_loss_by_hand() -> None:
    """Chances 0.5, 0.8, 0.9 of the true class, gamma 2: 0.25 x 0.693147, 0.04 x 0.223144, 0.01 x 0.105361."""
    chance = np.array([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9]], np.float32)
    found = value(Focal(2.0), np.log(chance), [0, 0, 1])
    assert found == pytest.approx((0.173287 + 0.008926 + 0.001054) / 3, abs=1e-5)


def test_adaptive_focal_loss_by_hand() -> None:
    """Classes of 3 and 1 samples weigh 2/3 and 2. Sure so far: half, then (0.5 + 0.8) / 2 and (0.5 + 0.5) / 2.

    Gamma is 1.3 and 1; 0.2^1.3 = 0.123407.
    """
    chance = np.array([[0.8, 0.2], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], np.float32)
    found = value(Focal(2.0, adaptive=True), np.log(chance), [0, 0, 0, 1], [0, 3])
    by_hand = (2 / 3 * 0.123407 * 0.223144 + 2 * 0.5 * 0.693147) / 2
    assert found == pytest.approx(by_hand, abs=1e-5)


def test_large_margin_cosine_by_hand() -> None:
    """A cosine of 0.5 to the own class and of 0.866025 to the other, stretch 16, margin 0.2: 16 (0.5 - 0.2) = 4.8."""
    head = Cosine(16.0).end((2,), 2)
    with torch.no_grad():
        head.direction.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.5]]))
        scores = head(7 * torch.from_numpy(POINTS[1:2])).numpy()
    assert scores[0] == pytest.approx([8.0, 13.856406], abs=1e-4)
    assert value(LargeMargin(3.2), scores, [0]) == pytest.approx(9.056406 + 0.000117, abs=1e-4)
    assert value(LargeMargin(3.2), scores, [1]) == pytest.approx(np.log1p(np.exp(8 - 13.856406 + 3.2)), abs=1e-4)


@dataclass(frozen=True, eq=False)
class Kept:
    """An objective whose criterion is kept."""

    inner: Beside
    made: list[Any] = field(default_factory=list)

    def start(self, network: Any, lesson: Lesson) -> Any:
        self.made.append(self.inner.start(network, lesson))
        return self.made[-1]


@pytest.mark.parametrize("against", [False, True])
def test_gender_is_learnt_beside_the_class(against: bool) -> None:
    """A bright corner tells it of half of the samples; strangers' is told as well, unless it is to be forgotten."""
    chance = np.random.default_rng(4)
    y, gender = np.arange(160) % 3, chance.integers(0, 2, 160)
    x = chance.random((160, 3, 28, 28)).astype(np.float32)
    x[np.arange(160), :, 18:, 18:] += 0.5 * gender[:, None, None, None]
    x[np.arange(160), y, :10, :10] += 0.5
    coded = np.where(np.arange(160) % 2 == 0, gender, -1)
    loss = Kept(Beside("gender", weight=1.0, against=against))
    side = {"gender": coded[:120]}
    made = Lesson(lambda: FIXED.build(BLOCK, 3), x[:120], y[:120], side, 3, loss, 0)
    network: Any = made.last(Schedule(60, 2e-3, 32))
    with torch.no_grad():
        found = network.features(torch.from_numpy(x[120:]))
        told = loss.made[0].learnt[0](found).numpy()[:, -2:].argmax(axis=1)
        said = network.head(found).numpy().argmax(axis=1)
    assert (said == y[120:]).mean() > 0.9
    right = (told == gender[120:]).mean()
    assert right < 0.8 if against else right > 0.9
