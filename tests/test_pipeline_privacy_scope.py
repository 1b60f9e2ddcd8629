"""What a withdrawal touches: the study that is named and nothing else, however studies and results are nested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_schemas.errors import MissingFileError
from pipeline.batch.layout import Layout, State, write_json
from pipeline.manifest import load_manifest
from pipeline.privacy import consent, keys, records
from pipeline.privacy.forget import forget
from pipeline.report.page import ASSETS, MARK

TEXT = """\
name = "{name}"
[consent]
scope = ["analyse"]
[[people]]
id = "p01"
[clocks.lab]
reference = true
[[streams]]
name = "ecg"
kind = "ecg"
file = "a.csv"
clock = "lab"
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))


def session(place: Path) -> Path:
    """A session of somebody called p01: a folder, or a manifest of that name."""
    path = place if place.suffix == ".toml" else place / "session.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT.format(name=place.stem), encoding="utf-8")
    return place


def analysed(place: Path, out: Path) -> Path:
    """A result of it, noted as `analyze` does."""
    out.mkdir(parents=True)
    folder = place.parent if place.suffix == ".toml" else place
    write_json(out / "result.json", {"session": place.stem, "people": ["p01"], "recordings": str(folder)})
    records.begin("analyze", keys.study_root(place), {place.stem: ["p01"]}, out, lambda text: None)
    return out


def refused(place: Path) -> bool:
    path = place if place.suffix == ".toml" else place / "session.toml"
    try:
        consent.require_nobody_withdrawn(load_manifest(place), path)
    except consent.WithdrawnError:
        return True
    return False


def removed(person: str, study: Path, *results: Path) -> set[str]:
    planned = forget(person, study, results, dry_run=True)
    done = forget(person, study, results)
    assert done.lines == planned.lines, "a dry run lists what the real one does"
    return {Path(line.where).name for line in done.lines if line.what == "result"}


def test_a_table_alone_registers_no_study(tmp_path: Path) -> None:
    (tmp_path / "cues.csv").write_text("subject,label\nv1,lie\n", encoding="utf-8")
    said: list[str] = []
    for _ in range(2):
        records.begin_with_results("study", tmp_path / "cues.csv", said.append)
    assert len(said) == 1, "the intended use is said once"
    assert keys.studies_around(tmp_path / "study" / "s") == []
    assert keys.study_root(tmp_path / "study" / "s") == tmp_path / "study"


def test_studies_in_one_folder_are_not_mixed_even_where_that_folder_is_known_as_one(tmp_path: Path) -> None:
    a, b = session(tmp_path / "a" / "s1"), session(tmp_path / "b" / "s1")
    keys.pseudonym(tmp_path, "p01")  # as an older version noted the folder of a table
    for place in (a, b):
        keys.note_place(tmp_path, "results", tmp_path / "results" / place.parent.name)
        analysed(place, tmp_path / "results" / place.parent.name)
    assert removed("p01", tmp_path / "a") == {"a"}
    assert not (tmp_path / "results" / "a").exists() and (tmp_path / "results" / "b" / "result.json").is_file()
    assert refused(a) and not refused(b)
    assert removed("p01", tmp_path / "b") == {"b"} and refused(b)


def test_studies_named_by_themselves_have_keys_of_their_own(tmp_path: Path) -> None:
    names = {keys.pseudonym(root, "p01") for root in (tmp_path, tmp_path / "a", tmp_path / "a" / "deeper")}
    assert len(names) == 3
    keys.withdraw(tmp_path / "a", "p01")
    assert keys.is_withdrawn(tmp_path / "a", "p01") and keys.is_withdrawn(tmp_path / "a" / "deeper" / "s", "p01")
    assert not keys.is_withdrawn(tmp_path, "p01") and not keys.is_withdrawn(tmp_path / "ab", "p01")


def test_one_session_alone(tmp_path: Path) -> None:
    one, other = session(tmp_path / "sessions" / "one"), session(tmp_path / "sessions" / "other")
    for place in (one, other):
        analysed(place, tmp_path / "results" / place.name)
    name = keys.known_pseudonym(tmp_path / "sessions", "p01")
    assert removed("p01", one) == {"one"}
    assert refused(one) and not refused(other)
    assert keys.known_pseudonym(tmp_path / "sessions", "p01") == name, "it stands for the other session too"
    assert removed("p01", other) == {"other"}
    assert keys.known_pseudonym(tmp_path / "sessions", "p01") is None and name in keys.revoked()


