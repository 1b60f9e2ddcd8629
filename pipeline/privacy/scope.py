"""What belongs to the study that a user names: its sessions, and the results whose sessions lie in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_schemas.errors import MissingFileError, TelltaleError
from data_schemas.session import Manifest
from pipeline.batch.discovery import find_sessions
from pipeline.batch.layout import Layout, read_json
from pipeline.manifest import MANIFEST_NAME, load_manifest
from pipeline.privacy import keys


def place_of(manifest: Path) -> Path:
    """Where a session is: its folder, or the manifest itself where a folder holds several."""
    return Path(os.path.realpath(manifest.parent if manifest.name == MANIFEST_NAME else manifest))


@dataclass(frozen=True)
class Scope:
    """A named study, and everything below it.

    Attributes:
        root: What was named, or what the named results are of: a folder of sessions or manifests, one session, or a
            table. Need not exist any more.
        sessions: Place -> manifest of its sessions that can be read.
        places: What lies in it lies below one of these.
    """

    root: Path
    sessions: dict[Path, tuple[Path, Manifest]] = field(default_factory=dict)
    places: tuple[Path, ...] = ()

    @classmethod
    def of(cls, named: Path) -> Scope:
        """The study that a path names.

        Args:
            named: A folder of sessions, a session folder, a table or manifest, or results of one of these.
        """
        root = Path(os.path.realpath(_studied(named)))
        listed, sessions = [], {}
        for name in _places(root).values():
            place = place_of(name)
            listed.append(place)
            try:
                sessions[place] = (name, load_manifest(name))
            except (TelltaleError, OSError):
                continue
        return cls(root, sessions, tuple(listed) if root.is_file() else (root,))

    @property
    def base(self) -> Path:
        """The folder: itself, or where its table or manifest lies."""
        return self.root.parent if self.root.is_file() else self.root

    def holds(self, place: Path) -> bool:
        """Whether a session, or a study, lies in it."""
        real = Path(os.path.realpath(place))
        return any(real.is_relative_to(one) for one in self.places)

    def knows(self, sessions: Iterable[str]) -> bool:
        """Whether sessions whose recordings lie nowhere any more may have been its own: their names say so."""
        names = {name for place, (_, one) in self.sessions.items() for name in (one.name, place.stem)}
        return not names or any(name in names for name in sessions)

    def with_person(self, person: str) -> dict[Path, tuple[Path, Manifest]]:
        """The sessions whose manifests list a person."""
        return {place: found for place, found in self.sessions.items() if person in [one.id for one in found[1].people]}


@dataclass(frozen=True)
class Found:
    """A folder of results with what in it is of the study.

    Attributes:
        out: The folder.
        whole: All in it is.
        sessions: Of a batch: session -> its place where that is known; of one result: its own name alone.
    """

    out: Path
    whole: bool
    sessions: Mapping[str, Path | None]

    @property
    def of_batch(self) -> bool:
        """Whether a batch wrote it."""
        return Layout(self.out).inner.is_dir()


def results_of(scope: Scope, named: Path, given: Sequence[Path]) -> list[Found]:
    """All folders of results of a study: given, remembered, and lying in it.

    Args:
        scope: The study.
        named: As the user named it.
        given: Further folders; what is in them is of this study too where its recordings were moved since.

    Raises:
        MissingFileError: a given one does not exist.
    """
    for out in given:
        if not out.is_dir():
            raise MissingFileError("no such folder of results", file=out)
    sure = [one for out in given for one in _expanded(out)]
    known = [*keys.every_place("results")]
    if named.is_dir():
        known += _expanded(named)
    if scope.root.is_dir():
        known += [path.parent.parent for path in scope.root.rglob(".telltale/study.json")]
    parents = [out.parent for out in (*sure, *known) if Layout(out.parent).study is not None]
    outs = dict.fromkeys(path.absolute() for path in (*sure, *known, *parents) if path.is_dir())
    trusted = {path.absolute() for path in (*sure, *keys.places(scope.root, "results"))}
    found = [_found(scope, out, out in trusted) for out in outs]
    return [one for one in found if one is not None]


def _expanded(out: Path) -> Iterator[Path]:
    """A folder of results itself, or the single results in it."""
    if Layout(out).inner.is_dir() or (out / "result.json").is_file():
        yield out
    else:
        yield from (path.parent for path in sorted(out.glob("*/result.json")))


def _found(scope: Scope, out: Path, trusted: bool) -> Found | None:
    layout = Layout(out)
    if not layout.inner.is_dir():
        if Layout(out.parent).study is not None:  # one of a batch, which is looked at as a whole
            return None
        place = recorded_at(out)
        mine = scope.holds(out if place is None else place)
        if not mine and trusted and (place is None or not place.exists()):
            mine = scope.knows([str(read_json(out / "result.json").get("session"))])
        return Found(out, True, {out.name: place}) if mine else None
    study = layout.study
    places = {} if study is None else {name: place_of(one) for name, one in _places(study, out).items()}
    names = {*layout.states(), *(path.name for path in out.iterdir() if path.is_dir())} - {".telltale"}
    where = {name: places.get(name) or recorded_at(out / name) for name in sorted(names)}
    same = study is not None and (Path(os.path.realpath(study)) == scope.root or scope.holds(study))
    moved = trusted and not any(place is not None and place.exists() for place in where.values())
    if same or (moved and scope.knows(where)):
        return Found(out, True, where)
    mine_too = {name: place for name, place in where.items() if place is not None and scope.holds(place)}
    return Found(out, False, mine_too) if mine_too else None


def recorded_at(result: Path) -> Path | None:
    """The session that a result is of, as it says itself; None where it does not."""
    record = read_json(result / "result.json")
    told = record.get("recordings")
    if not told:
        return None
    folder = Path(str(told))
    if folder.is_dir() and not (folder / MANIFEST_NAME).is_file():
        for name, path in _places(folder).items():
            if record.get("session") in (name, _name_in(path)):
                return place_of(path)
    return folder


def _name_in(manifest: Path) -> str | None:
    try:
        return load_manifest(manifest).name
    except (TelltaleError, OSError):
        return None


def _studied(named: Path) -> Path:
    """The study itself, where results of it were named."""
    if not named.is_dir():
        return named
    study = Layout(named).study
    if study is not None:
        return study
    if (named / "result.json").is_file() and not (named / MANIFEST_NAME).exists():
        of_batch = Layout(named.absolute().parent).study
        inside = None if of_batch is None else _places(of_batch).get(named.name)
        return (place_of(inside) if inside is not None else recorded_at(named)) or named
    return named


def _places(study: Path, out: Path | None = None) -> dict[str, Path]:
    """Session -> manifest, of a study; empty where the recordings are gone already."""
    try:
        return {place.name: place.manifest for place in find_sessions(study, out)}
    except (TelltaleError, OSError):
        return {}
