"""Landmarks of the face of a video, frame by frame, smoothed so that a planted field neither jitters nor lags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.intervals import runs_of
from modalities.face.synthesis.mesh import FaceMesh, Picture

SMOOTH_S = 0.06
"""Standard deviation of the Gaussian over time, seconds."""


@dataclass(frozen=True, eq=False)
class FacePath:
    """Where one face is in every frame of a video.

    Attributes:
        points: Landmarks in pixels, x right and y down, float32 (n, 478, 2); 0 where no face was found.
        found: bool (n,).
    """

    points: NDArray[np.float32]
    found: NDArray[np.bool_]

    def mesh(self, frame: int) -> FaceMesh | None:
        """The face in one frame; None where there was none."""
        if not self.found[frame]:
            return None
        points = self.points[frame].astype(np.float64)
        return FaceMesh(points, np.zeros(len(points)))


def follow_face(frames: Iterable[Picture], times_s: NDArray[np.float64]) -> FacePath:
    """Find and follow the most prominent face; about 4 kB are kept per frame.

    Args:
        frames: RGB pictures, uint8 (h, w, 3), taken one at a time.
        times_s: Their times, increasing, shape (n,).
    """
    from modalities.face.landmarks import FaceTracker
    from modalities.face.models import FaceModels

    tracker = FaceTracker(FaceModels())  # its own: whoever looks at the planted video has borrowed the shared ones
    points = np.zeros((len(times_s), 478, 2), np.float32)
    found = np.zeros(len(times_s), bool)
    for at, (picture, time_s) in enumerate(zip(frames, times_s, strict=False)):
        sighting = tracker.find(picture, round(float(time_s) * 1e9))
        if sighting is not None:
            points[at], found[at] = sighting.points[:, :2], True
    return FacePath(smooth_path(points, found, times_s), found)


def smooth_path(
    points: NDArray[np.float32], found: NDArray[np.bool_], times_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Gaussian mean over time of each landmark, over frames where the face was found, never across a gap.

    Args:
        points: (n, 478, 2).
        found: (n,).
        times_s: (n,).

    Returns:
        float32 (n, 478, 2), 0 where not found.
    """
    out = np.zeros_like(points)
    for first, end in runs_of(found):
        for at in range(first, end):
            low = max(first, int(np.searchsorted(times_s, times_s[at] - 3 * SMOOTH_S)))
            high = min(end, int(np.searchsorted(times_s, times_s[at] + 3 * SMOOTH_S, side="right")))
            reach = min(at - low, high - 1 - at)  # symmetric, so that the ends do not lag behind
            near = slice(at - reach, at + reach + 1)
            weight = np.exp(-(((times_s[near] - times_s[at]) / SMOOTH_S) ** 2) / 2)
            out[at] = np.tensordot(weight / weight.sum(), points[near], axes=1)
    return out
