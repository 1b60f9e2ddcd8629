"""Which recorders are heard on a page, when, and on which pages not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.result import SyncReport
from pipeline.export.sample import write_sample
from pipeline.report.run import report_result
from pipeline.report.sounds import can_be_heard, sounds_of_result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("heard"))


def sounds_on(page: Path) -> list[dict]:
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    return json.loads(found[1])["sounds"]


@pytest.mark.parametrize(
    ("name", "kind", "heard"),
    [
        ("a.wav", {"format": "WAV", "subtype": "PCM_16"}, True),
        ("b.flac", {"format": "FLAC"}, True),
        ("c.wav", {"format": "WAV", "subtype": "DOUBLE"}, False),
        ("d.aiff", {"format": "AIFF"}, False),
    ],
)
def test_which_files_a_browser_plays(tmp_path: Path, name: str, kind: dict[str, str], heard: bool) -> None:
    soundfile.write(tmp_path / name, np.zeros(800), 8000, **kind)
    assert can_be_heard(tmp_path / name) is heard


def test_what_is_no_sound_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"nothing")
    assert not can_be_heard(tmp_path / "x.wav") and not can_be_heard(tmp_path / "none.wav")


def test_each_file_once_at_its_session_time(result: Path) -> None:
    session = result.parent / "sample"
    sync = SyncReport.model_validate_json((result / "sync.json").read_text())
    (sound,) = sounds_of_result(session, sync)
    figure = next(one for one in sync.streams if one.stream == "voice")
    assert (sound.stream, sound.people, sound.file) == ("voice", ("ada",), session / "voice.wav")
    assert sound.map[0] == [0.0, pytest.approx(figure.start_s, abs=1e-6)]
    assert sounds_of_result(session, sync, [session / "voice.wav"]) == []


def test_a_voice_is_on_the_own_page_and_on_none_to_give_away(result: Path, tmp_path: Path) -> None:
    assert [one["stream"] for one in sounds_on(report_result(result).page)] == ["voice"]
    assert sounds_on(report_result(result, faces="left out").page) == []
    assert sounds_on(report_result(result, faces="blurred").page) == []
    assert sounds_on(report_result(result, tmp_path / "away.html", faces="shown").page) == []
