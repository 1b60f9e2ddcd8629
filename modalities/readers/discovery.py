"""Everything readable below a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from data_schemas.errors import MissingFileError, TelltaleError
from modalities.readers.empatica import is_export
from modalities.readers.image_sequence import numbered_pictures
from modalities.readers.info import FileInfo
from modalities.readers.picture_times import stamp_files
from modalities.readers.registry import COMPANIONS, PICTURE_SUFFIXES
from modalities.readers.sniff import is_known, probe_path

_PASSED_OVER = re.compile(r"readme|licen[cs]e|^(copying|changelog|notice|authors|citation)\b", re.IGNORECASE)
_SKIPPED_FOLDERS = ("truth", "__pycache__", "__macosx")


def discover_below(root: Path) -> tuple[list[FileInfo], list[TelltaleError]]:
    """`modalities.readers.discover`."""
    if not root.is_dir():
        raise MissingFileError("no such folder", file=root)
    found: list[FileInfo] = []
    broken: list[TelltaleError] = []
    for path in _candidates(root):
        try:
            found.append(probe_path(path))
        except TelltaleError as error:
            error.file = error.file or str(path)
            broken.append(error)
    return found, broken


def _candidates(folder: Path, top: bool = True) -> Iterator[Path]:
    """Files and folders that look like recordings, files before folders, each by name."""
    if not top and (folder / "result.json").is_file():
        return
    if is_export(folder):
        yield folder
        return
    entries = sorted(folder.iterdir(), key=lambda path: (path.name.lower(), path.name))
    shown = [path for path in entries if not path.name.startswith((".", "~$"))]
    pictures = numbered_pictures(folder)
    if pictures:
        yield folder
    headers = {path.stem.lower() + path.suffix.lower() for path in shown}
    arrays = [path.stem for path in shown if path.suffix.lower() == ".npy"]
    stamps = {table.name.lower() for prefix in (*pictures, *arrays) for table in stamp_files(folder, prefix)}
    for path in shown:
        if not path.is_file() or _PASSED_OVER.search(path.name) or path.name.lower() in stamps:
            continue
        suffix = path.suffix.lower()
        if suffix in PICTURE_SUFFIXES:
            continue
        header = COMPANIONS.get(suffix)
        if header is not None:
            if path.stem.lower() + header not in headers and suffix in (".dat", ".eeg"):
                yield path
            continue
        if is_known(path):
            yield path
    for path in shown:
        if path.is_dir() and path.name.lower() not in _SKIPPED_FOLDERS:
            yield from _candidates(path, top=False)
