"""From an event of a corpus to its flow map: which pictures are looked at, a missing apex, and what can fail."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError, UnreadableFileError
from data_schemas.whole_file import write_arrays
from modalities.face.corpora.sample import Sample
from modalities.face.corpora.shelf import PICTURES

if TYPE_CHECKING:
    from modalities.face.flow_methods import DenseFlow
    from modalities.face.head_motion import FacePicture

REASONS: dict[str, str] = {
    "other_kind": "no micro-expression",
    "no_class": "its emotion has no composite class",
    "no_onset": "its onset is not coded",
    "no_apex": "neither apex nor offset is coded",
    "apex_early": "its apex (or, without one, its offset) is not after its onset",
    "no_pictures": "no pictures and no video of it were found",
    "missing_picture": "a picture of it is missing",
    "no_face_onset": "no face at the onset",
    "no_face_apex": "no face at the apex",
    "unreadable": "its pictures or video cannot be read",
    "failed": "the work on it failed",
}
"""Why an event has no map, by short name."""
MOST_PICTURES = 60
"""So many pictures of an event are looked at, evenly from onset to apex (or offset)."""
FPS_UNKNOWN = 30.0
"""Frame rate taken for pictures where nothing says it; it steers only how fast the registration follows the head."""


class MapError(Exception):
    """An event has no map.

    Args:
        reason: One of `REASONS`.
        detail: What exactly, or empty.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class MapTask:
    """One event whose map is wanted.

    Attributes:
        place: Folder of pictures, or video.
        numbers: Frames to look at, increasing; the first is the onset.
        files: Their pictures; empty for a video, whose frames are counted from 1 (from 0 if the onset is 0).
        apex: One of the numbers; None to find it.
        fps: Frames per second of the pictures.
        keep: Where the answer is kept, or None.
    """

    place: Path
    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    apex: int | None
    fps: float
    keep: Path | None = None


@dataclass(frozen=True, eq=False)
class MadeMap:
    """The answer to a task.

    Attributes:
        picture: u, v and strain, each stretched over 0..255, uint8 (28, 28, 3); None where there is none.
        apex: Frame of the apex.
        reason: Why there is no map, one of `REASONS`; empty where there is one.
        detail: What exactly.
    """

    picture: NDArray[np.uint8] | None
    apex: int = 0
    reason: str = ""
    detail: str = ""


def plan_map(sample: Sample, folder: Path | None = None, version: str = "") -> MapTask:
    """What is to be done for an event.

    Args:
        sample: Of a corpus.
        folder: Where answers are kept; None keeps nothing.
        version: Of the code; an answer of another version does not count.

    Raises:
        MapError: the sheet or the folder does not give what a map needs.
    """
    if sample.onset is None:
        raise MapError("no_onset")
    last = sample.offset if sample.apex is None else sample.apex
    if last is None:
        raise MapError("no_apex")
    if last <= sample.onset:
        raise MapError("apex_early", f"{sample.onset} to {last}")
    if sample.path is None:
        raise MapError("no_pictures")
    if sample.path.is_dir():
        found = _numbered(sample.path, sample.onset, last)
        missing = [one for one in (sample.onset, sample.apex) if one is not None and one not in found]
        if missing or len(found) < 2:
            raise MapError(
                "missing_picture", f"{sample.path.name} lacks {', '.join(map(str, missing)) or 'all others'}"
            )
        numbers = _some(sorted(found))
        files = tuple(found[one] for one in numbers)
    else:
        numbers, files = _some(range(sample.onset, last + 1)), ()
    task = MapTask(sample.path, numbers, files, sample.apex, sample.fps or FPS_UNKNOWN)
    return task if folder is None else replace(task, keep=folder / f"{_key(task, sample, version)}.npz")


def _numbered(folder: Path, onset: int, last: int) -> dict[int, Path]:
    """Pictures of a folder from onset to last by number; of several series the one that has most of them."""
    series: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = re.match(r"^(.*?)(\d+)$", path.stem)
        if match and path.suffix.lower() in PICTURES and onset <= int(match.group(2)) <= last:
            series.setdefault(match.group(1), {}).setdefault(int(match.group(2)), path)
    return max(series.values(), key=lambda one: (onset in one, last in one, len(one)), default={})


def _some(numbers: Sequence[int]) -> tuple[int, ...]:
    """At most `MOST_PICTURES` of them, evenly, with the first and the last."""
    places = np.linspace(0, len(numbers) - 1, min(len(numbers), MOST_PICTURES))
    return tuple(numbers[round(at)] for at in places.tolist())


def _key(task: MapTask, sample: Sample, version: str) -> str:
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in task.files or (task.place,)]
    about = (sample.corpus, sample.subject, sample.clip, task.numbers, task.apex, task.fps, facts, version)
    return hashlib.sha256(repr(about).encode()).hexdigest()[:24]


