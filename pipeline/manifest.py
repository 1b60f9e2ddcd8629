"""Reading `session.toml`, and writing clock maps back into it."""

from __future__ import annotations

import datetime as dt
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from data_schemas.errors import ConsentError, ManifestError, MissingFileError
from data_schemas.session import Manifest
from pipeline.complaints import explain

MANIFEST_NAME = "session.toml"
ALLOWED = "TELLTALE_ALLOW"
"""Environment variable with further folders that manifests may name files in."""


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a session folder.

    Args:
        folder: The session folder, or the manifest file itself.

    Raises:
        MissingFileError: no folder, or no `session.toml` in it.
        ManifestError: it is no TOML, a key or value is wrong, or a path leads out of the study's folder; the message
            names place and line.
    """
    path = folder if folder.suffix == ".toml" else folder / MANIFEST_NAME
    if not path.is_file():
        if not path.parent.is_dir():
            raise MissingFileError("no such folder", file=path.parent)
        _refuse_study(path.parent)
        raise MissingFileError(
            "the folder has no session.toml", file=path.parent, mend=f"Write one with: telltale init {path.parent}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ManifestError("the manifest is not UTF-8 text", file=path, mend="Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets within each other
        said = str(error) if isinstance(error, ValueError) else "tables nested too deep"
        raise ManifestError("the manifest is no valid TOML", file=path, got=said, mend="Correct that line.") from error
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        raise ManifestError(explain(error, Manifest, text), file=path, mend="Correct the manifest.") from error
    _keep_inside(manifest, path)
    return manifest


def sessions_in(folder: Path) -> list[str]:
    """Session folders below a folder, up to three levels deep, by their paths from there."""
    levels = (MANIFEST_NAME, f"*/{MANIFEST_NAME}", f"*/*/{MANIFEST_NAME}")
    found = (path.parent.relative_to(folder) for level in levels for path in folder.glob(f"*/{level}"))
    return sorted(place.as_posix() for place in found if not any(part.startswith(".") for part in place.parts))


def _refuse_study(folder: Path) -> None:
    """Return unless a folder of sessions was named where one session is wanted.

    Raises:
        MissingFileError: it was; the message names some.
    """
    names = sessions_in(folder)
    if names:
        some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise MissingFileError(
            f"this folder holds the sessions {some}" if len(names) > 1 else f"this folder holds the session {some}",
            file=folder,
            mend="Name one, or use telltale batch for all of them.",
        )


def lies_inside(place: Path, study: Path, links: bool) -> bool:
    """Whether a place lies below a study's folder, or below one that `TELLTALE_ALLOW` names.

    Args:
        place: Absolute; need not exist, holds no NUL character.
        study: The study's folder.
        links: Whether links are followed. To be asked where a path has "..": a link within the study is the user's own
            doing.
    """
    plain = os.path.realpath if links else os.path.normpath
    named = [Path(one).absolute() for one in os.environ.get(ALLOWED, "").split(os.pathsep) if one]
    return any(Path(plain(place)).is_relative_to(plain(root)) for root in (study, *named))


def _keep_inside(manifest: Manifest, path: Path) -> None:
    """Return if no path leads out of the study: the folder around a session folder, or that of a lone manifest.

    Raises:
        ManifestError: one does, and not into a folder that `TELLTALE_ALLOW` names.
    """
    folder = path.absolute().parent
    study = folder.parent if path.name == MANIFEST_NAME else folder
    for entry in manifest.streams:
        for name in entry.paths:
            if "\0" in name:
                raise ManifestError("a path holds a NUL character", file=path, stream=entry.name, mend="Correct it.")
            if not lies_inside(folder / name, study, links=".." in Path(name).parts):
                raise ManifestError(
                    "a path leads out of the study's folder", file=path, stream=entry.name, got=name,
                    expected=f"below {study}",
                    mend=f"Copy or link it into the study, or name its folder in the environment variable {ALLOWED}.",
                )  # fmt: skip


def require_consent(manifest: Manifest, scope: str, path: Path, today: dt.date | None = None) -> None:
    """Return if the manifest records consent for `scope` ("analyse", "share" or "train").

    Raises:
        ConsentError: no such consent, or it has expired; the message says which lines to write.
    """
    consent = manifest.consent
    if scope not in consent.scope:
        lines = f"scope = {json.dumps([*consent.scope, scope])}"
        if consent.date is None:
            lines += " and date = YYYY-MM-DD"
        raise ConsentError(
            f"the manifest records no consent to {scope}",
            file=path,
            got=f"scope = {list(consent.scope)}",
            mend=f"If these people agreed, write under [consent]: {lines}.",
        )
    if consent.expires is not None and consent.expires <= (today or dt.date.today()):
        raise ConsentError(
            f"the consent to {scope} expired on {consent.expires}",
            file=path,
            mend="Ask again, and correct [consent] expires, or do not use this recording.",
        )


def write_clocks(path: Path, clocks: Mapping[str, tuple[float, float]], note: str) -> list[str]:
    """Write offsets and drifts into the manifest, leaving everything else of it as it stands.

    Args:
        path: The `session.toml`.
        clocks: Clock name -> (offset_s, drift_ppm).
        note: Comment on where they come from.

    Returns:
        Names of the clocks that were changed.
    """
    import tomlkit

    document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    changed = []
    for name, (offset_s, drift_ppm) in clocks.items():
        table = document.get("clocks", {}).get(name)
        if table is None or table.get("reference"):
            continue
        for key in ("own", "against"):
            table.pop(key, None)
        table["align"] = "offset"
        table["offset_s"] = round(offset_s, 9)
        table["drift_ppm"] = round(drift_ppm, 4)
        table["align"].comment(note)
        changed.append(name)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    temporary.replace(path)
    return changed
