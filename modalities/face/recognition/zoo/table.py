"""All published systems in one list."""

from __future__ import annotations

from modalities.face.recognition.zoo.flow import FLOW
from modalities.face.recognition.zoo.frames import FRAMES
from modalities.face.recognition.zoo.generation import GENERATION
from modalities.face.recognition.zoo.losses import LOSSES
from modalities.face.recognition.zoo.strategies import STRATEGIES
from modalities.face.recognition.zoo.structure import STRUCTURE

GROUPS = {
    "flow": FLOW,
    "losses": LOSSES,
    "structure": STRUCTURE,
    "frames": FRAMES,
    "strategies": STRATEGIES,
    "generation": GENERATION,
}
"""Declarations by group."""
ZOO_LIST = [one for group in GROUPS.values() for one in group]
"""All of them."""
