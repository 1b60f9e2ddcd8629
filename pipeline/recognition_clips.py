"""Clips of a corpus: aligned grey pictures from onset to offset, for systems that take clips."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.whole_file import write_arrays
from pipeline.recognition_data import (
    RecognitionData,
    code,
    leave_out,
    nothing_usable,
    plan_event,
    plan_events,
    read_data,
)
from pipeline.recognition_maps import MapError, MapTask, look_at_frames

if TYPE_CHECKING:
    from modalities.face.corpora.sample import Sample
    from modalities.face.recognition.samples import Samples

SIDE = 64
"""Side of a picture, pixels, averaged down from the aligned one."""
STEP = "clips"


def read_clips(folder: Path, *, workers: int = 1, keep: Path | None = None, hook: Hook = silent) -> RecognitionData:
    """Clips to train on or to test.

    A folder with npz files is read as it is. Any other is a corpus of `corpora.registry`: of each micro-expression with
    a composite class the face is followed from onset to offset (to the apex where no offset is coded), aligned as for
    maps of flow, and kept grey, 64 x 64. Pictures without a face are left out.

    Args:
        folder: Clips, or a corpus with its coding sheet and its pictures or videos.
        workers: Processes.
        keep: Folder of finished clips; what is there is not made again.
        hook: Told how many are done.

    Raises:
        MissingFileError: no such folder.
        UnreadableFileError: the folder is neither, or a file cannot be read.
        NothingUsableError: not one event could be made a clip.
        InvalidValueError: no process, or a folder of flow maps, which hold no clips.
    """
    from modalities.face.corpora.registry import open_corpora
    from pipeline.bench_workers import share_out

    if folder.is_dir() and any(folder.glob("*.npz")):
        read = read_data(folder)
        if read.samples.kind != "clip":
            raise InvalidValueError(
                "the folder holds maps of flow, from which no clips can be had",
                file=folder,
                expected="npz files of clips, or a corpus with its pictures",
            )
        return read
    if workers < 1:
        raise InvalidValueError("the work needs a process", got=f"{workers} processes")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    corpora = open_corpora(folder)
    mark = f"clip {SIDE} {code()}" if keep is not None else ""
    planned, left_out = plan_events(corpora, lambda sample: plan_event(_whole(sample), keep, mark))
    hook(STEP, 0, len(planned))
    made = share_out(
        make_clip, [task for _, task in planned], workers, lambda done: hook(STEP, done, len(planned))
    )  # fmt: skip
    clips: list[tuple[Sample, NDArray[np.uint8]]] = []
    for (sample, _), one in zip(planned, made, strict=True):
        if isinstance(one, str):
            left_out.append(leave_out(sample, "failed", one))
        elif isinstance(one, tuple):
            left_out.append(leave_out(sample, *one))
        else:
            clips.append((sample, one))
    if not clips:
        raise nothing_usable(folder, corpora, left_out)
    notes = tuple(f"{corpus.name}: {note}" for corpus in corpora for note in corpus.notes)
    return RecognitionData(_samples(clips), tuple(left_out), notes)


def _whole(sample: Sample) -> Sample:
    """The event up to its offset, as for a map whose apex is not coded."""
    return replace(sample, apex=None, offset=sample.apex if sample.offset is None else sample.offset)


def make_clip(task: MapTask) -> NDArray[np.uint8] | tuple[str, str]:
    """Pictures (t, 64, 64) of one event, kept where asked for; or why there are none: one of `REASONS`, and what."""
    import cv2

    known = _recall(task.keep)
    if known is not None:
        return known
    try:
        faces = look_at_frames(task)
    except MapError as error:
        return error.reason, error.detail
    except (TelltaleError, OSError) as error:
        return "unreadable", str(error)
    if task.numbers[0] not in faces:
        return "no_face_onset", f"frame {task.numbers[0]} of {task.place.name}"
    if len(faces) < 2:
        return "no_face_apex", "no frame after the onset shows a face"
    pictures = [cv2.resize(faces[at].patch, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for at in sorted(faces)]
    clip = np.stack(pictures).astype(np.uint8)
    if task.keep is not None:
        write_arrays(task.keep, {"clip": clip}, compressed=True)
    return clip


def _recall(file: Path | None) -> NDArray[np.uint8] | None:
    if file is None or not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as held:
            return cast("NDArray[np.uint8]", held["clip"].astype(np.uint8))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _samples(clips: Sequence[tuple[Sample, NDArray[np.uint8]]]) -> Samples:
    from modalities.face.recognition.samples import CLASSES, Samples

    events = [sample for sample, _ in clips]
    x = np.empty(len(clips), object)
    x[:] = [clip for _, clip in clips]
    columns = {
        "subject": [one.subject for one in events],
        "dataset": [one.corpus for one in events],
        "clip": [one.clip for one in events],
        "emotion": [one.emotion for one in events],
        "au": ["+".join(map(str, one.aus)) for one in events],
    }
    names = {name: np.array([str(word or "") for word in words], dtype=np.str_) for name, words in columns.items()}
    y = np.array([CLASSES.index(str(one.composite)) for one in events], np.int64)
    return Samples("clip", x, y, names.pop("subject"), names.pop("dataset"), names.pop("clip"), CLASSES, names)
