"""The sessions of a study that may be trained on: where their results and manifests lie, and who agreed to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_schemas.errors import ConsentError, ManifestError, MissingFileError, NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.session import Manifest
from pipeline.lab.results import is_result
from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent


@dataclass(frozen=True)
class Source:
    """A session to train on.

    Attributes:
        name: Name of its folder.
        manifest: What was recorded, of whom, with what consent.
        root: The session folder.
        result: What `analyze` left; None where it has not been analysed.
    """

    name: str
    manifest: Manifest
    root: Path
    result: Path | None = None


@dataclass(frozen=True)
class Sources:
    """What a study holds.

    Attributes:
        usable: Sessions with consent to train.
        refused: Name of a session -> why it is not used.
    """

    usable: tuple[Source, ...]
    refused: dict[str, str]


def find_sources(study: Path, sessions: Path | None = None, results: Path | None = None) -> Sources:
    """The sessions of a study.

    Args:
        study: Folder of session folders, of results of `analyze` or `batch`, or of both.
        sessions: Where the session folders lie, if not in the study: for their consent.
        results: Where results lie, if not in the study.

    Raises:
        MissingFileError: one of the folders is not there.
        NothingUsableError: neither a session nor a result, or none with consent; the message lists why.
    """
    for folder in (study, sessions, results):
        if folder is not None and not folder.is_dir():
            raise MissingFileError("no such folder", file=folder)
    folders = [one for one in (study, sessions, results) if one is not None]
    places = dict.fromkeys(path.resolve() for folder in folders for path in _walk(folder))
    found = [path for path in places if is_result(path)]
    roots = [path for path in places if (path / MANIFEST_NAME).is_file()]
    usable: dict[Path, Source] = {}
    refused: dict[str, str] = {}
    manifests: dict[Path, Manifest] = {}
    for root in roots:
        try:
            manifests[root] = load_manifest(root)
        except ManifestError as error:
            refused[root.name] = str(error)
    for result in found:
        root_of = _session_of(result, manifests)
        if root_of is None:
            refused[result.name] = (
                f"no session.toml was found for the result {result}, so consent to train is not known. Say where the "
                "session folders lie with --sessions."
            )
            continue
        usable[root_of] = Source(result.name, manifests[root_of], root_of, result)
    for root, manifest in manifests.items():
        usable.setdefault(root, Source(root.name, manifest, root))
    agreed = []
    for source in usable.values():
        try:
            _require(source)
        except ConsentError as error:
            refused[source.name] = str(error)
        else:
            agreed.append(source)
    if not agreed:
        raise NothingUsableError(
            "no session of the study may be trained on", file=study,
            got=_first(refused) if refused else "neither results of analyze nor session folders",
            mend="Each session needs a result of `telltale analyze`, or its recordings, and consent to train.",
        )  # fmt: skip
    return Sources(tuple(sorted(agreed, key=lambda one: one.name)), refused)


def _require(source: Source) -> None:
    """Return if everybody in a session agreed to training and nobody has withdrawn since."""
    from pipeline.privacy.consent import require_nobody_withdrawn

    path = source.root / MANIFEST_NAME
    require_consent(source.manifest, "train", path)
    require_nobody_withdrawn(source.manifest, path)


def _session_of(result: Path, manifests: dict[Path, Manifest]) -> Path | None:
    """The session folder whose result this is; manifests found beside it join the known ones."""
    import json

    try:
        name = str(json.loads((result / "result.json").read_text(encoding="utf-8"))["session"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    by_folder = [root for root, one in manifests.items() if one.name == name and root.name == result.name]
    by_name = [root for root, one in manifests.items() if one.name == name]
    if by_folder or len(by_name) == 1:
        return (by_folder or by_name)[0]
    for place in _usual_places(result, name):
        try:
            manifest = load_manifest(place)
        except TelltaleError:
            continue
        if manifest.name == name:
            root = (place.parent if place.suffix == ".toml" else place).resolve()
            manifests[root] = manifest
            return root
    return None


def _usual_places(result: Path, name: str) -> Iterator[Path]:
    """Where the session of a result may lie: as batch noted it, in the result, or near it under its name."""
    from pipeline.batch.layout import Layout

    noted = Layout(result.parent).states().get(result.name)
    if noted is not None and noted.source:
        yield Path(noted.source)
    around = result.parent.parent
    yield from (result / "session", result.parent / name, around / "sessions" / name, around / name)


def _walk(folder: Path) -> Iterator[Path]:
    for here, inside, _ in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith(".") and name not in ("truth", "code"))
        yield Path(here)


def _first(refused: dict[str, str], most: int = 3) -> str:
    shown = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:most])
    return shown + (f"; and {len(refused) - most} more" if len(refused) > most else "")


def analysed(sources: Sequence[Source], work: Path, hook: Hook = silent) -> Iterator[tuple[Source, str]]:
    """Each session with a result, analysed now where it has none; results lie in `work` and are found again.

    Yields:
        The session, and why it has no result ("" where it has one).
    """
    for done, source in enumerate(sources):
        hook("sessions", done, len(sources))
        if source.result is not None:
            yield source, ""
            continue
        folder = work / "analysed" / source.name
        if not is_result(folder):
            try:
                _analyse(source, folder, hook)
            except TelltaleError as error:
                yield source, str(error)
                continue
        yield replace(source, result=folder), ""
    hook("sessions", len(sources), len(sources))


def _analyse(source: Source, folder: Path, hook: Hook) -> None:
    from pipeline import Analyzer, load_config

    Analyzer(load_config(None, faces=False)).run(source.root, hook).save(folder)
