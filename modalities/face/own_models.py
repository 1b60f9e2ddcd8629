"""A user's own models: a face detector given as "module:Class", and landmarks from a MediaPipe bundle (.task)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import EncoderOutputError, InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.native_log import without_chatter
from data_schemas.threads import import_apart

LANDMARKS = 478
"""Landmarks of a mesh with irises."""


class Detector(Protocol):
    """What a user's own detector has to offer; it is made without arguments."""

    def boxes(self, picture: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Faces in a whole picture.

        Args:
            picture: RGB, uint8 (h, w, 3), any size.

        Returns:
            (n, 5): left, top, right, bottom in pixels, and score 0..1; (0, 5) for none.
        """


def load_detector(path: str) -> Detector:
    """Make the detector of a "module:Class" path.

    Raises:
        InvalidValueError: no such module or class, it cannot be made without arguments, or it has no `boxes`.
    """
    module, _, name = path.partition(":")
    expected = '"mediapipe" or "module:Class" of a class with boxes(picture) -> (n, 5)'
    if not module or not name:
        raise InvalidValueError("the face detector is not known", got=path, expected=expected)
    try:
        made = getattr(import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise InvalidValueError(
            f"the face detector '{path}' cannot be loaded",
            got=str(error),
            expected=expected,
            mend="Is its folder on PYTHONPATH, and can the class be made without arguments?",
        ) from error
    if not callable(getattr(made, "boxes", None)):
        raise InvalidValueError(f"the face detector '{path}' has no method boxes(picture)", expected=expected)
    return cast(Detector, made)


def own_boxes(detector: Detector, name: str, picture: NDArray[np.uint8]) -> NDArray[np.floating]:
    """What a user's detector finds, checked.

    Raises:
        EncoderOutputError: no (n, 5) array of finite numbers, or a box without area.
    """
    boxes = np.asarray(detector.boxes(picture), dtype=np.float64)
    if not boxes.size:
        return np.zeros((0, 5))
    fits = boxes.ndim == 2 and boxes.shape[1] == 5 and bool(np.isfinite(boxes).all())
    if not fits or not (boxes[:, 2:4] > boxes[:, :2]).all():
        raise EncoderOutputError(
            f"the face detector '{name}' gave no boxes",
            got=f"shape {boxes.shape}" + (f", first {boxes[0].tolist()}" if boxes.ndim == 2 else ""),
            expected="(n, 5): left < right and top < bottom in pixels, in the order left, top, right, bottom, score",
        )
    return boxes


class TaskMesh:
    """Landmarks by a MediaPipe Face Landmarker bundle, as a `models.MeshModel`.

    Args:
        path: The .task file.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: it is no Face Landmarker bundle that this release of MediaPipe can run.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            raise MissingFileError(
                "no such landmark model", file=self._path, mend='Correct landmarks = "..." in the face settings.'
            )
        try:
            # The bytes rather than the path: MediaPipe opens no path with other than ASCII letters on some systems.
            content = self._path.read_bytes()
            with without_chatter():
                import_apart("mediapipe")
                from mediapipe.tasks.python.core.base_options import BaseOptions
                from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

                base = BaseOptions(model_asset_buffer=content)
                options = FaceLandmarkerOptions(base_options=base, num_faces=1)
                self._model: Any = FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise self._broken(error) from error

    def find(self, picture: NDArray[np.uint8]) -> NDArray[np.floating] | None:
        """See `models.MeshModel.find`.

        Raises:
            UnreadableFileError: the model does not run, or gives other than 478 landmarks.
        """
        from mediapipe import Image, ImageFormat

        try:
            faces = self._model.detect(Image(ImageFormat.SRGB, np.ascontiguousarray(picture))).face_landmarks
        except RuntimeError as error:
            raise self._broken(error) from error
        if not faces:
            return None
        rows = np.array([(mark.x, mark.y, mark.z) for mark in faces[0]], dtype=np.float64)
        if len(rows) != LANDMARKS:
            raise self._broken(ValueError(f"{len(rows)} landmarks instead of {LANDMARKS}"))
        height, width = picture.shape[:2]
        return rows * (width, height, width) - (0.5, 0.5, 0.0)

    def forget(self) -> None:
        """Each picture is looked at by itself: there is nothing to forget."""

    def close(self) -> None:
        """Release the model."""
        self._model.close()

    def _broken(self, error: Exception) -> UnreadableFileError:
        return UnreadableFileError(
            "the landmark model cannot be used",
            file=self._path,
            got=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
            expected="a MediaPipe Face Landmarker bundle (.task) with 478 landmarks",
        )
