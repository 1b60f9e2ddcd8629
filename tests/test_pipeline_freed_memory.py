"""Freed memory goes back to the system."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

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
