"""A session put together from the real recordings, through `telltale init` and `telltale analyze`.

Face, voice, body and physiology come from strangers, so nothing here tests what the channels say together; it tests
that every channel reads its own signal, where it has one, and says why elsewhere.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Telltale = Callable[..., subprocess.CompletedProcess[str]]

FILES = {
    "video/WolfgangLanger_Pexels.mp4": "face.mp4",
    "audio/speech_60s_16k.wav": "speech.wav",
    "body/seated_person_1080x1296.mp4": "body.mp4",
    "physio/neurokit/bio_eventrelated_100hz.csv": "bio_eventrelated_100hz.csv",
}
CHANNELS = {"face": "face.mp4", "voice": "speech.wav", "body": "body.mp4", "physiology": "bio_eventrelated_100hz.csv"}
SUPPORT_S = {"face": 19.7, "voice": 60.0, "body": 2.5, "physiology": 150.0}
EVENT_SAMPLES = (1023, 4957, 9223, 12983)


@pytest.fixture(scope="module")
def session(telltale: Telltale, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, with the manifest that `init` wrote, untouched."""
    folder = tmp_path_factory.mktemp("assembled") / "strangers"
    folder.mkdir()
    for source, name in FILES.items():
        shutil.copyfile(data_dir / source, folder / name)
    run = telltale("init", folder, "--consent", "analyse", "--json")
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture(scope="module")
def result(telltale: Telltale, session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder."""
    out = tmp_path_factory.mktemp("result") / "strangers"
    run = telltale("analyze", session, "-o", out)
    assert run.returncode == 1, "nobody vouches for the clocks of these strangers, and nothing proves them"
    assert "nobody has said how the clocks of 'face_rgb' and 'ecg' relate" in run.stderr
    assert "Traceback" not in run.stderr
    return out


@pytest.fixture(scope="module")
def timeline(result: Path) -> pa.Table:
    return pq.read_table(result / "timeline.parquet")


def test_init_names_the_kinds(session: Path) -> None:
    import tomllib

    streams = tomllib.loads((session / "session.toml").read_text(encoding="utf-8"))["streams"]
    kinds = {(stream["kind"], stream["file"]) for stream in streams}
    assert ("face_rgb", "face.mp4") in kinds
    assert ("audio", "speech.wav") in kinds
    assert ("audio", "face.mp4") not in kinds, "its sound track is digital silence"
    assert ("body_video", "body.mp4") in kinds
    assert {"ecg", "eda", "pulse"} <= {kind for kind, file in kinds if file.endswith(".csv")}


def test_streams_that_are_not_of_one_body_need_no_proof(telltale: Telltale, session: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(session, tmp_path / "strangers"))
    manifest = (folder / "session.toml").read_text(encoding="utf-8")
    (folder / "session.toml").write_text(manifest.replace("[[streams]]\n", "[[streams]]\nsame_body = false\n"))
    run = telltale("sync", folder, "--prove", "--json")
    assert run.returncode == 0, run.stderr
    assert "nobody has said" not in run.stderr
    assert json.loads((folder / "sync.json").read_text(encoding="utf-8"))["checks"] == []


@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_valid_where_there_is_a_stream_and_null_with_a_reason_elsewhere(timeline: pa.Table, channel: str) -> None:
    seconds = timeline["t_ns"].to_numpy() / 1e9
    valid = timeline[f"{channel}.valid"].to_numpy(zero_copy_only=False)
    reason = np.array([word or "" for word in timeline[f"{channel}.reason"].to_pylist()])
    inside = (seconds >= 0) & (seconds < SUPPORT_S[channel])
    assert valid[inside].mean() > 0.6
    assert not valid[~inside & (seconds > SUPPORT_S[channel] + 0.5)].any()
    assert (reason[valid] == "").all() and (reason[~valid] != "").all()
    assert set(reason[seconds > SUPPORT_S[channel] + 1]) <= {"gap"}
    for name in timeline.column_names:
        if name.startswith(f"{channel}.") and not name.endswith((".valid", ".reason")):
            cells = np.array(timeline[name].is_valid())
            assert not cells[~valid].any(), name


def test_the_four_photosensor_events_are_found(result: Path) -> None:
    events = pq.read_table(result / "events.parquet").to_pylist()
    cues = sorted(row["onset_s"] for row in events if row["channel"] == "context" and row["kind"] == "cue")
    assert cues == pytest.approx([sample / 100 for sample in EVENT_SAMPLES], abs=0.03)


def test_every_channel_reads_its_signal(result: Path, timeline: pa.Table) -> None:
    events = pq.read_table(result / "events.parquet").to_pylist()
    kinds = {row["kind"] for row in events}
    assert {"blink", "speech_turn", "r_peak", "scr", "cue"} <= kinds
    pitch = timeline["voice.pitch_hz"].drop_null().to_numpy()
    assert 60 < np.median(pitch) < 350 and pitch.std() > 5
    rate = timeline["physiology.heart_rate_bpm"].drop_null().to_numpy()
    assert 45 < np.median(rate) < 120 and rate.std() > 0.5
    assert timeline["body.movement_energy"].drop_null().to_numpy().max() > 0


def test_clocks_are_marked_as_assumed(result: Path) -> None:
    report = json.loads((result / "sync.json").read_text(encoding="utf-8"))
    assert {one["method"] for one in report["streams"]} == {"assumed"}
    assert {one["verdict"] for one in report["streams"]} == {"warn"}


@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_removing_one_channel_still_gives_a_timeline(
    telltale: Telltale, session: Path, tmp_path: Path, channel: str
) -> None:
    folder = Path(shutil.copytree(session, tmp_path / "less"))
    (folder / CHANNELS[channel]).unlink()
    run = telltale("analyze", folder, "-o", tmp_path / "out")
    assert run.returncode == 1, "a listed stream is missing"
    assert CHANNELS[channel] in run.stderr
    table = pq.read_table(tmp_path / "out" / "timeline.parquet")
    assert table[f"{channel}.valid"].to_pylist().count(True) == 0
    assert set(table[f"{channel}.reason"].to_pylist()) == {"no_stream"}
    for other in set(CHANNELS) - {channel}:
        assert table[f"{other}.valid"].to_pylist().count(True) > 0, other
    concealed = table["fused.concealed"].drop_null().to_numpy()
    assert len(concealed) and ((concealed >= 0) & (concealed <= 1)).all()
