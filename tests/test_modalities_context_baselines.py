from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.event import Event
from data_schemas.features import FeatureSpec, Track
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S
from modalities.context.baselines import baseline_intervals, relative_to_baseline
from modalities.context.eye_events import eyes_around

S = NS_PER_S
SPECS = (FeatureSpec("rate", "bpm", "a rate"), FeatureSpec("state", "1", "a state", 0, 1, "nearest"))


def a_track(rate: np.ndarray, valid: np.ndarray | None = None, hz: float = 10.0) -> Track:
    n = len(rate)
    good = np.ones(n, bool) if valid is None else valid
    times = (np.arange(n) * (S / hz)).astype(np.int64)
    values = np.stack([rate, np.zeros(n)], axis=1).astype(np.float32)
    return Track(times, ("rate", "state"), values, np.stack([good, good], axis=1), np.full(n, "", object))


def cue(kind: str, start: float, end: float, person: str | None = "p01") -> Event:
    return Event("context", "cue", round(start * S), round(end * S), person=person, label=kind, details={"kind": kind})


def test_z_is_counted_from_the_own_baseline() -> None:
    rng = np.random.default_rng(1)
    rate = 70 + 2 * rng.standard_normal(3000)
    rate[1500:] += 10
    rest = baseline_intervals([cue("baseline", 0, 60), cue("question", 60, 90), cue("baseline", 80, 80.001)], "p01")
    got = relative_to_baseline(a_track(rate), SPECS, rest)
    assert got.track.names == ("rate_z",)
    z, valid = got.track.column("rate_z")
    assert valid.all()
    assert z[:600].std() == pytest.approx(1, abs=0.1)
    assert z[1500:].mean() == pytest.approx(5, abs=0.4)
    assert got.scales[0].source == "baseline" and got.scales[0].samples == 600
    assert got.warnings == ()
    assert got.features[0].unit == "z" and "own baseline" in got.features[0].description
    assert json.loads(json.dumps(got.summary()))["rate"]["relative_to"] == "baseline"


def test_without_a_baseline_the_session_is_the_scale_and_it_is_said() -> None:
    rate = np.random.default_rng(2).standard_normal(500)
    got = relative_to_baseline(a_track(rate), SPECS, IntervalSet())
    assert got.scales[0].source == "session"
    assert "no baseline" in got.warnings[0] and "whole session" in got.features[0].description
    short = relative_to_baseline(a_track(rate), SPECS, IntervalSet([(0, 3 * S)]))
    assert short.scales[0].source == "session"
    assert "too little of rate" in short.warnings[0]


def test_what_does_not_vary_has_no_z() -> None:
    got = relative_to_baseline(a_track(np.full(500, 3.0)), SPECS, IntervalSet([(0, 20 * S)]))
    assert got.scales[0].source == "none"
    assert not got.track.valid.any()


def test_one_artefact_does_not_move_the_scale() -> None:
    rate = np.random.default_rng(3).standard_normal(1000)
    rate[10:20] = 1e4
    got = relative_to_baseline(a_track(rate), SPECS, IntervalSet([(0, 50 * S)]))
    assert got.scales[0].spread == pytest.approx(1, abs=0.15)


def test_baselines_of_others_do_not_count() -> None:
    assert len(baseline_intervals([cue("baseline", 0, 60, "p02")], "p01")) == 0
    assert len(baseline_intervals([cue("baseline", 0, 60, None)], "p01")) == 1
    assert len(baseline_intervals([cue("baseline", 0, 60, "p02")])) == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0.01, 1e4), st.floats(-1e4, 1e4), st.integers(0, 200))
def test_z_forgets_unit_and_offset(seed: int, scale: float, shift: float, holes: int) -> None:
    rng = np.random.default_rng(seed)
    rate = rng.integers(0, 50, 400) / 10
    valid = np.ones(400, bool)
    valid[rng.integers(0, 400, holes)] = False
    rest = IntervalSet([(0, 20 * S)])
    one = relative_to_baseline(a_track(rate, valid), SPECS, rest).track
    other = relative_to_baseline(a_track(scale * rate + shift, valid), SPECS, rest).track
    assert np.array_equal(one.valid, other.valid)
    assert not one.valid[~valid].any()
    if np.ptp(rate) * scale > 1e-3 * (abs(shift) + 1):
        assert np.allclose(one.values, other.values, atol=0.05)


def blink(at: float) -> Event:
    return Event("face", "blink", round(at * S), round((at + 0.2) * S), person="p01")


def gaze_track(seconds: float, away: tuple[float, float]) -> Track:
    times = (np.arange(int(seconds * 20)) * (S / 20)).astype(np.int64)
    inside = (times >= away[0] * S) & (times < away[1] * S)
    values = np.stack([np.where(inside, 20.0, 0.0), np.zeros(len(times))], axis=1).astype(np.float32)
    return Track(
        times, ("gaze_yaw_deg", "gaze_pitch_deg"), values, np.ones(values.shape, bool), np.full(len(times), "", object)
    )


def test_suppression_and_rebound_of_blinks_and_averted_eyes() -> None:
    blinks = [blink(at) for at in np.arange(0.5, 60, 3.0)] + [blink(at) for at in (70.1, 70.6, 71.1, 71.6, 72.2)]
    cues = [cue("question", 62, 70), cue("baseline", 0, 60), cue("stimulus", 30, 30.001)]
    got = eyes_around(cues, blinks, gaze_track(80, (62, 66)), baseline_intervals(cues))
    assert [one.kind for one in got] == ["stimulus", "question"]
    asked = got[1]
    assert asked.blink_rate_during == 0 and asked.blink_z_during < -1.5
    assert asked.blink_rate_after == pytest.approx(100) and asked.blink_z_after > 2
    assert asked.blink_latency_s == pytest.approx(8.1)
    assert asked.averted_during == pytest.approx(0.5)
    assert asked.spread_during_deg == pytest.approx(10.0)
    assert asked.seen == pytest.approx(1.0)
    shown = got[0]
    assert shown.offset_s == pytest.approx(33.0)
    assert abs(shown.blink_z_during) < 1
    assert json.loads(json.dumps(shown.as_row()))["averted_during"] == 0


def test_unseen_eyes_have_no_rate() -> None:
    track = gaze_track(80, (0, 0))
    valid = np.broadcast_to((track.times_ns < 50 * S)[:, None], track.valid.shape).copy()
    hidden = Track(track.times_ns, track.names, track.values, valid, track.reason)
    got = eyes_around([cue("question", 60, 70)], [blink(1.0)], hidden)[0]
    assert got.blink_rate_during is None and got.blink_z_during is None and got.averted_during is None
    assert got.seen == 0
    nothing = eyes_around([cue("question", 60, 70)], [], Track.empty(("gaze_yaw_deg", "gaze_pitch_deg")))[0]
    assert nothing.seen == 0 and nothing.blink_latency_s is None
