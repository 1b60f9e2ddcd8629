"""Ways of training beyond one schedule: with macro-expressions, teachers, domains, layer by layer.

Macro-expressions are simulated: the same movements of units with far less of what is not the expression. None of a
corpus are needed, and no test person can be among them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from modalities.face.recognition.samples import CLASSES, Kind, Samples
from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.schedule_losses import Beside, criterion, reversed_gradient

if TYPE_CHECKING:
    from torch import nn

    from modalities.face.recognition.networks_assembled import Assembled
    from modalities.face.recognition.system import System

_kept: OrderedDict[str, Any] = OrderedDict()
"""Networks learnt from simulation, by all that they depend on: they are the same for every fold."""
_MOST_KEPT = 12


@dataclass(frozen=True)
class Macro:
    """Simulated macro-expressions.

    Attributes:
        people: Who are seen.
        each: Expressions of each.
        nuisance: What is not the expression, relative to a micro-expression.
        seed: Of the people.
    """

    people: int = 24
    each: int = 8
    nuisance: float = 0.3
    seed: int = 9_001

    def samples(self, kind: Kind) -> Samples:
        """Maps of flow, or clips."""
        return _macro_samples(self, kind)

    def lesson(self, system: System, lesson: Lesson) -> Lesson:
        """What a system learns of them."""
        samples = self.samples(system.input.kind)
        prepared = system.architecture.prepare(system, samples)
        return replace(
            lesson, x=prepared.x, y=samples.y, side=prepared.side, classes=len(CLASSES), loss="balanced_cross_entropy",
            stops=1,
        )  # fmt: skip


@lru_cache(maxsize=4)
def _macro_samples(macro: Macro, kind: Kind) -> Samples:
    from modalities.face.recognition.simulation import simulate_flow_set
    from modalities.face.recognition.simulation_clips import simulate_clip_set

    how: dict[str, Any] = {"seed": macro.seed, "nuisance": macro.nuisance, "dataset": "simulated macro"}
    if kind == "clip":
        return simulate_clip_set(macro.people, macro.each, strength=2.0, **how)
    return simulate_flow_set(macro.people, macro.each, units=True, **how)


def learnt_once(make: Callable[[], Any], *depends: Any) -> Any:
    """What `make` gives, made once in a process for the same `depends`."""
    key = repr(depends)
    if key not in _kept:
        _kept[key] = make()
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return _kept[key]


def learnt_from_macro(system: System, lesson: Lesson, macro: Macro, schedule: Schedule) -> nn.Module:
    """The system's own network, trained on macro-expressions."""

    def make() -> nn.Module:
        whole = replace(macro.lesson(system, lesson), build=lambda: _build(system, lesson, len(CLASSES)))
        return whole.last(schedule)

    network: nn.Module = learnt_once(
        make, system.input, system.block, system.architecture, macro, schedule, lesson.seed
    )  # fmt: skip
    return network


def _build(system: System, lesson: Lesson, classes: int) -> nn.Module:
    architecture: Any = system.architecture
    network: nn.Module = architecture.build(system.block, classes, lesson.x.shape[1:])
    return network


def begun_from(network: nn.Module, lesson: Lesson) -> Callable[[], nn.Module]:
    """A builder of copies; the head is new where the classes are others."""

    def build() -> nn.Module:
        fresh, known = lesson.build(), network.state_dict()
        own = fresh.state_dict()
        fresh.load_state_dict(
            {name: known[name] if known[name].shape == one.shape else one for name, one in own.items()}
        )
        return fresh

    return build


@dataclass(frozen=True)
class FineTuned:
    """First macro-expressions, then the training set, from the same weights.

    Attributes:
        first: Schedule on macro-expressions.
        then: Schedule on the training set.
        macro: Which.
    """

    first: Schedule
    then: Schedule
    macro: Macro = field(default_factory=Macro)

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the second schedule."""
        known = learnt_from_macro(system, lesson, self.macro, self.first)
        return replace(lesson, build=begun_from(known, lesson)).networks(self.then)


@dataclass(frozen=True)
class Mixed:
    """Macro-expressions and the training set at once, as data sets of their own.

    Attributes:
        then: Schedule.
        macro: Which.
    """

    then: Schedule
    macro: Macro = field(default_factory=Macro)

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the schedule."""
        if lesson.classes != len(CLASSES):
            return lesson.networks(self.then)
        return joined(lesson, self.macro.lesson(system, lesson)).networks(self.then)


def joined(lesson: Lesson, more: Lesson) -> Lesson:
    """Two training sets as one; persons and data sets of the second are others."""
    side = {}
    for name, column in lesson.side.items():
        other = more.side[name]
        shift = int(column.max()) + 1 if name in ("person", "dataset") else 0
        side[name] = np.concatenate([column, other + shift])
    return replace(
        lesson, x=np.concatenate([lesson.x, more.x]), y=np.concatenate([lesson.y, more.y]), side=side
    )  # fmt: skip