def make_map(task: MapTask) -> MadeMap:
    """Do a task and keep the answer; whatever goes wrong with the pictures is an answer too."""
    try:
        made = _make(task)
    except MapError as error:
        made = MadeMap(None, reason=error.reason, detail=error.detail)
    except (TelltaleError, OSError) as error:
        return MadeMap(None, reason="unreadable", detail=str(error))
    if task.keep is not None:
        store(task.keep, made)
    return made


def _make(task: MapTask) -> MadeMap:
    from modalities.face.flow_map import flow_between
    from modalities.face.flow_methods import dense_flow

    onset, flow, seen = task.numbers[0], dense_flow(), look_at_frames(task)
    if onset not in seen:
        raise MapError("no_face_onset", f"frame {onset} of {task.place.name}")
    apex = find_apex(seen, onset, flow) if task.apex is None else task.apex
    if apex not in seen:
        raise MapError("no_face_apex", f"frame {task.apex} of {task.place.name}")
    return MadeMap(flow_between(seen[onset], seen[apex], flow).stretched(), int(apex))


def look_at_frames(task: MapTask) -> dict[int, FacePicture]:
    """The aligned face of each frame that shows one, as `flow_map.flow_maps` follows it."""
    from modalities.face.flow_map import face_picture
    from modalities.face.landmarks import FaceTracker
    from modalities.face.models import borrowed_models
    from modalities.face.pictures import Toner
    from modalities.face.registration import PatchAligner

    seen: dict[int, FacePicture] = {}
    with borrowed_models() as models:
        tracker, aligner, toner = FaceTracker(models), PatchAligner(), Toner()
        for number, t_ns, image in _pictures(task):
            picture = toner.tone(image, t_ns)
            sighting = tracker.find(picture, t_ns)
            if sighting is None:
                aligner.restart()
            else:
                seen[number] = face_picture(sighting, aligner, t_ns)
    return seen


def _pictures(task: MapTask) -> Iterator[tuple[int, int, NDArray[np.generic]]]:
    """Number, time in ns and stored picture of each frame of a task."""
    from modalities.readers.image_sequence import read_picture

    if not task.files:
        yield from _frames(task)
        return
    for number, file in zip(task.numbers, task.files, strict=True):
        image = read_picture(file)
        if image is None:
            raise UnreadableFileError("a picture cannot be decoded", file=file)
        if image.ndim == 3 and image.dtype == np.uint16:
            image = (np.asarray(image, np.uint16) >> 8).astype(np.uint8)
        yield number, round((number - task.numbers[0]) * 1e9 / task.fps), image


def _frames(task: MapTask) -> Iterator[tuple[int, int, NDArray[np.generic]]]:
    from data_schemas.session import StreamEntry
    from data_schemas.stream import Video
    from modalities.readers import open_stream

    entry = StreamEntry.model_validate({"name": "face", "kind": "face_rgb", "file": task.place.name})
    video = cast(Video, open_stream(entry, task.place.parent, "p01"))
    first = min(1, task.numbers[0])
    numbers = {number - first: number for number in task.numbers}
    if max(numbers) >= len(video.times_ns):
        raise MapError(
            "missing_picture", f"{task.place.name} has {len(video.times_ns)} frames, not {max(task.numbers)}"
        )
    for frame in video.frames_at(numbers):
        yield numbers[frame.index], frame.t_ns, frame.image


def find_apex(seen: Mapping[int, FacePicture], onset: int, flow: DenseFlow) -> int:
    """The frame after the onset with the greatest energy of motion, without the head's, lids and outline.

    Energy is the mean square of the flow from the onset at the landmarks `head_motion.POINTS` that are trusted: a
    blink moves none of them. After Liong et al. (2015), "Automatic apex frame spotting in micro-expression database",
    who look for the frame that differs most from the onset, with other features.

    Args:
        seen: Aligned faces by frame, the onset's among them.
        onset: First frame.
        flow: From `flow_methods.dense_flow`.

    Raises:
        MapError: no face after the onset.
    """
    from modalities.face.head_motion import TRUST, HeadMotion, squares

    later = [number for number in sorted(seen) if number > onset]
    if not later:
        raise MapError("no_face_apex", "no frame after the onset shows a face")
    moved = [HeadMotion().remove(seen[onset], seen[number], flow).at_points[TRUST > 0] for number in later]
    return later[int(np.argmax([squares(one).mean() for one in moved]))]


def recall(file: Path | None) -> MadeMap | None:
    """A kept answer; None where there is none, or none that can be read."""
    if file is None or not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as held:
            reason, detail = str(held["reason"]), str(held["detail"])
            if reason not in REASONS and reason:
                return None
            return MadeMap(None if reason else held["picture"].astype(np.uint8), int(held["apex"]), reason, detail)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def store(file: Path, made: MadeMap) -> None:
    """Keep an answer."""
    picture = np.zeros((0, 0, 3), np.uint8) if made.picture is None else made.picture
    write_arrays(file, {"picture": picture, "apex": made.apex, "reason": made.reason, "detail": made.detail})
