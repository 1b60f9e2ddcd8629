"""Body geometry and events on animated skeletons, whose truth is known; no picture and no MediaPipe here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.event import Event
from data_schemas.intervals import Interval
from modalities.body.cleaning import remove_outliers, smooth, unswap
from modalities.body.contact import find_contact
from modalities.body.events import burst_limit, find_events, find_runs
from modalities.body.geometry import measure, shoulder_width
from modalities.body.pose import is_upright_body
from modalities.body.skeleton import HANDS, JOINTS, MOVING, SHOULDERS, Skeleton, index_of
from tests.animated_skeletons import Act, Errors, animate, draw_acts

PERFECT = Errors(0, 0, 0, 0)
TOUCH = Act("hand_to_face", "left", "mouth", 2.0, 5.0, (2.5, 4.5))


def times(seconds: float, rate_hz: float = 10.0, jitter_s: float = 0.0, seed: int = 0) -> np.ndarray:
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return at + np.random.default_rng(seed).uniform(-jitter_s, jitter_s, len(at))


def rest(seconds: float = 6.0, errors: Errors = PERFECT, seed: int = 0, acts: tuple[Act, ...] = ()) -> Skeleton:
    return animate(times(seconds), acts, np.random.default_rng(seed), sway=0.0, errors=errors)


def turned(skeleton: Skeleton, degrees: float) -> Skeleton:
    """The whole person turned clockwise in the picture, about its middle."""
    a, middle = np.radians(degrees), np.array([skeleton.width, skeleton.height]) / 2
    turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return replace(skeleton, points=(skeleton.points - middle) @ turn + middle)


def by_place(skeleton: Skeleton, person: str = "p") -> tuple[Event, ...]:
    return find_events(measure(skeleton), skeleton.times_ns, person)


@pytest.mark.parametrize("degrees", [-20.0, 0.0, 12.0])
def test_angles_are_those_of_a_turned_person(degrees):
    cells = measure(turned(rest(), degrees)).cells
    for name in ("trunk_lean_deg", "shoulder_tilt_deg", "head_tilt_deg"):
        values, valid = cells[name]
        assert valid.all()
        assert np.allclose(values, degrees, atol=1e-6), name


def test_tilt_of_a_person_seen_from_behind_has_no_half_turn():
    skeleton = turned(rest(), 10)
    points = skeleton.points.copy()
    left, right = SHOULDERS
    points[:, [left, right]] = points[:, [right, left]]
    values, _ = measure(replace(skeleton, points=points)).cells["shoulder_tilt_deg"]
    assert np.allclose(values, 10, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.4, 1.5), st.floats(-60, 60), st.floats(-40, 40))
def test_size_and_place_in_the_picture_change_nothing(size, right, down):
    skeleton = animate(times(6), (TOUCH,), np.random.default_rng(1), errors=PERFECT)
    middle = np.array([skeleton.width, skeleton.height]) / 2
    moved = replace(skeleton, points=(skeleton.points - middle) * size + middle * size + (right, down))
    roomy = {"width": 4000, "height": 4000}
    plain = measure(replace(skeleton, points=skeleton.points + 500, **roomy))
    other = measure(replace(moved, points=moved.points + 500, **roomy))
    assert other.reach == pytest.approx(plain.reach)
    for name, (values, valid) in plain.cells.items():
        assert np.array_equal(valid, other.cells[name][1]), name
        assert np.allclose(values, other.cells[name][0], atol=1e-6), name


def test_speed_of_a_hand_is_in_shoulder_widths_per_second():
    skeleton = rest()
    points = skeleton.points.copy()
    width = shoulder_width(skeleton)[0]
    points[:, HANDS["right"], 0] += 0.7 * width * skeleton.times_s[:, None] - 1.5 * width
    cells = measure(replace(skeleton, points=points, width=2000)).cells
    inside = cells["right_hand_speed"][1]
    assert inside.sum() > 30
    assert np.allclose(cells["right_hand_speed"][0][inside], 0.7, atol=1e-6)
    assert np.allclose(cells["left_hand_speed"][0], 0, atol=1e-6)


def test_sway_is_movement_but_no_movement_of_a_hand_against_the_trunk():
    skeleton = animate(times(20), (), np.random.default_rng(3), sway=0.1, errors=PERFECT)
    cells = measure(skeleton).cells
    speed = np.abs(np.gradient(skeleton.points[:, 0, 0], skeleton.times_s)) / shoulder_width(skeleton)
    upper = 7 / len(MOVING)
    assert np.allclose(cells["movement_energy"][0][2:-2], upper * speed[2:-2], atol=0.01)
    assert speed.max() > 0.1
    assert cells["left_hand_speed"][0].max() < 0.05


def test_openness_is_the_distance_of_the_wrists():
    skeleton = rest()
    values, valid = measure(skeleton).cells["posture_openness"]
    left, right = (skeleton.points[:, HANDS[side][0]] for side in ("left", "right"))
    assert valid.all()
    assert np.allclose(values, np.linalg.norm(left - right, axis=-1) / shoulder_width(skeleton), rtol=1e-3)


def test_a_hidden_wrist_and_one_out_of_the_picture_are_invalid_not_guessed():
    skeleton = rest()
    left, right = HANDS["left"][0], HANDS["right"][0]
    visibility, points = skeleton.visibility.copy(), skeleton.points.copy()
    visibility[:20, left] = 0.2
    points[30:, right, 1] = skeleton.height + 30
    cells = measure(replace(skeleton, visibility=visibility, points=points)).cells
    for name, bad in (("left", slice(0, 20)), ("right", slice(30, None))):
        for feature in (f"{name}_hand_speed", f"hand_face_distance_{name}"):
            assert not cells[feature][1][bad].any()
            assert cells[feature][1].sum() == len(points) - len(range(*bad.indices(len(points))))
    assert not cells["posture_openness"][1][:20].any()
    assert cells["shoulder_tilt_deg"][1].all()


def test_hands_below_the_picture_are_known_not_to_be_at_the_face_but_hidden_ones_are_not():
    skeleton = rest()
    wrists = [HANDS[side][0] for side in ("left", "right")]
    below = skeleton.points.copy()
    below[:, wrists, 1] = skeleton.height + 20
    values, valid = measure(replace(skeleton, points=below)).cells["hand_to_face"]
    assert valid.all() and not values.any()
    hidden = skeleton.visibility.copy()
    hidden[:, wrists] = 0.1
    assert not measure(replace(skeleton, visibility=hidden)).cells["hand_to_face"][1].any()


def test_no_body_leaves_every_cell_invalid():
    skeleton = rest()
    found = np.ones(len(skeleton.times_ns), dtype=bool)
    found[10:30] = False
    geometry = measure(replace(skeleton, found=found))
    for name, (_, valid) in geometry.cells.items():
        assert not valid[10:30].any(), name
        assert valid[:10].all() and valid[30:].all(), name


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_very_few_samples_are_measured_without_complaint(n):
    full = rest()
    short = Skeleton(
        full.times_ns[:n], full.points[:n], full.visibility[:n], full.found[:n], full.width, full.height
    )  # fmt: skip
    geometry = measure(short)
    assert all(len(values) == n and len(valid) == n for values, valid in geometry.cells.values())
    assert geometry.cells["hand_face_distance_left"][1].all()
    assert geometry.cells["movement_energy"][1].all() == (n != 1)
    assert find_events(geometry, short.times_ns, "p") == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 40), st.floats(-50, 50), st.integers(0, 1000))
def test_smoothing_keeps_even_movement_at_any_sample_times(n, speed, seed):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.04, 0.15, n))
    points = np.stack([100 + speed * t, 50 - speed * t], axis=-1)[:, None]
    valid = rng.random((n, 1)) < 0.8
    smoothed, velocity, known = smooth(points, valid, t)
    assert not (known & ~valid).any()
    assert np.allclose(smoothed[valid], points[valid], atol=1e-6)
    assert np.allclose(velocity[known], (speed, -speed), atol=1e-6)


def test_nothing_is_carried_across_a_gap():
    t = np.r_[np.arange(20), np.arange(20) + 40] / 10.0
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 1, 2))
    other = points.copy()
    other[20:] += 1000
    valid = np.ones((40, 1), dtype=bool)
    for clean in (lambda p: smooth(p, valid, t)[0], lambda p: smooth(p, valid, t)[1]):
        assert np.array_equal(clean(points)[:20], clean(other)[:20])
    assert np.array_equal(remove_outliers(points, valid, t)[:20], remove_outliers(other, valid, t)[:20])


def test_a_single_wild_sample_is_removed_and_movement_is_not():
    t = times(3)
    points = np.stack([30 * t, 0 * t], axis=-1)[:, None]
    wild = points.copy()
    wild[12] += 200
    cleaned = remove_outliers(wild, np.ones((len(t), 1), bool), t)
    assert np.abs(cleaned - points).max() <= 3.1
    assert np.allclose(remove_outliers(points, np.ones((len(t), 1), bool), t), points)


@pytest.mark.parametrize("rate_hz", [8.0, 10.0, 25.0])
def test_swaps_of_arms_and_hands_are_undone(rate_hz):
    rng = np.random.default_rng(5)
    acts = draw_acts(rng, 60)
    clean = animate(times(60, rate_hz), acts, np.random.default_rng(6), sway=0, errors=replace(PERFECT, noise=0.01))
    swapped = animate(times(60, rate_hz), acts, np.random.default_rng(6), sway=0, errors=Errors(0.01, 0, 0, 0.08))
    arms = index_of(*(f"{side}_{name}" for side in ("left", "right") for name in ("elbow", "wrist", "index")))

    def wrong(skeleton: Skeleton) -> float:
        far = np.linalg.norm(skeleton.points[:, arms] - clean.points[:, arms], axis=-1).max(axis=1)
        return float(np.mean(far > 0.1 * shoulder_width(clean)))

    assert wrong(swapped) > 0.05
    assert wrong(unswap(swapped, shoulder_width(swapped))) < 0.01


def test_hands_that_truly_change_sides_and_stay_are_believed():
    skeleton = rest(10, Errors(0.005, 0, 0, 0))
    points = skeleton.points.copy()
    share = np.clip((skeleton.times_s - 3) / 1.0, 0, 1)[:, None, None]
    left, right = points[:, HANDS["left"]].copy(), points[:, HANDS["right"]].copy()
    points[:, HANDS["left"]] = left + share * (right - left)
    points[:, HANDS["right"]] = right + share * (left - right)
    crossed = replace(skeleton, points=points)
    kept = unswap(crossed, shoulder_width(crossed))
    assert np.array_equal(kept.points[50:], crossed.points[50:])


def test_contact_has_hysteresis_and_outlasts_a_short_hole():
    t = times(3)
    distance = np.full(30, 2.0)
    distance[8:20] = 0.5
    distance[12:14] = 0.68
    valid = np.ones(30, dtype=bool)
    valid[16:18] = False
    expected = np.zeros(30, dtype=bool)
    expected[8:20] = True
    expected[16:18] = False
    assert np.array_equal(find_contact(distance, valid, t, 0.6), expected)
    distance[8] = 0.65
    assert not find_contact(distance, valid, t, 0.6)[8]


def test_runs_bridge_missing_samples_but_not_samples_that_say_no():
    times_ns = np.arange(40) * 100_000_000
    mask, valid = np.zeros(40, dtype=bool), np.ones(40, dtype=bool)
    mask[5:10] = mask[11:15] = True
    mask[20:22] = True
    assert [(r.first, r.last) for r in find_runs(mask, valid, times_ns)] == [(5, 9), (11, 14)]
    valid[10] = False
    assert [(r.first, r.last) for r in find_runs(mask, valid, times_ns)] == [(5, 14)]
    valid[10] = True
    assert [(r.first, r.last) for r in find_runs(mask, valid, times_ns, 0.3)] == [(5, 14)]


def _matched(found: list[Event], planted: list[Act], least: float) -> int:
    """Planted acts that an event of the right hand overlaps with IoU >= least, one to one."""
    left = list(found)
    hits = 0
    for act in planted:
        span = Interval(*(round(s * 1e9) for s in act.contact_s))
        fits = [
            e for e in left if e.label in (act.side, "both") and Interval(e.onset_ns, e.offset_ns).iou(span) >= least
        ]
        if fits:
            left.remove(fits[0])
            hits += 1
    return hits


def test_hand_to_face_and_gestures_are_found_under_the_errors_of_a_tracker():
    """20 minutes at unseen sizes and angles, uneven sample times, noise, 5 % dropouts, 3 % swaps."""
    touched = right = found_touches = beaten = found_beats = idle_alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(1000 + seed)
        acts = draw_acts(rng, 60)
        skeleton = animate(
            times(60, 10, 0.012, seed), acts, rng, size=rng.uniform(0.6, 1.4), yaw_deg=rng.uniform(-35, 35)
        )
        events = by_place(skeleton)
        touches = [e for e in events if e.kind == "hand_to_face"]
        planted = [act for act in acts if act.kind == "hand_to_face"]
        right += _matched(touches, planted, 0.5)
        touched, found_touches = touched + len(planted), found_touches + len(touches)
        gestures = [e for e in events if e.kind == "gesture"]
        beats = [act for act in acts if act.kind == "gesture"]
        beaten, found_beats = beaten + len(beats), found_beats + _matched(gestures, beats, 0.3)
        busy = [Interval(round((a.onset_s - 0.3) * 1e9), round((a.offset_s + 0.3) * 1e9)) for a in acts]
        idle_alarms += sum(all(b.overlap_ns(Interval(g.onset_ns, g.offset_ns)) == 0 for b in busy) for g in gestures)
        for event in events:
            assert event.onset_ns <= event.apex_ns <= event.offset_ns
            assert event.offset_ns - event.onset_ns >= 0.3e9
            assert event.label in ("left", "right", "both")
    assert touched > 60 and beaten > 30
    assert right / touched >= 0.9
    assert right / found_touches >= 0.9
    assert found_beats / beaten >= 0.9
    assert idle_alarms <= 2


def test_who_sits_still_before_a_noisy_tracker_makes_no_gesture():
    for noise in (0.01, 0.03, 0.06):
        skeleton = animate(times(60), (), np.random.default_rng(7), sway=0.0, errors=Errors(noise))
        assert by_place(skeleton) == ()


def test_a_touch_lasts_as_long_as_planted_whatever_the_sample_rate():
    for rate_hz in (5.0, 10.0, 30.0):
        skeleton = animate(times(7, rate_hz), (TOUCH,), np.random.default_rng(2), errors=PERFECT)
        (touch,) = [e for e in by_place(skeleton) if e.kind == "hand_to_face"]
        assert touch.label == "left" and 0 < touch.score <= 1
        assert touch.onset_ns / 1e9 == pytest.approx(2.5, abs=0.25)
        assert touch.offset_ns / 1e9 == pytest.approx(4.5, abs=0.4)


def test_both_hands_at_once_are_one_gesture():
    acts = tuple(Act("gesture", side, "", 2.0, 6.0, (2.5, 5.5)) for side in ("left", "right"))
    skeleton = animate(times(12), acts, np.random.default_rng(4), errors=PERFECT)
    gestures = [e for e in by_place(skeleton) if e.kind == "gesture"]
    assert [g.label for g in gestures] == ["both"]
    speeds = [measure(skeleton).cells[f"{side}_hand_speed"][0] for side in ("left", "right")]
    assert gestures[0].score == pytest.approx(np.max(speeds), abs=1e-3)


def test_the_limit_of_a_burst_follows_the_person_and_stays_between_its_bounds():
    rng = np.random.default_rng(0)
    calm, restless = rng.rayleigh(0.05, 500), rng.rayleigh(0.25, 500)
    assert burst_limit(calm) == 0.6
    assert 0.6 < burst_limit(restless) < burst_limit(restless * 1.5) <= 2.0
    assert burst_limit(restless * 100) == 2.0
    assert burst_limit(np.zeros(0)) == 0.6


def test_joint_names_are_those_of_mediapipe():
    from mediapipe.python.solutions.pose import PoseLandmark

    assert tuple(mark.name.lower() for mark in PoseLandmark) == JOINTS


@pytest.mark.parametrize(("degrees", "fits"), [(0, True), (-50, True), (60, True), (90, False), (180, False)])
def test_only_upright_bodies_count(degrees, fits):
    skeleton = turned(rest(1), degrees)
    assert is_upright_body(skeleton.points[0], skeleton.visibility[0]) is fits


def test_a_body_without_head_or_shoulders_does_not_count():
    skeleton = rest(1)
    for joints in (SHOULDERS, [0]):
        visibility = skeleton.visibility[0].copy()
        visibility[joints] = 0.1
        assert not is_upright_body(skeleton.points[0], visibility)
