"""Running the network over a session of any length in overlapping, cross-faded windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.threads import one_thread
from fusion.calibration import Temperature
from fusion.tokens import Tokens
from fusion.transformer import JOINT, steps_of
from fusion.vocabulary import WIDTHS

if TYPE_CHECKING:
    from torch import Tensor, nn

Joint = NDArray[np.float64]
BATCH = 8
"""Windows that go through the network at once; memory depends on this, not on the length of the session."""


def window_starts(n: int, steps: int) -> list[int]:
    """First steps of windows of `steps` steps, half a window apart, that together cover n steps."""
    if n <= steps:
        return [0]
    starts = list(range(0, n - steps, max(1, steps // 2)))
    return [*starts, n - steps]


def fade(steps: int) -> NDArray[np.float64]:
    """Weight of each step of a window, largest in its middle, above 0 everywhere; shape (steps,)."""
    at = (np.arange(steps) + 0.5) / steps
    return np.sin(np.pi * at) ** 2 + 1e-3


def stack(parts: Sequence[Tokens], steps: int, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tokens of equal or smaller length as tensors (batch, steps, width) per channel; what is shorter is masked."""
    import torch

    values, shares = {}, {}
    for channel in CHANNELS:
        both = np.zeros((2, len(parts), steps, WIDTHS[channel]), np.float32)
        for row, part in enumerate(parts):
            both[0, row, : len(part)] = part.values[channel]
            both[1, row, : len(part)] = part.shares[channel]
        values[channel], shares[channel] = (torch.from_numpy(one).to(device) for one in both)
    return values, shares


def joint_of(network: nn.Module, parts: Sequence[Tokens], temperature: Temperature, device: str = "cpu") -> Joint:
    """Joint probabilities of windows of tokens.

    Args:
        network: From `fusion.transformer.build`, in evaluation mode.
        parts: Windows, none longer than the network's steps.
        temperature: Logits are divided by it.
        device: Where the network lies.

    Returns:
        float64 (windows, steps, 16), felt x shown, each summing to 1.
    """
    import torch

    with torch.inference_mode(), one_thread():
        logits = network(*stack(parts, steps_of(network), device)).cpu().double()
        divisor = torch.from_numpy(temperature.at(presence_in(parts)))
        return (logits / divisor[:, None, None]).softmax(-1).numpy()


def presence_in(parts: Sequence[Tokens]) -> NDArray[np.float64]:
    """Share 0..1 of each window in which each channel is there, (windows, 5), columns as in `CHANNELS`."""
    return np.array([[part.present(channel).mean() for channel in CHANNELS] for part in parts])


def session_joint(
    network: nn.Module, tokens: Tokens, temperature: Temperature, device: str = "cpu", without: str | None = None
) -> Joint:
    """Joint probabilities of a whole session, the windows cross-faded.

    Args:
        network: From `fusion.transformer.build`, in evaluation mode.
        tokens: n steps.
        temperature: Logits are divided by it.
        device: Where the network lies.
        without: Channel to hide.

    Returns:
        float64 (n, 16), each row summing to 1.
    """
    shown = tokens if without is None else tokens.only([c for c in CHANNELS if c != without])
    total, weight = np.zeros((len(tokens), JOINT)), np.zeros(len(tokens))
    for start, joint in windows_of(network, shown, temperature, device):
        add(total, weight, start, joint)
    return total / weight[:, None]


def windows_of(
    network: nn.Module, tokens: Tokens, temperature: Temperature, device: str = "cpu"
) -> Iterator[tuple[int, Joint]]:
    """First step and joint probabilities (at most steps, 16) of every window, a batch at a time."""
    steps = steps_of(network)
    starts = window_starts(len(tokens), steps)
    for first in range(0, len(starts), BATCH):
        chosen = starts[first : first + BATCH]
        parts = [tokens.part(start, start + steps) for start in chosen]
        for start, part, joint in zip(chosen, parts, joint_of(network, parts, temperature, device), strict=True):
            yield start, joint[: len(part)]


def add(total: Joint, weight: NDArray[np.float64], start: int, joint: Joint) -> None:
    """Add one window to running sums, faded at its ends."""
    faded = fade(len(joint))
    total[start : start + len(joint)] += faded[:, None] * joint
    weight[start : start + len(joint)] += faded
