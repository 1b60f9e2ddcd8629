"""Withdrawing a person: nothing derived from them stays, nothing of others goes, nothing recorded is touched."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_schemas.errors import MissingFileError
from pipeline.batch.run import run_batch
from pipeline.catalogue.query import query
from pipeline.cli.batch_display import Lines
from pipeline.config import Config
from pipeline.privacy import audit, consent, keys, records
from pipeline.privacy.forget import forget
from pipeline.privacy.traces import traces
from pipeline.simulate.session import simulate_session

Telltale = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def within(jobs: int) -> Iterator:
    """A cluster within this process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def batch(study: Path, out: Path) -> dict[str, str]:
    def note(entries) -> None:
        records.begin("batch", study, {one.place.name: one.state.people for one in entries}, out, lambda text: None)

    outcome = run_batch(study, out, Config(), within, Lines(), ours=False, begun=note)
    return {state.session: state.status for state in outcome.states}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A study of p01 alone, p02 alone, and both together, analysed; its results; the home of keys."""
    root = tmp_path_factory.mktemp("forget")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLTALE_HOME", str(root / "home"))
        for number, name in enumerate(["sub-p01", "sub-p02", "pair"]):
            place = root / "study" / name
            simulate_session(place, seconds=10, seed=number, fidelity="signal", name=f"s{number}")
            manifest = place / "session.toml"
            text = manifest.read_text()
            if name == "sub-p02":
                text = text.replace('"p01"', '"p02"')
            if name == "pair":
                text = text.replace("[[streams]]", '[[people]]\nid = "p02"\n\n[[streams]]', 1)
                before, eda = text.split('name = "eda"')
                text = before + 'name = "eda"' + eda.replace('"p01"', '"p02"', 1)
                text += '\n[labels]\nsaid = "p01 was told to lie"\ncondition = "truth"\n'
            manifest.write_text(text)
        assert set(batch(root / "study", root / "out").values()) == {"done"}
    return root / "study", root / "out", root / "home"


@pytest.fixture
def copy(made: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A copy of all of it that a test may forget people in."""
    study, out, home = (Path(shutil.copytree(one, tmp_path / one.name)) for one in made)
    monkeypatch.setenv("TELLTALE_HOME", str(home))
    for file in (home / keys.NAME, out / ".telltale" / "study.json", *(out / ".telltale" / "state").iterdir()):
        file.write_text(file.read_text().replace(str(made[0].parent.resolve()), str(tmp_path.resolve())))
    return study, out


