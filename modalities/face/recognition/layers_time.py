"""Parts for clips: the same chain for each frame, memory over frames, memory that convolves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modalities.face.recognition.layers_parts import Part, Shape, applied, chain

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class EachFrame:
    """A chain for each frame, weights shared: (c, frames, h, w) to (frames, features)."""

    parts: tuple[Part, ...]

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        from torch import nn

        c, frames, h, w = shape
        inner = chain(self.parts, (c, h, w))

        class Each(nn.Module):
            """The part."""

            def __init__(self) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, x: Any) -> Any:
                """Features of each frame."""
                flat = self.inner(x.transpose(1, 2).flatten(0, 1))
                return flat.flatten(1).reshape(len(x), frames, -1)

        return Each()


@dataclass(frozen=True)
class LongShortTerm:
    """Long short-term memory (Hochreiter & Schmidhuber 1997): (frames, f) to (units,), the state after the last frame.

    Attributes:
        units: Of the memory.
        layers: One above the other.
    """

    units: int
    layers: int = 1

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        from torch import nn

        size, units, layers = shape[1], self.units, self.layers

        class Memory(nn.Module):
            """The memory."""

            def __init__(self) -> None:
                super().__init__()
                self.memory = nn.LSTM(size, units, layers, batch_first=True)

            def forward(self, x: Any) -> Any:
                """The last state."""
                return self.memory(x)[0][:, -1]

        return Memory()


@dataclass(frozen=True)
class ConvolutionalMemory:
    """Long short-term memory whose products are convolutions (Shi et al. 2015): (c, frames, h, w) to (width, h, w)."""

    width: int
    kernel: int = 3

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        import torch
        from torch import nn

        c, frames, h, w = shape
        width, kernel = self.width, self.kernel

        class Memory(nn.Module):
            """The memory."""

            def __init__(self) -> None:
                super().__init__()
                self.gates = nn.Conv2d(c + width, 4 * width, kernel, padding=kernel // 2)

            def forward(self, x: Any) -> Any:
                """The last state."""
                state = kept = x.new_zeros(len(x), width, h, w)
                for at in range(frames):
                    take, forget, give, new = self.gates(torch.cat([x[:, :, at], state], dim=1)).chunk(4, dim=1)
                    kept = torch.sigmoid(forget) * kept + torch.sigmoid(take) * torch.tanh(new)
                    state = torch.sigmoid(give) * torch.tanh(kept)
                return state

        return Memory()


@dataclass(frozen=True)
class Frames:
    """Some frames of a clip: (c, frames, h, w) to fewer frames; with `alone` one frame as a picture (c, h, w).

    Attributes:
        step: Every n-th frame is kept.
        alone: Number of the only frame, or None.
    """

    step: int = 1
    alone: int | None = None

    def build(self, shape: Shape) -> nn.Module:
        """See `layers_parts.Part`."""
        step, alone = self.step, self.alone
        return applied(lambda x: x[:, :, ::step] if alone is None else x[:, :, alone])
