"""BIDS, NWB, MEGC and Rerun: by the validator and the libraries of the formats."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pynwb
import pytest

from data_schemas.errors import (
    ConsentError,
    InvalidValueError,
    MissingExtraError,
    NothingUsableError,
    UnreadableFileError,
)
from modalities.face.spotting.megc import read_table
from pipeline.export.content import Content, read_content
from pipeline.export.events import as_rows
from pipeline.export.run import export_result
from pipeline.export.sample import EVENTS, PEOPLE, START_S, write_sample


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def content(result: Path) -> Content:
    return read_content(result)


def complaints(folder: Path) -> list[dict[str, object]]:
    validator = shutil.which(
        "bids-validator-deno", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    assert validator is not None, "bids-validator-deno belongs to the development requirements"
    done = subprocess.run([validator, str(folder), "--format", "json"], capture_output=True, text=True, timeout=120)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [issue for issue in issues if issue["severity"] == "error"]


def test_bids_validates_and_holds_the_values(result: Path, content: Content, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    export_result(result, "bids", root)
    assert complaints(root) == []
    physio = root / "sub-ada" / "beh" / "sub-ada_task-sample_recording-face_physio.tsv.gz"
    said = json.loads(physio.with_name(physio.name.replace(".tsv.gz", ".json")).read_text(encoding="utf-8"))
    with gzip.open(physio, "rt", encoding="utf-8") as file:
        read = pd.read_csv(file, sep="\t", header=None, names=said["Columns"], na_values="n/a")
    assert said["SamplingFrequency"] == 25 and said["StartTime"] == pytest.approx(START_S)
    assert said["Telltale"]["session_clock"]["reference"] == ["lab"]
    for feature in ("au12", "yaw_deg"):
        values = read[feature].to_numpy(np.float32)
        assert np.array_equal(values, content.column(f"face.{feature}", "ada"), equal_nan=True)
    motion = pd.read_csv(
        root / "sub-p02" / "motion" / "sub-p02_task-sample_tracksys-head_motion.tsv", sep="\t", header=None
    )
    channels = pd.read_csv(root / "sub-p02" / "motion" / "sub-p02_task-sample_tracksys-head_channels.tsv", sep="\t")
    at = list(channels.name).index("pitch_deg")
    assert np.array_equal(motion[at].to_numpy(np.float32), content.column("face.pitch_deg", "p-02"))
    events = pd.read_csv(root / "sub-ada" / "beh" / "sub-ada_task-sample_events.tsv", sep="\t")
    own = [row for row in as_rows(EVENTS) if row["person"] in ("ada", None)]
    assert np.allclose(events.onset, [row["onset_s"] for row in own], atol=1e-6)
    assert np.allclose(events.onset + events.duration, [row["offset_s"] for row in own], atol=1e-5)
    assert list(events.trial_type) == [row["kind"] for row in own]
    people = pd.read_csv(root / "participants.tsv", sep="\t")
    assert dict(zip(people.participant_id, people.telltale_person, strict=True)) == {
        "sub-ada": "ada",
        "sub-p02": "p-02",
    }


def test_recordings_by_the_draft_of_bep047(result: Path, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    export_result(result, "bids", root, options={"bep047": "draft-2026"})
    assert complaints(root) == []
    beh = root / "sub-ada" / "beh"
    video = beh / "sub-ada_task-sample_recording-face_video.mp4"
    assert video.read_bytes() == (result.parent / "sample" / "face.mp4").read_bytes()
    said = json.loads(video.with_suffix(".json").read_text(encoding="utf-8"))
    assert (said["Width"], said["Height"], said["FrameRate"], said["StartTime"]) == (64, 48, 25.0, START_S)
    sound = json.loads((beh / "sub-ada_task-sample_recording-voice_audio.json").read_text(encoding="utf-8"))
    assert sound["AudioSampleRate"] == 8000 and sound["StartTime"] == -1.0


def test_recordings_need_consent_to_share(result: Path, tmp_path: Path) -> None:
    other = tmp_path / "session"
    shutil.copytree(result.parent / "sample", other)
    manifest = (other / "session.toml").read_text(encoding="utf-8").replace('"share", ', "")
    (other / "session.toml").write_text(manifest, encoding="utf-8")
    with pytest.raises(ConsentError, match="share"):
        export_result(result, "bids", tmp_path / "b", session=other, options={"bep047": "draft-2026"})
    with pytest.raises(ConsentError, match="de-identified"):
        export_result(result, "bids", tmp_path / "b", deidentify=True, options={"bep047": "draft-2026"})
    assert not (tmp_path / "b").exists(), "nothing half-written is left"


def test_a_recording_that_is_damaged_is_named(result: Path, tmp_path: Path) -> None:
    """FFmpeg's "Cannot allocate memory" for a length in the file, and its "Invalid data"."""
    other = tmp_path / "session"
    shutil.copytree(result.parent / "sample", other)
    video = other / "face.mp4"
    whole = video.read_bytes()
    at = whole.find(b"stts") + 8
    for spoilt, said in ((whole[:at] + b"\x7f\xff\xff\xff" + whole[at + 4 :], "a length in it"), (whole[:100], "")):
        video.write_bytes(spoilt)
        with pytest.raises(UnreadableFileError, match=f"cannot be opened .*face.mp4.*{said}"):
            export_result(result, "bids", tmp_path / "b", session=other, options={"bep047": "draft-2026"})
        assert not (tmp_path / "b").exists()


