"""How much each channel has to say in a statement: what changes when the channel is taken away.

For each present channel the network is run again with that channel masked. The Jensen-Shannon divergence between the
joint felt x shown probability with and without it is the channel's weight, and weights are divided by their sum. The
measure is faithful by construction - a channel that changes nothing has no share - but where two channels say the same,
taking away either changes little, and both shares are small before the division.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.hook import Hook, silent
from fusion.calibration import Temperature
from fusion.posterior import divergence
from fusion.tokens import Tokens
from fusion.windows import Joint, session_joint

if TYPE_CHECKING:
    from torch import nn

LEAST_BITS = 1e-7
"""Summed divergence below which no channel changed anything; the present channels then share equally."""


def joint_and_shares(
    network: nn.Module, tokens: Tokens, temperature: Temperature, device: str = "cpu", hook: Hook = silent
) -> tuple[Joint, NDArray[np.float64]]:
    """The statement of all channels and each channel's share in it.

    Args:
        network: In evaluation mode.
        tokens: n steps.
        temperature: Logits are divided by it.
        device: Where the network lies.
        hook: Progress, one unit per run of the network over the session.

    Returns:
        Joint probabilities (n, 16) and shares (n, 5), columns as in `CHANNELS`. Shares sum to 1 at every step; a
        channel without any token has 0. Without any channel all shares are 0.
    """
    joint, change = joint_and_change(network, tokens, temperature, device, hook)
    return joint, share_out(change, present_in(tokens))


def joint_and_change(
    network: nn.Module, tokens: Tokens, temperature: Temperature, device: str = "cpu", hook: Hook = silent
) -> tuple[Joint, NDArray[np.float64]]:
    """The statement of all channels and how much taking each away changes it.

    Args:
        network: In evaluation mode.
        tokens: n steps.
        temperature: Logits are divided by it.
        device: Where the network lies.
        hook: Progress, one unit per run of the network over the session.

    Returns:
        Joint probabilities (n, 16) and Jensen-Shannon divergences in bits, 0..1, (n, 5), columns as in `CHANNELS`; 0 of
        a channel without any token. A channel that is the only one has 1: there is no statement without it.
    """
    present = tokens.channels
    runs = 1 + (len(present) if len(present) > 1 else 0)
    hook("fuse", 0, runs)
    joint = session_joint(network, tokens, temperature, device)
    hook("fuse", 1, runs)
    change = np.zeros((len(tokens), len(CHANNELS)))
    if len(present) == 1:
        change[:, CHANNELS.index(present[0])] = 1.0
        return joint, change
    for done, channel in enumerate(present, 2):
        without = session_joint(network, tokens, temperature, device, without=channel)
        change[:, CHANNELS.index(channel)] = divergence(joint, without)
        hook("fuse", done, runs)
    return joint, change


def present_in(tokens: Tokens) -> NDArray[np.bool_]:
    """Which channels have any token, (5,), as in `CHANNELS`."""
    return np.array([channel in tokens.channels for channel in CHANNELS])


def shares_over(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (5,) in the statement over a stretch of k steps, from what taking each channel away changes, (k, 5).

    Changes are added up before they are divided, so that a moment at which much hangs on a channel weighs more than
    many at which next to nothing hangs on any.
    """
    return share_out(change.sum(axis=0, keepdims=True), np.asarray(change.any(axis=0)))[0]


def share_out(change: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Changes (n, 5) over their sum; equal shares of the present channels (5,) where nothing changed."""
    total = change.sum(axis=1, keepdims=True)
    equal = np.broadcast_to(present / max(1, int(np.count_nonzero(present))), change.shape)
    return np.where(total > LEAST_BITS, change / np.maximum(total, LEAST_BITS), equal)
