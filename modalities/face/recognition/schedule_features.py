"""Strategies of older systems: deep features that are chosen, and layers that learn one by one."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.schedule_strategies import Macro, learnt_from_macro

if TYPE_CHECKING:
    from torch import nn

    from modalities.face.recognition.system import System


@dataclass(frozen=True)
class Selected:
    """Features of a network that learnt macro-expressions, the best of them chosen; only a head is trained.

    Attributes:
        first: Schedule on macro-expressions.
        then: Schedule of the head.
        share: Features kept, by the ratio of variance between and within classes of the training set.
        macro: Which.
    """

    first: Schedule
    then: Schedule
    share: float = 0.5
    macro: Macro = field(default_factory=Macro)

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the second schedule."""
        import torch
        from torch import nn

        body: Any = deepcopy(learnt_from_macro(system, lesson, self.macro, self.first)).eval().requires_grad_(False)
        with torch.no_grad():
            found = body.features(torch.from_numpy(lesson.x)).flatten(1)
        worth = _worth(found.numpy(), lesson.y, lesson.classes)
        kept = torch.from_numpy(np.sort(np.argsort(-worth)[: max(1, round(self.share * len(worth)))]).copy())

        class Chosen(nn.Module):
            """Some features, then classes."""

            def __init__(self) -> None:
                super().__init__()
                self.body, self.norm = body, nn.BatchNorm1d(len(kept))
                self.head = nn.Linear(len(kept), lesson.classes)

            def features(self, x: Any) -> Any:
                """Those chosen."""
                return self.norm(self.body.eval().features(x).flatten(1)[:, kept])

            def forward(self, x: Any) -> Any:
                """Scores of the classes."""
                return self.head(self.features(x))

        return replace(lesson, build=Chosen).networks(self.then)


def _worth(features: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """Variance between classes by variance within, of each feature."""
    means = np.stack([features[y == one].mean(axis=0) for one in range(classes) if (y == one).any()])
    present = [one for one in range(classes) if (y == one).any()]
    within = np.mean([features[y == one].var(axis=0) for one in present], axis=0)
    return np.asarray(means.var(axis=0) / np.maximum(within, 1e-9))


@dataclass(frozen=True)
class LayerByLayer:
    """Logistic layers first learn to give back what they see, each as a restricted Boltzmann machine.

    One step of contrastive divergence per update (Hinton, Osindero & Teh 2006, deep belief nets); then all together.
    A layer learns from what it gets in the network, by the units that it has there (`layers_belief`): the block is
    `Stretched` and then `Logistic` layers.

    Attributes:
        first: Schedule of each layer.
        then: Schedule of the whole.
    """

    first: Schedule
    then: Schedule

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the second schedule."""
        import torch
        from torch import nn

        def build() -> nn.Module:
            network: Any = lesson.build()
            order = np.random.default_rng([lesson.seed, 17])
            chain = list(network.streams[0])
            seen = torch.from_numpy(lesson.x)
            with torch.no_grad():
                for part in chain:
                    if hasattr(part, "learn_range"):
                        part.learn_range(seen)
                    linear = next((one for one in part.modules() if isinstance(one, nn.Linear)), None)
                    if linear is not None:
                        _boltzmann(linear, seen.flatten(1), self.first, order)
                    seen = part.eval()(seen)
            return network.train()

        return replace(lesson, build=build).networks(self.then)


def _boltzmann(linear: Any, x: Any, schedule: Schedule, order: np.random.Generator) -> None:
    """Contrastive divergence with mean values of logistic units, on a layer in place; x is over 0..1, (n, seen)."""
    import torch

    back = torch.zeros(x.shape[1])
    for _ in range(schedule.updates):
        rows = torch.from_numpy(order.integers(0, len(x), schedule.batch))
        v = x[rows]
        h = torch.sigmoid(linear(v))
        again = torch.sigmoid((h > torch.rand_like(h)).float() @ linear.weight + back)
        h2 = torch.sigmoid(linear(again))
        linear.weight += schedule.rate * (h.T @ v - h2.T @ again) / len(v)
        linear.bias += schedule.rate * (h - h2).mean(dim=0)
        back += schedule.rate * (v - again).mean(dim=0)
