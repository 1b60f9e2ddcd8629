"""The columns of the body track."""

from __future__ import annotations

from data_schemas.features import FeatureSpec

_POSE = "BlazePose (Bazarevsky et al. 2020)"
_HANDS = "MediaPipe Hands (Zhang et al. 2020)"


def _fingers(side: str) -> tuple[FeatureSpec, ...]:
    return (
        FeatureSpec(
            f"{side}_hand_confidence",
            "1",
            f"probability that a {side} hand is seen where the pose has it; 0: none is, null: nobody looked",
            0,
            1,
            "nearest",
            _HANDS,
        ),
        FeatureSpec(
            f"{side}_hand_openness",
            "1",
            "0 fist to 1 flat hand, from the bend of the four fingers",
            0,
            1,
            source=_HANDS,
        ),
        FeatureSpec(
            f"{side}_finger_motion", "deg/s", "mean change of the fingers' bend since the look before", 0, source=_HANDS
        ),
        FeatureSpec(
            f"fingertip_mouth_distance_{side}",
            "shoulder widths",
            "nearest fingertip to the middle of the mouth, in the picture plane",
            0,
            source=_HANDS,
        ),
    )


FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("movement_energy", "shoulder widths/s", "mean speed of the joints that are seen", 0, None),
    FeatureSpec(
        "pixel_motion",
        "grey levels/s",
        "mean absolute change of brightness inside the person's box since the last sample, at 160 px picture width; "
        "changes of the whole picture's light and below 3 grey levels are left out",
        0,
        None,
    ),
    FeatureSpec("left_hand_speed", "shoulder widths/s", "speed of the person's left wrist against the shoulders", 0),
    FeatureSpec("right_hand_speed", "shoulder widths/s", "speed of the person's right wrist against the shoulders", 0),
    FeatureSpec("hand_face_distance_left", "shoulder widths", "centre of the left hand to centre of the face", 0),
    FeatureSpec("hand_face_distance_right", "shoulder widths", "centre of the right hand to centre of the face", 0),
    FeatureSpec(
        "hand_to_face", "1", "1 while a hand that is seen is at the face, in the picture plane", 0, 1, "nearest"
    ),
    FeatureSpec("trunk_lean_deg", "deg", "hips to shoulders against the vertical, clockwise in the picture", -180, 180),
    FeatureSpec("shoulder_tilt_deg", "deg", "line of the shoulders against the horizontal, clockwise", -90, 90),
    FeatureSpec("head_tilt_deg", "deg", "line of the eyes against the horizontal, clockwise", -90, 90),
    FeatureSpec("posture_openness", "shoulder widths", "distance of the wrists: 0 hands together, above 1 open", 0),
    FeatureSpec("confidence", "1", f"mean visibility of nose, shoulders, arms and hips; {_POSE}", 0, 1),
    FeatureSpec(
        "fidgeting",
        "shoulder widths/s",
        "small movement of hands, head and legs against the trunk, mean of 5 s, above each joint's quietest; movement "
        "above 0.6 shoulder widths/s is left out",
        0,
        None,
    ),
    FeatureSpec(
        "freeze",
        "1",
        "1 while the body has moved less than 40 % as much as it usually does for 1.5 s or more; null for somebody who "
        "hardly ever moves",
        0,
        1,
        "nearest",
        "after van der Zee et al. 2019",
    ),
    FeatureSpec(
        "posture_expansion",
        "shoulder widths",
        "mean distance of elbows and wrists from the line from hips to shoulders",
        0,
        None,
        source="after the contraction index of Camurri et al. 2003",
    ),
    FeatureSpec("rhythm_hz", "Hz", "strongest rate of the body's movement over 6 s", 0, 6, "nearest"),
    FeatureSpec("rhythm_strength", "1", "share of the movement's power within 0.4 Hz of that rate", 0, 1, "nearest"),
    *_fingers("left"),
    *_fingers("right"),
)
