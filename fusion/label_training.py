"""Fitting the head of a lab's label: what it reads and how strongly it is held back are chosen on people left out.

Inside one training set the people are divided into a few parts. For each part a candidate is fitted to the others by
gradient descent from zero and stopped where the part's loss is lowest. Blocks join one at a time, late, as long as the
loss over all parts falls: sixty people cannot tell a channel that says much from six that say nothing where all are
read at once. The members of what is taken, one per part, make the head. Classes weigh alike in fitting (imbalance), the
lab's own shares come back through the prior, and one temperature is fitted to what members say of people left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import NothingUsableError
from data_schemas.threads import one_thread
from fusion.label_head import Array, Floats, LabelHead
from fusion.label_steps import STATEMENTS, STATES, joined

if TYPE_CHECKING:
    from torch import Tensor

Blocks = Mapping[str, Floats]
Codes = NDArray[np.int64]


LEAST_ALONE = 0.001
"""A block that alone tells people left out by less than this, nats, is not tried beside others: linear parts add up."""


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """How a head is fitted.

    Attributes:
        blocks: What may be read; see `fusion.label_steps.pool`.
        choose: Take the block that tells people left out best, then add the one that helps most as long as one helps;
            else all blocks are read at once.
        least_gain: By how much a further block must lower the loss of people left out, nats.
        penalties: Candidates of the weight of the squared weights.
        parts: Parts of the people, one member each.
        rate: Step of Adam.
        epochs: Most passes.
        check_every: Passes between looks at the part left out.
        patience: Looks without improvement after which fitting stops.
    """

    blocks: tuple[str, ...] = (STATEMENTS, STATES, *CHANNELS)
    choose: bool = True
    least_gain: float = 0.003
    penalties: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    parts: int = 3
    rate: float = 0.1
    epochs: int = 240
    check_every: int = 6
    patience: int = 5


@dataclass(frozen=True, eq=False)
class Rows:
    """Labelled stretches.

    Attributes:
        blocks: What the head may read, each (n, columns).
        label: Class, int64 (n,).
        person: Number of the person, int64 (n,).
        thinned: The same stretches with random channels left out, for fitting alone; may be empty.
    """

    blocks: Blocks
    label: Codes
    person: Codes
    thinned: tuple[Blocks, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    def part(self, chosen: NDArray[np.bool_]) -> Rows:
        """The stretches of a mask (n,)."""
        thinned = tuple({name: one[chosen] for name, one in blocks.items()} for blocks in self.thinned)
        own = {name: one[chosen] for name, one in self.blocks.items()}
        return Rows(own, self.label[chosen], self.person[chosen], thinned)


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head and how it came about.

    Attributes:
        head: With its temperature.
        reading: The blocks that are read, in the order in which they were taken, joined by " + ".
        penalty: Which penalty.
        losses: Reading -> mean loss of people left out, nats, all classes alike, at its best penalty.
        epochs: At which pass each member was stopped.
        left_out: What members say of people they were not fitted to, before the temperature: logits (n, k).
    """

    head: LabelHead
    reading: str
    penalty: float
    losses: Mapping[str, float]
    epochs: tuple[int, ...]
    left_out: Array


def deal_people(person: Codes, label: Codes, parts: int, seed: int) -> Codes:
    """Part 0..parts-1 of each row: whole people, the classes spread as evenly as whole people allow; int64 (n,).

    Args:
        person: Number of the person of each row.
        label: Class of each row.
        parts: How many; no more than there are people.
        seed: Of the order of equals.
    """
    rng = np.random.default_rng([seed, 5])
    people = np.unique(person)
    counts = np.stack([np.bincount(label[person == one], minlength=int(label.max()) + 1) for one in people])
    order = rng.permutation(len(people))
    order = order[np.argsort(-counts[order].max(axis=1), kind="stable")]
    parts = min(parts, len(people))
    fair = counts.sum(axis=0) / parts
    filled, sizes = np.zeros((parts, counts.shape[1])), np.zeros(parts)
    given = np.zeros(len(people), np.int64)
    for one in order:
        before, after = filled / np.maximum(fair, 1), (filled + counts[one]) / np.maximum(fair, 1)
        growth = (after**2 - before**2).sum(axis=1)
        open_to = np.flatnonzero(sizes == sizes.min())
        at = int(open_to[np.argmin(growth[open_to])])
        given[one], sizes[at] = at, sizes[at] + 1
        filled[at] += counts[one]
    return given[np.searchsorted(people, person)]


