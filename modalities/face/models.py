"""MediaPipe's face models, loaded once per process and lent to one video at a time.

Face detection after Bazarevsky et al. 2019 (BlazeFace), face mesh after Kartynnik et al. 2019 with the attention head
of Grishchenko et al. 2020 for lips, eyes and irises.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating]

_in_use = threading.Lock()


class FaceModels:
    """The mesh and the two detectors. Get them from `borrowed_models`."""

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "2")
        warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)
        from mediapipe.python.solutions.face_detection import FaceDetection
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self._mesh: Any = FaceMesh(static_image_mode=False, refine_landmarks=True, max_num_faces=1)
        self._near: Any = FaceDetection(model_selection=0, min_detection_confidence=0.5)
        self._far: Any = FaceDetection(model_selection=1, min_detection_confidence=0.6)

    def forget_face(self) -> None:
        """Start the mesh anew: it forgets where the face was."""
        self._mesh.reset()

    def mesh(self, picture: Picture) -> FloatArray | None:
        """Landmarks in the next picture of one and the same window.

        Args:
            picture: RGB, uint8 (h, w, 3).

        Returns:
            float64 (478, 3): x right and y down in pixels of the picture (pixel centres at whole numbers), z away from
            the camera in the same scale; None where no face was found.
        """
        found = self._mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        if not found:
            return None
        height, width = picture.shape[:2]
        rows = np.array([(mark.x, mark.y, mark.z) for mark in found[0].landmark], dtype=np.float64)
        return rows * (width, height, width) - (0.5, 0.5, 0.0)

    def boxes(self, picture: Picture, *, far: bool) -> FloatArray:
        """Faces in one picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            far: The full-range model instead of the one for faces that fill much of the picture.

        Returns:
            float64 (n, 5): left, top, right, bottom in pixels, and score 0..1.
        """
        found = (self._far if far else self._near).process(np.ascontiguousarray(picture)).detections or []
        height, width = picture.shape[:2]
        rows = []
        for one in found:
            box = one.location_data.relative_bounding_box
            left, top = box.xmin * width, box.ymin * height
            rows.append((left, top, left + box.width * width, top + box.height * height, one.score[0]))
        return np.array(rows, dtype=np.float64).reshape(-1, 5)


@lru_cache(maxsize=1)
def _load_models() -> FaceModels:
    return FaceModels()


@contextmanager
def borrowed_models() -> Iterator[FaceModels]:
    """The models for one video; a second video of the same process waits until the first is done."""
    with _in_use:
        models = _load_models()
        models.forget_face()
        yield models
