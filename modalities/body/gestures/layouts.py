"""Skeleton layouts of data sets, and the 19 joints that a network sees whatever the layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.body.skeleton import FloatArray, Skeleton

COMMON = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "left_hand", "right_hand",
)  # fmt: skip
"""Joints that the network sees: those of COCO, and the middle of each hand where the layout has one."""
MIRROR = tuple(
    COMMON.index(name.replace("left", "right") if "left" in name else name.replace("right", "left")) for name in COMMON
)
EDGES = tuple(
    (COMMON.index(a), COMMON.index(b))
    for a, b in (
        ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
        ("nose", "left_shoulder"), ("nose", "right_shoulder"), ("left_shoulder", "right_shoulder"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("left_wrist", "left_hand"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("right_wrist", "right_hand"),
        ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"), ("left_hip", "right_hip"),
        ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_hip", "right_knee"),
        ("right_knee", "right_ankle"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How a tracker orders its joints.

    Attributes:
        name: Its name in a data set's `layout` entry.
        joints: Number of joints.
        order: For each of `COMMON` the tracker's index, -1 for none.
        about: What it is.
    """

    name: str
    joints: int
    order: tuple[int, ...]
    about: str


_COCO = tuple(range(17))
_BODY25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
_MEDIAPIPE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("coco17", 17, (*_COCO, -1, -1), "COCO"),
        Layout("openpose18", 18, (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10, -1, -1), "OpenPose COCO"),
        Layout("openpose25", 25, (*_BODY25, -1, -1), "OpenPose BODY_25"),
        Layout("kinect25", 25, (3, -1, -1, -1, -1, 4, 8, 5, 9, 6, 10, 12, 16, 13, 17, 14, 18, 7, 11), "Kinect v2"),
        Layout("mediapipe33", 33, (*_MEDIAPIPE, 19, 20), "MediaPipe Pose"),
        Layout("wholebody133", 133, (*_COCO, 100, 121), "COCO-WholeBody"),
        Layout("openpose137", 137, (*_BODY25, 104, 125), "OpenPose: 25 of the body, 70 of the face, 21 of each hand"),
    )
}


def find_layout(joints: int, name: str | None = None) -> Layout:
    """The layout of so many joints.

    Raises:
        InvalidValueError: no layout has so many, or several have and none is named.
    """
    if name is not None:
        if name not in LAYOUTS or LAYOUTS[name].joints != joints:
            raise InvalidValueError(
                "the skeleton does not have this layout",
                got=f"{name} with {joints} joints",
                expected=", ".join(f"{one.name} ({one.joints} joints)" for one in LAYOUTS.values()),
            )
        return LAYOUTS[name]
    fits = [one for one in LAYOUTS.values() if one.joints == joints]
    if len(fits) != 1:
        raise InvalidValueError(
            "several layouts have so many joints" if fits else "no known layout has so many joints",
            got=joints,
            expected=", ".join(f"{one.name} ({one.joints})" for one in fits or LAYOUTS.values()),
            mend="Name the layout: --layout NAME, or an entry `layout` in the data." if fits else None,
        )
    return fits[0]


def to_common(points: FloatArray, layout: Layout) -> FloatArray:
    """Joints in any layout as x, y, confidence of `COMMON`.

    Args:
        points: (t, joints, c): x, y; x, y and confidence (0..1); or x, y, z, perhaps with confidence; z is not used.
        layout: Their order.

    Returns:
        (t, 19, 3); confidence 0 where the layout has no such joint, or it is at exactly (0, 0), or not finite.
    """
    xy = points[..., :2].astype(np.float64)
    sure = np.ones(points.shape[:2])
    if points.shape[-1] >= 3:
        last = points[..., -1].astype(np.float64)
        finite = last[np.isfinite(last)]
        if points.shape[-1] == 4 or (len(finite) and finite.min() >= 0 and finite.max() <= 1):
            sure = last
    sure = np.where(np.isfinite(xy).all(axis=-1) & np.isfinite(sure) & (np.abs(xy).sum(axis=-1) > 0), sure, 0.0)
    out = np.zeros((len(points), len(COMMON), 3))
    for at, source in enumerate(layout.order):
        if source >= 0:
            out[:, at, :2] = np.where(sure[:, source, None] > 0, xy[:, source], 0.0)
            out[:, at, 2] = np.clip(sure[:, source], 0, 1)
    return out


def of_skeleton(skeleton: Skeleton) -> FloatArray:
    """A MediaPipe skeleton as (n, 19, 3); confidence 0 without a body."""
    points = np.concatenate([skeleton.points, skeleton.visibility[..., None]], axis=-1)
    out = to_common(points, LAYOUTS["mediapipe33"])
    out[~skeleton.found] = 0.0
    return out


def normalise(clip: FloatArray, frames: int) -> FloatArray:
    """A clip of any length and size as the network sees it.

    The middle of the shoulders (its median over the clip) becomes the origin, one shoulder width (or 0.6 of the trunk,
    for somebody turned away) the unit, up is positive, and the frames are spread evenly.

    Args:
        clip: (t, 19, 3), x, y, confidence; t >= 1.
        frames: Wanted number.

    Returns:
        float32 (5, frames, 19): x, y, confidence, and the change of x and y per frame.
    """
    clip = clip.copy()
    sure = clip[..., 2] > 0.1

    def middle(names: tuple[str, str]) -> FloatArray | None:
        pair = [COMMON.index(name) for name in names]
        rows = sure[:, pair].all(axis=1)
        return np.median(clip[rows][:, pair, :2], axis=0) if rows.any() else None

    shoulders, hips = middle(("left_shoulder", "right_shoulder")), middle(("left_hip", "right_hip"))
    origin, scale = np.zeros(2), 1.0
    if shoulders is not None:
        origin, scale = shoulders.mean(axis=0), float(np.linalg.norm(shoulders[0] - shoulders[1]))
        if hips is not None:
            scale = max(scale, 0.6 * float(np.linalg.norm(origin - hips.mean(axis=0))))
    head = clip[:, 0, 1][sure[:, 0]]
    below = hips.mean(axis=0)[1] if hips is not None else origin[1]
    down = not len(head) or float(np.median(head)) < below
    clip[..., :2] = np.clip((clip[..., :2] - origin) / max(scale, 1e-6) * (1, -1 if down else 1), -6, 6)
    clip[..., :2] = np.where(sure[..., None], clip[..., :2], 0.0)
    clip = _filled(clip, sure)
    places = np.linspace(0, len(clip) - 1, frames)
    low = np.floor(places).astype(int)
    high, share = np.minimum(low + 1, len(clip) - 1), (places - low)[:, None, None]
    even = clip[low] * (1 - share) + clip[high] * share
    change = np.diff(even[..., :2], axis=0, prepend=even[:1, :, :2]) * frames / 16
    return np.concatenate([even, change], axis=-1).transpose(2, 0, 1).astype(np.float32)


def _filled(clip: FloatArray, sure: np.ndarray) -> FloatArray:
    """Joints that are missing for some frames stay where they were last, or first, seen."""
    for joint in range(clip.shape[1]):
        rows = np.flatnonzero(sure[:, joint])
        if len(rows) and len(rows) < len(clip):
            nearest = rows[np.clip(np.searchsorted(rows, np.arange(len(clip)), side="right") - 1, 0, None)]
            clip[:, joint, :2] = clip[nearest, joint, :2]
    return clip
