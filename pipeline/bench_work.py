"""What one worker of the spotting bench does: make a copy, look at it, ask every spotter."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array
from data_schemas.whole_file import write_arrays
from modalities.face.synthesis.following import FacePath
from pipeline.bench_cache import Seen, cached, store
from pipeline.bench_material import Copy, follow_video, make_copy
from pipeline.bench_plan import CopyPlan
from pipeline.bench_scores import Found, Outcome, Planted

if TYPE_CHECKING:
    from modalities.face.models import FloatArray, Picture
    from modalities.face.spotting.base import Expression, Reducer, Spotter


@dataclass(frozen=True)
class FaceTask:
    """Follow the face of a video, and leave where it was in a file."""

    video: Path
    length_s: float
    target: Path


@dataclass(frozen=True)
class CopyTask:
    """Ask spotters about one copy.

    Attributes:
        plan: The copy.
        spotters: Names.
        face: File that a `FaceTask` left; None for a simulated face.
        cache: Folder in which to keep what is seen; None keeps nothing.
        version: Of the code that makes and looks at copies.
    """

    plan: CopyPlan
    spotters: tuple[str, ...]
    face: Path | None
    cache: Path | None
    version: str


@dataclass(frozen=True)
class CopyAnswer:
    """Outcomes by spotter."""

    outcomes: tuple[Outcome, ...]


def follow(task: FaceTask) -> None:
    """See `FaceTask`; raises what `follow_video` does."""
    if not task.target.is_file():
        face = follow_video(task.video, task.length_s)
        task.target.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(task.target, {"points": face.points, "found": face.found})


@lru_cache(maxsize=1)
def _face(file: Path) -> FacePath:
    with np.load(file, allow_pickle=False) as kept:
        return FacePath(kept["points"], kept["found"])


def work(task: CopyTask) -> CopyAnswer:
    """See `CopyTask`.

    Raises:
        TelltaleError: the copy cannot be made.
    """
    from modalities.face.spotting.base import load_spotter, reducers_of

    spotters = [load_spotter(name) for name in task.spotters]
    wanted = set(reducers_of(spotters))
    seen = None if task.cache is None else cached(task.cache, task.plan, task.version, wanted)
    if seen is None:
        seen = observe(make_copy(task.plan, None if task.face is None else _face(task.face)), spotters)
        if task.cache is not None:
            store(task.cache, task.plan, task.version, seen)
    return CopyAnswer(tuple(ask(spotters, task.plan, seen)))


class _Timed:
    """A reducer whose time is measured."""

    def __init__(self, reducer: Reducer) -> None:
        self._reducer = reducer
        self.seconds = 0.0

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        began = time.perf_counter()
        self._reducer.add(patch, points, t_ns, number)
        self.seconds += time.perf_counter() - began

    def finish(self, n: int) -> FloatArray:
        began = time.perf_counter()
        values = self._reducer.finish(n)
        self.seconds += time.perf_counter() - began
        return values


def observe(copy: Copy, spotters: Sequence[Spotter]) -> Seen:
    """What the face encoder and the spotters' reducers keep of each frame of a copy."""
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver
    from modalities.face.spotting.base import reducers_of

    planted = tuple(
        Planted(event.kind, truth.onset_frame, truth.apex_frame, truth.offset_frame, event.percent, event.duration_s)
        for event, truth in copy.planted
    )
    timed = {name: _Timed(reducer) for name, reducer in reducers_of(spotters).items()}
    spent = 0.0
    with borrowed_models() as models:
        observer = FaceObserver(models, timed)
        for t_ns, picture in zip(copy.times_ns.tolist(), copy.pictures(), strict=False):
            began = time.perf_counter()
            observer.add(picture, t_ns)
            spent += time.perf_counter() - began
        spent -= sum(one.seconds for one in timed.values())
        reduced = observer.reduced()
        return Seen(
            copy.times_ns, planted, observer.rows(), reduced, spent, {name: one.seconds for name, one in timed.items()}
        )


def own_movement(rows: NDArray[np.void]) -> float:
    """Median over frames of the mean movement of the regions over 0.25 s, percent of the inter-ocular distance."""
    from modalities.face.flow import LAGS_S

    lag = LAGS_S.index(0.25)
    linked = rows["found"] & (rows["back"][:, lag] > 0)
    size = np.linalg.norm(rows["motion"][linked, lag].astype(np.float64), axis=-1).mean(axis=-1)
    return float(np.median(size)) if len(size) else 0.0


def ask(spotters: Sequence[Spotter], plan: CopyPlan, seen: Seen) -> list[Outcome]:
    """What each spotter says of one copy."""
    from modalities.face.analysis import judge, make_signals

    began = time.perf_counter()
    signals, _ = make_signals(seen.rows, judge(seen.rows), seen.reduced)
    common_s = seen.looking_s + time.perf_counter() - began
    own = own_movement(seen.rows)
    out = []
    for spotter in spotters:
        began = time.perf_counter()
        expressions = spotter.spot(signals).expressions
        seconds = common_s + _own_seconds(spotter, seen.reducing_s) + time.perf_counter() - began
        found = tuple(_found(one, seen.times_ns) for one in expressions)
        out.append(
            Outcome(
                spotter.name, plan.name, plan.material, plan.natural, seen.times_ns, seen.planted, found, seconds, own
            )
        )
    return out


def _own_seconds(spotter: Spotter, reducing_s: Mapping[str, float]) -> float:
    return reducing_s.get(spotter.name, 0.0)


def _found(one: Expression, times_ns: Int64Array) -> Found:
    from modalities.face.spotting.table import nearest_frame

    onset, apex, offset = (nearest_frame(t, times_ns) for t in (one.onset_ns, one.apex_ns, one.offset_ns))
    return Found(one.kind, onset, apex, offset, one.score, "+".join(one.aus))
