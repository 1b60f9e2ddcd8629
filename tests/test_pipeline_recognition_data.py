"""Corpora of simulated faces, written in the layouts of data sets, become samples of the recognition bench."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, NothingUsableError, UnreadableFileError
from pipeline import recognition_data
from pipeline.recognition_data import describe_samples, read_data, read_samples

Pictures = dict[str, list[NDArray[np.uint8]]]
TIMES = np.array([0.0, 0.05, 0.1, 0.15, 0.2])
APEX = 2
"""The pictures of a clip; the expression has its onset in the first and its apex in the third."""
UNITS = {
    "positive": ("au12_left", "au12_right"),
    "negative": ("au04",),
    "surprise": ("au01", "au02"),
}
CASME2 = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion"]


@pytest.fixture(scope="module")
def faces() -> Pictures:
    """A face with each expression, and a wall."""
    from modalities.face.synthesis.events import PlantedExpression
    from modalities.face.synthesis.planting import animate
    from pipeline.simulate.face_portrait import load_photograph

    photograph = np.ascontiguousarray(load_photograph("astronaut")[:320, 60:380])
    found: Pictures = {"wall": [np.full_like(photograph, 90)] * len(TIMES)}
    for name, units in UNITS.items():
        event = PlantedExpression("micro", units, 0.0, 0.1, 0.1, 0.25, 5.0)
        found[name] = list(animate(photograph, TIMES, [event]))
    return found


def put(folder: Path, pictures: Sequence[NDArray[np.uint8]], name: str = "img{}.png", first: int = 10) -> Path:
    import cv2

    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures, first):
        stored = picture[..., ::-1] if picture.ndim == 3 else picture
        cv2.imwrite(str(folder / name.format(number)), stored, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return folder


def table(path: Path, *rows: Sequence[object]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows(rows)
    return path


def casme2(folder: Path, *rows: Sequence[object]) -> Path:
    """A sheet with rows of subject, clip, onset, apex, offset, action units, emotion."""
    folder.mkdir(parents=True, exist_ok=True)
    laid = [[s, c, "", on, ap, off, "", au, emotion] for s, c, on, ap, off, au, emotion in rows]
    return table(folder / "CASME2-coding.csv", CASME2, *laid)


def corner_motion(picture: NDArray[np.floating]) -> tuple[float, float]:
    """Mean u at the person's right and left corner of the mouth, less that of the whole map."""
    u = picture[..., 0] - np.median(picture[..., 0])
    return float(u[17:22, 7:11].mean()), float(u[17:22, 17:21].mean())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, faces: Pictures) -> Path:
    """CASME II with three good clips, and others that cannot be used."""
    folder = tmp_path_factory.mktemp("casme")
    casme2(
        folder,
        ("01", "EP01_01", 10, 12, 14, "12", "happiness"),
        ("01", "EP01_02", 10, 12, 14, "4", "disgust"),
        ("02", "EP02_01", 10, "/", 14, "1+2", "surprise"),
        ("02", "EP02_02", 10, 12, 14, "4", "others"),
        ("02", "EP02_03", 10, 12, 14, "4", "disgust"),
        ("03", "EP03_01", 10, 12, 14, "4", "fear"),
        ("03", "EP03_02", 10, 99, 120, "4", "fear"),
        ("03", "EP03_03", 10, "/", "/", "4", "fear"),
        ("03", "EP03_04", 12, 12, 14, "4", "fear"),
        ("03", "EP03_05", 10, 12, 14, "4", "fear"),
        ("03", "EP03_06", 10, 12, 14, "4", "fear"),
    )
    put(folder / "sub01" / "EP01_01", faces["positive"])
    put(folder / "sub01" / "EP01_02", faces["negative"])
    put(folder / "sub02" / "EP02_01", faces["surprise"])
    put(folder / "sub03" / "EP03_01", faces["wall"])
    put(folder / "sub03" / "EP03_02", faces["negative"])
    put(folder / "sub03" / "EP03_05", [*faces["negative"][:2], *faces["wall"][2:]])
    (put(folder / "sub03" / "EP03_06", faces["negative"]) / "img12.png").write_bytes(b"no picture")
    return folder


