"""What is kept of each frame: less than 1 kB, so that hours of video fit in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.growing import first_rows, with_room
from modalities.face.anchor import FaceAnchor
from modalities.face.depth.kept import COLUMNS, KEPT_DEPTH, DepthMeter, SurfaceSource, depth_row
from modalities.face.depth.space import face_space
from modalities.face.eyes import iris_offsets, lid_heights
from modalities.face.flow import LAGS_S, FlowMeter
from modalities.face.glasses import FrameLifter
from modalities.face.head_pose import measure_head
from modalities.face.landmarks import FaceTracker, Sighting
from modalities.face.models import FaceModels, FloatArray, Picture
from modalities.face.mouth import inner_gap
from modalities.face.pulse import KEPT, SKIN, skin_colours
from modalities.face.pupil import PupilMeter
from modalities.face.quality import CELLS, brightest_parts, measure_quality
from modalities.face.regions import NAMES, averaging
from modalities.face.registration import PATCH_IOD_PX, fit_head, load_aligner
from modalities.face.spotting.base import Reducer

ROW = np.dtype(
    [
        ("t_ns", np.int64),
        ("found", np.bool_),
        ("box", np.float32, (4,)),
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
        ("key_back", np.int32),
        ("key_motion", np.float16, (len(NAMES), 2)),
        ("iris", np.float32, (2, 2)),
        ("iris_px", np.float32, (2,)),
        ("pupil", np.float16, (2,)),
        ("brightness", np.float32),
        ("contrast", np.float32),
        ("saturated", np.float16),
        ("cells", np.uint8, CELLS),
        ("unsure", np.bool_),
    ]
)
"""One frame.

