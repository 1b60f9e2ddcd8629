"""Training of a network by a schedule that is fixed before any data are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.samples import Labels

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Schedule:
    """Adam (Kingma & Ba 2015) for a fixed number of updates.

    Attributes:
        updates: Batches that are learnt from.
        rate: Learning rate.
        batch: Samples in each; never more than there are.
        mirror: Whether each training sample is seen in the mirror every other time, drawn at random.
    """

    updates: int
    rate: float
    batch: int
    mirror: bool = False


class Objective(Protocol):
    """A loss that is more than one of classes."""

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """A module whose call (network, batch, rows of it in the lesson) gives the loss; its parameters learn too."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """One training set, and what is to be learnt from it.

    Attributes:
        build: Makes the untrained network.
        x: Training samples, (n, ...).
        y: Their classes, (n,).
        side: Further labels, (n, ...) each, see `side_labels`.
        classes: Number of classes.
        loss: See `train`.
        seed: Of everything random.
        stops: At how many moments the network is handed out.
        scale: Value of 255 in maps of flow.
    """

    build: Callable[[], nn.Module]
    x: NDArray[np.float32]
    y: Labels
    side: Mapping[str, NDArray[Any]]
    classes: int
    loss: Any
    seed: int
    stops: int = 1
    scale: float = 255.0

    def networks(self, schedule: Schedule) -> Iterator[nn.Module]:
        """Train by a plain schedule, see `train`."""
        return train(
            self.build, self.x, self.y, self.classes, schedule, self.loss, self.seed, self.stops, self.scale, self
        )  # fmt: skip

    def last(self, schedule: Schedule) -> nn.Module:
        """Only the network at the end, ready to be used."""
        (network,) = replace(self, stops=1).networks(schedule)
        return network.eval()


def train(
    build: Callable[[], nn.Module],
    maps: NDArray[np.float32],
    y: Labels,
    classes: int,
    schedule: Schedule,
    loss: Any,
    seed: int,
    stops: int = 1,
    scale: float = 255.0,
    lesson: Lesson | None = None,
) -> Iterator[nn.Module]:
    """Train one network; the same seed on the same machine gives the same network.

    Args:
        build: Makes the untrained network.
        maps: Training samples, (n, 3, h, w) for maps of flow.
        y: Their classes, (n,).
        classes: Number of classes.
        schedule: How.
        loss: "cross_entropy", or "balanced_cross_entropy" where each class counts alike; or an `Objective`.
        seed: Of first weights, order, mirroring and dropout.
        stops: At how many evenly spaced moments the network is handed out; the last is the end.
        scale: Value of 255 in the maps, for mirroring u.
        lesson: What an `Objective` may look at.

    Yields:
        The network, each time the same object.

    Raises:
        InvalidValueError: a loss that belongs to kernel machines.
    """
    import torch
    from torch.nn import functional

    if isinstance(loss, str) and loss not in ("cross_entropy", "balanced_cross_entropy"):
        raise InvalidValueError("no such loss of a network", got=loss, expected="[balanced_]cross_entropy")
    weights = None
    if loss == "balanced_cross_entropy":
        counts = np.maximum(np.bincount(y, minlength=classes), 1)
        weights = torch.from_numpy((len(y) / (classes * counts)).astype(np.float32))
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    network = build().train()
    if all(one.dim() < 5 for one in network.parameters()):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lesson = lesson or Lesson(build, maps, y, {}, classes, loss, seed, stops, scale)
    objective = None if isinstance(loss, str) else loss.start(network, lesson)
    learning = [*network.parameters(), *([] if objective is None else objective.parameters())]
    optimiser = torch.optim.Adam([one for one in learning if one.requires_grad], lr=schedule.rate, fused=True)
    x, target = torch.from_numpy(maps), torch.from_numpy(y)
    x = x.to(memory_format=torch.channels_last) if x.ndim == 4 else x
    moments = {round(schedule.updates * (at + 1) / stops) for at in range(stops)}
    for update, rows in enumerate(_batches(len(y), schedule, order), start=1):
        picked = torch.from_numpy(rows)
        seen = _at_random_mirrored(x[picked], order, scale) if schedule.mirror else x[picked]
        optimiser.zero_grad()
        if objective is None:
            functional.cross_entropy(network(seen), target[picked], weight=weights).backward()
        else:
            objective(network, seen, picked).backward()
        optimiser.step()
        if update in moments:
            yield network


def _batches(n: int, schedule: Schedule, order: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Each sample once before any comes again; at least two in a batch, for batch normalisation."""
    done = 0
    while done < schedule.updates:
        rows = order.permutation(n)
        for part in np.array_split(rows, max(1, -(-n // max(2, schedule.batch)))):
            if done < schedule.updates:
                done += 1
                yield part


def _at_random_mirrored(maps: Any, order: np.random.Generator, scale: float) -> Any:
    """Half of the samples as the mirror shows them: left for right, u reversed within its range."""
    import torch

    chosen = torch.from_numpy(order.random(len(maps)) < 0.5)
    other = maps.flip(-1).clone()
    other[:, 0] = scale - other[:, 0]
    return torch.where(chosen[:, None, None, None], other, maps)
