"""Frames that cannot be judged: what is said of them, and that the others are left alone."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_schemas.errors import EncoderOutputError, InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.features import REASONS
from data_schemas.time import to_ns
from modalities.face.analysis import analyse_rows
from modalities.face.detection import find_faces, one_each, shared_part
from modalities.face.encoder import check_settings
from modalities.face.landmarks import FaceTracker, cut_window
from modalities.face.models import FaceModels, borrowed_models, unpack_landmarks
from modalities.face.observation import ROW, FaceObserver
from modalities.face.own_models import TaskMesh
from modalities.face.quality import judge, measure_quality, tell_reasons
from modalities.face.spotting.base import load_spotter
from pipeline.simulate.face import render_face
from pipeline.simulate.face_portrait import load_photograph
from pipeline.simulate.motion import FaceMotion

FPS, COUNT = 15, 105
SPOILT = slice(45, 75)
Change = Callable[[np.ndarray], np.ndarray]


def lit(gain: float) -> Change:
    return lambda picture: np.clip(picture * np.float32(gain), 0, 255).astype(np.uint8)


def hand(picture: np.ndarray) -> np.ndarray:
    """A palm with fingers, coloured like skin and shaded, over nose and mouth."""
    layer = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(layer, (185, 205), (32, 42), 0, 0, 360, 1, -1)
    for k in range(4):
        cv2.line(layer, (160 + 16 * k, 200), (156 + 18 * k, 140), 1, 12)
    share = cv2.GaussianBlur(layer, (0, 0), 1.5)[..., None]
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    colour = np.array([205, 150, 125]) * (0.8 + 0.1 * np.sin(x / 11.0) + 0.05 * np.sin(y / 25.0))[..., None]
    return (picture + share * (colour - picture)).astype(np.uint8)


def shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


def unchanged(picture: np.ndarray) -> np.ndarray:
    return picture


@pytest.fixture(scope="module")
def lively() -> list[np.ndarray]:
    """A face that smiles, talks, opens its mouth, frowns and turns its head."""
    t = np.arange(COUNT) / FPS

    def pulse(*nodes: float) -> np.ndarray:
        return 0.5 - 0.5 * np.cos(np.pi * np.interp(t, nodes, (0, 1, 1, 0)))

    smile, jaw = pulse(0.5, 0.9, 1.9, 2.3), pulse(3.2, 3.5, 4.0, 4.3)
    motion = FaceMotion(
        times_s=t,
        aus={
            "au12_left": smile,
            "au12_right": smile,
            "au06": smile,
            "au26": jaw,
            "au25": jaw,
            "au04": pulse(5, 5.2, 6, 6.2),
        },
        mouth_open=np.clip(np.sin(19 * t), 0, 1) * pulse(5, 5.3, 6.5, 6.8),
        yaw_deg=15 * np.sin(0.9 * t),
        pitch_deg=6 * np.sin(0.7 * t + 1),
        light=1 + 0.15 * np.sin(0.5 * t),
    )
    return list(render_face(motion, photograph="hopper", size=(360, 320), face_width_px=160))


def rows_of(pictures: list[np.ndarray], change: Change, where: slice = SPOILT) -> np.ndarray:
    spoilt = set(range(*where.indices(len(pictures))))
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for k, picture in enumerate(pictures):
            observer.add(change(picture) if k in spoilt else picture, to_ns(k / FPS))
        return observer.rows()


def test_a_lively_face_in_good_light_is_judged_throughout(lively: list[np.ndarray]) -> None:
    rows = rows_of(lively, unchanged)
    assert set(tell_reasons(rows)) == {""} and judge(rows).all()
    assert ROW.itemsize <= 1024


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lit(0.06), "too_dark"),
        (lit(2.6), "too_bright"),
        (lambda picture: cv2.GaussianBlur(picture, (0, 0), 3.0), "blurred"),
        (hand, "occluded"),
        (lambda picture: np.zeros_like(picture), "too_dark"),
    ],
    ids=["dim", "glaring", "out of focus", "hand", "light off"],
)
def test_spoilt_frames_are_masked_with_their_reason(lively: list[np.ndarray], change: Change, reason: str) -> None:
    rows = rows_of(lively, change)
    track = analyse_rows(rows, load_spotter("regional")).track
    assert set(np.delete(track.reason, np.arange(COUNT)[SPOILT])) == {""}, "the others are left alone"
    assert (track.reason[SPOILT] == reason).mean() > 0.9, np.unique(track.reason[SPOILT].astype(str))
    masked = track.reason == reason
    assert not track.valid[masked].any() and reason in REASONS
    assert track.column("au12_left")[1][~masked].mean() > 0.95


def test_small_faces_say_so(lively: list[np.ndarray]) -> None:
    rows = rows_of(lively[:20], shrunk, slice(0, 20))
    assert rows["found"].all() and set(tell_reasons(rows)) == {"too_small"}


def test_patch_measures() -> None:
    rng = np.random.default_rng(0)
    flat = measure_quality(np.full((160, 160), 100, np.uint8))
    assert flat.brightness == 100 and flat.contrast == 0 and flat.saturated == 0 and flat.sharpness == 0
    assert (flat.cells == flat.cells[0, 0]).all()
    bright = measure_quality(np.full((160, 160), 255, np.uint8))
    assert bright.saturated == 1
    noisy = measure_quality(rng.integers(0, 255, (160, 160)).astype(np.uint8))
    assert noisy.sharpness > 100
    empty = np.zeros(0, ROW)
    assert tell_reasons(empty).shape == (0,) and judge(empty).shape == (0,)
    one = np.zeros(1, ROW)
    one["found"] = True
    assert list(tell_reasons(one)) == ["too_short"]
    one["found"], one["unsure"] = False, True
    assert list(tell_reasons(one)) == ["unsure_who"]


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.5), (0.77, 0.15)])
def test_a_face_of_150_px_in_a_large_picture(size: tuple[int, int], place: tuple[float, float]) -> None:
    photograph = load_photograph("hopper")
    with borrowed_models() as models:
        whole = FaceTracker(models).find(photograph, 0)
        assert whole is not None
        scale = 150 / float(whole.box[2] - whole.box[0])
        small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = np.full((size[1], size[0], 3), 140, np.uint8)
        left, top = (
            int(share * (all_ - part)) for share, all_, part in zip(place, size, small.shape[1::-1], strict=True)
        )
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
        found = FaceTracker(models).find(picture, 0)
    assert found is not None
    assert np.abs(found.box - (whole.box * scale + [left, top, left, top])).max() < 0.06 * 150


@pytest.mark.parametrize("share", [0.6, 1.2])
def test_a_face_that_fills_a_4k_picture(share: float) -> None:
    photograph, size = load_photograph("astronaut"), (3840, 2160)
    with borrowed_models() as models:
        whole = FaceTracker(models).find(photograph, 0)
        assert whole is not None
        scale = share * size[1] / float(whole.box[2] - whole.box[0])
        middle = (whole.box[:2] + whole.box[2:]) / 2
        shift = np.array(size) / 2 - scale * middle
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        picture = cv2.warpAffine(photograph, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        found = FaceTracker(models).find(picture, 0)
    assert found is not None
    some = [33, 263, 1, 61, 291]
    assert np.abs(found.points[some, :2] - (whole.points[some, :2] * scale + shift)).max() < 0.03 * share * size[1]


def test_windows_are_shrunk_by_whole_numbers() -> None:
    picture = np.arange(900 * 1000 * 3, dtype=np.uint32).reshape(900, 1000, 3).astype(np.uint8)
    window, scale = cut_window(picture, (10, 20, 330, 300))
    assert scale == 1 and (window == picture[20:300, 10:330]).all()
    window, scale = cut_window(picture, (0, 0, 1000, 900))
    assert scale == 0.5 and window.shape == (450, 500, 3)


def test_boxes_of_one_face_are_one() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.7], [1, 1, 9, 9, 0.9], [20, 0, 30, 10, 0.6]], float)
    assert one_each(boxes)[:, 4].tolist() == [0.9, 0.6] and len(one_each(np.zeros((0, 5)))) == 0
    assert shared_part(boxes[0, :4], boxes[1, :4]) == 1 and shared_part(boxes[0, :4], boxes[2, :4]) == 0


def test_landmarks_are_unpacked_as_they_are() -> None:
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    marks = NormalizedLandmarkList()
    for k in range(478):
        marks.landmark.add(x=0.001 * k, y=0.5, z=-0.01 * k)
    wanted = np.array([(mark.x, mark.y, mark.z) for mark in marks.landmark])
    np.testing.assert_array_equal(unpack_landmarks(marks), wanted)
    marks.landmark[3].visibility = 0.5
    np.testing.assert_array_equal(unpack_landmarks(marks), wanted)


def test_ones_own_detector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my_detectors.py").write_text(
        "import numpy as np\n"
        "class Good:\n    def boxes(self, picture):\n        return np.array([[180, 40, 290, 180, 0.9]])\n"
        "class Wrong:\n    def boxes(self, picture):\n        return np.array([[290, 40, 180, 180, 0.9]])\n"
        "class Without:\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    photograph = load_photograph("astronaut")
    models = FaceModels("my_detectors:Good")
    assert find_faces(models, photograph, thorough=True).tolist() == [[180, 40, 290, 180, 0.9]]
    sighting = FaceTracker(models).find(photograph, 0)
    assert sighting is not None and 70 < sighting.box[2] - sighting.box[0] < 120
    with pytest.raises(EncoderOutputError, match="left < right"):
        find_faces(FaceModels("my_detectors:Wrong"), photograph, thorough=True)
    for name in ("my_detectors:Without", "my_detectors:Absent", "no_such_module:X", "nonsense"):
        with pytest.raises(InvalidValueError, match="detector"):
            FaceModels(name)


def test_a_landmark_bundle_of_ones_own(tmp_path: Path) -> None:
    """Built here from the models inside MediaPipe, since none is shipped; its numbers mean little, its working much."""
    import mediapipe

    inside = Path(mediapipe.__file__).parent / "modules"
    bundle = tmp_path / "own.task"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_STORED) as file:
        file.write(inside / "face_detection" / "face_detection_short_range.tflite", "face_detector.tflite")
        file.write(inside / "face_landmark" / "face_landmark.tflite", "face_landmarks_detector.tflite")
    window = np.ascontiguousarray(load_photograph("astronaut")[20:220, 120:330])
    with borrowed_models(landmarks=str(bundle)) as models:
        mesh = models.mesh()
        points = mesh.find(window)
        mesh.forget()
        assert points is not None and points.shape == (478, 3) and np.isfinite(points).all()
        assert mesh.find(np.zeros_like(window)) is None
    (tmp_path / "bad.task").write_bytes(b"no bundle")
    with pytest.raises(UnreadableFileError, match=r"bad\.task.*Face Landmarker"):
        TaskMesh(str(tmp_path / "bad.task"))
    with pytest.raises(MissingFileError, match="absent"):
        TaskMesh(str(tmp_path / "absent.task"))


def test_settings_are_checked() -> None:
    assert check_settings({})["detector"] == "mediapipe"
    for given, message in (
        ({"detektor": "x"}, "Did you mean 'detector'"),
        ({"detector": 3}, "must be a name"),
        ({"detector": "face.task"}, "landmarks = "),
        ({"landmarks": "face.onnx"}, "Face Landmarker"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            check_settings(given)
