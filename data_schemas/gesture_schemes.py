"""Vocabularies of micro-gestures: the 32 classes of iMiGUE, the 52 of MA-52, and which of them geometry can decide.

A micro-gesture is a small, mostly unintended movement of the body. Self-adaptors touch the own body, illustrators go
with speech (Ekman & Friesen 1969, "The repertoire of nonverbal behavior", Semiotica 1:49).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_schemas.errors import InvalidValueError

Role = Literal["self_adaptor", "illustrator", "posture", "head", "leg"]


@dataclass(frozen=True, slots=True)
class GestureClass:
    """One class of a vocabulary.

    Attributes:
        index: Number of the class in the data set's own order, from 0.
        name: Name as the data set gives it.
        region: Part of the body that the data set files it under; "" where it files none.
    """

    index: int
    name: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class GestureScheme:
    """A vocabulary.

    Attributes:
        name: "imigue" or "ma52".
        classes: In order of their index.
        source: Paper that defines it.
    """

    name: str
    classes: tuple[GestureClass, ...]
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(one.name for one in self.classes)

    def find(self, name: str) -> GestureClass:
        """The class of this name, in any case.

        Raises:
            InvalidValueError: there is none.
        """
        for one in self.classes:
            if one.name.lower() == name.strip().lower():
                return one
        raise InvalidValueError(f"no class of {self.name} has this name", got=name, expected="; ".join(self.names))


_IMIGUE = (
    "turtle neck", "bulging face, deep breath", "touch hat", "touch or scratch head", "touch or scratch forehead",
    "cover face", "rub eyes", "touch facial parts", "touch ears", "bite nails", "touch jaw", "touch neck",
    "play or adjust hair", "buckle button, pull collar, adjust tie", "touch or cover suprasternal notch",
    "scratch back", "fold arms", "dust off clothes", "arms behind body", "move torso", "sit straight",
    "scratch or touch arms", "rub or hold hands", "cross fingers", "minaret gesture", "play with objects",
    "hold back arms", "head up", "press lips", "arms akimbo", "shake shoulders", "illustrative hand gestures",
)  # fmt: skip

_MA52: dict[str, tuple[str, ...]] = {
    "body": ("shaking body", "sitting straightly", "shrugging", "turning around", "rising up"),
    "head": ("bowing head", "head up", "tilting head", "turning head", "nodding", "shaking head"),
    "upper limb": (
        "scratching arms", "playing objects", "putting hands together", "rubbing hands", "pointing oneself",
        "clenching fist", "stretching arms", "retracting arms", "waving", "spreading hands", "hands touching fingers",
        "other finger movements", "illustrative gestures",
    ),
    "lower limb": (
        "shaking legs", "curling legs", "spread legs", "closing legs", "crossing legs", "stretching feet",
        "retracting feet", "tiptoe",
    ),
    "body-hand": (
        "scratching or touching neck", "scratching or touching chest", "scratching or touching back",
        "scratching or touching shoulder", "arms akimbo", "crossing arms",
    ),
    "head-hand": (
        "playing or tidying hair", "scratching or touching hindbrain", "scratching or touching forehead",
        "scratching or touching face", "rubbing eyes", "touching nose", "touching ears", "covering face",
        "covering mouth", "pushing glasses",
    ),
    "leg-hand": ("patting legs", "touching legs", "scratching legs", "scratching feet"),
}  # fmt: skip
_MA52_ROWS = [(region, name) for region, names in _MA52.items() for name in names]

IMIGUE = GestureScheme(
    "imigue",
    tuple(GestureClass(at, name) for at, name in enumerate(_IMIGUE)),
    "Liu et al. 2021, iMiGUE: an identity-free video dataset for micro-gesture understanding and emotion analysis",
)
MA52 = GestureScheme(
    "ma52",
    tuple(GestureClass(at, name, region) for at, (region, name) in enumerate(_MA52_ROWS)),
    "Guo et al. 2024, Benchmarking micro-action recognition: dataset, methods, and applications, IEEE TCSVT",
)
SCHEMES: dict[str, GestureScheme] = {scheme.name: scheme for scheme in (IMIGUE, MA52)}


@dataclass(frozen=True, slots=True)
class GeometricGesture:
    """A gesture that the position of joints decides.

    Attributes:
        name: Label of the event.
        role: "self_adaptor", "illustrator", "posture", "head" or "leg".
        about: What it is.
        imigue: Nearest class of iMiGUE, "" for none.
        ma52: Nearest class of MA-52, "" for none.
    """

    name: str
    role: Role
    about: str
    imigue: str = ""
    ma52: str = ""


_GEOMETRIC = (
    GeometricGesture("touch_hair", "self_adaptor", "a hand on top of the head",
                     "touch or scratch head", "playing or tidying hair"),
    GeometricGesture("touch_back_of_head", "self_adaptor", "a hand behind the head",
                     "touch or scratch head", "scratching or touching hindbrain"),
    GeometricGesture("touch_forehead", "self_adaptor", "a hand at the forehead",
                     "touch or scratch forehead", "scratching or touching forehead"),
    GeometricGesture("touch_eyes", "self_adaptor", "a hand at an eye", "rub eyes", "rubbing eyes"),
    GeometricGesture("touch_nose", "self_adaptor", "a hand at the nose", "touch facial parts", "touching nose"),
    GeometricGesture("touch_mouth", "self_adaptor", "a hand at the mouth", "touch facial parts", "covering mouth"),
    GeometricGesture("touch_chin", "self_adaptor", "a hand at the chin", "touch jaw", "scratching or touching face"),
    GeometricGesture("touch_cheek", "self_adaptor", "a hand at a cheek",
                     "touch facial parts", "scratching or touching face"),
    GeometricGesture("touch_ear", "self_adaptor", "a hand at an ear", "touch ears", "touching ears"),
    GeometricGesture("cover_face", "self_adaptor", "both hands over the face", "cover face", "covering face"),
    GeometricGesture("touch_neck", "self_adaptor", "a hand at the neck",
                     "touch neck", "scratching or touching neck"),
    GeometricGesture("touch_collar", "self_adaptor", "a hand at the pit of the neck or the collar",
                     "touch or cover suprasternal notch", "scratching or touching neck"),
    GeometricGesture("touch_chest", "self_adaptor", "a hand on the chest", "", "scratching or touching chest"),
    GeometricGesture("touch_shoulder", "self_adaptor", "a hand on the other shoulder",
                     "", "scratching or touching shoulder"),
    GeometricGesture("touch_arm", "self_adaptor", "a hand on the other arm",
                     "scratch or touch arms", "scratching arms"),
    GeometricGesture("rub_leg", "self_adaptor", "a hand rubs the thigh", "", "scratching legs"),
    GeometricGesture("hands_together", "self_adaptor", "the hands hold each other",
                     "rub or hold hands", "putting hands together"),
    GeometricGesture("rub_hands", "self_adaptor", "the hands rub each other", "rub or hold hands", "rubbing hands"),
    GeometricGesture("illustrate", "illustrator", "a hand, or both, beats in front of the body",
                     "illustrative hand gestures", "illustrative gestures"),
    GeometricGesture("fold_arms", "posture", "arms folded before the chest", "fold arms", "crossing arms"),
    GeometricGesture("arms_akimbo", "posture", "hands on the hips, elbows out", "arms akimbo", "arms akimbo"),
    GeometricGesture("posture_shift", "posture", "the trunk leans or moves to another place and stays", "move torso"),
    GeometricGesture("shake_body", "posture", "the trunk rocks", "", "shaking body"),
    GeometricGesture("shrug", "posture", "the shoulders go up and down", "shake shoulders", "shrugging"),
    GeometricGesture("nod", "head", "the head goes up and down again and again", "", "nodding"),
    GeometricGesture("shake_head", "head", "the head turns left and right again and again", "", "shaking head"),
    GeometricGesture("head_up", "head", "the head is raised and stays", "head up", "head up"),
    GeometricGesture("head_down", "head", "the head is bowed and stays", "", "bowing head"),
    GeometricGesture("tilt_head", "head", "the head is tilted to one side and stays", "", "tilting head"),
    GeometricGesture("turn_head", "head", "the head is turned to one side and stays", "", "turning head"),
    GeometricGesture("shake_leg", "leg", "a knee bounces", "", "shaking legs"),
)  # fmt: skip
GEOMETRIC: dict[str, GeometricGesture] = {one.name: one for one in _GEOMETRIC}
"""The gestures of the geometric recogniser, by name."""
