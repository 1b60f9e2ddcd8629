from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ConsentError, InvalidValueError, UnreadableFileError
from data_schemas.event import Event
from data_schemas.features import FeatureSpec
from data_schemas.result import ResultRecord
from data_schemas.time import NS_PER_S
from pipeline.export.events import as_arrow
from pipeline.export.sample import EVENTS, write_sample
from pipeline.report.content import Material
from pipeline.report.decimation import kept_indices
from pipeline.report.happenings import add_evidence, happenings
from pipeline.report.lanes import lanes_of
from pipeline.report.page import drop_folder
from pipeline.report.players import TOLERANCE_S, knots
from pipeline.report.run import report_result
from pipeline.report.study import is_study, write_index
from pipeline.timeline import ChannelGrid, as_table

EVIL = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "made")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', text, re.S)[1])


def run_scripts(text: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", text, re.S)


def test_the_policy_allows_the_pages_own_scripts_and_no_network(result: Path) -> None:
    text = text_of(report_result(result).page)
    allowed = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    scripts = run_scripts(text)
    assert len(scripts) == 2
    for script in scripts:
        assert b64encode(sha256(script.encode()).digest()).decode() in allowed
    assert "script-src 'sha256" in allowed and "unsafe-inline'; img" in allowed and "connect-src 'none'" in allowed
    outside = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", outside)


def test_names_and_labels_are_words_never_markup(result: Path) -> None:
    import pyarrow.parquet as pq

    record = json.loads((result / "result.json").read_text())
    record |= {"purpose": EVIL, "caveats": [EVIL], "problems": [{"severity": "error", "what": EVIL}]}
    record["channels"][0]["quality"] = {EVIL: EVIL}
    (result / "result.json").write_text(json.dumps(record))
    sync = json.loads((result / "sync.json").read_text())
    sync["streams"][0] |= {"why": EVIL, "verdict": "warn"}
    (result / "sync.json").write_text(json.dumps(sync))
    evil = Event(
        "face",
        "micro",
        0,
        10**6,
        0,
        "ada",
        1.0,
        EVIL,
        {"emotion": {"class": EVIL, "probability": {EVIL: 1.0}, "because": {EVIL: 1}}},
    )
    strange = Event(EVIL, EVIL, 0, 10**6, None, None, None, EVIL)
    pq.write_table(as_arrow([*EVENTS, evil, strange]), result / "events.parquet")
    text = text_of(report_result(result).page)
    assert "<img src=x" not in text and "alert(2)</script>" not in text and len(run_scripts(text)) == 2
    labels = [one["label"] for one in data_of(text)["events"]]
    assert EVIL in labels and 'question 1: "who, <me> & you?"' in labels


def test_a_page_to_give_away_shows_no_face_and_no_folder(result: Path, tmp_path: Path) -> None:
    own = data_of(text_of(report_result(result).page))
    assert [one["stream"] for one in own["players"]] == ["face"]
    assert own["players"][0]["sources"][0] == "../sample/face.mp4"
    record = json.loads((result / "result.json").read_text())
    record["problems"] = [{"severity": "warning", "what": f"lost (file {tmp_path}/made/sample/face.mp4)"}]
    (result / "result.json").write_text(json.dumps(record))
    shared = report_result(result, tmp_path / "away" / "page.html")
    text = text_of(shared.page)
    assert shared.faces == "left out" and shared.videos == 0
    assert data_of(text)["players"] == [] and data_of(text)["pictures"] == {}
    assert str(tmp_path) not in text and "face.mp4" in text and "data:image/jpeg" not in text
    assert [path.name for path in shared.page.parent.iterdir()] == ["page.html"]


def test_shared_faces_need_consent_to_share(result: Path, tmp_path: Path) -> None:
    done = report_result(result, tmp_path / "page.html", faces="shown")
    assert done.videos == 1 and (tmp_path / "page_files" / "media" / "face.mp4").is_file()
    blurred = report_result(result, tmp_path / "blurred.html", faces="blurred")
    assert blurred.faces == "blurred" and (tmp_path / "blurred_files" / "media" / "face.mp4").is_file()
    manifest = result.parent / "sample" / "session.toml"
    manifest.write_text(manifest.read_text().replace('"analyse", "share", "train"', '"analyse"'))
    with pytest.raises(ConsentError, match="share"):
        report_result(result, tmp_path / "page2.html", faces="shown")


def test_pseudonyms_replace_names(result: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="-o"):
        report_result(result, deidentify=True)
    text = text_of(report_result(result, tmp_path / "page.html", deidentify=True).page)
    data = data_of(text)
    assert "ada" not in data["people"] and all(one["person"] != "ada" for one in data["events"])
    assert "<h1>sample" not in text and data["grid"]["start_s"] > 500


def test_a_long_session_is_a_folder_whose_scripts_hold_every_value(result: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    n = 5000
    grid = (np.arange(n) * NS_PER_S // 25).astype(np.int64)
    heart = FeatureSpec("heart_rate_bpm", "bpm", "beats per minute")
    values = np.random.default_rng(0).normal(70, 5, (n, 1)).astype(np.float32)
    valid = np.ones((n, 1), bool)
    valid[100:120] = False
    own = ChannelGrid("physiology", (heart,), values, valid, np.where(valid[:, 0], "", "gap").astype(object))
    pq.write_table(as_table([("ada", [own]), ("p-02", [own])], grid, {}), result / "timeline.parquet")
    done = report_result(result, tmp_path / "page")
    assert done.page == tmp_path / "page" / "index.html"
    chunk = text_of(tmp_path / "page" / "data" / "0-heart.js")
    name, columns = re.fullmatch(r"T\.chunk\((.*?), (.*)\);\n", chunk).groups()
    found = np.frombuffer(b64decode(json.loads(columns)["physiology.heart_rate_bpm"]), "<f4")
    assert json.loads(name) == "0-heart"
    np.testing.assert_array_equal(found, np.where(valid[:, 0], values[:, 0], np.nan))
    overview = data_of(text_of(done.page))["tracks"][0]["overview"]["physiology.heart_rate_bpm"]
    at = np.frombuffer(b64decode(overview["at"]), "<u4")
    assert len(at) < n / 2 and int(np.nanargmax(found)) in at and int(np.nanargmin(found)) in at
    assert "url=page/index.html" in text_of(tmp_path / "page.html")
    assert 'src="plotly.min.js"' in text_of(done.page) and (tmp_path / "page" / "plotly.min.js").is_file()


def test_somebody_elses_folder_is_left_alone(result: Path) -> None:
    (result / "report").mkdir()
    (result / "report" / "thesis.md").write_text("mine")
    drop_folder(result / "report")
    assert (result / "report" / "thesis.md").read_text() == "mine"
    manifest = result.parent / "sample" / "session.toml"
    manifest.write_text(manifest.read_text() + '\n[[streams]]\nname = "x"\nkind = "ignore"\nfile = "voice.wav"\n')
    with pytest.raises(InvalidValueError, match="something else"):
        report_result(result, faces="blurred")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4000), st.integers(10, 500), st.integers(0, 2**32 - 1))
def test_thinning_keeps_every_peak_and_every_gap(n: int, most: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=n)
    values[random.random(n) < 0.02] = np.nan
    at = kept_indices(values, most)
    assert (np.diff(at) > 0).all() and len(at) <= max(most, n if n <= most else 1.5 * most + 3)
    if np.isfinite(values).any():
        assert np.nanmax(values[at]) == np.nanmax(values) and np.nanmin(values[at]) == np.nanmin(values)
    assert not np.isnan(values).any() or np.isnan(values[at]).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_the_frame_time_map_is_right_at_every_frame(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    media = np.cumsum(random.uniform(0.01, 0.2, n))
    session = media * (1 + 1e-4) - 3 + np.cumsum((random.random(n) < 0.02) * random.uniform(0, 2, n))
    found = np.array(knots(media, session))
    off = np.abs(np.interp(media, found[:, 0], found[:, 1]) - session)
    assert off.max() <= TOLERANCE_S + 1e-6


def test_a_concealed_information_test_has_a_lane_of_its_own_where_there_was_one() -> None:
    schema = pa.schema([("fused.concealed", pa.float32()), ("fused.cit_response", pa.float32())])
    assert [lane.id for lane in lanes_of(schema, [])] == ["concealed"]
    answer = Event(person="ada", channel="fused", kind="cit_response", onset_ns=0, offset_ns=NS_PER_S, score=0.9)
    assert [lane.id for lane in lanes_of(schema, [answer])] == ["concealed", "cit"]


def test_every_event_has_a_lane_and_z_columns_have_none(result: Path) -> None:
    import pyarrow.parquet as pq

    schema = pq.read_schema(result / "timeline.parquet")
    grid = np.arange(3, dtype=np.int64)
    own = ChannelGrid(
        "tongue", tuple(FeatureSpec(name, "1", name) for name in ("up", "up_z")),
        np.zeros((3, 2), np.float32), np.ones((3, 2), bool), np.array([""] * 3, object),
    )  # fmt: skip
    events = [*EVENTS, Event("tongue", "click", 0, 1), Event("face", "novelty", 0, 1)]
    lanes = [*lanes_of(schema, events), *lanes_of(as_table([("ada", [own])], grid, {}).schema, events)]
    for event in events:
        assert any(lane.channel == event.channel and event.kind in lane.kinds for lane in lanes), event.kind
    assert not any(name.endswith("_z") for lane in lanes for name in lane.features)
    assert any("up" in lane.features for lane in lanes if lane.channel == "tongue")
    assert len({lane.id for lane in lanes_of(schema, events)}) == len(lanes_of(schema, events))


def test_an_incongruence_says_what_was_unlike_the_person() -> None:
    grid = (np.arange(100) * NS_PER_S // 10).astype(np.int64)
    names = ("au04", "au04_z", "au12", "au12_z")
    values = np.zeros((100, 4), np.float32)
    values[40:60, :2] = 0.5, 3.0
    features = tuple(FeatureSpec(name, "1", f"{name} in words") for name in names)
    own = ChannelGrid("face", features, values, np.ones((100, 4), bool), np.array([""] * 100, object))
    items = happenings([Event("fused", "incongruence", 4 * NS_PER_S, 6 * NS_PER_S, None, "p")])
    add_evidence(items, as_table([("p", [own])], grid, {}))
    assert items[0]["evidence"]["unlike"] == [
        {"column": "face.au04", "z": 3.0, "value": 0.5, "unit": "1", "what": "au04 in words"}
    ]


@pytest.mark.parametrize("together", [True, False])
def test_all_values_of_a_long_session_are_there_and_counted_before_they_are_made(result: Path, together: bool) -> None:
    rng, people, n = np.random.default_rng(1), ("ada", "p-02"), 5000
    specs = tuple(FeatureSpec(name, "1", name) for name in ("au04", "au12"))
    values, valid = rng.normal(size=(2, n, 2)).astype(np.float32), rng.random((2, n, 2)) > 0.2
    why = np.array([""] * n, object)
    own = [ChannelGrid("face", specs, values[k], valid[k], why) for k in range(2)]
    table = as_table([(person, [one]) for person, one in zip(people, own, strict=True)], np.arange(n) * NS_PER_S, {})
    rows = np.arange(2 * n) if together else np.arange(2 * n).reshape(2, n).T.ravel()  # by time, then person
    record = ResultRecord.model_validate_json((result / "result.json").read_text())
    material = Material.of(record.model_copy(update={"people": list(people)}), table.take(rows), [])
    chunks = dict(material.chunks())
    assert material.bytes == sum(len(text) for columns in chunks.values() for text in columns.values()) > 0
    for number in range(2):
        theirs = [columns for name, columns in chunks.items() if name.startswith(f"{number}-")]
        shown = {name: np.frombuffer(b64decode(text), "<f4") for columns in theirs for name, text in columns.items()}
        for at, name in enumerate(("face.au04", "face.au12")):
            wanted = np.where(valid[number, :, at], values[number, :, at], np.nan)
            np.testing.assert_array_equal(shown[name], wanted)


def test_the_index_of_a_study_lists_and_links_its_sessions(tmp_path: Path) -> None:
    study = tmp_path / "study"
    for name in ("p01", "p02", "p03"):
        write_sample(tmp_path / name)
        study.mkdir(exist_ok=True)
        (tmp_path / name / "result").rename(study / name)
    report_result(study / "p01")
    (study / "p03" / "result.json").write_text("{}")
    record = json.loads((study / "p02" / "result.json").read_text())
    record |= {"exit_status": 1, "problems": [{"severity": "error", "what": EVIL}]}
    record["channels"][0]["events"] = {"micro": 7}
    (study / "p02" / "result.json").write_text(json.dumps(record))
    assert is_study(study) and not is_study(study / "p01")
    index = write_index(study)
    text = text_of(index.page)
    assert index.page == study / "report.html" and index.sessions == 3 and "p03" in index.notes[0]
    assert '<a href="p01/report.html">p01</a>' in text and 'href="p02' not in text
    assert "<img src=x" not in text and re.search(r'<td class="number" data-value="7">7</td>', text)
    assert "in part" in text and "unreadable" in text
    with pytest.raises(UnreadableFileError, match="no complete result"):
        is_study(tmp_path / "p01")


def test_the_command_says_where_the_page_is(result: Path, telltale: Callable[..., Any]) -> None:
    done = telltale("report", result, "--no-faces", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {"page": str(result / "report.html"), "faces": "left out", "videos": 0, "notes": []}
    (result.parent / "study").mkdir()
    result.rename(result.parent / "study" / "p01")
    done = telltale("report", result.parent / "study", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["sessions"] == 1
    done = telltale("report", result.parent / "nowhere")
    assert done.returncode == 2 and "no such folder" in done.stderr
    done = telltale("report", result.parent / "study" / "p01", "--faces", "--blur")
    assert done.returncode == 2 and "exclude each other" in done.stderr


def test_a_run_saves_its_page_with_the_videos_and_without_them_where_asked(result: Path, tmp_path: Path) -> None:
    from pipeline import steps
    from pipeline.export.content import read_content
    from pipeline.journal import Journal
    from pipeline.manifest import load_manifest
    from pipeline.outcome import Result

    content = read_content(result)
    manifest = load_manifest(content.session)
    session = steps.synchronize(steps.read(manifest, content.session))
    journal = Journal(lambda *said: None)
    run = Result(content.record, content.timeline, content.events, session.sync, session, journal)
    saved = run.save(tmp_path / "saved")
    data = data_of(text_of(saved / "report.html"))
    assert [one["stream"] for one in data["players"]] == ["face"]
    assert data["players"][0]["sources"][0] == "../made/sample/face.mp4"
    assert data["players"][0]["map"][0] == [0.0, pytest.approx(-1.5, abs=1e-6)]
    (saved / "report").mkdir()
    (saved / "report" / ".telltale-report").touch()
    (saved / "report" / "face.jpg").touch()
    replace(run, faces=False).save(saved)
    assert data_of(text_of(saved / "report.html"))["players"] == [] and not (saved / "report").exists()
