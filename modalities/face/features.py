"""The columns of the face track."""

from __future__ import annotations

from data_schemas.features import FeatureSpec
from modalities.face.action_units import AU_NAMES

_FACS = "FACS (Ekman, Friesen & Hager 2002)"
_WORDS = {
    "au01": "inner brow raiser",
    "au02": "outer brow raiser",
    "au04": "brow lowerer",
    "au05": "upper lid raiser; not judged during blinks",
    "au06": "cheek raiser",
    "au07": "lid tightener; not judged during blinks",
    "au09": "nose wrinkler",
    "au10": "upper lip raiser",
    "au12_left": "lip corner puller, the person's left",
    "au12_right": "lip corner puller, the person's right",
    "au15": "lip corner depressor",
    "au17": "chin raiser",
    "au20": "lip stretcher",
    "au24": "lip presser",
    "au25": "lips part",
    "au26": "jaw drop",
}

FEATURES: tuple[FeatureSpec, ...] = (
    *(
        FeatureSpec(name, "1", f"{_WORDS[name]}: intensity relative to the person's own neutral", 0, 1, source=_FACS)
        for name in AU_NAMES
    ),
    FeatureSpec("au43", "1", "eye closure, 0 open to 1 closed, mean of both eyes", 0, 1, source=_FACS),
    FeatureSpec("eye_opening_left", "1", "opening of the left eye, 1 is the person's open eye", 0, 3),
    FeatureSpec("eye_opening_right", "1", "opening of the right eye, 1 is the person's open eye", 0, 3),
    FeatureSpec("mouth_opening", "%IOD", "gap between the lips' inner edges, % of the inter-ocular distance", 0, 200),
    FeatureSpec("yaw_deg", "deg", "head turn, positive to the person's left", -180, 180),
    FeatureSpec("pitch_deg", "deg", "head tilt, positive up", -90, 90),
    FeatureSpec("roll_deg", "deg", "head lean, positive clockwise in the picture", -180, 180),
    FeatureSpec("motion_upper", "%IOD", "movement of the brows over the last 1/4 s, head motion removed", 0),
    FeatureSpec("motion_lower", "%IOD", "movement of cheeks, nose, lips and chin over the last 1/4 s", 0),
    FeatureSpec("motion_left", "%IOD", "movement of the left half of the face over the last 1/4 s", 0),
    FeatureSpec("motion_right", "%IOD", "movement of the right half of the face over the last 1/4 s", 0),
    FeatureSpec("expression_score", "1", "evidence for an expression now; 0.5 is the spotter's threshold", 0, 1),
    FeatureSpec("blink_rate", "1/min", "blinks per minute over the last 60 s (at least 10 s observed)", 0, join="hold"),
    FeatureSpec("face_size_px", "px", "width of the face in the picture", 0),
    FeatureSpec("confidence", "1", "how well the face can be judged: size, view, sharpness, fit of the mesh", 0, 1),
)
"""Columns in order."""
