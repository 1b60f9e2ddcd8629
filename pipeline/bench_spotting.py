"""`telltale bench spotting`: every spotter on the planted benchmark.

Spotters see what the face encoder sees: its own pixels-to-signals path runs once over each copy, and every spotter is
asked about the same signals. Scores are those of `modalities.face.spotting.evaluation`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from pipeline.bench_material import MANNERS, Copy, open_video, simulated_copies, video_copies
from pipeline.bench_scores import Found, Outcome, Planted

if TYPE_CHECKING:
    from modalities.face.spotting.base import Expression, Spotter

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
CALM_PERCENT, LIVELY_PERCENT = 0.6, 2.0
"""Own movement of a face over 0.25 s, percent of the inter-ocular distance: below the first calm, from the second
on lively."""


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        outcomes: One per spotter and copy.
        own_movement: By material, the face's own movement over 0.25 s in its first copy, which for a video is the
            unplanted one (`own_movement`).
        refused: Videos that could not be used, and why.
    """

    outcomes: tuple[Outcome, ...]
    own_movement: dict[str, float]
    refused: dict[str, str]


def run_bench(
    spotters: Sequence[str],
    videos: Path | None = None,
    *,
    minutes: float = 4.0,
    seed: int = 0,
    simulated: bool = True,
    hook: Hook = silent,
) -> Bench:
    """Measure spotters.

    Args:
        spotters: Names of `modalities.face.spotting.base.SPOTTERS`.
        videos: Folder of face videos, each used planted and unplanted.
        minutes: Planted length in all, shared evenly by the two simulated manners and the videos.
        seed: Of faces, plans and disturbances.
        simulated: Whether simulated faces take part.
        hook: Told of each copy, by material.

    Raises:
        InvalidValueError: no spotter, an unknown one, or a length that is not positive.
        MissingFileError: the folder is not there.
        NothingUsableError: it holds no video that can be used.
    """
    from modalities.face.spotting.base import load_spotter

    if not (spotters and minutes > 0):
        raise InvalidValueError("the bench needs a spotter and a positive length", got=(list(spotters), minutes))
    loaded = [load_spotter(name) for name in spotters]
    files = [] if videos is None else list_videos(videos)
    refused: dict[str, str] = {}
    usable = []
    for file in files:
        try:
            open_video(file)
            usable.append(file)
        except TelltaleError as error:
            refused[file.name] = str(error)
    manners = MANNERS if simulated else ()
    share = minutes / max(1, len(manners) + len(usable))
    sources: list[tuple[str, Iterator[Copy]]] = [
        (f"simulated {name}", simulated_copies(name, share, seed)) for name in manners
    ]
    sources += [(file.name, video_copies(file, share, seed)) for file in usable]
    outcomes: list[Outcome] = []
    own: dict[str, float] = {}
    for source, copies in sources:
        done = 0
        try:
            for done, copy in enumerate(copies, start=1):
                hook(source, done - 1, None)
                rows, looking_s = observe(copy)
                if copy.material not in own:
                    own[copy.material] = own_movement(rows)
                outcomes += ask(loaded, spotters, copy, rows, looking_s)
        except TelltaleError as error:
            refused[source] = str(error)
        hook(source, done, done)
    if not outcomes or (files and len(refused) >= len(files)):
        raise NothingUsableError("no video can be used", file=videos, got="; ".join(refused.values()))
    return Bench(tuple(outcomes), own, refused)


def list_videos(folder: Path) -> list[Path]:
    """Video files directly in a folder, by name.

    Raises:
        MissingFileError: no such folder.
        NothingUsableError: no video in it.
    """
    if not folder.is_dir():
        raise MissingFileError("no such folder of videos", file=folder)
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_ENDINGS)
    if not found:
        raise NothingUsableError("the folder holds no video", file=folder, expected=", ".join(VIDEO_ENDINGS))
    return found


def observe(copy: Copy) -> tuple[NDArray[np.void], float]:
    """What the face encoder keeps of each frame of a copy, and the seconds that it took to look."""
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver

    spent = 0.0
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for t_ns, picture in zip(copy.times_ns.tolist(), copy.pictures(), strict=False):
            began = time.perf_counter()
            observer.add(picture, t_ns)
            spent += time.perf_counter() - began
        return observer.rows(), spent


def own_movement(rows: NDArray[np.void]) -> float:
    """Median over frames of the mean movement of the regions over 0.25 s, percent of the inter-ocular distance."""
    from modalities.face.flow import LAGS_S

    lag = LAGS_S.index(0.25)
    linked = rows["found"] & (rows["back"][:, lag] > 0)
    size = np.linalg.norm(rows["motion"][linked, lag].astype(np.float64), axis=-1).mean(axis=-1)
    return float(np.median(size)) if len(size) else 0.0


def face_of(own_percent: float) -> str:
    """Sort of a face by its own movement: "calm", "between" or "lively"."""
    return "calm" if own_percent < CALM_PERCENT else "lively" if own_percent >= LIVELY_PERCENT else "between"


def ask(
    loaded: Sequence[Spotter], names: Sequence[str], copy: Copy, rows: NDArray[np.void], looking_s: float
) -> list[Outcome]:
    """What each spotter says of one copy."""
    from modalities.face.analysis import judge, make_signals

    began = time.perf_counter()
    signals, _ = make_signals(rows, judge(rows))
    common_s = looking_s + time.perf_counter() - began
    planted = tuple(
        Planted(event.kind, truth.onset_frame, truth.apex_frame, truth.offset_frame, event.percent, event.duration_s)
        for event, truth in copy.planted
    )
    out = []
    for name, spotter in zip(names, loaded, strict=True):
        began = time.perf_counter()
        expressions = spotter.spot(signals).expressions
        seconds = common_s + time.perf_counter() - began
        found = tuple(_found(one, copy) for one in expressions)
        out.append(Outcome(name, copy.name, copy.material, copy.natural, copy.times_ns, planted, found, seconds))
    return out


def _found(one: Expression, copy: Copy) -> Found:
    from modalities.face.spotting.table import nearest_frame

    onset, apex, offset = (nearest_frame(t, copy.times_ns) for t in (one.onset_ns, one.apex_ns, one.offset_ns))
    return Found(one.kind, onset, apex, offset, one.score, "+".join(one.aus))
