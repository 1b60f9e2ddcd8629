"""Sound and video in a BIDS data set, as the draft of BEP047 names them.

The draft: "Audio/video recordings for behavioral experiments", BIDS extension proposal 47, in community review in 2026:
`beh/` with the suffixes `_audio`, `_video` and `_audiovideo`, and JSON files beside. What released validators do not
know yet stands in `.bidsignore`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_schemas.errors import ConsentError, NothingUsableError
from data_schemas.time import to_s
from modalities.readers.faults import refuse
from pipeline.export.content import Content
from pipeline.export.media import Medium

IGNORED = ("**/beh/*_audio.*", "**/beh/*_video.*", "**/beh/*_audiovideo.*")


def add_recordings(content: Content, target: Path, labels: Mapping[str, str], task: str) -> list[str]:
    """Copy each recording with its JSON; one that shows nobody in particular goes to everybody.

    Args:
        content: The result.
        target: The data set.
        labels: BIDS label of each person.
        task: BIDS label of the task.

    Raises:
        ConsentError: the export is de-identified, or the manifest records no consent to share.
        NothingUsableError: no recording is at hand.
    """
    from pipeline.export.bids import label_of, write_json
    from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent

    if content.deidentified:
        raise ConsentError(
            "a de-identified export holds no face and no voice", mend="Leave out --option bep047, or --deidentify."
        )
    media = [medium for medium in content.media if medium.file is not None]
    if content.session is None or not media:
        raise NothingUsableError(
            "no recording was found that could be copied", mend="Name the session folder with --session."
        )
    require_consent(load_manifest(content.session), "share", content.session / MANIFEST_NAME)
    for medium in media:
        said, suffix = _said(medium, content)
        for person, label in labels.items():
            if medium.person in (person, None) and medium.file is not None:
                name = f"sub-{label}_task-{task}_recording-{label_of(medium.stream)}_{suffix}"
                place = target / f"sub-{label}" / "beh" / name
                shutil.copyfile(medium.file, place.with_name(name + medium.file.suffix.lower()))
                write_json(place.with_name(f"{name}.json"), said)
    return ["sound and video are named by a draft (BEP047); released BIDS validators are told to pass over them"]


def _said(medium: Medium, content: Content) -> tuple[dict[str, Any], str]:
    """What the JSON beside a recording says, and its suffix."""
    import av

    if medium.file is None:
        raise NothingUsableError(f"the recording of '{medium.stream}' is not at hand")
    try:
        with av.open(str(medium.file)) as opened:
            video = opened.streams.video[0] if opened.streams.video else None
            audio = opened.streams.audio[0] if opened.streams.audio else None
            said: dict[str, Any] = {
                "TaskName": content.record.session,
                "RecordingDuration": round(to_s(medium.end_ns - medium.start_ns), 6),
                "StartTime": round(to_s(medium.start_ns), 6),
            }
            if video is not None:
                size = {"Width": video.codec_context.width, "Height": video.codec_context.height}
                said |= {"VideoCodec": video.codec_context.name, **size}
                if medium.rate_hz:
                    said["FrameRate"] = round(medium.rate_hz, 6)
            if audio is not None:
                said |= {"AudioCodec": audio.codec_context.name, "AudioSampleRate": audio.rate}
                said["AudioChannelCount"] = audio.channels
    except (av.FFmpegError, OSError, ValueError) as error:
        refuse("the recording cannot be opened", medium.file, error)
    said["Telltale"] = {"stream": medium.stream, "drift_ppm": medium.drift_ppm, **content.about()}
    suffix = ("audiovideo" if audio is not None else "video") if video is not None else "audio"
    return said, suffix
