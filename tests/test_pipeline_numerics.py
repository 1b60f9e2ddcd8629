"""The same recording on another machine: other instructions, other rounding, the same findings within a tolerance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.simulate.session import simulate_session

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-3
"""Of a value, in standard deviations of its column, as docs/batch.md states it; events may move by half a grid step."""


def plain_machine() -> dict[str, str]:
    """Environment under which the numerical libraries use none of the newer instructions of this processor."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    newer = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    return {
        "NPY_DISABLE_CPU_FEATURES": " ".join(newer), "OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default",
        "DNNL_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "MKL_NUM_THREADS": "1",
    }  # fmt: skip


def analyse(session: Path, out: Path, environment: dict[str, str]) -> tuple[pa.Table, pa.Table]:
    words = [sys.executable, "-c", "from pipeline.cli import main; main()", "analyze", str(session), "-o", str(out)]
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return pq.read_table(out / "timeline.parquet"), pq.read_table(out / "events.parquet")


@pytest.mark.parametrize("fidelity", ["signal", pytest.param("rendered", marks=pytest.mark.long)])
def test_a_machine_with_other_instructions_finds_the_same(tmp_path: Path, fidelity: str) -> None:
    simulate_session(tmp_path / "s", seconds=20, seed=3, fidelity=fidelity)
    here, found = analyse(tmp_path / "s", tmp_path / "here", {"OMP_NUM_THREADS": "2"})
    there, told = analyse(tmp_path / "s", tmp_path / "there", {"OMP_NUM_THREADS": "1", **plain_machine()})
    assert here.column_names == there.column_names and len(here) == len(there)
    compared = 0
    for name in here.column_names:
        one, other = here[name], there[name]
        assert one.null_count == other.null_count, name
        if not pa.types.is_floating(one.type):
            assert one.equals(other), name
            continue
        a, b = (np.asarray(column.to_numpy(zero_copy_only=False), np.float64) for column in (one, other))
        if np.isfinite(a).any():
            scale = max(float(np.nanstd(a)), 1e-3 * float(np.nanmax(np.abs(a))), 1e-9)
            assert np.nanmax(np.abs(a - b)) <= TOLERANCE * scale, (name, np.nanmax(np.abs(a - b)) / scale)
            compared += 1
    assert compared > 20
    assert found["kind"].equals(told["kind"]) and len(found) > 10
    for name in ("onset_s", "apex_s", "offset_s"):
        a, b = (np.asarray(table[name].to_numpy(zero_copy_only=False), np.float64) for table in (found, told))
        assert np.nanmax(np.abs(a - b)) <= 0.02, name
