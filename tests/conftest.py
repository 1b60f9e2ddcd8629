"""What tests share: the folder of real recordings, and simulated sessions made once per run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings, from TELLTALE_DATA; tests that need it skip where it is not set."""
    value = os.environ.get("TELLTALE_DATA")
    if not value:
        pytest.skip("TELLTALE_DATA is not set: the real recordings are not on this machine")
    path = Path(value).resolve()
    if not path.is_dir():
        pytest.fail(f"TELLTALE_DATA names {path}, which is no folder")
    return path
