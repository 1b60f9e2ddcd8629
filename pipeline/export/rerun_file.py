"""Rerun: the videos, every feature and every event on one time axis, for the Rerun viewer.

Needs the optional library rerun-sdk. The file holds copies of the MP4 videos.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError, MissingExtraError
from data_schemas.time import NS_PER_S
from pipeline.export.clock import FileClock
from pipeline.export.content import Content
from pipeline.export.format import one_of
from pipeline.export.media import Medium
from pipeline.export.tiers import text_of

TIMELINE = "session_time"
MP4 = (".mp4", ".m4v", ".mov")


class Rerun:
    """`.rrd`: `/<person>/<channel>/<feature>`, `/<person>/events/<channel>/<kind>`, `/video/<stream>`."""

    suffix = ".rrd"
    options: Mapping[str, str] = {"video": "yes (default) or no: whether the MP4 videos are copied into the file"}

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        try:
            import rerun
        except ImportError as error:
            raise MissingExtraError(
                "rerun is not installed", mend="Install the optional part: pip install 'telltale[rerun]' (rerun-sdk)."
            ) from error
        recording = rerun.RecordingStream("telltale", recording_id=content.record.session)
        recording.save(str(target))
        about = json.dumps(content.about(), indent=2, ensure_ascii=False)
        recording.log("about", rerun.TextDocument(about, media_type="application/json"), static=True)
        _send_features(rerun, recording, content)
        _send_events(rerun, recording, content)
        notes = []
        if one_of(options, "video", ("yes", "no")) == "yes":
            notes = [note for medium in content.media if (note := _send_video(rerun, recording, medium))]
        recording.flush()
        recording.disconnect()
        return notes


def _axis(rerun: Any, times_ns: Any) -> Any:
    return rerun.TimeColumn(TIMELINE, duration=np.asarray(times_ns, dtype="timedelta64[ns]"))


def _send_features(rerun: Any, recording: Any, content: Content) -> None:
    """One scalar series per person and feature; where a cell is null there is no point."""
    grid = content.grid_ns
    for person in content.people:
        for field in content.features:
            values = content.column(field.name, person)
            there = np.isfinite(values)
            if not there.any():
                continue
            path = f"{person}/{field.name.replace('.', '/')}"
            unit = (field.metadata or {}).get(b"unit", b"1").decode()
            name = field.name if unit in ("", "1") else f"{field.name} [{unit}]"
            recording.log(path, rerun.SeriesLines(names=[name]), static=True)
            rerun.send_columns(
                path,
                indexes=[_axis(rerun, grid[there])],
                columns=rerun.Scalars.columns(scalars=values[there].astype(np.float64)),
                recording=recording,
            )


def _send_events(rerun: Any, recording: Any, content: Content) -> None:
    """A text at each onset, and per kind a series that is 1 while such an event lasts."""
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for event in content.events:
        groups.setdefault((event.person or "everybody", event.channel, event.kind), []).append(event)
    for (person, channel, kind), events in groups.items():
        path = f"{person}/events/{channel}/{kind}"
        onsets = [event.onset_ns for event in events]
        texts = [f"{text_of(event)} ({(event.offset_ns - event.onset_ns) / NS_PER_S:.3f} s)" for event in events]
        rerun.send_columns(
            path,
            indexes=[_axis(rerun, onsets)],
            columns=rerun.TextLog.columns(text=texts),
            recording=recording,
        )
        edges = sorted({time for event in events for time in (event.onset_ns, event.offset_ns)})
        on = [float(any(event.onset_ns <= time < event.offset_ns for event in events)) for time in edges]
        rerun.send_columns(
            f"{path}/on",
            indexes=[_axis(rerun, edges)],
            columns=rerun.Scalars.columns(scalars=on),
            recording=recording,
        )


def _send_video(rerun: Any, recording: Any, medium: Medium) -> str:
    """Copy a video in and tie its frames to the session clock; gives a sentence where that cannot be done."""
    if not medium.is_video or medium.file is None:
        return ""
    if medium.file.suffix.lower() not in MP4:
        return f"the video '{medium.stream}' is no MP4 and cannot be shown by Rerun"
    try:
        asset = rerun.AssetVideo(path=medium.file)
        frames = np.asarray(asset.read_frame_timestamps_nanos(), dtype=np.int64)
    except (RuntimeError, ValueError, OSError) as error:
        return f"the video '{medium.stream}' cannot be shown by Rerun: {error}"
    if not len(frames):
        raise InvalidValueError("the video has no frames", stream=medium.stream, file=medium.file)
    path = f"video/{medium.stream}"
    recording.log(path, asset, static=True)
    clock = FileClock(medium.stream, medium.start_ns, medium.drift_ppm)
    rerun.send_columns(
        path,
        indexes=[_axis(rerun, clock.to_session(frames - frames[0]))],
        columns=rerun.VideoFrameReference.columns_nanos(frames),
        recording=recording,
    )
    return ""
