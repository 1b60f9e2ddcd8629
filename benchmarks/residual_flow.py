"""How much motion is left on a still face while its head turns by 10 degrees of yaw and moves by 20 px."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data_schemas.time import NS_PER_S
from modalities.face.flow import LAGS_S, FlowMeter
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import averaging

FACE_PX = 128
"""Width of the face in whose pixels the figures are."""
YAW_DEG, SHIFT_PX = 10.0, 20.0
FPS, LENGTH_S = 30.0, 4.0
STARTS_S, TURNS_S = 1.0, 1.5
"""The head begins to move, and how long it moves, seconds."""
HEADS = (("astronaut", 0), ("hopper", 3), ("astronaut", 7), ("hopper", 11), ("astronaut", 21), ("hopper", 30))
"""Photograph and identity of each head."""
_HOLES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
"""Outlines of the eyes."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen of one frame: aligned picture, landmarks in it, depth of the landmarks, time."""

    patch: Picture
    points: FloatArray
    depth: FloatArray
    t_ns: int


def measure(full: bool) -> Mapping[str, float]:
    """Root mean square residual motion, pixels of a face 128 px wide.

    `regions_*`: what the face path's own `FlowMeter` says of the regions, for each lag, over all frame pairs of which
    one is taken while the head moves. `head_motion_*`: the same of `head_motion.HeadMotion`. `skin_*`: of the latter on
    every pixel of the face that is farther than 10 % of its width from its outline, off the eyes.
    `*_10_degrees`: between a picture before the movement and one after it.

    Args:
        full: Six heads instead of two.
    """
    sums: dict[str, list[float]] = {}
    for photograph, identity in HEADS if full else HEADS[:2]:
        looks = list(watch_head(photograph, identity))
        scale = FACE_PX / float(np.ptp(looks[0].points[:468, 0]))
        for name, value in (*_by_meter(looks), *_by_head_motion(looks)):
            sums.setdefault(name, []).append(scale**2 * value)
    return {name: float(np.sqrt(np.mean(values))) for name, values in sums.items()}


def watch_head(photograph: str, identity: int, *, seed: int = 1) -> Iterator[Look]:
    """A still face on a head that turns and moves once, as the face path sees it."""
    from modalities.face.landmarks import FaceTracker
    from modalities.face.models import borrowed_models
    from modalities.face.registration import PatchAligner, fit_head
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait
    from pipeline.simulate.motion import FaceMotion

    times = np.arange(0, LENGTH_S, 1 / FPS)
    way = 0.5 - 0.5 * np.cos(np.pi * np.clip((times - STARTS_S) / TURNS_S, 0, 1))
    motion = FaceMotion(times, yaw_deg=YAW_DEG * way, shift_px=np.column_stack([SHIFT_PX * way, 0 * way]))
    puppet = Puppet(prepare_portrait(photograph, (480, 360), 230, identity, identity))
    with borrowed_models() as models:
        tracker, aligner = FaceTracker(models), PatchAligner()
        for time_s, picture in zip(times.tolist(), puppet.frames(motion, seed), strict=True):
            t_ns = round(time_s * NS_PER_S)
            sighting = tracker.find(picture, t_ns)
            if sighting is None:
                continue
            patch, points = aligner.align(sighting, t_ns)
            yield Look(patch, points, fit_head(sighting.points).frontal[:, 2], t_ns)


def _by_meter(looks: list[Look]) -> Iterator[tuple[str, float]]:
    """Mean square of what the face path itself reports, in pixels of the aligned picture."""
    meter = FlowMeter()
    told: dict[int, list[FloatArray]] = {}
    for at, look in enumerate(looks):
        flow = meter.measure(look.patch, look.points.astype(np.float32), look.depth, look.t_ns, at)
        for lag in np.flatnonzero(flow.back).tolist():
            if _moves(looks[at - int(flow.back[lag])], look):
                told.setdefault(lag, []).append(flow.motion[lag])
    for lag, values in told.items():
        yield f"regions_{_words(LAGS_S[lag])}", _mean_square(values)


def _by_head_motion(looks: list[Look]) -> Iterator[tuple[str, float]]:
    """The same of `head_motion`, in order of time as the face path would."""
    from modalities.face.flow_methods import dense_flow
    from modalities.face.head_motion import POINTS, FacePicture, HeadMotion

    mean = averaging(len(POINTS), POINTS)
    faces = [FacePicture(o.patch, o.points[POINTS], o.depth[POINTS].astype(np.float32), o.t_ns) for o in looks]
    flow, head = dense_flow("dis"), HeadMotion()
    regions: dict[str, list[FloatArray]] = {}
    skin: dict[str, list[FloatArray]] = {}
    for at, look in enumerate(looks):
        for lag_s in LAGS_S:
            then = at - round(lag_s * FPS)
            if then < 0:
                continue
            left = head.remove(faces[then], faces[at], flow)
            if _moves(looks[then], look):
                regions.setdefault(_words(lag_s), []).append(mean @ left.at_points)
                skin.setdefault(_words(lag_s), []).append(left.dense()[skin_mask(looks[then])])
    before = round((STARTS_S - 0.2) * FPS)
    for after in range(round((STARTS_S + TURNS_S) * FPS) + 2, len(looks), 5):
        left = head.remove(faces[before], faces[after], flow)
        regions.setdefault("10_degrees", []).append(mean @ left.at_points)
        skin.setdefault("10_degrees", []).append(left.dense()[skin_mask(looks[before])])
    for name, values in regions.items():
        yield f"head_motion_{name}", _mean_square(values)
        yield f"skin_{name}", _mean_square(skin[name])


def skin_mask(look: Look) -> np.ndarray:
    """Pixels of the face off its outline and eyes, bool (s, s)."""
    import cv2

    from modalities.face.synthesis.mesh import OVAL

    side = len(look.patch)
    mask = np.zeros((side, side), np.uint8)
    outline = look.points[list(OVAL)]
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    rim = round(0.1 * float(np.ptp(outline[:, 0])))
    inner = cv2.erode(mask, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
    for holes in _HOLES:
        hull = cv2.convexHull(np.rint(look.points[list(holes)]).astype(np.int32))
        cv2.fillConvexPoly(inner, hull, 0)
    return inner > 0


def _moves(then: Look, now: Look) -> bool:
    first, last = STARTS_S * NS_PER_S, (STARTS_S + TURNS_S) * NS_PER_S
    return now.t_ns > first and then.t_ns < last


def _words(lag_s: float) -> str:
    return f"{round(1000 * lag_s)}_ms"


def _mean_square(values: list[FloatArray]) -> float:
    """Mean over all vectors (..., 2) of their squared length."""
    return float(np.concatenate([(value**2).sum(axis=-1).ravel() for value in values]).mean())
