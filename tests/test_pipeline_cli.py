"""The commands as a user meets them: separate processes, exit statuses, stdout and stderr."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.fuzz_seeds import seeds_of
from data_schemas.json_schemas import schema_text
from pipeline.export.events import COLUMNS

Run = subprocess.CompletedProcess[str]
Telltale = Callable[..., Run]

COMMANDS = ["demo", "init", "check", "sync", "analyze", "spot", "voice", "body", "physio", "simulate", "doctor"]


@pytest.fixture(scope="module")
def simulated(telltale: Telltale, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session without videos."""
    folder = tmp_path_factory.mktemp("sim")
    run = telltale("simulate", "--seconds", "30", "--seed", "3", "--fidelity", "signal", "-o", folder)
    assert run.returncode == 0, run.stderr
    return next(path.parent for path in folder.rglob("session.toml"))


@pytest.fixture(scope="module")
def analysed(telltale: Telltale, simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The result folder of that session, and the run that made it."""
    out = tmp_path_factory.mktemp("results") / "one"
    return out, telltale("analyze", simulated, "-o", out)


@pytest.fixture
def copy(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the session that a test may spoil."""
    return Path(shutil.copytree(simulated, tmp_path / "session"))


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "session.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(telltale: Telltale, command: str) -> None:
    run = telltale(command, "--help")
    assert run.returncode == 0
    assert f"telltale {command}" in run.stdout and "Example" in run.stdout


def test_unknown_command_and_option_are_calls_gone_wrong(telltale: Telltale) -> None:
    assert telltale("analyse").returncode == 2
    assert telltale("analyze", "--colour", "red").returncode == 2


def test_analyze_leaves_the_contract(analysed: tuple[Path, Run]) -> None:
    out, run = analysed
    assert run.returncode == 0, run.stderr
    names = {"timeline.parquet", "events.parquet", "events.csv", "sync.json", "result.json", "report.html", "log.jsonl"}
    assert {path.name for path in out.iterdir()} == names
    jsonschema.validate(
        json.loads((out / "result.json").read_text(encoding="utf-8")), json.loads(schema_text("result"))
    )
    jsonschema.validate(json.loads((out / "sync.json").read_text(encoding="utf-8")), json.loads(schema_text("sync")))
    assert (out / "events.csv").read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)
    assert all(json.loads(line)["message"] for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines())


def test_timeline_columns_are_those_of_the_contract(analysed: tuple[Path, Run]) -> None:
    table = pq.read_table(analysed[0] / "timeline.parquet")
    wanted = {
        "person", "t_ns", "face.au12_left", "voice.pitch_hz", "body.movement_energy", "physiology.heart_rate_bpm",
        "physiology.eda_phasic_us", "context.question", "fused.concealed", "fused.felt_negative",
        "fused.shown_positive",
        "fused.uncertainty", "fused.cannot_say", "fused.share_face", "face.valid", "face.reason",
    }  # fmt: skip
    assert wanted <= set(table.column_names)
    assert str(table.schema.field("t_ns").type) == "int64"
    steps = np.diff(table["t_ns"].to_numpy())
    assert (steps == 40_000_000).all(), "25 Hz by default"
    assert table["face.au12_left"].null_count == table.num_rows
    assert set(table["face.reason"].to_pylist()) == {"no_stream"}
    assert table["physiology.heart_rate_bpm"].null_count < 0.2 * table.num_rows
    for field in table.schema:
        if "." in field.name and not field.name.endswith((".valid", ".reason")):
            assert field.metadata[b"unit"] and field.metadata[b"description"], field.name


def test_second_run_gives_the_same_values(
    telltale: Telltale, simulated: Path, analysed: tuple[Path, Run], tmp_path: Path
) -> None:
    again = telltale("analyze", simulated, "-o", tmp_path / "again")
    assert again.returncode == 0
    first, second = (pq.read_table(folder / "timeline.parquet") for folder in (analysed[0], tmp_path / "again"))
    assert first.equals(second)
    assert (analysed[0] / "events.csv").read_bytes() == (tmp_path / "again" / "events.csv").read_bytes()


def test_json_is_one_object_and_nothing_else(telltale: Telltale, simulated: Path, tmp_path: Path) -> None:
    rows = json.loads(telltale("check", simulated, "--json").stdout)["rows"]
    assert {"severity", "where", "what"} == set(rows[0])
    clocks = json.loads(telltale("sync", simulated, "-o", tmp_path / "s.json", "--json").stdout)["rows"]
    assert {"stream", "clock", "offset_s", "drift_ppm", "verdict"} <= set(clocks[0])
    assert {"rows"} == set(json.loads(telltale("doctor", "--json").stdout))


