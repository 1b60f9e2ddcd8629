"""The head as a rigid body: an ordinary head fitted to the 11 joints of the face, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modalities.body.skeleton import BoolArray, FloatArray, index_of

_LEFT = {
    "eye_inner": (0.016, 0.065, 0.11), "eye": (0.03, 0.065, 0.1), "eye_outer": (0.045, 0.065, 0.085),
    "ear": (0.075, 0.045, 0.0),
}  # fmt: skip
_MODEL = np.array(
    [(0, 0.03, 0.135), *_LEFT.values(), *((-x, y, z) for x, y, z in _LEFT.values()),
     (0.026, -0.015, 0.11), (-0.026, -0.015, 0.11)]
)  # fmt: skip
"""Metres from the middle of the neck's upper end: to the person's left, up, to the front."""
_JOINTS = index_of(
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "left_ear",
    "right_eye_inner", "right_eye", "right_eye_outer", "right_ear", "mouth_left", "mouth_right",
)  # fmt: skip
_SHOULDERS_M = 0.34
_RIDGE = 0.05
"""Weight of the block's median pose against the sample's own joints, in joints."""


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Where the head is and how it is turned, n samples.

    Attributes:
        axes: What one metre to the person's left, up and to the front looks like, shoulder widths, (n, 2, 3).
        centre: The model's origin, (n, 2).
        turn_deg: To the person's left, against the picture, (n,).
        up_deg: Upward, (n,).
        tilt_deg: To the left shoulder, (n,).
    """

    axes: FloatArray
    centre: FloatArray
    turn_deg: FloatArray
    up_deg: FloatArray
    tilt_deg: FloatArray

    @property
    def forward(self) -> FloatArray:
        """One shoulder width to the front as it looks in the picture, in shoulder widths, (n, 2)."""
        return np.asarray(self.axes[:, :, 2] * _SHOULDERS_M)

    def place(self, metres: tuple[float, float, float]) -> FloatArray:
        """A place of the head in the picture, shoulder widths, (n, 2)."""
        return np.asarray(self.centre + self.axes @ np.array(metres))

    def depth_of(self, metres: tuple[float, float, float]) -> FloatArray:
        """How much nearer to the camera than the middle of the ears a place of the head is, shoulder widths, (n,)."""
        across, up = self.axes[:, 0], self.axes[:, 1]
        length = np.maximum(np.linalg.norm(np.cross(across, up), axis=-1), 1e-9) ** 0.5
        towards = np.cross(across, up) / length[:, None]
        return np.asarray(towards @ (np.array(metres) - (0.0, 0.045, 0.0)))


def fit_head(points: FloatArray, visibility: FloatArray, valid: BoolArray) -> HeadPose:
    """Fit the head by least squares under parallel projection.

    Joints count by their visibility. How the head is seen in depth is hard to tell from a hidden face, so that the
    block's median pose takes part as if it were a few joints more.

    Args:
        points: (n, 33, 2) shoulder widths, y up.
        visibility: (n, 33).
        valid: bool (n,).
    """
    model = np.c_[_MODEL, np.ones(len(_MODEL))]
    target, weight = points[:, _JOINTS], np.clip(visibility[:, _JOINTS], 0.02, 1) ** 2
    normal = np.einsum("nj,ja,jb->nab", weight, model, model)
    right = np.einsum("nj,ja,njk->nak", weight, model, target)
    size = np.diag((*(0.05**2,) * 3, 0.0)) * len(_MODEL) * _RIDGE
    plain = np.linalg.solve(normal + 1e-3 * size + 1e-12 * np.eye(4), right)
    middle = np.median(plain[valid], axis=0) if valid.any() else np.zeros((4, 2))
    fitted = np.linalg.solve(normal + size + 1e-12 * np.eye(4), right + size @ middle)
    axes, centre = fitted[:, :3].transpose(0, 2, 1), fitted[:, 3]
    length = np.sqrt(np.maximum((axes**2).sum(axis=(1, 2)) / 2, 1e-9))
    scale = float(np.median(length[valid])) if valid.any() else 1.0

    def angle(part: FloatArray) -> FloatArray:
        return np.asarray(np.degrees(np.arcsin(np.clip(part / max(scale, 1e-6), -1, 1))))

    tilt = np.degrees(np.arctan2(axes[:, 1, 0], np.maximum(axes[:, 0, 0], 1e-6)))
    return HeadPose(axes, centre, angle(axes[:, 0, 2]), angle(axes[:, 1, 2]), -tilt)
