"""Training the network on a user's clips; the persons it is judged by are never among those it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from data_schemas.threads import one_thread
from modalities.body.gestures.clips import Clips
from modalities.body.gestures.layouts import MIRROR, normalise
from modalities.body.skeleton import FloatArray

if TYPE_CHECKING:
    from modalities.body.gestures.network import GestureNet


@dataclass(frozen=True)
class GesturePlan:
    """How the network is trained.

    Attributes:
        epochs: Passes over the clips, 1..1000.
        batch: Clips at a time, 4..512.
        rate: Greatest learning rate (one cycle, Smith & Topin 2019).
        frames: Frames that a clip is brought to, 16..256.
        hold_out: Share of the clips whose persons are held out, 0.05..0.5.
        seed: Of weights, order and augmentation.
    """

    epochs: int = 40
    batch: int = 32
    rate: float = 3e-3
    frames: int = 48
    hold_out: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {"epochs": (1, 1000), "batch": (4, 512), "frames": (16, 256), "hold_out": (0.05, 0.5)}
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise InvalidValueError(f"{name} is out of range", got=getattr(self, name), expected=f"{low} to {high}")


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and what is known of it.

    Attributes:
        network: In evaluation mode.
        classes: Names in the order of its outputs.
        frames: Frames of a clip as it sees it.
        temperature: The log-odds are divided by it.
        figures: `accuracy`, `macro_f1`, `chance` (share of the commonest class), `recall` by class, all of held-out
            persons; numbers of clips and persons.
        plan: How it was trained.
        trained_on: Study and people, in pseudonyms; by default that nobody knows.
    """

    network: GestureNet
    classes: tuple[str, ...]
    frames: int
    temperature: float
    figures: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    trained_on: dict[str, Any] = field(default_factory=lambda: {"study": "unknown", "people": "unknown"})

    def classify(self, clips: Sequence[FloatArray]) -> FloatArray:
        """Probabilities (n, classes) of clips (t, 19, 3)."""
        import torch

        if not clips:
            return np.zeros((0, len(self.classes)))
        out = []
        with torch.no_grad(), one_thread():
            for first in range(0, len(clips), 64):
                x = np.stack([normalise(clip, self.frames) for clip in clips[first : first + 64]])
                out.append(torch.softmax(self.network(torch.from_numpy(x)) / self.temperature, dim=1).double().numpy())
        return np.concatenate(out)


