"""Tables as labs hand them in: each oddity gets the right message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.errors import (
    InvalidValueError,
    MissingFileError,
    MissingTrackError,
    NothingUsableError,
    TelltaleError,
    UnreadableFileError,
)
from pipeline.study.analysis import analyse_study
from pipeline.study.reading import assemble, read_cues
from pipeline.study.roles import Roles, order_values
from pipeline.study.settings import Settings
from pipeline.study.simulated import Plan, simulate_study

QUICK = Settings(permutations=199, prediction_permutations=99, bootstraps=200, repeats=1)
ROLES = Roles(label="said", subject="person", item="question", nuisance=("order",))


@pytest.fixture
def rows() -> pd.DataFrame:
    """Twelve people, six questions."""
    table = simulate_study(Plan(people=12, trials=6), 1)
    frame = table.cues.assign(person=table.subject, said=np.where(table.label, "lie", "truth"))
    return frame.assign(question=[f"q{at % 6}" for at in range(72)], order=[at % 6 for at in range(72)])


def test_roles_are_kept_apart(rows: pd.DataFrame) -> None:
    rows = rows.assign(gender=["f", "m"] * 36, file=[f"{one}.mp4" for one in range(72)])
    table = assemble(rows, ROLES)
    assert table.names == [f"cue{at}" for at in range(1, 6)]
    assert list(table.nuisance.columns) == ["order", "gender"] and list(table.identifiers.columns) == ["file"]
    assert table.label_values == ("truth", "lie") and table.label.sum() == (rows["said"] == "lie").sum()
    assert any("'gender' was taken as a nuisance" in note for note in table.notes)


def test_three_labels_are_refused_and_two_can_be_chosen(rows: pd.DataFrame) -> None:
    rows.loc[:9, "said"] = "unsure"
    with pytest.raises(InvalidValueError, match=r"3 values.*lie, truth, unsure.*--contrast"):
        assemble(rows, ROLES)
    table = assemble(rows, Roles("said", "person", "question", ("order",), contrast=("lie", "truth")))
    assert len(table) == 62 and table.label_values == ("lie", "truth")
    with pytest.raises(InvalidValueError, match="contrasted"):
        assemble(rows, Roles("said", "person", contrast=("lie", "maybe")))


def test_one_label_and_one_person_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(InvalidValueError, match="one single value"):
        assemble(rows.assign(said="lie"), ROLES)
    with pytest.raises(NothingUsableError, match=r"one single subject in column 'person'.*--subject"):
        assemble(rows.assign(person="p1"), ROLES)


def test_constant_and_empty_columns_are_left_out(rows: pd.DataFrame) -> None:
    table = assemble(rows.assign(flat=3.0, word="x", nothing=np.nan), ROLES)
    assert "flat" not in table.names
    assert any("2 constant columns left out: flat, word" in note for note in table.notes)
    assert any("1 empty column left out: nothing" in note for note in table.notes)
    with pytest.raises(NothingUsableError, match="no numeric column left"):
        assemble(rows[["person", "said", "question", "order"]].assign(flat=1.0), ROLES)


def test_sixty_percent_missing_is_described_but_not_used_to_predict(rows: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    for name in ("cue1", "cue2", "cue3", "cue4", "cue5"):
        rows.loc[rng.permutation(72)[:44], name] = np.nan
    table = assemble(rows, ROLES)
    assert table.missing and any("% of all cue cells are missing" in note for note in table.notes)
    result = analyse_study(table, QUICK)
    assert result.exit_status == 1
    assert result.headline.startswith("No prediction: every cue has more than half of its cells missing")
    assert result.prediction.summary["balanced_accuracy"] is None and len(result.effects.rows) == 5
    assert "duplicate_rows" not in result.audit.flags


def test_rows_without_label_are_left_out(rows: pd.DataFrame) -> None:
    rows.loc[[3, 7], "said"] = None
    table = assemble(rows, ROLES)
    assert len(table) == 70 and any("2 of 72 rows" in note for note in table.notes)


def test_the_label_is_guessed_only_where_one_column_can_be_it(rows: pd.DataFrame) -> None:
    table = assemble(rows, Roles(subject="person"))
    assert table.label_name == "said" and any("only one with two values" in note for note in table.notes)
    with pytest.raises(InvalidValueError, match=r"said, other.*--label"):
        assemble(rows.assign(other=np.arange(72) % 2), Roles(subject="person"))


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (Roles(label="said"), "--subject"),
        (Roles(label="told", subject="person"), "no such column"),
        (Roles(label="said", parse="person"), "COLUMN=REGEX"),
        (Roles(label="said", parse="person=(p"), "regular expression"),
        (Roles(label="said", parse="person=p.*"), "named group"),
        (Roles(label="said", parse="person=(?P<subject>x)"), "fits no cell"),
        (Roles(label="said", subject="person", parse="person=(?P<said>p)"), "columns already"),
    ],
)
def test_wrong_roles_say_how_to_mend_them(rows: pd.DataFrame, roles: Roles, words: str) -> None:
    with pytest.raises(TelltaleError, match=words):
        assemble(rows, roles)


def test_files_that_are_no_tables(tmp_path: Path, rows: pd.DataFrame) -> None:
    with pytest.raises(MissingFileError):
        read_cues(tmp_path / "none.csv", ROLES)
    (tmp_path / "bytes.parquet").write_bytes(b"\x00\x01")
    with pytest.raises(UnreadableFileError):
        read_cues(tmp_path / "bytes.parquet", ROLES)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UnreadableFileError):
        read_cues(tmp_path / "empty.csv", ROLES)
    (tmp_path / "head.csv").write_text("said,person,x\n")
    with pytest.raises(NothingUsableError, match="no row"):
        read_cues(tmp_path / "head.csv", ROLES)
    (tmp_path / "semicolon.csv").write_text(rows.to_csv(index=False, sep=";"))
    rows.to_parquet(tmp_path / "rows.parquet")
    for name in ("semicolon.csv", "rows.parquet"):
        assert len(read_cues(tmp_path / name, ROLES)) == 72
    with pytest.raises(MissingTrackError, match="nowhere"):
        read_cues(tmp_path / "rows.parquet", Roles(label="nowhere", subject="person"))


def test_the_positive_value_is_the_deceiving_one() -> None:
    assert order_values(["lie", "truth"]) == ("truth", "lie")
    assert order_values(["1", "0"]) == ("0", "1")
    assert order_values(["control", "guilty"]) == ("control", "guilty")
    assert order_values(["deceptive", "honest"]) == ("honest", "deceptive")
