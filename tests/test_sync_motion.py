"""Shared motion: any rates, orientations, gaps and signs; what holds nothing common is not believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.sync_pairs import HIGH, ask, draw_pair, motion_stream, sound_stream
from data_schemas.errors import ClockError
from data_schemas.session import StreamEntry
from data_schemas.time import Explicit, to_ns, to_s
from sync.cues.motion import MotionEvidence

Wave = NDArray[np.float64]


def movement(seconds: float, rate: float, seed: int) -> Wave:
    """Three axes of slow and quick movement, (n, 3)."""
    from scipy.ndimage import gaussian_filter1d

    noise = np.random.default_rng(seed).standard_normal((int(seconds * rate), 3))
    slow = gaussian_filter1d(noise, 0.15 * rate, axis=0)
    quick = gaussian_filter1d(noise[::-1], 0.03 * rate, axis=0)
    return np.asarray(slow / slow.std() + 0.5 * quick / quick.std())


def test_pairs_of_the_benchmark_are_found() -> None:
    for number in (0, 4, 9):
        pair = draw_pair(number, "motion")
        found = ask(pair)
        assert found is not None
        assert pair.offset_s is not None
        assert abs(found.offset_s - pair.offset_s - pair.drift * to_s(found.anchor_ns)) < 0.02
        assert found.confidence >= HIGH


def test_strangers_are_not_believed() -> None:
    for number in range(6):
        found = ask(draw_pair(number, "motion", related=False))
        assert found is None or found.confidence < 0.5


@settings(max_examples=8, deadline=None)
@given(offset=st.floats(-10, 10), rate=st.sampled_from((25.0, 64.0, 100.0)), seed=st.integers(0, 50))
def test_any_offset_rate_and_orientation(offset: float, rate: float, seed: int) -> None:
    from scipy.spatial.transform import Rotation

    world = movement(60, 200, seed)
    step = np.arange(0, 30, 1 / rate)
    at = (step + 12 + offset) * 200
    own = np.stack([np.interp(at, np.arange(len(world)), axis) for axis in world.T], axis=1)
    own = 37 * Rotation.random(random_state=seed).apply(own) + (5, -900, 3)
    against = motion_stream(world[12 * 200 : 48 * 200], 200)
    found = MotionEvidence().compare(motion_stream(own, rate), against)
    assert abs(found.offset_s - offset) < 0.005


def test_one_column_of_either_sign_and_a_device_that_turns() -> None:
    from scipy.spatial.transform import Rotation

    world = movement(50, 100, 1)
    own = world[720:4000]
    against = motion_stream(world, 100)
    flipped = MotionEvidence().compare(motion_stream(-own[:, :1], 100), motion_stream(world[:, :1], 100))
    assert abs(flipped.offset_s - 7.2) < 0.005
    angles = np.linspace(0, 90, len(own))[:, None] * (40, 20, 10)
    tumbling = Rotation.from_euler("xyz", angles, degrees=True).apply(own)
    turned = MotionEvidence().compare(motion_stream(tumbling, 100), against)
    assert abs(turned.offset_s - 7.2) < 0.02
    assert turned.confidence >= 0.5


def test_uneven_times_and_gaps() -> None:
    world = movement(60, 100, 2)
    kept = np.random.default_rng(2).random(4000) > 0.1
    kept[1500:1700] = False
    own = motion_stream(world[1100:5100][kept], 100)
    times = to_ns(np.arange(4000)[kept] / 100)
    holed = replace(own, axis=Explicit(times))
    found = MotionEvidence().compare(holed, motion_stream(world, 100))
    assert abs(found.offset_s - 11) < 0.005
    assert found.confidence >= HIGH


def test_drift_is_found() -> None:
    world = movement(320, 50, 3)
    step = np.arange(0, 280, 1 / 50) * (1 - 200e-6) + 9
    own = np.stack([np.interp(step * 50, np.arange(len(world)), axis) for axis in world.T], axis=1)
    found = MotionEvidence().compare(motion_stream(own, 50), motion_stream(world, 50))
    assert found.drift_ci95_ppm is not None
    assert abs(found.drift_ppm + 200) < max(20, found.drift_ci95_ppm)
    assert abs(found.offset_s - 9 + 200e-6 * to_s(found.anchor_ns)) < max(0.001, found.ci95_s)


def test_what_cannot_be_compared_is_refused() -> None:
    moving = motion_stream(movement(20, 50, 4), 50)
    for other, word in (
        (motion_stream(np.full((1000, 3), 7.0), 50), "nothing in the signal moves"),
        (motion_stream(movement(2, 50, 4), 50), "too short"),
        (sound_stream(np.zeros(100), 8000), "only signals"),
    ):
        with pytest.raises(ClockError, match=word):
            MotionEvidence().compare(other, moving)


def test_the_real_pair(data_dir: Path) -> None:
    from modalities.readers import open_stream

    one, other = (
        open_stream(StreamEntry(name=name, kind="acceleration", file=f"{name}.txt"), data_dir / "sync", None)
        for name in ("sync_acc_1", "sync_acc_2")
    )
    found = MotionEvidence().compare(other, one)
    assert abs(found.offset_s - 17.604) <= 0.003
    assert found.confidence >= HIGH
