"""Networks that draw maps of flow, trained on simulated people, and training sets enlarged by what they draw.

A generator begins from noise or from the map of somebody, and is told a class or strengths of action units. A critic
tells drawn maps from simulated ones and says what it sees (auxiliary classifier; Odena et al. 2017). Whether that helps
is what the table is for: the recogniser and its schedule are those of the comparison of losses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.layers_graph import UNITS
from modalities.face.recognition.samples import CLASSES, SIDE, Samples
from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.schedule_strategies import learnt_once

if TYPE_CHECKING:
    from torch import nn

    from modalities.face.recognition.system import System

NOISE = 16


@dataclass(frozen=True)
class Painter:
    """A generator and its critic.

    Attributes:
        source: What it begins from: "noise", or the "map" of somebody, whose own movement it is to keep.
        told: What it is to draw: a "class", or strengths of "units".
        critic: "plain", or "capsules" for what it says it sees.
        width: Channels of the inner layers.
        keep: Weight of the mean difference to the map that it began from.
        updates: Of both in turn.
        batch: Maps in each.
        rate: Learning rate.
        people: Simulated people whose maps it learns from, 8 of each.
        seed: Of these people.
    """

    source: Literal["noise", "map"] = "noise"
    told: Literal["class", "units"] = "class"
    critic: Literal["plain", "capsules"] = "plain"
    width: int = 16
    keep: float = 0.0
    updates: int = 400
    batch: int = 32
    rate: float = 1e-3
    people: int = 30
    seed: int = 9_101

    def learn(self, seed: int) -> Drawer:
        """Train, or recall what was trained in this process."""
        drawer: Drawer = learnt_once(lambda: _learn(self, seed), self, seed)
        return drawer


@dataclass(frozen=True, eq=False)
class Drawer:
    """A trained generator.

    Attributes:
        network: Calls (source, told) give maps (n, 3, 28, 28) over 0..1.
        how: Its declaration.
        maps: What it may begin from, and what its units are drawn from, (m, 3, 28, 28).
        told: What was told with each of them, (m, told).
        y: Their classes, (m,).
    """

    network: Any
    how: Painter
    maps: NDArray[np.float32]
    told: NDArray[np.float32]
    y: NDArray[np.int64]

    def draw(self, y: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
        """Maps of these classes, (n, 3, 28, 28) over 0..1."""
        import torch

        chance = np.random.default_rng([seed, 33])
        told = np.stack([self.told[chance.choice(np.flatnonzero(self.y == one))] for one in y])
        with torch.no_grad():
            source = _sources(self.how, self.maps, len(y), chance)
            return np.asarray(self.network(source, torch.from_numpy(told)).numpy(), np.float32)


@dataclass(frozen=True)
class Enlarged:
    """The training set and drawn maps, as many of each class, by one schedule.

    Attributes:
        painter: What draws.
        then: Schedule of the recogniser.
        share: Drawn maps to those of the training set.
    """

    painter: Painter
    then: Schedule
    share: float = 0.5

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the schedule."""
        if lesson.classes != len(CLASSES):
            return lesson.networks(self.then)
        count = round(self.share * len(lesson.y))
        y = np.arange(count, dtype=np.int64) % lesson.classes
        drawn = self.painter.learn(lesson.seed).draw(y, lesson.seed) * np.float32(lesson.scale)
        return replace(
            lesson, x=np.concatenate([lesson.x, drawn]), y=np.concatenate([lesson.y, y]), side={}
        ).networks(self.then)  # fmt: skip


def strengths(samples: Samples) -> NDArray[np.float32]:
    """Strength of each unit of `layers_graph.UNITS`, (n, units), of simulated maps."""
    out = np.zeros((len(samples), len(UNITS)), np.float32)
    pairs = zip(samples.attributes["au"].tolist(), samples.attributes["au_strength"].tolist(), strict=True)
    for at, (units, values) in enumerate(pairs):
        for unit, value in zip(units.split("+"), values.split("+"), strict=True):
            out[at, UNITS.index(int(unit))] = float(value)
    return out


