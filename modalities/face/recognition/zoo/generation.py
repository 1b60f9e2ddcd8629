"""Drawn training samples, judged by one fixed recogniser: compare with `loss-balanced`, which is it without them."""

from __future__ import annotations

from modalities.face.recognition.schedule_generation import Enlarged, Painter
from modalities.face.recognition.zoo.flow import MAPS, USUAL
from modalities.face.recognition.zoo.losses import BLOCK, FIXED
from modalities.face.recognition.zoo.published import Published

_PAINTERS: tuple[tuple[str, Painter, str, str, int], ...] = (
    ("au-icgan", Painter("map", "units", keep=2.0), "strengths of action units move the map of somebody; no cycle",
     "Xie et al., AU-assisted graph attention network, its AU intensity controllable GAN", 2020),
    ("ice-gan", Painter("map", "class", "capsules", keep=4.0), "a map becomes another class, its person kept; "
     "capsules in the critic; no graph reasoning",
     "Yu et al., ICE-GAN: identity-aware and capsule-enhanced GAN", 2021),
    ("flow-gan", Painter(), "maps of a class from noise, critic with an auxiliary classifier",
     "Liong et al., Evaluation of the spatio-temporal features and GAN for micro-expression recognition", 2020),
)  # fmt: skip

GENERATION = [
    Published(name, MAPS, BLOCK, FIXED, Enlarged(painter, USUAL), "balanced_cross_entropy", source, paper, year)
    for name, painter, source, paper, year in _PAINTERS
]
"""Declarations, in the order of the surveys."""
