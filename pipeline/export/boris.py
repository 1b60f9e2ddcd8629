"""BORIS: the CSV of its aggregated events, one row per event.

The columns are those that BORIS writes with "Export aggregated events" (Friard & Gamba 2016, Methods in Ecology and
Evolution 7, 1325-1330).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_schemas.event import Event
from data_schemas.time import to_s
from pipeline.export.content import Content
from pipeline.export.tables import write_sidecar
from pipeline.export.tiers import values_of

COLUMNS = (
    "Observation id", "Observation date", "Description", "Media file", "Total length", "FPS", "Subject", "Behavior",
    "Behavioral category", "Modifiers", "Behavior type", "Start (s)", "Stop (s)", "Duration (s)", "Comment start",
    "Comment stop",
)  # fmt: skip
NOBODY = "No focal subject"
"""What BORIS writes where an event concerns nobody in particular."""


class Boris:
    """`.csv` with Behavior = kind, Behavioral category = channel, Modifiers = label, Subject = person."""

    suffix = ".csv"
    options: Mapping[str, str] = {
        "clock": "session (default), or the stream whose video is coded: times are then those of its file"
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        clock = content.clock(options.get("clock", "session"))
        medium = next((one for one in content.media if one.stream == clock.name), None)
        video = medium.file.name if medium is not None and medium.file is not None else ""
        rate = f"{medium.rate_hz:.3f}" if medium is not None and medium.is_video and medium.rate_hz else ""
        length = f"{to_s(content.end_ns - content.start_ns):.3f}"
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", restval="")
            writer.writeheader()
            for event in content.events:
                start, stop = clock.seconds(event.onset_ns), clock.seconds(event.offset_ns)
                row = {"Observation id": content.record.session, "Media file": video, "Total length": length}
                writer.writerow({**row, "FPS": rate, **_row(event, start, stop)})
        write_sidecar(content, target, {"columns": list(COLUMNS)}, clock=clock)
        return []


def _row(event: Event, start: float, stop: float) -> dict[str, Any]:
    return {
        "Subject": event.person or NOBODY,
        "Behavior": event.kind,
        "Behavioral category": event.channel,
        "Modifiers": event.label,
        "Behavior type": "STATE",
        "Start (s)": f"{start:.6f}",
        "Stop (s)": f"{stop:.6f}",
        "Duration (s)": f"{stop - start:.6f}",
        "Comment start": values_of(event),
    }


def parse_comment(text: str) -> dict[str, Any]:
    """Apex, score and details that `Comment start` holds; {"comment": text} where it is a coder's own remark."""
    if not text.strip():
        return {}
    try:
        said = json.loads(text)
    except ValueError:
        return {"comment": text.strip()}
    return said if isinstance(said, dict) else {"comment": text.strip()}