def content(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_before_the_person_is_everywhere(copy: tuple[Path, Path]) -> None:
    found = {one.file.name for one in traces(copy[1], "p01")}
    assert {"timeline.parquet", "events.csv", "study.parquet", "study.duckdb", "result.json", "sub-p01"} <= found


def test_nothing_derived_stays_and_nothing_recorded_goes(copy: tuple[Path, Path]) -> None:
    study, out = copy
    before = content(study)
    others = (out / "sub-p02" / "timeline.parquet").read_bytes()
    pair = pq.read_table(out / "pair" / "timeline.parquet").to_pandas()
    report = forget("p01", study)
    assert report.remaining == 0 and traces(out, "p01") == []
    actions = {(line.what, Path(line.where).name): line.action for line in report.lines}
    assert actions[("result", "sub-p01")] == "removed" and actions[("result", "pair")] == "rewritten"
    assert actions[("search", "out")] == "nothing found" and actions[("key", "key store")] == "deleted"
    assert ("recording", "voice.wav") in actions and ("result", "sub-p02") not in actions
    assert content(study) == before, "recordings and manifests are left as they are"
    assert (out / "sub-p02" / "timeline.parquet").read_bytes() == others
    left = pq.read_table(out / "pair" / "timeline.parquet").to_pandas()
    wanted = pair[pair["person"] == "p02"].reset_index(drop=True)
    assert left.astype({"person": str}).equals(wanted.astype({"person": str}))
    record = json.loads((out / "pair" / "result.json").read_text())
    assert record["people"] == ["p02"] and record["channels"]
    assert (out / "pair" / "report.html").stat().st_size > 1000
    assert query(out, "SELECT DISTINCT person FROM timeline") == [{"person": "p02"}]
    assert query(out, "SELECT session FROM sessions ORDER BY 1") == [{"session": "pair"}, {"session": "sub-p02"}]


def test_who_withdrew_is_not_analysed_again_and_leaves_no_new_trace(copy: tuple[Path, Path]) -> None:
    study, out = copy
    forget("p01", study)
    assert batch(study, out) == {"sub-p01": "skipped", "sub-p02": "done", "pair": "done"}
    assert traces(out, "p01") == []
    assert not (out / "sub-p01").exists()


def test_the_log_stays_whole_and_says_nothing_of_them_any_more(copy: tuple[Path, Path]) -> None:
    study, _ = copy
    name = keys.known_pseudonym(study, "p01")
    log = keys.home() / audit.NAME
    assert name and name in log.read_text()
    forget("p01", study)
    assert audit.verify().broken == () and keys.known_pseudonym(study, "p01") is None
    assert name not in keys.pseudonyms(study, ["p01", "p02"]).values()
    assert '"forget"' in log.read_text().splitlines()[-1] and "p01" not in log.read_text()


def test_models_trained_with_them_are_listed_and_marked(copy: tuple[Path, Path], tmp_path: Path) -> None:
    study, _ = copy
    card = tmp_path / "models" / "lab.json"
    card.parent.mkdir()
    card.write_text(json.dumps({"name": "lab", "training": {"trained_on": consent.trained_on(study, ["p01"])}}))
    keys.note_place(study, "models", card)
    report = forget("p01", study)
    assert [line.where for line in report.lines if line.action == "retrain"] == [str(card)]
    assert json.loads(card.read_text())["withdrawn"]["people"] == 1


def test_a_dry_run_changes_nothing(copy: tuple[Path, Path]) -> None:
    before = content(copy[0].parent)
    report = forget("p01", copy[0], dry_run=True)
    kinds = {line.what for line in report.lines}
    assert kinds == {"result", "cache", "catalogue", "manifest", "recording", "state", "key", "search"}
    after = content(copy[0].parent)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} <= {
        str(copy[1] / ".telltale" / "lock")
    }
    assert forget("p01", copy[0]).lines == report.lines, "the real run lists the same"


def test_a_session_by_itself_leaves_the_rest_of_its_study_alone(copy: tuple[Path, Path]) -> None:
    study, out = copy
    pair = content(out / "pair")
    planned = forget("p01", study / "sub-p01", dry_run=True)
    report = forget("p01", study / "sub-p01")
    assert report.lines == planned.lines and report.remaining == 0
    assert not (out / "sub-p01").exists() and content(out / "pair") == pair
    assert {row["person"] for row in query(out, "SELECT DISTINCT person FROM timeline")} == {"p01", "p02"}
    assert batch(study, out) == {"sub-p01": "skipped", "sub-p02": "done", "pair": "done"}


def test_a_folder_of_results_will_do_and_strangers_are_refused(copy: tuple[Path, Path], tmp_path: Path) -> None:
    study, out = copy
    with pytest.raises(MissingFileError, match="nothing of 'p99'"):
        forget("p99", study)
    with pytest.raises(MissingFileError, match="no such study"):
        forget("p01", tmp_path / "nowhere")
    shutil.rmtree(study)
    report = forget("p01", out)
    assert traces(out, "p01") == [] and report.remaining == 0
    assert not (out / "pair").exists(), "without the manifest nobody can tell whose streams are whose"


def test_what_a_coder_wrote_about_them_goes_too(copy: tuple[Path, Path]) -> None:
    study, out = copy
    (out / "pair" / "coder.csv").write_text("person,kind\np01,micro\np02,micro\n")
    (out / "pair" / "other.csv").write_text("person,kind\np02,micro\n")
    (out / "notes.txt").write_text("p01 was late\n")
    report = forget("p01", study)
    assert not (out / "pair" / "coder.csv").exists() and (out / "pair" / "other.csv").exists()
    assert [Path(line.where).name for line in report.lines if line.what == "trace"] == ["notes.txt"]
    assert report.remaining == 1, "files that are not ours are pointed at, not deleted"


def test_the_command_tells_and_proves(telltale: Telltale, copy: tuple[Path, Path]) -> None:
    run = telltale("forget", "p01", copy[0], "--json")
    assert run.returncode == 0, run.stderr
    lines = json.loads(run.stdout)["rows"]
    assert {"what", "where", "action", "note"} == set(lines[0])
    assert "nothing names the person any more" in run.stderr
    assert telltale("forget", "nobody", copy[0]).returncode == 2