def test_sync_apply_writes_what_was_measured(telltale: Telltale, copy: Path) -> None:
    truth = json.loads((copy / "truth" / "truth.json").read_text(encoding="utf-8"))["clocks"]["physio"]
    run = telltale("sync", "apply", copy, "--json")
    rows = {row["clock"]: row for row in json.loads(run.stdout)["rows"]}
    assert rows["physio"]["offset_s"] == pytest.approx(truth["offset_s"], abs=0.02)
    report = json.loads(telltale("sync", copy, "--json").stdout)["rows"]
    assert {row["method"] for row in report if row["clock"] == "physio"} == {"offset"}


def test_clocks_by_headers_are_warned_of_and_never_written_down(telltale: Telltale, tmp_path: Path) -> None:
    """`align = "wall"`: an EDF that began 22 s after another, by what the two say of themselves."""
    whole = next(one for one in seeds_of("edf", tmp_path) if one.name == "r.edf").files["r.edf"]
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "a.edf").write_bytes(whole)
    (folder / "b.edf").write_bytes(whole.replace(b"02.02.2110.20.30", b"02.02.2110.20.52"))
    text = """
schema_version = 1
name = "s"
consent = { scope = ["analyse"], date = 2025-01-01 }
people = [{ id = "p01" }]
clocks.lab = { reference = true }
clocks.watch = { align = "wall", own = "eda", against = "ecg" }
streams = [
  { name = "ecg", kind = "ecg", file = "a.edf", columns = ["ECG II"], clock = "lab" },
  { name = "eda", kind = "eda", file = "b.edf", columns = ["GSR"], clock = "watch" },
]
"""
    (folder / "session.toml").write_text(text, encoding="utf-8")
    run = telltale("sync", folder, "--json")
    rows = {row["stream"]: row for row in json.loads(run.stdout)["rows"]}
    assert (rows["eda"]["method"], rows["eda"]["offset_s"], rows["eda"]["verdict"]) == ("wall", 22, "warn")
    assert "wrong by seconds" in " ".join(run.stderr.split())
    apply = telltale("sync", "apply", folder, "--json")
    assert json.loads(apply.stdout)["rows"] == [] and "watch (wall, warn)" in apply.stderr
    assert (folder / "session.toml").read_text(encoding="utf-8") == text


def test_sync_that_fails_says_why(telltale: Telltale, copy: Path) -> None:
    (copy / "voice.wav").unlink()
    for words in (("sync", copy), ("sync", "apply", copy)):
        run = telltale(*words)
        assert run.returncode == 1
        assert "exit status 1: 2 errors" in run.stderr.splitlines()[-1]


