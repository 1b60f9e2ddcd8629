"""The key store: a key for each study and each of its people, from which pseudonyms are made.

A person's pseudonym is a keyed hash of their name (HMAC-SHA-256) under a random key of their own. Whoever has the key
can tell who is meant; once it is deleted, nobody can, whatever names they try. `keys.json` lies in the user's own
folder, readable by the user alone, never in a result folder.

A study is the folder that was named, and no other: what lies deeper may be a study of its own. Only who has withdrawn
from a folder has withdrawn from everything below it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_schemas.errors import UnreadableFileError
from pipeline.batch.layout import read_json, write_json
from pipeline.privacy.home import alone, home

NAME = "keys.json"


def _hash(key: str, text: str) -> str:
    return hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest()[:16]


def _studies(folder: Path) -> dict[str, dict[str, Any]]:
    file = folder / NAME
    found = read_json(file)
    if file.is_file() and "studies" not in found:
        raise UnreadableFileError(
            "the key store is damaged", file=file, mend="Put a copy back; without it no pseudonym can be resolved."
        )
    return dict(found.get("studies", {}))


@contextmanager
def _edited(root: Path) -> Iterator[dict[str, Any]]:
    """The entry of a study, made if absent, written back after."""
    with alone() as folder:
        studies = _studies(folder)
        name = _real(root)
        entry = studies.get(name) or {"key": secrets.token_hex(32), "people": {}, "withdrawn": [], "revoked": []}
        yield entry
        studies[name] = entry
        write_json(folder / NAME, {**read_json(folder / NAME), "version": 1, "studies": studies})


def _real(root: Path) -> str:
    return os.path.realpath(root)


def _around(studies: Mapping[str, dict[str, Any]], root: Path) -> Iterator[str]:
    """The known folders that a place is, or lies in, the nearest first."""
    place = Path(_real(root))
    yield from (str(one) for one in (place, *place.parents) if str(one) in studies)


def _read(root: Path) -> dict[str, Any]:
    return dict(_studies(home()).get(_real(root), {}))


def study_root(session: Path) -> Path:
    """The study that a session folder, or a manifest, belongs to: a known one around it, or the folder it lies in."""
    studies = _studies(home())
    around = Path(_real(session)).parent
    return Path(next((name for name in _around(studies, around) if _is_study(studies[name])), around))


def _is_study(entry: Mapping[str, Any]) -> bool:
    """Whether something was analysed under this name; else only somebody withdrew from what lies there."""
    return any(entry.get(kind) for kind in ("people", "results", "models", "exports"))


def studies_around(place: Path) -> list[Path]:
    """The known folders that a place lies in, without itself, the nearest first."""
    return [Path(name) for name in _around(_studies(home()), Path(_real(place)).parent)]


def studies_below(place: Path) -> list[Path]:
    """The known folders below a place, without itself."""
    top = Path(_real(place))
    return [Path(name) for name in _studies(home()) if top in Path(name).parents]


def pseudonym(root: Path, person: str) -> str:
    """The pseudonym of a person in a study, 16 hexadecimal digits; the same until the key is deleted.

    Raises:
        OSError: the key store cannot be written.
        UnreadableFileError: it is damaged.
    """
    return pseudonyms(root, [person])[person]


def pseudonyms(root: Path, people: Sequence[str]) -> dict[str, str]:
    """Pseudonyms of several people of a study, as `pseudonym`."""
    with _edited(root) as entry:
        return {person: _hash(_key(entry, person), person) for person in people}


def _key(entry: dict[str, Any], person: str) -> str:
    """A person's key, made if absent; for somebody who has withdrawn, one that is thrown away at once."""
    token = _hash(entry["key"], person)
    if token in entry["withdrawn"]:
        return secrets.token_hex(32)
    return str(entry["people"].setdefault(token, secrets.token_hex(32)))