def _sources(how: Painter, maps: NDArray[np.float32], n: int, chance: np.random.Generator) -> Any:
    import torch

    if how.source == "map":
        return torch.from_numpy(maps[chance.integers(0, len(maps), n)])
    return torch.from_numpy(chance.normal(size=(n, NOISE)).astype(np.float32))


def _learn(how: Painter, seed: int) -> Drawer:
    """Generator and critic in turn, by logistic losses (Goodfellow et al. 2014)."""
    import torch
    from torch.nn import functional

    from modalities.face.recognition.simulation import simulate_flow_set

    known = simulate_flow_set(how.people, 8, seed=how.seed, units=True)
    real = np.ascontiguousarray(known.x.transpose(0, 3, 1, 2) / np.float32(255), np.float32)
    told = strengths(known) if how.told == "units" else np.eye(len(CLASSES), dtype=np.float32)[known.y]
    maps, wanted = torch.from_numpy(real), torch.from_numpy(told)
    torch.manual_seed(seed)
    chance = np.random.default_rng([seed, 32])
    painter, critic = _painter(how, told.shape[1]), _critic(how, told.shape[1])
    both = [torch.optim.Adam(one.parameters(), lr=how.rate, betas=(0.5, 0.999)) for one in (painter, critic)]

    def said(found: Any, truth: Any) -> Any:
        if how.told == "units":
            return 5 * functional.mse_loss(found, truth)
        return functional.cross_entropy(found, truth.argmax(dim=1))

    for _ in range(how.updates):
        rows, ask = (chance.integers(0, len(maps), how.batch) for _ in range(2))
        source = _sources(how, real, how.batch, chance)
        drawn = painter(source, wanted[ask])
        true, seen = critic(maps[rows])
        false, _ = critic(drawn.detach())
        both[1].zero_grad()
        (functional.softplus(-true).mean() + functional.softplus(false).mean() + said(seen, wanted[rows])).backward()
        both[1].step()
        judged, told_of = critic(drawn)
        loss = functional.softplus(-judged).mean() + said(told_of, wanted[ask])
        if how.keep:
            loss = loss + how.keep * (drawn - source).abs().mean()
        both[0].zero_grad()
        loss.backward()
        both[0].step()
    return Drawer(painter.eval(), how, real, told, known.y)


def _painter(how: Painter, told: int) -> nn.Module:
    """From a source and what it is told to maps over 0..1."""
    import torch
    from torch import nn

    width, quarter = how.width, SIDE // 4

    def layer(before: int, after: int, step: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, step, 1), nn.BatchNorm2d(after), nn.ReLU()]

    class Paint(nn.Module):
        """The generator."""

        def __init__(self) -> None:
            super().__init__()
            if how.source == "map":
                self.first: nn.Module = nn.Sequential(*layer(3, width, 2), *layer(width, 2 * width, 2))
            else:
                self.first = nn.Sequential(
                    nn.Linear(NOISE, 2 * width * quarter**2), nn.Unflatten(1, (2 * width, quarter, quarter))
                )
            self.told = nn.Linear(told, 2 * width * quarter**2)
            self.last = nn.Sequential(
                *layer(2 * width, 2 * width), nn.Upsample(scale_factor=2), *layer(2 * width, width),
                nn.Upsample(scale_factor=2), nn.Conv2d(width, 3, 3, 1, 1), nn.Sigmoid(),
            )  # fmt: skip

        def forward(self, source: Any, told_of: Any) -> Any:
            """Maps."""
            inner = self.first(source)
            return self.last(inner + torch.relu(self.told(told_of)).view(-1, 2 * width, quarter, quarter))

    return Paint()


def _critic(how: Painter, told: int) -> nn.Module:
    """From maps to (how real, what is seen)."""
    from torch import nn

    from modalities.face.recognition.layers_capsule import Capsules, Linear

    width = how.width
    shape = (2 * width, SIDE // 4, SIDE // 4)
    head = Capsules(last=4) if how.critic == "capsules" else Linear()

    class Critic(nn.Module):
        """The critic."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(3, width, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.LeakyReLU(0.2)
            )
            self.real, self.seen = Linear().end(shape, 1), head.end(shape, told)

        def forward(self, x: Any) -> Any:
            """Both."""
            found = self.body(x)
            return self.real(found)[:, 0], self.seen(found)

    return Critic()
