"""What a rendered face and body do, frame by frame: the contract between the session's script and the renderers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

Curve = NDArray[np.float64]

ACTION_UNITS = (
    "au01", "au02", "au04", "au05", "au06", "au07", "au09", "au10", "au12_left", "au12_right", "au14", "au15", "au17",
    "au20", "au23", "au24", "au25", "au26",
)  # fmt: skip
"""Action units that scripts plant and renderers draw; left and right are the person's own."""
OUTWARD = ("lips", "cheeks")
"""Parts of the face that can be pushed out towards the front, out of the plane of the action units."""


@dataclass(frozen=True)
class FaceMotion:
    """Movement of one face over n frames.

    Attributes:
        times_s: Frame times on the session clock, shape (n,).
        aus: Intensity 0..1 of each action unit that moves, shape (n,) each; keys from `ACTION_UNITS`.
            1 is a strong movement: about 8 % of the inter-ocular distance for lip corners and brows.
        blink: 0 open to 1 closed, shape (n,).
        mouth_open: 0..1 speech-driven jaw opening, shape (n,).
        yaw_deg: Head turn, positive to the person's left, shape (n,).
        pitch_deg: Positive up, shape (n,).
        roll_deg: Positive clockwise in the picture, shape (n,).
        shift_px: Head translation in the picture, x right and y down, shape (n, 2).
        skin_pulse: Blood volume pulse at the skin, about -1..1, shape (n,).
        light: Brightness factor around 1, shape (n,).
        outward_mm: How far a part of the face is pushed out, mm, shape (n,) each; keys from `OUTWARD`. Only a renderer
            that has been given a `View` knows of depth and draws it.
    """

    times_s: Curve
    aus: Mapping[str, Curve] = field(default_factory=dict)
    blink: Curve | None = None
    mouth_open: Curve | None = None
    yaw_deg: Curve | None = None
    pitch_deg: Curve | None = None
    roll_deg: Curve | None = None
    shift_px: Curve | None = None
    skin_pulse: Curve | None = None
    light: Curve | None = None
    outward_mm: Mapping[str, Curve] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.times_s)
        unknown = sorted(set(self.aus) - set(ACTION_UNITS))
        if unknown:
            raise InvalidValueError("unknown action units", got=unknown, expected=", ".join(ACTION_UNITS))
        if not set(self.outward_mm) <= set(OUTWARD):
            raise InvalidValueError(
                "these parts of a face are not pushed out", got=sorted(self.outward_mm), expected=", ".join(OUTWARD)
            )
        for name in ("blink", "mouth_open", "yaw_deg", "pitch_deg", "roll_deg", "skin_pulse"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(n))
        if self.shift_px is None:
            object.__setattr__(self, "shift_px", np.zeros((n, 2)))
        if self.light is None:
            object.__setattr__(self, "light", np.ones(n))
        curves = [
            *self.aus.values(),
            *self.outward_mm.values(),
            self.blink,
            self.mouth_open,
            self.yaw_deg,
            self.skin_pulse,
            self.light,
        ]
        if any(curve is None or len(curve) != n for curve in curves):
            raise InvalidValueError("all curves of a face motion need one value per frame", expected=n)


@dataclass(frozen=True)
class BodyMotion:
    """Movement of one seated body over n frames.

    Attributes:
        times_s: Frame times on the session clock, shape (n,).
        left_hand_to_face: 0 resting in the lap to 1 touching the chin, the person's own left, shape (n,).
        right_hand_to_face: The same for the right hand, shape (n,).
        sway: Side-to-side trunk sway, -1..1 (1 is 4 % of the picture width), shape (n,).
        nod: Head nod, -1..1, shape (n,).
    """

    times_s: Curve
    left_hand_to_face: Curve
    right_hand_to_face: Curve
    sway: Curve
    nod: Curve
