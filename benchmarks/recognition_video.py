"""Three classes from pixels: planted expressions, given their true onset and apex, through the video path.

Expressions of the "bench" family are planted into simulated faces, and with `--full` also into the real face videos of
the folder `TELLTALE_DATA`/video where there are any; those that ride on another are left out. Each event is recognised
twice: as `telltale spot` does it (its two frames looked at again), and by the file path (the face followed through the
whole video, maps stretched to 8 bits as those of the flow-map files are).
`python -m benchmarks.recognition_video [--full]`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.stream import StreamInfo, Video
from data_schemas.time import Explicit
from modalities.face.flow_map import flow_maps, maps_of_events
from modalities.face.models import borrowed_models
from modalities.face.observation import FaceObserver
from modalities.face.recognition.default.recogniser import DefaultRecogniser
from modalities.face.recognition.samples import CLASSES
from modalities.face.recognition.scores import uf1_of
from modalities.face.registration import PATCH_IOD_PX
from pipeline.bench_material import make_copy
from pipeline.bench_plan import CopyPlan, list_videos, open_video, video_times_s
from pipeline.bench_workers import share_out, usable_cores
from pipeline.cli.terminal import silence_native_libraries

POSITIVE, SURPRISE = ("au06", "au12"), ("au01", "au02")
"""Units that show a positive emotion and surprise (EMFACS; Friesen & Ekman 1983); the other planted ones are negative.
"""
SEED = 77
COPY_S, EVERY_S = 30.0, 3.0
COPIES = (4, 16)
VIDEO_COPIES = 2
LEAD = 10
"""Frames before onset and apex that are kept for the second look."""


@dataclass(frozen=True)
class Answers:
    """Of one copy: true class, class by the video path and by the file path of each event; -1 for no face.

    Attributes:
        real: Whether the video shows a real face.
        rows: (events, 3).
        unsure: Events that the video path is unsure of.
    """

    real: bool
    rows: NDArray[np.int64]
    unsure: int


def measure(full: bool) -> Mapping[str, float]:
    """UF1 of both paths (forced choice), how often they agree, and the share of events that are called unsure.

    Args:
        full: 16 simulated copies of 30 s instead of 4, and the real videos.
    """
    plans = [CopyPlan("simulated quiet", at, SEED, COPY_S, int(COPY_S / EVERY_S)) for at in range(COPIES[full])]
    folder = Path(os.environ.get("TELLTALE_DATA", "")) / "video"
    if full and os.environ.get("TELLTALE_DATA") and folder.is_dir():
        plans += [plan for file in list_videos(folder) for plan in _plans_of(file)]
    answers = share_out(judge_copy, plans, usable_cores(), lambda done: None)
    told = [answer for answer in answers if isinstance(answer, Answers)]
    figures: dict[str, float] = {"failed": float(len(answers) - len(told))}
    for name, real in (("simulated", False), ("real", True)):
        rows = np.concatenate([np.zeros((0, 3), np.int64), *(one.rows for one in told if one.real == real)])
        if not len(rows):
            continue
        seen = rows[(rows >= 0).all(axis=1)]
        figures[f"{name}_events"] = float(len(rows))
        figures[f"{name}_unseen"] = float(len(rows) - len(seen))
        figures[f"{name}_video_uf1"] = uf1_of(seen[:, 0], seen[:, 1], len(CLASSES))
        figures[f"{name}_file_uf1"] = uf1_of(seen[:, 0], seen[:, 2], len(CLASSES))
        figures[f"{name}_agree"] = float((seen[:, 1] == seen[:, 2]).mean())
        figures[f"{name}_unsure"] = sum(one.unsure for one in told if one.real == real) / len(rows)
    return figures


def _plans_of(file: Path) -> Iterator[CopyPlan]:
    """Planted copies of a real video; none of one that cannot be read."""
    times = video_times_s(open_video(file))
    length = min(float(times[-1]), COPY_S) if len(times) else 0.0
    if length >= EVERY_S:
        for at in range(VIDEO_COPIES):
            yield CopyPlan(file.name, at, SEED, length, int(length / EVERY_S), file)


def judge_copy(plan: CopyPlan) -> Answers:
    """Both paths on one copy."""
    copy = make_copy(plan)
    events = [
        (event, truth)
        for event, truth in copy.planted
        if not any(other.onset_s < event.offset_s and event.onset_s < other.offset_s for other, _ in copy.planted
                   if other is not event)
    ]  # fmt: skip
    ends = [(max(0, truth.onset_frame - 1), truth.apex_frame) for _, truth in events]  # the last frame still at rest
    moments = [(int(copy.times_ns[onset]), int(copy.times_ns[apex])) for onset, apex in ends]
    wanted = {at + near for pair in ends for at in pair for near in range(-LEAD, 1)}
    kept: dict[int, NDArray[np.uint8]] = {}
    with borrowed_models() as models:
        observer = FaceObserver(models)

        def look() -> Iterator[tuple[int, NDArray[np.uint8]]]:
            for at, (t_ns, picture) in enumerate(zip(copy.times_ns.tolist(), copy.pictures(), strict=False)):
                observer.add(picture, t_ns)
                if at in wanted:
                    kept[at] = picture
                yield t_ns, picture

        followed = list(flow_maps(look(), moments, models))
        video = Video(
            info=StreamInfo("face", "face_rgb", "session", "p01"),
            axis=Explicit(copy.times_ns),
            source=lambda: iter(kept.items()),
            width=next(iter(kept.values())).shape[1] if kept else 1,
            height=next(iter(kept.values())).shape[0] if kept else 1,
        )
        again = maps_of_events(video, observer.rows(), moments, models)
    judge = DefaultRecogniser.load()
    rows, unsure = [], 0
    for (event, _), live, file in zip(events, again, followed, strict=True):
        answer = [true_class(event.aus), -1, -1]
        if live is not None:
            answer[1] = int(judge.recognise(live.stack()[None])[0].argmax())
            unsure += judge.label(live.stack()[None], iod_px=PATCH_IOD_PX)[0] not in CLASSES
        if file is not None:
            answer[2] = int(judge.recognise(file.stretched()[None])[0].argmax())
        rows.append(answer)
    return Answers(plan.file is not None, np.array(rows, np.int64).reshape(-1, 3), unsure)


def true_class(aus: tuple[str, ...]) -> int:
    """Class number of a planted combination."""
    units = {au.partition("_")[0] for au in aus}
    for name, family in (("positive", POSITIVE), ("surprise", SURPRISE)):
        if units <= set(family):
            return CLASSES.index(name)
    return CLASSES.index("negative")


def main() -> None:
    """Print all figures."""
    silence_native_libraries()
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name} {value:.3f}")


if __name__ == "__main__":
    main()
