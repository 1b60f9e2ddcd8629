"""What the spotters that learn see of a stretch of aligned pictures: their own reducers' numbers, and the truth.

`spotter_models` has each of them watch every stretch once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.models import FloatArray
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.collaborative import Differences
from modalities.face.spotting.differences import FACE_BOX
from modalities.face.spotting.ltp import PATTERN_S, LtpReducer
from modalities.face.spotting.picture_network import small_face
from modalities.face.spotting.recurrent import KINDS
from modalities.face.spotting.recurrent_flow import FlowReducer
from modalities.face.spotting.recurrent_gradients import WindowReducer, descriptor_of
from modalities.face.synthesis.events import PlantedExpression
from pipeline.simulate.spotter_pictures import Stretch


@dataclass(frozen=True, eq=False)
class Lesson:
    """One stretch as the spotters see it.

    Attributes:
        times_ns: Of the pictures, int64 (t,).
        labels: Which pictures a micro- and which a macro-expression moves, (t, 2).
        planted: The expressions.
        tables: By name of the spotter, what its reducer keeps, (t, columns); the last one says where.
        faces: Pictures as networks take them, float16 (t, 64, 64).
        differences: Frame number, window and differences of both features (`collaborative`).
        patterns: By length, time of each start in seconds, (k,), and patterns, (k, areas, features) (`ltp`).
    """

    times_ns: NDArray[np.int64]
    labels: NDArray[np.bool_]
    planted: tuple[PlantedExpression, ...]
    tables: dict[str, FloatArray]
    faces: NDArray[np.float16]
    differences: list[tuple[int, int, NDArray[np.float64]]]
    patterns: list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def watch(stretch: Stretch, compared: bool = True) -> Lesson:
    """Have all of them see a stretch.

    Args:
        stretch: Aligned pictures.
        compared: Whether differences are measured too: they take half of the time, and a few stretches tell enough.
    """
    seen: list[list[NDArray[np.float64]]] = [[] for _ in PATTERN_S]

    def collect(scale: int, patterns: NDArray[np.float64]) -> NDArray[np.floating]:
        seen[scale].append(patterns)
        return np.zeros(len(patterns))

    reducers = {name: WindowReducer(descriptor_of(name), None) for name in ("hog-lstm", "higo-lstm")}
    flow, ltp, comparer = FlowReducer(), LtpReducer(collect), Differences()
    watching: list[Reducer] = [*reducers.values(), flow, ltp]
    differences: list[tuple[int, int, NDArray[np.float64]]] = []
    faces = np.zeros((len(stretch.patches), 64, 64), np.float16)
    left, top, right, bottom = FACE_BOX
    for number, (patch, points, t_ns) in enumerate(
        zip(stretch.patches, stretch.points, stretch.times_ns.tolist(), strict=True)
    ):
        for one in watching:
            one.add(patch, points, t_ns, number)
        if compared:
            differences += comparer.add(patch, t_ns, number)
        faces[number] = small_face(patch[top:bottom, left:right])
    n = len(stretch.patches)
    tables = {"hoof-lstm": flow.finish(n), **{name: one.finish(n) for name, one in reducers.items()}}
    heard = ltp.finish(n)
    patterns = [
        (
            stretch.times_s[heard[:, 2 * scale + 1] > 0],
            np.concatenate(seen[scale]) if seen[scale] else np.zeros((0, 12, 10)),
        )
        for scale in range(len(PATTERN_S))
    ]
    labels = np.stack([stretch.labels(kind) for kind in KINDS], axis=1)
    return Lesson(stretch.times_ns, labels, stretch.planted, tables, faces, differences, patterns)


def event_scores(
    found: Iterable[tuple[str, int, int]], planted: Iterable[PlantedExpression]
) -> dict[str, tuple[int, int, int]]:
    """By kind how many were found, found rightly, and planted: one to one, at an intersection over union of 0.5.

    Args:
        found: Kind, onset and offset in nanoseconds; the surest first.
        planted: The truth.
    """
    left = list(planted)
    counts: dict[str, list[int]] = {kind: [0, 0, sum(one.kind == kind for one in left)] for kind in KINDS}
    for kind, onset_ns, offset_ns in found:
        onset, offset = onset_ns / NS_PER_S, offset_ns / NS_PER_S
        counts[kind][0] += 1
        for one in left:
            shared = min(offset, one.offset_s) - max(onset, one.onset_s)
            if one.kind == kind and shared >= 0.5 * (max(offset, one.offset_s) - min(onset, one.onset_s)):
                counts[kind][1] += 1
                left.remove(one)
                break
    return {kind: (all_, right, true) for kind, (all_, right, true) in counts.items()}


def figures_of(counts: Iterable[dict[str, tuple[int, int, int]]], kind: str) -> dict[str, float]:
    """F1, precision and recall of the sums of `event_scores`."""
    found, right, true = np.sum([one[kind] for one in counts], axis=0).tolist()
    return {
        "f1": round(2 * right / max(1, found + true), 3),
        "precision": round(right / max(1, found), 3),
        "recall": round(right / max(1, true), 3),
    }
