"""What the demo finds of what it planted, over several seeds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.compare import clock_errors_ms, match_all, pitch_error
from pipeline.demo import Demo, run_demo


def measure(full: bool) -> Mapping[str, float]:
    """Pooled recall and precision per kind of event; median errors of rate and pitch; worst clock error.

    Args:
        full: Five seeds of 60 s instead of 40 s.
    """
    seeds, seconds = (5, 60.0) if full else (5, 40.0)
    planted: dict[str, int] = {}
    found: dict[str, int] = {}
    hits: dict[str, int] = {}
    rates, pitches, clocks = [], [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            demo = run_demo(Path(folder), seconds=seconds, seed=seed)
            for kind, matched in match_all(demo.truth, demo.result).items():
                planted[kind] = planted.get(kind, 0) + len(matched.planted)
                found[kind] = found.get(kind, 0) + len(matched.found)
                hits[kind] = hits.get(kind, 0) + len(matched.pairs)
            rates.append(_rate_error(demo))
            pitches.append(pitch_error(demo.truth, demo.result))
            clocks += clock_errors_ms(demo.truth, demo.result).values()
    figures = {
        "heart_rate_error_bpm": float(np.median(rates)),
        "pitch_error": float(np.nanmedian(pitches)),
        "clock_error_ms": float(np.max(clocks)),
    }
    for kind, number in planted.items():
        figures[f"{kind}_recall"] = hits[kind] / number if number else float("nan")
        figures[f"{kind}_precision"] = hits[kind] / found[kind] if found[kind] else float("nan")
    return figures


def _rate_error(demo: Demo) -> float:
    """Absolute difference of the mean heart rates planted and found, bpm."""
    planted = demo.truth.tracks["heart_rate_bpm"].mean()
    column = demo.result.timeline["physiology.heart_rate_bpm"].drop_null().to_numpy()
    return abs(float(column.mean()) - float(planted)) if len(column) else float("nan")
