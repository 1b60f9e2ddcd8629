"""The text of a new `session.toml`: what was found, and comments on what to correct."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_schemas.errors import TelltaleError

_HEAD = """\
# The session manifest of Telltale. Written by `telltale init`, which can only guess: read it through and correct it.
# Then: telltale check <this folder>   and   telltale analyze <this folder> -o <result folder>

schema_version = 1
name = {name}
purpose = ""   # what the recording is analysed for; it is written into every result
"""

_CONSENT = """
[consent]
# Nothing is analysed without the recorded people's consent. If they gave it, say for what and when:
# scope = ["analyse"]  (also "share", "train")   and   date = YYYY-MM-DD   (and expires = YYYY-MM-DD)
scope = {scope}
{date}
[[people]]
id = {person}
# One id is one person in all sessions of a study: give everybody their own.
# role = "interviewee"   sex = ""   age_group = ""   culture = ""
# Add one [[people]] for everybody recorded, and person = "..." to each stream. Others in view are not tracked.
# A face video of several of them: people = ["p01", "p02"] instead, from the camera's left to right.
"""

_CLOCKS = """
# Clocks: session time = (1 + drift_ppm / 1e6) * device time + offset_s. Nobody has said yet how these devices
# relate, so each is "assumed". Say what you know:
#   align = "offset"  with offset_s = ... (and drift_ppm)        measured by you
#   align = "markers" with own = "<stream of this clock>" and against = "<stream of another clock>"   both saw them
#           (or "sound", "motion", "ltc", "flash": both recorded it; kind = "sync_audio" is sound for clocks only)
#   align = "wall"    with own and against as above: by the start times that their files state, good to seconds
#   align = "pairs"   with pairs = [[this clock, session clock], ...]   readings in seconds
#   align = "lsl"                                                one XDF file
#   reference = true                                             this clock is the session clock
"""

_CUES = """
# Context on the session clock, one [[cues]] each; or list a table of events as a stream of kind "cues".
# [[cues]]
# kind = "question"        # question, answer, stimulus, condition, baseline, or your own word
# onset_s = 12.0
# offset_s = 15.5
# label = "Where were you on Monday?"
# expected = "negative"    # emotion that a stimulus is meant to evoke

# [labels]                 # known labels of the session, any keys
"""


@dataclass
class Guess:
    """One stream as `init` proposes it, with what the user should know about the guess."""

    values: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def render(
    name: str,
    guesses: Sequence[Guess],
    clocks: Mapping[str, tuple[float, list[str]]],
    consent: Sequence[str],
    broken: Sequence[TelltaleError],
    cues: Sequence[tuple[str, str, str, str]] = (),
    person: str = "p01",
) -> str:
    """The whole manifest as text.

    Args:
        name: Name of the session.
        guesses: Proposed streams.
        clocks: Clock -> (offset in seconds, remarks).
        consent: Scopes given on the command line.
        broken: Files that could not be read, listed as comments.
        cues: Clocks that can be aligned by sound: clock, own stream, stream against which, remark.
        person: Whom the session shows.
    """
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-") or "session"
    date = f"date = {dt.date.today().isoformat()}   # the day of this command: correct it\n" if consent else ""
    parts = [
        _HEAD.format(name=_toml(slug[:64])),
        _CONSENT.format(scope=_toml(list(consent)), date=date, person=_toml(person)),
        _CLOCKS,
    ]
    if len(clocks) == 1:
        parts.append(f"# All streams come from one device: its clock is the session clock.\n[clocks.{_key(*clocks)}]\n")
        parts.append("reference = true\n\n")
        clocks = {}
    by_sound = {clock: rest for clock, *rest in cues}
    for clock, (offset, remarks) in clocks.items():
        if clock in by_sound:
            own, against, remark = by_sound[clock]
            parts.append(f"# {_line(remark)}\n[clocks.{_key(clock)}]\n")
            parts.append(f'align = "sound"\nown = {_toml(own)}\nagainst = {_toml(against)}\n\n')
            continue
        parts += [f"# {_line(remark)}\n" for remark in remarks]
        parts.append(f'[clocks.{_key(clock)}]\nalign = "assumed"\noffset_s = {offset:.6f}\n\n')
    for guess in guesses:
        parts += [f"# {_line(remark)}\n" for remark in guess.remarks]
        parts.append(
            "[[streams]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in guess.values.items()) + "\n"
        )
    if broken:
        parts.append("# Files that could not be read:\n" + "".join(f"#   {_line(str(error))}\n" for error in broken))
    parts.append(_CUES)
    return "".join(parts)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _line(text: str) -> str:
    return " ".join(str(text).split())
