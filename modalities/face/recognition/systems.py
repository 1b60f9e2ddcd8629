"""The table of systems: each a short declaration of its parts.

No number here was chosen on a corpus: they are those of the papers, or were fixed on simulated people
(`benchmarks/schedule_study.py`).
"""

from __future__ import annotations

from difflib import get_close_matches

from data_schemas.errors import InvalidValueError
from modalities.face.descriptors.flow import FlowGradients, Hoof, PooledFlow
from modalities.face.recognition.default.measures import BLOCKS, LEVELS
from modalities.face.recognition.default.system import Shipped
from modalities.face.recognition.inputs import FlowMap, LevelledFlow
from modalities.face.recognition.kernel_machine import Choose, KernelMachine
from modalities.face.recognition.layers import Convolution, Inception, RecurrentConvolution
from modalities.face.recognition.networks import AttentiveRecurrent, Streams
from modalities.face.recognition.samples import Kind
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.system import System
from modalities.face.recognition.systems_descriptors import DESCRIPTOR_LIST
from modalities.face.recognition.systems_methods import METHOD_LIST
from modalities.face.recognition.zoo.table import ZOO_LIST

_LIST = [
    System(
        "ststnet",
        FlowMap(),
        Convolution(kernel=3, padding=2, pool=3, pool_padding=1, normalise=True, dropout=0.5),
        Streams(views=((0, 1, 2),) * 3, widths=((3,), (5,), (8,)), average=2),
        Schedule(updates=400, rate=2e-4, batch=256),
        "cross_entropy",
        "Liong et al. 2019, Shallow Triple Stream Three-dimensional CNN; 1/4 of its updates at 4 times its rate",
    ),
    System(
        "off-apexnet",
        FlowMap(scale=1.0),
        Convolution(kernel=5, padding=2, pool=2),
        Streams(views=((0,), (1,)), widths=((6, 16),) * 2, hidden=(1024, 1024), dropout=0.5),
        Schedule(updates=200, rate=3e-4, batch=64),
        "cross_entropy",
        "Gan et al. 2019, OFF-ApexNet",
    ),
    System(
        "dual-inception",
        FlowMap(scale=1.0),
        Inception(),
        Streams(views=((0,), (1,)), widths=((24, 64),) * 2, hidden=(1024,)),
        Schedule(updates=150, rate=5e-4, batch=64),
        "cross_entropy",
        "Zhou et al. 2019, Dual-Inception",
    ),
    System(
        "rcn-f",
        FlowMap(scale=1.0),
        RecurrentConvolution(rounds=3),
        AttentiveRecurrent(streams=((32, 1), (16, 2), (16, 3)), pool=5),
        Schedule(updates=300, rate=5e-4, batch=64),
        "balanced_cross_entropy",
        "Xia et al. 2020, Revealing the invisible with model and data shrinking",
    ),
    *DESCRIPTOR_LIST,
    *METHOD_LIST,
    System(
        "kernel-ridge",
        LevelledFlow(),
        (PooledFlow(10), Hoof(5, share=False), FlowGradients(10)),
        KernelMachine("rbf", mirror=True),
        Choose((0.1, 0.3, 1.0, 3.0, 10.0), (0.5, 0.7, 1.0, 1.4)),
        "squared",
        "Telltale; zero-levelled flow, mean of three mirror-symmetric kernels, kernel ridge (Saunders et al. 1998)",
    ),
    System(
        "default",
        LevelledFlow(LEVELS),
        BLOCKS,
        Shipped(),
        None,
        "cross_entropy",
        "Telltale; trained on simulated faces only, weights come with the package",
    ),
    *ZOO_LIST,
]

SYSTEMS: dict[str, System] = {one.name: one for one in _LIST}
"""Systems by name."""


def find_system(name: str) -> System:
    """The system of this name.

    Raises:
        InvalidValueError: no such system.
    """
    if name not in SYSTEMS:
        near = get_close_matches(name, SYSTEMS, n=3) or [one for one in CORE if one in SYSTEMS]
        raise InvalidValueError(
            f"no recognition system '{name}'", expected=f"such as {', '.join(near)}",
            mend=f"`telltale me models` lists all {len(SYSTEMS)}.",
        )  # fmt: skip
    return SYSTEMS[name]


CORE = ("ststnet", "off-apexnet", "dual-inception", "rcn-f", "hoof", "bi-woof", "mdmo", "lbp-top", "kernel-ridge")
"""What is measured where no system is named: those that papers compare with, and the best plain one. All systems take
hours on a corpus."""


def core_for(kind: Kind) -> list[System]:
    """Those of `CORE` that take this kind of samples, with each of their machines."""
    return [one for one in systems_for(kind) if one.name.removesuffix("-linear").removesuffix("-rbf") in CORE]


def systems_for(kind: Kind) -> list[System]:
    """Those that take this kind of samples and learn from them."""
    return [one for one in SYSTEMS.values() if one.input.kind == kind and learns(one)]


def learns(system: System) -> bool:
    """Whether a system is trained on the samples of a bench; the default comes with its weights."""
    return not isinstance(system.architecture, Shipped)
