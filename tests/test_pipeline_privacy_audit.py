"""Keys and the audit log: pseudonyms that only the key resolves, lines that nobody changes unseen."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from data_schemas.errors import InvalidValueError, UnreadableFileError
from pipeline.privacy import audit, intended_use, keys, records
from pipeline.privacy.home import home

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_pseudonyms_are_keyed_and_differ_between_studies_and_people(tmp_path: Path, own: Path) -> None:
    one = keys.pseudonym(tmp_path / "a", "p01")
    assert one == keys.pseudonym(tmp_path / "a", "p01") and len(one) == 16
    others = {keys.pseudonym(tmp_path / "a", "p02"), keys.pseudonym(tmp_path / "b", "p01")}
    assert len({one, *others}) == 3
    text = (own / keys.NAME).read_text()
    assert "p01" not in text and "p02" not in text
    assert stat.S_IMODE((own / keys.NAME).stat().st_mode) == 0o600 and stat.S_IMODE(own.stat().st_mode) == 0o700


def test_sessions_below_a_known_study_belong_to_it(tmp_path: Path) -> None:
    keys.pseudonym(tmp_path / "study", "p01")
    assert keys.study_root(tmp_path / "study" / "sub-01" / "ses-a") == (tmp_path / "study").resolve()
    assert keys.study_root(tmp_path / "other" / "s1") == (tmp_path / "other").resolve()


def test_withdrawing_deletes_the_key_and_remembers_the_withdrawal(tmp_path: Path, own: Path) -> None:
    before = keys.pseudonym(tmp_path, "p01")
    stays = keys.pseudonym(tmp_path, "p02")
    secrets = set(json.loads((own / keys.NAME).read_text())["studies"][str(tmp_path)]["people"].values())
    assert keys.withdraw(tmp_path, "p01") == before
    left = set(json.loads((own / keys.NAME).read_text())["studies"][str(tmp_path)]["people"].values())
    assert len(secrets - left) == 1
    assert keys.is_withdrawn(tmp_path, "p01") and not keys.is_withdrawn(tmp_path, "p02")
    assert before in keys.revoked() and keys.pseudonym(tmp_path, "p02") == stays
    assert keys.pseudonym(tmp_path, "p01") != before, "nobody can make the former pseudonym again"


def test_the_log_names_nobody_and_is_chained(tmp_path: Path, own: Path) -> None:
    audit.record("batch", tmp_path, {"sub-p01": ["p01"], "pair": ["p01", "p02"]}, jobs=2)
    audit.record("forget", tmp_path, {})
    first, second = [json.loads(line) for line in (own / audit.NAME).read_text().splitlines()]
    assert second["before"] == first["hash"] and (first["what"], first["jobs"]) == ("batch", 2)
    assert "p01" not in json.dumps(first["data"]) and "pair" not in json.dumps(first)
    assert keys.pseudonym(tmp_path, "p01") in first["data"][0]["people"]
    assert audit.verify() == audit.Verdict(2, ())
    keys.withdraw(tmp_path, "p01")
    assert audit.verify() == audit.Verdict(2, ())
    assert keys.session_token(tmp_path, "sub-p01", ["p01"]) != first["data"][0]["session"]


@pytest.mark.parametrize("how", ["change", "take out", "cut off", "turn round", "empty"])
def test_a_log_that_was_tampered_with_is_found(tmp_path: Path, own: Path, how: str) -> None:
    for number in range(5):
        audit.record("batch", tmp_path, {"s": ["p01"]}, jobs=number)
    file = own / audit.NAME
    lines = file.read_text().splitlines(keepends=True)
    spoilt = {
        "change": [*lines[:2], lines[2].replace('"jobs": 2', '"jobs": 7'), *lines[3:]],
        "take out": lines[:2] + lines[3:],
        "cut off": lines[:-1],
        "turn round": [lines[1], lines[0], *lines[2:]],
        "empty": [],
    }[how]
    file.write_text("".join(spoilt))
    assert audit.verify().broken


def test_a_line_cut_short_by_a_crash_does_not_break_the_chain(tmp_path: Path, own: Path) -> None:
    audit.record("batch", tmp_path)
    with (own / audit.NAME).open("a") as file:
        file.write('{"n": 2, "what": "bat')
    audit.record("batch", tmp_path)
    assert audit.verify() == audit.Verdict(2, ())


def test_lines_of_several_processes_at_once_stand_one_after_the_other(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.privacy import audit\n"
        "for n in range(15): audit.record('batch', Path(sys.argv[1]), {f's{n}': [sys.argv[2]]})"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"p{n}"], cwd=ROOT) for n in range(3)]
    assert [one.wait(timeout=120) for one in running] == [0, 0, 0]
    assert audit.verify() == audit.Verdict(45, ())


def test_the_intended_use_is_said_once_per_study_and_noted(tmp_path: Path, own: Path) -> None:
    said: list[str] = []
    for study in ("a", "a", "b"):
        intended_use.remind(tmp_path / study, said.append)
    assert said == [intended_use.STATEMENT] * 2 and "does not detect lies" in said[0]
    assert (own / audit.NAME).read_text().count("intended use said") == 2


def test_keys_never_lie_in_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "out" / "home"))
    with pytest.raises(InvalidValueError, match="TELLTALE_HOME"):
        records.begin("batch", tmp_path, {}, tmp_path / "out", print)
    assert not home().exists()


def test_a_home_that_cannot_be_written_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "file" / "home"))
    said: list[str] = []
    records.begin("analyze", tmp_path / "study", {"s": ["p01"]}, None, said.append)
    assert said[0] == intended_use.STATEMENT and "audit log" in said[-1]


def test_a_damaged_key_store_is_never_written_over(tmp_path: Path, own: Path) -> None:
    keys.pseudonym(tmp_path, "p01")
    (own / keys.NAME).write_text("{")
    with pytest.raises(UnreadableFileError, match="key store"):
        keys.pseudonym(tmp_path, "p01")
    assert (own / keys.NAME).read_text() == "{"


def test_folders_of_analyses_and_exports_are_private(tmp_path: Path) -> None:
    from pipeline.analyzer import Analyzer
    from pipeline.export.run import export_result
    from pipeline.simulate.session import simulate_session

    simulate_session(tmp_path / "study" / "s1", seconds=10, seed=1, fidelity="signal")
    out = Analyzer().run(tmp_path / "study" / "s1").save(tmp_path / "out")
    export_result(out, "bids", tmp_path / "given" / "bids")
    export_result(out, "csv", tmp_path / "tables" / "s1.csv")
    for folder in (out, tmp_path / "given", tmp_path / "given" / "bids", tmp_path / "tables"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
