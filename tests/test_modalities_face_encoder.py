"""The face encoder on rendered and real video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import Explicit, to_ns
from modalities.base import Task
from modalities.face.analysis import analyse_rows
from modalities.face.encoder import FaceEncoder, label_of
from modalities.face.landmarks import FaceTracker
from modalities.face.models import borrowed_models
from modalities.face.observation import ROW
from modalities.face.pictures import Toner
from modalities.face.spotting.base import load_spotter
from modalities.registry import load_encoder
from pipeline.simulate.face import render_face
from pipeline.simulate.face_portrait import load_photograph
from pipeline.simulate.motion import FaceMotion

Pictures = list[np.ndarray]
FPS, SECONDS = 25, 13
PLANTED = (
    ("macro", (2.2, 2.6, 3.6, 4.1), {"au06": 0.7, "au12_left": 0.8, "au12_right": 0.8}, "AU6+AU12"),
    ("micro", (6.6, 6.75, 6.75, 7.0), {"au04": 0.45}, "AU4"),
    ("macro", (9.0, 9.3, 9.9, 10.3), {"au12_left": 0.8}, "AU12 left"),
)
BLINKS_S = (1.3, 5.4, 11.6)


def video_of(pictures: Pictures, times_s: np.ndarray, kind: str = "face_rgb", name: str = "face") -> Video:
    height, width = pictures[0].shape[:2]
    return Video(
        info=StreamInfo(name, kind, "session", "p01"),
        axis=Explicit(to_ns(times_s)),
        source=lambda: iter(enumerate(pictures)),
        width=width,
        height=height,
    )


def encode(*streams: Video, **settings: object) -> Encoding:
    extent = Interval(0, int(max(stream.axis.end_ns for stream in streams)))
    return FaceEncoder().encode(Task("p01", {one.info.name: one for one in streams}, extent, settings)).check()


@pytest.fixture(scope="module")
def filmed() -> tuple[Pictures, FaceMotion]:
    t = np.arange(FPS * SECONDS) / FPS
    aus: dict[str, np.ndarray] = {}
    for _, nodes, units, _ in PLANTED:
        course = 0.5 - 0.5 * np.cos(np.pi * np.interp(t, nodes, (0, 1, 1, 0)))
        for name, size in units.items():
            aus[name] = aus.get(name, 0) + size * course
    blink = np.max([np.interp(t, (b - 0.12, b, b + 0.15), (0, 1, 0)) for b in BLINKS_S], axis=0)
    motion = FaceMotion(
        times_s=t,
        aus=aus,
        blink=blink,
        yaw_deg=5 * np.sin(0.9 * t),
        pitch_deg=3 * np.sin(0.7 * t + 1),
        roll_deg=3 * np.sin(0.8 * t + 2),
        shift_px=6 * np.stack([np.sin(0.6 * t), np.cos(0.5 * t)], axis=1),
        light=1 + 0.03 * np.sin(0.5 * t),
    )
    return list(render_face(motion, photograph="astronaut", size=(480, 360), face_width_px=220, seed=4)), motion


@pytest.fixture(scope="module")
def encoded(filmed: tuple[Pictures, FaceMotion]) -> Encoding:
    pictures, motion = filmed
    return encode(video_of(pictures, motion.times_s))


def test_planted_expressions_are_found(encoded: Encoding) -> None:
    found = [event for event in encoded.events if event.kind in ("micro", "macro")]
    assert [event.kind for event in found] == [kind for kind, *_ in PLANTED]
    for event, (_, nodes, _, label) in zip(found, PLANTED, strict=True):
        assert Interval(event.onset_ns, event.offset_ns).iou(Interval(to_ns(nodes[0]), to_ns(nodes[3]))) >= 0.5
        assert event.label == label
        assert event.apex_ns is not None and nodes[1] - 0.15 <= event.apex_ns / 1e9 <= nodes[2] + 0.15
        assert 0 < event.details["intensity"] <= 1 and 0.5 < (event.score or 0) <= 1


def test_planted_blinks_are_found(encoded: Encoding) -> None:
    apexes = [event.apex_ns / 1e9 for event in encoded.events if event.kind == "blink" and event.apex_ns is not None]
    np.testing.assert_allclose(apexes, BLINKS_S, atol=0.06)
    closure, valid = encoded.track.column("au43")
    assert valid.all() and closure[[round(b * FPS) for b in BLINKS_S]].min() > 0.3 > np.median(closure)
    rate, known = encoded.track.column("blink_rate")
    assert not known[: 9 * FPS].any() and rate[-1] == pytest.approx(60 * 3 / SECONDS, rel=0.1)
    assert not encoded.track.column("au07")[1][round(BLINKS_S[0] * FPS)], "lids cannot be judged in a blink"


def test_action_units_follow_what_was_planted(encoded: Encoding, filmed: tuple[Pictures, FaceMotion]) -> None:
    _, motion = filmed
    for name in ("au04", "au06", "au12_left", "au12_right"):
        values, valid = encoded.track.column(name)
        assert valid.all()
        assert np.corrcoef(values, motion.aus[name])[0, 1] > 0.8, name
    left, right = (encoded.track.column(f"au12_{side}")[0] for side in ("left", "right"))
    one_sided = (motion.times_s > 9.3) & (motion.times_s < 9.9)
    assert left[one_sided].min() > 3 * right[one_sided].max()


def test_head_angles(encoded: Encoding, filmed: tuple[Pictures, FaceMotion]) -> None:
    _, motion = filmed
    for name in ("yaw_deg", "pitch_deg", "roll_deg"):
        error = encoded.track.column(name)[0] - getattr(motion, name)
        assert np.abs(error - np.median(error)).max() < 5, name
        assert np.corrcoef(encoded.track.column(name)[0], getattr(motion, name))[0, 1] > 0.8, name


def test_the_rest_of_the_track_is_sensible(encoded: Encoding) -> None:
    def column(name: str) -> np.ndarray:
        return encoded.track.column(name)[0]

    assert set(encoded.track.reason) == {""}
    assert 190 < np.median(column("face_size_px")) < 250
    assert np.median(column("confidence")) > 0.7
    assert column("motion_left")[round(9.2 * FPS)] > 2 * column("motion_right")[round(9.2 * FPS)]
    assert column("motion_upper")[round(6.7 * FPS)] > 3 * np.median(column("motion_upper"))
    assert column("expression_score")[round(3.0 * FPS)] > 0.5 > np.median(column("expression_score"))
    assert not encoded.track.column("motion_upper")[1][:2].any(), "there is no quarter of a second before the first"
    assert encoded.quality["face_found"] == 1 and encoded.quality["fps"] == pytest.approx(FPS)
    assert encoded.streams == ("face",) and encoded.warnings == ()


def test_infrared_of_16_bits_gives_the_same_where_colour_shows_no_face(filmed: tuple[Pictures, FaceMotion]) -> None:
    pictures, motion = filmed
    few = 5 * FPS
    gain = 30 + 5 * np.sin(motion.times_s[:few])
    infrared = [(2000 + g * one[..., 1]).astype(np.uint16) for g, one in zip(gain, pictures[:few], strict=True)]
    dark = [np.zeros((240, 320, 3), np.uint8)] * 5
    found = encode(
        video_of(infrared, motion.times_s[:few], "face_nir", "infrared"),
        video_of(dark, motion.times_s[:5], name="colour"),
    )
    assert found.streams == ("infrared",)
    assert any("no face in 'colour'" in text for text in found.warnings)
    assert any("from 'infrared'" in text for text in found.warnings)
    assert any("only 5.0 s" in text for text in found.warnings)
    (event,) = (event for event in found.events if event.kind in ("micro", "macro"))
    assert event.kind == "macro" and event.label == "AU6+AU12"


def test_a_stream_that_breaks_off_keeps_what_was_seen(filmed: tuple[Pictures, FaceMotion]) -> None:
    pictures, motion = filmed

    def broken(good: int) -> Iterator[tuple[int, np.ndarray]]:
        yield from enumerate(pictures[:good])
        raise UnreadableFileError("the file ends early", file="face.mp4")

    whole = video_of(pictures[:60], motion.times_s[:60])
    found = encode(replace(whole, source=lambda: broken(30)))
    assert len(found.track.times_ns) == 30 and found.track.valid.any()
    assert any("broke off at 1.160 s" in text and "face.mp4" in text for text in found.warnings)
    with pytest.raises(UnreadableFileError, match=r"face\.mp4"):
        encode(replace(whole, source=lambda: broken(0)))


def test_settings_and_registry() -> None:
    assert isinstance(load_encoder("face"), FaceEncoder)
    blank = video_of([np.zeros((64, 64, 3), np.uint8)], np.zeros(1))
    with pytest.raises(InvalidValueError, match="spotter"):
        encode(blank, sponsor="x")
    with pytest.raises(InvalidValueError, match="regional"):
        encode(blank, spotter="x")
    with pytest.raises(InvalidValueError, match="piecewise"):
        encode(blank, registration="rigid")
    with pytest.raises(InvalidValueError, match="tvl1"):
        encode(blank, flow="x")


@pytest.mark.parametrize("setting", [{"registration": "piecewise"}, {"flow": "farneback"}])
def test_another_registration_or_flow_sees_the_same_smile(
    filmed: tuple[Pictures, FaceMotion], setting: dict[str, str]
) -> None:
    pictures, motion = filmed
    part = slice(FPS, 5 * FPS)
    found = encode(video_of(pictures[part], motion.times_s[part]), **setting)
    moved, valid = found.track.column("motion_lower")
    times = found.track.times_ns / 1e9
    rise = moved[(times > 2.2) & (times < 2.7) & valid].max()
    assert rise > 3 * np.median(moved[valid]) and found.parameters[next(iter(setting))] == next(iter(setting.values()))


def test_one_blank_picture_and_one_picture_of_a_face() -> None:
    nothing = encode(video_of([np.zeros((64, 64, 3), np.uint8)], np.zeros(1)))
    assert list(nothing.track.reason) == ["no_face"] and not nothing.track.valid.any() and nothing.events == ()
    face = encode(video_of([load_photograph("astronaut")], np.zeros(1)))
    assert face.track.column("yaw_deg")[1].all() and not face.track.column("au06")[1].any()
    assert any("too little" in text for text in face.warnings)


@pytest.mark.parametrize(("size", "width"), [((1920, 1080), 100), ((1920, 1080), 150), ((3840, 2160), 150)])
def test_small_faces_in_large_pictures(size: tuple[int, int], width: int) -> None:
    import cv2

    photograph = load_photograph("astronaut")
    with borrowed_models() as models:
        sighting = FaceTracker(models).find(photograph, 0)
    assert sighting is not None
    scale = width / float(sighting.box[2] - sighting.box[0])
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(width)
    grain = rng.integers(60, 190, (size[1] // 40, size[0] // 40, 3)).astype(np.uint8)
    picture = cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)
    left, top = size[0] - small.shape[1] - 30, size[1] - small.shape[0] - 10
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    with borrowed_models() as models:
        tracker = FaceTracker(models)
        found = [tracker.find(picture, to_ns(0.04 * k)) for k in range(3)]
    wanted = sighting.points[[33, 263, 1, 152], :2] * scale + (left, top)
    for one in found:
        assert one is not None
        assert np.abs(one.points[[33, 263, 1, 152], :2] - wanted).max() < 0.06 * width


def test_turned_faces_keep_their_angles_and_lose_their_expressions() -> None:
    rows = np.zeros(120, ROW)
    rows["t_ns"], rows["found"] = to_ns(np.arange(120) / 30), True
    rows["iod_px"], rows["width_px"], rows["sharpness"], rows["residual"] = 80, 170, 9, 0.04
    rows["lids"][:, :, 0], rows["lids"][:, :, 1] = 12, -3
    rows["angles"][40:60, 0] = 50
    rows["found"][80:90] = False
    track = analyse_rows(rows, load_spotter("regional")).track
    for name in ("au12_left", "au43", "eye_opening_left", "expression_score", "mouth_opening"):
        assert list(np.flatnonzero(~track.column(name)[1])) == [*range(40, 60), *range(80, 90)], name
    for name in ("yaw_deg", "face_size_px", "confidence"):
        assert list(np.flatnonzero(~track.column(name)[1])) == list(range(80, 90)), name
    assert set(track.reason[80:90]) == {"no_face"} and set(track.reason[40:60]) == {"turned_away"}
    assert set(np.delete(track.reason, [*range(40, 60), *range(80, 90)])) == {""}
    confidence = track.column("confidence")[0]
    assert confidence[0] > 0.95 and confidence[50] < 0.7


def test_labels() -> None:
    assert label_of({"au12_left": 0.4, "au06": 0.5, "au12_right": 0.3}) == "AU6+AU12"
    assert label_of({"au12_right": 0.3, "au25": 0.2}) == "AU12 right+AU25"
    assert label_of({}) == ""


def test_toning_stretches_slowly_and_follows_a_switched_light() -> None:
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 400, (120, 160)).astype(np.uint16)
    toner = Toner()
    first = toner.tone(5000 + scene, 0)
    assert first.dtype == np.uint8 and first.shape == (120, 160, 3)
    assert first.min() == 0 and first.max() == 255 and 110 < first.mean() < 145
    after = toner.tone(5040 + scene, to_ns(0.04))
    assert after.mean() - first.mean() > 15, "a small step is not undone at once"
    settled = [toner.tone(5040 + scene, to_ns(0.04 * k)) for k in range(2, 300)][-1]
    assert abs(float(settled.mean()) - float(first.mean())) < 2
    assert abs(float(toner.tone(9000 + scene, to_ns(13.0)).mean()) - float(first.mean())) < 2
    colour = np.zeros((4, 4, 3), np.uint8)
    assert toner.tone(colour, to_ns(14.0)) is colour
    with pytest.raises(InvalidValueError, match="float32"):
        toner.tone(np.zeros((4, 4), np.float32), to_ns(15.0))


def frames_of(path: Path, step: int = 1, limit: int = 10_000) -> tuple[Pictures, np.ndarray]:
    pictures, times = [], []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % step == 0 and frame.time is not None:
                pictures.append(frame.to_ndarray(format="rgb24"))
                times.append(frame.time)
            if len(pictures) >= limit:
                break
    return pictures, np.array(times)


def test_the_face_leaves(data_dir: Path) -> None:
    found = encode(video_of(*frames_of(data_dir / "video" / "face_noface.mov")))
    valid = found.track.column("yaw_deg")[1]
    assert valid[:70].all() and not valid[75:].any()
    assert set(found.track.reason[75:]) == {"no_face"} and set(found.track.reason[:70]) == {""}
    assert all(event.offset_ns <= found.track.times_ns[75] for event in found.events)


def test_no_face_at_all(data_dir: Path) -> None:
    found = encode(video_of(*frames_of(data_dir / "video" / "no_face.mp4", step=3)))
    assert not found.track.valid.any() and set(found.track.reason) == {"no_face"}
    assert found.events == () and found.quality["face_found"] == 0


def test_a_real_face_is_followed_throughout(data_dir: Path) -> None:
    found = encode(video_of(*frames_of(data_dir / "video" / "WolfgangLanger_Pexels.mp4", limit=60)))
    assert found.track.column("yaw_deg")[1].mean() > 0.95
    assert found.track.column("au06")[1].mean() > 0.9
    assert np.median(found.track.column("confidence")[0]) > 0.5


def test_a_face_in_a_very_large_picture(data_dir: Path) -> None:
    found = encode(video_of(*frames_of(data_dir / "video" / "metv_neutral_2880x2160.mp4", limit=8)))
    assert found.track.column("face_size_px")[1].all() and found.track.column("face_size_px")[0].min() > 800


def test_a_worker_of_many_sees_the_same_in_one_thread(
    encoded: Encoding, filmed: tuple[Pictures, FaceMotion], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faces are looked for ahead in a thread where there are cores to spare; that changes no number."""
    monkeypatch.setattr("data_schemas.threads._shared", True)
    alone = encode(video_of(filmed[0], filmed[1].times_s))
    assert np.array_equal(alone.track.values, encoded.track.values, equal_nan=True)
    assert np.array_equal(alone.track.valid, encoded.track.valid) and alone.events == encoded.events