def fit_head(rows: Rows, classes: int, plan: HeadPlan | None = None, seed: int = 0) -> FittedHead:
    """Choose, fit and calibrate a head on the people of these rows alone.

    Args:
        rows: Training rows.
        classes: Number of classes k; each must occur.
        plan: Candidates and sizes.
        seed: Of the parts.

    Raises:
        NothingUsableError: fewer than two people, or a class without a row.
    """
    how = plan or HeadPlan()
    counts = np.bincount(rows.label, minlength=classes)
    if len(np.unique(rows.person)) < 2 or counts.min() == 0:
        raise NothingUsableError(
            "a head needs at least two people and rows of every class", got=f"rows per class: {counts.tolist()}"
        )
    parts = deal_people(rows.person, rows.label, how.parts, seed)
    prior = (counts / counts.sum()).astype(np.float32)
    losses: dict[str, float] = {}
    with one_thread():
        blocks, path = _choose(rows, parts, classes, how, losses)
    at = path.best
    left_out = path.left_out[at] + np.log(prior)
    head = LabelHead(
        blocks, path.middle, path.scale, path.weights[:, at], path.offsets[:, at], prior,
        fit_one_temperature(left_out, rows.label),
    )  # fmt: skip
    return FittedHead(
        head, " + ".join(blocks), how.penalties[at], losses, tuple(int(one) for one in path.epochs[:, at]), left_out
    )  # fmt: skip


def _choose(
    rows: Rows, parts: Codes, classes: int, plan: HeadPlan, losses: dict[str, float]
) -> tuple[tuple[str, ...], _Path]:
    """The blocks to read and their fit; every loss on the way is noted."""

    def tried(blocks: tuple[str, ...]) -> tuple[tuple[str, ...], _Path]:
        path = _fit_parts(rows, blocks, parts, classes, plan)
        losses[" + ".join(blocks)] = round(path.loss, 5)
        return blocks, path

    if not plan.choose:
        return tried(plan.blocks)
    alone = [tried((one,)) for one in plan.blocks]
    taken = min(alone, key=lambda pair: pair[1].loss)
    open_to = [blocks[0] for blocks, path in alone if path.loss < np.log(classes) - LEAST_ALONE]
    while more := [tried((*taken[0], one)) for one in open_to if one not in taken[0]]:
        best = min(more, key=lambda pair: pair[1].loss)
        if best[1].loss > taken[1].loss - plan.least_gain:
            break
        taken = best
    return taken


@dataclass(frozen=True, eq=False)
class _Path:
    """All parts and penalties of one reading; arrays begin (parts, penalties)."""

    middle: Floats
    scale: Floats
    weights: Floats
    offsets: Floats
    losses: Array
    epochs: NDArray[np.int64]
    people: Array
    left_out: Array

    @property
    def mean_losses(self) -> Array:
        """Over all parts, each by its people, (penalties,)."""
        return np.asarray(np.average(self.losses, axis=0, weights=self.people))

    @property
    def best(self) -> int:
        """The penalty with the lowest loss."""
        return int(np.argmin(self.mean_losses))

    @property
    def loss(self) -> float:
        """The lowest loss."""
        return float(self.mean_losses.min())


