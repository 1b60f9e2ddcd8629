"""What is kept of each frame: about 600 bytes, so that hours of video fit in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.eyes import lid_heights
from modalities.face.flow import LAGS_S, FlowMeter
from modalities.face.head_pose import head_angles
from modalities.face.landmarks import FaceTracker
from modalities.face.models import FaceModels, FloatArray, Picture
from modalities.face.mouth import inner_gap
from modalities.face.regions import NAMES, averaging
from modalities.face.registration import PATCH_IOD_PX, PatchAligner, fit_head

ROW = np.dtype(
    [
        ("t_ns", np.int64),
        ("found", np.bool_),
        ("iod_px", np.float32),
        ("width_px", np.float32),
        ("residual", np.float32),
        ("sharpness", np.float32),
        ("angles", np.float32, (3,)),
        ("lids", np.float32, (2, 2)),
        ("mouth", np.float32),
        ("place", np.float32, (len(NAMES), 2)),
        ("back", np.int16, (len(LAGS_S),)),
        ("motion", np.float16, (len(LAGS_S), len(NAMES), 2)),
        ("unsteady", np.float16, (len(LAGS_S),)),
    ]
)
"""One frame.

Lengths other than `*_px` are in percent of the inter-ocular distance (IOD), axes as the face's (x to the person's
left, y up).
`residual`: misfit of the mesh to the template. `sharpness`: standard deviation of the Laplacian of the aligned
picture, grey levels. `angles`: yaw, pitch, roll in degrees. `lids`: height of upper and lower lid over the line
between the eye's corners, by (right, left). `mouth`: gap between the inner lips. `place`: registered place of each
region. `back`, `motion`, `unsteady`: see `flow.LagFlow`.
"""
WORST_RESIDUAL = 0.25
"""Misfit to the template, in IOD, above which what was found is no face."""
_BLOCK = 2048
_REGION_MEAN = averaging(478)


class FaceObserver:
    """Looks at one picture after the other and keeps a row of each.

    Args:
        models: Models lent for this video.
    """

    def __init__(self, models: FaceModels) -> None:
        self._tracker = FaceTracker(models)
        self._aligner = PatchAligner()
        self._meter = FlowMeter()
        self._blocks: list[NDArray[np.void]] = []
        self._count = 0

    def add(self, picture: Picture, t_ns: int) -> bool:
        """Take the next picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time, later than the last one's.

        Returns:
            Whether a face was found.
        """
        if self._count % _BLOCK == 0:
            self._blocks.append(np.zeros(_BLOCK, ROW))
        row = self._blocks[-1][self._count % _BLOCK]
        row["t_ns"] = t_ns
        found = self._observe(row, picture, t_ns)
        row["found"] = found
        self._count += 1
        return found

    def rows(self) -> NDArray[np.void]:
        """All rows so far, dtype `ROW`, shape (frames,)."""
        return np.concatenate([*self._blocks, np.zeros(0, ROW)])[: self._count]

    def _observe(self, row: np.void, picture: Picture, t_ns: int) -> bool:
        import cv2

        sighting = self._tracker.find(picture, t_ns)
        head = None if sighting is None else fit_head(sighting.points)
        if sighting is None or head is None or head.residual > WORST_RESIDUAL:
            self._aligner.restart()
            return False
        patch, placed = self._aligner.align(sighting, t_ns)
        flow = self._meter.measure(patch, placed, head.frontal[:, 2], t_ns, self._count)
        box = sighting.box
        row["iod_px"], row["width_px"] = head.iod_px, box[2] - box[0]
        row["residual"] = head.residual
        row["sharpness"] = cv2.Laplacian(patch, cv2.CV_32F).std()
        row["angles"] = head_angles(head.rotation)
        row["lids"] = 100 * lid_heights(head.frontal[:, :2])
        row["mouth"] = 100 * inner_gap(head.frontal)
        row["place"] = 100 * (_REGION_MEAN @ head.frontal[:, :2])
        row["back"] = flow.back
        percent = 100 / PATCH_IOD_PX * _foreshortening(placed)
        row["motion"] = np.clip(percent * flow.motion, -500, 500)
        row["unsteady"] = np.clip(percent * flow.remaining, 0, 500)
        return True


def _foreshortening(placed: FloatArray) -> float:
    """Nominal over actual inter-ocular distance in the aligned picture: above 1 for a face seen from the side."""
    eyes = placed[[33, 133, 263, 362]]
    return PATCH_IOD_PX / max(1.0, float(np.linalg.norm(eyes[2:].mean(axis=0) - eyes[:2].mean(axis=0))))