def train_gestures(clips: Clips, plan: GesturePlan | None = None, hook: Hook = silent) -> Trained:
    """Train the network; some persons are held out, and the figures are theirs alone.

    Args:
        clips: At least two classes and two persons.
        plan: By default an ordinary one.
        hook: Progress by epochs.

    Raises:
        InvalidValueError: fewer than two classes or persons, or no class is left to learn without the held-out persons.
    """
    import torch

    plan = GesturePlan() if plan is None else plan
    train, test = split_by_subject(clips, plan.hold_out, plan.seed)
    classes = clips.classes
    y = np.array([classes.index(label) for label in clips.labels])
    x = np.stack([normalise(clip, plan.frames) for clip in clips.clips])
    with one_thread():
        torch.manual_seed(plan.seed)
        network = _fit(x[train], y[train], len(classes), plan, hook)
        network.eval()
        with torch.no_grad():
            odds = torch.cat(
                [network(torch.from_numpy(part)) for part in np.array_split(x[test], max(1, len(test) // 64))]
            )
    temperature = _temperature(odds.double().numpy(), y[test])
    figures = _figures(odds.numpy().argmax(axis=1), y[test], classes)
    figures |= {
        "clips_trained": len(train),
        "clips_held_out": len(test),
        "subjects_trained": len({clips.subjects[at] for at in train}),
        "subjects_held_out": sorted({clips.subjects[at] for at in test}),
    }
    return Trained(network, classes, plan.frames, temperature, figures, asdict(plan))


def split_by_subject(clips: Clips, hold_out: float, seed: int) -> tuple[list[int], list[int]]:
    """Rows to learn from and rows to judge by; no person is in both, every class stays to be learnt.

    Raises:
        InvalidValueError: that is not possible.
    """
    subjects = sorted(set(clips.subjects))
    if len(subjects) < 2 or len(clips.classes) < 2:
        raise InvalidValueError(
            "training needs at least two persons and two classes",
            got=f"{len(subjects)} persons, {len(clips.classes)} classes",
        )
    rng = np.random.default_rng(seed)
    order = [subjects[at] for at in rng.permutation(len(subjects))]
    wanted, held = max(1, round(hold_out * len(clips.labels))), set[str]()
    for subject in order:
        rest = [label for label, who in zip(clips.labels, clips.subjects, strict=True) if who not in held | {subject}]
        if set(rest) == set(clips.classes) and sum(who in held for who in clips.subjects) < wanted:
            held.add(subject)
    if not held:
        raise InvalidValueError(
            "no person can be held out: each is the only one to show some class",
            mend="Leave out classes that only one person shows.",
        )
    rows = range(len(clips.labels))
    return [at for at in rows if clips.subjects[at] not in held], [at for at in rows if clips.subjects[at] in held]


def _fit(x: np.ndarray, y: np.ndarray, classes: int, plan: GesturePlan, hook: Hook) -> GestureNet:
    import torch
    from torch.nn import functional

    from modalities.body.gestures.network import GestureNet

    network = GestureNet(classes)
    counts = np.bincount(y, minlength=classes).clip(1)
    chances = (1 / np.sqrt(counts))[y]
    rng = np.random.default_rng(plan.seed)
    steps = max(1, len(y) // plan.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.rate, total_steps=steps * plan.epochs)
    network.train()
    for epoch in range(plan.epochs):
        order = rng.choice(len(y), size=steps * min(plan.batch, len(y)), p=chances / chances.sum())
        for rows in np.array_split(order, steps):
            odds = network(torch.from_numpy(augment(x[rows], rng)))
            loss = functional.cross_entropy(odds, torch.from_numpy(y[rows]), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        hook("gestures", epoch + 1, plan.epochs)
    return network


def augment(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Clips (b, 5, t, 19) mirrored, turned, scaled, sheared, shaken, shifted in time, some joints hidden."""
    out = x.copy()
    flip = rng.random(len(x)) < 0.5
    out[flip] = out[flip][..., list(MIRROR)]
    out[flip, 0] *= -1
    out[flip, 3] *= -1
    turn, scale = rng.normal(0, np.radians(6), len(x)), rng.uniform(0.85, 1.15, (len(x), 2))
    shear = rng.normal(0, 0.08, len(x))
    mix = np.stack(
        [np.stack([scale[:, 0] * np.cos(turn), shear - np.sin(turn)], -1),
         np.stack([np.sin(turn), scale[:, 1] * np.cos(turn)], -1)], axis=1
    )  # fmt: skip
    for pair in ((0, 1), (3, 4)):
        out[:, pair] = np.einsum("bij,bjtv->bitv", mix, out[:, pair])
    out[:, :2] += rng.normal(0, 0.02, (*out[:, :2].shape[:2], 1, out.shape[-1]))
    hidden = rng.random((len(x), 1, 1, x.shape[-1])) < 0.05
    out = np.where(hidden, 0, out)
    for at, shift in enumerate(rng.integers(-4, 5, len(x))):
        out[at] = np.roll(out[at], shift, axis=1)
    return out.astype(np.float32)


def _temperature(odds: FloatArray, y: np.ndarray) -> float:
    """The temperature that makes the held-out answers likeliest (Guo et al. 2017)."""
    best, lowest = 1.0, np.inf
    for temperature in np.geomspace(0.5, 8, 60):
        scaled = odds / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        loss = float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(y)), y]))
        if loss < lowest:
            best, lowest = float(temperature), loss
    return best


def _figures(found: np.ndarray, truth: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    recalls, scores = {}, []
    for at, name in enumerate(classes):
        hits = int(np.sum((found == at) & (truth == at)))
        planted, claimed = int(np.sum(truth == at)), int(np.sum(found == at))
        if planted:
            recalls[name] = round(hits / planted, 4)
            scores.append(2 * hits / (planted + claimed))
    return {
        "accuracy": round(float(np.mean(found == truth)), 4),
        "macro_f1": round(float(np.mean(scores)), 4),
        "chance": round(float(np.bincount(truth).max() / len(truth)), 4),
        "recall": recalls,
    }
