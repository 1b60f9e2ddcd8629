"""A coder's layer: edits over the machine's events, each kept with coder and time; nothing is ever overwritten.

A layer is a file of JSON lines, `coding/<coder>.jsonl` in the result, that only grows. An undo is one more line. The
machine's own events stay in `events.parquet` as they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from data_schemas.errors import InvalidValueError, MissingFileError, MissingTrackError, UnreadableFileError
from data_schemas.event import Event
from pipeline.coding.identity import as_dict, identify, of_dict

FOLDER = "coding"
MACHINE = "machine"
Action = Literal["add", "change", "delete", "comment", "scope", "undo"]
Scope = tuple[str | None, str, str]
"""Person, channel and kind of events."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One line of a layer.

    Attributes:
        number: From 1 on, in the order of the file.
        time: When it was made, UTC, ISO 8601.
        coder: Who made it.
        action: What was done; "scope" says what the coder has looked at, "undo" takes earlier edits back.
        event: Identity of the event concerned; "" for scope and undo.
        before: The event as it was; None for an added one.
        after: The event as it is now; None for a deleted one.
        comment: What the coder says.
        scopes: For "scope": person, channel and kind of events of which the coder has coded all.
        undoes: For "undo": the numbers of the edits taken back.
        source: Where it came from, e.g. {"file": "p01.eaf", "sha256": "..."}.
    """

    number: int
    time: str
    coder: str
    action: Action
    event: str = ""
    before: Event | None = None
    after: Event | None = None
    comment: str = ""
    scopes: tuple[Scope, ...] = ()
    undoes: tuple[int, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coded:
    """One event as a coder has it.

    Attributes:
        identity: Stays the same through all edits.
        event: Where and what.
        verdict: "confirmed" (as the machine has it, within the coder's scope), "changed", "added", or "unseen".
        machine: The machine's event behind it; None for an added one.
        comments: What the coder said of it, in order.
    """

    identity: str
    event: Event
    verdict: Literal["confirmed", "changed", "added", "unseen"]
    machine: Event | None
    comments: tuple[str, ...] = ()


class Layer:
    """The edits of one coder on one result.

    Example:
        `layer = Layer.open(Path("results/p01"), "anna")`
    """

    def __init__(self, file: Path, coder: str, edits: Sequence[Edit] = ()) -> None:
        self.file = file
        self.coder = coder
        self.edits = list(edits)

    @classmethod
    def open(cls, result: Path, coder: str) -> Layer:
        """The layer of a coder, empty where there is none yet; nothing is written.

        Raises:
            InvalidValueError: the name is none, or "machine".
            UnreadableFileError: the file is damaged; the message names the line.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", coder) or coder.lower() == MACHINE:
            raise InvalidValueError(
                "this is no name for a coder", got=repr(coder), expected="letters, digits, dot, dash, underscore"
            )
        file = result / FOLDER / f"{coder}.jsonl"
        return cls(file, coder, _read(file) if file.is_file() else ())

    @classmethod
    def existing(cls, result: Path, coder: str) -> Layer:
        """The layer of a coder who has coded.

        Raises:
            MissingTrackError: they have not; the message lists who has.
        """
        if coder not in coders_of(result):
            known = ", ".join(coders_of(result)) or "nobody has yet"
            raise MissingTrackError(f"nothing was coded by '{coder}'", file=result, expected=known)
        return cls.open(result, coder)

    def append(self, edits: Iterable[Edit]) -> list[Edit]:
        """Write edits at the end of the file, numbered and dated, all at once; added events get their identity here.

        Returns:
            The edits as they stand in the file.

        Raises:
            OSError: the file cannot be written; the layer is then as before.
        """
        from pipeline.batch.lock import held

        wanted = list(edits)
        if not wanted:
            return []
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.file.parent.mkdir(exist_ok=True)
        with held(self.file.parent / ".lock", wait=True):
            if self.file.is_file():
                self.edits = _read(self.file)
            made = []
            for number, one in enumerate(wanted, len(self.edits) + 1):
                name = f"{self.coder}-{number}" if one.action == "add" else one.event
                made.append(replace(one, number=number, time=now, coder=self.coder, event=name))
            with self.file.open("a", encoding="utf-8") as file:
                file.write("".join(_line(one) for one in made))
                file.flush()
                os.fsync(file.fileno())
            self.edits += made
        return made

    def add(self, event: Event, comment: str = "") -> Edit:
        """Say that there is an event which the machine has not found."""
        return self.append([edit("add", "", after=event, comment=comment)])[0]

    def change(self, identity: str, after: Event, machine: Sequence[Event], comment: str = "") -> Edit:
        """Move or relabel an event.

        Raises:
            MissingTrackError: there is no such event any more.
        """
        return self.append([edit("change", identity, self._now(identity, machine), after, comment)])[0]

    def delete(self, identity: str, machine: Sequence[Event], comment: str = "") -> Edit:
        """Say that an event is none.

        Raises:
            MissingTrackError: there is no such event any more.
        """
        return self.append([edit("delete", identity, self._now(identity, machine), None, comment)])[0]

    def comment(self, identity: str, text: str, machine: Sequence[Event]) -> Edit:
        """Remark on an event.

        Raises:
            MissingTrackError: there is no such event any more.
        """
        self._now(identity, machine)
        return self.append([edit("comment", identity, comment=text)])[0]

    def undo(self) -> Edit:
        """Take back what was done last: one edit, or all those of one import.

        Raises:
            InvalidValueError: there is nothing left to take back.
        """
        alive = self.alive()
        if not alive:
            raise InvalidValueError(f"nothing of '{self.coder}' is left to undo", file=self.file)
        last = alive[-1]
        batch = [one.number for one in alive if one.source and one.source == last.source and one.time == last.time]
        return self.append([Edit(0, "", "", "undo", undoes=tuple(batch or [last.number]))])[0]

    def alive(self) -> list[Edit]:
        """The edits that were not taken back."""
        gone = {number for one in self.edits for number in one.undoes}
        return [one for one in self.edits if one.action != "undo" and one.number not in gone]

    def scopes(self) -> set[Scope]:
        """Person, channel and kind of which the coder has coded all events."""
        return {scope for one in self.alive() for scope in one.scopes}

    def coded(self, machine: Sequence[Event]) -> list[Coded]:
        """The events as the coder has them, in order of onset: the machine's with all edits applied."""
        theirs = identify(machine)
        now: dict[str, Event] = dict(theirs)
        comments: dict[str, list[str]] = {}
        touched = set()
        for one in self.alive():
            if one.after is not None:
                now[one.event] = one.after
                touched.add(one.event)
            elif one.action == "delete":
                now.pop(one.event, None)
            if one.comment:
                comments.setdefault(one.event, []).append(one.comment)
        scopes = self.scopes()
        out = []
        for identity, event in now.items():
            seen = scope_of(event) in scopes or identity in comments
            verdict: Any = "added" if identity not in theirs else "changed" if event != theirs[identity] else ""
            verdict = verdict or ("confirmed" if seen or identity in touched else "unseen")
            out.append(Coded(identity, event, verdict, theirs.get(identity), tuple(comments.get(identity, ()))))
        return sorted(out, key=lambda one: (one.event.onset_ns, one.event.channel, one.event.kind))

    def events(self, machine: Sequence[Event]) -> tuple[Event, ...]:
        """The events alone, in order of onset."""
        return tuple(one.event for one in self.coded(machine))

    def rejected(self, machine: Sequence[Event]) -> list[Event]:
        """The machine's events that the coder says are none."""
        kept = {one.identity for one in self.coded(machine)}
        return [event for identity, event in identify(machine).items() if identity not in kept]

    def _now(self, identity: str, machine: Sequence[Event]) -> Event:
        for one in self.coded(machine):
            if one.identity == identity:
                return one.event
        raise MissingTrackError("there is no such event any more", file=self.file, got=identity)


def edit(
    action: Action, identity: str, before: Event | None = None, after: Event | None = None, comment: str = ""
) -> Edit:
    """An edit still without number, time and coder; `Layer.append` gives it these."""
    return Edit(0, "", "", action, identity, before, after, comment)


def scope_of(event: Event) -> Scope:
    """Person, channel and kind of an event."""
    return (event.person, event.channel, event.kind)


def coders_of(result: Path) -> list[str]:
    """Who has coded this result, by name.

    Raises:
        MissingFileError: no such folder.
    """
    if not result.is_dir():
        raise MissingFileError("no such result folder", file=result, mend="Name the folder that analyze left with -o.")
    return sorted(path.stem for path in (result / FOLDER).glob("*.jsonl"))


def _line(one: Edit) -> str:
    said: dict[str, Any] = {"number": one.number, "time": one.time, "coder": one.coder, "action": one.action}
    if one.event:
        said["event"] = one.event
    for name in ("before", "after"):
        event = getattr(one, name)
        if event is not None:
            said[name] = as_dict(event)
    if one.comment:
        said["comment"] = one.comment
    if one.scopes:
        said["scopes"] = [list(scope) for scope in one.scopes]
    if one.undoes:
        said["undoes"] = list(one.undoes)
    if one.source:
        said["source"] = dict(one.source)
    return json.dumps(said, ensure_ascii=False) + "\n"


def _read(file: Path) -> list[Edit]:
    edits = []
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            "a coder's layer is no UTF-8 text: it is damaged", file=file, got=str(error)
        ) from error
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        try:
            said = json.loads(line)
            if said["action"] not in get_args(Action) or said["number"] != number:
                raise ValueError(f"{said['action']} {said['number']}")
            edits.append(_edit(said))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableFileError(
                f"line {number} of a coder's layer is damaged", file=file, got=str(error)
            ) from error
    return edits


def _edit(said: Mapping[str, Any]) -> Edit:
    """The edit of one line.

    Raises:
        KeyError, TypeError, ValueError: something is missing or is not what it should be.
    """
    made = Edit(
        number=said["number"],
        time=said["time"],
        coder=said["coder"],
        action=said["action"],
        event=said.get("event", ""),
        before=of_dict(said["before"]) if "before" in said else None,
        after=of_dict(said["after"]) if "after" in said else None,
        comment=said.get("comment", ""),
        scopes=tuple((person, channel, kind) for person, channel, kind in said.get("scopes", ())),
        undoes=tuple(said.get("undoes", ())),
        source=said.get("source", {}),
    )
    texts = [made.time, made.coder, made.event, made.comment]
    texts += [text for scope in made.scopes for text in scope if text is not None]
    if not all(isinstance(text, str) for text in texts) or any(None in scope[1:] for scope in made.scopes):
        raise TypeError("a name, a remark or a time is no text")
    if not all(isinstance(number, int) for number in made.undoes) or not isinstance(made.source, Mapping):
        raise TypeError("what it takes back, or where it came from, is not understood")
    return made
