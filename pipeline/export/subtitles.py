"""WebVTT: events as subtitles that any player shows over the video.

The format: WebVTT, W3C. Times follow the video's own playing time, since that is what a player has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from data_schemas.event import Event
from data_schemas.time import NS_PER_S
from pipeline.export.clock import FileClock
from pipeline.export.content import Content
from pipeline.export.format import LeftOut
from pipeline.export.tiers import MS


class WebVtt:
    """`.vtt`: one cue per event, the person as its voice; what lies before the video is left out and counted."""

    suffix = ".vtt"
    options: Mapping[str, str] = {
        "clock": "the stream whose video is played (by default the first face video), or session",
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        first = content.media[0].stream if content.media else "session"
        clock = content.clock(options.get("clock", first))
        about = json.dumps(content.about(clock), ensure_ascii=False).replace("-->", "- ->")
        blocks = [f"WEBVTT - {content.record.session}, times of {clock.name}", f"NOTE telltale {about}"]
        early = 0
        for event in sorted(content.events, key=lambda one: (one.onset_ns, one.offset_ns)):
            start = (int(clock.of_session(event.onset_ns)) + MS // 2) // MS
            end = max(start + 1, (int(clock.of_session(event.offset_ns)) + MS // 2) // MS)
            if start < 0:
                early += 1
                continue
            blocks.append(f"{_time(start)} --> {_time(end)}\n{_cue(event)}")
        target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
        return [LeftOut(f"{early} events begin before {_where(clock)} and are left out")] if early else []


def _where(clock: FileClock) -> str:
    return f"the video '{clock.name}'" if clock.name != "session" else f"time 0 ({-clock.zero_ns / NS_PER_S:g} s)"


def _time(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{ms:03d}"


def _cue(event: Event) -> str:
    text = f"{event.channel} {event.kind}" + (f": {event.label}" if event.label else "")
    if event.score is not None:
        text += f" ({event.score:.3g})"
    escaped = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
    return f"<v {event.person}>{escaped}" if event.person else escaped
