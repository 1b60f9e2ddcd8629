"""Folders of a study that hold recordings which no manifest names: sessions that nobody has described yet."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_schemas.errors import TelltaleError
from pipeline.manifest import MANIFEST_NAME

SKIPPED = ("derivatives", "code", "truth")
"""Folders of a study in which no session is looked for."""
_RESULTS = ("result.json", ".telltale", ".telltale.json")
_FOR_CLOCKS = (None, "markers", "cues", "ignore")


def undescribed(study: Path, out: Path | None, known: Sequence[Path]) -> list[Path]:
    """The manifests that are missing, each in the folder where it should lie.

    Beside session folders, every folder with a recording anywhere in it is taken for a session; elsewhere, one with a
    recording directly in it. Results, hidden folders and recordings that a manifest names do not count, nor does a
    study in which recordings lie side by side with its folders: that is one session.

    Args:
        study: Folder of the study.
        out: Folder of results, not searched.
        known: The manifests that there are.
    """
    if not known and any(_is_recording(path) for path in study.iterdir() if path.is_file()):
        return []
    named = {path for manifest in known for path in _files_of(manifest)}
    taken = {Path(os.path.abspath(one.parent)) for one in known if one.name == MANIFEST_NAME}
    above = {folder for path in known for folder in Path(os.path.abspath(path)).parents}
    leave_out = None if out is None else out.resolve()
    found: list[Path] = []

    def descend(folder: Path, beside: bool) -> None:
        here = Path(os.path.abspath(folder))
        if here in taken:
            return
        if folder != study and here not in above:
            files = _recordings(folder, deep=beside)
            first = next(files, None)
            if first is not None:
                every = (first, *files)
                if not any(not named.isdisjoint((path, *path.parents)) for path in every):
                    found.append(folder / MANIFEST_NAME)
                return
        children = _folders(folder, leave_out)
        sessions = any(Path(os.path.abspath(child)) in taken for child in children)
        for child in children:
            descend(child, sessions)

    descend(study, False)
    return found


def _folders(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """Folders in a folder in which sessions may lie."""
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
        return [
            path
            for path in inside
            if not path.name.startswith(".")
            and path.name not in SKIPPED
            and path.resolve() != leave_out
            and not any((path / name).exists() for name in _RESULTS)
        ]
    except OSError:  # one that may not be looked into is told of elsewhere
        return []


def _recordings(folder: Path, deep: bool) -> Iterator[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:
        return
    yield from (Path(os.path.abspath(path)) for path in files if _is_recording(path))
    if deep:
        for child in _folders(folder):
            yield from _recordings(child, deep)


def _is_recording(path: Path) -> bool:
    """Whether a file is a recording by its name; a table only where it holds signals."""
    from modalities.readers import probe
    from modalities.readers.registry import SUFFIXES

    form = SUFFIXES.get(path.suffix.lower())
    if form != "table":
        return form is not None
    try:
        return any(track.kind not in _FOR_CLOCKS for track in probe(path).tracks)
    except TelltaleError:
        return False


def _files_of(manifest: Path) -> Iterator[Path]:
    """The files that a manifest names; none where it cannot be read."""
    try:
        streams = tomllib.loads(manifest.read_text(encoding="utf-8-sig", errors="replace")).get("streams", [])
    except (OSError, ValueError, RecursionError):
        return
    for stream in streams if isinstance(streams, list) else []:
        told = (stream.get("file"), stream.get("files")) if isinstance(stream, dict) else ()
        for one in told:
            for name in [one] if isinstance(one, str) else one if isinstance(one, list) else []:
                yield Path(os.path.abspath(manifest.parent / str(name)))
