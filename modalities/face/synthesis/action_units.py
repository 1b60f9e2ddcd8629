"""What each action unit does to a face: the muscle, the landmarks it moves, and where to.

Action units are those of the Facial Action Coding System (Ekman, Friesen & Hager 2002). Displacements are in units of
the inter-ocular distance (IOD: between the centres of the eyes, each the middle of its two corners), at intensity 1, in
the face's own axes: `out` is away from the midline of the face, `up` is towards the forehead. Landmarks are those of
MediaPipe's face mesh; "right" and "left" are the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_schemas.errors import InvalidValueError

POINTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "brow_inner": ((107, 55), (336, 285)),
    "brow_middle": ((105, 52), (334, 282)),
    "brow_outer": ((70, 46), (300, 276)),
    "brow_between": ((9,), (9,)),
    "nose_bridge": ((6,), (6,)),
    "nose_tip": ((1,), (1,)),
    "nose_side": ((198,), (420,)),
    "nose_wing": ((129,), (358,)),
    "lid_upper": ((159,), (386,)),
    "lid_lower": ((145,), (374,)),
    "eye_inner": ((133,), (362,)),
    "eye_outer": ((33,), (263,)),
    "under_eye": ((230,), (450,)),
    "cheek_high": ((118,), (347,)),
    "cheek_bone": ((50,), (280,)),
    "cheek_front": ((205,), (425,)),
    "cheek_low": ((207,), (427,)),
    "nose_lip_fold": ((206,), (426,)),
    "lip_corner": ((61, 78), (291, 308)),
    "beside_corner": ((57,), (287,)),
    "outside_corner": ((212,), (432,)),
    "upper_lip": ((0,), (0,)),
    "upper_lip_inner": ((13,), (13,)),
    "upper_lip_side": ((39,), (269,)),
    "upper_lip_side_inner": ((81,), (311,)),
    "lower_lip": ((17,), (17,)),
    "lower_lip_inner": ((14,), (14,)),
    "lower_lip_side": ((181,), (405,)),
    "lower_lip_side_inner": ((178,), (402,)),
    "chin": ((199,), (199,)),
    "chin_tip": ((152,), (152,)),
    "chin_side": ((149,), (378,)),
    "jaw_side": ((136,), (365,)),
    "jaw_corner": ((58,), (288,)),
}
"""Names of the landmarks used: (indices on the person's right, indices on the left); midline points name one twice."""

ABOVE = frozenset({"upper_lip", "upper_lip_inner", "upper_lip_side", "upper_lip_side_inner"})
"""Points that only tissue above the line between the lips follows."""
BELOW = frozenset(
    {"lower_lip", "lower_lip_inner", "lower_lip_side", "lower_lip_side_inner"}
    | {"chin", "chin_tip", "chin_side", "jaw_side", "jaw_corner"}
)
"""Points that only tissue below the line between the lips follows."""
LIDS = ("lid_upper", "lid_lower")
"""Points that move as lids, sliding over the eyeball instead of stretching it."""


@dataclass(frozen=True)
class ActionUnit:
    """One row of the table.

    Attributes:
        name: Lower-case name without a side.
        muscle: What contracts.
        sees: What an observer sees.
        moves: Displacement (out, up) in IOD at intensity 1 of each point of `POINTS`; others follow smoothly.
        holds: Points that stay where they are.
        reach: Distance in IOD at which a point's pull has faded to nothing.
    """

    name: str
    muscle: str
    sees: str
    moves: Mapping[str, tuple[float, float]]
    holds: tuple[str, ...] = ()
    reach: float = 0.6


_EYES = ("eye_inner", "eye_outer", "lid_upper", "lid_lower")
_CORNERS = ("lip_corner", "beside_corner", "outside_corner")

ACTION_UNIT_TABLE: tuple[ActionUnit, ...] = (
    ActionUnit("au01", "frontalis, inner part", "inner brows rise",
               {"brow_inner": (0, .08), "brow_between": (0, .035), "brow_middle": (0, .03)}, ("nose_bridge", *_EYES)),
    ActionUnit("au02", "frontalis, outer part", "outer brows rise",
               {"brow_outer": (0, .06), "brow_middle": (0, .08), "brow_inner": (0, .015)}, _EYES),
    ActionUnit("au04", "corrugator supercilii", "brows drop and draw together",
               {"brow_inner": (-.045, -.065), "brow_middle": (-.03, -.045), "brow_between": (0, -.025)}, _EYES),
    ActionUnit("au05", "levator palpebrae", "upper lids rise, eyes widen", {"lid_upper": (0, .035)}),
    ActionUnit("au06", "orbicularis oculi, outer part", "cheeks rise, lower lids push up",
               {"cheek_high": (.005, .05), "cheek_bone": (.01, .045), "cheek_front": (0, .03), "lid_lower": (0, .025)},
               ("nose_wing", "lip_corner", *_EYES)),
    ActionUnit("au07", "orbicularis oculi, inner part", "lids tighten, eyes narrow",
               {"lid_lower": (0, .03), "lid_upper": (0, -.025)}),
    ActionUnit("au09", "levator labii superioris alaeque nasi", "nose wrinkles, its wings and the upper lip rise",
               {"nose_wing": (.005, .05), "nose_side": (-.005, .05), "brow_inner": (-.01, -.025),
                "upper_lip_side": (0, .02), "upper_lip_side_inner": (0, .015)},
               ("lip_corner", "nose_tip", *_EYES), .5),
    ActionUnit("au10", "levator labii superioris", "upper lip rises",
               {"upper_lip": (0, .045), "upper_lip_side": (0, .06), "upper_lip_inner": (0, .04),
                "upper_lip_side_inner": (0, .045), "nose_lip_fold": (0, .04), "nose_wing": (.005, .02)},
               ("nose_tip", *_CORNERS, *_EYES), .5),
    ActionUnit("au12", "zygomaticus major", "lip corners rise and move out: smile",
               {"lip_corner": (.06, .06), "beside_corner": (.05, .055), "outside_corner": (.03, .04),
                "cheek_low": (.03, .04), "nose_lip_fold": (.02, .04), "cheek_front": (.005, .025)},
               ("nose_wing", "nose_tip", "upper_lip", "lower_lip", "chin", *_EYES), .7),
    ActionUnit("au14", "buccinator", "lip corners tighten and draw to the sides: dimples",
               {"lip_corner": (.045, .01), "beside_corner": (.03, .01), "outside_corner": (-.02, .005)},
               ("upper_lip", "lower_lip", "chin", "nose_wing"), .5),
    ActionUnit("au15", "depressor anguli oris", "lip corners drop",
               {"lip_corner": (.01, -.075), "beside_corner": (.01, -.07), "outside_corner": (.005, -.04)},
               ("upper_lip", "nose_wing", "chin", "cheek_front"), .6),
    ActionUnit("au17", "mentalis", "chin boss and lower lip push up",
               {"chin": (0, .06), "lower_lip": (0, .05), "lower_lip_side": (0, .04), "lower_lip_inner": (0, .03),
                "lower_lip_side_inner": (0, .02), "upper_lip_inner": (0, .025), "upper_lip": (0, .02)},
               ("lip_corner", "beside_corner", "nose_tip", "nose_wing", "chin_tip"), .6),
    ActionUnit("au20", "risorius", "lip corners stretch sideways",
               {"lip_corner": (.08, -.005), "beside_corner": (.07, -.005), "outside_corner": (.04, 0)},
               ("upper_lip", "lower_lip", "nose_wing", "chin"), .6),
    ActionUnit("au23", "orbicularis oris", "lips tighten and narrow, their corners draw in",
               {"lip_corner": (-.035, 0), "beside_corner": (-.025, 0), "upper_lip_side": (-.015, -.018),
                "lower_lip_side": (-.015, .018), "upper_lip": (0, -.018), "lower_lip": (0, .018)},
               ("nose_tip", "nose_wing", "chin", "upper_lip_inner", "lower_lip_inner"), .4),
    ActionUnit("au24", "orbicularis oris", "lips press together and thin",
               {"upper_lip": (0, -.03), "upper_lip_side": (0, -.03), "upper_lip_inner": (0, -.01),
                "lower_lip": (0, .035), "lower_lip_side": (0, .035), "lower_lip_inner": (0, .01),
                "lip_corner": (-.02, 0)},
               ("nose_tip", "nose_wing", "chin"), .45),
    ActionUnit("au25", "depressor labii inferioris, relaxed mentalis", "lips part",
               {"lower_lip": (0, -.05), "lower_lip_inner": (0, -.06), "lower_lip_side": (0, -.04),
                "lower_lip_side_inner": (0, -.045), "upper_lip": (0, .012), "upper_lip_inner": (0, .015)},
               ("lip_corner", "beside_corner", "chin_tip", "nose_tip", "nose_wing"), .5),
    ActionUnit("au26", "masseter, relaxed", "jaw drops",
               {"lower_lip_inner": (0, -.12), "lower_lip": (0, -.12), "lower_lip_side": (0, -.1),
                "lower_lip_side_inner": (0, -.1), "chin": (0, -.12), "chin_tip": (0, -.12), "chin_side": (0, -.1),
                "jaw_side": (0, -.06), "jaw_corner": (0, -.01), "lip_corner": (-.015, -.03),
                "beside_corner": (-.01, -.025), "outside_corner": (-.005, -.025)},
               ("cheek_low", "nose_lip_fold", "nose_wing", "upper_lip", "upper_lip_inner"), .6),
)  # fmt: skip
"""One row per action unit: name, muscle, what is seen, points with (out, up) in IOD, what is held, reach."""

ROWS: dict[str, ActionUnit] = {row.name: row for row in ACTION_UNIT_TABLE}


def find_row(au: str) -> tuple[ActionUnit, str]:
    """The row of an action unit and its side: "both", or the side that the name ends in ("au12_left").

    Raises:
        InvalidValueError: no such action unit.
    """
    name, _, side = au.partition("_")
    if name not in ROWS or side not in ("", "left", "right"):
        raise InvalidValueError("unknown action unit", got=au, expected=", ".join(ROWS))
    return ROWS[name], side or "both"


def peak_point(au: str) -> str:
    """Name of the point that an action unit moves farthest."""
    moves = find_row(au)[0].moves
    return max(moves, key=lambda point: moves[point][0] ** 2 + moves[point][1] ** 2)


def planted_displacement(au: str) -> float:
    """Greatest displacement that an action unit plants at intensity 1, in units of the inter-ocular distance.

    It is reached at `peak_point(au)` and is proportional to intensity. A lid cannot close farther than it is open.

    Raises:
        InvalidValueError: no such action unit.
    """
    out, up = find_row(au)[0].moves[peak_point(au)]
    return float((out**2 + up**2) ** 0.5)
