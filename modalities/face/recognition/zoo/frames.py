"""Networks on pictures and clips, at small sizes: apex pictures, dynamic images, volumes, frames with memory."""

from __future__ import annotations

from modalities.face.recognition.inputs_clip import ClipFrames, ClipPicture
from modalities.face.recognition.layers_attention import BlockAttention, MicroAttention, NonLocal
from modalities.face.recognition.layers_belief import Logistic, Stretched
from modalities.face.recognition.layers_parts import Accretive, Average, Conv, Hidden, Region, Residual
from modalities.face.recognition.layers_time import ConvolutionalMemory, EachFrame, Frames, LongShortTerm
from modalities.face.recognition.networks_assembled import Assembled, Stream
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.schedule_features import LayerByLayer
from modalities.face.recognition.schedule_strategies import FineTuned
from modalities.face.recognition.zoo.flow import USUAL
from modalities.face.recognition.zoo.published import Published

_APEX = ClipPicture(("apex",))
_VOLUME = ClipFrames(8, 24, ("grey",))
_FLOWS = ClipFrames(8, 24, ("flow",))
_RICH = ClipFrames(6, 24, ("flow", "strain", "grey"))
_MACRO_FIRST = FineTuned(USUAL, Schedule(updates=120, rate=1e-3, batch=32))
_SMALL_VGG = (Conv(8, 3, stride=2), Conv(16, 3, pool=2), Average(3))
_BALANCED = "balanced_cross_entropy"
_EYES, _MOUTH = Region(0.1, 0.5, 0, 1), Region(0.6, 1, 0.1, 0.9)


def _accretive(width: int) -> Accretive:
    return Accretive(tuple((Conv(width, kernel),) for kernel in (1, 3, 5)))


