"""`telltale spot`: spotted expressions of plain videos as rows with frame numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_schemas.event import Event
from data_schemas.hook import Hook, silent
from modalities.face.spotting.table import frame_indices
from pipeline.export.events import COLUMNS, as_rows
from pipeline.single import encode_file

SPOT_COLUMNS = (*COLUMNS, "video", "fps", "onset_frame", "apex_frame", "offset_frame", "intensity", "aus")
_KINDS = ("micro", "macro")


def spot_video(path: Path, hook: Hook = silent) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Spot the expressions of one video.

    Args:
        path: Video file.
        hook: Progress.

    Returns:
        Rows with the columns of `SPOT_COLUMNS` (frames counted from 0, each the nearest to its time), and a
        summary whose `problem` is empty when a face was found.

    Raises:
        TelltaleError: the file cannot be read as a video.
    """
    encoding, streams = encode_file(path, "face", hook=hook)
    stream = next(iter(streams.values()))
    times = stream.times_ns
    events = [event for event in encoding.events if event.kind in _KINDS]
    rows = []
    for event, row in zip(sorted(events, key=_by_onset), as_rows(events), strict=True):
        aus = event.details.get("aus", {})
        rows.append(
            {
                **row,
                "person": None,
                "video": path.name,
                "fps": round(stream.axis.rate_hz, 3),
                **frame_indices(event, times),
                "intensity": event.details.get("intensity"),
                "aus": "+".join(aus) if aus else event.label,
            }
        )
    reasons = {str(reason) for reason in encoding.track.reason} - {""}
    empty = not encoding.track.valid.any()
    summary = {
        "video": path.name,
        "frames": len(times),
        "face_found": f"{encoding.track.valid.any(axis=1).mean() if len(times) else 0:.0%}",
        **{kind: sum(event.kind == kind for event in encoding.events) for kind in encoding.spec.event_kinds},
        "problem": f"no usable face in the whole video ({', '.join(sorted(reasons))})" if empty else "",
    }
    return rows, summary


def _by_onset(event: Event) -> tuple[int, str, str, str, int, str]:
    return (event.onset_ns, event.person or "", event.channel, event.kind, event.offset_ns, event.label)
