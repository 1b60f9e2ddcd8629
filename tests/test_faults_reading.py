"""Recordings that break: a disk that does not read, files cut at every tenth. What is read is true, or refused."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_exercise import exercise
from benchmarks.fuzz_seeds import Seed, seeds_of
from benchmarks.kills import bytes_apart, job
from benchmarks.read_errors import available, with_bad_file
from data_schemas.errors import TelltaleError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal, Video
from modalities.readers import open_stream, probe
from modalities.readers.registry import READERS
from pipeline.batch.discovery import find_sessions
from pipeline.batch.layout import Layout
from pipeline.batch.plan import plan
from pipeline.batch.worker import run_session
from pipeline.config import Config
from pipeline.simulate.session import simulate_session

ROOT = Path(__file__).resolve().parent.parent

unreadable = pytest.mark.skipif(not available(), reason="a filter on system calls, of Linux")


def put(seed: Seed, root: Path) -> Path:
    for name, data in seed.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root / seed.name


def wishes(root: Path, seed: Seed) -> Iterator[StreamEntry]:
    """An entry for each track that a recording offers."""
    for track in probe(root / seed.name).tracks:
        if track.kind is None:
            continue
        values = {"track": track.track, "time_column": track.time_column}
        rate = {"rate_hz": 25.0} if track.rate_hz is None and track.kind.startswith(("face", "ecg", "eda")) else {}
        values = {key: value for key, value in values.items() if value is not None} | rate
        yield StreamEntry.model_validate({"name": "s", "kind": track.kind, "file": seed.name, **values})


def content(stream: object) -> list:
    """What a stream holds, in order, so that a part of it can be compared with the whole."""
    if isinstance(stream, Signal):
        return [stream.times_ns, np.where(stream.mask, stream.values, np.nan)]
    if isinstance(stream, Marks):
        return [np.array([row.onset_ns for row in stream.rows]), np.array([row.label for row in stream.rows])]
    if isinstance(stream, Audio):
        return [stream.source(0, stream.axis.n)]
    if isinstance(stream, Video) and stream.info.origin.startswith("NumPy"):  # nothing else is read but the header
        return [stream.times_ns, np.array([frame.image for frame in stream.frames()])]
    return [stream.times_ns]  # type: ignore[attr-defined]


@pytest.mark.parametrize("reader", READERS)
def test_cut_at_every_tenth_it_is_read_in_part_or_refused(reader: str, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    for number, seed in enumerate(seeds_of(reader, tmp_path / "seeds")):
        longest = max(seed.files, key=lambda name: len(seed.files[name]))
        for tenth in range(10):
            root = tmp_path / f"{number}-{tenth}"
            cut = seed.files[longest][: len(seed.files[longest]) * tenth // 10]
            put(Seed(seed.name, {**seed.files, longest: cut}, seed.kinds), root)
            exercise(reader, root, seed, random.Random(tenth), lambda error: None)


@pytest.mark.parametrize("reader", ["edf", "brainvision", "wfdb", "xdf", "opensignals", "table", "biopac_text"])
def test_what_is_read_of_a_cut_file_is_what_the_whole_one_says(reader: str, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    seed = seeds_of(reader, tmp_path / "seeds")[0]
    put(seed, tmp_path / "whole")
    longest = max(seed.files, key=lambda name: len(seed.files[name]))
    read = 0
    for entry in wishes(tmp_path / "whole", seed):
        whole = content(open_stream(entry, tmp_path / "whole", "p01"))
        for tenth in (5, 8, 9):
            root = tmp_path / f"{tenth}"
            cut = seed.files[longest][: len(seed.files[longest]) * tenth // 10]
            put(Seed(seed.name, {**seed.files, longest: cut}, seed.kinds), root)
            try:
                part = content(open_stream(entry, root, "p01"))
            except TelltaleError:
                continue
            read += 1
            for one, all_ in zip(part, whole, strict=True):
                n = max(0, len(one) - 1)  # the last line of a text may itself be cut
                assert len(one) <= len(all_)
                assert all(np.array_equal(a, b) for a, b in zip(one[:n], all_[:n], strict=True)) or np.allclose(
                    one[:n].astype(float), all_[:n].astype(float), atol=1e-3, equal_nan=True
                )
    assert read or reader in ("brainvision", "wfdb")


@unreadable
@pytest.mark.parametrize("reader", sorted({*READERS} - {"images", "empatica"}))
def test_a_disk_that_does_not_read_is_never_taken_for_data(reader: str, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    seed = max(seeds_of(reader, tmp_path / "seeds"), key=lambda one: max(map(len, one.files.values())))
    put(seed, tmp_path / "r")
    bad = tmp_path / "r" / max(seed.files, key=lambda name: len(seed.files[name]))
    entries = list(wishes(tmp_path / "r", seed))
    whole = [content(open_stream(entry, tmp_path / "r", "p01")) for entry in entries]

    def work() -> str:
        said = []
        for entry, all_ in zip(entries, whole, strict=True):
            try:
                part = content(open_stream(entry, tmp_path / "r", "p01"))
            except TelltaleError as error:
                said.append(str(error))
                continue
            true = all(
                len(one) <= len(two) and np.array_equal(one, two[: len(one)], equal_nan=one.dtype.kind == "f")
                for one, two in zip(part, all_, strict=True)
            )
            said.append("a part" if true else "made up")
        return json.dumps(said)

    said, failed = with_bad_file(bad, bad.stat().st_size // 2, work)
    assert failed, "the disk was asked"
    assert "made up" not in json.loads(said) and json.loads(said), said


def longer(reader: str, folder: Path) -> tuple[str, Path]:
    """A recording of some 100 kB of a format whose library reads by `numpy.fromfile`; its name and its data file."""
    (folder / "seeds").mkdir()
    seed = seeds_of(reader, folder / "seeds")[0]
    if reader == "wfdb":
        import wfdb

        values = np.random.default_rng(1).normal(size=(30_000, 2))
        wfdb.wrsamp("rec", 100, ["mV", "uS"], ["ECG", "EDA"], p_signal=values, fmt=["16", "16"], write_dir=str(folder))
        return "rec.hea", folder / "rec.dat"
    files = dict(seed.files)
    if reader == "edf":
        head, body = files["r.edf"][:1024], files["r.edf"][1024:]
        files["r.edf"] = head[:236] + b"900     " + head[244:] + body * 300
    else:
        files["b.eeg"] *= 300
    put(Seed(seed.name, files), folder)
    return seed.name, folder / ("r.edf" if reader == "edf" else "b.eeg")


@unreadable
@pytest.mark.parametrize("reader", ["edf", "brainvision", "wfdb"])
def test_what_a_library_makes_up_where_the_disk_does_not_read_is_refused(reader: str, tmp_path: Path) -> None:
    name, bad = longer(reader, tmp_path)
    entry = StreamEntry.model_validate({"name": "s", "kind": "ecg", "file": name})
    assert len(content(open_stream(entry, tmp_path, "p01"))[0]) > 20_000 or reader == "edf"

    def work() -> str:
        try:
            return f"{open_stream(entry, tmp_path, 'p01').axis.n} samples"
        except TelltaleError as error:
            return str(error)

    said, failed = with_bad_file(bad, bad.stat().st_size * 3 // 4, work)
    assert failed and "the disk does not read the file from byte" in said and bad.name in said, said


IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from benchmarks.kills import job
from benchmarks.read_errors import with_bad_file
from pipeline.batch.worker import run_session
bad, manifest, out = map(Path, sys.argv[1:])
said, failed = with_bad_file(bad, bad.stat().st_size // 2, lambda: json.dumps(run_session(job(manifest, out, "sim"))))
print(json.dumps(json.loads(said) | {"failed_reads": failed}))
"""
"""The analysis has threads, which a fork of the tests' own process would leave behind with their locks held."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading") / "study"
    simulate_session(folder / "sim", seconds=10, seed=1, fidelity="signal")
    return folder


@unreadable
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("name", ["physio.csv", "voice.wav"])
def test_a_session_whose_disk_does_not_read_says_so_and_is_whole_after_another_run(
    name: str, study: Path, tmp_path: Path
) -> None:
    """Other channels go on; the next run of the batch, without `--retry`, tries it again; the one after keeps it."""
    peace, war = Layout(tmp_path / "peace"), Layout(tmp_path / "war")
    for layout in (peace, war):
        layout.make(study)
    manifest, bad = study / "sim" / "session.toml", study / "sim" / name
    words = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(bad), str(manifest), str(war.root)]
    run = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    assert answer["failed_reads"]
    assert name in answer["reason"]
    assert (answer["status"], answer["exit_status"], answer["cause"]) == ("done", 1, "machine")
    problems = json.loads((war.root / "sim" / "result.json").read_text(encoding="utf-8"))["problems"]
    told = [one for one in problems if one["machine"]]
    assert told and {Path(one["file"]).name for one in told} == {name}
    assert {one["severity"] for one in told} == {"error"}

    places = find_sessions(study)
    first = plan(places, war, Config(), study)[0].state
    war.note(replace(first, **{key: answer[key] for key in ("status", "reason", "exit_status", "cause")}))
    assert [one.todo for one in plan(places, war, Config(), study)] == ["run"]
    assert run_session(job(manifest, peace.root, "sim"))["status"] == "done"
    again = run_session(job(manifest, war.root, "sim"))
    assert (again["status"], again["exit_status"], again["cause"]) == ("done", 0, "")
    assert bytes_apart(war.root, peace.root, ["sim"]) == 0
    war.note(replace(first, status="done", exit_status=0, cause=""))
    assert [one.todo for one in plan(places, war, Config(), study)] == ["keep"]