FRAMES = [
    Published(
        "dwld-dbn",
        ClipPicture(("weber",), side=24),
        (Stretched(), Logistic(96), Logistic(48)),
        Assembled(),
        LayerByLayer(Schedule(150, 0.05, 32), Schedule(150, 1e-3, 32)),
        _BALANCED,
        "change of the Weber excitation (Chen et al. 2010) from onset to apex, pixels instead of histograms, "
        "no orientation; two Boltzmann layers (Hinton et al. 2006); sizes and schedule are ours",
        "DWLD+DBN, as the survey of 2024 (Zhang et al.) lists it",
        2024,
    ),
    Published(
        "dts-cnn",
        _FLOWS,
        (Conv(8, 3, stride=2), Conv(16, 3, stride=(1, 2, 2)), Average(2)),
        Assembled((Stream(), Stream(first=(Frames(step=2),))), tail=(Hidden(32, 0.3),)),
        USUAL,
        _BALANCED,
        "two streams of flow at two rates; 8 and 4 frames instead of 129 and 65, two convolutions in each, "
        "no vector machine at the end",
        "Peng et al., Dual temporal scale convolutional neural network (DTSCNN)",
        2017,
    ),
    Published(
        "tl-cnn",
        _VOLUME,
        (EachFrame(_SMALL_VGG), LongShortTerm(32)),
        Assembled(),
        _MACRO_FIRST,
        _BALANCED,
        "frames through two convolutions instead of a deep network of pictures, and memory; first on "
        "macro-expressions, which are simulated",
        "Wang et al., Micro-expression recognition with small sample size by transferring long-term CNN (TLCNN)",
        2018,
    ),
    Published(
        "elrcn-se",
        _RICH,
        (EachFrame(_SMALL_VGG), LongShortTerm(32)),
        Assembled(),
        USUAL,
        _BALANCED,
        "flow, strain and grey as channels, convolutions for each frame, memory; a small VGG without transfer",
        "Khor et al., Enriched long-term recurrent convolutional network, spatial enrichment",
        2018,
    ),
    Published(
        "elrcn-te",
        _RICH,
        (EachFrame((Conv(8, 3, stride=2), Conv(12, 3, pool=2), Average(2))),),
        Assembled(tuple(Stream(channels=one) for one in ((0, 1), (2,), (3,))), tail=(LongShortTerm(32),)),
        USUAL,
        _BALANCED,
        "convolutions for flow, strain and grey, features joined in each frame, memory; two convolutions each instead "
        "of a VGG that knew faces",
        "Khor et al., Enriched long-term recurrent convolutional network, temporal enrichment",
        2018,
    ),
    Published(
        "micro-attention",
        _APEX,
        (Conv(16, 5, stride=2), Residual(16, 1, MicroAttention()), Residual(32, 2, MicroAttention()), Average(2)),
        Assembled(),
        _MACRO_FIRST,
        _BALANCED,
        "residual blocks with micro-attention on the apex picture, 2 blocks instead of 4",
        "Wang et al., Micro-attention for micro-expression recognition",
        2020,
    ),
    Published(
        "resnet10-macro",
        _APEX,
        (Conv(8, 5, stride=2), Residual(8), Residual(16, 2), Residual(24, 2), Residual(32, 1), Average(2)),
        Assembled(),
        _MACRO_FIRST,
        _BALANCED,
        "ResNet10 with an eighth of the channels on the apex picture, a mean over 2 x 2 cells at the end; first on "
        "macro-expressions, which are simulated",
        "Peng et al., From macro to micro expression recognition: deep learning on small datasets",
        2018,
        "reduced",
    ),
    Published(
        "micro-exp-stcnn",
        _VOLUME,
        (Conv(16, (3, 3, 3), stride=(1, 2, 2), pool=(2, 2, 2), dropout=0.3),),
        Assembled(tail=(Hidden(64, dropout=0.3),)),
        USUAL,
        _BALANCED,
        "one 3-D convolution and pooling on the whole face; 16 filters of 3 frames instead of 32 of 15, batch "
        "normalisation, 8 frames of 24 pixels",
        "Reddy et al., Spontaneous facial micro-expression recognition using 3D spatiotemporal CNNs",
        2019,
        "reduced",
    ),
    Published(
        "micro-exp-fusenet",
        _VOLUME,
        (Conv(16, (3, 3, 3), stride=(1, 2, 2), pool=(2, 2, 2), dropout=0.3), Average(3)),
        Assembled((Stream(first=(_EYES,)), Stream(first=(_MOUTH,))), tail=(Hidden(64, dropout=0.3),)),
        USUAL,
        _BALANCED,
        "3-D convolutions of eyes and mouth, fused late; half the filters, 3 frames deep, batch normalisation, means",
        "Reddy et al., Spontaneous facial micro-expression recognition using 3D spatiotemporal CNNs",
        2019,
        "reduced",
    ),
    Published(
        "cbam-net",
        _VOLUME,
        (Conv(8, 3, stride=2), BlockAttention(2, 3), Conv(24, 3, stride=2), BlockAttention(4, 3), Average(3)),
        Assembled(tail=(Hidden(48, dropout=0.3),)),
        USUAL,
        _BALANCED,
        "two 3-D convolutions with attention to channels, then places and times; nothing learnt elsewhere before",
        "Chen et al., Spatiotemporal CNN with convolutional block attention module",
        2020,
    ),
    Published(
        "global-attention",
        _VOLUME,
        (Conv(8, 3, stride=2), Conv(16, 3, stride=(1, 2, 2)), NonLocal(8), Average(3)),
        Assembled(tail=(Hidden(48, dropout=0.3),)),
        USUAL,
        _BALANCED,
        "every place and time sees every other (GAM of the surveys), 4 x 6 x 6 of them",
        "after Wang et al. 2018, Non-local neural networks",
        2018,
    ),
    Published(
        "conv-lstm",
        _FLOWS,
        (Conv(8, 5, stride=(1, 3, 3)), ConvolutionalMemory(10), Conv(16, 3, pool=2), Average(3)),
        Assembled(tail=(Hidden(48, dropout=0.3),)),
        USUAL,
        _BALANCED,
        "memory that convolves over frames of flow, 8 x 8",
        "after Shi et al., Convolutional LSTM network",
        2015,
    ),
    Published(
        "lear-net",
        ClipPicture(("dynamic",)),
        (Conv(8, 3, stride=2), _accretive(6), Conv(24, 3, pool=2), _accretive(8), Average(3)),
        Assembled(),
        USUAL,
        _BALANCED,
        "a dynamic image through lateral branches of 1, 3 and 5 pixels, each added to those before it; two stages of "
        "them, not the paper's number of layers",
        "Verma et al., LEARNet: dynamic imaging network for micro expression recognition",
        2020,
    ),
    Published(
        "ts-cnn",
        ClipPicture(("apex", "u", "v")),
        (Conv(8, 5, stride=2), Conv(16, 3, pool=2), Average(2)),
        Assembled(
            (
                Stream(channels=(0,)),
                Stream(channels=(0,), first=(_EYES,)),
                Stream(channels=(0,), first=(_MOUTH,)),
                Stream(channels=(1, 2)),
            ),
            tail=(Hidden(48, dropout=0.3),),
        ),
        USUAL,
        _BALANCED,
        "apex picture, its eyes and mouth instead of all blocks, flow to the apex; two convolutions in each stream",
        "Song et al., Recognizing spontaneous micro-expression using a three-stream CNN (TSCNN)",
        2019,
    ),
    Published(
        "merta",
        _RICH,
        (EachFrame((Conv(8, 3, stride=2), Conv(12, 3, pool=2), BlockAttention(2, 3), Average(2))),),
        Assembled(tuple(Stream(channels=one) for one in ((3,), (0, 1), (2,))), tail=(LongShortTerm(32),)),
        USUAL,
        _BALANCED,
        "three streams with attention for each frame and memory; no texture pictures",
        "Yang et al., MERTA: micro-expression recognition with ternary attentions",
        2021,
    ),
    Published(
        "at-net",
        ClipFrames(8, 24, ("flow", "apex")),
        (Conv(8, 5, stride=2), Conv(16, 3, pool=2), Average(2)),
        Assembled(
            (
                Stream(channels=(2,), first=(Frames(alone=0),)),
                Stream((EachFrame((Conv(8, 3, stride=2), Average(3))), LongShortTerm(24)), (0, 1)),
            ),
        ),
        USUAL,
        _BALANCED,
        "the apex picture (the frame that differs most from the first) and memory over frames of flow, joined",
        "Peng et al., A novel apex-time network for cross-dataset micro-expression recognition",
        2019,
    ),
    Published(
        "tsnn-lf",
        ClipFrames(8, 24, ("flow", "grey", "apex_flow")),
        (Conv(8, 3, stride=2), Conv(16, 3, stride=(1, 2, 2)), Average(2)),
        Assembled(
            (
                Stream(channels=(2,)),
                Stream(channels=(0, 1)),
                Stream((Frames(alone=0), Conv(8, 5, stride=2), Conv(16, 3, pool=2), Average(2)), (3, 4)),
            ),
            tail=(Hidden(48, dropout=0.3),),
        ),
        USUAL,
        _BALANCED,
        "3-D convolutions of pictures and of flow, 2-D ones of flow to the apex, fused late",
        "Wu & Guo, TSNN: three-stream combining 2D and 3D convolutional neural network",
        2021,
    ),
]
"""Declarations, in the order of the surveys."""
