"""Pictures to files other than videos: numbered 16-bit PNG files, one NumPy array; both with a table of times."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, TelltaleError, UnreadableFileError

TIMES = "timestamps.csv"
"""The table beside numbered pictures; that of an array NAME.npy is NAME_timestamps.csv."""

Pictures = Iterable[NDArray[Any]]


def write_picture_sequence(folder: Path, pictures: Pictures, times_s: NDArray[np.float64]) -> list[Path]:
    """Write `frame_000000.png` ... and `timestamps.csv`, with the columns file and time_s.

    Args:
        folder: Made if need be.
        pictures: Grey (h, w), uint8 or uint16, or RGB uint8 (h, w, 3), all of one size; taken one at a time.
        times_s: Of each picture, s, increasing, (n,).

    Returns:
        The files of the pictures.

    Raises:
        InvalidValueError: other numbers of pictures than of times, times that do not increase, unlike pictures.
        UnreadableFileError: a file cannot be written there.
    """
    import cv2

    times = _checked(times_s)
    files: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for at, picture in enumerate(_alike(pictures, len(times), folder)):
            path = folder / f"frame_{at:06d}.png"
            stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            path.write_bytes(cv2.imencode(".png", stored)[1].tobytes())
            files.append(path)
        with (folder / TIMES).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("file", "time_s"))
            writer.writerows((path.name, f"{time:.6f}") for path, time in zip(files, times, strict=True))
    except OSError as error:
        raise _unwritable(folder, error) from error
    return files


def write_picture_array(path: Path, pictures: Pictures, times_s: NDArray[np.float64]) -> None:
    """Write one NumPy file (n, h, w), picture by picture, and `NAME_timestamps.csv` with the column time_s.

    Args:
        path: Ends in .npy.
        pictures: Grey (h, w), uint8 or uint16, all of one size; taken one at a time.
        times_s: Of each picture, s, increasing, (n,).

    Raises:
        InvalidValueError: as `write_picture_sequence`, or pictures in colour. A file begun is removed.
        UnreadableFileError: a file cannot be written there.
    """
    times = _checked(times_s)
    if path.suffix.lower() != ".npy":
        raise InvalidValueError("no NumPy file with this ending", file=path, expected=".npy")
    try:
        with path.open("wb") as file:
            for at, picture in enumerate(_alike(pictures, len(times), path)):
                if picture.ndim != 2:
                    raise InvalidValueError("an array of pictures is grey", file=path, got=picture.shape)
                if not at:
                    shape = (len(times), *picture.shape)
                    head = {"descr": np.lib.format.dtype_to_descr(picture.dtype), "fortran_order": False}
                    np.lib.format.write_array_header_1_0(file, {**head, "shape": shape})
                file.write(np.ascontiguousarray(picture).tobytes())
        table = path.with_name(f"{path.stem}_{TIMES}")
        table.write_text("time_s\n" + "".join(f"{time:.6f}\n" for time in times), encoding="utf-8", newline="\n")
    except TelltaleError:
        path.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _checked(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    times = np.asarray(times_s, np.float64)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or np.any(np.diff(times) < 1e-6):
        raise InvalidValueError("picture times must be finite, at least one, and increase by 1 us", got=times.shape)
    return times


def _alike(pictures: Pictures, n: int, path: Path) -> Iterator[NDArray[Any]]:
    """The pictures, as many as there are times and all of one size and type."""
    first: NDArray[Any] | None = None
    count = 0
    for picture in pictures:
        first = picture if first is None else first
        if picture.shape != first.shape or picture.dtype != first.dtype or picture.dtype not in (np.uint8, np.uint16):
            raise InvalidValueError(
                "all pictures need one size and type", file=path, got=(picture.shape, str(picture.dtype)),
                expected=f"{first.shape} of uint8 or uint16",
            )  # fmt: skip
        if count < n:
            yield picture
        count += 1
        if count > n:
            break
    if count != n:
        raise InvalidValueError("every picture needs one time", file=path, got=f"{count} pictures", expected=n)


def _unwritable(path: Path, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(
        "pictures cannot be written", file=path, got=str(error), mend="Is the folder there, and may one write to it?"
    )
