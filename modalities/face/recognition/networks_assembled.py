"""Networks assembled from parts: streams side by side, joined, perhaps more parts, then a head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.layers_capsule import Head, Linear
from modalities.face.recognition.layers_parts import Part, Shape, chain, shape_after
from modalities.face.recognition.networks import Network
from modalities.face.recognition.samples import SIDE, Labels, Rows, Samples
from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.side_labels import side_labels
from modalities.face.recognition.system import System

if TYPE_CHECKING:
    from torch import nn

MAP_SHAPE = (3, SIDE, SIDE)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What networks see, and what may be learnt beside the classes.

    Attributes:
        x: Float32 (n, *shape).
        side: Further labels by name, of `side_labels`, (n, ...); only those of training rows are ever looked at.
    """

    x: NDArray[np.float32]
    side: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __getitem__(self, rows: Rows) -> NDArray[np.float32]:
        return self.x[rows]


@dataclass(frozen=True)
class Stream:
    """One chain of parts and what it sees.

    Attributes:
        parts: The chain; empty for the system's block.
        channels: Channels of the input that it sees; empty for all.
        first: Parts before the chain, such as a region.
    """

    parts: tuple[Part, ...] = ()
    channels: tuple[int, ...] = ()
    first: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Assembled(Network):
    """Streams side by side; what they give is joined and classified.

    Attributes:
        streams: At least one.
        join: "concatenate" channels, or "add".
        tail: Parts after joining.
        head: What gives the classes.
        shared: Whether the streams are one chain with the same weights.
    """

    streams: tuple[Stream, ...] = (Stream(),)
    join: Literal["concatenate", "add"] = "concatenate"
    tail: tuple[Part, ...] = ()
    head: Head = Linear()  # noqa: RUF009
    shared: bool = False

    def prepare(self, system: System, samples: Samples) -> Prepared:
        """What the input reads; flow maps channels first."""
        x = system.input.read(samples)
        if samples.kind == "flow_map":
            x = x.transpose(0, 3, 1, 2)
        return Prepared(np.ascontiguousarray(x, np.float32), side_labels(samples))

    def build(self, block: Any, classes: int, shape: Shape = MAP_SHAPE) -> nn.Module:
        """The untrained network, (batch, *shape) to (batch, classes); `features` gives what the head gets.

        Args:
            block: Parts of streams that name none.
            classes: How many.
            shape: Of one sample.
        """
        import torch
        from torch import nn

        chains: list[nn.Module] = []
        views = [list(one.channels) or None for one in self.streams]
        for stream in self.streams:
            if self.shared and chains:
                chains.append(chains[0])
                continue
            seen = (len(stream.channels) or shape[0], *shape[1:])
            chains.append(chain((*stream.first, *(stream.parts or block)), seen))
        adds = self.join == "add"

        class Joined(nn.Module):
            """The network."""

            def __init__(self) -> None:
                super().__init__()
                self.streams = nn.ModuleList(chains)
                self.tail: nn.Module = nn.Identity()
                self.head: nn.Module = nn.Identity()

            def maps(self, x: Any) -> Any:
                """What the streams give, joined: channels, or features of the same frames or nodes."""
                pairs = zip(self.streams, views, strict=True)
                seen = [stream(x if view is None else x[:, view]) for stream, view in pairs]
                along = 2 if seen[0].ndim == 3 else 1
                return sum(seen[1:], seen[0]) if adds else torch.cat(seen, dim=along)

            def features(self, x: Any) -> Any:
                """What the head gets."""
                return self.tail(self.maps(x))

            def forward(self, x: Any) -> Any:
                """Scores of the classes."""
                return self.head(self.features(x))

        network = Joined()
        network.tail = chain(self.tail, shape_after(network, shape))
        network.head = self.head.end(shape_after(network, shape), classes)
        return network

    def training(
        self, system: System, maps: Any, y: Labels, rows: Rows, schedule: Any, classes: int, seed: int, stops: int
    ) -> Iterator[nn.Module]:
        """By a plain schedule, or by a strategy that gives networks for a lesson."""
        lesson = Lesson(
            lambda: self.build(system.block, classes, maps.x.shape[1:]), maps.x[rows], y,
            {name: column[rows] for name, column in maps.side.items()}, classes, system.loss, seed, stops,
            getattr(system.input, "scale", 255.0),
        )  # fmt: skip
        if isinstance(schedule, Schedule):
            return lesson.networks(schedule)
        return schedule.networks(lesson, system)


def untrained(system: System, classes: int = 3) -> nn.Module:
    """The network of a system before training, for counting its parameters or looking at its parts."""
    architecture = system.architecture
    if isinstance(architecture, Assembled):
        return architecture.build(system.block, classes, getattr(system.input, "shape", MAP_SHAPE))
    return architecture.build(system.block, classes)  # type: ignore[attr-defined]