def tokens(root: Path, sessions: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Sessions and their people as the audit log names them.

    A session's token is made with the keys of all its people: nobody can resolve it once one of them is deleted.

    Args:
        root: Folder of the study.
        sessions: Name -> people.

    Returns:
        One `{"session": token, "people": [pseudonym, ...]}` each.
    """
    if not sessions:
        return []
    with _edited(root) as entry:
        found = []
        for name, people in sessions.items():
            own = [_key(entry, one) for one in sorted(people)]
            named = sorted(_hash(key, one) for key, one in zip(own, sorted(people), strict=True))
            found.append({"session": _hash("".join(own) or entry["key"], name), "people": named})
        return found


def session_token(root: Path, session: str, people: Sequence[str]) -> str:
    """The token of one session, as `tokens` gives it."""
    return str(tokens(root, {session: people})[0]["session"])


def is_withdrawn(root: Path, person: str) -> bool:
    """Whether a person has withdrawn from what lies there."""
    return bool(withdrawn_among(root, [person]))


def withdrawn_among(root: Path, people: Iterable[str]) -> set[str]:
    """Those of some people who have withdrawn from this folder, or from one that it lies in."""
    studies = _studies(home())
    entries = [studies[name] for name in _around(studies, root)]
    return {one for one in people if any(_hash(entry["key"], one) in entry["withdrawn"] for entry in entries)}


def naming_withdrawn(root: Path, texts: Iterable[str]) -> set[str]:
    """Those of some texts in which somebody who has withdrawn stands as a word."""
    words = {text: {text, *re.split(r"[\s,;|/]+", text), *re.split(r"[^A-Za-z0-9]+", text)} for text in texts}
    gone = withdrawn_among(root, set().union(*words.values()))
    return {text for text, own in words.items() if own & gone}


def withdraw(root: Path, person: str) -> str | None:
    """Delete a person's key and remember, by a keyed hash of the study, that they have withdrawn.

    Returns:
        Their pseudonym until now; None where they had none.
    """
    with _edited(root) as entry:
        entry["withdrawn"] = sorted({*entry["withdrawn"], _hash(entry["key"], person)})
        return _revoke(entry, person)


def revoke(root: Path, person: str) -> str | None:
    """Delete a person's key, without their having withdrawn from all that is analysed under that name.

    Returns:
        Their pseudonym until now; None where they had none.
    """
    with _edited(root) as entry:
        return _revoke(entry, person)


def _revoke(entry: dict[str, Any], person: str) -> str | None:
    key = entry["people"].pop(_hash(entry["key"], person), None)
    former = None if key is None else _hash(key, person)
    entry["revoked"] = sorted({*entry["revoked"], *([former] if former else [])})
    return former


def known_pseudonym(root: Path, person: str) -> str | None:
    """The pseudonym of a person who has one."""
    entry = _read(root)
    key = entry.get("people", {}).get(_hash(entry["key"], person)) if entry else None
    return None if key is None else _hash(key, person)


def revoked() -> set[str]:
    """Pseudonyms of people who have withdrawn, over all studies; nobody can tell any more who they were."""
    return {one for entry in _studies(home()).values() for one in entry.get("revoked", ())}


def note_place(root: Path, kind: str, path: Path) -> None:
    """Remember that something derived of a study lies there, so that `forget` finds it.

    Args:
        root: The study.
        kind: "results", "models", "exports", or one of `pipeline.privacy.derived`.
        path: Where.
    """
    place = str(path.absolute())
    if place in _read(root).get(kind, ()):
        return
    with _edited(root) as entry:
        entry[kind] = sorted({*entry.get(kind, ()), place})


def drop_place(kind: str, path: Path) -> None:
    """Forget a place whose results are gone, under whatever study it was noted."""
    place = str(path.absolute())
    for root in [name for name, entry in _studies(home()).items() if place in entry.get(kind, ())]:
        with _edited(Path(root)) as entry:
            entry[kind] = [one for one in entry.get(kind, ()) if one != place]


def places(root: Path, kind: str) -> list[Path]:
    """Where results or models of a study lie, as far as is known."""
    return [Path(one) for one in _read(root).get(kind, ())]


def every_place(kind: str) -> list[Path]:
    """Where results or models of any study lie, as far as is known."""
    return [Path(one) for entry in _studies(home()).values() for one in entry.get(kind, ())]


def say_once(root: Path, what: str) -> bool:
    """True the first time that this is asked for a folder and a text; the folder becomes no study by it."""
    mark = hashlib.sha256(what.encode()).hexdigest()[:16]
    if mark in _told(home(), root) or mark in _read(root).get("told", ()):
        return False
    with alone() as folder:
        values, studies = read_json(folder / NAME), _studies(folder)
        told = {**values.get("told", {}), _real(root): sorted({*_told(folder, root), mark})}
        write_json(folder / NAME, {**values, "version": 1, "studies": studies, "told": told})
    return True


def _told(folder: Path, root: Path) -> list[str]:
    return list(read_json(folder / NAME).get("told", {}).get(_real(root), ()))
