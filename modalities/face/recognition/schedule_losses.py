"""Losses beyond cross entropy: on hard samples, on distances between features, on margins, on further labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modalities.face.recognition.schedule import Lesson

if TYPE_CHECKING:
    from torch import nn


def criterion(function: Any, *learnt: nn.Module) -> nn.Module:
    """A function (network, batch, rows) as a module, with modules that learn along with the network."""
    from torch import nn

    class Criterion(nn.Module):
        """The loss."""

        def __init__(self) -> None:
            super().__init__()
            self.learnt = nn.ModuleList(learnt)

        def forward(self, network: Any, x: Any, rows: Any) -> Any:
            """The loss of one batch."""
            return function(network, x, rows)

    return Criterion()


@dataclass(frozen=True)
class Focal:
    """Samples that are right already count little (Lin et al. 2017).

    Attributes:
        gamma: How little.
        adaptive: Whether classes count by the inverse of their number, and gamma of each class falls the harder the
            class is at the time (its running mean probability).
    """

    gamma: float = 2.0
    adaptive: bool = False

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch

        y = torch.from_numpy(lesson.y)
        counts = np.maximum(np.bincount(lesson.y, minlength=lesson.classes), 1)
        weight = torch.from_numpy((len(y) / (lesson.classes * counts)).astype(np.float32))
        sure = torch.full((lesson.classes,), 1 / lesson.classes)

        def focal(network: Any, x: Any, rows: Any) -> Any:
            target = y[rows]
            log = torch.log_softmax(network(x), dim=1).gather(1, target[:, None])[:, 0]
            chance = log.exp().detach()
            if not self.adaptive:
                return -((1 - log.exp()) ** self.gamma * log).mean()
            sure.scatter_reduce_(0, target, chance, "mean", include_self=True)
            gamma = self.gamma * sure[target]
            return -(weight[target] * (1 - log.exp()).clamp_min(1e-6) ** gamma * log).mean()

        return criterion(focal)


@dataclass(frozen=True)
class Metric:
    """Cross entropy, and distances between normalised features.

    Attributes:
        kind: "center": to a learnt centre of the own class (Wen et al. 2016); "triplet": the farthest of the own class
            is to be nearer than the nearest of another (Schroff et al. 2015, hardest in the batch; Hermans et al.
            2017); "contrastive": d^2 for pairs of a class, max(0, margin - d)^2 for others (Hadsell et al. 2006,
            equation 4 without its halves, mean over the pairs of a batch).
        weight: Of the distances beside cross entropy.
        margin: Distance for "contrastive", difference of distances for "triplet"; features have length 1, so that
            distances are 0..2.
    """

    kind: Literal["center", "triplet", "contrastive"]
    weight: float = 0.5
    margin: float = 0.5

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch
        from torch import nn
        from torch.nn import functional

        y = torch.from_numpy(lesson.y)
        head: Any = network
        with torch.no_grad():
            network.eval()
            size = int(head.features(torch.from_numpy(lesson.x[:1])).flatten(1).shape[1])
            network.train()
        centres = nn.Embedding(lesson.classes, size)

        def metric(network: Any, x: Any, rows: Any) -> Any:
            found = network.features(x)
            target = y[rows]
            point = functional.normalize(found.flatten(1), dim=1)
            loss = functional.cross_entropy(network.head(found), target)
            if self.kind == "center":
                known = functional.normalize(centres(target), dim=1)
                return loss + self.weight * (point - known).square().sum(dim=1).mean()
            squares = (2 - 2 * point @ point.T).clamp_min(1e-6)
            return loss + self.weight * self._pairs(squares, target[:, None] == target)

        return criterion(metric, *([centres] if self.kind == "center" else []))

    def _pairs(self, squares: Any, same: Any) -> Any:
        import torch

        if self.kind == "contrastive":
            far = (self.margin - squares.sqrt()).clamp_min(0).square()
            off = ~torch.eye(len(same), dtype=torch.bool)
            return torch.where(same, squares, far)[off].mean()
        apart = squares.sqrt()
        farthest = torch.where(same, apart, apart.new_zeros(())).amax(dim=1)
        nearest = torch.where(same, apart.new_full((), 9.0), apart).amin(dim=1)
        return (farthest - nearest + self.margin).clamp_min(0).mean()


@dataclass(frozen=True)
class LargeMargin:
    """The own class must win by a margin: its score is lowered in training (Wang et al. 2018, large margin cosine).

    Attributes:
        margin: Of scores; with the head `Cosine(16)`, 3.2 are a cosine of 0.2.
    """

    margin: float = 3.2

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch
        from torch.nn import functional

        y = torch.from_numpy(lesson.y)

        def margin(network: Any, x: Any, rows: Any) -> Any:
            own = functional.one_hot(y[rows], lesson.classes)
            return functional.cross_entropy(network(x) - self.margin * own, y[rows])

        return criterion(margin)


@dataclass(frozen=True)
class CapsuleMargin:
    """Capsule of the true class longer than 0.9, the others shorter than 0.1 (Sabour et al. 2017).

    Attributes:
        scale: Score of a capsule of length 1, as its head has it.
        absent: Weight of classes that are not there.
    """

    scale: float = 10.0
    absent: float = 0.5

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch
        from torch.nn import functional

        y = torch.from_numpy(lesson.y)

        def margin(network: Any, x: Any, rows: Any) -> Any:
            length = network(x) / self.scale
            own = functional.one_hot(y[rows], lesson.classes)
            short, long = (0.9 - length).clamp_min(0) ** 2, (length - 0.1).clamp_min(0) ** 2
            return (own * short + self.absent * (1 - own) * long).sum(dim=1).mean()

        return criterion(margin)


@dataclass(frozen=True)
class Beside:
    """Cross entropy of the class, and of a further label told from the same features.

    Attributes:
        label: "person", "dataset", "gender" or "units" (each unit by itself); samples without it do not count.
        weight: Of the further label.
        against: Whether features are to lose what tells it: its gradient is reversed (Ganin & Lempitsky 2015).
    """

    label: Literal["person", "dataset", "gender", "units"]
    weight: float = 0.3
    against: bool = False

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch
        from torch import nn
        from torch.nn import functional

        y = torch.from_numpy(lesson.y)
        known = lesson.side[self.label]
        several = known.ndim == 2
        missing = (known < 0).any(axis=1) if several else known < 0
        if not several:
            known = np.unique(known, return_inverse=True)[1]
        other, there = torch.from_numpy(known), torch.from_numpy(~missing)
        count = known.shape[1] if several else int(known.max()) + 1
        teller = nn.Sequential(nn.Flatten(), nn.LazyLinear(32), nn.ReLU(), nn.Linear(32, count))
        body: Any = network
        with torch.no_grad():
            network.eval()
            teller(body.features(torch.from_numpy(lesson.x[:1])))
            network.train()

        def both(network: Any, x: Any, rows: Any) -> Any:
            found = network.features(x)
            loss = functional.cross_entropy(network.head(found), y[rows])
            use = there[rows]
            if count < 2 or not use.any():
                return loss
            told = teller(reversed_gradient(found) if self.against else found)[use]
            truth = other[rows][use]
            if several:
                return loss + self.weight * functional.binary_cross_entropy_with_logits(told, truth)
            return loss + self.weight * functional.cross_entropy(told, truth)

        return criterion(both, teller)


def reversed_gradient(x: Any) -> Any:
    """The same values, the opposite gradient (Ganin & Lempitsky 2015)."""
    return 2 * x.detach() - x