@dataclass(frozen=True)
class Distilled:
    """A wider teacher learns macro-expressions with their units; the network learns classes and what the teacher says.

    Attributes:
        teacher: Its architecture; it sees the same.
        block: Its parts.
        first: Schedule of the teacher.
        then: Schedule of the network.
        soft: Weight of the teacher's softened answers (Hinton et al. 2015).
        attention: Weight of the teacher's maps of attention (Zagoruyko & Komodakis 2017).
        temperature: By which answers are softened.
        macro: What the teacher learns from.
    """

    teacher: Assembled
    block: Any
    first: Schedule
    then: Schedule
    soft: float = 0.5
    attention: float = 0.0
    temperature: float = 3.0
    macro: Macro = field(default_factory=Macro)

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the second schedule."""
        if lesson.classes != len(CLASSES):
            return lesson.networks(self.then)

        def make() -> nn.Module:
            whole = self.macro.lesson(system, lesson)
            build = lambda: self.teacher.build(self.block, len(CLASSES), lesson.x.shape[1:])  # noqa: E731
            return replace(whole, build=build, loss=Beside("units")).last(self.first)

        teacher = learnt_once(make, system.input, self, lesson.seed)
        return replace(lesson, loss=_Taught(self, teacher)).networks(self.then)


@dataclass(frozen=True, eq=False)
class _Taught:
    """Cross entropy, and likeness to a teacher."""

    how: Distilled
    teacher: Any

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch
        from torch.nn import functional

        y, how = torch.from_numpy(lesson.y), self.how

        def looked(maps: Any) -> Any:
            return functional.normalize(maps.square().mean(dim=1).flatten(1), dim=1)

        def taught(network: Any, x: Any, rows: Any) -> Any:
            maps = network.maps(x)
            said = network.head(network.tail(maps))
            with torch.no_grad():
                told = self.teacher(x) / how.temperature
                model = looked(self.teacher.maps(x))
            loss = functional.cross_entropy(said, y[rows])
            soft = functional.kl_div(
                torch.log_softmax(said / how.temperature, 1), torch.softmax(told, 1), reduction="batchmean"
            )
            loss = loss + how.soft * how.temperature**2 * soft
            return loss + how.attention * (looked(maps) - model).square().sum(dim=1).mean() if how.attention else loss

        return criterion(taught)


@dataclass(frozen=True)
class Guided:
    """A network that begins from macro-expressions and is pulled to them: pairs of micro and macro of a class.

    Features of a sample are to be nearer to those of a macro-expression of its class than to one of another class, a
    judge is not to tell micro from macro, and, where asked for, nobody is to tell who is seen.

    Attributes:
        first: Schedule on macro-expressions.
        then: Schedule on the training set.
        pull: Weight of the distances, margin 0.3 of normalised features.
        fool: Weight of the judge, whose gradient is reversed.
        forget: Weight of forgetting who is seen; 0 for none.
        macro: Which.
    """

    first: Schedule
    then: Schedule
    pull: float = 0.5
    fool: float = 0.1
    forget: float = 0.0
    macro: Macro = field(default_factory=Macro)

    def networks(self, lesson: Lesson, system: System) -> Iterator[nn.Module]:
        """Networks at the moments of the second schedule."""
        if lesson.classes != len(CLASSES):
            return lesson.networks(self.then)
        known = learnt_from_macro(system, lesson, self.macro, self.first)
        guide = _Guide(self, deepcopy(known).eval(), self.macro.lesson(system, lesson))
        return replace(lesson, build=begun_from(known, lesson), loss=guide).networks(self.then)


@dataclass(frozen=True, eq=False)
class _Guide:
    """The loss of `Guided`."""

    how: Guided
    known: Any
    macro: Lesson
    seed: int = field(default=0)

    def start(self, network: nn.Module, lesson: Lesson) -> nn.Module:
        """See `schedule.Objective`."""
        import torch
        from torch import nn
        from torch.nn import functional

        y, how = torch.from_numpy(lesson.y), self.how
        person = torch.from_numpy(np.unique(lesson.side["person"], return_inverse=True)[1])
        draw = np.random.default_rng([lesson.seed, 61])
        by_class = [np.flatnonzero(self.macro.y == one) for one in range(lesson.classes)]
        with torch.no_grad():
            model = self.known.features(torch.from_numpy(self.macro.x)).flatten(1)
        size = model.shape[1]
        judge = nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, 1))
        who = nn.Linear(size, int(person.max()) + 1)

        def guided(network: Any, x: Any, rows: Any) -> Any:
            found = network.features(x)
            flat, target = found.flatten(1), y[rows].numpy()
            same = model[[int(draw.choice(by_class[one])) for one in target]]
            other = model[[int(draw.choice(by_class[(one + draw.integers(1, len(by_class))) % len(by_class)]))
                           for one in target]]  # fmt: skip
            point, near, far = (functional.normalize(one, dim=1) for one in (flat, same, other))
            apart = (point - near).square().sum(dim=1) - (point - far).square().sum(dim=1)
            loss = functional.cross_entropy(network.head(found), y[rows])
            loss = loss + how.pull * (apart + 0.3).clamp_min(0).mean()
            seen = judge(torch.cat([reversed_gradient(flat), same]))[:, 0]
            truth = torch.cat([torch.zeros(len(flat)), torch.ones(len(same))])
            loss = loss + how.fool * functional.binary_cross_entropy_with_logits(seen, truth)
            if how.forget:
                loss = loss + how.forget * functional.cross_entropy(who(reversed_gradient(flat)), person[rows])
            return loss

        return criterion(guided, judge, who)
