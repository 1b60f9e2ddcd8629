"""Which event is which: a name for each of the machine's events that does not depend on its place in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from data_schemas.event import Event

_KINDS: Mapping[str, tuple[type, ...]] = {
    "channel": (str,), "kind": (str,), "label": (str,), "person": (str, type(None)), "onset_ns": (int,),
    "offset_ns": (int,), "apex_ns": (int, type(None)), "score": (int, float, type(None)), "details": (Mapping,),
}  # fmt: skip
"""What the values of an event are in JSON."""


def identify(events: Sequence[Event]) -> dict[str, Event]:
    """Events by identity, in order: "m" and 12 hexadecimal digits of what and when it is.

    The same events get the same names whatever stands beside them; of several alike the later ones get a number.
    """
    out: dict[str, Event] = {}
    for event in sorted(events, key=lambda one: (one.onset_ns, one.channel, one.kind)):
        text = "|".join(
            str(part)
            for part in (event.person, event.channel, event.kind, event.onset_ns, event.offset_ns, event.label)
        )
        name = whole = "m" + sha256(text.encode()).hexdigest()[:12]
        number = 1
        while name in out:
            number += 1
            name = f"{whole}-{number}"
        out[name] = event
    return out


def as_dict(event: Event) -> dict[str, Any]:
    """An event as JSON-serialisable values; times in whole nanoseconds, so that nothing is rounded."""
    return {
        "person": event.person,
        "channel": event.channel,
        "kind": event.kind,
        "onset_ns": event.onset_ns,
        "apex_ns": event.apex_ns,
        "offset_ns": event.offset_ns,
        "score": event.score,
        "label": event.label,
        "details": dict(event.details),
    }


def of_dict(said: Mapping[str, Any]) -> Event:
    """The event that `as_dict` wrote.

    Raises:
        KeyError, TypeError, InvalidValueError: something is missing or impossible.
    """
    for name, kinds in _KINDS.items():
        if not isinstance(said[name], kinds) or isinstance(said[name], bool):
            raise TypeError(f"'{name}' of an event is {said[name]!r:.100}")
        if name.endswith("_ns") and said[name] is not None and abs(said[name]) >= 1 << 63:
            raise TypeError(f"'{name}' of an event is beyond what nanoseconds count")
    return Event(
        channel=said["channel"],
        kind=said["kind"],
        onset_ns=said["onset_ns"],
        offset_ns=said["offset_ns"],
        apex_ns=said["apex_ns"],
        person=said["person"],
        score=said["score"],
        label=said["label"],
        details=said["details"],
    )
