from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.emotion import EMOTIONS
from data_schemas.errors import InvalidValueError
from pipeline.simulate.chance import generator
from pipeline.simulate.emotion import labels_at
from pipeline.simulate.frames import action_units_at, body_motion, face_motion
from pipeline.simulate.physiology import draw_heart
from pipeline.simulate.profiles import Profile, SlowCurve
from pipeline.simulate.script import Script, plan_script
from pipeline.simulate.trials import CALM_S

seeds = st.integers(0, 2**31)
lengths = st.floats(10, 200)


def test_a_minute_holds_the_promised_numbers() -> None:
    scripts = [plan_script(60, seed) for seed in range(20)]
    macros = [sum(e.kind == "macro" for e in s.expressions) for s in scripts]
    micros = [sum(e.kind == "micro" for e in s.expressions) for s in scripts]
    assert 5 <= np.mean(macros) <= 7.5 and min(macros) >= 3
    assert 2 <= np.mean(micros) <= 4 and min(micros) >= 1
    assert 4 <= np.mean([len(s.scrs) for s in scripts]) <= 6
    assert 12 <= np.mean([len(s.blinks) for s in scripts]) <= 18
    assert 6 <= np.mean([len(s.markers_s) for s in scripts]) <= 10
    felt = {e.felt for s in scripts for e in s.episodes}
    assert felt == set(EMOTIONS) - {"neutral"}
    assert any(e.side != "both" for s in scripts for e in s.expressions)


def test_the_same_seed_gives_the_same_script_and_another_one_another() -> None:
    assert repr(plan_script(45, 3)) == repr(plan_script(45, 3))
    assert repr(plan_script(45, 3)) != repr(plan_script(45, 4))


@settings(max_examples=60, deadline=None)
@given(lengths, seeds)
def test_expressions_keep_their_kind_and_distance(seconds: float, seed: int) -> None:
    script = plan_script(seconds, seed)
    assert script.expressions, "even the shortest session plants something"
    for e in script.expressions:
        low, high = (0.1, 0.5) if e.kind == "micro" else (0.5, 4.0)
        assert low <= e.profile.duration_s <= high
        peak = max(e.aus.values())
        assert 0.18 <= peak <= 0.5 if e.kind == "micro" else 0.45 <= peak <= 1.0
        assert 0.15 * seconds < e.profile.onset_s and e.profile.offset_s < seconds
        assert e.kind == "macro" or e.concealed
    for a, b in pairwise(script.expressions):
        assert b.profile.onset_s - a.profile.offset_s >= CALM_S - 1e-9
    micros = [e.profile for e in script.expressions if e.kind == "micro"]
    assert not any(m.overlaps(b.onset_s, b.offset_s, 0.15) for m in micros for b in script.blinks)


@settings(max_examples=60, deadline=None)
@given(lengths, seeds)
def test_the_rest_of_the_script_is_in_order(seconds: float, seed: int) -> None:
    script = plan_script(seconds, seed)

    def apart(spans: list[tuple[float, float]], gap: float = 0.0) -> bool:
        inside = all(0 <= start < end <= seconds + 1e-9 for start, end in spans)
        return inside and all(b[0] - a[1] >= gap - 1e-9 for a, b in pairwise(spans))

    assert apart([(e.onset_s, e.offset_s) for e in script.episodes])
    assert apart([(c.onset_s, c.offset_s) for c in script.cues])
    assert apart([(t.onset_s, t.offset_s) for t in script.turns], 0.3)
    assert apart([(b.onset_s, b.offset_s) for b in script.blinks], 0.16)
    assert apart([(g.profile.onset_s, g.profile.offset_s) for g in script.gestures])
    assert all(b.onset_s - a.onset_s >= 2.5 for a, b in pairwise(script.scrs))
    gaps = np.diff(script.markers_s)
    assert len(script.markers_s) >= 4 and gaps.min() > 1 and script.markers_s[-1] < seconds
    assert seconds < 40 or (gaps.min() >= 5.99 and gaps.max() <= 10.01)
    assert script.cues[0].kind == "baseline" and script.cues[0].offset_s == pytest.approx(0.15 * seconds)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_faces_belong_to_the_emotion_that_is_shown_or_hidden(seed: int) -> None:
    script = plan_script(60, seed)
    for e in script.expressions:
        felt, shown = labels_at(script.episodes, np.array([e.profile.apex_s]))
        assert EMOTIONS[int(felt[0] if e.kind == "micro" else shown[0])] == e.emotion
        assert e.concealed == (felt[0] != shown[0])
    put_on = [e for e in script.expressions if e.kind == "macro" and e.concealed]
    assert all("au06" not in e.aus for e in put_on)


