"""Labelled skeleton clips from a user's data: one npz, or a folder of npz or csv files with a table of labels."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.gesture_schemes import SCHEMES
from modalities.body.gestures.layouts import find_layout, to_common
from modalities.body.skeleton import FloatArray

TABLE = "labels.csv"
COLUMNS = ("clip", "label", "subject")


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of one gesture each.

    Attributes:
        clips: n arrays (t, 19, 3): x, y, confidence of `layouts.COMMON`.
        labels: n names.
        subjects: n names; clips of one person share one.
    """

    clips: tuple[FloatArray, ...]
    labels: tuple[str, ...]
    subjects: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.clips) == len(self.labels) == len(self.subjects):
            raise InvalidValueError(
                "clips, labels and subjects do not fit together",
                got=(len(self.clips), len(self.labels), len(self.subjects)),
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted."""
        return tuple(sorted(set(self.labels)))

    def pick(self, rows: Sequence[int]) -> Clips:
        """Some of the clips."""
        return Clips(
            tuple(self.clips[at] for at in rows),
            tuple(self.labels[at] for at in rows),
            tuple(self.subjects[at] for at in rows),
        )


def read_clips(data: Path, layout: str | None = None, scheme: str | None = None) -> Clips:
    """Read a data set.

    One npz holds `x` (clips, frames, joints, 2 to 4), `y` (names or numbers), `subject`, and where it applies `length`
    (frames of each clip) and `layout`. A folder holds `labels.csv` (columns clip, label, subject) and for each clip
    `CLIP.npz` with `keypoints` (frames, joints, 2 to 4), or `CLIP.csv` with one row per frame and columns x0, y0, c0,
    x1, ... (c, the confidence, may be missing). Joints are in one of `layouts.LAYOUTS`.

    Args:
        data: The file, or the folder.
        layout: Name of the layout, where the number of joints does not tell it.
        scheme: "imigue" or "ma52", where labels are the numbers of its classes.

    Raises:
        MissingFileError: it does not exist, or a clip of the table does not.
        UnreadableFileError: a file is broken or lacks an entry.
        InvalidValueError: the joints fit no layout, a number no class.
    """
    if not data.exists():
        raise MissingFileError("no such file or folder", file=data)
    found = _read_folder(data, layout) if data.is_dir() else _read_file(data, layout)
    if not found.clips:
        raise UnreadableFileError("not a single labelled clip", file=data)
    if scheme is None:
        return found
    if scheme not in SCHEMES:
        raise InvalidValueError("no such scheme of gestures", got=scheme, expected=" or ".join(SCHEMES))
    names = SCHEMES[scheme].names
    labels = tuple(_named(label, names, scheme) for label in found.labels)
    return Clips(found.clips, labels, found.subjects)


def _named(label: str, names: tuple[str, ...], scheme: str) -> str:
    if not label.isdigit():
        return SCHEMES[scheme].find(label).name
    if int(label) >= len(names):
        raise InvalidValueError(f"no class of {scheme} has this number", got=label, expected=f"0 to {len(names) - 1}")
    return names[int(label)]


def _read_file(file: Path, layout: str | None) -> Clips:
    with _opened(file) as held:
        x, y, subject = (_entry(held, name, file) for name in ("x", "y", "subject"))
        length = held["length"] if "length" in held else np.full(len(x), x.shape[1] if x.ndim > 1 else 0)
        named = str(held["layout"]) if "layout" in held else layout
    if x.ndim != 4 or not len(x) == len(y) == len(subject) == len(length):
        raise UnreadableFileError(
            "the entries do not fit together",
            file=file,
            got={"x": x.shape, "y": y.shape, "subject": subject.shape},
            expected="x (clips, frames, joints, 2 to 4), y (clips,), subject (clips,)",
        )
    order = find_layout(x.shape[2], layout or named)
    clips = tuple(to_common(one[: max(1, int(n))], order) for one, n in zip(x, length, strict=True))
    return Clips(clips, tuple(map(str, y)), tuple(map(str, subject)))


def _read_folder(folder: Path, layout: str | None) -> Clips:
    table = folder / TABLE
    if not table.is_file():
        raise MissingFileError(
            f"the folder has no {TABLE}", file=folder, expected=f"a table with columns {', '.join(COLUMNS)}"
        )
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in COLUMNS if rows and not rows[0].get(name)]
    if missing:
        raise UnreadableFileError("the table of labels lacks columns", file=table, got=f"no {', '.join(missing)}")
    clips = []
    for row in rows:
        points, named = _read_clip(folder, row["clip"])
        clips.append(to_common(points, find_layout(points.shape[1], layout or named)))
    return Clips(tuple(clips), tuple(row["label"] for row in rows), tuple(row["subject"] for row in rows))


def _read_clip(folder: Path, name: str) -> tuple[FloatArray, str | None]:
    packed, plain = folder / f"{name}.npz", folder / f"{name}.csv"
    if packed.is_file():
        with _opened(packed) as held:
            points = _entry(held, "keypoints", packed)
            named = str(held["layout"]) if "layout" in held else None
        if points.ndim != 3 or points.shape[-1] not in (2, 3, 4) or not len(points):
            raise UnreadableFileError(
                "keypoints of another shape", file=packed, got=points.shape, expected="(frames, joints, 2 to 4)"
            )
        return points, named
    if not plain.is_file():
        raise MissingFileError(
            f"the clip '{name}' of {TABLE} is not there", file=packed, expected=f"it, or {plain.name}"
        )
    return _read_csv(plain), None


def _read_csv(file: Path) -> FloatArray:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    joints = sum(name[:1] == "x" and name[1:].isdigit() for name in names)
    kinds = [kind for kind in ("x", "y", "c") if all(f"{kind}{at}" in names for at in range(joints))]
    if not joints or kinds[:2] != ["x", "y"] or len(rows) < 2:
        raise UnreadableFileError("not a table of joints", file=file, expected="columns x0, y0, c0, x1, ... and a row")
    try:
        values = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows[1:]])
    except ValueError as error:
        raise UnreadableFileError(f"a cell is no number: {error}", file=file) from error
    return np.stack([values[:, [names.index(f"{kind}{at}") for at in range(joints)]] for kind in kinds], axis=-1)


def _opened(file: Path) -> np.lib.npyio.NpzFile:
    try:
        held = np.load(file, allow_pickle=False)
    except (OSError, ValueError, BadZipFile) as error:
        raise UnreadableFileError(f"not an npz file: {error}", file=file) from error
    if not isinstance(held, np.lib.npyio.NpzFile):
        raise UnreadableFileError("not an npz file", file=file)
    return held


def _entry(held: np.lib.npyio.NpzFile, name: str, file: Path) -> np.ndarray:
    if name not in held:
        raise UnreadableFileError(f"no entry '{name}'", file=file, got=", ".join(held.files))
    try:
        return np.asarray(held[name])
    except ValueError as error:
        raise UnreadableFileError(f"the entry '{name}' cannot be read: {error}", file=file) from error
