"""Withdrawing a person, killed in the middle and called again: nothing of them stays, nothing of others is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.analyzer import Analyzer
from pipeline.batch.layout import Layout, State
from pipeline.catalogue.build import build_catalogue
from pipeline.outcome import FILES
from pipeline.privacy import keys, records
from pipeline.privacy.traces import traces
from pipeline.simulate.session import simulate_session

KILLED = """
import os, shutil, sys
from pathlib import Path
import duckdb, pyarrow.parquet
from pipeline.privacy import prune
from pipeline.privacy.forget import forget
from pipeline.privacy.traces import traces
from pipeline.outcome import FILES

study, home, copy, step = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
places = [Path(one) for one in sys.argv[5:]]

def in_a_process(after):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    left = after
    def deadly(real):
        def call(*words, **more):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
            return real(*words, **more)
        return call
    if after:
        os.replace, shutil.rmtree = deadly(os.replace), deadly(shutil.rmtree)
        Path.unlink, Path.rename = deadly(Path.unlink), deadly(Path.rename)
    try:
        report = forget("p01", study)
    except BaseException as error:
        print(repr(error))
        os._exit(1)
    os._exit(2 if report.remaining else 0)

def restore():
    shutil.rmtree(home)
    shutil.copytree(copy, home)

for after in range(step, 10_000, step):
    restore()
    status = in_a_process(after)
    for place in places:
        if (place / "result.json").is_file():
            missing = [name for name in FILES if not (place / name).exists()]
            if missing and list(place.glob(prune._READY + "*")) == []:
                print(after, place, "reads as complete without", missing)
    if status == 0:
        break
    again = in_a_process(0)
    found = [str(one.file) for place in [home / "out", *places] for one in traces(place, "p01")]
    others = [(place / "result.json").is_file() and (place / "timeline.parquet").is_file() for place in places]
    drafts = [str(one) for place in places for one in place.parent.rglob(".*-*") if one.name[:4] in (".wit", ".ins")]
    if status != -9 or again != 0 or found or not all(others) or drafts:
        print(after, status, again, found, others, drafts)
print("kills", after // step - 1)
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a study of a pair, a result of it as batch leaves one and one as analyze does, and the keys."""
    root = tmp_path_factory.mktemp("kills") / "held"
    study, out, single = root / "study", root / "out", root / "single"
    simulate_session(study / "pair", seconds=10, seed=2, fidelity="signal", name="pair")
    manifest = study / "pair" / "session.toml"
    text = manifest.read_text().replace("[[streams]]", '[[people]]\nid = "p02"\n\n[[streams]]', 1)
    before, eda = text.split('name = "eda"')
    manifest.write_text(before + 'name = "eda"' + eda.replace('"p01"', '"p02"', 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLTALE_HOME", str(root / "home"))
        for place in (out, single):
            records.begin("analyze", study, {"pair": ["p01", "p02"]}, place, lambda text: None)
        Analyzer().run(study / "pair").save(single)
        (single / "coder.csv").write_text("person,kind\np01,micro\n")
        layout = Layout(out)
        layout.make(study)
        layout.note_study(study)
        shutil.copytree(single, out / "pair")
        layout.note(State("pair", "done", people=("p01", "p02"), source=str(manifest)))
        build_catalogue(layout)
    return root, Path(shutil.copytree(root, root.parent / "copy"))


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.long)])
def test_killed_anywhere_and_called_again_it_comes_to_the_same_end(
    held: tuple[Path, Path], step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, copy = held
    places = [root / "out" / "pair", root / "single"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, (root / "study", root, copy, step, *places))],
        env={**os.environ, "TELLTALE_HOME": str(root / "home")},
        capture_output=True,
        text=True,
        timeout=540,
    )
    lines = done.stdout.splitlines()
    assert lines and lines[-1].startswith("kills"), done.stdout + done.stderr
    assert lines[:-1] == [] and int(lines[-1].split()[1]) >= 3
    for place in places:
        assert json.loads((place / "result.json").read_text())["people"] == ["p02"]
        assert set(pq.read_table(place / "timeline.parquet")["person"].to_pylist()) == {"p02"}
        assert {path.name for path in place.iterdir()} >= set(FILES) and not (place / "coder.csv").exists()
    monkeypatch.setenv("TELLTALE_HOME", str(root / "home"))
    assert keys.is_withdrawn(root / "study", "p01") and traces(root / "out", "p01") == []
