"""The pulse in the colour of the skin: patches, projection, rate, what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data_schemas.time import to_ns
from modalities.face.landmarks import Sighting
from modalities.face.models import Picture
from modalities.face.observation import FaceObserver
from modalities.face.pulse import KEPT, SKIN, WINDOW_S, describe_pulse, find_pulse, project, skin_colours

Curve = NDArray[np.float64]
TONE = np.array([150.0, 105.0, 85.0])
BLOOD = np.array([0.33, 0.77, 0.53])


def filmed(times_s: Curve, hz: float = 1.2, gain: float = 0.006, noise: float = 0.2) -> tuple[Curve, Curve]:
    """Blood volume, and colours of three patches under light that wanders by 3 %."""
    blood = np.sin(2 * np.pi * hz * times_s)
    light = 1 + 0.03 * np.sin(2 * np.pi * 0.2 * times_s)
    colour = TONE * (1 - gain * BLOOD * blood[:, None]) * light[:, None]
    rng = np.random.default_rng(0)
    return blood, colour[:, None] + noise * rng.standard_normal((len(times_s), len(SKIN), 3))


def all_of(times_s: Curve) -> NDArray[np.bool_]:
    return np.ones(len(times_s), bool)


def test_more_blood_is_positive_and_the_rate_is_told_in_spite_of_the_light() -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.05, 900))
    blood, skin = filmed(times)
    found = find_pulse(to_ns(times), skin, all_of(times))
    assert np.corrcoef(found.values, blood)[0, 1] > 0.7
    assert found.valid.all() and found.rated.all() and not found.why_not
    assert np.abs(found.rate_hz - 1.2).max() < 0.05
    about = describe_pulse(found)
    assert about["state"] == "measured" and about["hz"] == pytest.approx(1.2, abs=0.03)


def test_nothing_is_carried_across_a_gap_and_dropped_frames_do_not_matter() -> None:
    times = np.arange(0, 50, 1 / 30)
    blood, skin = filmed(times)
    kept = np.random.default_rng(2).random(len(times)) > 0.1
    kept &= (times < 20) | (times > 27)
    seen = (times < 27) | (times > 28.5)
    found = find_pulse(to_ns(times[kept]), skin[kept], seen[kept])
    assert np.array_equal(found.valid, seen[kept])
    second = kept & (times > 28.5)
    alone = find_pulse(to_ns(times[second]), skin[second], all_of(times[second]))
    assert np.allclose(alone.values, found.values[-second.sum() :])
    assert np.corrcoef(found.values[found.valid], blood[kept][found.valid])[0, 1] > 0.75


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda skin: np.repeat(skin.mean(axis=2, keepdims=True), 3, axis=2), "no colour"),
        (lambda skin: 0.01 * skin, "dark"),
        (lambda skin: skin[:200], "15 s"),
        (lambda skin: skin[:30], "on end"),
        (lambda skin: TONE + np.random.default_rng(0).standard_normal(skin.shape), "too weak"),
    ],
)
def test_what_cannot_be_told_has_a_reason(change, words: str) -> None:  # type: ignore[no-untyped-def]
    times = np.arange(0, 30, 1 / 25)
    skin = change(filmed(times)[1])
    found = find_pulse(to_ns(times[: len(skin)]), skin, all_of(times[: len(skin)]))
    assert words in found.why_not and not found.rated.any()
    assert words in str(describe_pulse(found)["state"])


def test_no_face_slow_video_and_no_colours_kept() -> None:
    times = np.arange(0, 30, 0.2)
    assert find_pulse(to_ns(times), filmed(times)[1], ~all_of(times)).why_not == "no face"
    assert "frames per second" in find_pulse(to_ns(times), filmed(times)[1], all_of(times)).why_not
    assert not find_pulse(to_ns(times), None, all_of(times)).valid.any()
    empty = find_pulse(np.zeros(0, np.int64), None, np.zeros(0, bool))
    assert len(empty.values) == 0 and describe_pulse(empty)["rated_share"] == 0.0


def by_the_book(times_s: Curve, colours: Curve) -> Curve:
    """POS window by window, as the paper has it, but averaged instead of summed."""
    out, number = np.zeros(len(times_s)), np.zeros(len(times_s))
    for first in range(len(times_s)):
        if first and times_s[first] + WINDOW_S > times_s[-1] + 0.02:
            break
        here = (times_s >= times_s[first]) & (times_s <= times_s[first] + WINDOW_S)
        normal = colours[here] / colours[here].mean(axis=0)
        one, two = normal[:, 1] - normal[:, 2], normal[:, 1] + normal[:, 2] - 2 * normal[:, 0]
        wave = one + one.std() / two.std() * two
        out[here] += wave - wave.mean()
        number[here] += 1
    return -out / np.maximum(number, 1)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_running_sums_do_what_the_paper_does_in_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.06, 150))
    colours = TONE * (1 + 0.05 * rng.standard_normal((150, 3)))
    assert np.allclose(project(times, colours), by_the_book(times, colours), atol=1e-9)


def sighting(window: Picture, points: Curve) -> Sighting:
    return Sighting(points, window, np.ones(2), (0, 0))


def test_patches_take_their_own_colours_and_none_out_of_view() -> None:
    points = np.zeros((478, 3))
    window = np.full((120, 120, 3), 50, np.uint8)
    for at, outline in enumerate(SKIN.values()):
        angle = 2 * np.pi * np.arange(len(outline)) / len(outline)
        points[list(outline), :2] = np.column_stack([np.cos(angle), np.sin(angle)]) * 8 + (20 + 35 * at, 60)
        window[48:73, 8 + 35 * at : 33 + 35 * at] = (100 + at, 80, 60 + 10 * at)
    colours = skin_colours(sighting(window, points))
    assert np.allclose(colours, [[100, 80, 60], [101, 80, 70], [102, 80, 80]])
    points[list(SKIN["cheek_left"]), 0] += 30
    assert not skin_colours(sighting(window, points))[2].any()


def test_the_observer_keeps_the_colours_beside_its_rows() -> None:
    observer = FaceObserver(None)
    for at in range(3):
        observer.take(None, np.zeros((20, 20, 3), np.uint8), at * 40_000_000)
    kept = observer.kept()[KEPT]
    assert kept.shape == (3, 9) and not kept.any()
    assert KEPT not in observer.reduced(), "it is no spotter's"
