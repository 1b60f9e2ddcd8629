"""MediaPipe's face models, loaded when first used and lent to one video at a time.

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
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_schemas.native_log import without_chatter
from data_schemas.threads import import_apart
from modalities.face.own_models import TaskMesh, load_detector, own_boxes

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating]

OWN = "mediapipe"
"""Name of the models that come with the package."""

_in_use = threading.Lock()


class MeshModel(Protocol):
    """Finds the landmarks of one face, picture after picture."""

    def find(self, picture: Picture) -> FloatArray | None:
        """Landmarks in the next picture of one and the same window.

        Args:
            picture: RGB, uint8 (h, w, 3).

        Returns:
            float64 (478, 3): x right and y down in pixels of the picture (pixel centres at whole numbers), z away from
            the camera in the same scale; None where no face was found.
        """

    def forget(self) -> None:
        """Start anew: where the face was does not matter any more."""

    def close(self) -> None:
        """Release the model."""


class BundledMesh:
    """The face mesh that comes with the package, as a `MeshModel`."""

    def __init__(self) -> None:
        _quieten()
        with without_chatter():
            import_apart("mediapipe")
            from mediapipe.python.solutions.face_mesh import FaceMesh

            self._mesh: Any = FaceMesh(static_image_mode=False, refine_landmarks=True, max_num_faces=1)
            self._mesh._graph.wait_until_idle()

    def find(self, picture: Picture) -> FloatArray | None:
        """See `MeshModel.find`."""
        found = self._mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        if not found:
            return None
        height, width = picture.shape[:2]
        return unpack_landmarks(found[0]) * (width, height, width) - (0.5, 0.5, 0.0)

    def forget(self) -> None:
        """See `MeshModel.forget`."""
        self._mesh.reset()

    def close(self) -> None:
        """See `MeshModel.close`."""
        self._mesh.close()


def unpack_landmarks(marks: Any) -> FloatArray:
    """Relative x, y, z of a list of landmarks, float64 (n, 3).

    Read from the message's own bytes, where every landmark takes 17 of them: two for its length, and five (a tag and a
    little-endian float) for each coordinate; ten times faster than asking for them one by one.

    Args:
        marks: MediaPipe's `NormalizedLandmarkList`.
    """
    data, n = marks.SerializeToString(), len(marks.landmark)
    if n and len(data) == 17 * n:
        grid = np.frombuffer(data, np.uint8).reshape(n, 17)
        if (grid[:, [0, 1, 2, 7, 12]] == (0x0A, 15, 0x0D, 0x15, 0x1D)).all():
            floats = np.ascontiguousarray(grid[:, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]])
            return floats.view("<f4").astype(np.float64)
    return np.array([(mark.x, mark.y, mark.z) for mark in marks.landmark], dtype=np.float64)


class FaceModels:
    """Detectors and meshes for one video; each is loaded when it is first asked for.

    Args:
        detector: "mediapipe", or "module:Class" of a user's own detector (`own_models.Detector`).
        landmarks: "mediapipe", or the path of a MediaPipe Face Landmarker bundle (.task).

    Raises:
        InvalidValueError: the detector cannot be loaded.
    """

    def __init__(self, detector: str = OWN, landmarks: str = OWN) -> None:
        self.own = None if detector == OWN else load_detector(detector)
        self._detector, self._landmarks = detector, landmarks
        self._solutions: dict[bool, Any] = {}
        self._idle: list[MeshModel] = []
        self._lent: list[MeshModel] = []

    def mesh(self) -> MeshModel:
        """A mesh of one's own to follow one face with, fresh or used and cleared.

        Raises:
            MissingFileError, UnreadableFileError: the user's bundle is not there, or is none.
        """
        if self._idle:
            model = self._idle.pop()
            model.forget()
        else:
            model = BundledMesh() if self._landmarks == OWN else TaskMesh(self._landmarks)
        self._lent.append(model)
        return model

    def give_back(self, mesh: MeshModel) -> None:
        """Return a mesh that is no longer needed."""
        self._lent.remove(mesh)
        self._idle.append(mesh)

    def release(self, keep: int = 1) -> None:
        """Take back all meshes and close those beyond the first `keep`."""
        self._idle += self._lent
        self._lent.clear()
        for mesh in self._idle[keep:]:
            mesh.close()
        del self._idle[keep:]

    def boxes(self, picture: Picture, *, far: bool) -> FloatArray:
        """Faces in one picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            far: The full-range model instead of the one for faces that fill much of the picture. A user's own
                detector is the same for both.

        Returns:
            float64 (n, 5): left, top, right, bottom in pixels, and score 0..1.
        """
        if self.own is not None:
            return own_boxes(self.own, self._detector, picture)
        found = self._solution(far).process(np.ascontiguousarray(picture)).detections or []
        height, width = picture.shape[:2]
        rows = []
        for one in found:
            box = one.location_data.relative_bounding_box
            left, top = box.xmin * width, box.ymin * height
            rows.append((left, top, left + box.width * width, top + box.height * height, one.score[0]))
        return np.array(rows, dtype=np.float64).reshape(-1, 5)

    def _solution(self, far: bool) -> Any:
        if far not in self._solutions:
            _quieten()
            least = 0.6 if far else 0.5
            with without_chatter():
                import_apart("mediapipe")
                from mediapipe.python.solutions.face_detection import FaceDetection

                self._solutions[far] = FaceDetection(model_selection=int(far), min_detection_confidence=least)
                self._solutions[far]._graph.wait_until_idle()
        return self._solutions[far]


def _quieten() -> None:
    """No native log, and no warning of a call that MediaPipe itself makes."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)


@lru_cache(maxsize=1)
def _load_models(detector: str, landmarks: str) -> FaceModels:
    return FaceModels(detector, landmarks)


@contextmanager
def borrowed_models(detector: str = OWN, landmarks: str = OWN) -> Iterator[FaceModels]:
    """The models for one video; a second video of the same process waits until the first is done.

    Args:
        detector: See `FaceModels`.
        landmarks: See `FaceModels`.
    """
    with _in_use:
        models = _load_models(detector, landmarks)
        try:
            yield models
        finally:
            models.release()
