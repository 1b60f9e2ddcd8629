"""Descriptors side by side on the same simulated clips: `python -m benchmarks.descriptors [--full] [--write DIR]`.

For each: length of the vector, time per clip, time as a share of plain loops over voxels (`descriptor_references`),
unweighted F1 with a linear and a radial support vector machine, people kept apart in five folds. Descriptors of flow
see the flow of the clip from its first picture to its apex. `--write DIR` leaves the clips where `telltale me bench
--data DIR` reads them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.descriptor_references import plain
from modalities.face.descriptors.clip_flow import flow_of_clip
from modalities.face.descriptors.registry import DESCRIPTORS, Entry
from modalities.face.recognition.clip_set import write_clip_set
from modalities.face.recognition.crossvalidation import Job, pool_answers, run_jobs
from modalities.face.recognition.protocols import find_protocol
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.scores import uf1_of
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.systems import find_system

SIDE, FRAMES = 64, 16
PLAIN_SIDE = 20
"""Of the clip on which plain loops are timed, and the fast descriptor again beside them."""
REPEATS = 5


def measure(full: bool) -> Mapping[str, float]:
    """Figures of each descriptor: `NAME_dimension`, `NAME_ms`, `NAME_share`, `NAME_linear`, `NAME_rbf`.

    `share_most` is the greatest time as a share of plain loops, `different_most` the greatest difference from them;
    `uf1_least` and `uf1_best` are of the better machine of each.

    Args:
        full: 12 people with 8 clips each instead of 6 with 6.
    """
    samples = clips_of(full)
    folds = find_protocol("kfold").folds(samples, 0)
    figures: dict[str, float] = {}
    for name, entry in DESCRIPTORS.items():
        figures |= {f"{name}_{key}": value for key, value in _timed(entry, samples).items()}
        for kind in ("linear", "rbf"):
            system = find_system(f"{name}-{kind}" if entry.takes == "clip" else f"{name}-clip-{kind}")
            done = run_jobs(samples, [Job(system, fold) for fold in folds])
            answers = pool_answers(samples, folds, [one.said for one in done])
            figures[f"{name}_{kind}"] = uf1_of(answers.truth, answers.said, len(samples.classes))
    best = [max(figures[f"{name}_linear"], figures[f"{name}_rbf"]) for name in DESCRIPTORS]
    return {
        **figures,
        "share_most": max(figures[f"{name}_share"] for name in DESCRIPTORS),
        "different_most": max(figures[f"{name}_different"] for name in DESCRIPTORS),
        "uf1_least": min(best),
        "uf1_best": max(best),
    }


def clips_of(full: bool) -> Samples:
    """The clips of the table."""
    people, each = (12, 8) if full else (6, 6)
    return simulate_clip_set(people, each, seed=11, side=SIDE, frames=FRAMES)


def _timed(entry: Entry, samples: Samples) -> dict[str, float]:
    """Length, milliseconds per clip, and time and difference against plain loops."""
    whole = entry.of_clips()
    whole.describe(samples.x[:1])
    spent = [_seconds(whole, samples.x[at : at + 1]) for at in range(REPEATS)]
    small: Any = entry.make() if entry.takes == "flow_map" else entry.make(grid=2)
    clip = np.random.default_rng(5).integers(0, 256, (10, PLAIN_SIDE, PLAIN_SIDE)).astype(np.uint8)
    sample = flow_of_clip(clip) if entry.takes == "flow_map" else clip
    batch = sample[None] if entry.takes == "flow_map" else _boxed(clip)
    started = time.perf_counter()
    want = np.array(plain(entry.name, small, sample))
    slow = time.perf_counter() - started
    fast = min(_seconds(small, batch) for _ in range(3))
    return {
        "dimension": float(whole.dimension), "ms": 1000 * float(np.median(spent)), "share": fast / slow,
        "different": float(np.abs(small.describe(batch)[0] - want).max()),
    }  # fmt: skip


def _boxed(clip: np.ndarray) -> np.ndarray:
    out = np.empty(1, object)
    out[0] = clip
    return out


def _seconds(descriptor: Any, batch: np.ndarray) -> float:
    started = time.perf_counter()
    descriptor.describe(batch)
    return time.perf_counter() - started


def main() -> None:
    """Print a table, or write the clips."""
    full = "--full" in sys.argv
    if "--write" in sys.argv:
        folder = Path(sys.argv[sys.argv.index("--write") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        write_clip_set(clips_of(full), folder / "clips.npz")
        print(f"{folder / 'clips.npz'}: telltale me bench --data {folder}")
        return
    figures = measure(full)
    print(
        f"{'descriptor':21s} {'year':>4s} {'numbers':>8s} {'ms a clip':>9s} {'of plain':>9s} {'linear':>7s} {'rbf':>6s}"
    )
    for name, entry in DESCRIPTORS.items():
        numbers, ms, share, linear, rbf = (
            figures[f"{name}_{key}"] for key in ("dimension", "ms", "share", "linear", "rbf")
        )
        print(f"{name:21s} {entry.year} {numbers:8.0f} {ms:9.1f} {share:8.2%} {linear:7.3f} {rbf:6.3f}")
    print(
        f"slowest: {figures['share_most']:.2%} of its plain loops; differs by {figures['different_most']:.1e} at most"
    )


if __name__ == "__main__":
    main()