def test_maps_classes_and_what_is_left_out(corpus: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    data = read_data(corpus, hook=lambda *words: told.append(words))
    samples = data.samples
    assert samples.kind == "flow_map" and samples.x.shape == (3, 28, 28, 3) and samples.x.dtype == np.float32
    assert samples.x.min() == 0 and samples.x.max() == 255
    assert samples.y.tolist() == [1, 0, 2]
    assert samples.subject.tolist() == ["01", "01", "02"]
    assert samples.clip.tolist() == ["EP01_01", "EP01_02", "EP02_01"]
    assert set(samples.dataset.tolist()) == {"casme2"}
    assert samples.attributes["apex"].tolist() == ["coded", "coded", "guessed"]
    assert samples.attributes["apex_frame"].tolist() == ["12", "12", "12"], "the third was found to be where it is"
    assert samples.attributes["au"].tolist() == ["12", "4", "1+2"]
    right, left = corner_motion(samples.x[0])
    assert right < -25 and left > 25, "both corners of the mouth move outward"
    up = samples.x[2, ..., 1]
    assert up[:8].min() < 30 and up[16:].min() > 60, "brows move up, the mouth does not"
    reasons = {one.clip: (one.reason, one.detail) for one in data.left_out}
    assert reasons == {
        "EP02_02": ("no_class", "others"),
        "EP02_03": ("no_pictures", ""),
        "EP03_01": ("no_face_onset", "frame 10 of EP03_01"),
        "EP03_02": ("missing_picture", "EP03_02 lacks 99"),
        "EP03_03": ("no_apex", ""),
        "EP03_04": ("apex_early", "12 to 12"),
        "EP03_05": ("no_face_apex", "frame 12 of EP03_05"),
        "EP03_06": reasons["EP03_06"],
    }
    assert reasons["EP03_06"][0] == "unreadable" and "img12.png" in reasons["EP03_06"][1]
    assert all(one.source.startswith("CASME2-coding.csv:") for one in data.left_out)
    assert [one.clip for one in data.left_out if not one.failed] == ["EP02_02"]
    assert told[0] == ("flow maps", 0, 6) and told[-1] == ("flow maps", 6, 6)
    (row,) = describe_samples(samples, data.left_out)
    assert (row["dataset"], row["samples"], row["subjects"], row["left_out"], row["failed"]) == ("casme2", 3, 2, 8, 7)
    assert (row["negative"], row["positive"], row["surprise"], row["apexes_guessed"]) == (1, 1, 1, 1)
    assert "1 no face at the onset" in row["why"] and "1 its emotion has no composite class" in row["why"]


def test_a_map_is_the_one_of_flow_maps(corpus: Path, faces: Pictures) -> None:
    from modalities.face.flow_map import flow_maps
    from modalities.face.models import borrowed_models
    from pipeline.recognition_maps import MapTask, make_map

    place = corpus / "sub01" / "EP01_01"
    numbers = (10, 11, 12)
    made = make_map(MapTask(place, numbers, tuple(place / f"img{one}.png" for one in numbers), 12, 20.0))
    frames = [(at * 50_000_000, picture) for at, picture in enumerate(faces["positive"])]
    with borrowed_models() as models:
        (wanted,) = flow_maps(frames, [(0, 100_000_000)], models)
    assert wanted is not None and made.picture is not None
    assert np.array_equal(made.picture, wanted.stretched())


def test_finished_maps_are_not_computed_again(tmp_path: Path, faces: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    make_map = recognition_data.make_map
    monkeypatch.setattr(recognition_data, "make_map", lambda task: done.append(task.place.name) or make_map(task))
    folder, keep = tmp_path / "corpus", tmp_path / "kept" / "maps"
    casme2(folder, ("01", "EP01_01", 10, 12, 14, "12", "happiness"), ("01", "EP01_02", 10, 12, 14, "4", "fear"))
    pictures = put(folder / "sub01" / "EP01_01", faces["positive"][:3])
    put(folder / "sub01" / "EP01_02", faces["wall"][:3])
    first = read_data(folder, keep=keep)
    assert sorted(done) == ["EP01_01", "EP01_02"] and len(list(keep.iterdir())) == 2
    again = read_data(folder, keep=keep)
    assert len(done) == 2, "neither the map nor the failure is worked out again"
    assert np.array_equal(again.samples.x, first.samples.x) and again.left_out == first.left_out
    assert again.samples.digest() == first.samples.digest()
    os.utime(pictures / "img11.png", ns=(1, 1))
    read_data(folder, keep=keep)
    assert done[2:] == ["EP01_01"], "a picture was changed"
    for file in keep.iterdir():
        file.write_bytes(b"broken off")
    assert np.array_equal(read_samples(folder, keep=keep).x, first.samples.x) and len(done) == 5
    monkeypatch.setattr(recognition_data, "code", lambda: "another version")
    read_data(folder, keep=keep)
    assert len(done) == 7
    (tmp_path / "file").touch()
    with pytest.raises(UnreadableFileError, match="finished maps"):
        read_data(folder, keep=tmp_path / "file")


def test_two_processes_give_what_one_gives(corpus: Path) -> None:
    one, two = read_data(corpus), read_data(corpus, workers=2)
    assert one.samples.digest() == two.samples.digest() and one.left_out == two.left_out


def smic(folder: Path, faces: Pictures) -> None:
    for camera, name in (("HS", "image{:06}.png"), ("VIS", "reg_image{}.png")):
        for number, emotion, short in ((1, "positive", "po"), (2, "surprise", "sur")):
            clip = f"s{number}_{short}_01"
            put(folder / camera / f"s{number}" / "micro" / emotion / clip, faces[emotion], name, 733)


def samm(folder: Path, faces: Pictures) -> None:
    head = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro"]
    row = ["006", "006_1_2", 1, 500, 502, 504, 5, "Micro - 1/2", "AU12", "Happiness"]
    table(folder / "SAMM_Micro_FACS_Codes_v2.csv", ["text"], [*head, "Action Units", "Estimated Emotion"], row)
    grey = [picture.mean(axis=2).astype(np.uint8) for picture in faces["positive"]]
    put(folder / "SAMM" / "006" / "006_1_2", grey, "006_{:05}.png", 500)


def cas_me2(folder: Path, faces: Pictures) -> None:
    from pipeline.simulate.video import write_video

    table(
        folder / "CAS(ME)^2code_final.csv",
        [1, "happy1_1", 6, 8, 10, "12", "positive", "micro-expression", "happiness"],
        [1, "happy1_2", 6, 8, 0, "12", "positive", "macro-expression", "happiness"],
    )
    table(folder / "rule1.csv", [3, "s15", 1])
    table(folder / "rule2.csv", ["0502", "happy1"])
    (folder / "rawvideo" / "s15").mkdir(parents=True)
    frames = [faces["positive"][0]] * 5 + faces["positive"]
    write_video(folder / "rawvideo" / "s15" / "15_0502girl.mp4", frames, np.arange(10) / 30, quality=1)


def cas_me3(folder: Path, faces: Pictures) -> None:
    head = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    row = ["spNO.1", "a", 101, 103, 105, "12", "I", "happy"]
    table(folder / "cas(me)3_part_A_ME_label_JpgIndex_v2.csv", head, row)
    put(folder / "spNO.1" / "a" / "depth", faces["wall"], "{}.png", 101)
    put(folder / "spNO.1" / "a" / "color", [*faces["wall"], *faces["positive"]], "{}.png", 96)


def mmew(folder: Path, faces: Pictures) -> None:
    head = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"]
    row = ["S91", "S91-02-001", 1, 3, 5, "12", "happiness", ""]
    table(folder / "MMEW_Micro_Exp.csv", [*head, "remarks"], row)
    put(folder / "Micro_Expression" / "happiness" / "S91-02-001", faces["positive"], "{}.png", 1)


def meview(folder: Path, faces: Pictures) -> None:
    from pipeline.simulate.video import write_video

    (folder / "videos").mkdir()
    write_video(folder / "videos" / "07.mp4", faces["positive"], np.arange(5) / 30, quality=1)
    head = ["video", "person", "onset", "offset", "FACS", "emotion"]
    table(folder / "MEVIEW.csv", head, ["07.mp4", "p3", 1, 5, "12", "happiness"])


def smic_long(folder: Path, faces: Pictures) -> None:
    """Two movements of one clip."""
    head = ["Subject", "Filename", "OnsetF", "OffsetF", "Onset2F", "Offset2F", "FirstF", "LastF", "TotalVL", "Emotion"]
    row = ["9", "s9_po_01", 100, 104, 105, 109, 100, 109, 10, "positive"]
    table(folder / "SMIC-HS-E_annotation.csv", head, row)
    put(folder / "HS" / "s9" / "s9_po_01", faces["positive"] * 2, "image{}.png", 100)


def composite(folder: Path, faces: Pictures) -> None:
    casme2(folder / "CASME2", ("01", "EP01_01", 10, 12, 14, "12", "happiness"))
    put(folder / "CASME2" / "sub01" / "EP01_01", faces["positive"])
    smic(folder / "SMIC", faces)
    table(
        folder / "combined_3class_gt.csv",
        ["casme2", "sub01", "EP01_01", 1],
        ["smic", "s1", "s1_po_01", 1],
        ["smic", "s2", "s2_sur_01", 2],
    )


def plain(folder: Path, faces: Pictures) -> None:
    table(folder / "mine.csv", ["subject", "clip", "onset", "apex", "class", "path"], ["a", "b", 0, 2, 1, "there"])
    put(folder / "there", faces["positive"][:3], "{}.png", 0)


@pytest.mark.parametrize(
    ("write", "datasets", "classes", "apexes"),
    [
        (smic, ["smic_hs", "smic_hs", "smic_vis", "smic_vis"], [1, 2, 1, 2], ["735"] * 4),
        (samm, ["samm"], [1], ["502"]),
        (cas_me2, ["cas_me2"], [1], ["8"]),
        (cas_me3, ["cas_me3_a"], [1], ["103"]),
        (mmew, ["mmew"], [1], ["3"]),
        (meview, ["meview"], [1], ["3"]),
        (smic_long, ["smic_hs_e"] * 2, [1, 1], ["102", "107"]),
        (composite, ["casme2", "smic_hs", "smic_hs"], [1, 1, 2], ["12", "735", "735"]),
        (plain, ["plain"], [1], ["2"]),
    ],
)
def test_layouts(
    write: Callable[[Path, Pictures], None],
    datasets: list[str],
    classes: list[int],
    apexes: list[str],
    tmp_path: Path,
    faces: Pictures,
) -> None:
    write(tmp_path, faces)
    data = read_data(tmp_path)
    assert data.samples.dataset.tolist() == datasets
    assert data.samples.y.tolist() == classes
    assert data.samples.attributes["apex_frame"].tolist() == apexes
    assert not any(one.failed for one in data.left_out)
    for picture, label in zip(data.samples.x, classes, strict=True):
        right, left = corner_motion(picture)
        assert (right < -25 and left > 25) == (label == 1)
    if write is smic:
        rows = describe_samples(data.samples, data.left_out)
        assert [(row["dataset"], row["samples"], row["apexes_guessed"]) for row in rows] == [
            ("smic_hs", 2, 2), ("smic_vis", 2, 2),
        ]  # fmt: skip
        assert len(set(data.samples.person.tolist())) == 2, "both cameras saw the same people"
    if write is cas_me2:
        assert [(one.clip, one.reason, one.detail) for one in data.left_out] == [("happy1_2", "other_kind", "macro")]


def test_a_blink_is_not_taken_for_the_apex(tmp_path: Path) -> None:
    from pipeline.simulate.face import render_face
    from pipeline.simulate.motion import FaceMotion

    smile = np.array([0.0, 0.2, 0.5, 0.3, 0.1, 0.05])
    motion = FaceMotion(
        np.arange(6) / 30, {"au12_left": smile, "au12_right": smile}, blink=np.array([0, 0, 0, 0, 1.0, 1.0])
    )
    put(
        tmp_path / "HS" / "s1" / "micro" / "positive" / "s1_po_01",
        list(render_face(motion, size=(320, 320), face_width_px=170)),
    )
    assert read_samples(tmp_path).attributes["apex_frame"].tolist() == ["12"]


def test_flow_maps_are_read_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    names = {"subject": ["a", "b"], "dataset": ["d", "d"], "clip": ["1", "2"]}
    np.savez(tmp_path / "set.npz", x=x, y=np.array([0, 2]), **{name: np.array(one) for name, one in names.items()})
    data = read_data(tmp_path)
    assert np.array_equal(data.samples.x, x) and data.left_out == ()
    (row,) = describe_samples(data.samples)
    assert (row["samples"], row["negative"], row["surprise"], row["left_out"], row["why"]) == (2, 1, 1, 0, "")


def test_a_wrong_folder_is_told_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        read_data(tmp_path / "nowhere")
    with pytest.raises(UnreadableFileError, match=r"none of the corpora.*an empty folder.*one of casme, casme2"):
        read_data(tmp_path)
    table(tmp_path / "notes.csv", ["Subject", "Name", "Remark"], ["1", "EP1", "x"])
    with pytest.raises(UnreadableFileError, match=r"got notes.csv: Subject, Name, Remark"):
        read_data(tmp_path)
    with pytest.raises(InvalidValueError, match="0 processes"):
        read_data(tmp_path, workers=0)
    casme2(tmp_path / "MEVIEW", ("01", "EP01_01", 10, 12, 14, "12", "happiness"))
    with pytest.raises(UnreadableFileError, match=r"several corpora.*casme2, meview"):
        read_data(tmp_path / "MEVIEW")


def test_nothing_usable_says_why(tmp_path: Path, faces: Pictures) -> None:
    sheet = casme2(
        tmp_path,
        ("01", "EP01_01", 10, 12, 14, "12", "happiness"),
        ("01", "EP01_02", 10, 12, 14, "12", "happiness"),
        ("01", "EP01_03", 10, 12, 14, "12", "others"),
    )
    with pytest.raises(NothingUsableError, match=r"2 no pictures and no video.*1 its emotion.*frames in sub<nn>"):
        read_data(tmp_path)
    put(tmp_path / "sub01" / "EP01_02", faces["positive"])
    assert read_samples(sheet).clip.tolist() == ["EP01_02"], "the sheet itself will do"