def test_every_command_on_results_is_noted_and_exports_are_pointed_at(copy: tuple[Path, Path], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from pipeline.cli.app import app

    study, out = copy
    rows = "".join(f"pair,p0{1 + at % 2},{at / 5},{at / 5 + 1},{'lie' if at % 3 else 'truth'}\n" for at in range(40))
    (tmp_path / "labels.csv").write_text(f"session,person,onset_s,offset_s,label\n{rows}")
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    calls: dict[str, list[object]] = {
        "export": [out / "pair", "--to", "csv", "-o", tmp_path / "given" / "pair.csv"],
        "query": [out, "SELECT count(*) FROM events"],
        "import": [out / "pair", out / "pair" / "events.csv", "--coder", "anna"],
        "report": [out / "pair", "--no-faces"],
        "view": [out / "pair", "--no-open", "--port", taken.getsockname()[1]],
        "agreement": [out / "pair"],
        "study": [out, "--label", "condition", "-o", tmp_path / "study-report"],
        "train": [out, "--sessions", study, "--labels", tmp_path / "labels.csv", "-o", tmp_path / "model"],
    }
    names = {name: keys.pseudonym(study, name) for name in ("p01", "p02")}
    for command, words in calls.items():
        before = len((keys.home() / audit.NAME).read_text().splitlines())
        done = CliRunner().invoke(app, [command, *map(str, words)])
        lines = [json.loads(text) for text in (keys.home() / audit.NAME).read_text().splitlines()[before:]]
        mine = [line for line in lines if line["what"] == command]
        assert len(mine) == 1, (command, lines, done.output, done.exception)
        assert mine[0]["study"] == str(study), command
        people = {one for entry in mine[0]["data"] for one in entry["people"]}
        assert people == set(names.values()), command
        assert not any(name in json.dumps(mine[0]["data"]) for name in ("p01", "p02", "pair"))
    taken.close()
    assert audit.verify().broken == ()
    assert stat.S_IMODE((tmp_path / "given").stat().st_mode) == 0o700, "made private to the user"
    made = tmp_path / "study-report"  # two people are too few for the command: what it notes and writes of sessions
    made.mkdir()
    told = records.note_report(out, [], made)
    assert told["people"] == sorted(str(one) for one in names.values())
    (made / "study.json").write_text(json.dumps({"made_of": told}))
    report = forget("p01", study)
    lines = [one for one in report.lines if one.what == "export"]
    written = {str(path) for path in (tmp_path / "given").iterdir()}
    assert len(written) > 1 and {line.where for line in lines} == written, "a format may write several files"
    assert {line.action for line in lines} == {"look at it"} and all(Path(line.where).exists() for line in lines)
    assert [(one.where, one.action) for one in report.lines if one.what == "report"] == [(str(made), "removed")]
    assert not made.exists()
    assert "names the person" in {line.where: line.note for line in lines}[str(tmp_path / "given" / "pair.csv")]


def test_a_long_report_in_a_folder_of_its_own_is_made_anew_without_the_person(copy: tuple[Path, Path]) -> None:
    from pipeline.export.content import read_content
    from pipeline.report.page import ASSETS, MARK, write_report

    study, out = copy
    place = out / "pair"
    content = read_content(place)
    write_report(content.record, content.timeline, content.events, content.sync, place / "report.html", long=True)
    videos = place / ASSETS / "videos"
    videos.mkdir()
    (videos / "face.mp4").write_bytes(b"a copy of a video of p01")
    assert (place / ASSETS / MARK).is_file() and '"p01"' in (place / ASSETS / "index.html").read_text()
    assert len(list((place / ASSETS).iterdir())) > 3
    report = forget("p01", study)
    assert [line.action for line in report.lines if line.what == "result" and Path(line.where).name == "pair"] == [
        "rewritten"
    ]
    assert not (videos / "face.mp4").exists(), "copies of videos may show the person"
    texts = [path.read_text(errors="replace") for path in place.rglob("*") if path.suffix in (".html", ".js", ".json")]
    assert texts and not any('"p01"' in text for text in texts) and '"p02"' in "".join(texts)
    assert report.remaining == 0 and traces(out, "p01") == []
