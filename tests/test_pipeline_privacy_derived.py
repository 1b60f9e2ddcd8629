"""Reports of studies and clocks, and unfinished trainings: noted, taken away with the person, kept without."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

from pipeline.privacy import audit, keys, records
from pipeline.privacy.derived import MADE_OF, REPORT
from pipeline.privacy.forget import Report, forget
from pipeline.privacy.traces import traces
from pipeline.simulate.session import simulate_session


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))


def actions(report: Report, what: str) -> dict[str, str]:
    return {line.where: line.action for line in report.lines if line.what == what}


def cues(path: Path, people: int = 8) -> Path:
    """A table of cues of p01, p02 and so on."""
    rng = np.random.default_rng(0)
    rows = [f"p{at // 6 + 1:02},{'lie' if at % 2 else 'truth'},{rng.normal() + at % 2:.3f}" for at in range(6 * people)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["who,said,cue", *rows]) + "\n", encoding="utf-8")
    return path


def study(here, table: Path, out: Path) -> Path:
    words = ("--label", "said", "--subject", "who", "--permutations", 99, "-o", out)
    done = here("study", table, *words)
    assert done.returncode in (0, 1) and (out / "study.json").is_file(), done.stderr
    return out


def test_a_study_report_goes_with_anybody_in_it_and_stays_without(here, tmp_path: Path) -> None:
    table = cues(tmp_path / "tables" / "cues.csv")
    mine, own_notes = study(here, table, tmp_path / "with"), tmp_path / "with" / "notes.txt"
    other = shutil.copytree(mine, tmp_path / "without")
    own_notes.write_text("p01 was late")
    records.note_report(cues(tmp_path / "others" / "cues.csv"), ["p01"], other)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700, "private to the user"
    told = json.loads((mine / "study.json").read_text())[MADE_OF]
    assert len(told["people"]) == 8 and keys.known_pseudonym(table, "p01") in told["people"]
    planned = forget("p01", table.parent, dry_run=True)
    assert (mine / "predictions.csv").is_file()
    report = forget("p01", table.parent)
    assert report.lines == planned.lines
    assert actions(report, "report") == {str(mine): "removed"}
    assert actions(report, "search")[str(mine)] == "look at it"
    assert list(mine.iterdir()) == [own_notes] and report.remaining == 1, "a file of the user's own is pointed at"
    assert (other / "predictions.csv").is_file(), "another study's people of that name stay"
    assert keys.places(table, REPORT) == [] and table.is_file()
    assert keys.known_pseudonym(table, "p01") is None


def test_a_report_without_them_stays_and_one_that_was_interrupted_goes(here, tmp_path: Path) -> None:
    table = cues(tmp_path / "tables" / "cues.csv")
    out = study(here, table, tmp_path / "report")
    half = shutil.copytree(out, tmp_path / "half")
    keys.note_place(table, REPORT, half)
    (half / "study.json").unlink()
    keys.pseudonym(table, "p99")
    report = forget("p99", table)
    assert actions(report, "report") == {str(half): "removed"} and not half.exists()
    assert (out / "study.json").is_file() and actions(report, "search")[str(out)] == "nothing found"


def test_a_report_of_an_export_goes_with_the_study(here, tmp_path: Path) -> None:
    simulate_session(tmp_path / "sessions" / "s1", seconds=10, seed=1, fidelity="signal")
    keys.pseudonym(tmp_path / "sessions", "p01")
    table = cues(tmp_path / "given" / "cues.csv")
    keys.note_place(tmp_path / "sessions", "exports", table)
    out = study(here, table, tmp_path / "report")
    report = forget("p01", tmp_path / "sessions")
    assert actions(report, "report") == {str(out): "removed"} and not out.exists()
    assert actions(report, "export") == {str(table): "look at it"}


def test_clock_reports_are_logged_and_go(here, tmp_path: Path) -> None:
    places = {}
    for name in ("a", "b"):
        places[name] = tmp_path / "sessions" / name
        simulate_session(places[name], seconds=10, seed=1, fidelity="signal")
    manifest = places["b"] / "session.toml"
    manifest.write_text(manifest.read_text().replace('"p01"', '"p02"'))
    elsewhere = tmp_path / "clocks.json"
    for words in ((places["a"],), (places["b"],), (places["a"], "-o", elsewhere)):
        assert here("sync", *words).returncode in (0, 1)
    assert here("sync", "apply", places["a"]).returncode in (0, 1)
    lines = [json.loads(text) for text in (keys.home() / audit.NAME).read_text().splitlines()]
    lines = [line for line in lines if line["what"] == "sync"]
    assert len(lines) == 4 and all(len(line["data"][0]["people"]) == 1 for line in lines)
    planned = forget("p01", tmp_path / "sessions", dry_run=True)
    assert elsewhere.is_file() and elsewhere.with_suffix(".html").is_file()
    report = forget("p01", tmp_path / "sessions")
    assert report.lines == planned.lines and report.remaining == 0
    assert set(actions(report, "clocks")) == {str(elsewhere), str(places["a"] / "sync.json")}
    assert not list(tmp_path.glob("clocks.*")) and not list(places["a"].glob("sync.*"))
    assert {path.name for path in places["b"].glob("sync.*")} == {"sync.json", "sync.html"}
    assert (places["a"] / "session.toml").is_file() and len(list(places["a"].iterdir())) > 3


def test_what_an_interrupted_training_left_goes(tmp_path: Path) -> None:
    from data_schemas.errors import TelltaleError
    from pipeline.lab.labels import read_labels
    from pipeline.lab.sessions import find_sources
    from pipeline.lab.train import train, work_of

    simulate_session(tmp_path / "sessions" / "s1", seconds=10, seed=1, fidelity="signal")
    rows = [f"s1,p01,{at / 2},{at / 2 + 0.5},{'ab'[at % 2]}" for at in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["session,person,onset_s,offset_s,label", *rows]) + "\n")
    weights = tmp_path / "models" / "own.safetensors"
    with pytest.raises(TelltaleError):  # one person is too few, which is found after the session was analysed
        train(find_sources(tmp_path / "sessions").usable, read_labels(tmp_path / "labels.csv"), weights)
    work = work_of(weights)
    assert traces(work, "p01"), "it holds personal data"
    for folder in (work, weights.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert actions(forget("p01", tmp_path / "sessions", dry_run=True), "work") == {str(work): "removed"}
    assert work.is_dir()
    report = forget("p01", tmp_path / "sessions")
    assert actions(report, "work") == {str(work): "removed"} and not work.exists() and report.remaining == 0
    assert actions(report, "search")[str(work)] == "nothing found"


def test_a_home_that_fails_stops_no_report(here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "file" / "home"))
    out = study(here, cues(tmp_path / "cues.csv"), tmp_path / "report")
    assert json.loads((out / "study.json").read_text())[MADE_OF] == {}
    assert records.note_report(tmp_path / "cues.csv", ["p01"], out) == {}
