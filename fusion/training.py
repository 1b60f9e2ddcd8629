"""Fitting the network to examples with known truth: any iterator of them, simulated or a lab's own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS, EMOTIONS
from data_schemas.errors import InvalidValueError, NothingUsableError
from data_schemas.hook import Hook, silent
from data_schemas.threads import one_thread
from fusion.calibration import Decisions, cannot_say_threshold, conceal_threshold, fit_temperature
from fusion.posterior import concealed_of, felt_of, uncertainty_of
from fusion.tokens import Tokens
from fusion.transformer import Shape, build, steps_of
from fusion.vocabulary import WIDTHS
from fusion.windows import presence_in, stack, window_starts

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAVE_OVER_ENTER = 0.7
"""An incongruence ends where the probability falls below this part of the threshold at which it begins."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What was truly felt and shown, at the times of the tokens.

    Attributes:
        felt: Indices into `EMOTIONS`, int8 (n,).
        shown: The same, int8 (n,).
    """

    felt: NDArray[np.int8]
    shown: NDArray[np.int8]

    @property
    def joint(self) -> NDArray[np.int64]:
        """Cell of the joint table, 0..15, int64 (n,)."""
        return self.felt.astype(np.int64) * len(EMOTIONS) + self.shown

    def part(self, start: int, stop: int) -> Truth:
        """Steps start..stop-1."""
        return Truth(self.felt[start:stop], self.shown[start:stop])


@dataclass(frozen=True, eq=False)
class Example:
    """Tokens of one session and the truth at their times."""

    tokens: Tokens
    truth: Truth

    def part(self, start: int, stop: int) -> Example:
        """Steps start..stop-1 of both."""
        return Example(self.tokens.part(start, stop), self.truth.part(start, stop))


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to train.

    Attributes:
        seed: Of weights, order and dropout of channels; the same seed gives the same weights on the same machine.
        shape: Size of the network.
        batches: Most batches.
        batch: Windows per batch.
        per_session: Windows taken from each session.
        learning_rate: At its highest; rises over the first 5 % and falls to 0 as a cosine.
        subset_share: Share of windows in which only a random subset of the channels is left; besides, a quarter of all
            windows lose some columns of each channel, because encoders differ in what they give.
        check_every: Batches between checks on the held-out sessions.
        patience: Checks without improvement after which training stops.
    """

    seed: int = 0
    shape: Shape = field(default_factory=Shape)
    batches: int = 1000
    batch: int = 16
    per_session: int = 4
    learning_rate: float = 2e-3
    subset_share: float = 0.65
    check_every: int = 50
    patience: int = 8


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network with the weights that did best on held-out sessions.

    Attributes:
        network: In evaluation mode.
        losses: Cross-entropy of each batch, nats.
        held_out_losses: Cross-entropy at each check, nats.
        best_check: Which check was kept.
    """

    network: nn.Module
    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]
    best_check: int


def fit(examples: Iterator[Example], held_out: Sequence[Example], plan: TrainingPlan, hook: Hook = silent) -> Fitted:
    """Train on a stream of examples until it ends, the plan's batches are done, or held-out sessions stop improving.

    Args:
        examples: Any number; each is used once.
        held_out: Other sessions, for early stopping.
        plan: Sizes, rates, seed.
        hook: Progress in batches.

    Raises:
        NothingUsableError: not enough examples for one batch, or none held out.
    """
    import torch
    from torch.nn.functional import cross_entropy

    if not held_out:
        raise NothingUsableError("training needs held-out sessions for early stopping")
    rng = np.random.default_rng(plan.seed)
    checks = held_out_windows(held_out, plan.shape.steps, plan.seed)
    losses: list[float] = []
    held: list[float] = []
    best: dict[str, Any] = {}
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = build(plan.shape)
        optimizer = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: pace(at / plan.batches))
        for batch in _batches(examples, plan, rng):
            network.train()
            loss = cross_entropy(*_logits_and_targets(network, batch))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            hook("train", len(losses), plan.batches)
            if len(losses) % plan.check_every and len(losses) < plan.batches:
                continue
            held.append(held_out_loss(network, checks))
            if held[-1] <= min(held):
                best = copy.deepcopy(network.state_dict())
            elif len(held) - int(np.argmin(held)) > plan.patience:
                break
    if not losses:
        raise NothingUsableError("not enough examples for one batch", got=0, expected=f"{plan.batch} windows")
    if not held:
        held.append(held_out_loss(network, checks))
        best = network.state_dict()
    network.load_state_dict(best)
    network.eval()
    return Fitted(network, tuple(losses), tuple(held), int(np.argmin(held)))


def pace(progress: float) -> float:
    """Learning rate over its highest at a share 0..1 of the training."""
    warm = 0.05
    return progress / warm if progress < warm else 0.5 + 0.5 * float(np.cos(np.pi * (progress - warm) / (1 - warm)))


def decide(network: nn.Module, held_out: Sequence[Example], seed: int = 0) -> Decisions:
    """Temperature and thresholds from held-out sessions, with all channels and with random subsets of them.

    Raises:
        NothingUsableError: no session.
    """
    import torch

    if not held_out:
        raise NothingUsableError("thresholds need held-out sessions")
    windows = calibration_windows(held_out, steps_of(network), seed)
    with torch.inference_mode(), one_thread():
        both = [_logits_and_targets(network.eval(), windows[at : at + 16]) for at in range(0, len(windows), 16)]
    logits, targets = torch.cat([one for one, _ in both]), torch.cat([one for _, one in both])
    lengths = [len(one.tokens) for one in windows]
    presence = np.repeat(presence_in([one.tokens for one in windows]), lengths, axis=0)
    temperature = fit_temperature(logits, targets, torch.from_numpy(presence))
    divisor = torch.from_numpy(temperature.at(presence))
    joint = (logits.double() / divisor[:, None]).softmax(-1).numpy()
    felt, shown = np.divmod(targets.numpy(), len(EMOTIONS))
    right = felt_of(joint).argmax(-1) == felt
    enter = conceal_threshold(concealed_of(joint), felt != shown)
    return Decisions(
        temperature=temperature,
        cannot_say_above=round(cannot_say_threshold(uncertainty_of(joint), right), 4),
        conceal_enter=round(enter, 4),
        conceal_leave=round(LEAVE_OVER_ENTER * enter, 4),
    )


def held_out_windows(held_out: Sequence[Example], steps: int, seed: int) -> list[Example]:
    """Windows that do not overlap, every second one with a random subset of the channels, always the same."""
    rng = np.random.default_rng([seed, 1])
    windows = []
    for example in held_out:
        for start in window_starts(len(example.tokens), steps)[::2]:
            part = example.part(start, start + steps)
            windows.append(_thin(part, rng, 0.5))
    return windows


def calibration_windows(held_out: Sequence[Example], steps: int, seed: int) -> list[Example]:
    """Windows that do not overlap, each with all its channels and with four random subsets of every size below."""
    rng = np.random.default_rng([seed, 2])
    windows = []
    for example in held_out:
        for start in window_starts(len(example.tokens), steps)[::2]:
            part = example.part(start, start + steps)
            windows.append(part)
            for count in range(1, len(CHANNELS)):
                kept = [CHANNELS[at] for at in rng.permutation(len(CHANNELS))[:count]]
                windows.append(Example(part.tokens.only(kept), part.truth))
    return windows


def held_out_loss(network: nn.Module, windows: Sequence[Example]) -> float:
    """Mean cross-entropy per step, nats."""
    import torch
    from torch.nn.functional import cross_entropy

    network.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for at in range(0, len(windows), 16):
            logits, targets = _logits_and_targets(network, windows[at : at + 16])
            total += float(cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
    return total / count


def _batches(examples: Iterator[Example], plan: TrainingPlan, rng: np.random.Generator) -> Iterator[list[Example]]:
    """Batches of random windows, drawn from a pool of several sessions, so that no batch holds one person alone."""
    pool: list[Example] = []
    steps, given = plan.shape.steps, 0
    for example in examples:
        if len(example.tokens) != len(example.truth.felt):
            raise InvalidValueError("an example's truth does not fit its tokens", got=len(example.truth.felt))
        last = max(0, len(example.tokens) - steps)
        for start in rng.integers(0, last + 1, plan.per_session).tolist():
            pool.append(_thin(example.part(start, start + steps), rng, plan.subset_share))
        while len(pool) >= 4 * plan.batch or (len(pool) >= plan.batch and given == 0):
            chosen = rng.permutation(len(pool))[: plan.batch]
            yield [pool[at] for at in chosen]
            given += 1
            pool = [one for at, one in enumerate(pool) if at not in set(chosen.tolist())]
            if given == plan.batches:
                return
    while len(pool) >= plan.batch and given < plan.batches:
        yield pool[: plan.batch]
        pool, given = pool[plan.batch :], given + 1


def _thin(example: Example, rng: np.random.Generator, share: float) -> Example:
    """With this chance only some of the channels, any number and any of that number alike; at times fewer columns."""
    count, order, drop = int(rng.integers(1, len(CHANNELS))), rng.permutation(len(CHANNELS)), rng.random() < share
    tokens, thinner = example.tokens, rng.random() < 0.25
    if drop:
        tokens = tokens.only([CHANNELS[at] for at in order[:count]])
    if thinner:
        lost = {channel: rng.random(WIDTHS[channel]) < rng.uniform(0, 0.6) for channel in CHANNELS}
        tokens = tokens.without_columns(lost)
    return Example(tokens, example.truth)


def _logits_and_targets(network: nn.Module, windows: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Logits (k, 16) and joint classes (k,) of all steps of the windows, padding left out."""
    import torch

    steps = steps_of(network)
    logits = network(*stack([one.tokens for one in windows], steps))
    lengths = [len(one.tokens) for one in windows]
    real = torch.arange(steps)[None] < torch.tensor(lengths)[:, None]
    targets = torch.from_numpy(np.concatenate([one.truth.joint for one in windows]))
    return logits[real], targets
