"""Under which keys a person is known in a study: its own, and those of a folder around it where they are only here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.batch.layout import Layout, read_json
from pipeline.privacy import keys
from pipeline.privacy.scope import Scope, recorded_at


@dataclass(frozen=True)
class Keys:
    """A person's pseudonyms, each with the folder whose key store entry made it.

    Attributes:
        own: Those that mean the person of this study, and nobody elsewhere.
        shared: Those of a folder around the study in which other sessions have a person of that name too.
        roots: All folders under which something of the study may be noted.
        known: One of the study itself, or the person has withdrawn already.
    """

    own: dict[str, Path]
    shared: dict[str, Path]
    roots: tuple[Path, ...]
    known: bool


def known_keys(scope: Scope, person: str) -> Keys:
    """What the key store knows of a person in a study.

    A lone session is noted under the folder that it lies in, or under a study further up; there the name may also
    stand for people of other sessions, whose keys must stay.
    """
    places = dict.fromkeys((scope.root, *scope.places))
    own: dict[str, Path] = {}
    shared: dict[str, Path] = {}
    inner = list(dict.fromkeys((*places, *(one for place in places for one in keys.studies_below(place)))))
    around = [root for place in places for root in keys.studies_around(place) if root not in inner]
    for root in inner:
        name = keys.known_pseudonym(root, person)
        if name is not None:
            own[name] = root
    known = bool(own) or any(keys.is_withdrawn(place, person) for place in places)
    for root in dict.fromkeys(around):
        name = keys.known_pseudonym(root, person)
        if name is not None:
            (shared if _elsewhere(scope, root, person) else own)[name] = root
    return Keys(own, shared, tuple(dict.fromkeys((*inner, *around))), known)


def _elsewhere(scope: Scope, root: Path, person: str) -> bool:
    """Whether results noted under a folder show a person of that name in sessions that are not of the study."""
    for out in keys.places(root, "results"):
        batch = Layout(out).inner.is_dir()
        for result in sorted(out.glob("*")) if batch else [out]:
            if person in read_json(result / "result.json").get("people", []):
                place = recorded_at(result)
                if place is None or not scope.holds(place):
                    return True
    return False