def test_nwb_is_valid_and_holds_the_values(result: Path, content: Content, tmp_path: Path) -> None:
    export_result(result, "nwb", tmp_path / "a.nwb", options={"start": "2025-03-01T10:00:00Z"})
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        assert pynwb.validate(io=io) == []
        file = io.read()
        assert file.session_start_time == datetime(2025, 3, 1, 10, tzinfo=UTC)
        for person in PEOPLE:
            for module, name in (("behavior", "face.yaw_deg"), ("physiology", "physiology.heart_rate_bpm")):
                series = file.processing[module][f"{person}.{name}"]
                assert np.array_equal(series.data[:], content.column(name, person), equal_nan=True)
                assert np.allclose(series.timestamps[:] * 1e9, content.grid_ns, atol=1)
        assert series.unit == "bpm"
        events = file.intervals["telltale_events"].to_dataframe()
        wanted = as_rows(EVENTS)
        assert np.allclose(events.start_time, [row["onset_s"] for row in wanted], atol=1e-6)
        assert np.allclose(events.stop_time, [row["offset_s"] for row in wanted], atol=1e-6)
        assert list(events.label) == [row["label"] for row in wanted]
        assert list(events.details) == [row["details"] for row in wanted]
        assert json.loads(file.data_collection)["provenance"]


def test_nwb_without_a_date_says_so(result: Path, tmp_path: Path) -> None:
    done = export_result(result, "nwb", tmp_path / "a.nwb")
    assert any("1970" in note for note in done.notes)
    with pytest.raises(InvalidValueError, match="zone"):
        export_result(result, "nwb", tmp_path / "b.nwb", options={"start": "2025-03-01T10:00:00"})


def test_megc_table_counts_frames_of_the_video(result: Path, tmp_path: Path) -> None:
    done = export_result(result, "megc", tmp_path / "m.csv")
    found = read_table((tmp_path / "m.csv").read_text(encoding="utf-8"))
    wanted = [e for e in EVENTS if e.kind in ("micro", "macro") and e.person == "ada"]
    assert [(one.video, one.kind) for one in found] == [("face", event.kind) for event in wanted]
    for one, event in zip(found, wanted, strict=True):
        assert abs((one.onset - 1) / 25 + START_S - event.onset_ns / 1e9) <= 0.021
        assert abs(one.offset / 25 + START_S - event.offset_ns / 1e9) <= 0.021
    assert any("p-02" in note for note in done.notes), "who has no face video is named"
    with pytest.raises(NothingUsableError, match="ada"):
        export_result(result, "megc", tmp_path / "d.csv", kinds=["macro"], session=_without_video(result, tmp_path))


def test_megc_frames_of_a_video_whose_rate_varies(result: Path, tmp_path: Path) -> None:
    """Half the video runs at 25 Hz and half at 12.5: the mean rate would be off by many frames."""
    from pipeline.simulate.video import write_video

    folder = tmp_path / "session"
    shutil.copytree(result.parent / "sample", folder)
    times = np.concatenate([np.arange(100) / 25, 4 + np.arange(50) / 12.5])
    (folder / "face.mp4").unlink()
    write_video(folder / "face.mp4", (np.full((48, 64, 3), n, np.uint8) for n in range(150)), times)
    export_result(result, "megc", tmp_path / "m.csv", session=folder)
    found = read_table((tmp_path / "m.csv").read_text(encoding="utf-8"))
    macro = next(one for one in found if one.kind == "macro")
    event = next(event for event in EVENTS if event.kind == "macro")
    assert times[macro.onset - 1] + START_S == pytest.approx(event.onset_ns / 1e9, abs=0.041)
    assert times[macro.offset] + START_S == pytest.approx(event.offset_ns / 1e9, abs=0.041)
    mean_rate = export_result(result, "megc", tmp_path / "n.csv", session=None)
    assert mean_rate.notes and (tmp_path / "n.csv").read_text() != (tmp_path / "m.csv").read_text()


def _without_video(result: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "voice only"
    folder.mkdir()
    text = (result.parent / "sample" / "session.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition('[[streams]]\nname = "face"')
    (folder / "session.toml").write_text(head + "[[streams]]" + rest.partition("[[streams]]")[2], encoding="utf-8")
    return folder


def test_rerun_without_its_library_says_what_to_install(result: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("rerun") is not None:
        pytest.skip("rerun-sdk is installed; the next test writes the file")
    with pytest.raises(MissingExtraError, match="rerun-sdk"):
        export_result(result, "rrd", tmp_path / "a.rrd")
    assert list(tmp_path.iterdir()) == []


def test_rerun_file_is_written_and_read_back(result: Path, content: Content, tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk, an optional library, is not installed")
    chunk = pytest.importorskip("rerun.chunk", reason="this rerun-sdk cannot read its files back")
    export_result(result, "rrd", tmp_path / "a.rrd")
    times: dict[str, list[np.ndarray]] = {}
    values: dict[str, list[np.ndarray]] = {}
    for one in chunk.RrdReader(tmp_path / "a.rrd").stream():
        path, table = str(one.entity_path), one.to_record_batch().to_pydict()
        if "session_time" in table:
            times.setdefault(path, []).append(np.array(table["session_time"], dtype="timedelta64[ns]").astype(np.int64))
            column = next((name for name in table if "scalars" in name.lower() or "text" in name.lower()), None)
            values.setdefault(path, []).extend(row[0] for row in table[column] or ()) if column else None
    wanted = content.column("face.yaw_deg", "ada")
    there = np.isfinite(wanted)
    assert np.array_equal(np.concatenate(times["/ada/face/yaw_deg"]), content.grid_ns[there])
    assert np.allclose(np.array(values["/ada/face/yaw_deg"]), wanted[there])
    micro = next(event for event in EVENTS if event.kind == "micro" and event.person == "ada")
    assert np.concatenate(times["/ada/events/face/micro"]).tolist() == [micro.onset_ns]
    frames = np.concatenate(times["/video/face"])
    assert len(frames) == 200 and frames[0] == round(START_S * 1e9)
