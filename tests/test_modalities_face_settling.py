"""Movement settled to what is likely: noise that no muscle makes goes, movement and clean measurements stay."""

from __future__ import annotations

import numpy as np
import pytest

from modalities.face.action_units import AU_NAMES, load_units
from modalities.face.settling import likely_movement, settle

FRAMES = 600


def planted(unit: str, size: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """What one action unit moves for a second of twenty, and its intensity, (frames, measurements) and (frames,)."""
    course = np.zeros(FRAMES)
    course[300:330] = size * np.hanning(30)
    return np.outer(course, load_units().atoms[AU_NAMES.index(unit)]).astype(np.float32), course


@pytest.mark.parametrize("unit", ["au12_left", "au20_right", "au25", "au04_left", "au24"])
def test_noise_goes_and_movement_stays(unit: str) -> None:
    true, course = planted(unit)
    rng = np.random.default_rng(1)
    loud = rng.permutation(np.linspace(0.05, 1.0, true.shape[1]))
    noisy = (true + loud * rng.standard_normal(true.shape)).astype(np.float32)
    judged = np.ones(FRAMES, bool)
    found = settle(noisy, judged)
    before, after = (float(np.sqrt(((one - true) ** 2).mean())) for one in (noisy, found))
    assert after < 0.6 * before
    top = course > 0.5 * course.max()
    far = np.argsort(-np.abs(true).max(axis=0))[:4]
    share = (found[top][:, far] * true[top][:, far]).sum() / (true[top][:, far] ** 2).sum()
    assert 0.75 < share < 1.2, "what the action unit moves most is not shrunk away"


def test_what_is_measured_well_stays_as_it_is() -> None:
    true, _ = planted("au12_left")
    other = true.copy()
    other[100:130, :6] += np.hanning(30)[:, None]
    clean = (other + 0.02 * np.random.default_rng(2).standard_normal(true.shape)).astype(np.float32)
    np.testing.assert_allclose(settle(clean, np.ones(FRAMES, bool)), clean, atol=0.12)


def test_frames_that_cannot_be_judged_are_left_alone() -> None:
    rng = np.random.default_rng(3)
    moved = rng.standard_normal((FRAMES, len(likely_movement()))).astype(np.float32)
    judged = rng.random(FRAMES) < 0.5
    moved[~judged] = 0
    kept = moved.copy()
    found = settle(moved, judged)
    assert found.dtype == np.float32 and not found[~judged].any() and not np.array_equal(found, moved)
    np.testing.assert_array_equal(moved, kept)
    np.testing.assert_array_equal(settle(moved, np.zeros(FRAMES, bool)), moved)


def test_likely_movement_is_a_covariance_that_knows_the_sides() -> None:
    likely = likely_movement()
    np.testing.assert_allclose(likely, likely.T)
    assert np.linalg.eigvalsh(likely).min() > 0
