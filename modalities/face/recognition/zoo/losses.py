"""Losses on one fixed network, for comparing them: everything else is the same."""

from __future__ import annotations

from typing import Any

from modalities.face.recognition.layers_capsule import Cosine, Linear
from modalities.face.recognition.layers_parts import Average, Conv, Hidden
from modalities.face.recognition.networks_assembled import Assembled
from modalities.face.recognition.schedule_losses import Focal, LargeMargin, Metric
from modalities.face.recognition.zoo.flow import MAPS, USUAL
from modalities.face.recognition.zoo.published import Published

BLOCK = (Conv(16, 5, stride=2), Conv(32, 3, pool=2), Average(3))
FIXED = Assembled(tail=(Hidden(64, dropout=0.3),), head=Linear())
"""The recogniser on which losses, strategies and generated samples are compared."""

_LOSSES: tuple[tuple[str, Any, str, int], ...] = (
    ("cross-entropy", "cross_entropy", "the fixed network of the comparison", 2026),
    ("balanced", "balanced_cross_entropy", "classes weighted by the inverse of their number", 2026),
    ("focal", Focal(), "Lin et al., Focal loss for dense object detection", 2017),
    ("adaptive-focal", Focal(adaptive=True), "Lin et al. 2017, with weight and gamma by class", 2017),
    ("center", Metric("center"), "Wen et al., A discriminative feature learning approach (center loss)", 2016),
    ("triplet", Metric("triplet", margin=0.3), "Schroff et al., FaceNet; hardest pairs of Hermans et al. 2017", 2015),
    (
        "contrastive",
        Metric("contrastive", margin=1.0),
        "Hadsell et al., Dimensionality reduction by an invariant mapping",
        2006,
    ),
    ("cosine", "cross_entropy", "the fixed network with a head of cosines, what large-margin is compared with", 2026),
    ("large-margin", LargeMargin(), "Wang et al., CosFace: large margin cosine loss", 2018),
)

LOSSES = [
    Published(
        f"loss-{name}",
        MAPS,
        BLOCK,
        Assembled(tail=FIXED.tail, head=Cosine()) if name in ("cosine", "large-margin") else FIXED,
        USUAL,
        loss,
        "one row of the comparison of losses",
        paper,
        year,
    )
    for name, loss, paper, year in _LOSSES
]
"""One row for each loss."""
