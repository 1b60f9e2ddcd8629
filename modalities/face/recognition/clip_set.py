"""Folders of clips to recognise: npz files with the pictures of all clips one after the other."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError, TelltaleError, UnreadableFileError
from modalities.face.recognition.samples import CLASSES, Samples

REQUIRED = ("x", "frames", "y", "subject", "dataset", "clip")
_EXPECTED = (
    "npz files with x (pictures of all clips one after the other, uint8, (total, h, w)), frames (pictures of each "
    "clip), y (0 negative, 1 positive, 2 surprise), subject, dataset, clip; further columns of words if there are any"
)


def holds_clips(folder: Path) -> bool:
    """Whether the first npz file of a folder is one of clips."""
    for file in sorted(folder.glob("*.npz")):
        try:
            with np.load(file, allow_pickle=False) as held:
                return "frames" in held.files
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return False
    return False


def read_clip_set(folder: Path) -> Samples:
    """All clips of a folder; sizes of pictures may differ from file to file.

    Args:
        folder: With npz files, see `REQUIRED`.

    Raises:
        UnreadableFileError: no such file, or arrays that are missing or do not fit each other.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise UnreadableFileError("the folder holds no clips", file=folder, expected=_EXPECTED)
    parts = [_read(file) for file in files]
    clips = [clip for one in parts for clip in one[0]]
    x = np.empty(len(clips), object)
    x[:] = clips
    y, *names = (np.concatenate([one[at] for one in parts]) for at in range(1, 5))
    subject, dataset, clip = (np.char.strip(one.astype(np.str_)) for one in names)
    columns = {name for one in parts for name in one[5]}
    attributes = {
        name: np.concatenate([one[5].get(name, np.full(len(one[0]), "")) for one in parts]).astype(np.str_)
        for name in sorted(columns)
    }
    return Samples("clip", x, y.astype(np.int64), subject, dataset, clip, CLASSES, attributes)


def write_clip_set(samples: Samples, file: Path) -> None:
    """Keep clips of one size as an npz file that `read_clip_set` reads.

    Raises:
        InvalidValueError: clips whose pictures differ in size.
    """
    sizes = {one.shape[1:] for one in samples.x}
    if samples.kind != "clip" or len(sizes) != 1:
        raise InvalidValueError(
            "one file holds clips of one size",
            got=f"{samples.kind}, sizes {sorted(sizes)}",
            mend="Write a file for each.",
        )
    arrays: dict[str, Any] = {
        "x": np.concatenate(list(samples.x)), "frames": np.array([len(one) for one in samples.x]), "y": samples.y,
        "subject": samples.subject, "dataset": samples.dataset, "clip": samples.clip, **samples.attributes,
    }  # fmt: skip
    np.savez_compressed(file, **arrays)


def _read(
    file: Path,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    try:
        with np.load(file, allow_pickle=False) as held:
            missing = [name for name in REQUIRED if name not in held.files]
            if missing:
                raise UnreadableFileError(f"the file has no array {', '.join(missing)}", file=file, expected=_EXPECTED)
            x, frames, y, subject, dataset, clip = (held[name] for name in REQUIRED)
            further = {name: held[name] for name in held.files if name not in REQUIRED}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, TelltaleError):
            raise
        raise UnreadableFileError("not an npz file of plain arrays", file=file, got=str(error)) from error
    columns = (frames, y, subject, dataset, clip, *further.values())
    fits = (
        x.ndim == 3
        and x.dtype == np.uint8
        and all(one.shape == (len(frames),) for one in columns)
        and all(np.issubdtype(one.dtype, np.integer) for one in (frames, y))
        and (frames >= 2).all()
        and int(frames.sum()) == len(x)
    )
    if not fits:
        got = ", ".join(
            f"{name} {one.dtype} {one.shape}" for name, one in zip((*REQUIRED, *further), (x, *columns), strict=True)
        )
        raise UnreadableFileError("the arrays are no set of clips", file=file, got=got, expected=_EXPECTED)
    return np.split(x, np.cumsum(frames)[:-1]), y, subject, dataset, clip, further
