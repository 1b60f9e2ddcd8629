"""Strategies of training on one fixed network, and domains, teachers and tasks beside the class.

Macro-expressions are simulated ones (`schedule_strategies.Macro`), so that every row can be run on any maps of flow.
"""

from __future__ import annotations

from dataclasses import replace

from modalities.face.recognition.layers_parts import Average, Conv, Hidden
from modalities.face.recognition.networks_assembled import Assembled, Stream
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.schedule_features import Selected
from modalities.face.recognition.schedule_losses import Beside
from modalities.face.recognition.schedule_strategies import Distilled, FineTuned, Guided, Mixed
from modalities.face.recognition.zoo.flow import MAPS, USUAL
from modalities.face.recognition.zoo.losses import BLOCK, FIXED
from modalities.face.recognition.zoo.published import Published

_MAPPED = Assembled(tail=(Average(3), *FIXED.tail))
"""The fixed network, its maps kept until after joining."""
_TEACHER = Distilled(
    teacher=Assembled(tail=(Average(3), Hidden(128, dropout=0.3))),
    block=(Conv(32, 5, stride=2), Conv(64, 3, pool=2)),
    first=USUAL,
    then=USUAL,
    soft=0.1,
)
_GENTLE = Schedule(updates=100, rate=1e-3, batch=32)
_TWO = Assembled((Stream(channels=(0, 1)), Stream(channels=(2,))), tail=(Hidden(64, dropout=0.3),))

STRATEGIES = [
    Published(
        "two-streams",
        MAPS,
        BLOCK,
        _TWO,
        USUAL,
        "cross_entropy",
        "the network of mima-net, geme and identity-multi-task by itself: what they are compared with",
        "a control of the comparison",
        2026,
    ),
    Published(
        "macro-fine-tuned",
        MAPS,
        BLOCK,
        FIXED,
        FineTuned(USUAL, _GENTLE),
        "balanced_cross_entropy",
        "the fixed network, first on simulated macro-expressions",
        "after Peng et al. 2018, From macro to micro expression recognition; here on maps of flow",
        2018,
    ),
    Published(
        "sdf",
        MAPS,
        BLOCK,
        FIXED,
        Selected(USUAL, USUAL),
        "balanced_cross_entropy",
        "deep features learnt elsewhere, half of them chosen in the training set; variance ratio instead of evolution",
        "Patel et al., Selective deep features for micro-expression recognition",
        2016,
    ),
    Published(
        "distilled",
        MAPS,
        BLOCK[:2],
        _MAPPED,
        _TEACHER,
        "cross_entropy",
        "a wider teacher of action units and macro-expressions softens the labels of the fixed network",
        "Sun et al., Dynamic micro-expression recognition using knowledge distillation",
        2022,
    ),
    Published(
        "attention-transfer",
        MAPS,
        BLOCK[:2],
        _MAPPED,
        replace(_TEACHER, soft=0.0, attention=2.0),
        "cross_entropy",
        "maps of attention of a teacher of macro-expressions are copied; no style aggregation",
        "Zhou et al., Cross-database micro-expression recognition: style aggregated and attention transfer (SAAT)",
        2019,
    ),
    Published(
        "nmer",
        MAPS,
        BLOCK,
        FIXED,
        Mixed(USUAL),
        Beside("dataset", weight=0.1, against=True),
        "data sets and simulated macro-expressions are domains that features must not tell apart; no magnification",
        "Liu et al., A neural micro-expression recognizer",
        2019,
    ),
    Published(
        "mtm-net",
        MAPS,
        BLOCK,
        FIXED,
        Guided(USUAL, _GENTLE, forget=0.1),
        "cross_entropy",
        "pairs of micro and macro of a class, a judge between them, identity forgotten; no inequality of losses",
        "Xia et al., Learning from macro-expression: a micro-expression recognition framework",
        2020,
    ),
    Published(
        "mima-net",
        MAPS,
        BLOCK,
        _TWO,
        Guided(USUAL, _GENTLE, fool=0.3),
        "cross_entropy",
        "pairs of micro and macro in two streams, flow and strain for the paper's space and time",
        "Xia & Wang, Micro-expression recognition enhanced by macro-expression from spatial-temporal domain",
        2021,
    ),
    Published(
        "geme",
        MAPS,
        BLOCK,
        _TWO,
        USUAL,
        Beside("gender"),
        "gender is learnt beside the class where a column `gender` tells it; without one, the class alone",
        "Nie et al., GEME: dual-stream multi-task gender-based micro-expression recognition",
        2021,
    ),
    Published(
        "identity-multi-task",
        MAPS,
        BLOCK,
        _TWO,
        USUAL,
        Beside("person", weight=0.1),
        "who is seen is learnt beside the class, as GEME learns gender",
        "after Nie et al. 2021",
        2021,
    ),
    Published(
        "unit-multi-task",
        MAPS,
        BLOCK,
        FIXED,
        USUAL,
        Beside("units"),
        "coded action units are learnt beside the class, from samples that have them",
        "after Xie et al. 2020 and Sun et al. 2022",
        2020,
    ),
]
"""Declarations, in the order of the surveys."""
