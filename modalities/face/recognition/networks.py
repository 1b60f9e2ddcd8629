"""Architectures of networks: streams side by side, and recurrent convolutions with attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from modalities.face.recognition.samples import SIDE, Labels, Rows, Samples
from modalities.face.recognition.schedule import Schedule, train
from modalities.face.recognition.system import Scores, System

if TYPE_CHECKING:
    from torch import nn

CHECKPOINTS = 20
"""Moments of training among which the dishonest evaluation chooses."""
_BATCH = 512


class Network(ABC):
    """What architectures of networks share: they see maps, have one setting, and train by a schedule."""

    @abstractmethod
    def build(self, block: Any, classes: int) -> nn.Module:
        """The untrained network, (batch, 3, 28, 28) to (batch, classes)."""

    def prepare(self, system: System, samples: Samples) -> Any:
        """Maps, channels first, (n, 3, 28, 28)."""
        return np.ascontiguousarray(system.input.read(samples).transpose(0, 3, 1, 2))

    def settings(self, system: System) -> tuple[Schedule]:
        """The schedule as declared: nothing is chosen."""
        return (system.strategy,)

    def fits(
        self,
        system: System,
        prepared: Any,
        y: Labels,
        rows: Rows,
        settings: Sequence[Schedule],
        classes: int,
        seed: int,
    ) -> Iterator[NetworkModel]:
        """See `system.Architecture`."""
        for setting in settings:
            for network in self.training(system, prepared, y, rows, setting, classes, seed, 1):
                yield NetworkModel(network)

    def candidates(
        self, system: System, prepared: Any, y: Labels, rows: Rows, classes: int, seed: int
    ) -> Iterator[tuple[str, NetworkModel]]:
        """The network at `CHECKPOINTS` moments of its training; each is to be used before the next is asked for."""
        steps = self.training(system, prepared, y, rows, system.strategy, classes, seed, CHECKPOINTS)
        for at, network in enumerate(steps, start=1):
            yield f"{at}/{CHECKPOINTS} of the training", NetworkModel(network)

    def training(
        self, system: System, maps: Any, y: Labels, rows: Rows, schedule: Schedule, classes: int, seed: int, stops: int
    ) -> Iterator[nn.Module]:
        """The network at evenly spaced moments of its training on the samples `rows` with labels `y`."""
        return train(
            lambda: self.build(system.block, classes), maps[rows], y, classes, schedule, system.loss, seed, stops,
            getattr(system.input, "scale", 255.0),
        )  # fmt: skip


class NetworkModel:
    """A trained network."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def scores(self, prepared: Any, rows: Rows) -> Scores:
        """Probabilities, see `system.Model`."""
        import torch

        was_training = self.network.training
        self.network.eval()
        parts = []
        with torch.inference_mode():
            for first in range(0, len(rows), _BATCH):
                maps = torch.from_numpy(prepared[rows[first : first + _BATCH]])
                parts.append(torch.softmax(self.network(maps), dim=1).numpy())
        self.network.train(was_training)
        return np.concatenate(parts).astype(np.float64)


@dataclass(frozen=True)
class Streams(Network):
    """Streams side by side, each a chain of blocks; what they give is joined and classified.

    Attributes:
        views: Channels that each stream sees (0 u, 1 v, 2 strain).
        widths: Channels after each block of each stream.
        average: Side and step of the squares averaged after joining; 1 for none.
        hidden: Units of the layers before the classes.
        dropout: Share of values left out after each of them.
    """

    views: tuple[tuple[int, ...], ...]
    widths: tuple[tuple[int, ...], ...]
    average: int = 1
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0

    def build(self, block: Any, classes: int) -> nn.Module:
        """See `Network`."""
        import torch
        from torch import nn

        streams = []
        views = []
        for view, widths in self._merged():
            views.append(list(view))
            sizes = (len(view), *widths)
            chain = [block.build(before, after) for before, after in pairwise(sizes)]
            streams.append(nn.Sequential(*chain))
        average = nn.AvgPool2d(self.average) if self.average > 1 else nn.Identity()

        class Joined(nn.Module):
            """The network."""

            def __init__(self) -> None:
                super().__init__()
                self.streams = nn.ModuleList(streams)
                self.head: nn.Module = nn.Identity()

            def forward(self, x: Any) -> Any:
                """Logits."""
                seen = [stream(x[:, view]) for stream, view in zip(self.streams, views, strict=True)]
                return self.head(torch.flatten(average(torch.cat(seen, dim=1)), 1))

        network = Joined().eval()
        with torch.no_grad():
            size = int(network(torch.zeros(1, 3, SIDE, SIDE)).shape[1])
        layers: list[nn.Module] = []
        for units in self.hidden:
            layers += [nn.Linear(size, units), nn.ReLU(), *([nn.Dropout(self.dropout)] if self.dropout else [])]
            size = units
        network.head = nn.Sequential(*layers, nn.Linear(size, classes))
        return network

    def _merged(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """View and widths of each stream; those of one block that see the same are one wider block, which is the same
        function of the same numbers, computed at once.
        """
        if len(set(self.views)) == 1 and all(len(one) == 1 for one in self.widths):
            return [(self.views[0], (sum(width for (width,) in self.widths),))]
        return list(zip(self.views, self.widths, strict=True))


@dataclass(frozen=True)
class AttentiveRecurrent(Network):
    """Convolutions of several dilations side by side, a recurrent block scaled by class attention, then classes.

    RCN-F of Xia et al. (2020): attention of each class is the mean over channels of its classifying weights times the
    values, stretched over 0..1; the mean over classes scales the first state. It has no parameters of its own.

    Attributes:
        streams: Channels and dilation of each first convolution (step 3).
        pool: Side of the map that is classified.
        dropout: Share of values left out after the first convolutions.
    """

    streams: tuple[tuple[int, int], ...]
    pool: int = 5
    dropout: float = 0.5

    def build(self, block: Any, classes: int) -> nn.Module:
        """See `Network`."""
        import torch
        from torch import nn
        from torch.nn import functional

        from modalities.face.recognition.layers import side_by_side

        width, pool = sum(size for size, _ in self.streams), self.pool
        first = [
            nn.Sequential(
                nn.Conv2d(3, size, 3, stride=3, padding=step, dilation=step), nn.ReLU(), nn.BatchNorm2d(size),
                nn.Dropout(self.dropout),
            )
            for size, step in self.streams
        ]  # fmt: skip

        class Attentive(nn.Module):
            """The network."""

            def __init__(self) -> None:
                super().__init__()
                self.first = side_by_side(first)
                self.recurrent = block.build(width, width)
                self.classes = nn.Linear(width * pool**2, classes)

            def forward(self, x: Any) -> Any:
                """Logits."""
                x = self.first(x)
                state = self.recurrent(x, functional.interpolate(self.attention(x), x.shape[2:]))
                return self.classes(torch.flatten(functional.adaptive_avg_pool2d(state, pool), 1))

            def attention(self, x: Any) -> Any:
                """Where classes look, 0..1, (batch, 1, pool, pool)."""
                seen = functional.adaptive_avg_pool2d(x, pool)
                weights = self.classes.weight.view(-1, width, pool, pool)
                maps = torch.einsum("bchw,kchw->bkhw", seen, weights)
                low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
                return ((maps - low) / (high - low).clamp_min(1e-6)).mean(dim=1, keepdim=True)

        return Attentive()


def count_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(one.numel() for one in network.parameters() if one.requires_grad)
