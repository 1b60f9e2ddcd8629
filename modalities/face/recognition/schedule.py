"""Training of a network by a schedule that is fixed before any data are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def train(
    build: Callable[[], nn.Module],
    maps: NDArray[np.float32],
    y: Labels,
    classes: int,
    schedule: Schedule,
    loss: str,
    seed: int,
    stops: int = 1,
    scale: float = 255.0,
) -> Iterator[nn.Module]:
    """Train one network; the same seed on the same machine gives the same network.

    Args:
        build: Makes the untrained network.
        maps: Training samples, (n, 3, h, w).
        y: Their classes, (n,).
        classes: Number of classes.
        schedule: How.
        loss: "cross_entropy", or "balanced_cross_entropy" where each class counts alike.
        seed: Of first weights, order, mirroring and dropout.
        stops: At how many evenly spaced moments the network is handed out; the last is the end.
        scale: Value of 255 in the maps, for mirroring u.

    Yields:
        The network, each time the same object.

    Raises:
        InvalidValueError: a loss that belongs to kernel machines.
    """
    import torch
    from torch.nn import functional

    if loss not in ("cross_entropy", "balanced_cross_entropy"):
        raise InvalidValueError("no such loss of a network", got=loss, expected="[balanced_]cross_entropy")
    weights = None
    if loss == "balanced_cross_entropy":
        counts = np.maximum(np.bincount(y, minlength=classes), 1)
        weights = torch.from_numpy((len(y) / (classes * counts)).astype(np.float32))
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    network = build().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=schedule.rate, fused=True)
    x, target = torch.from_numpy(maps).to(memory_format=torch.channels_last), torch.from_numpy(y)
    moments = {round(schedule.updates * (at + 1) / stops) for at in range(stops)}
    for update, rows in enumerate(_batches(len(y), schedule, order), start=1):
        picked = torch.from_numpy(rows)
        seen = _at_random_mirrored(x[picked], order, scale) if schedule.mirror else x[picked]
        optimiser.zero_grad()
        functional.cross_entropy(network(seen), target[picked], weight=weights).backward()
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
