"""Logs of PsychoPy and E-Prime as the programs lay them out, written here and read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ManifestError, MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Mark, Marks
from modalities.context.cues import kind_of
from modalities.readers import discover, open_stream, probe
from modalities.readers.sniff import identify

S, MS = 1_000_000_000, 1_000_000


def opened(root: Path, file: str, **values: object) -> list[Mark]:
    entry = StreamEntry.model_validate({"name": "log", "kind": "cues", "file": file, **values})
    stream = open_stream(entry, root, None)
    assert isinstance(stream, Marks)
    return list(stream.rows)


TABLE = """condition,emotion,trials.thisRepN,trials.thisTrialN,trials.thisN,fix.started,fix.stopped,question.started,\
question.stopped,key_resp.keys,key_resp.rt,key_resp.started,participant,date,expName,psychopyVersion,frameRate,
lie,negative,0,0,0,10.5,11.0,11.0,15.25,y,1.5,11.0,p01,2024,study,2024.1.1,60.0,
truth,,0,1,1,20.5,21.0,21.0,None,None,,21.0,p01,2024,study,2024.1.1,60.0,
,,,,,,,,,,,,p01,2024,study,2024.1.1,60.0,
"""


def test_psychopy_table_gives_components_and_answers(tmp_path: Path) -> None:
    (tmp_path / "p01.csv").write_text(TABLE, encoding="utf-8-sig")
    rows = opened(tmp_path, "p01.csv")
    questions = [row for row in rows if row.label == "question"]
    assert [(row.onset_ns, row.duration_ns) for row in questions] == [(11 * S, 4_250_000_000), (21 * S, 0)]
    assert questions[0].columns == {"condition": "lie", "emotion": "negative", "trials.thisN": 0}
    assert kind_of(questions[0]) == "question"
    answers = [row for row in rows if row.columns.get("kind") == "answer"]
    assert [(row.onset_ns, row.columns["response"]) for row in answers] == [(12_500_000_000, "y")]
    assert [row.label for row in rows] == ["fix", "question", "key_resp y", "fix", "question"]
    kept = opened(tmp_path, "p01.csv", columns=["condition"])
    assert all(set(row.columns) <= {"condition", "kind"} for row in kept)
    with pytest.raises(MissingTrackError, match="condition"):
        opened(tmp_path, "p01.csv", columns=["conditon"])


def test_a_stated_time_column_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "p01.csv").write_text(TABLE, encoding="utf-8")
    rows = opened(tmp_path, "p01.csv", time_column="question.started")
    assert [row.onset_ns for row in rows] == [11 * S, 21 * S]
    assert rows[0].columns["emotion"] == "negative"


LOG = """2.1034 \tWARNING \tMonitor specification not found.
3.5000 \tEXP \tNew trial (rep=0, index=0): OrderedDict([('item', 'probe'), ('stakes', 2)])
3.5100 \tEXP \tquestion: text = 'Where were you?'
3.6000 \tEXP \tquestion: autoDraw = True
5.2500 \tDATA \tKeypress: y
6.0000 \tEXP \tquestion: autoDraw = False
7.0000 \tEXP \tNew trial (rep=0, index=1): {'item': 'control', 'stakes': 0}
7.1000 \tEXP \tpicture: autoDraw = True
9.0000 \tINFO \tlast line
"""


def test_psychopy_log_tells_what_was_on_and_answered(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text(LOG, encoding="utf-8")
    rows = opened(tmp_path, "run.log")
    shown = next(row for row in rows if row.label == "question")
    assert (shown.onset_ns, shown.duration_ns) == (3_600_000_000, 2_400_000_000)
    assert shown.columns == {"item": "probe", "stakes": 2, "content": "Where were you?"}
    answer = next(row for row in rows if row.columns.get("kind") == "answer")
    assert answer.onset_ns == 5_250_000_000 and answer.columns["response"] == "y"
    assert [row.columns for row in rows if row.label == "trial"][1] == {"item": "control", "stakes": 0}
    left = next(row for row in rows if row.label == "picture")
    assert left.duration_ns == 1_900_000_000
    assert any("'picture' was still on" in note for note in probe(tmp_path / "run.log").notes)


EPRIME = """*** Header Start ***
VersionPersist: 1
LevelName: Session
Experiment: Study
Subject: 1
*** Header End ***
\tLevel: 2
\t*** LogFrame Start ***
\tProcedure: TrialProc
\tItem: probe
\tQuestion.OnsetTime: 12000
\tQuestion.OffsetTime: 15000
\tQuestion.OnsetDelay: 12
\tQuestion.RTTime: 13250
\tQuestion.RT: 1250
\tQuestion.RESP: 1
\tQuestion.CRESP: 1
\tQuestion.ACC: 1
\t*** LogFrame End ***
\tLevel: 2
\t*** LogFrame Start ***
\tProcedure: TrialProc
\tItem: control
\tQuestion.OnsetTime: 22000
\tQuestion.OffsetTime: 0
\tQuestion.RTTime: 0
\tQuestion.RESP:
\t*** LogFrame End ***
"""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_eprime_gives_objects_and_answers(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "study-1-1.txt").write_text(EPRIME, encoding=encoding)
    assert identify(tmp_path / "study-1-1.txt") == "experiment_log"
    rows = opened(tmp_path, "study-1-1.txt")
    assert [(row.label, row.onset_ns, row.duration_ns) for row in rows] == [
        ("Question", 12_000 * MS, 3_000 * MS),
        ("Question 1", 13_250 * MS, 0),
        ("Question", 22_000 * MS, 0),
    ]
    assert rows[0].columns == {"Procedure": "TrialProc", "Item": "probe"}
    assert rows[1].columns["kind"] == "answer" and rows[1].columns["correct"] == 1
    assert kind_of(rows[0]) == "question" and kind_of(rows[1]) == "answer"


def test_table_of_edataaid(tmp_path: Path) -> None:
    text = "study-1-1.edat2\nExperimentName\tSubject\tSession\tTrial\tItem\tStim.OnsetTime\tStim.RTTime\tStim.RESP\n"
    text += "Study\t1\t1\t1\tprobe\t5000\t5600\t2\nStudy\t1\t1\t2\tcontrol\t9000\tNULL\tNULL\n"
    (tmp_path / "merged.txt").write_text(text, encoding="utf-16")
    rows = opened(tmp_path, "merged.txt")
    assert [(row.label, row.onset_ns // MS) for row in rows] == [("Stim", 5000), ("Stim 2", 5600), ("Stim", 9000)]
    assert rows[2].columns == {"Trial": 2, "Item": "control"}


def test_probe_and_discover_find_logs_of_experiments_only(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text(LOG, encoding="utf-8")
    (tmp_path / "other.log").write_text("server started\nserver stopped\n", encoding="utf-8")
    (tmp_path / "p01.csv").write_text(TABLE, encoding="utf-8")
    found, broken = discover(tmp_path)
    assert broken == []
    assert sorted((info.path.name, info.tracks[0].kind) for info in found) == [("p01.csv", "cues"), ("run.log", "cues")]


def test_wrong_files_get_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("trials.thisN,frameRate,psychopyVersion\n0,60,2024.1\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="no onsets"):
        opened(tmp_path, "bare.csv")
    (tmp_path / "e.txt").write_text("*** Header Start ***\nLevelName: Session\n", encoding="utf-16")
    with pytest.raises(UnreadableFileError, match="no onsets"):
        opened(tmp_path, "e.txt")
    (tmp_path / "p01.csv").write_text(TABLE, encoding="utf-8")
    with pytest.raises(ManifestError, match="events"):
        opened(tmp_path, "p01.csv", kind="ecg")


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([TABLE, LOG, EPRIME]), st.integers(0, 600), st.integers(0, 600))
def test_damaged_logs_end_in_marks_or_one_message(
    tmp_path_factory: pytest.TempPathFactory, text: str, cut: int, size: int
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    (root / "x.log").write_text(text[:cut] + text[cut + size :], encoding="utf-8")
    try:
        rows = opened(root, "x.log")
    except TelltaleError as error:
        assert "x.log" in str(error)
    else:
        assert all(row.duration_ns >= 0 for row in rows)
