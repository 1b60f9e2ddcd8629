"""The user's own folder of Telltale: keys, audit log, what was said once. Outside every result folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.batch.lock import held


def home() -> Path:
    """The folder: TELLTALE_HOME, or `telltale` in the place where this system keeps users' data. Need not exist."""
    given = os.environ.get("TELLTALE_HOME")
    if given:
        return Path(given).absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "telltale"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "telltale"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "telltale"


@contextmanager
def alone() -> Iterator[Path]:
    """The folder, made if absent and readable by the user alone, with nobody else writing into it.

    Raises:
        OSError: it cannot be made or written.
    """
    folder = home()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with held(folder / "lock", wait=True):
        yield folder
