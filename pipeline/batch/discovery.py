"""Finding the sessions of a study: a tree of folders, a folder of manifests, or a table that lists them."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_schemas.errors import ManifestError, MissingFileError, NothingUsableError
from pipeline.batch.undescribed import SKIPPED, undescribed
from pipeline.manifest import ALLOWED, MANIFEST_NAME, lies_inside

_PLACE_COLUMNS = ("folder", "manifest", "path", "session_folder", "dir")
_NAME_COLUMNS = ("session", "session_id", "name")
_LONGEST = 120


@dataclass(frozen=True)
class Place:
    """One session of a study.

    Attributes:
        name: Unique in the study and fit for a folder: the path below the study, parts joined by "_".
        manifest: Its `session.toml`, or the manifest of that name; need not exist.
        labels: What the study's table says of it.
    """

    name: str
    manifest: Path
    labels: Mapping[str, str] = field(default_factory=dict)


def find_sessions(study: Path, out: Path | None = None, *, with_undescribed: bool = False) -> list[Place]:
    """All sessions of a study, in order of their names.

    - A folder: every `session.toml` below it, at any depth, and every other `.toml` that is a manifest (a table
      `streams` in it). Hidden folders, links, `out` and folders named derivatives, code or truth are left
      out. A folder `sub-*` or `ses-*` without any manifest counts as a session without one; so does a folder that
      may not be looked into, which then fails with the reason.
    - A table (`.csv` or `.tsv`): one row per session, with the column `folder` (a session folder, or a manifest, below
      the table's folder); `session` names it, all other columns are labels. `participants.tsv` of BIDS lies in
      the study's folder and is read with the results, not here.

    Args:
        study: Folder or table.
        out: Folder of the results, which is not searched.
        with_undescribed: List folders of recordings that no manifest names too, with the manifest that is missing.

    Raises:
        MissingFileError: no such folder or table.
        ManifestError: the table lacks the column, names two sessions alike, or leads out of its folder.
        NothingUsableError: there is no session.
    """
    if not study.exists():
        raise MissingFileError("no such study", file=study)
    if study.is_file():
        places = [Place("", study)] if study.suffix == ".toml" else _of_table(study)
        root = study.parent
    else:
        found = list(_walk(study, out))
        found += undescribed(study, out, found) if with_undescribed else []
        places, root = [Place("", path) for path in found], study
    if not places:
        raise NothingUsableError(
            "the study holds no session", file=study, expected=f"folders with a {MANIFEST_NAME}",
            mend="Write one for each session with: telltale init FOLDER",
        )  # fmt: skip
    return sorted(_named(places, root), key=lambda place: place.name)


def _walk(study: Path, out: Path | None) -> Iterator[Path]:
    leave_out = None if out is None else out.resolve()
    closed: list[Path] = []
    for folder, inside, files in os.walk(study, onerror=lambda error: closed.append(Path(error.filename))):
        here = Path(folder)
        inside[:] = sorted(
            name
            for name in inside
            if not name.startswith(".") and name not in SKIPPED and (here / name).resolve() != leave_out
        )
        if MANIFEST_NAME in files:
            yield here / MANIFEST_NAME
            inside[:] = []
            continue
        manifests = [here / name for name in sorted(files) if name.endswith(".toml") and _is_manifest(here / name)]
        yield from manifests
        bids = here.name.startswith(("sub-", "ses-"))
        if bids and not manifests and not any(True for _ in here.rglob("*.toml")):
            nested = any(name.startswith(("sub-", "ses-")) for name in inside)
            if not nested:
                yield here / MANIFEST_NAME
                inside[:] = []
    yield from (folder / MANIFEST_NAME for folder in closed if folder != study)


def _is_manifest(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return False
    try:
        return "streams" in tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return "[[streams]]" in text


def _of_table(path: Path) -> list[Place]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    dialect = "excel-tab" if path.suffix == ".tsv" else "excel"
    rows = list(csv.DictReader(text.splitlines(), dialect=dialect))
    names = list(rows[0]) if rows else []
    column = next((name for name in _PLACE_COLUMNS if name in names), None)
    if rows and column is None:
        raise ManifestError(
            "the table does not say where the sessions lie", file=path, got=", ".join(map(str, names)),
            expected="a column 'folder'",
        )  # fmt: skip
    naming = next((name for name in _NAME_COLUMNS if name in names), None)
    places = []
    for number, row in enumerate(rows, 2):
        value = (row.get(column or "") or "").strip()
        if not value:
            raise ManifestError("a row names no folder", file=path, got=f"line {number}")
        where = path.parent / value
        labels = {
            str(key): str(cell).strip()
            for key, cell in row.items()
            if key and key not in (column, naming) and cell is not None and str(cell).strip() not in ("", "n/a")
        }
        _require_inside(where, path, f"line {number}: {value}")
        manifest = where if where.suffix == ".toml" else where / MANIFEST_NAME
        places.append(Place((row.get(naming or "") or "").strip(), manifest, labels))
    return places


def _require_inside(place: Path, table: Path, row: str) -> None:
    """Return if a session lies below the table's folder, or below one that `TELLTALE_ALLOW` names.

    Raises:
        ManifestError: it lies elsewhere.
    """
    study = table.absolute().parent
    if "\0" in str(place) or not lies_inside(place.absolute(), study, links=".." in place.parts):
        raise ManifestError(
            "a row of the table leads out of the study's folder", file=table, got=row, expected=f"below {study}",
            mend=f"Copy or link the session into the study, or name its folder in the environment variable {ALLOWED}.",
        )  # fmt: skip


def _named(places: Sequence[Place], root: Path) -> list[Place]:
    """The same, each with a name of its own."""
    named = [replace(place, name=fit(place.name or _path_name(place.manifest, root))) for place in places]
    seen: dict[str, Place] = {}
    for place in named:
        key = place.name.casefold()
        if key in seen:
            raise ManifestError(
                "two sessions have the same name", file=place.manifest, got=f"'{place.name}', as {seen[key].manifest}",
                mend="Rename one of the folders, or name them in the column 'session' of a table.",
            )  # fmt: skip
        seen[key] = place
    return named


def _path_name(manifest: Path, root: Path) -> str:
    where = manifest.parent if manifest.name == MANIFEST_NAME else manifest.with_suffix("")
    absolute, base = Path(os.path.abspath(where)), Path(os.path.abspath(root))
    parts = absolute.relative_to(base).parts if absolute.is_relative_to(base) else (absolute.name,)
    return "_".join(parts) or absolute.name


def fit(name: str) -> str:
    """A name that is fit for a folder on any system: no separators or control characters, at most 120 bytes."""
    readable = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", readable).strip(". ") or "session"
    data = text.encode("utf-8")
    if len(data) <= _LONGEST:
        return text
    short = data[: _LONGEST - 9].decode("utf-8", "ignore")
    return f"{short}-{hashlib.sha256(data).hexdigest()[:8]}"
