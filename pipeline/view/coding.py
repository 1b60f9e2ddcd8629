"""What the page's editor may ask for: one edit in, the coder's events out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.time import to_ns, to_s
from pipeline.coding.layers import Edit, Layer, edit
from pipeline.report.happenings import as_item
from pipeline.report.markup import clean

ACTIONS = ("add", "change", "delete", "comment", "scope", "undo")
LONGEST = 2000
"""Characters of a comment or a label."""
_LONGEST_S = 7 * 86_400.0
_PLACES = {"on": "onset_ns", "apex": "apex_ns", "off": "offset_ns"}


class StaleError(InvalidValueError):
    """Somebody else has edited under the same name since the page was loaded."""


class Desk:
    """Where coders work on one result; each has a layer, and nobody touches another's.

    Args:
        result: Folder of the result.
        machine: The machine's events.
        people: Whom events may concern.
    """

    def __init__(self, result: Path, machine: Sequence[Event], people: Sequence[str]) -> None:
        self.result = result
        self.machine = tuple(machine)
        self.people = tuple(people)

    def state(self, coder: str) -> dict[str, Any]:
        """A coder's events and the history of the layer, JSON-serialisable.

        Raises:
            InvalidValueError: the name is none.
            UnreadableFileError: the layer is damaged.
        """
        layer = Layer.open(self.result, coder)
        gone = {number for one in layer.edits for number in one.undoes}
        events = [
            as_item(one.identity, one.event) | {"verdict": one.verdict, "comments": list(one.comments)}
            for one in layer.coded(self.machine)
        ]
        history = [
            {"number": one.number, "time": one.time, "action": one.action, "what": _told(one), "comment": one.comment,
             "undone": one.number in gone}
            for one in layer.edits
        ]  # fmt: skip
        scopes = [list(scope) for scope in sorted(layer.scopes(), key=str)]
        return dict(
            clean(
                {"coder": coder, "edits": len(layer.edits), "events": events, "history": history, "scopes": scopes,
                 "undoable": bool(layer.alive())}
            )
        )  # fmt: skip

    def apply(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do one edit and give the state after it.

        Args:
            asked: `coder`, `action`, `seen` (how many edits the page knows of), and by action `event` (identity),
                `after` (fields of the event: on, apex, off in seconds; kind, channel, label, person), `comment`.

        Raises:
            StaleError: the layer has edits that the page does not know.
            InvalidValueError: it is no edit, or the event would be impossible.
            MissingTrackError: there is no such event any more.
        """
        action, coder = asked.get("action"), str(asked.get("coder", ""))
        if action not in ACTIONS:
            raise InvalidValueError("this is no edit", got=repr(action)[:60], expected=", ".join(ACTIONS))
        layer = Layer.open(self.result, coder)
        if asked.get("seen") != len(layer.edits):
            raise StaleError(
                f"'{coder}' has been edited elsewhere since this page was loaded",
                got=asked.get("seen"),
                expected=len(layer.edits),
                mend="The page now shows the events as they are; do it again.",
            )
        identity, comment = str(asked.get("event", "")), _text(asked.get("comment", ""), "a comment")
        if action == "add":
            layer.add(self._new(asked.get("after")), comment)
        elif action == "change":
            now = self._event(layer, identity)
            after = self._changed(now, asked.get("after"))
            if after != now or comment:
                layer.change(identity, after, self.machine, comment)
        elif action == "delete":
            layer.delete(identity, self.machine, comment)
        elif action == "comment":
            if not comment:
                raise InvalidValueError("an empty comment")
            layer.comment(identity, comment, self.machine)
        elif action == "undo":
            layer.undo()
        else:
            layer.append([replace(edit("scope", ""), scopes=(self._scope(asked.get("scope")),))])
        return self.state(coder)

    def _event(self, layer: Layer, identity: str) -> Event:
        for one in layer.coded(self.machine):
            if one.identity == identity:
                return one.event
        raise InvalidValueError("there is no such event any more", got=identity[:60])

    def _changed(self, now: Event, after: Any) -> Event:
        if not isinstance(after, Mapping):
            raise InvalidValueError("an edit says what is different", got=repr(after)[:60])
        values: dict[str, Any] = {}
        for name, value in after.items():
            if name in _PLACES:
                values[_PLACES[name]] = None if name == "apex" and value is None else _time(value, name)
            elif name in ("kind", "channel"):
                values[name] = _name(value, name)
            elif name == "label":
                values["label"] = _text(value, "a label")
            elif name == "person":
                values["person"] = self._person(value)
            else:
                raise InvalidValueError("an event has no such field", got=str(name)[:60])
        moved = replace_times(now, values)
        return replace(now, **moved)

    def _new(self, after: Any) -> Event:
        if not isinstance(after, Mapping) or not {"on", "off", "kind", "channel"} <= set(after):
            raise InvalidValueError("a new event has on, off, kind and channel", got=repr(after)[:80])
        blank = Event(_name(after["channel"], "channel"), _name(after["kind"], "kind"), 0, 1)
        return self._changed(blank, {"apex": None, **after})

    def _person(self, value: Any) -> str | None:
        if value is None or value == "":
            return None
        if value not in self.people:
            raise InvalidValueError("nobody of that name", got=repr(value)[:60], expected=", ".join(self.people))
        return str(value)

    def _scope(self, value: Any) -> tuple[str | None, str, str]:
        if not isinstance(value, list) or len(value) != 3:
            raise InvalidValueError("what was coded is person, channel and kind", got=repr(value)[:60])
        return self._person(value[0]), _name(value[1], "channel"), _name(value[2], "kind")


def replace_times(now: Event, values: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields; an apex that was not given and would come to lie outside is taken to the nearer end."""
    found = dict(values)
    if "apex_ns" not in found and now.apex_ns is not None:
        onset, offset = found.get("onset_ns", now.onset_ns), found.get("offset_ns", now.offset_ns)
        if onset < offset:
            found["apex_ns"] = min(max(now.apex_ns, onset), offset)
    return found


def _time(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or abs(value) > _LONGEST_S:
        raise InvalidValueError(f"'{name}' is no time in seconds", got=repr(value)[:60])
    return to_ns(float(value))


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 80:
        raise InvalidValueError(f"this is no name for a {what}", got=repr(value)[:100], expected="1 to 80 characters")
    return value.strip()


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise InvalidValueError(f"{what} is text of at most {LONGEST} characters", got=repr(value)[:60])
    return value.strip()


def _told(one: Edit) -> str:
    """An edit in a few words."""
    if one.action == "undo":
        return f"took back {', '.join(f'no. {number}' for number in one.undoes)}"
    if one.action == "scope":
        return "coded all of " + ", ".join(f"{channel} {kind}" for _, channel, kind in one.scopes)
    event = one.after or one.before
    if event is None:
        return one.event
    return f"{event.kind.replace('_', ' ')} {event.label} at {to_s(event.onset_ns):.2f} s".replace("  ", " ")
