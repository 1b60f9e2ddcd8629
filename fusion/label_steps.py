"""What the head of a lab's own label reads: the transformer's states and statements, and the tokens themselves.

The transformer was trained to tell felt from shown emotion; what a lab's label needs and that training had no use for
may be lost in its states. So the head is given the tokens beside them, and cross-validation decides what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError
from data_schemas.threads import one_thread
from data_schemas.time import Int64Array, to_ns
from fusion.ensemble import members_of
from fusion.posterior import concealed_of, felt_of, shown_of
from fusion.tokens import HOP_NS, Tokens
from fusion.transformer import JOINT, steps_of
from fusion.vocabulary import WIDTHS
from fusion.windows import BATCH, fade, stack, window_starts

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]
HEAD = "felt_shown"
AFTER_NS = to_ns(4.0)
"""Stretch after a labelled one that is read too: the skin answers 1 to 4 s later (Boucsein et al. 2012)."""
STATEMENTS, STATES = "statements", "states"
LEAST = 1e-4


@dataclass(frozen=True, eq=False)
class Steps:
    """A session of one person as the head of a label sees it.

    Attributes:
        times_ns: Centres of the n steps, 0.5 s apart.
        states: The transformer's states before its last layer of weights, float32 (n, width).
        statements: Log odds of concealed, log probability of each felt and each shown emotion, float32 (n, 9).
        values: Channel -> tokens, float32 (n, width of the channel).
        shares: Channel -> valid share of each, the same shape.
    """

    times_ns: Int64Array
    states: Floats
    statements: Floats
    values: Mapping[str, Floats]
    shares: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.times_ns)


def steps_from(network: nn.Module, tokens: Tokens, device: str = "cpu") -> Steps:
    """Run the transformer over a session, the windows cross-faded; memory is flat in its length but for the result.

    Args:
        network: In evaluation mode; of an ensemble the statements are those of all, the states those of the first.
        tokens: n steps of one person.
        device: Where the network lies.

    Raises:
        InvalidValueError: a session without a step.
    """
    import torch

    if not len(tokens):
        raise InvalidValueError("a session without a step has no states")
    steps = steps_of(network)
    starts = window_starts(len(tokens), steps)
    states: NDArray[np.float64] | None = None
    joint, weight = np.zeros((len(tokens), JOINT)), np.zeros(len(tokens))
    with torch.inference_mode(), one_thread():
        for first in range(0, len(starts), BATCH):
            chosen = starts[first : first + BATCH]
            parts = [tokens.part(start, start + steps) for start in chosen]
            logits, inner = _run(network, stack(parts, steps, device))
            said = logits.cpu().double().softmax(-1).numpy()
            known = inner.cpu().double().numpy()
            if states is None:
                states = np.zeros((len(tokens), known.shape[-1]))
            for row, (start, part) in enumerate(zip(chosen, parts, strict=True)):
                where, faded = slice(start, start + len(part)), fade(len(part))
                states[where] += faded[:, None] * known[row, : len(part)]
                joint[where] += faded[:, None] * said[row, : len(part)]
                weight[where] += faded
    joint /= weight[:, None]
    hidden = np.clip(concealed_of(joint), LEAST, 1 - LEAST)
    logs = [np.log(np.clip(one(joint), LEAST, 1)) for one in (felt_of, shown_of)]
    statements = np.concatenate([np.log(hidden / (1 - hidden))[:, None], *logs], axis=1).astype(np.float32)
    known = np.zeros((len(tokens), 0)) if states is None else states / weight[:, None]
    return Steps(tokens.times_ns, known.astype(np.float32), statements, dict(tokens.values), dict(tokens.shares))


def _run(network: nn.Module, inputs: tuple[dict[str, Tensor], dict[str, Tensor]]) -> tuple[Tensor, Tensor]:
    """Logits (windows, steps, 16), and what goes into the head of the first network (windows, steps, width)."""
    kept: list[Tensor] = []
    first: Any = members_of(network)[0]
    handle = first.heads[HEAD].register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    try:
        logits = network(*inputs)
    finally:
        handle.remove()
    return logits, kept[-1]


def pool(steps: Steps, onset_ns: Int64Array, offset_ns: Int64Array) -> dict[str, Floats]:
    """What the head reads of m stretches of a session.

    Args:
        steps: Of the session.
        onset_ns: Starts, int64 (m,).
        offset_ns: Ends, int64 (m,); a stretch that holds no step is read from the one nearest to its middle.

    Returns:
        Block -> float32 (m, columns). "statements": mean and maximum within. "states": mean within, mean of the 4 s
        after. One block per channel: mean of the valid tokens within and after, 0 where nothing is valid, and in one
        column the share that is. (A share per column would tell the encoder's habits with a person, and so the person.)
    """
    first, last = _range(steps.times_ns, onset_ns, offset_ns)
    late = np.searchsorted(steps.times_ns, offset_ns + AFTER_NS, side="left")
    late = np.maximum(late, last)
    ones = np.ones((len(steps), 1), np.float32)
    peaks = np.stack([steps.statements[a:b].max(axis=0) for a, b in zip(first, last, strict=True)])
    out = {
        STATEMENTS: np.concatenate([_mean(steps.statements, ones, first, last), peaks], axis=1),
        STATES: np.concatenate(
            [_mean(steps.states, ones, first, last), _mean(steps.states, ones, last, late)], axis=1
        ),
    }  # fmt: skip
    for channel in CHANNELS:
        values, shares = steps.values[channel], steps.shares[channel]
        covered = _mean(shares, ones, first, last).mean(axis=1, keepdims=True)
        out[channel] = np.concatenate(
            [_mean(values, shares, first, last), _mean(values, shares, last, late), covered], axis=1
        )
    return {name: block.astype(np.float32) for name, block in out.items()}


def block_widths(width: int) -> dict[str, int]:
    """Columns of each block, for a transformer of some width."""
    statements = 1 + 2 * 4
    return {STATEMENTS: 2 * statements, STATES: 2 * width, **{c: 2 * WIDTHS[c] + 1 for c in CHANNELS}}


def sliding(times_ns: Int64Array, length_ns: int) -> tuple[Int64Array, Int64Array]:
    """Stretches of one length, one around each step: starts and ends, int64 (n,) each."""
    start = times_ns - length_ns // 2
    return start, start + max(length_ns, HOP_NS)


def _range(times: Int64Array, onset: Int64Array, offset: Int64Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First step, and the one after the last, of each stretch; never empty."""
    first = np.searchsorted(times, onset, side="left")
    last = np.searchsorted(times, offset, side="left")
    middle = np.clip(np.rint(((onset + offset) / 2 - times[0]) / HOP_NS).astype(np.intp), 0, len(times) - 1)
    empty = last <= first
    return np.where(empty, middle, first), np.where(empty, middle + 1, last)


def _mean(values: Floats, weights: Floats, first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.float64]:
    """Weighted mean of rows first..last-1 per column; 0 without weight."""
    weighted = values.astype(np.float64) * weights
    total, weight = _running(weighted), _running(np.broadcast_to(weights, values.shape).astype(np.float64))
    sums, counts = total[last] - total[first], weight[last] - weight[first]
    return np.asarray(np.where(counts > 1e-6, sums / np.maximum(counts, 1e-6), 0.0))


def _running(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])


def joined(blocks: Mapping[str, Floats], names: Sequence[str]) -> Floats:
    """Some blocks side by side, float32 (m, columns)."""
    return np.concatenate([blocks[name] for name in names], axis=1)
