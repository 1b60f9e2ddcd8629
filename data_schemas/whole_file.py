"""Files that are there whole or not at all, and that a power cut cannot take back."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

_CANNOT = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.EBADF)
"""What systems answer that keep their folders safe themselves, or cannot be asked to."""


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; once this returns, it stays even if the power fails.

    Args:
        path: In a folder that exists; replaced if it does.
        data: All of it.
        mode: Whom it is readable to; by default the user alone.

    Raises:
        OSError: no space, or no right to write; a former file is as it was.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(draft, mode)
        os.replace(draft, path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise
    settle_folder(path.parent)


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike], compressed: bool = False) -> None:
    """Write arrays by name as one .npz file, whole or not at all, readable to the user alone; see `write_whole`.

    Args:
        path: In a folder that exists; replaced if it does.
        arrays: By name; none of objects.
        compressed: Smaller, and slower.

    Raises:
        OSError: no space, or no right to write; a former file is as it was.
    """
    packed = io.BytesIO()
    named: dict[str, ArrayLike] = dict(arrays)
    (np.savez_compressed if compressed else np.savez)(packed, **named)  # type: ignore[arg-type]
    write_whole(path, packed.getvalue())


def settle(folder: Path) -> None:
    """Return once all files below a folder, and their names, are on the disk; what links lead to is left alone.

    Raises:
        OSError: the disk does not take them.
    """
    for here, _, files in os.walk(folder):
        for path in (Path(here) / name for name in files):
            if not path.is_symlink():
                _settle(path)
        settle_folder(Path(here))


def settle_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk; at once where the system cannot be asked.

    Raises:
        OSError: the disk does not take them.
    """
    _settle(folder)


def _settle(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
