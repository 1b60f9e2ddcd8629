"""Graphs of a face on flow: places or action units are nodes.

The maps are aligned crops, so that places of a face are the same pixels in each of them (`layers_graph.PLACES`).
"""

from __future__ import annotations

from modalities.face.recognition.inputs_clip import ClipFrames
from modalities.face.recognition.layers_graph import (
    AskedByUnits,
    GraphAttention,
    GraphConvolution,
    NodeMean,
    Nodes,
    TimeConvolution,
    Transformer,
)
from modalities.face.recognition.layers_parts import Average, Conv, Hidden
from modalities.face.recognition.networks_assembled import Assembled, Stream
from modalities.face.recognition.schedule_losses import Beside as LabelBeside
from modalities.face.recognition.zoo.flow import MAPS, USUAL
from modalities.face.recognition.zoo.published import Published

STRUCTURE = [
    Published(
        "graph-tcn",
        MAPS,
        (Nodes("places", side=7), TimeConvolution(32), NodeMean()),
        Assembled((Stream(), Stream(parts=(Nodes("places", side=7), GraphConvolution(32, learnt=True), NodeMean())))),
        USUAL,
        "balanced_cross_entropy",
        "temporal convolution along the nodes, edges that are learnt; squares of flow instead of magnified pictures",
        "Lei et al., A novel Graph-TCN with a graph structured representation",
        2020,
        "kind of",
    ),
    Published(
        "mer-gcn",
        ClipFrames(8, 24, ("flow",)),
        (Conv(6, (3, 5, 5), stride=(1, 2, 2)), Conv(12, 3, stride=(1, 2, 2)), Average(3)),
        Assembled(tail=(Hidden(48), AskedByUnits(16))),
        USUAL,
        "balanced_cross_entropy",
        "a graph of 14 action units by EMFACS asks features of 3-D convolutions over 8 frames of flow; edges by what "
        "expressions show together instead of counts in a corpus",
        "Lo et al., MER-GCN: relation modeling with graph convolutional networks",
        2020,
        "kind of",
    ),
    Published(
        "au-gacn",
        MAPS,
        (Nodes("units"), GraphConvolution(32), GraphAttention(32, 4, share=0.5), NodeMean()),
        Assembled(),
        USUAL,
        LabelBeside("units"),
        "a node for each action unit, attention to units shown together keeps half of them; coded units are learnt "
        "beside the class",
        "Xie et al., AU-assisted graph attention convolutional network",
        2020,
        "kind of",
    ),
    Published(
        "graph-au",
        MAPS,
        (Nodes("places", side=7), Transformer(32), NodeMean()),
        Assembled(
            (Stream(), Stream(parts=(Nodes("units", side=3), GraphConvolution(16, learnt=True), NodeMean()))),
            tail=(Hidden(48, dropout=0.3),),
        ),
        USUAL,
        LabelBeside("units"),
        "a transformer over places and a graph of action units, joined",
        "Lei et al., Facial graph representation learning and facial action unit fusion",
        2021,
        "kind of",
    ),
    Published(
        "lr-gacnn",
        MAPS,
        (Nodes("places", side=3), GraphConvolution(32), GraphAttention(32), NodeMean()),
        Assembled((Stream(), Stream(parts=(Nodes("places", side=7, where=False), GraphAttention(32), NodeMean())))),
        USUAL,
        "balanced_cross_entropy",
        "no landmarks: 28 fixed places of the aligned crop with the flow there stand for the landmarks and their "
        "displacement; a second stream of squares of flow around them; attention to near places in both",
        "Kumar & Bhanu, Micro-expression classification based on landmark relations (graph attention)",
        2021,
        "kind of",
    ),
]
"""Declarations, in the order of the surveys."""
