"""Networks on flow: maps from onset to apex (u, v, strain; 28 x 28), and frames of it."""

from __future__ import annotations

from modalities.face.recognition.inputs import FlowMap
from modalities.face.recognition.inputs_clip import ClipFrames
from modalities.face.recognition.layers_attention import ExpressionBranches, SqueezeExcitation
from modalities.face.recognition.layers_capsule import Capsules
from modalities.face.recognition.layers_parts import Average, Beside, Conv, Hidden, Region
from modalities.face.recognition.networks_assembled import Assembled, Stream
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.schedule_losses import CapsuleMargin
from modalities.face.recognition.zoo.published import Published

MAPS = FlowMap(scale=1.0)
USUAL = Schedule(updates=120, rate=2e-3, batch=32)
"""Fixed on simulated people alone: `python -m benchmarks.schedule_study` prints the curves."""

_QUARTERS = (Region(0, 0.5, 0, 0.5), Region(0, 0.5, 0.5, 1), Region(0.5, 1, 0, 0.5), Region(0.5, 1, 0.5, 1))
_EYES_MOUTH = (Region(0, 0.5, 0, 0.5), Region(0, 0.5, 0.5, 1), Region(0.5, 1, 0.15, 0.85))


def multi_scale(width: int, *kernels: int, stride: int = 1) -> Beside:
    """Convolutions of several sizes side by side, `width` channels each."""
    return Beside(tuple((Conv(width, kernel, stride=stride),) for kernel in kernels))


FLOW = [
    Published(
        "dssn",
        MAPS,
        (Conv(16, 5, stride=2), Conv(24, 3, stride=2)),
        Assembled((Stream(channels=(0, 1)), Stream(channels=(2,))), tail=(Hidden(64, dropout=0.5),)),
        USUAL,
        "balanced_cross_entropy",
        "two shallow streams in the manner of AlexNet, flow and strain; kernels of 5 and 3 instead of 11 and 5, a "
        "quarter of the channels, batch normalisation, 28 pixels instead of 227",
        "Khor et al., Dual-stream shallow networks for facial micro-expression recognition",
        2019,
        "kind of",
    ),
    Published(
        "feature-refinement",
        MAPS,
        (multi_scale(6, 1, 3, 5, stride=2), Conv(24, 3, stride=2)),
        Assembled((Stream(channels=(0,)), Stream(channels=(1,))), tail=(ExpressionBranches(3, 12), Average(3))),
        USUAL,
        "balanced_cross_entropy",
        "inception features of u and v, then a branch of attention for each expression; one loss instead of two",
        "Zhou et al., Feature refinement: an expression-specific feature learning and fusion method",
        2022,
        "kind of",
    ),
    Published(
        "capsule-net",
        MAPS,
        (Conv(16, 5, stride=2), Conv(32, 3, pool=2)),
        Assembled(head=Capsules()),
        USUAL,
        CapsuleMargin(),
        "two convolutions instead of the first layers of ResNet18, maps of flow instead of the apex picture",
        "Van Quang et al., CapsuleNet for micro-expression recognition",
        2019,
        "kind of",
    ),
    Published(
        "four-regions",
        MAPS,
        (Conv(8, 3), Conv(16, 3, stride=2), Average(2)),
        Assembled(tuple(Stream(first=(one,)) for one in _QUARTERS), tail=(Hidden(64, dropout=0.5),)),
        USUAL,
        "balanced_cross_entropy",
        "a stream for each quarter of the face, as in block division; no augmentation of deep features",
        "Chen et al., Block division convolutional network (BDCNN)",
        2022,
        "kind of",
    ),
    Published(
        "flow-3d-cnn",
        ClipFrames(8, 24, ("flow",)),
        (Conv(6, (3, 5, 5), stride=(1, 2, 2)), Conv(12, 3, stride=(1, 2, 2)), Conv(24, 3, pool=2)),
        Assembled(tail=(Hidden(64, dropout=0.5),)),
        USUAL,
        "balanced_cross_entropy",
        "u and v of 8 frames through one chain of 3-D convolutions, three layers; no stream of grey pictures",
        "Li et al., Micro-expression recognition based on 3D flow convolutional neural network",
        2019,
        "kind of",
    ),
    Published(
        "setf-net",
        MAPS,
        (Conv(8, 3), SqueezeExcitation(4), Conv(24, 3, stride=2), SqueezeExcitation(4), Average(2)),
        Assembled(tuple(Stream(first=(one,)) for one in _EYES_MOUTH), tail=(Hidden(64, dropout=0.5),)),
        USUAL,
        "balanced_cross_entropy",
        "streams for both eyes and the mouth with squeeze and excitation; maps of flow and 2-D convolutions instead of "
        "pictures over time and 3-D ones",
        "Yao et al., Three stream 3D CNN with SE block for micro-expression recognition (SETFNet in Li et al. 2022)",
        2020,
        "kind of",
    ),
    Published(
        "affective-net",
        MAPS,
        (multi_scale(4, 3, 5, 7, 11, stride=2), Conv(24, 3, pool=2), multi_scale(8, 3, 5), Conv(32, 3), Average(2)),
        Assembled(),
        USUAL,
        "balanced_cross_entropy",
        "receptive fields of 3, 5, 7 and 11 pixels side by side; maps of flow instead of affective-motion pictures",
        "Verma et al., AffectiveNet: affective-motion feature learning for micro-expression recognition",
        2021,
        "kind of",
    ),
]
"""Declarations, in the order of the surveys."""
