"""Praat's TextGrid: one interval tier per person, channel and kind, and what the file is in a tier of its own.

The format: "TextGrid file formats", manual of Praat (Boersma & Weenink), long text form, UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import UnreadableFileError
from data_schemas.time import NS_PER_S
from pipeline.export.content import Content
from pipeline.export.tiers import MS, VALUES, as_tiers, empty_tiers, text_of, values_of

ABOUT = "telltale"


@dataclass(frozen=True)
class IntervalTier:
    """One tier.

    Attributes:
        name: As Praat shows it.
        intervals: (start, end, text) in seconds of the file; those of point tiers have start = end.
    """

    name: str
    intervals: list[tuple[float, float, str]]


class TextGrid:
    """`.TextGrid` in seconds on the session clock, or on a recording's own with `clock=STREAM`."""

    suffix = ".TextGrid"
    options: Mapping[str, str] = {
        "clock": "session (default), or the stream whose sound is opened beside it: times are then those of its file"
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        clock = content.clock(options.get("clock", "session"))
        tiers: list[IntervalTier] = []
        for tier in as_tiers(content.events, clock, empty_tiers(content)):
            name = str(tier.name)
            tiers.append(IntervalTier(name, [(a / 1000, b / 1000, text_of(one)) for a, b, one in tier.spans]))
            values = [(a / 1000, b / 1000, text) for a, b, one in tier.spans if (text := values_of(one))]
            if values:
                tiers.append(IntervalTier(name + VALUES, values))
        ends = [end for tier in tiers for _, end, _ in tier.intervals]
        starts = [start for tier in tiers for start, _, _ in tier.intervals]
        low = min([*starts, int(clock.of_session(content.start_ns)) // MS * MS / NS_PER_S])
        high = max([*ends, -(-int(clock.of_session(content.end_ns)) // MS) * MS / NS_PER_S])
        about = json.dumps(content.about(clock), ensure_ascii=False)
        target.write_text(as_text([*tiers, IntervalTier(ABOUT, [(low, high, about)])], low, high), encoding="utf-8")
        sounds = [one.stream for one in content.media if one.kind == "audio"]
        if clock.name == "session" and sounds:
            return [f"times are on the session clock; to open it beside the sound: --option clock={sounds[0]}"]
        return []


def as_text(tiers: Sequence[IntervalTier], low: float, high: float) -> str:
    """A TextGrid as text; gaps become empty intervals, as Praat wants them.

    Args:
        tiers: Intervals in order, none overlapping.
        low: Start of the whole, seconds.
        high: Its end.
    """
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = {low!r}", f"xmax = {high!r}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, tier in enumerate(tiers, 1):
        whole = _filled(tier.intervals, low, high)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(tier.name)}"]
        lines += [f"        xmin = {low!r}", f"        xmax = {high!r}", f"        intervals: size = {len(whole)}"]
        for at, (start, end, text) in enumerate(whole, 1):
            lines += [f"        intervals [{at}]:", f"            xmin = {start!r}", f"            xmax = {end!r}"]
            lines.append(f"            text = {_quoted(text)}")
    return "\n".join(lines) + "\n"


def _filled(intervals: Sequence[tuple[float, float, str]], low: float, high: float) -> list[tuple[float, float, str]]:
    out, at = [], low
    for start, end, text in intervals:
        if start > at:
            out.append((at, start, ""))
        out.append((start, end, text))
        at = end
    if at < high or not out:
        out.append((at, high, ""))
    return out


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def read_textgrid(path: Path) -> list[IntervalTier]:
    """Tiers of a TextGrid, long or short text form; empty intervals are left out.

    Raises:
        UnreadableFileError: it is no TextGrid text, or ends too early.
    """
    raw = path.read_bytes()
    for coding in ("utf-16", "utf-8-sig", "latin-1"):
        if coding == "utf-16" and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            continue
        try:
            text = raw.decode(coding)
            break
        except UnicodeDecodeError:
            continue
    words = _words(text)
    if words[:2] != ["ooTextFile", "TextGrid"]:
        raise UnreadableFileError("this is no TextGrid text file", file=path, expected='File type = "ooTextFile"')
    try:
        return _parsed(words[2:])
    except (IndexError, TypeError, ValueError) as error:
        raise UnreadableFileError("the TextGrid is cut off or damaged", file=path, got=str(error)) from error


def _words(text: str) -> list[str | float]:
    """Its free-standing values in order: quoted texts and numbers; names, brackets and `=` are for people only.

    A quote doubled within a text stands for one. Flags such as <exists> come as texts.
    """
    import re

    pattern = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|\[[^\]]*\]|(?<![^\s=])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\S)')
    out: list[str | float] = []
    for match in pattern.finditer(text):
        if match[1] is not None:
            out.append(match[1].replace('""', '"'))
        elif match[2] is not None:
            out.append(match[2])
        elif match[3] is not None:
            out.append(float(match[3]))
    return out


def _parsed(words: list[str | float]) -> list[IntervalTier]:
    at = 4
    tiers = []
    for _ in range(int(words[3])):
        kind, name, count = words[at], str(words[at + 1]), int(words[at + 4])
        at += 5
        found = []
        for _ in range(count):
            start = float(words[at])
            points = kind == "TextTier"
            end, text = (start, words[at + 1]) if points else (float(words[at + 1]), words[at + 2])
            at += 2 if points else 3
            if not isinstance(text, str):
                raise ValueError(f"a number where the text of '{name}' should be: {text}")
            if text.strip():
                found.append((start, end, text))
        tiers.append(IntervalTier(name, found))
    return tiers
