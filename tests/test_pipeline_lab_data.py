"""Reading a lab's results, consent and table of labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_schemas.emotion import CHANNELS
from data_schemas.errors import (
    InvalidValueError,
    MissingFileError,
    MissingTrackError,
    NothingUsableError,
    UnreadableFileError,
)
from data_schemas.event import Event
from data_schemas.time import to_ns
from fusion.checkpoint import load_checkpoint
from fusion.tokens import tokens_of
from pipeline.lab.dataset import PersonSession, build_study, stretches_of
from pipeline.lab.labels import LabelRow, read_labels
from pipeline.lab.results import is_result, people_in, write_result
from pipeline.lab.sessions import find_sources
from pipeline.lab.simulated import HIDDEN, OPEN, lab_sessions, write_lab
from pipeline.simulate.tokens import simulate_tokens


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    write_lab(folder, lab_sessions(2, seed=3, seconds=40))
    return folder


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


LINES = "".join(f"s1,p1,{at},{at + 1},{'yes' if at % 2 else 'no'}\n" for at in range(12))


def test_tokens_from_a_result_are_those_from_the_encoders(tmp_path: Path) -> None:
    session = simulate_tokens(4, seconds=30, channels=CHANNELS)
    own = [replace(one, person="p7") for one in session.encodings]
    write_result(tmp_path / "r", "r", {"p7": own}, session.extent)
    ((person, encodings, extent),) = list(people_in(tmp_path / "r"))
    assert person == "p7" and extent == session.extent
    direct, read = tokens_of(session.encodings, session.extent), tokens_of(encodings, extent)
    assert read.channels == direct.channels
    for channel in CHANNELS:
        both = (direct.shares[channel] > 0.5) & (read.shares[channel] > 0.5)
        assert both.sum() > 0.8 * (direct.shares[channel] > 0.5).sum(), channel
        off = np.abs(direct.values[channel] - read.values[channel])[both]
        assert np.median(off) < 0.05 and np.mean(off < 0.5) > 0.9, channel


def test_a_damaged_result_is_named(tmp_path: Path, lab: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(next((lab / "results").iterdir()), broken)
    (broken / "timeline.parquet").write_bytes(b"no table")
    assert is_result(broken)
    with pytest.raises(UnreadableFileError, match="broken"):
        list(people_in(broken))


def test_labels_are_read_with_their_classes(tmp_path: Path) -> None:
    path = table(tmp_path, "session,person,onset_s,offset_s,label\n" + LINES + "s1,p1,20,21,\n")
    read = read_labels(path)
    assert read.classes == ("no", "yes") and read.positive == 1 and len(read.rows) == 12 and read.unlabelled == 1
    assert read_labels(path, positive="no").positive == 0
    tsv = "subject\tquestion\tstate\n" + "".join(f"p{at}\tq{at}\t{at % 3}\n" for at in range(12))
    several = read_labels(table(tmp_path, tsv, "labels.tsv"), "state")
    assert several.classes == ("0", "1", "2") and several.positive is None
    assert several.rows[3].item == "q3" and several.rows[3].session == "" and several.rows[3].onset_s is None


def test_the_concealed_class_is_the_positive_one_whatever_the_alphabet_says(tmp_path: Path) -> None:
    text = "person,onset,offset,label\n" + "".join(
        f"p1,{at},{at + 1},{'truth' if at % 2 else 'lie'}\n" for at in range(12)
    )
    read = read_labels(table(tmp_path, text))
    assert read.classes[read.positive or 0] == "lie"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("session,onset_s,offset_s,word\ns,1,2,a\n", MissingTrackError, "label"),
        ("onset_s,offset_s,label\n1,2,a\n", MissingTrackError, "whose"),
        ("session,label\ns,a\n", MissingTrackError, "when"),
        ("session,onset_s,offset_s,label\ns,3,2,a\n", InvalidValueError, "line 2 ends before"),
        ("session,onset_s,offset_s,label\ns,x,2,a\n", InvalidValueError, "line 2"),
        ("session,onset_s,offset_s,label\ns,,2,a\n", InvalidValueError, "neither"),
        ("session,onset_s,offset_s,label\n" + "s,1,2,a\n" * 12, InvalidValueError, "1 different"),
        (
            "session,onset_s,offset_s,label\n" + "".join(f"s,1,2,{k}\n" for k in range(12)),
            InvalidValueError,
            "12 different",
        ),
        ("session,onset_s,offset_s,label\ns,1,2,a\ns,1,2,b\n", NothingUsableError, "only 2"),
    ],
)
def test_a_wrong_table_gets_the_right_message(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_labels(table(tmp_path, text))


def test_no_table_and_a_wrong_positive_class(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="--labels"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(InvalidValueError, match="maybe"):
        read_labels(table(tmp_path, "session,person,onset_s,offset_s,label\n" + LINES), positive="maybe")


def test_sessions_without_consent_to_train_are_refused_by_name(tmp_path: Path) -> None:
    write_lab(tmp_path, lab_sessions(1, seed=4, seconds=40), consent=("analyse",))
    with pytest.raises(NothingUsableError, match=r"consent to train.*scope"):
        find_sources(tmp_path / "results", tmp_path / "sessions")
    manifest = tmp_path / "sessions" / "s_p000" / "session.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"analyse"]', '"analyse", "train"]\nexpires = 2020-01-01'), encoding="utf-8")
    with pytest.raises(NothingUsableError, match="expired"):
        find_sources(tmp_path / "results", tmp_path / "sessions")


def test_a_result_whose_consent_is_unknown_is_not_used(lab: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(lab / "results", tmp_path / "elsewhere" / "deep" / "results")
    with pytest.raises(NothingUsableError, match="--sessions"):
        find_sources(tmp_path / "elsewhere" / "deep" / "results")
    found = find_sources(tmp_path / "elsewhere" / "deep" / "results", lab / "sessions")
    assert [one.name for one in found.usable] == ["s_p000", "s_p001"] and not found.refused
    assert all(one.result is not None for one in find_sources(lab / "results").usable), "found beside the results"


def test_who_has_withdrawn_is_not_trained_on(lab: Path) -> None:
    from pipeline.privacy import keys

    root = keys.study_root(lab / "sessions" / "s_p000")
    keys.withdraw(root, "p000")
    found = find_sources(lab / "results", lab / "sessions")
    assert [one.name for one in found.usable] == ["s_p001"] and "withdrawn" in found.refused["s_p000"]


def test_a_question_means_the_stretch_after_its_cue(lab: Path) -> None:
    _, encodings, extent = next(people_in(lab / "results" / "s_p000"))
    context = next(one for one in encodings if one.spec.channel == "context")

    def cue(onset_s: float, offset_s: float, label: str) -> Event:
        return Event("context", "cue", to_ns(onset_s), to_ns(offset_s), label=label, details={"item": f"i{label}"})

    own = [replace(context, events=(cue(5, 9, "a"), cue(12, 12.1, "b"), cue(20, 20.1, "c"), cue(38, 38.1, "b")))]

    def spans(item: str) -> list[tuple[float, float]]:
        row = LabelRow(2, "", "", None, None, item, "x")
        return [(a / 1e9, b / 1e9) for a, b in stretches_of(row, own, extent)]

    assert spans("a") == [(5, 9)] and spans("ia") == [(5, 9)]
    assert spans("b") == [(12, 20), (38, 40)]
    assert spans("c") == [(20, 38)] and spans("zz") == []


def test_rows_without_a_session_are_counted_and_people_are_told_apart(lab: Path, tmp_path: Path) -> None:
    text = (lab / "labels.csv").read_text(encoding="utf-8") + "s_p000,p999,1,2,open\n" * 5
    read = read_labels(table(tmp_path, text))
    sessions = [
        PersonSession(f"s_{person}", person, {"sex": "x"}, encodings, extent)
        for name in ("s_p000", "s_p001")
        for person, encodings, extent in people_in(lab / "results" / name)
    ]
    study = build_study(read, sessions, load_checkpoint().network, ablation=True)
    assert len(study.unmatched) == 5 and "p999" in study.unmatched[0]
    assert study.people == ("p000", "p001") and len(study.rows) == len(read.rows) - 5
    assert set(study.classes) == {HIDDEN, OPEN} and study.classes[study.positive or 0] == HIDDEN
    assert study.nuisance["order"].max() == np.bincount(study.rows.person).max()
    assert not study.without["voice"].blocks["voice"].any() and study.rows.blocks["voice"].any()
    np.testing.assert_array_equal(study.without["voice"].blocks["body"], study.rows.blocks["body"])
    with pytest.raises(NothingUsableError, match="meets a session"):
        build_study(read, [replace(sessions[0], session="other")], load_checkpoint().network)