def test_a_worker_that_died_ends_in_one_line_and_status_1() -> None:
    code = """
import sys
from data_schemas.errors import WorkerDiedError
from pipeline.cli.app import app, run
@app.command()
def die():
    raise WorkerDiedError("a worker process died", mend="Take fewer workers.")
sys.argv = ["telltale", "die"]
run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 1
    assert done.stderr == "telltale: a worker process died. Take fewer workers.\n"


def test_without_consent_nothing_is_analysed(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    text = (copy / "session.toml").read_text(encoding="utf-8")
    (copy / "session.toml").write_text(text.replace('"analyse", ', ""), encoding="utf-8")
    run = telltale("analyze", copy, "-o", tmp_path / "out")
    assert run.returncode == 2
    assert "no consent to analyse" in run.stderr and "scope" in run.stderr
    assert not (tmp_path / "out").exists()
    assert telltale("check", copy).returncode == 1


def test_typo_in_the_manifest(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    edit(copy, "kind = ", "knid = ")
    run = telltale("analyze", copy, "-o", tmp_path / "out")
    assert run.returncode == 2
    assert "did you mean 'kind'" in run.stderr and "session.toml" in run.stderr


def test_missing_file_keeps_the_other_channels(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    (copy / "physio.csv").unlink()
    run = telltale("analyze", copy, "-o", tmp_path / "out")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("exit status 1: ") and "error" in run.stderr.splitlines()[-1]
    assert "physio.csv" in run.stderr
    table = pq.read_table(tmp_path / "out" / "timeline.parquet")
    assert table["physiology.valid"].to_pylist().count(True) == 0
    assert table["voice.pitch_hz"].null_count < table.num_rows
    strict = telltale("analyze", copy, "-o", tmp_path / "strict", "--strict")
    assert strict.returncode == 2 and "physio.csv" in strict.stderr
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize("spoil", ["empty", "truncated", "mislabelled"])
def test_spoilt_sound_keeps_the_other_channels(telltale: Telltale, copy: Path, tmp_path: Path, spoil: str) -> None:
    sound = next(copy.glob("*.wav"))
    whole = sound.read_bytes()
    sound.write_bytes({"empty": b"", "truncated": whole[:20], "mislabelled": b"this is a text file\n" * 50}[spoil])
    run = telltale("analyze", copy, "-o", tmp_path / "out")
    assert run.returncode == 1
    assert sound.name in run.stderr
    table = pq.read_table(tmp_path / "out" / "timeline.parquet")
    assert table["voice.valid"].to_pylist().count(True) == 0
    assert table["physiology.heart_rate_bpm"].null_count < table.num_rows


def test_nothing_usable_never_reads_as_success(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    for path in copy.iterdir():
        if path.suffix in (".csv", ".wav"):
            path.unlink()
    run = telltale("analyze", copy, "-o", tmp_path / "out")
    assert run.returncode == 2
    assert not (tmp_path / "out" / "result.json").exists()


def test_init_never_overwrites_and_refuses_an_empty_folder(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    before = (copy / "session.toml").read_bytes()
    assert telltale("init", copy).returncode == 2
    assert (copy / "session.toml").read_bytes() == before
    (tmp_path / "empty").mkdir()
    assert telltale("init", tmp_path / "empty").returncode == 2
    assert telltale("init", tmp_path / "nowhere").returncode == 2
    assert telltale("init", copy, "--consent", "everything").returncode == 2


def test_init_then_check_on_plain_files(telltale: Telltale, copy: Path) -> None:
    (copy / "session.toml").unlink()
    run = telltale("init", copy, "--json")
    kinds = {row["kind"] for row in json.loads(run.stdout)["rows"]}
    assert {"ecg", "eda", "audio"} <= kinds
    text = (copy / "session.toml").read_text(encoding="utf-8")
    assert "scope = []" in text and "truth" not in text
    findings = json.loads(telltale("check", copy, "--json").stdout)["rows"]
    assert [row for row in findings if row["where"] == "consent" and row["severity"] == "error"]


def test_one_channel_commands(telltale: Telltale, simulated: Path, tmp_path: Path) -> None:
    run = telltale("physio", simulated / "physio.csv", "-o", tmp_path / "physio")
    assert run.returncode == 0 and "no consent record" in run.stderr
    table = pq.read_table(tmp_path / "physio" / "tracks.parquet")
    assert table["physiology.heart_rate_bpm"].null_count < table.num_rows
    assert (tmp_path / "physio" / "events.csv").read_text(encoding="utf-8").count("r_peak") > 20
    sound = next(simulated.glob("*.wav"))
    assert telltale("voice", sound, "-o", tmp_path / "voice").returncode == 0
    wrong = telltale("voice", simulated / "physio.csv", "-o", tmp_path / "none")
    assert wrong.returncode == 2 and "voice" in wrong.stderr


def test_two_people_share_a_session(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    edit(copy, "[[streams]]", '[[people]]\nid = "p02"\n\n[[streams]]')
    text = (copy / "session.toml").read_text(encoding="utf-8")
    before, eda = text.split('name = "eda"')
    (copy / "session.toml").write_text(before + 'name = "eda"' + eda.replace('"p01"', '"p02"', 1), encoding="utf-8")
    run = telltale("analyze", copy, "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    table = pq.read_table(tmp_path / "out" / "timeline.parquet").to_pandas()
    first, second = (table[table["person"] == person] for person in ("p01", "p02"))
    assert len(first) == len(second)
    assert first["physiology.heart_rate_bpm"].notna().any() and first["physiology.eda_tonic_us"].isna().all()
    assert second["physiology.eda_tonic_us"].notna().any() and second["physiology.heart_rate_bpm"].isna().all()
    assert second["voice.pitch_hz"].isna().all() and (second["voice.reason"].dropna() == "no_stream").all()


def test_an_ecg_of_noise_is_masked_and_said(telltale: Telltale, copy: Path, tmp_path: Path) -> None:
    rows = (copy / "physio.csv").read_text(encoding="utf-8").splitlines()
    noise = np.random.default_rng(0).normal(0, 1, len(rows))
    at = rows[0].split(",").index("ecg_mv")
    spoilt = [rows[0]]
    for row, value in zip(rows[1:], noise, strict=False):
        cells = row.split(",")
        cells[at] = f"{value:.4f}"
        spoilt.append(",".join(cells))
    (copy / "physio.csv").write_text("\n".join(spoilt) + "\n", encoding="utf-8")
    telltale("analyze", copy, "-o", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "timeline.parquet")
    assert table["physiology.heart_rate_bpm"].null_count > 0.9 * table.num_rows
    assert table["physiology.eda_tonic_us"].null_count < 0.1 * table.num_rows