def _fit_parts(rows: Rows, blocks: Sequence[str], parts: Codes, classes: int, plan: HeadPlan) -> _Path:
    import torch

    x = joined(rows.blocks, blocks)
    middle, scale = _scale(x, [rows.blocks[name].shape[1] for name in blocks])
    own = torch.from_numpy((x - middle) / scale)
    thinned = [torch.from_numpy((joined(one, blocks) - middle) / scale) for one in rows.thinned]
    label = torch.from_numpy(rows.label)
    count, k = int(parts.max()) + 1, len(plan.penalties)
    weights = np.zeros((count, k, x.shape[1], classes), np.float32)
    offsets, losses = np.zeros((count, k, classes), np.float32), np.zeros((count, k))
    epochs, people = np.zeros((count, k), np.int64), np.zeros(count)
    left_out = np.zeros((k, len(rows), classes))
    for part in range(count):
        out = torch.from_numpy(parts == part)
        fit = torch.cat([own[~out], *(one[~out] for one in thinned)])
        share = torch.cat([torch.ones(int((~out).sum())), *(torch.full((int((~out).sum()),), 0.5) for _ in thinned)])
        targets = label[~out].repeat(1 + len(thinned))
        w, b, loss, epoch = _descend(
            fit, targets, share * _balance(targets, classes), own[out], label[out], classes, plan
        )  # fmt: skip
        weights[part], offsets[part], losses[part], epochs[part] = w.numpy(), b.numpy(), loss.numpy(), epoch.numpy()
        people[part] = len(np.unique(rows.person[parts == part]))
        left_out[:, parts == part] = (own[out] @ w + b[:, None]).double().numpy()
    return _Path(middle, scale, weights, offsets, losses, epochs, people, left_out)


def _scale(x: Floats, widths: Sequence[int]) -> tuple[Floats, Floats]:
    """Mean and divisor of each column; a block's columns are held back together as much as one column would be."""
    middle, spread = x.mean(axis=0), x.std(axis=0)
    size = np.repeat(np.sqrt(widths), widths)
    return middle, np.where(spread > 1e-6, np.maximum(spread, 1e-3) * size, np.inf).astype(np.float32)


def _balance(targets: Tensor, classes: int) -> Tensor:
    """Weight of each row by which all classes weigh alike, mean 1."""
    import torch

    counts = torch.bincount(targets, minlength=classes).clamp(min=1)
    return (len(targets) / classes / counts)[targets]


def _descend(
    x: Tensor, y: Tensor, weight: Tensor, x_out: Tensor, y_out: Tensor, classes: int, plan: HeadPlan
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fit for all penalties at once, each kept where the people left out are told best.

    Returns:
        Weights (penalties, p, k), offsets (penalties, k), loss of those left out and the pass of each (penalties,).
    """
    import torch
    from torch.nn.functional import log_softmax

    k = len(plan.penalties)
    w = torch.zeros(k, x.shape[1], classes, requires_grad=True)
    b = torch.zeros(k, classes, requires_grad=True)
    penalty = torch.tensor(plan.penalties)
    optimizer = torch.optim.Adam([w, b], lr=plan.rate)
    balance_out = _balance(y_out, classes)
    best = torch.full((k,), float("inf"))
    kept_w, kept_b = w.detach().clone(), b.detach().clone()
    at, since = torch.zeros(k, dtype=torch.int64), torch.zeros(k, dtype=torch.int64)

    def loss_of(inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        logits = log_softmax(inputs @ w + b[:, None], dim=-1)
        picked = logits.gather(-1, targets[None, :, None].expand(k, -1, 1))[..., 0]
        return -(picked * weights).sum(-1) / weights.sum()

    for epoch in range(plan.epochs + 1):
        if epoch % plan.check_every == 0:
            with torch.no_grad():
                now = loss_of(x_out, y_out, balance_out)
            better = now < best - 1e-5
            best = torch.where(better, now, best)
            kept_w[better], kept_b[better] = w.detach()[better], b.detach()[better]
            at[better] = epoch
            since = torch.where(better, 0, since + 1)
            if bool((since > plan.patience).all()):
                break
        loss = (loss_of(x, y, weight) + penalty * (w**2).sum((1, 2))).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return kept_w, kept_b, best, at


def fit_one_temperature(logits: Array, label: Codes) -> float:
    """The temperature that minimises the cross-entropy of logits (n, k), within 0.2..10 (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    def loss(log_temperature: float) -> float:
        said = softmax(logits / np.exp(log_temperature), axis=-1)
        return float(-np.log(np.clip(said[np.arange(len(label)), label], 1e-12, 1.0)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.2), np.log(10.0)), method="bounded").x))
