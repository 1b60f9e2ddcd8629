"""Coders' files: what stands in them, on the session clock."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from data_schemas.errors import InvalidValueError, MissingFileError, NothingUsableError, UnreadableFileError
from data_schemas.event import Event
from data_schemas.time import NS_PER_S
from pipeline.coding.compare import Found
from pipeline.coding.layers import Scope
from pipeline.export.clock import FileClock
from pipeline.export.content import Content
from pipeline.export.tiers import CHANNELS, MS, TierName, label_of

MOST_S = 4e9
"""No time in a file lies farther from its zero (clocks that count from 1970 are at 1.8e9); nanoseconds end at 9e9 s."""


@dataclass(frozen=True, slots=True)
class Note:
    """One annotation as the file has it.

    Attributes:
        start_ns: In the file's time.
        end_ns: In the file's time; a point ends where it starts.
        text: What the coder wrote, the label.
        values: Apex (session clock), score and details where the file states them.
        comment: A remark.
    """

    start_ns: int
    end_ns: int
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True)
class RawFile:
    """A coder's file before its times and names are understood.

    Attributes:
        tiers: Name -> annotations; empty tiers too.
        about: What Telltale wrote into the file or beside it; empty for a file of other origin.
        clock: The file's clock, where the file itself tells; None where it does not.
        coded: Further scopes of which the file holds all events.
        skipped: Annotations that could not be used, with the reason.
    """

    tiers: dict[str, list[Note]]
    about: Mapping[str, Any] = field(default_factory=dict)
    clock: FileClock | None = None
    coded: tuple[Scope, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodedFile:
    """What a coder's file says.

    Attributes:
        found: Its events on the session clock.
        scopes: Person, channel and kind of which it holds all events.
        clock: What its times were on.
        left_out: Tiers and annotations that cannot be used, each with the reason.
    """

    found: tuple[Found, ...]
    scopes: frozenset[Scope]
    clock: FileClock
    left_out: tuple[str, ...] = ()


def read_coded(
    path: Path, content: Content, clock: str | None = None, tiers: Mapping[str, str] | None = None
) -> CodedFile:
    """Read a coder's file: ELAN .eaf, Praat .TextGrid, CSV of Telltale or of BORIS.

    Args:
        path: The file.
        content: The result that was coded.
        clock: "session" or the stream whose recording was coded; only needed where the file does not tell.
        tiers: What tiers (in BORIS: behaviours) of other names mean, e.g. {"Smile": "face.macro@p01"}.

    Raises:
        MissingFileError, UnreadableFileError: there is no such file, or it is damaged.
        InvalidValueError: the format is not known, the clock is not told, or the file was de-identified.
        NothingUsableError: no tier of it is understood; the message lists them.
    """
    if not path.is_file():
        raise MissingFileError("no such file", file=path)
    try:
        raw = _reader(path)(path, content)
    except UnicodeDecodeError as error:
        raise UnreadableFileError("the file is no UTF-8 text", file=path, got=str(error)) from error
    if raw.about.get("deidentified"):
        raise InvalidValueError(
            "the file was de-identified: its names and times are not those of the result",
            file=path,
            mend="Code a file that was exported without --deidentify.",
        )
    said = raw.about.get("session")
    if said is not None and said != content.record.session:
        raise InvalidValueError("the file is of another session", file=path, got=said, expected=content.record.session)
    used = _clock(path, raw, content, clock)
    found: list[Found] = []
    scopes = {scope for scope in raw.coded if scope[0] in (*content.people, None)}
    left_out = list(raw.skipped)
    for name, notes in raw.tiers.items():
        meant = _meaning(name, content, tiers or {})
        if isinstance(meant, str):
            left_out.append(f"{name} ({meant})")
            continue
        scopes.add((meant.person or None, meant.channel, meant.kind))
        found += [_found(note, meant, used, path) for note in notes]
    if not scopes:
        raise NothingUsableError(
            "no tier of the file is understood",
            file=path,
            got="; ".join(left_out) or "no tiers",
            expected="names such as face.micro@p01",
            mend='Say what a tier means: --tier "NAME=face.micro@p01".',
        )
    return CodedFile(tuple(found), frozenset(scopes), used, tuple(left_out))


def _reader(path: Path) -> Callable[[Path, Content], RawFile]:
    from pipeline.coding import readers

    known: dict[str, Callable[[Path, Content], RawFile]] = {
        ".eaf": readers.read_eaf,
        ".textgrid": readers.read_praat,
        ".csv": readers.read_table,
        ".tsv": readers.read_table,
    }
    suffix = path.suffix.lower()
    if suffix not in known:
        raise InvalidValueError(
            "coders' files of this kind are not read", file=path, expected=".eaf, .TextGrid, .csv or .tsv"
        )
    return known[suffix]


def _clock(path: Path, raw: RawFile, content: Content, named: str | None) -> FileClock:
    if named is not None:
        return content.clock(named)
    if "time" in raw.about:
        try:
            return FileClock.of_dict(raw.about["time"])
        except UnreadableFileError as error:
            error.file = str(path)
            raise
    if raw.clock is not None:
        return raw.clock
    known = ", ".join(["session", *(medium.stream for medium in content.media)])
    raise InvalidValueError(
        "the file does not say what its times count from",
        file=path,
        mend=f"Say whose time it is with --clock NAME: one of {known}.",
    )


def _meaning(name: str, content: Content, given: Mapping[str, str]) -> TierName | str:
    """What a tier holds, or why it cannot be used."""
    parsed = TierName.parse(given.get(name, name))
    channels = {*CHANNELS, *content.channels}
    if parsed is None or parsed.channel not in channels:
        if name in given:
            raise InvalidValueError("option tier", got=f"{name}={given[name]}", expected=f"{name}=face.micro@p01")
        channel = next((one for one, kinds in CHANNELS.items() if name.lower() in kinds), None)
        if channel is None:
            return "no known kind of event"
        parsed = TierName("", channel, name.lower())
    if not parsed.person and len(content.people) == 1 and parsed.channel not in ("context",):
        parsed = replace(parsed, person=content.people[0])
    if parsed.person and parsed.person not in content.people:
        return f"nobody called {parsed.person} in this session"
    return parsed


def _found(note: Note, meant: TierName, clock: FileClock, path: Path) -> Found:
    onset = int(clock.to_session(note.start_ns))
    offset = max(int(clock.to_session(note.end_ns)), onset + MS)
    apex = note.values.get("apex_s")
    score, details = note.values.get("score"), note.values.get("details")
    try:
        apex_ns = None if apex is None else _within(at_ns(float(apex)), onset, offset)
        if score is not None and not math.isfinite(float(score)):
            raise ValueError(f"a score of {score}")
        if not isinstance(details or {}, Mapping):
            raise TypeError("details are no table")
        event = Event(
            channel=meant.channel,
            kind=meant.kind,
            onset_ns=onset,
            offset_ns=offset,
            apex_ns=apex_ns,
            person=meant.person or None,
            score=None if score is None else float(score),
            label=label_of(note.text, meant.kind),
            details=dict(details or {}),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableFileError(
            "the values of an annotation cannot be understood",
            file=path,
            time_s=onset / 1e9,
            got=str(note.values)[:200],
        ) from error
    says = {name.removesuffix("_s") for name in ("apex_s", "score", "details") if name in note.values}
    return Found(event, frozenset(says), note.comment)


def _within(apex_ns: int, onset_ns: int, offset_ns: int) -> int | None:
    """The apex, moved by what rounding to milliseconds took from it; None where the interval has left it behind."""
    inside = min(max(apex_ns, onset_ns), offset_ns)
    return inside if abs(inside - apex_ns) <= MS else None


def at_ns(seconds: float) -> int:
    """A time in a coder's file, seconds, as nanoseconds.

    Raises:
        ValueError: it is no number, or lies farther away than any clock of a recording counts.
    """
    if not abs(seconds) <= MOST_S:
        raise ValueError(f"{seconds:g} s is no time of a recording")
    return round(seconds * NS_PER_S)


def ms_at_ns(text: str | int) -> int:
    """A time in whole milliseconds as nanoseconds, exactly.

    Raises:
        ValueError: as `at_ns`.
    """
    ms = int(text)
    if abs(ms) > 1000 * MOST_S:
        raise ValueError("it is no time of a recording")
    return ms * MS


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is none, holds what no file can (half a character, not-a-number), or lists within lists by the
            thousand.
    """
    try:
        said = json.loads(text, parse_constant=_no_number)
        json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as error:
        raise ValueError("values within values without end") from error
    return said


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def parse_values(text: str) -> dict[str, Any]:
    """Apex, score and details from their JSON text; {} where a coder has put something else there."""
    try:
        said = parse_json(text)
    except ValueError:
        return {}
    return {key: said[key] for key in ("apex_s", "score", "details") if key in said} if isinstance(said, dict) else {}
