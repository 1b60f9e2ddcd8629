"""The columns of the face track."""

from __future__ import annotations

from data_schemas.features import FeatureSpec
from modalities.face.action_units import MIDLINE, PAIRED

_FACS = "FACS (Ekman, Friesen & Hager 2002)"
UNIT_WORDS = {
    "au01": "inner brow raiser",
    "au02": "outer brow raiser",
    "au04": "brow lowerer",
    "au05": "upper lid raiser; not judged during blinks",
    "au06": "cheek raiser",
    "au07": "lid tightener; not judged during blinks",
    "au09": "nose wrinkler",
    "au10": "upper lip raiser",
    "au12": "lip corner puller",
    "au14": "dimpler",
    "au15": "lip corner depressor",
    "au17": "chin raiser",
    "au20": "lip stretcher",
    "au23": "lip tightener",
    "au24": "lip presser",
    "au25": "lips part",
    "au26": "jaw drop",
}


def _unit(name: str, words: str) -> FeatureSpec:
    return FeatureSpec(name, "1", f"{words}: intensity relative to the person's own neutral", 0, 1, source=_FACS)


_POS = "POS (Wang, den Brinker, Stuijk & de Haan 2017)"
_EYES = "Bekerman, Gottlieb & Vaiman (2014) for the eyeball"

FEATURES: tuple[FeatureSpec, ...] = (
    *(_unit(au, f"{UNIT_WORDS[au]}, the stronger side") for au in PAIRED),
    *(_unit(f"{au}_{side}", f"{UNIT_WORDS[au]}, the person's {side}") for au in PAIRED for side in ("left", "right")),
    *(_unit(au, UNIT_WORDS[au]) for au in MIDLINE),
    FeatureSpec("asymmetry", "1", "one-sidedness of all paired action units, 1 only the person's left moves", -1, 1),
    FeatureSpec("asymmetry_upper", "1", "the same of brows, lids and cheeks (AU1 to AU7)", -1, 1),
    FeatureSpec("asymmetry_lower", "1", "the same of nose and mouth (AU9 to AU20)", -1, 1),
    FeatureSpec("au43", "1", "eye closure, 0 open to 1 closed, mean of both eyes", 0, 1, source=_FACS),
    FeatureSpec("au43_left", "1", "closure of the left eye", 0, 1, source=_FACS),
    FeatureSpec("au43_right", "1", "closure of the right eye", 0, 1, source=_FACS),
    FeatureSpec("eye_opening_left", "1", "opening of the left eye, 1 is the person's open eye", 0, 3),
    FeatureSpec("eye_opening_right", "1", "opening of the right eye, 1 is the person's open eye", 0, 3),
    FeatureSpec("gaze_yaw_deg", "deg", "eyes in the head, positive to the person's left, 0 is where this person mostly "
                "looks", -45, 45, source=_EYES),
    FeatureSpec("gaze_pitch_deg", "deg", "eyes in the head, positive up, 0 is where this person mostly looks", -45, 45,
                source=_EYES),
    FeatureSpec("pupil_ratio", "1", "diameter of the pupil over that of the iris; null where the iris is narrower than "
                "24 px or the edge cannot be seen", 0, 1, source="Daugman (1993)"),
    FeatureSpec("mouth_opening", "%IOD", "gap between the lips' inner edges, % of the inter-ocular distance", 0, 200),
    FeatureSpec("yaw_deg", "deg", "head turn, positive to the person's left", -180, 180),
    FeatureSpec("pitch_deg", "deg", "head tilt, positive up", -90, 90),
    FeatureSpec("roll_deg", "deg", "head lean, positive clockwise in the picture", -180, 180),
    FeatureSpec("motion_upper", "%IOD", "movement of the brows over the last 1/4 s, head motion removed", 0),
    FeatureSpec("motion_lower", "%IOD", "movement of cheeks, nose, lips and chin over the last 1/4 s", 0),
    FeatureSpec("motion_left", "%IOD", "movement of the left half of the face over the last 1/4 s", 0),
    FeatureSpec("motion_right", "%IOD", "movement of the right half of the face over the last 1/4 s", 0),
    FeatureSpec("expression_score", "1", "evidence for an expression now; each spotter has its threshold", 0, 1),
    FeatureSpec("blink_rate", "1/min", "blinks per minute over the last 60 s (at least 10 s observed)", 0, join="hold"),
    FeatureSpec("blink_duration_s", "s", "mean duration of the blinks of the last 60 s", 0, join="hold"),
    FeatureSpec("face_size_px", "px", "width of the face in the picture", 0),
    FeatureSpec("confidence", "1", "how well the face can be judged: size, view, sharpness, fit of the mesh", 0, 1),
    FeatureSpec("brightness", "1", "mean grey level of the face, 0 black to 255 white", 0, 255),
    FeatureSpec("sharpness", "1", "fine detail: deviation of the Laplacian over contrast of the aligned face", 0),
    FeatureSpec("pulse", "%", "change of the skin's blood volume in percent of its colour, positive with more blood; "
                "colour video only", source=_POS),
    FeatureSpec("pulse_hz", "Hz", "beats per second of the 15 s around; null where the pulse is too weak to tell", 0.7,
                3.5, "hold", source=_POS),
    FeatureSpec("pulse_snr_db", "dB", "power at the rate of the pulse and its double over the rest of 0.7 to 3.5 Hz",
                -30, 40, "hold", source="de Haan & Jeanne (2013)"),
    FeatureSpec("distance_mm", "mm", "from the camera to the eyes; depth camera only, as the next three", 0),
    FeatureSpec("eyes_apart_mm", "mm", "inter-ocular distance, the median of the last 150 frames", 0),
    FeatureSpec("forward_upper", "%IOD", "brows pushed out of the face's plane, 0 is the person's neutral", -100, 100),
    FeatureSpec("forward_lower", "%IOD", "cheeks, nose, lips and chin pushed out of the face's plane", -100, 100),
    FeatureSpec("covered", "1", "share of the face whose detail is not this person's: a hand, an object", 0, 1),
)  # fmt: skip
"""Columns in order."""
