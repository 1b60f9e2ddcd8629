"""Several networks trained apart speak with one voice; where they disagree, the model itself does not know.

The entropy of their mean is the whole uncertainty; the mean of their entropies is what even the right model could not
tell from these data; the difference, the mutual information between statement and network, is what more training or
more sessions like this one could remove (Depeweg et al. 2018, ICML; Lakshminarayanan et al. 2017, NeurIPS).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.threads import one_thread
from fusion.calibration import Temperature
from fusion.posterior import uncertainty_of
from fusion.tokens import Tokens
from fusion.transformer import Shape, build, steps_of
from fusion.windows import BATCH, fade, presence_in, stack, window_starts

if TYPE_CHECKING:
    from torch import Tensor, nn


def members_of(network: nn.Module) -> list[nn.Module]:
    """The networks of an ensemble; a single network is its own only member."""
    found: Any = getattr(network, "members", None)
    return [network] if found is None else list(found)


def together(networks: Sequence[nn.Module]) -> nn.Module:
    """Networks of one shape as one: its logits are the logarithm of their mean probability.

    Args:
        networks: At least one, from `fusion.transformer.build`.
    """
    if len(networks) == 1:
        return networks[0]
    network: nn.Module = _ensemble()(networks)
    return network


def build_several(shape: Shape, members: int) -> nn.Module:
    """An untrained network, or an ensemble of several."""
    return together([build(shape) for _ in range(members)])


def uncertainties(
    network: nn.Module, tokens: Tokens, temperature: Temperature, device: str = "cpu"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Uncertainty of the felt emotion by where it comes from, the windows cross-faded.

    Args:
        network: A network or an ensemble, in evaluation mode.
        tokens: n steps.
        temperature: Logits are divided by it.
        device: Where the network lies.

    Returns:
        Of the data and of the model, float64 (n,) each, 0..1 as `fusion.posterior.uncertainty_of`. A single network
        never disagrees with itself: its second part is 0.
    """
    import torch

    steps = steps_of(network)
    sums, weight = np.zeros((2, len(tokens))), np.zeros(len(tokens))
    starts = window_starts(len(tokens), steps)
    with torch.inference_mode(), one_thread():
        for first in range(0, len(starts), BATCH):
            chosen = starts[first : first + BATCH]
            parts = [tokens.part(start, start + steps) for start in chosen]
            divisor = torch.from_numpy(temperature.at(presence_in(parts)))[:, None, None]
            inputs = stack(parts, steps, device)
            joints = np.stack(
                [(one(*inputs).cpu().double() / divisor).softmax(-1).numpy() for one in members_of(network)]
            )
            data = uncertainty_of(joints).mean(axis=0)
            model = np.clip(uncertainty_of(joints.mean(axis=0)) - data, 0.0, 1.0)
            for row, (start, part) in enumerate(zip(chosen, parts, strict=True)):
                where, faded = slice(start, start + len(part)), fade(len(part))
                sums[0, where] += faded * data[row, : len(part)]
                sums[1, where] += faded * model[row, : len(part)]
                weight[where] += faded
    data_part, model_part = sums / weight
    return data_part, model_part


@cache
def _ensemble() -> Any:
    """The class, made on first use so that torch is not imported with this module."""
    import torch
    from torch import nn

    class Ensemble(nn.Module):
        """Same inputs and outputs as one member."""

        def __init__(self, networks: Sequence[nn.Module]) -> None:
            super().__init__()
            self.members = nn.ModuleList(networks)
            self.shape = networks[0].shape

        def forward(self, values: dict[str, Tensor], shares: dict[str, Tensor]) -> Tensor:
            logs = torch.stack([one(values, shares).log_softmax(-1) for one in self.members])
            return logs.logsumexp(0) - float(np.log(len(self.members)))

    return Ensemble
