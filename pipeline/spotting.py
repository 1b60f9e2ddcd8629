"""`telltale spot`: spotted expressions of plain videos as rows with frame numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.stream import Stream
from modalities.face.spotting.evaluation import Spotted
from modalities.face.spotting.megc import write_table
from modalities.face.spotting.table import frame_indices
from pipeline.export.events import COLUMNS, as_csv, as_rows
from pipeline.single import encode_file

SPOT_COLUMNS = (*COLUMNS, "video", "fps", "onset_frame", "apex_frame", "offset_frame", "intensity", "aus")
KINDS = ("micro", "macro")
FORMATS = ("table", "megc")


@dataclass(frozen=True, eq=False)
class SpottedVideo:
    """What was found in one video.

    Attributes:
        path: The video.
        stream: Its pictures.
        encoding: All that the face encoder says.
        rows: Micro- and macro-expressions with the columns of `SPOT_COLUMNS`, by onset; frames counted from 0, each
            the nearest to its time.
        summary: Frames, faces and numbers of events; `problem` is empty when a face was found.
    """

    path: Path
    stream: Stream
    encoding: Encoding
    rows: list[dict[str, Any]]
    summary: dict[str, Any]


def spot_video(path: Path, hook: Hook = silent, spotter: str | None = None) -> SpottedVideo:
    """Spot the expressions of one video.

    Args:
        path: Video file.
        hook: Progress.
        spotter: One of `modalities.face.spotting.base.SPOTTERS`; None takes the face encoder's own choice.

    Raises:
        InvalidValueError: unknown spotter.
        TelltaleError: the file cannot be read as a video.
    """
    settings = {} if spotter is None else {"spotter": spotter}
    encoding, streams = encode_file(path, "face", settings=settings, hook=hook)
    stream = next(iter(streams.values()))
    times = stream.times_ns
    events = [event for event in encoding.events if event.kind in KINDS]
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
    return SpottedVideo(path, stream, encoding, rows, summary)


def write_spots(rows: Sequence[dict[str, Any]], form: str) -> str:
    """The rows of `spot_video` as the text of a table.

    Args:
        rows: Of any number of videos.
        form: One of `FORMATS`: "table" has the columns of `SPOT_COLUMNS`; "megc" those of the MEGC challenges, frames
            counted from 1 and videos without the ending of their files.
    """
    if form == "table":
        return as_csv(rows, SPOT_COLUMNS)
    return write_table(
        Spotted(Path(row["video"]).stem, row["kind"], row["onset_frame"] + 1, row["offset_frame"] + 1) for row in rows
    )


def _by_onset(event: Event) -> tuple[int, str, str, str, int, str]:
    return (event.onset_ns, event.person or "", event.channel, event.kind, event.offset_ns, event.label)
