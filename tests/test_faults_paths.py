"""Names of every kind, and files that may not be read: analysed under their own name, or refused with it."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.fuzz_exercise import read_through
from benchmarks.fuzz_seeds import seeds_of
from benchmarks.kills import bytes_apart, job
from data_schemas.errors import TelltaleError
from data_schemas.session import StreamEntry
from modalities.readers import discover, open_stream, probe
from modalities.readers.registry import READERS
from pipeline.batch.discovery import find_sessions
from pipeline.batch.failures import words
from pipeline.batch.layout import Layout
from pipeline.batch.run import look
from pipeline.batch.worker import run_session
from pipeline.config import Config
from pipeline.simulate.session import simulate_session

posix = pytest.mark.skipif(sys.platform == "win32", reason="names and rights of POSIX")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Layout]:
    """A session under an ordinary name, and its result."""
    folder = tmp_path_factory.mktemp("paths")
    simulate_session(folder / "study" / "sim", seconds=10, seed=1, fidelity="signal")
    layout = Layout(folder / "out")
    layout.make(folder / "study")
    assert run_session(job(folder / "study" / "sim" / "session.toml", layout.root, "sim"))["status"] == "done"
    return folder / "study" / "sim", layout


@posix
def test_a_session_under_a_long_and_foreign_name_gives_the_same_tables(
    plain: tuple[Path, Layout], tmp_path: Path
) -> None:
    session, before = plain
    deep = tmp_path / "Größe & 'Maß' \"日本語\" 😀 %20 $HOME ; #1"
    for _ in range(12):
        deep /= "ein sehr langer Name " + "é" * 100
    deep.mkdir(parents=True)
    assert len(str(deep).encode()) > 2500
    shutil.copytree(session, deep / "sim")
    (deep / "sim" / "physio.csv").rename(deep / "sim" / "Körper-ß 生理.csv")
    manifest = deep / "sim" / "session.toml"
    manifest.write_text(manifest.read_text().replace("physio.csv", "Körper-ß 生理.csv"), encoding="utf-8")
    (place,) = find_sessions(deep)
    layout = Layout(deep / "Ergebnisse ü")
    layout.make(deep)
    answer = run_session(job(manifest, layout.root, place.name))
    assert answer["status"] == "done", answer
    assert (layout.root / place.name / "timeline.parquet").read_bytes() == (
        before.root / "sim" / "timeline.parquet"
    ).read_bytes()
    assert (layout.root / place.name / "events.csv").read_bytes() == (before.root / "sim" / "events.csv").read_bytes()


@posix
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_reads_below_a_long_path(reader: str, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    seed = seeds_of(reader, tmp_path / "seeds")[0]
    deep = tmp_path.joinpath(*["sehr lang und 'ß' " + "é" * 110] * 8)
    for root in (tmp_path / "short", deep):
        for name, data in seed.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
    assert len(os.fsencode(deep)) > 1500
    one, other = probe(tmp_path / "short" / seed.name), probe(deep / seed.name)
    assert one.tracks == other.tracks and one.tracks
    track = next((one for one in other.tracks if one.kind is not None), other.tracks[0])
    wish = {"track": track.track, "time_column": track.time_column, "rate_hz": None if track.rate_hz else 25.0}
    entry = StreamEntry.model_validate(
        {"name": "s", "kind": track.kind or seed.kinds[0], "file": seed.name}
        | {key: one for key, one in wish.items() if one is not None}
    )
    read_through(open_stream(entry, deep, "p01"), random.Random(1))


@posix
@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "a/" * 3000 + "b.csv", "\udcff.csv", "no\0.csv", "", ".", "~"])
def test_a_name_that_no_file_can_have_is_refused_with_a_word(tmp_path: Path, name: str) -> None:
    entry = StreamEntry.model_construct(name="s", kind="ecg", file=name, files=None, clock="session")
    with pytest.raises(TelltaleError, match="'s'"):
        open_stream(entry, tmp_path, "p01")


@posix
def test_names_that_are_no_text_do_not_stop_a_search(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("time_s,ecg_mV\n" + "".join(f"{at / 50},{at}\n" for at in range(50)))
    try:
        os.mkdir(os.fsencode(tmp_path) + b"/caf\xe9")
        shutil.copy(tmp_path / "good.csv", os.fsencode(tmp_path) + b"/caf\xe9/b.csv")
    except OSError:
        pytest.skip("the file system takes text alone")
    found, broken = discover(tmp_path)
    assert len(found) == 2 and not broken
    assert all(str(one.path).encode("utf-8", "replace") for one in found)


@contextmanager
def powerless() -> Iterator[None]:
    """Without what lets root override the rights of files (capset(2)); for others nothing changes."""
    numbers = {"x86_64": (125, 126), "aarch64": (90, 91)}
    if os.geteuid() or platform.machine() not in numbers:
        yield
        return
    get, put = numbers[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    head = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    held = ctypes.create_string_buffer(24)
    assert not libc.syscall(get, head, held)
    low, high = struct.unpack("=6I", held.raw)[:3], struct.unpack("=6I", held.raw)[3:]
    bare = struct.pack("=6I", 0, low[1], low[2], 0, high[1], high[2])
    assert not libc.syscall(put, head, ctypes.create_string_buffer(bare))
    try:
        yield
    finally:
        assert not libc.syscall(put, head, held)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="capabilities of Linux")


@linux
def test_a_recording_that_may_not_be_read_is_named_and_read_once_it_may(
    plain: tuple[Path, Layout], tmp_path: Path
) -> None:
    session, before = plain
    copy = Path(shutil.copytree(session, tmp_path / "study" / "sim"))
    (copy / "physio.csv").chmod(0)
    layout = Layout(tmp_path / "out")
    layout.make(tmp_path / "study")
    work = job(copy / "session.toml", layout.root, "sim")
    with powerless():
        answer = run_session(work)
    assert answer["exit_status"] in (1, 2)
    assert "physio.csv" in answer["reason"] and "ermission denied" in answer["reason"], answer
    (copy / "physio.csv").chmod(0o600)
    assert run_session(work)["status"] == "done"
    assert bytes_apart(layout.root, before.root, ["sim"]) == 0


@linux
@pytest.mark.parametrize("what", ["manifest", "session"])
def test_one_session_that_may_not_be_used_does_not_stop_the_others(
    plain: tuple[Path, Layout], tmp_path: Path, what: str
) -> None:
    session, _ = plain
    for name in ("good", "locked"):
        shutil.copytree(session, tmp_path / "study" / name)
    victim = tmp_path / "study" / "locked" / ("session.toml" if what == "manifest" else "")
    victim.chmod(0)
    try:
        with powerless():
            entries, _ = look(tmp_path / "study", tmp_path / "out", Config())
    finally:
        victim.chmod(0o700)
    found = {entry.place.name: (entry.todo, entry.state.status, entry.state.reason) for entry in entries}
    assert found["good"][0] == "run"
    assert found["locked"][1] in ("failed", "skipped") and "ermission denied" in found["locked"][2], found


@linux
def test_a_place_for_results_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o500)
    with powerless(), pytest.raises(PermissionError) as caught:
        Layout(tmp_path / "locked" / "out").make(tmp_path)
    assert words(caught.value).startswith(f"permission denied ({tmp_path / 'locked' / 'out'})")
