"""What else is derived from people: reports of studies and of clocks, and what an unfinished training left.

One rule holds for all: what was made with a person's data goes, as their results do, and the same command makes it anew
without them; what was made without them stays. Each command that writes such files notes their place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.batch.layout import read_json
from pipeline.privacy import keys
from pipeline.privacy.consent import trained_on
from pipeline.privacy.known import Keys
from pipeline.privacy.scope import Scope
from pipeline.privacy.traces import Trace, names, traces

REPORT, CLOCKS, WORK = "reports", "clocks", "work"
"""Kinds of places in the key store: folders of `telltale study`, the files of `telltale sync`, `MODEL.work`."""
MADE_OF = "made_of"
"""In the JSON of a study's report: whose data it was made of, in pseudonyms."""
_WORDS = {REPORT: "report", CLOCKS: "clocks", WORK: "work"}
_AGAIN = {
    REPORT: "of a study with the person; `telltale study` makes it anew",
    CLOCKS: "of a session of the person; `telltale sync` makes it anew",
    WORK: "of a training that may hold the person; `telltale train` begins it anew",
}


@dataclass(frozen=True)
class Derived:
    """A place that may hold data of a person.

    Attributes:
        kind: One of `REPORT`, `CLOCKS`, `WORK`.
        place: Folder, or the JSON of a clock report.
        goes: It was made with the person's data.
        shared: It may as well be made with somebody of that name elsewhere.
    """

    kind: str
    place: Path
    goes: bool
    shared: bool

    @property
    def what(self) -> str:
        """Word for the listing."""
        return _WORDS[self.kind]

    @property
    def note(self) -> str:
        """One line for the listing."""
        return "made with the person, here or in another session of theirs" if self.shared else _AGAIN[self.kind]

    def parts(self) -> list[Path]:
        """What Telltale wrote there and is still there."""
        if self.kind == REPORT:
            from pipeline.study.report import FILES

            return [path for name in FILES if (path := self.place / name).is_file()]
        both = (self.place, self.place.with_suffix(".html")) if self.kind == CLOCKS else (self.place,)
        return [path for path in both if path.exists()]

    def remove(self) -> None:
        """Delete it; what users put beside it stays."""
        for path in self.parts():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.kind == REPORT and not any(self.place.iterdir()):
            self.place.rmdir()
        keys.drop_place(self.kind, self.place)

    def left(self, person: str, gone: Iterable[Path]) -> list[Trace]:
        """What beside it still names the person; a report that stays was looked into before."""
        if self.kind != REPORT or not self.goes or self.shared or not self.place.is_dir():
            return []
        out = {*self.parts(), *gone}
        return [one for one in traces(self.place, person) if one.file not in out]


def derived_of(
    scope: Scope, told: Keys, sessions: Mapping[Path, Any], person: str
) -> list[Derived]:  # fmt: skip
    """All that is noted of a study, and whether it goes.

    Args:
        scope: The study.
        told: Keys of the person in it.
        sessions: Places of the person's sessions.
        person: As the manifests name them.
    """
    roots = dict.fromkeys((scope.root, *told.roots, *sessions))
    roots |= dict.fromkeys(table for root in tuple(roots) for table in keys.places(root, "exports"))
    found: dict[Path, Derived] = {}
    for root in roots:
        shared = root in told.shared.values()
        for kind in _WORDS:
            for place in keys.places(root, kind):
                one = Derived(kind, place, _made_with(kind, place, root, sessions, person), shared)
                before = found.get(place)
                if one.parts() and (before is None or (one.goes and not one.shared)):
                    found[place] = one
    return list(found.values())


def _made_with(kind: str, place: Path, root: Path, sessions: Mapping[Path, Any], person: str) -> bool:
    if kind == REPORT:
        from pipeline.study.report import FILES, RESULT_FILE

        record = read_json(place / RESULT_FILE)
        own = keys.known_pseudonym(root, person)
        if not record or own in record.get(MADE_OF, {}).get("people", ()):  # unfinished, or with them
            return True
        tables = [place / name for name in FILES if name.endswith((".csv", ".json"))]
        return any(path.is_file() and names(path, person) for path in tables)
    if kind == CLOCKS:
        return root in sessions or (place.is_file() and names(place, person))
    return keys.known_pseudonym(root, person) is not None or any(one.is_relative_to(root) for one in sessions)


def note_report(people: Mapping[Path, Iterable[str]], folder: Path) -> dict[str, Any]:
    """Remember the report of a study.

    Args:
        people: Study, or table -> whose data the report is made of.
        folder: Of the report.

    Returns:
        What its JSON says under `MADE_OF`.

    Raises:
        OSError: the key store cannot be written.
        UnreadableFileError: it is damaged.
    """
    cards = [trained_on(root, sorted(set(own))) for root, own in people.items()]
    for root in people:
        keys.note_place(root, REPORT, folder)
    return {
        "study": ", ".join(sorted(str(one["study"]) for one in cards)),
        "people": sorted({one for card in cards for one in card["people"]}),
    }


def search(places: Iterable[Derived], person: str, gone: Iterable[Path]) -> Iterator[tuple[Path, list[Trace]]]:
    """Each place with what there still names the person."""
    held = list(gone)
    for one in places:
        if not one.shared:
            yield one.place, one.left(person, held)
