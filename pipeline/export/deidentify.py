"""De-identified content: pseudonyms by a keyed hash, shifted times, no recordings.

The keys are those of `pipeline.privacy.keys`: in the user's own folder, readable by the user alone, never in a result.
Whoever has them can make the same pseudonyms again, so they are what links them to people; once a person's key is
deleted (`telltale forget`) nothing does. (Keyed hashes as pseudonyms: ENISA 2019, Pseudonymisation techniques and best
practices.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.result import Provenance, ResultRecord, SyncReport
from data_schemas.time import NS_PER_S
from pipeline.export.content import Content

TIMES = ("onset_s", "offset_s", "apex_s", "time_s", "start_s", "end_s", "at_s")
"""Keys in an event's details that hold times on the session clock."""
FREE_TEXT = ("file", "files", "path", "stream", "streams", "source", "comment", "text", "words", "transcript", "notes")
"""Keys in details and parameters that are left out."""
BIOMETRIC = re.compile(r"\.(embedding|voiceprint|identity)")
"""Columns that could tell who somebody is, and are left out."""


@dataclass(frozen=True)
class Aliases:
    """What stands for the names of a session, and by how much its times are moved.

    Attributes:
        names: Name -> pseudonym, of the people, the session and the coder.
        shift_ns: Whole milliseconds, 10 to 70 minutes, the same for every export of the session.
    """

    names: Mapping[str, str]
    shift_ns: int

    @classmethod
    def of_user(cls, content: Content) -> Aliases:
        """Those that the user's keys make.

        Raises:
            InvalidValueError: the keys would lie in the result that they protect.
            UnreadableFileError: the key store is damaged.
            OSError: it cannot be written.
        """
        from pipeline.privacy.home import home
        from pipeline.privacy.keys import pseudonyms, session_token, study_root

        if home().resolve().is_relative_to(content.folder.resolve()):
            raise InvalidValueError(
                "the keys of the pseudonyms would lie in the result that they protect",
                file=home(),
                mend="Set TELLTALE_HOME to a folder elsewhere.",
            )
        root = study_root(content.session or content.folder)
        record = content.record
        names = {person: f"p{token[:10]}" for person, token in pseudonyms(root, record.people).items()}
        if content.coder is not None:
            names[content.coder] = f"c{pseudonyms(root, [f'coder {content.coder}']).popitem()[1][:10]}"
        token = session_token(root, record.session, record.people)
        names[record.session] = f"s{_digest(token, 'name')[:10]}"
        return cls(names, (600_000 + int(_digest(token, "shift"), 16) % 3_600_000) * (NS_PER_S // 1000))


def _digest(token: str, use: str) -> str:
    return sha256(f"{token} {use}".encode()).hexdigest()


def hide(content: Content, aliases: Aliases) -> Content:
    """The same content without names, recordings and true times.

    Names of people, of the session and of the coder become pseudonyms wherever they stand as words; all times are moved
    by the session's shift; recordings, names of streams and files, and columns that could serve to recognise a person
    are left out. Labels stay: they are the lab's own words.
    """
    names, shift = aliases.names, aliases.shift_ns
    words = _Words(names)
    return replace(
        content,
        record=_record(content.record, words),
        sync=_sync(content.sync, shift),
        timeline=_timeline(content, names, shift),
        events=tuple(_event(event, words, shift) for event in content.events),
        media=(),
        session=None,
        coder=None if content.coder is None else names[content.coder],
        deidentified=True,
    )


class _Words:
    """Replaces names where they stand as whole words."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        longest = sorted(self.names, key=len, reverse=True)
        self._pattern = re.compile("|".join(rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])" for one in longest))

    def of(self, value: Any, shift_s: float = 0.0) -> Any:
        """The same value with names replaced, free text left out and times moved, at any depth."""
        if isinstance(value, str):
            return self._pattern.sub(lambda match: self.names[match[0]], value)
        if isinstance(value, Mapping):
            kept = {key: one for key, one in value.items() if key not in FREE_TEXT}
            return {
                self.of(key): round(one + shift_s, 6)
                if key in TIMES and isinstance(one, int | float) and not isinstance(one, bool)
                else self.of(one, shift_s)
                for key, one in kept.items()
            }
        if isinstance(value, list | tuple):
            return [self.of(one, shift_s) for one in value]
        return value


def _event(event: Event, words: _Words, shift: int) -> Event:
    return replace(
        event,
        person=None if event.person is None else words.names.get(event.person, words.of(event.person)),
        onset_ns=event.onset_ns + shift,
        offset_ns=event.offset_ns + shift,
        apex_ns=None if event.apex_ns is None else event.apex_ns + shift,
        label=words.of(event.label),
        details=words.of(event.details, shift / NS_PER_S),
    )


def _record(record: ResultRecord, words: _Words) -> ResultRecord:
    """The summary without file names, streams and problems, whose sentences name them."""
    steps = [
        Provenance(step=words.of(one.step), version=one.version, parameters=_harmless(one, words))
        for one in record.provenance
    ]
    return record.model_copy(
        update={
            "session": words.names[record.session],
            "purpose": words.of(record.purpose),
            "people": [words.names[person] for person in record.people],
            "channels": [
                one.model_copy(update={"person": words.names[one.person], "quality": {}}) for one in record.channels
            ],
            "problems": [],
            "provenance": steps,
        }
    )


def _harmless(one: Provenance, words: _Words) -> dict[str, Any]:
    """Parameters of a step; those of the clocks could tell when something was recorded, paths who owns it."""
    if one.step == "synchronize":
        return {}
    kept = {key: value for key, value in one.parameters.items() if not _is_path(value)}
    return dict(words.of(kept))


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)


def _sync(sync: SyncReport, shift: int) -> SyncReport:
    """The clock report with numbered streams and moved times, without what ties a device to the wall clock."""
    shift_s = shift / NS_PER_S
    clocks = {name: f"clock{number}" for number, name in enumerate(sorted({one.clock for one in sync.streams}), 1)}
    streams = [
        one.model_copy(
            update={
                "stream": f"stream{number}",
                "clock": clocks[one.clock],
                "offset_s": 0.0,
                "start_s": one.start_s + shift_s,
                "end_s": one.end_s + shift_s,
                "why": "",
            }
        )
        for number, one in enumerate(sync.streams, 1)
    ]
    return SyncReport(
        streams=streams, session_start_s=sync.session_start_s + shift_s, session_end_s=sync.session_end_s + shift_s
    )


def _timeline(content: Content, names: Mapping[str, str], shift: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = content.timeline
    people = [names[person] for person in table.column("person").cast(pa.string()).to_pylist()]
    at = table.column_names.index("person")
    table = table.set_column(at, table.schema.field("person"), pa.array(people).dictionary_encode())
    at = table.column_names.index("t_ns")
    table = table.set_column(at, table.schema.field("t_ns"), pc.add(table.column("t_ns"), pa.scalar(shift, pa.int64())))
    hidden = [name for name in table.column_names if BIOMETRIC.search(name)]
    return table.drop_columns(hidden) if hidden else table
