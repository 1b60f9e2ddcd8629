"""Spoilt recordings, manifests and coders' files: read, or refused with a reason, in little time and memory."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz_coding import CODERS, coded_seeds, exercise_coding
from data_schemas.errors import TelltaleError
from modalities.readers.registry import READERS

ROOT = Path(__file__).resolve().parent.parent
ALL = [*READERS, "manifest", *CODERS]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and limits of POSIX")


def fuzz(*words: str) -> dict[str, dict]:
    """Rows of `python -m benchmarks.fuzzing`, by reader; nothing may have been found."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzzing", "--json", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert run.stdout, run.stderr
    rows = {row["reader"]: row for row in json.loads(run.stdout)["rows"]}
    found = [one for row in rows.values() for one in row["findings"]]
    assert not found, "\n".join(f"{one['reader']}: {one['kind']} x {one['times']}: {one['what']}" for one in found)
    assert run.returncode == 0
    return rows


def test_every_reader_stands_some_spoilt_inputs() -> None:
    rows = fuzz("--inputs", "40", "--unguided")
    assert list(rows) == ALL
    assert {row["tried"] for row in rows.values()} == {40}
    assert all(row["read"] for row in rows.values()), "the recordings that inputs are made from are readable"


@pytest.mark.parametrize("reader", CODERS)
def test_coders_files_that_inputs_are_made_from_can_be_imported(reader: str, tmp_path: Path) -> None:
    """All but the timeline, which is no file of a coder, though it is often taken for one."""
    (tmp_path / "seeds").mkdir()
    for number, seed in enumerate(coded_seeds(reader, tmp_path / "seeds")):
        root = tmp_path / str(number)
        root.mkdir()
        for name, data in seed.files.items():
            (root / name).write_bytes(data)
        said: list[TelltaleError] = []
        tried = [exercise_coding(reader, root, seed, random.Random(way), said.append) for way in range(8)]
        assert any(tried) == (seed.name != "timeline.csv"), f"{seed.name}: {said[0]}"


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("reader", ALL)
def test_every_reader_stands_ten_thousand(reader: str) -> None:
    row = fuzz("--inputs", "10000", "--reader", reader, "--seed", "2")[reader]
    assert row["tried"] == 10_000
    assert row["corpus"] > 20, "coverage finds inputs that reach something new"


def test_what_must_not_happen_is_found(tmp_path: Path) -> None:
    """The harness itself: an error, a hang, a dead process and eaten memory do not go unseen."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "import benchmarks.fuzzing as fuzzing\n"
        "def spoilt(reader, root, seed, rng, refused):\n"
        "    way = int(root.name)\n"
        "    if way == 1: raise KeyError('no such thing')\n"
        "    if way == 2:\n"
        "        while True: pass\n"
        "    if way == 3: os.abort()\n"
        "    if way == 4: return bool(bytearray(b'x' * (80 << 20)))\n"
        "    return True\n"
        "fuzzing.exercise, fuzzing.CPU_S, fuzzing.MEMORY = spoilt, 1.0, 60 << 20\n"
        "tally = fuzzing.fuzz('table', 6, guided=False, keep=Path(sys.argv[1]))\n"
        "print(tally.tried, sorted(one.kind for one in tally.findings.values()))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.split(" ", 1) == ["6", "['crash', 'hang', 'memory', 'traceback']\n"], run.stderr
    assert {path.name for path in tmp_path.iterdir()} == {f"table-{way}" for way in (1, 2, 3, 4)}
