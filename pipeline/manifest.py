"""Reading `session.toml`, and writing clock maps back into it."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from data_schemas.errors import ConsentError, ManifestError, MissingFileError
from data_schemas.session import Manifest
from pipeline.complaints import explain

MANIFEST_NAME = "session.toml"


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a session folder.

    Args:
        folder: The session folder, or the manifest file itself.

    Raises:
        MissingFileError: no folder, or no `session.toml` in it.
        ManifestError: it is no TOML, or a key or value is wrong; the message names place and line.
    """
    path = folder if folder.suffix == ".toml" else folder / MANIFEST_NAME
    if not path.is_file():
        if not path.parent.is_dir():
            raise MissingFileError("no such folder", file=path.parent)
        raise MissingFileError(
            "the folder has no session.toml", file=path.parent, mend=f"Write one with: telltale init {path.parent}"
        )
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ManifestError("the manifest is not UTF-8 text", file=path, mend="Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(
            "the manifest is no valid TOML", file=path, got=str(error), mend="Correct that line."
        ) from error
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise ManifestError(explain(error, Manifest, text), file=path, mend="Correct the manifest.") from error


def require_consent(manifest: Manifest, scope: str, path: Path, today: dt.date | None = None) -> None:
    """Return if the manifest records consent for `scope` ("analyse", "share" or "train").

    Raises:
        ConsentError: no such consent, or it has expired; the message says which two lines to write.
    """
    consent = manifest.consent
    if scope not in consent.scope:
        raise ConsentError(
            f"the manifest records no consent to {scope}",
            file=path,
            got=f"scope = {list(consent.scope)}",
            mend=f'If these people agreed, write under [consent]: scope = ["{scope}"] and date = YYYY-MM-DD.',
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

    document = tomlkit.parse(path.read_text(encoding="utf-8"))
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
