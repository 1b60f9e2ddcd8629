"""Systems of a descriptor and a support vector machine, linear and radial: one of each for every descriptor.

Settings of the machines are chosen in training folds; those of the descriptors are the papers'. Descriptors of flow
take stored maps, and under the name with "-clip" the flow of a clip, so that all can be compared on the same clips.
"""

from __future__ import annotations

from typing import Any

from modalities.face.descriptors.clip_flow import OfClipFlow
from modalities.face.descriptors.registry import DESCRIPTORS, Entry
from modalities.face.recognition.inputs import Clip, LevelledFlow
from modalities.face.recognition.kernel_machine import Choose, KernelMachine
from modalities.face.recognition.system import System

_TRUST = (0.1, 1.0, 10.0, 100.0)
_WIDTHS = (0.5, 1.0, 2.0)
_PLAIN, _RADIAL = Choose(_TRUST), Choose(_TRUST[1:], _WIDTHS)
_SOURCES = {
    "hoof": "Chaudhry et al. 2009, histograms of oriented optical flow; on the one flow from onset to apex",
    "bi-woof": "Liong et al. 2018, Less is more; strain weights 8 x 8 cells; soft votes",
    "mdmo": "Liu et al. 2016; 6 x 6 cells for 36 regions by landmarks, onset to apex for all frames, angle over pi",
    "lbp-top": "Zhao & Pietikainen 2007; 5 x 5 blocks as in Yan et al. 2014",
}


def vector_machines(name: str, block: Any, source: str, takes: Any) -> list[System]:
    """A descriptor with a linear and with a radial support vector machine."""
    return [
        System(f"{name}-linear", takes, block, KernelMachine("linear"), _PLAIN, "hinge", source),
        System(f"{name}-rbf", takes, block, KernelMachine("rbf"), _RADIAL, "hinge", source),
    ]


def _source(entry: Entry) -> str:
    said = f"{entry.paper} {entry.year}" + (f"; {entry.ours}" if entry.ours else "")
    return _SOURCES.get(entry.name, said)


def _systems(entry: Entry) -> list[System]:
    block, source = entry.make(), _source(entry)
    if entry.takes == "clip":
        return vector_machines(entry.name, block, source, Clip())
    of_clips = vector_machines(f"{entry.name}-clip", OfClipFlow(block), f"{source}; flow of the clip", Clip())
    return [*vector_machines(entry.name, block, source, LevelledFlow()), *of_clips]


DESCRIPTOR_LIST: list[System] = [system for entry in DESCRIPTORS.values() for system in _systems(entry)]
"""All of them, in the order of the table of descriptors."""