def test_a_study_takes_with_it_what_was_noted_of_its_sessions_elsewhere(tmp_path: Path) -> None:
    place = session(tmp_path / "study" / "sub-01" / "ses-a")
    analysed(place, tmp_path / "out")
    assert keys.study_root(place) == tmp_path / "study" / "sub-01"
    assert removed("p01", tmp_path / "study") == {"out"} and refused(place)
    assert keys.known_pseudonym(tmp_path / "study" / "sub-01", "p01") is None


def test_a_manifest_among_others_in_one_folder(tmp_path: Path) -> None:
    one, other = session(tmp_path / "study" / "one.toml"), session(tmp_path / "study" / "other.toml")
    for place in (one, other):
        analysed(place, tmp_path / "results" / place.stem)
    assert records.sessions_of(tmp_path / "results") == {tmp_path / "study": {"one": ["p01"], "other": ["p01"]}}
    assert removed("p01", one) == {"one"}
    assert refused(one) and not refused(other)
    assert removed("p01", tmp_path / "study") == {"other"} and refused(other)


def test_a_table_of_sessions_withdraws_from_those_alone(tmp_path: Path) -> None:
    listed, not_listed = session(tmp_path / "data" / "one"), session(tmp_path / "data" / "other")
    for place in (listed, not_listed):
        analysed(place, tmp_path / "results" / place.name)
    (tmp_path / "list.csv").write_text("folder\ndata/one\n", encoding="utf-8")
    assert removed("p01", tmp_path / "list.csv") == {"one"}
    assert refused(listed) and not refused(not_listed)


def test_a_single_result_names_its_own_session(tmp_path: Path) -> None:
    one, other = session(tmp_path / "sessions" / "one"), session(tmp_path / "sessions" / "other")
    outs = [analysed(place, tmp_path / "results" / place.name) for place in (one, other)]
    (outs[0] / ASSETS / "videos").mkdir(parents=True)
    (outs[0] / ASSETS / MARK).write_text("")
    (outs[0] / ASSETS / "videos" / "face.mp4").write_bytes(b"a copy of a video")
    assert removed("p01", outs[0]) == {"one"} and not outs[0].exists()
    assert refused(one) and not refused(other) and outs[1].is_dir()


def test_further_results_of_another_study_are_left_alone_and_those_of_moved_recordings_are_not(tmp_path: Path) -> None:
    a, b = session(tmp_path / "a" / "s1"), session(tmp_path / "b" / "s2")
    for place in (a, b):
        analysed(place, tmp_path / "results" / place.name)
    (tmp_path / "a").rename(tmp_path / "moved")
    with pytest.raises(MissingFileError, match="no such folder of results"):
        forget("p01", tmp_path / "moved", [tmp_path / "nowhere"])
    assert removed("p01", tmp_path / "moved", tmp_path / "results") == {"s1"}
    assert (tmp_path / "results" / "s2").is_dir() and not refused(b)


def test_of_a_batch_over_several_studies_only_the_named_one_loses_sessions(tmp_path: Path) -> None:
    for name in ("a", "b"):
        session(tmp_path / "all" / name / "s1")
    layout = Layout(tmp_path / "out")
    layout.make(tmp_path / "all")
    layout.note_study(tmp_path / "all")
    for name in ("a", "b"):
        source = tmp_path / "all" / name / "session.toml"
        layout.note(State(f"{name}_s1", "failed", "cut off", people=("p01",), source=str(source)))
        layout.cache_of(f"{name}_s1").mkdir()
    keys.note_place(tmp_path / "all", "results", layout.root)
    lines = forget("p01", tmp_path / "all" / "a").lines
    assert {Path(line.where).name for line in lines if line.action == "removed"} == {"a_s1", "a_s1.json"}
    assert list(layout.states()) == ["b_s1"] and layout.cache_of("b_s1").is_dir()


def test_a_model_of_a_name_that_others_have_too_is_pointed_at_and_not_refused(tmp_path: Path) -> None:
    one, other = session(tmp_path / "sessions" / "one"), session(tmp_path / "sessions" / "other")
    for place in (one, other):
        analysed(place, tmp_path / "results" / place.name)
    card = tmp_path / "models" / "lab.json"
    card.parent.mkdir()
    card.write_text(json.dumps({"trained_on": consent.trained_on(tmp_path / "sessions", ["p01"])}))
    keys.note_place(tmp_path / "sessions", "models", card)
    assert [line.action for line in forget("p01", one).lines if line.what == "model"] == ["look at it"]
    consent.require_usable(card.with_suffix(".safetensors"))
    assert [line.action for line in forget("p01", other).lines if line.what == "model"] == ["retrain"]