def test_speech_keeps_off_the_micro_expressions() -> None:
    for seed in range(20):
        script = plan_script(60, seed)
        for micro in (e.profile for e in script.expressions if e.kind == "micro"):
            assert not any(micro.overlaps(t.onset_s, t.offset_s, 0.2) for t in script.turns)


@pytest.mark.parametrize(("seconds", "seed"), [(5, 0), (float("nan"), 0), (60, -1)])
def test_what_cannot_be_planned_is_refused(seconds: float, seed: int) -> None:
    with pytest.raises(InvalidValueError):
        plan_script(seconds, seed)


@settings(max_examples=50, deadline=None)
@given(st.floats(-10, 10), st.floats(0.02, 2), st.floats(0, 2), st.floats(0.02, 2))
def test_a_profile_rises_holds_and_falls(onset: float, rise: float, hold: float, fall: float) -> None:
    profile = Profile(onset, onset + rise, onset + rise + hold, onset + rise + hold + fall)
    times = np.array([onset - 1, onset, onset + rise / 2, profile.apex_s, profile.release_s, profile.offset_s, 99.0])
    np.testing.assert_allclose(profile(times), [0, 0, 0.5, 1, 1, 0, 0], atol=1e-6)


def test_a_profile_out_of_order_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="onset < apex"):
        Profile(1.0, 0.9, 1.2, 1.3)


def test_wandering_is_slow_and_bounded() -> None:
    times = np.arange(0, 400, 0.1)
    curve = SlowCurve.draw(generator(0, "x"), 0.3)(times)
    assert np.abs(curve).max() <= 1
    power = np.abs(np.fft.rfft(curve * np.hanning(len(curve)))) ** 2
    frequency = np.fft.rfftfreq(len(curve), 0.1)
    assert power[frequency > 0.31].sum() < 1e-4 * power.sum()


@pytest.fixture(scope="module")
def script() -> Script:
    return plan_script(60, 2)


def test_frames_follow_the_script(script: Script) -> None:
    times = np.sort(np.r_[np.arange(0, 60, 1 / 30), [e.profile.apex_s for e in script.expressions]])
    heart = draw_heart(script, -1, 61)
    face = face_motion(script, heart, times)
    assert face.blink is not None and face.mouth_open is not None and face.yaw_deg is not None
    assert face.skin_pulse is not None and face.pitch_deg is not None and face.shift_px is not None
    for e in script.expressions:
        at = int(np.searchsorted(times, e.profile.apex_s))
        assert all(face.aus[name][at] == pytest.approx(value) for name, value in e.aus.items())
        calm = (times > e.profile.offset_s) & (times < e.profile.offset_s + 0.9)
        assert all(not curve[calm].any() for curve in face.aus.values())
    assert face.blink.min() == 0 and 0.9 < face.blink.max() <= 1
    talking = np.zeros(len(times), bool)
    for turn in script.turns:
        talking |= (times > turn.onset_s - 0.1) & (times < turn.offset_s + 0.1)
    assert not face.mouth_open[~talking].any() and face.mouth_open[talking].max() > 0.4
    assert np.abs(face.yaw_deg).max() <= 6 and np.abs(face.pitch_deg).max() <= 4 and np.abs(face.shift_px).max() <= 10
    assert -1.1 < face.skin_pulse.min() < -0.5 and 0.5 < face.skin_pulse.max() < 1.2


def test_action_units_depend_on_the_time_alone(script: Script) -> None:
    dense, sparse = np.arange(0, 60, 0.05), np.arange(0, 60, 0.5)
    for name, curve in action_units_at(script, sparse).items():
        np.testing.assert_allclose(curve, action_units_at(script, dense)[name][::10], atol=1e-9)


def test_the_body_raises_the_hand_of_the_gesture(script: Script) -> None:
    assert script.gestures
    times = np.arange(0, 60, 1 / 15)
    body = body_motion(script, times)
    for gesture in script.gestures:
        middle = int(np.searchsorted(times, (gesture.profile.apex_s + gesture.profile.release_s) / 2))
        hands = {"left": body.left_hand_to_face, "right": body.right_hand_to_face}
        assert hands.pop(gesture.side)[middle] == pytest.approx(1, abs=0.01)
        assert next(iter(hands.values()))[middle] == 0
