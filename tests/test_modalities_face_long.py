"""What long recordings cost: the second pass over the kept rows makes little beside what it gives back."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from modalities.face.anchor import straighten
from modalities.face.neutral import subtract_neutral
from modalities.face.observation import ROW
from modalities.face.pieces import pieces
from modalities.face.regions import NAMES
from modalities.face.spotting.temporal_features import CHANNELS, RATE_HZ, describe_motion, even_grid, even_motion

ROWS = 30_000


def peak_of(work: Callable[[], Any]) -> float:
    """Most bytes per row that were alive at once, the result among them."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / ROWS
    finally:
        tracemalloc.stop()


def test_pieces_cover_everything_once() -> None:
    for n in (0, 1, 7, 8, 9, 25):
        assert [at for part in pieces(n, 8) for at in range(n)[part]] == list(range(n))


def test_movement_is_described_in_little_memory() -> None:
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(0, 0.1, (ROWS, 26, 2)), axis=0)
    still = np.zeros(ROWS)
    given = 8 * 26 + 4 * CHANNELS
    assert peak_of(lambda: describe_motion(motion, still, still, still)) < 5 * given


def test_movement_is_resampled_in_little_memory() -> None:
    times = (np.arange(ROWS) * 1e9 / RATE_HZ).astype(np.int64)
    motion = np.zeros((ROWS, 26, 2), np.float32)
    assert peak_of(lambda: even_motion(motion, times, even_grid(times))) < 2.7 * 8 * 52


def test_the_neutral_is_taken_away_in_little_memory() -> None:
    rng = np.random.default_rng(0)
    values, angles = rng.normal(0, 1, (ROWS, 73)).astype(np.float32), rng.normal(0, 5, (ROWS, 3))
    assert peak_of(lambda: subtract_neutral(values, angles, np.ones(ROWS, bool))) < 4 * 4 * 73


def test_trajectories_are_straightened_in_little_memory() -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros(ROWS, ROW)
    rows["found"], rows["t_ns"] = True, np.arange(ROWS) * 33_000_000
    rows["key_back"][3000::15] = 2000
    traced = rng.normal(0, 1, (ROWS, len(NAMES), 2)).astype(np.float32)
    assert peak_of(lambda: straighten(rows, traced)) < 3 * 8 * len(NAMES)