Lengths other than `*_px` are in percent of the inter-ocular distance (IOD), axes as the face's (x to the person's
left, y up).
`box`: left, top, right, bottom of the landmarks in the picture, pixels. `residual`: misfit of the mesh to the
template. `sharpness`: standard deviation of the Laplacian of the aligned picture, grey levels. `angles`: yaw, pitch,
roll in degrees. `lids`: height of upper and lower lid over the line between the eye's corners, by (right, left).
`mouth`: gap between the inner lips. `place`: registered place of each region. `back`, `motion`, `unsteady`: see
`flow.LagFlow`. `key_back`, `key_motion`: see `anchor.Link`. `iris`: place of the iris relative to the middle of the
eye's corners, along (to the person's left) and across the line between them, by (right, left). `iris_px`: its diameter
in the picture. `pupil`: diameter of the pupil over that of the iris, 0 where it cannot be told and no number between
two measurements (`pupil.PupilMeter`). `brightness`, `contrast`, `saturated`, `cells`: see `quality.PatchQuality`;
while a face is lost, brightness is `quality.brightest_parts`. `unsure`: a face is in view, and nobody knows whether it
is this person's.
"""
WORST_RESIDUAL = 0.25
"""Misfit to the template, in IOD, above which what was found is no face."""
_REGION_MEAN = averaging(478)


class FaceObserver:
    """Looks at one picture after the other and keeps a row of each.

    Args:
        models: Models lent for this video; None where somebody else finds the face, and only `take` is used.
        reducers: By name of the spotter, what else looks at each aligned picture.
        registration: Name of `registration.ALIGNERS`.
        flow: Name of `flow_methods.FLOW_METHODS`.
        expected: How many pictures will come, if it is known; more may.
        lift_frames: Whether frames of glasses are lifted off before motion is measured. For infrared, which shows
            frames dark and brows light.
    """

    def __init__(
        self,
        models: FaceModels | None,
        reducers: Mapping[str, Reducer] | None = None,
        registration: str = "similarity",
        flow: str = "dis",
        expected: int = 0,
        lift_frames: bool = False,
    ) -> None:
        self._reducers = dict(reducers or {})
        self._tracker = None if models is None else FaceTracker(models)
        self._seen = False
        self._aligner = load_aligner(registration)
        self._lifter = FrameLifter() if lift_frames else None
        self._meter = FlowMeter(flow)
        self._pupils = PupilMeter()
        self._anchor = FaceAnchor(self._meter.head)
        self._rows, self._skin = np.zeros(expected, ROW), np.zeros((expected, 3 * len(SKIN)), np.float32)
        self._depth = DepthMeter()
        self._measured = np.zeros((0, COLUMNS), np.float32)
        self._count = 0

    def add(self, picture: Picture, t_ns: int, surface: SurfaceSource | None = None) -> bool:
        """Take the next picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time, later than the last one's.
            surface: What a depth camera measured in it.

        Returns:
            Whether a face was found.

        Raises:
            InvalidValueError: there are no models to find a face with.
        """
        return self.take(self.find(picture, t_ns), picture, t_ns, surface)

    def find(self, picture: Picture, t_ns: int) -> Sighting | None:
        """The face in the next picture, None where there is none; ahead of `take` by as many pictures as one likes.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time, later than the last one's.

        Raises:
            InvalidValueError: there are no models to find a face with.
        """
        if self._tracker is None:
            raise InvalidValueError("an observer without models is given its faces by take()")
        return self._tracker.find(picture, t_ns)

    def take(
        self, sighting: Sighting | None, picture: Picture, t_ns: int, surface: SurfaceSource | None = None
    ) -> bool:
        """Take the next picture, in which `find`, or somebody else, looked for the face.

        Args:
            sighting: The face, None where it was not found.
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time, later than the last one's.
            surface: What a depth camera measured in it. Motion is then measured in space and along the face's axes.

        Returns:
            Whether there is a face that can be registered.
        """
        self._rows, self._skin = with_room(self._rows, self._count), with_room(self._skin, self._count)
        row = self._rows[self._count]
        row["t_ns"] = t_ns
        found = self._observe(row, sighting, picture, t_ns, surface)
        self._seen = self._seen or found
        if self._seen and not found:
            row["brightness"] = brightest_parts(picture)
        row["found"] = found
        self._count += 1
        return found

    def rows(self) -> NDArray[np.void]:
        """All rows so far, dtype `ROW`, shape (frames,)."""
        return self._rows[: self._count]

    def reduced(self) -> dict[str, FloatArray]:
        """What each reducer kept of all rows so far, by name of the spotter, (frames, k)."""
        return {name: reducer.finish(self._count) for name, reducer in self._reducers.items()}

    def kept(self) -> dict[str, FloatArray]:
        """As `reduced`, with the colours of the skin under the name `pulse.KEPT`, (frames, 9).

        Where there was a depth camera, with what it measured under the name `depth.kept.KEPT_DEPTH`, whose columns
        `depth.kept` describes.
        """
        measured: dict[str, FloatArray] = {}
        if len(self._measured):
            measured[KEPT_DEPTH] = first_rows(self._measured, self._count)
        return {KEPT: self._skin[: self._count], **measured, **self.reduced()}

    def _keep_measured(self, values: NDArray[np.float32]) -> None:
        self._measured = with_room(self._measured, self._count)
        self._measured[self._count] = values

    def _observe(
        self, row: np.void, sighting: Sighting | None, picture: Picture, t_ns: int, source: SurfaceSource | None
    ) -> bool:
        head = None if sighting is None else fit_head(sighting.points)
        if sighting is None or head is None or head.residual > WORST_RESIDUAL:
            self._aligner.restart()
            return False
        patch, placed = self._aligner.align(sighting, t_ns)
        quality = measure_quality(patch)
        if self._lifter is not None:
            patch = self._lifter.lift(patch, placed, t_ns)
        for reducer in self._reducers.values():
            reducer.add(patch, placed, t_ns, self._count)
        measured, space, frontal = self._depth.measure(sighting, source), None, head.frontal
        if measured is not None:
            face, surface = measured
            eyes_mm, frontal = self._depth.eyes_mm, face.head.frontal
            space = face_space(face, surface, sighting.points[:, :2], placed, len(patch), eyes_mm)
            self._keep_measured(depth_row(face, eyes_mm))
        flow = self._meter.measure(patch, placed, head.frontal[:, 2], t_ns, self._count, space)
        box = sighting.box
        row["box"] = box
        row["iod_px"], row["width_px"] = head.iod_px, box[2] - box[0]
        row["residual"] = head.residual
        row["sharpness"], row["brightness"], row["contrast"] = quality.sharpness, quality.brightness, quality.contrast
        row["saturated"], row["cells"] = quality.saturated, quality.cells
        row["angles"] = angles = measure_head(sighting.points, head.rotation)
        row["lids"] = 100 * lid_heights(head.frontal[:, :2])
        row["mouth"] = 100 * inner_gap(head.frontal)
        row["place"] = 100 * (_REGION_MEAN @ frontal[:, :2])
        row["back"] = flow.back
        flat, whole = 100 / PATCH_IOD_PX * _foreshortening(placed), 100 / PATCH_IOD_PX
        percent = np.where(flow.in_space, whole, flat)
        row["motion"] = np.clip(percent[:, None, None] * flow.motion, -500, 500)
        row["unsteady"] = np.clip(percent * flow.remaining, 0, 500)
        link = self._anchor.compare(patch, placed, head.frontal[:, 2], angles, t_ns, self._count, space)
        moved = (whole if link.in_space else flat) * link.motion
        row["key_back"], row["key_motion"] = link.back, np.clip(moved, -500, 500)
        row["iris"] = 100 * iris_offsets(head.frontal[:, :2])
        self._skin[self._count] = skin_colours(sighting).ravel()
        row["iris_px"], row["pupil"] = self._pupils.measure(picture, sighting.points[:, :2], t_ns)
        return True


def _foreshortening(placed: FloatArray) -> float:
    """Nominal over actual inter-ocular distance in the aligned picture: above 1 for a face seen from the side."""
    eyes = placed[[33, 133, 263, 362]]
    return PATCH_IOD_PX / max(1.0, float(np.linalg.norm(eyes[2:].mean(axis=0) - eyes[:2].mean(axis=0))))
