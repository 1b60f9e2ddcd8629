"""Masked copies of recordings: no face, no words and no voice in them, and all else as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.camera import Camera
from data_schemas.errors import ConsentError, InvalidValueError, NothingUsableError
from data_schemas.session import StreamEntry
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit
from modalities.face.detection import find_faces
from modalities.face.models import borrowed_models
from modalities.readers import open_stream
from modalities.voice.pitch import VOICED_STRENGTH, WINDOW, find_candidates, join_candidates
from pipeline.export.content import read_content
from pipeline.export.deidentify import Aliases
from pipeline.export.media_encoding import write_video
from pipeline.export.media_faces import HOLD_S, NEAR_S, Sightings, grown, look_for_faces
from pipeline.export.media_pictures import hide_heads, merged
from pipeline.export.run import export_result
from pipeline.export.sample import write_sample
from pipeline.simulate.face import Puppet, render_face
from pipeline.simulate.face_depth import DepthCamera, DepthSensor
from pipeline.simulate.face_portrait import prepare_portrait
from pipeline.simulate.face_view import View
from pipeline.simulate.formants import synthesize
from pipeline.simulate.motion import FaceMotion
from pipeline.simulate.speech import draw_turn, pitch_at

FPS, LEFT_AT_S, SECONDS, RATE = 12, 2.0, 3.2, 16_000
SIZE = (320, 240)
COUNT = round(FPS * SECONDS)
TAGS = {"title": "ada in room 4", "creation_time": "2024-05-06T07:08:09Z", "location": "+52.5200+013.4050/"}
TURN = draw_turn(np.random.default_rng(3), 0.4, 2.2, 190.0)
Pictures = list[np.ndarray]


def speech() -> np.ndarray:
    return synthesize([TURN], int(RATE * SECONDS), RATE, 0.0, 0.0, np.random.default_rng(1))


def film() -> Pictures:
    """A face that moves to the right for two seconds; then nobody before a wall of fine stripes."""
    t = np.arange(round(FPS * LEFT_AT_S)) / FPS
    motion = FaceMotion(t, yaw_deg=8 * np.sin(3 * t), shift_px=np.stack([20 * t, 0 * t], axis=1))
    seen = list(render_face(motion, size=SIZE, face_width_px=70, seed=2))
    wall = np.where(np.arange(SIZE[0]) // 4 % 2, 90, 160).astype(np.uint8)
    empty = np.broadcast_to(wall[None, :, None], (SIZE[1], SIZE[0], 3)).copy()
    return seen + [empty] * (COUNT - len(seen))


def write_face(path: Path, pictures: Pictures) -> None:
    """A video with a sound track and tags, as cameras write them."""
    with av.open(str(path), "w") as out:
        out.metadata.update(TAGS)
        video = out.add_stream("libx264", rate=FPS, options={"crf": "14", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        audio: Any = out.add_stream("aac", rate=RATE, layout="mono")
        for picture in pictures:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
        sound = speech()
        for first in range(0, len(sound), 1024):
            frame: Any = av.AudioFrame.from_ndarray(sound[None, first : first + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, first
            out.mux(audio.encode(frame))
        out.mux(audio.encode())


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masked")
    made = write_sample(folder)
    write_face(folder / "sample" / "face.mp4", film())
    soundfile.write(folder / "sample" / "voice.wav", speech(), RATE)
    return made


@pytest.fixture(scope="module")
def copies(result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("given") / "copies"
    done = export_result(result, "media", target)
    assert any("hidden altogether" in note for note in done.notes)
    return target


def pictures_of(path: Path) -> Pictures:
    with av.open(str(path)) as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]


def detail(picture: np.ndarray) -> np.ndarray:
    grey = picture.astype(np.float32).mean(axis=2)
    return grey - cv2.GaussianBlur(grey, (0, 0), 3)


def envelope(sound: np.ndarray, rate: int) -> np.ndarray:
    """Loudness ten times a second."""
    cell = rate // 10
    return np.sqrt((sound[: len(sound) // cell * cell].reshape(-1, cell) ** 2).mean(axis=1))


def voiced_near(sound: np.ndarray) -> float:
    """Share of the planted voiced frames in which the tracker finds a pitch within 10 % of the planted one."""
    centres = np.arange(WINDOW, len(sound) - WINDOW, 160)
    frequency, strength, _ = find_candidates(sound.astype(np.float32), centres, RATE)
    pitch, voiced, _ = join_candidates(frequency, strength, np.full(len(centres), VOICED_STRENGTH, np.float32))
    planted, there = pitch_at([TURN], centres / RATE)
    return float((voiced & (np.abs(pitch / np.where(there, planted, 1) - 1) < 0.1))[there].mean())


def test_no_face_is_left_and_the_background_is_as_it_was(result: Path, copies: Path) -> None:
    before, after = pictures_of(result.parent / "sample" / "face.mp4"), pictures_of(copies / "face.mp4")
    assert len(after) == len(before) == COUNT
    with borrowed_models() as models:
        for old, new in list(zip(before, after, strict=True))[2 : round(FPS * LEFT_AT_S) - 6 : 3]:
            (face,) = find_faces(models, old, thorough=False)[:, :4]
            left, top, right, bottom = grown(face[None])[0].round().astype(int).clip(0)
            assert not len(find_faces(models, new, thorough=False))
            inside = (slice(top, bottom), slice(left, right))
            assert abs(np.corrcoef(detail(old)[inside].ravel(), detail(new)[inside].ravel())[0, 1]) < 0.2
            assert detail(old)[inside].std() > 5
            steps = [np.abs(np.diff(one[inside].astype(int).mean(axis=2), axis=1)) > 4 for one in (old, new)]
            assert steps[1].mean() < 0.1 < steps[0].mean(), "flat squares: steps at their borders only"
            far = slice(0, left - 16)
            assert np.abs(old[:, far].astype(int) - new[:, far]).mean() < 3
            assert np.corrcoef(old[:, far].ravel(), new[:, far].ravel())[0, 1] > 0.99


def test_the_whole_picture_is_hidden_where_the_face_has_left(result: Path, copies: Path) -> None:
    before, after = pictures_of(result.parent / "sample" / "face.mp4"), pictures_of(copies / "face.mp4")
    gone = round(FPS * (LEFT_AT_S + HOLD_S)) + 1
    assert detail(before[gone]).std() > 20
    assert all(detail(one).std() < 2 for one in after[gone:])
    table = pd.read_csv(copies / "media.csv").set_index("stream")
    assert len(after) - gone - 1 <= table.frames_hidden_whole["face"] <= len(after) - gone + 2


@pytest.mark.parametrize("name", ["voice.wav", "face.mp4"])
def test_loudness_survives_and_words_and_pitch_do_not(result: Path, copies: Path, name: str) -> None:
    heard = open_stream(StreamEntry(name="s", kind="audio", file=name), copies, None)
    sound, said = heard.source(0, heard.axis.n)[:, 0], speech()
    if name == "voice.wav":
        assert heard.rate_hz == RATE and len(sound) == len(said)
    else:
        sound = sound[:: round(heard.rate_hz / RATE)][: len(said)]
        said = said[: len(sound)]
    assert np.corrcoef(envelope(sound, RATE), envelope(said, RATE))[0, 1] > 0.9
    assert abs(np.corrcoef(sound, said)[0, 1]) < 0.1, "chance alone gives 0.04 to such short tones"
    assert voiced_near(said) > 0.8
    assert voiced_near(sound) < 0.05
    quiet = envelope(said, RATE) < 0.01
    assert quiet.any() and envelope(sound, RATE)[quiet].max() < 0.05 * envelope(sound, RATE).max() + 0.01


def test_nothing_of_the_old_container_is_left(result: Path, copies: Path) -> None:
    with av.open(str(result.parent / "sample" / "face.mp4")) as old:
        assert "title" in old.metadata and "creation_time" in old.metadata
    with av.open(str(copies / "face.mp4")) as new:
        assert not {*TAGS, "encoder"} & set(new.metadata)
        assert all("creation_time" not in one.metadata for one in new.streams)
    whole = b"".join((copies / name).read_bytes() for name in ("face.mp4", "voice.wav"))
    assert b"ada" not in whole and b"room 4" not in whole and b"+52.52" not in whole


def test_the_table_says_what_is_what(result: Path, copies: Path) -> None:
    table = pd.read_csv(copies / "media.csv", keep_default_na=False).set_index("stream")
    assert table.file.to_dict() == {"face": "face.mp4", "voice": "voice.wav"}
    assert set(table.person) == {"ada"} and table.sound["face"] == "masked"
    assert table.start_s.tolist() == pytest.approx([-1.5, -1.0]) and table.drift_ppm["face"] == 80
    assert table.masked.tolist() == ["faces", "voices"] and int(table.frames["face"]) == COUNT
    about = json.loads((copies / "media.json").read_text(encoding="utf-8"))
    assert set(about["columns"]) == {"stream", *table.columns} and about["masking"]["squares_across_a_face"] <= 4


def test_deidentified_copies_name_nobody_and_are_shifted(
    result: Path, tmp_path: Path, here: Callable[..., CompletedProcess[str]]
) -> None:
    done = here("export", result, "--to", "media", "-o", tmp_path / "d", "--deidentify", "--json")
    assert done.returncode == 0, done.stderr
    aliases = Aliases.of_user(read_content(result))
    table = pd.read_csv(tmp_path / "d" / "media.csv")
    assert table.stream.tolist() == ["stream1", "stream2"] and table.file.tolist() == ["stream1.mp4", "stream2.wav"]
    assert set(table.person) == {aliases.names["ada"]}
    assert table.start_s.tolist() == pytest.approx(
        [-1.5 + aliases.shift_ns / NS_PER_S, -1 + aliases.shift_ns / NS_PER_S]
    )
    whole = b"".join(one.name.encode() + one.read_bytes() for one in (tmp_path / "d").iterdir())
    for secret in (b'"ada"', b",ada,", b"sample", b"face.mp4", b"voice.wav"):
        assert secret not in whole, secret


def test_it_is_refused_without_consent_or_recordings(result: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    said = (result.parent / "sample" / "session.toml").read_text(encoding="utf-8")
    (other / "session.toml").write_text(said.replace('"share", ', ""), encoding="utf-8")
    for name in ("face.mp4", "voice.wav"):
        (other / name).write_bytes((result.parent / "sample" / name).read_bytes())
    with pytest.raises(ConsentError, match=r"no consent to share.*write under"):
        export_result(result, "media", tmp_path / "c", session=other)
    with pytest.raises(ConsentError, match="no consent to share"):
        export_result(result, "media", tmp_path / "c", deidentify=True, options={"session": str(other)})
    (other / "session.toml").write_text(said, encoding="utf-8")
    (other / "face.mp4").unlink()
    (other / "voice.wav").write_bytes(b"")
    with pytest.raises(NothingUsableError, match=r"face\.mp4"):
        export_result(result, "media", tmp_path / "c", session=other)
    assert not (tmp_path / "c").exists()
    with pytest.raises(InvalidValueError, match="result itself"):
        export_result(result, "media", result)


def test_a_recording_that_cannot_be_read_is_told_and_the_others_are_copied(result: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "session.toml").write_bytes((result.parent / "sample" / "session.toml").read_bytes())
    (other / "voice.wav").write_bytes((result.parent / "sample" / "voice.wav").read_bytes())
    done = export_result(result, "media", tmp_path / "c", session=other)
    assert any("face.mp4" in note and "not copied" in note for note in done.notes)
    assert {one.name for one in (tmp_path / "c").iterdir()} == {
        "voice.wav",
        "media.csv",
        "media.json",
        ".telltale.json",
    }


def in_memory(pictures: Pictures, kind: str, camera: Camera | None = None) -> Video:
    def opened() -> Iterator[tuple[int, np.ndarray]]:
        return iter(enumerate(pictures))

    height, width = pictures[0].shape[:2]
    axis = Explicit(np.arange(len(pictures), dtype=np.int64) * 40_000_000)
    info = StreamInfo("cam", kind, "cam", "ada")
    scale = 1e-4 if kind == "face_depth" else None
    return Video(info=info, axis=axis, source=opened, width=width, height=height, camera=camera, depth_scale_m=scale)


def test_infrared_keeps_its_values_outside_of_the_head(tmp_path: Path) -> None:
    colour = render_face(FaceMotion(np.arange(5) / 25), size=SIZE, face_width_px=70)
    pictures = [(2000 + 30 * one[..., 1].astype(np.uint16)) for one in colour]
    video = in_memory(pictures, "face_nir")
    seen = look_for_faces(video, 1)
    made = write_video(video, seen, tmp_path / "nir")
    back = open_stream(StreamEntry(name="n", kind="face_nir", file=made.file.name), tmp_path, None)
    assert made.frames == 5 and made.whole == 0
    for frame, old in zip(back.frames(), pictures, strict=True):
        changed = frame.image != old
        left, top, right, bottom = merged(seen.heads(frame.t_ns))[0].round().astype(int).clip(0)
        assert changed[top + 2 : bottom - 2, left + 2 : right - 2].mean() > 0.9
        changed[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
        assert frame.image.dtype == np.uint16 and not changed.any() and changed.size > 3 * (right - left)


def test_a_face_of_distances_becomes_a_plate(tmp_path: Path) -> None:
    puppet = Puppet(prepare_portrait("astronaut", SIZE, 110, 1, 0)).seen_by(View())
    motion = FaceMotion(np.arange(4) / 25)
    sensor = DepthCamera(puppet, DepthSensor(holes=0.2), 1)
    pictures = [sensor.read(motion, at) for at in range(4)]
    video = in_memory(pictures, "face_depth", sensor.sight.camera)
    seen = look_for_faces(video, 1)
    assert all(len(one) for one in seen.faces), "the shaded surface shows a face"
    made = write_video(video, seen, tmp_path / "depth")
    back = open_stream(StreamEntry(name="d", kind="face_depth", file=made.file.name), tmp_path, None)
    for frame, faces in zip(back.frames(), [seen.heads(k * 40_000_000) for k in range(4)], strict=True):
        left, top, right, bottom = merged(faces)[0].round().astype(int).clip(0)
        inside = frame.image[top + 2 : bottom - 2, left + 2 : right - 2]
        assert inside.size and (inside == inside[0, 0]).all() and inside[0, 0] > 0


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.floats(-1, 4))
def test_every_face_found_nearby_is_inside_and_a_lost_one_hides_everything(counts: list[int], t_s: float) -> None:
    times = np.arange(len(counts), dtype=np.int64) * 100_000_000
    faces = [
        np.array([[40.0 * k + at, 20, 40 * k + at + 10, 30] for k in range(n)]).reshape(-1, 4)
        for at, n in enumerate(counts)
    ]
    seen = Sightings(times, faces, people=2)
    t_ns = round(t_s * NS_PER_S)
    heads = seen.heads(t_ns)
    away = np.abs(times - t_ns) / NS_PER_S
    both = np.array(counts) == 2
    assert heads is None or (both & (away <= HOLD_S)).any()
    assert heads is not None or not both.all() or away.min() > HOLD_S
    if heads is not None:
        for at in np.flatnonzero(away <= NEAR_S):
            for left, top, right, bottom in faces[at]:
                inside = (heads[:, :2] <= (left, top)).all(axis=1) & (heads[:, 2:] >= (right, bottom)).all(axis=1)
                assert inside.any()


def test_what_is_taken_for_a_face_for_a_moment_does_not_stand_for_the_person() -> None:
    face, hand, elsewhere = ([x, 20.0, x + 30, 50.0] for x in (20, 150, 260))
    course = [[face]] * 12 + [[hand]] * 3 + [[]] * 6 + [[hand]] * 3 + [[hand, face]] * 4 + [[elsewhere]] * 15
    faces = [np.array(one, float).reshape(-1, 4) for one in course]
    seen = Sightings(np.arange(len(course), dtype=np.int64) * 100_000_000, faces)
    shown = [seen.heads(at * 100_000_000) for at in range(len(course))]
    hidden = [at for at, one in enumerate(shown) if one is None]
    assert hidden == [17, 18], "held for half a second after look 11, and before look 24"
    assert all((shown[at][:, 0] <= 20).any() and (shown[at][:, 2] >= 50).any() for at in range(10, 17))
    assert shown[-1] is not None and (shown[-1][:, 0] > 200).all(), "who stays elsewhere for a second is followed there"
    never = Sightings(
        np.arange(30, dtype=np.int64) * 100_000_000,
        [np.array([hand]) if k % 5 == 0 else np.zeros((0, 4)) for k in range(30)],
    )
    assert all(never.heads(at * 100_000_000) is None for at in range(30))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(5, 30)), min_size=1, max_size=8))
def test_boxes_that_overlap_become_one_and_cover_what_they_covered(places: list[tuple[int, int, int]]) -> None:
    boxes = np.array([(x, y, x + side, y + side) for x, y, side in places], float)
    whole = merged(boxes)
    for box in boxes:
        assert ((whole[:, :2] <= box[:2]).all(axis=1) & (whole[:, 2:] >= box[2:]).all(axis=1)).any()
    for at, one in enumerate(whole):
        for other in whole[at + 1 :]:
            assert not ((one[:2] < other[2:]).all() and (other[:2] < one[2:]).all())


def test_odd_sizes_and_boxes_over_the_rim(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (61, 83, 3)).astype(np.uint8)
    heads = np.array([[-20.0, -20, 15, 15], [200, 200, 230, 230]])
    hidden = hide_heads(picture, heads)
    assert (hidden[16:, 16:] == picture[16:, 16:]).all() and len(
        np.unique(hidden[:15, :15].reshape(-1, 3), axis=0)
    ) < 16
    video = in_memory([picture] * 3, "face_rgb")
    seen = Sightings(np.array([0], np.int64), [np.zeros((0, 4))])
    told: list[tuple[str, int, int | None]] = []
    made = write_video(video, seen, tmp_path / "odd", hook=lambda *one: told.append(one))
    assert made.whole == 3 and pictures_of(made.file)[0].shape == (62, 84, 3) and told[-1] == ("mask cam", 3, 3)
