"""Fidgeting, freezing, spread and rhythm of animated people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modalities.body.animation.camera import Camera, TrackerErrors, film
from modalities.body.animation.figure import BodySize, Posture
from modalities.body.animation.performance import Act, joints, perform
from modalities.body.geometry import Cells, clean, measure
from modalities.body.manner import measure_manner
from modalities.body.skeleton import Skeleton

TIMES = np.arange(0, 40, 0.1)


def manner(skeleton: Skeleton) -> dict[str, Cells]:
    movement = clean(skeleton)
    return measure_manner(movement, measure(skeleton, movement).cells["movement_energy"])


def rocking(rate_hz: float, seed: int = 0) -> Skeleton:
    rng = np.random.default_rng(seed)
    posture = Posture(len(TIMES))
    posture.side += 3 * np.sin(2 * np.pi * rate_hz * TIMES)
    return film(TIMES, joints(TIMES, (), rng, BodySize(), "lap", posture), Camera(15, 5), TrackerErrors(), rng)


@pytest.mark.parametrize("rate_hz", [0.6, 1.3, 2.7])
def test_the_rhythm_of_a_rocking_body_is_its_rate(rate_hz):
    values, valid = manner(rocking(rate_hz))["rhythm_hz"]
    assert valid.mean() > 0.8
    assert np.median(np.abs(values[valid] - rate_hz)) < 0.15


def test_a_bouncing_knee_is_fidgeting_and_rest_is_not():
    knee = Act("shake_leg", "left", 15, 30, 0.25, 3)
    values, valid = manner(perform(TIMES, (knee,), 2, rest="lap"))["fidgeting"]
    assert valid.mean() > 0.8
    fidgeting, quiet = (TIMES > 18) & (TIMES < 28) & valid, (TIMES < 11) & valid
    assert values[fidgeting].mean() > 1.5 * values[quiet].mean()


def test_stillness_in_the_midst_of_movement_is_a_freeze_and_a_calm_person_never_freezes():
    held = np.where((TIMES > 15) & (TIMES < 20), 15.0, TIMES)
    acts = [Act("illustrate", "both", a, b, 0.6, 5) for a, b in ((1.5, 14.5), (20.8, 38))]
    rng = np.random.default_rng(1)
    skeleton = film(TIMES, joints(held, acts, rng, BodySize(), "lap"), Camera(), TrackerErrors(), rng)
    values, valid = manner(skeleton)["freeze"]
    still = (TIMES > 16) & (TIMES < 19) & valid
    assert values[still].mean() > 0.8
    assert values[valid & ((TIMES < 14) | (TIMES > 22))].mean() < 0.1
    calm, known = manner(perform(TIMES, (), 3, rest="lap"))["freeze"]
    assert not calm[known].any()


def test_limbs_that_spread_expand_the_posture():
    apart = manner(perform(TIMES, (), 4, rest="armrests"))["posture_expansion"]
    close = manner(perform(TIMES, (), 4, rest="lap"))["posture_expansion"]
    assert np.median(apart[0][apart[1]]) > 1.08 * np.median(close[0][close[1]])


def test_nothing_is_claimed_where_nobody_is_and_of_few_samples():
    skeleton = rocking(1.0)
    gone = replace(skeleton, found=np.zeros(len(TIMES), bool))
    for _, valid in manner(gone).values():
        assert not valid.any()
    for n in (0, 1, 2, 9):
        short = replace(
            skeleton, times_ns=skeleton.times_ns[:n], points=skeleton.points[:n], visibility=skeleton.visibility[:n],
            found=skeleton.found[:n], world=None,
        )  # fmt: skip
        for values, valid in manner(short).values():
            assert len(values) == len(valid) == n
