"""What the demo finds of what it planted, over several seeds."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.bench_workers import share_out, usable_cores
from pipeline.compare import clock_errors_ms, match_all, pitch_error
from pipeline.demo import Demo, run_demo

SEEDS = 5


@dataclass(frozen=True)
class Played:
    """One demo: events planted, found and matched by kind, errors of rate (bpm), pitch (share) and clocks (ms)."""

    planted: Counter[str]
    found: Counter[str]
    hits: Counter[str]
    rate: float
    pitch: float
    clocks: tuple[float, ...]


def measure(full: bool) -> Mapping[str, float]:
    """Pooled recall and precision per kind of event; median errors of rate and pitch; worst clock error; `failed`.

    Args:
        full: Five seeds of 60 s instead of 40 s.
    """
    tasks = [(seed, 60.0 if full else 40.0) for seed in range(SEEDS)]
    answers = share_out(play, tasks, usable_cores(), lambda done: None)
    played = [one for one in answers if isinstance(one, Played)]
    if not played:
        raise RuntimeError(f"no demo ran: {answers[0]}")
    planted, found, hits = (
        sum((getattr(one, name) for one in played), Counter[str]()) for name in ("planted", "found", "hits")
    )
    figures = {
        "failed": float(len(answers) - len(played)),
        "heart_rate_error_bpm": float(np.median([one.rate for one in played])),
        "pitch_error": float(np.nanmedian([one.pitch for one in played])),
        "clock_error_ms": max(max(one.clocks) for one in played),
    }
    for kind, number in planted.items():
        figures[f"{kind}_recall"] = hits[kind] / number
        figures[f"{kind}_precision"] = hits[kind] / found[kind] if found[kind] else float("nan")
    return figures


def play(task: tuple[int, float]) -> Played:
    """One demo of a seed and a length in seconds."""
    seed, seconds = task
    with tempfile.TemporaryDirectory() as folder:
        demo = run_demo(Path(folder), seconds=seconds, seed=seed)
        matched = match_all(demo.truth, demo.result)
        return Played(
            Counter({kind: len(one.planted) for kind, one in matched.items()}),
            Counter({kind: len(one.found) for kind, one in matched.items()}),
            Counter({kind: len(one.pairs) for kind, one in matched.items()}),
            _rate_error(demo),
            pitch_error(demo.truth, demo.result),
            tuple(clock_errors_ms(demo.truth, demo.result).values()),
        )


def _rate_error(demo: Demo) -> float:
    """Absolute difference of the mean heart rates planted and found, bpm."""
    planted = demo.truth.tracks["heart_rate_bpm"].mean()
    column = demo.result.timeline["physiology.heart_rate_bpm"].drop_null().to_numpy()
    return abs(float(column.mean()) - float(planted)) if len(column) else float("nan")
