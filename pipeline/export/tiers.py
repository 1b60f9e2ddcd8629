"""Events as tiers of a coding tool: named by channel, kind and person, none overlapping within a tier."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_schemas.event import EVENT_KINDS, Event
from pipeline.export.clock import FileClock
from pipeline.export.content import Content

_NAME = re.compile(r"(?P<channel>[^.@\s]+)\.(?P<kind>[^.@\s]+)(?:\.(?P<row>\d+))?(?:@(?P<person>\S+))?")
VALUES = " values"
"""Ending of the tier that holds apex, score and details of another tier's events, as JSON."""
CHANNELS = {
    "face": ("micro", "macro", "blink", "gaze_shift"),
    "voice": ("speech_turn", "pause", "filled_pause"),
    "body": ("gesture", "hand_to_face"),
    "physiology": ("r_peak", "scr", "reaction"),
    "context": ("cue",),
    "fused": ("incongruence",),
}
"""Kinds that belong to one channel alone."""
ACTION_UNITS = tuple(f"AU{n}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26))
MS = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class TierName:
    """What the events of a tier have in common; "face.micro@p01", the second of overlapping ones "face.micro.2@p01"."""

    person: str
    channel: str
    kind: str
    row: int = 1

    def __str__(self) -> str:
        row = f".{self.row}" if self.row > 1 else ""
        return f"{self.channel}.{self.kind}{row}" + (f"@{self.person}" if self.person else "")

    @classmethod
    def parse(cls, text: str) -> TierName | None:
        """The name that a tier carries; None where it is no such name."""
        match = _NAME.fullmatch(text.strip())
        if match is None:
            return None
        return cls(match["person"] or "", match["channel"], match["kind"], int(match["row"] or 1))


@dataclass(frozen=True)
class Tier:
    """Events of one tier with their times in the file.

    Attributes:
        name: What they have in common.
        spans: (start, end, event) in whole milliseconds of the file's clock, in order, none overlapping.
    """

    name: TierName
    spans: list[tuple[int, int, Event]] = field(default_factory=list)


def empty_tiers(content: Content) -> list[TierName]:
    """Tiers that a file for coders has even without any event, for them to fill.

    They are those of the kinds that were asked for, else of micro- and macro-expressions, for everybody whose channel
    was analysed.
    """
    kinds = content.kinds or ("micro", "macro")
    out = []
    for one in content.record.channels:
        if one.channel in content.channels:
            out += [TierName(one.person, one.channel, kind) for kind in CHANNELS.get(one.channel, ()) if kind in kinds]
    return out


def as_tiers(events: Sequence[Event], clock: FileClock, empty: Sequence[TierName] = ()) -> list[Tier]:
    """Events laid out on tiers, by person, channel and kind.

    An event is at least one millisecond long there. What overlaps goes onto further tiers.

    Args:
        events: In any order.
        clock: The file's clock.
        empty: Tiers that are there in any case.
    """
    tiers = {name: Tier(name) for name in empty}
    for event in sorted(events, key=lambda one: (one.onset_ns, one.offset_ns)):
        start = _ms(clock, event.onset_ns)
        end = max(start + 1, _ms(clock, event.offset_ns))
        row = 1
        while True:
            name = TierName(event.person or "", event.channel, event.kind, row)
            tier = tiers.setdefault(name, Tier(name))
            if not tier.spans or tier.spans[-1][1] <= start:
                tier.spans.append((start, end, event))
                break
            row += 1
    return [tiers[name] for name in sorted(tiers)]


def _ms(clock: FileClock, session_ns: int) -> int:
    return int((int(clock.of_session(session_ns)) + MS // 2) // MS)


def text_of(event: Event) -> str:
    """What stands in the annotation: the label, or the kind where the event has none."""
    return event.label or event.kind


def label_of(text: str, kind: str) -> str:
    """The label that an annotation's text means."""
    text = text.strip()
    return "" if text == kind else text


def values_of(event: Event) -> str:
    """Apex (session clock), score and details as JSON text; "" where there are none."""
    said: dict[str, Any] = {}
    if event.apex_ns is not None:
        said["apex_s"] = event.apex_ns / 1e9
    if event.score is not None:
        said["score"] = event.score
    if event.details:
        said["details"] = dict(event.details)
    return json.dumps(said, ensure_ascii=False, sort_keys=True) if said else ""


def vocabulary_of(channel: str, kind: str, events: Sequence[Event]) -> Mapping[str, str]:
    """The words that a coder may choose from for one kind, each with what it means."""
    words = {kind: EVENT_KINDS.get(kind, kind)}
    if kind in ("micro", "macro"):
        words |= dict.fromkeys(ACTION_UNITS, "FACS action unit")
    for event in events:
        if event.channel == channel and event.kind == kind:
            words.setdefault(text_of(event), "")
    return words
