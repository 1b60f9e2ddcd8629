"""The spotter on regional signals with planted expressions, blinks, speech and head motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from modalities.face.eyes import Blink
from modalities.face.regions import NAMES
from modalities.face.spotting.base import Expression, FaceSignals, load_spotter
from modalities.face.spotting.table import frame_indices

SMILE = {"lip_corner_left": (4, 4), "lip_corner_right": (-4, 4), "cheek_low_left": (1, 2), "cheek_low_right": (-1, 2)}
FROWN = {
    "brow_inner_left": (-3, -4),
    "brow_inner_right": (3, -4),
    "brow_between": (0, -3),
    "brow_middle_left": (-1, -2),
}


def shape(times_s: np.ndarray, onset: float, apex: float, release: float, offset: float) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(np.pi * np.interp(times_s, (onset, apex, release, offset), (0, 1, 1, 0)))


def signals_of(times_s: np.ndarray, seed: int = 0, noise: float = 0.08) -> FaceSignals:
    """A calm face."""
    rng = np.random.default_rng(seed)
    n = len(times_s)
    drift = 0.3 * np.sin(0.2 * times_s + rng.uniform(0, 6, (len(NAMES), 2, 1))).transpose(2, 0, 1)
    return FaceSignals(
        times_ns=to_ns(times_s),
        motion=drift + noise * rng.standard_normal((n, len(NAMES), 2)),
        lids=0.2 * rng.standard_normal((n, 2, 2)),
        mouth=0.3 * rng.standard_normal(n),
        angles=np.zeros((n, 3)),
        judged=np.ones(n, bool),
        blinks=(),
        speaking=np.zeros(n, bool),
    )


def plant(signals: FaceSignals, course: np.ndarray, moves: dict[str, tuple[float, float]], size: float) -> None:
    for name, move in moves.items():
        signals.motion[:, NAMES.index(name)] += size * course[:, None] * np.array(move)


def spot(signals: FaceSignals) -> tuple[Expression, ...]:
    return load_spotter("regional").spot(signals).expressions


def iou(one: Expression, onset: float, offset: float) -> float:
    return Interval(one.onset_ns, one.offset_ns).iou(Interval(int(onset * 1e9), int(offset * 1e9)))


def times_at(rate: str) -> np.ndarray:
    if rate == "variable":
        steps = np.random.default_rng(9).uniform(0.02, 0.05, 1100)
        return np.cumsum(steps)
    return np.arange(0, 38, 1 / float(rate))


@pytest.mark.parametrize("rate", ["25", "60", "200", "variable"])
def test_micro_and_macro_are_found_at_any_frame_rate(rate: str) -> None:
    t = times_at(rate)
    signals = signals_of(t)
    planted = [
        ("macro", (5.0, 5.4, 6.5, 7.2), SMILE, 1.0, "au12"),
        ("micro", (12.0, 12.12, 12.12, 12.32), FROWN, 0.5, "au04"),
        ("micro", (18.0, 18.2, 18.2, 18.45), SMILE, 0.35, "au12"),
        ("macro", (25.0, 25.3, 28.0, 28.7), FROWN, 0.8, "au04"),
    ]
    for _, course, moves, size, _ in planted:
        plant(signals, shape(t, *course), moves, size)
    found = spot(signals)
    assert [one.kind for one in found] == [kind for kind, *_ in planted]
    for one, (_, course, _, size, au) in zip(found, planted, strict=True):
        assert iou(one, course[0], course[3]) >= 0.6
        assert course[1] - 0.1 <= one.apex_ns / 1e9 <= course[2] + 0.1
        assert au in one.aus and 0.5 < one.score < 1
        assert one.movement == pytest.approx(3.5 * size, rel=0.6)


def test_a_still_face_has_no_expressions() -> None:
    for seed in range(3):
        result = load_spotter("regional").spot(signals_of(np.arange(0, 60, 1 / 30), seed))
        assert result.expressions == ()
        assert result.evidence.shape == (1800,) and result.evidence.max() < 0.5 and result.evidence.min() >= 0


def test_one_sided_movement_keeps_its_side() -> None:
    t = np.arange(0, 20, 1 / 30)
    signals = signals_of(t)
    left = {name: move for name, move in SMILE.items() if name.endswith("left")}
    plant(signals, shape(t, 8, 8.15, 8.15, 8.4), left, 0.6)
    (one,) = spot(signals)
    assert "au12_left" in one.aus and "au12_right" not in one.aus
    assert next(iter(one.regions)).endswith("left")


def test_a_micro_on_top_of_a_macro_is_one_more() -> None:
    t = np.arange(0, 30, 1 / 50)
    signals = signals_of(t)
    plant(signals, shape(t, 10, 10.6, 13.0, 13.6), SMILE, 1.0)
    plant(signals, shape(t, 11.7, 11.85, 11.85, 12.1), FROWN, 0.5)
    found = spot(signals)
    assert sorted(one.kind for one in found) == ["macro", "micro"]
    micro = next(one for one in found if one.kind == "micro")
    assert iou(micro, 11.7, 12.1) > 0.5 and "au04" in micro.aus


def test_speech_is_no_expression_but_brows_above_it_are() -> None:
    t = np.arange(0, 30, 1 / 30)
    signals = signals_of(t)
    jaw = {"lower_lip_middle": (0.0, -6.0), "chin": (0.0, -5.0), "lower_lip_left": (0.0, -3.0)}
    for k in range(16):
        plant(signals, shape(t, 10 + 0.25 * k, 10.1 + 0.25 * k, 10.12 + 0.25 * k, 10.24 + 0.25 * k), jaw, 1.0)
    plant(signals, shape(t, 12, 12.2, 12.6, 12.9), FROWN, 0.8)
    speaking = (t > 9.7) & (t < 14.3)
    found = spot(replace(signals, speaking=speaking))
    assert [list(one.aus) for one in found] == [["au04"]]
    assert len(spot(signals)) > 3, "without knowing of the speech it is a row of expressions"


def test_blinks_and_head_motion_raise_the_threshold() -> None:
    t = np.arange(0, 20, 1 / 30)
    signals = signals_of(t)
    plant(signals, shape(t, 8.0, 8.1, 8.1, 8.25), FROWN, 0.28)
    assert len(spot(signals)) == 1
    blink = Blink(int(7.98e9), int(8.1e9), int(8.27e9), 0.9)
    assert spot(replace(signals, blinks=(blink,))) == ()
    angles = np.zeros((len(t), 3))
    angles[:, 0] = 15 * np.sin(2 * np.pi * (t - 8)) * ((t > 7) & (t < 9))
    assert spot(replace(signals, angles=angles)) == ()


def test_nothing_is_spotted_across_a_gap() -> None:
    t = np.arange(0, 20, 1 / 30)
    signals = signals_of(t)
    plant(signals, shape(t, 7, 7.5, 9.0, 9.6), SMILE, 1.0)
    judged = (t < 8.0) | (t > 8.6)
    result = load_spotter("regional").spot(replace(signals, judged=judged))
    assert all(one.offset_ns <= 8.04e9 or one.onset_ns >= 8.56e9 for one in result.expressions)
    assert not result.evidence[~judged].any()


def test_signals_too_short_to_judge() -> None:
    signals = signals_of(np.arange(0, 0.3, 1 / 30))
    assert spot(signals) == ()
    assert spot(replace(signals, judged=np.zeros(9, bool))) == ()


def test_unknown_spotters_are_named() -> None:
    with pytest.raises(InvalidValueError, match="regional"):
        load_spotter("crystal ball")


def test_frame_numbers_of_an_event() -> None:
    times = to_ns(np.array([0.0, 0.04, 0.08, 0.13, 0.16, 0.2]))
    event = Event("face", "micro", to_ns(0.045), to_ns(0.17), to_ns(0.115))
    assert frame_indices(event, times) == {"onset_frame": 1, "apex_frame": 3, "offset_frame": 4}
    whole = Event("face", "macro", -5, to_ns(9.0), None)
    assert frame_indices(whole, times) == {"onset_frame": 0, "apex_frame": 5, "offset_frame": 5}
    assert frame_indices(whole, times[:1]) == {"onset_frame": 0, "apex_frame": 0, "offset_frame": 0}
