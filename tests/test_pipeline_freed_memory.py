"""Freed memory goes back to the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_schemas.features import Track
from pipeline.memory import give_back


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed")
def test_what_lies_under_a_small_object_that_stays_is_given_back() -> None:
    held = [bytearray(b"x" * 65_536) for _ in range(3000)]
    last = held[-1]
    held.clear()
    before = resident()
    give_back()
    assert before - resident() > 100e6
    assert len(last) == 65_536


_LARGE = """
import os
from pathlib import Path
from pipeline.memory import keep_large_apart
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
APART
bytearray(31 << 20)  # freed at once: from now on glibc takes what is smaller from its heap
before = resident()
held, small = [], []
for _ in range(20):
    held.append(bytearray(12 << 20))
    held[-1][::1024] = b"x" * (12 << 10)
    small.append(bytearray(400_000))
held.clear()
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed")
def test_large_arrays_go_back_as_they_are_freed() -> None:
    # Whoever sets a threshold of glibc, as dask does for its workers, takes every large array apart already.
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    kept = {}
    for name, line in (("as it is", ""), ("apart", "keep_large_apart()")):
        run = subprocess.run(
            [sys.executable, "-c", _LARGE.replace("APART", line)],
            capture_output=True,
            text=True,
            check=True,
            env=plain,
        )
        kept[name] = int(run.stdout)
    assert kept["apart"] < 30e6 < 100e6 < kept["as it is"]


def test_a_track_holds_on_to_nothing_but_itself() -> None:
    """Its times are often a column of all that was kept of a video's frames."""
    rows = np.zeros(1000, np.dtype([("t_ns", np.int64), ("kept", np.float32, (200,))]))
    rows["t_ns"] = np.arange(1000)
    kept = weakref.ref(rows)
    track = Track(rows["t_ns"], ("a",), rows["kept"][:, :1], np.ones((1000, 1), bool), np.full(1000, "", object))
    del rows
    assert kept() is None and track.times_ns[-1] == 999


def test_what_arrow_freed_is_given_back_too() -> None:
    pool = pa.default_memory_pool()
    if pool.backend_name == "system":
        pytest.skip("this Arrow has no pool of its own")
    others = pool.bytes_allocated()
    columns = [pa.array(np.full(500_000, at, np.float32)).take(pa.array(np.arange(500_000))) for at in range(60)]
    full = resident()
    del columns
    assert pool.bytes_allocated() <= others + 1e6
    give_back()
    assert full - resident() > 80e6
