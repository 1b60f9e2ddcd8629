"""The command, its refusals, a lab's own format, and the clocks of files."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, MissingFileError, MissingTrackError, UnreadableFileError
from pipeline.export.clock import FileClock
from pipeline.export.format import FORMATS, load_format
from pipeline.export.run import export_result
from pipeline.export.sample import EVENTS, write_sample

Command = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("run"))


@given(st.integers(-(10**15), 10**15), st.floats(-1000, 1000), st.integers(-(10**13), 10**13))
def test_times_go_to_the_file_and_back(zero: int, drift: float, time: int) -> None:
    clock = FileClock("face", zero, drift)
    there = clock.of_session(time + zero)
    assert abs(int(clock.to_session(there)) - (time + zero)) <= 2
    same = FileClock.of_dict(json.loads(json.dumps(clock.as_dict())))
    assert abs(same.zero_ns - zero) <= 1000 and same.drift_ppm == drift


def test_every_format_loads_and_says_what_it_can() -> None:
    for name in FORMATS:
        form = load_format(name)
        assert all(what for what in form.options.values()), name


def test_command_prints_what_it_wrote(result: Path, tmp_path: Path, telltale: Command) -> None:
    done = telltale("export", result, "--to", "eaf", "-o", tmp_path / "a.eaf", "--kinds", "micro,macro", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["files"] == [str(tmp_path / "a.eaf")] and said["events"] == 3
    again = telltale("export", result, "--to", "eaf", "-o", tmp_path / "a.eaf")
    assert again.returncode == 2 and "--overwrite" in again.stderr
    left = telltale("export", result, "--to", "webvtt", "-o", tmp_path / "a.vtt", "--option", "clock=session")
    assert left.returncode == 1 and "left out" in left.stderr
    wrong = telltale("export", result, "--to", "csv", "-o", tmp_path / "a.csv", "--option", "layout")
    assert wrong.returncode == 2 and "NAME=VALUE" in wrong.stderr


def test_a_manifest_that_may_not_be_read_refuses_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.privacy import consent

    def forbidden(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(consent, "load_manifest", forbidden)
    answer, why = consent.share_doubt(tmp_path)
    assert answer == "unknown" and "Permission denied" in why and str(tmp_path) in why


@pytest.mark.parametrize(
    ("consent", "share", "told"),
    [
        ('scope = ["analyse", "share"]', "yes", ""),
        ('scope = ["analyse"]', "no", "records no consent to share"),
        ('scope = ["analyse", "share"]\ndate = 2020-01-01\nexpires = 2021-01-01', "no", "expired on 2021-01-01"),
        ("scope = 3", "unknown", "no consent to share could be looked up"),
        (None, "unknown", "--session"),
    ],
)
def test_an_export_without_consent_to_share_is_for_ones_own_analysis_and_the_log_says_so(
    consent: str | None,
    share: str,
    told: str,
    result: Path,
    tmp_path: Path,
    here: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    shutil.copytree(result.parent, tmp_path / "copy")
    folder, manifest = tmp_path / "copy" / "result", tmp_path / "copy" / "sample" / "session.toml"
    if consent is None:
        shutil.rmtree(manifest.parent)
    else:
        text = manifest.read_text(encoding="utf-8")
        manifest.write_text(text.replace('scope = ["analyse", "share", "train"]', consent), encoding="utf-8")
    record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    (folder / "result.json").write_text(json.dumps({**record, "recordings": str(manifest.parent)}), encoding="utf-8")
    for words in ((), ("--deidentify",)):
        done = here("export", folder, "--to", "csv", "-o", tmp_path / f"a{len(words)}.csv", *words)
        assert done.returncode == 0, done.stderr
        said = " ".join(done.stderr.split())
        assert ("For your own analysis only, not to be handed on" in said) == (share != "yes")
        assert told in said
        assert ("pseudonyms do not replace consent" in said) == (share != "yes" and bool(words))
        lines = [json.loads(line) for line in (tmp_path / "home" / "audit.jsonl").read_text().splitlines()]
        assert lines[-1]["what"] == "export ended"
        assert (lines[-1]["consent_to_share"], lines[-1]["deidentified"]) == (share, bool(words))


def test_refusals_say_what_to_do(result: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingTrackError, match="parquet, feather, csv"):
        export_result(result, "xls", tmp_path / "a")
    with pytest.raises(InvalidValueError, match="units_row"):
        export_result(result, "csv", tmp_path / "a", options={"unit": "yes"})
    with pytest.raises(InvalidValueError, match="wide or tidy"):
        export_result(result, "csv", tmp_path / "a", options={"layout": "long"})
    with pytest.raises(MissingTrackError, match="session, face, voice"):
        export_result(result, "webvtt", tmp_path / "a", options={"clock": "body"})
    with pytest.raises(InvalidValueError, match="no kind of event: smile"):
        export_result(result, "csv", tmp_path / "a", kinds=["smile"])
    with pytest.raises(MissingFileError):
        export_result(tmp_path / "none", "csv", tmp_path / "a")
    with pytest.raises(UnreadableFileError, match=r"result\.json is missing"):
        export_result(tmp_path, "csv", tmp_path / "a")
    with pytest.raises(MissingTrackError, match="nobody has yet"):
        export_result(result, "csv", tmp_path / "a", coder="anna")
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_the_result_itself_is_never_overwritten(result: Path) -> None:
    before = {path: path.read_bytes() for path in result.iterdir() if path.is_file()}
    for to, name in (("csv", "events.csv"), ("parquet", "timeline.parquet"), ("csv", "result.csv")):
        with pytest.raises(InvalidValueError, match="overwrite the result"):
            export_result(result, to, result / name, overwrite=True)
    assert {path: path.read_bytes() for path in result.iterdir() if path.is_file()} == before


def test_a_folder_of_somebody_else_is_not_replaced(result: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it", encoding="utf-8")
    with pytest.raises(InvalidValueError, match="not made by an export"):
        export_result(result, "bids", tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_damaged_result_is_named(result: Path, tmp_path: Path) -> None:
    for path in result.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "sync.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="damaged"):
        export_result(tmp_path, "csv", tmp_path / "out" / "a.csv")


def own_formats() -> list[tuple[str, str]]:
    """The class `LabTable` as each document shows it."""
    found = []
    for name in ("docs/exports.md", "CONTRIBUTING.md"):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
        found += [(name, block) for block in blocks if "class LabTable" in block]
    return found


def test_a_labs_own_format_is_one_small_class(result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = own_formats()
    assert shown
    for number, (document, text) in enumerate(shown):
        assert len(text.splitlines()) <= 30, document
        module = f"my_lab_{number}"
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        target = tmp_path / f"{number}.txt"
        export_result(result, f"{module}:LabTable", target, options={"person": "ada"})
        lines = target.read_text(encoding="utf-8").splitlines()
        own = [event for event in EVENTS if event.person == "ada"]
        assert len([line for line in lines if not line.startswith("#")]) == len(own)
        assert "lab" in lines[0] and "sample" in lines[0], "the clock and the session travel along"
        sys.modules.pop(module)


def test_a_class_that_is_no_format_is_refused(result: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="is no format"):
        export_result(result, "pipeline.export.clock:FileClock", tmp_path / "a")
    with pytest.raises(InvalidValueError, match="cannot be loaded"):
        export_result(result, "pipeline.export.clock:Nothing", tmp_path / "a")


def test_an_analysed_session_goes_out_in_every_format(tmp_path: Path) -> None:
    """Not the sample but what the analysis leaves: nothing of it that a format could not take."""
    from pipeline import Analyzer, load_config
    from pipeline.export.content import read_content
    from pipeline.simulate.session import simulate_session

    simulate_session(tmp_path / "session", seconds=10, seed=2, fidelity="signal")
    folder = Analyzer(load_config()).run(tmp_path / "session").save(tmp_path / "result")
    content = read_content(folder, tmp_path / "session")
    assert content.events and np.isfinite(content.column("physiology.heart_rate_bpm", content.people[0])).any()
    for to in ("parquet", "feather", "csv", "boris", "eaf", "textgrid", "netcdf", "nwb", "bids"):
        done = export_result(folder, to, tmp_path / "out" / to, session=tmp_path / "session")
        assert done.events == len(content.events) and all(path.exists() for path in done.files)
