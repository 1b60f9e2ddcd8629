"""Reading a folder of flow maps: npz files, and a table of further columns beside them."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import MissingFileError, TelltaleError, UnreadableFileError
from modalities.face.recognition.samples import CLASSES, Names, Samples

REQUIRED = ("x", "y", "subject", "dataset", "clip")
_EXPECTED = (
    "one or more .npz files with x (n, 28, 28, 3) = u, v, strain stretched over 0..255, y (0 negative, 1 positive, "
    "2 surprise), subject, dataset, clip; labels.csv with dataset, subject, clip and further columns is optional"
)


def read_flow_set(folder: Path) -> Samples:
    """All flow maps of a folder.

    Args:
        folder: Holds npz files with the arrays `REQUIRED`, and perhaps `labels.csv`, whose rows are joined by
            dataset, subject and clip.

    Raises:
        MissingFileError: no such folder, or no npz file in it.
        UnreadableFileError: a file lacks an array, or holds what is no set of flow maps.
    """
    if not folder.is_dir():
        raise MissingFileError("no such folder of samples", file=folder)
    files = sorted(folder.glob("*.npz"))
    if not files:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "an empty folder"
        raise MissingFileError("the folder holds no flow maps", file=folder, got=found, expected=_EXPECTED)
    parts = [_read_arrays(file) for file in files]
    x, y, subject, dataset, clip = (np.concatenate([part[at] for part in parts]) for at in range(len(REQUIRED)))
    keys = list(zip(dataset.tolist(), subject.tolist(), clip.tolist(), strict=True))
    table = folder / "labels.csv"
    attributes = _read_table(table, keys) if table.is_file() else {}
    return Samples("flow_map", x, y, subject, dataset, clip, CLASSES, attributes)


def _read_arrays(file: Path) -> tuple[NDArray[np.float32], NDArray[np.int64], Names, Names, Names]:
    try:
        with np.load(file, allow_pickle=False) as held:
            missing = [name for name in REQUIRED if name not in held.files]
            if missing:
                raise UnreadableFileError(
                    f"the file has no array {', '.join(missing)}",
                    file=file,
                    got=", ".join(held.files) or "no arrays",
                    expected=_EXPECTED,
                )
            x, y, *names = (held[name] for name in REQUIRED)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, TelltaleError):
            raise
        raise UnreadableFileError("not an npz file of plain arrays", file=file, got=str(error)) from error
    if any(column.ndim != 1 or len(column) != len(y) for column in (y, *names)) or len(x) != len(y):
        sizes = ", ".join(f"{name} {one.shape}" for name, one in zip(REQUIRED, (x, y, *names), strict=True))
        raise UnreadableFileError("the arrays differ in length", file=file, got=sizes)
    if not np.issubdtype(y.dtype, np.integer) or not np.issubdtype(x.dtype, np.number):
        raise UnreadableFileError(
            "labels or maps are no numbers", file=file, got=f"y {y.dtype}, x {x.dtype}", expected="y integer, x uint8"
        )
    maps = x.astype(np.float32)
    if not np.isfinite(maps).all() or maps.min() < 0 or maps.max() > 255:
        raise UnreadableFileError(
            "flow maps leave their range", file=file, got=f"{maps.min()} to {maps.max()}", expected="0 to 255"
        )
    text = [np.char.strip(np.asarray(column).astype(np.str_)) for column in names]
    return maps, y.astype(np.int64), text[0], text[1], text[2]


def _read_table(file: Path, keys: list[tuple[str, str, str]]) -> dict[str, Names]:
    """Further columns of the samples; empty text where the table has no row for one."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError("the table is no CSV text", file=file, got=str(error)) from error
    names = [name for name in (rows[0] if rows else ()) if name]
    if any(name not in names for name in ("dataset", "subject", "clip")):
        return {}
    found = {(row["dataset"], row["subject"], row["clip"]): row for row in rows}
    return {
        name: np.array([(found.get(key, {}).get(name) or "").strip() for key in keys], dtype=np.str_)
        for name in names
        if name not in ("dataset", "subject", "clip", "label")
    }
