"""The geometric recogniser on animated people of held-out sizes and angles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.gesture_schemes import GEOMETRIC, IMIGUE, MA52, SCHEMES
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from modalities.body.animation.camera import Camera, TrackerErrors
from modalities.body.animation.figure import BodySize
from modalities.body.animation.performance import GESTURES, NEGATIVE, Act, perform
from modalities.body.animation.script import draw_clip, draw_sequence
from modalities.body.gestures.frame import make_frame
from modalities.body.gestures.recogniser import (
    BLOCK_S,
    CONTEXT_S,
    Found,
    GestureRecogniser,
    as_events,
    recognise,
)
from modalities.body.gestures.rhythm import drift, swing
from modalities.body.gestures.spotting import spot
from modalities.body.skeleton import Skeleton

PERFECT = TrackerErrors(noise=0, drift=0, depth_bias=0, dropout=0, swaps=0, hidden=0)


def hits(acts: tuple[Act, ...], found: list[Found], least: float = 0.3) -> list[tuple[Act, Found]]:
    pairs = []
    for act in acts:
        span = Interval(*(to_ns(s) for s in act.span_s))
        for one in found:
            same = one.name == act.name and act.side in ("", one.side)
            if same and span.iou(Interval(one.onset_ns, one.offset_ns)) >= least:
                pairs.append((act, one))
                break
    return pairs


def cut(skeleton: Skeleton, first: int, last: int) -> Skeleton:
    rows = slice(first, last)
    return replace(
        skeleton, times_ns=skeleton.times_ns[rows], points=skeleton.points[rows], found=skeleton.found[rows],
        visibility=skeleton.visibility[rows], world=None if skeleton.world is None else skeleton.world[rows],
    )  # fmt: skip


def test_vocabularies_are_those_of_the_data_sets(data_dir):
    rows = (data_dir / "body" / "ma52_label_name.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1].strip() for line in rows if line.strip()] == list(MA52.names)


def test_every_geometric_gesture_names_classes_that_exist():
    assert len(IMIGUE.classes) == 32 and len(MA52.classes) == 52
    assert [one.index for one in MA52.classes] == list(range(52))
    assert set(GESTURES) == set(GEOMETRIC)
    for gesture in GEOMETRIC.values():
        for scheme, name in (("imigue", gesture.imigue), ("ma52", gesture.ma52)):
            assert not name or SCHEMES[scheme].find(name.upper()).name == name
    with pytest.raises(ValueError, match="tap dance"):
        MA52.find("tap dance")


@pytest.mark.parametrize("name", GESTURES)
def test_each_gesture_is_found_without_errors_of_the_tracker(name):
    found = planted = 0
    for seed in (1, 2, 3):
        scene = draw_clip(name, seed, True, PERFECT)
        found += len(hits(scene.acts, recognise(scene.skeleton)))
        planted += len(scene.acts)
    assert planted == 3 and found >= 2


def test_gestures_are_found_under_the_errors_of_a_tracker():
    """Two clips of each gesture at held-out sizes and angles with noise, 6 % dropouts and 4 % swaps."""
    found = planted = right = 0
    for name in (*GESTURES, *NEGATIVE):
        for seed in (11, 12):
            scene = draw_clip(name, seed, True)
            events = recognise(scene.skeleton)
            right += len(hits(scene.acts, events))
            planted, found = planted + len(scene.acts), found + len(events)
    assert planted == 2 * len(GESTURES)
    assert right / planted >= 0.8
    assert right / found >= 0.8


def test_intervals_are_found_in_a_long_sequence():
    scene = draw_sequence(21, 90, True)
    events = recognise(scene.skeleton)
    right = len(hits(scene.acts, events, 0.5))
    assert len(scene.acts) >= 10
    assert 2 * right / (len(scene.acts) + len(events)) >= 0.7
    spans = [Interval(*(to_ns(s) for s in act.span_s)) for act in scene.acts]
    proposed = spot(scene.skeleton)
    assert sum(any(span.iou(one) >= 0.5 for one in proposed) for span in spans) >= 0.55 * len(spans)


def test_a_hand_that_reaches_out_and_a_person_at_rest_touch_nothing():
    for seed in range(3):
        scene = draw_clip("reach", seed, True, PERFECT)
        assert not [one for one in recognise(scene.skeleton) if one.name.startswith("touch")]
    times = np.arange(0, 20, 0.1)
    for rest in ("lap", "thighs", "table", "armrests"):
        found = recognise(perform(times, (), 5, errors=PERFECT, rest=rest))
        assert not [one for one in found if one.seconds < 15], rest


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_pieces_of_any_length_give_the_same_gestures(lengths):
    scene = draw_sequence(4, 70, False)
    whole = recognise(scene.skeleton)
    recogniser, out, at, most = GestureRecogniser(), [], 0, 0
    for length in [*lengths, len(scene.skeleton.times_ns)]:
        out += recogniser.push(cut(scene.skeleton, at, at + length))
        at += length
        kept = recogniser._kept
        assert kept is not None
        if length < 50:
            most = max(most, len(kept.times_ns))
    out += recogniser.flush()
    assert most <= (BLOCK_S + 2 * CONTEXT_S + 6) * 10
    key = [(one.onset_ns, one.part, one.name, one.offset_ns) for one in whole]
    assert sorted(key) == sorted((one.onset_ns, one.part, one.name, one.offset_ns) for one in out)
    assert recogniser.flush() == []


def test_a_posture_that_lasts_longer_than_a_block_is_one_event():
    act = Act("fold_arms", "both", 12.0, 62.0, 0.6, 3)
    skeleton = perform(np.arange(0, 75, 0.1), (act,), 1, errors=PERFECT)
    folded = [one for one in recognise(skeleton) if one.name == "fold_arms"]
    assert len(folded) == 1
    assert folded[0].seconds == pytest.approx(50.6, abs=1.5)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_very_few_samples_and_nobody_at_all(n):
    skeleton = cut(draw_clip("nod", 1, False).skeleton, 0, n)
    assert recognise(skeleton) == [] and spot(skeleton) == []
    nobody = replace(skeleton, found=np.zeros(n, bool))
    assert recognise(nobody) == [] and spot(nobody) == []


def test_events_say_side_role_and_classes():
    scene = draw_clip("touch_nose", 2, False, PERFECT)
    events = as_events(recognise(scene.skeleton), "p07")
    (touch,) = [event for event in events if event.label == "touch_nose"]
    assert touch.kind == "micro_gesture" and touch.person == "p07"
    assert touch.details["side"] == scene.acts[0].side
    assert touch.details["role"] == "self_adaptor"
    assert touch.details["ma52"] == "touching nose"
    assert 0 < touch.score <= 1 and 0 < touch.details["confidence"] <= 1


def test_the_head_is_turned_as_planted():
    times = np.arange(0, 12, 0.1)
    for name, angle in (("turn_head", "turn_deg"), ("head_up", "up_deg"), ("tilt_head", "tilt_deg")):
        act = Act(name, "", 5.0, 8.0, 0.4, 1)
        frame = make_frame(perform(times, (act,), 2, errors=PERFECT, camera=Camera(12, 3), size=BodySize()))
        values = getattr(frame.head, angle)
        change = np.median(values[(times > 5.2) & (times < 7.8)]) - np.median(values[times < 4])
        assert 12 < abs(change) < 60, name


@settings(max_examples=20, deadline=None)
@given(st.floats(1.2, 4.0), st.floats(0.05, 2.0), st.integers(0, 1000))
def test_a_swing_has_its_amplitude_and_rate_at_any_sample_times(rate_hz, amplitude, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.08, 0.12, 120))
    values = amplitude * np.sin(2 * np.pi * rate_hz * times + rng.uniform(0, 6)) + 0.3 * times + 5
    valid = rng.random(120) < 0.95
    found, rate, purity = swing(times, values[:, None], valid, 1.0, 4.4)
    inside = valid & (times > times[0] + 1) & (times < times[-1] - 1)
    assert np.median(np.abs(found[inside] / amplitude - 1)) < 0.2
    assert np.median(np.abs(rate[inside] - rate_hz)) < 0.2
    assert np.median(purity[inside]) > 0.85


def test_drift_sees_steps_and_no_swings():
    times = np.arange(0, 10, 0.1)
    valid = np.ones(100, bool)
    step = np.where(times > 5, 1.0, 0.0)[:, None]
    assert drift(times, step, valid).max() == pytest.approx(1, abs=0.05)
    assert drift(times, np.sin(4 * np.pi * times)[:, None], valid)[15:-15].max() < 0.25
