from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import UnreadableFileError
from data_schemas.features import Track
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S
from modalities.context.coincidence import coincide, onsets_of
from modalities.context.coupling import false_discovery, follows, steady
from modalities.context.prewhitening import follows_in_turns, without_jumps, without_shape_of_turns
from modalities.context.synchrony import agreement, in_step, shared_course
from pipeline.interaction import interact
from pipeline.interaction_files import read_interaction, write_interaction
from pipeline.interaction_table import BEHAVIOURS, Interaction
from pipeline.report.together import together_section
from pipeline.simulate.pairs_of_people import NAMES, PairOfPeople, Planted, simulate_pair

HZ = 12.5
PLANTED = {"smile": Planted(1.2), "gesture": Planted(0.7), "heart_rate": Planted(2.0), "pitch": Planted(1.5, 0.8)}


def slow(rng: np.random.Generator, n: int, tau: float) -> np.ndarray:
    course = rng.standard_normal(n)
    for at in range(1, n):
        course[at] += np.exp(-1 / (tau * HZ)) * course[at - 1]
    return course


@pytest.fixture(scope="module")
def pair() -> PairOfPeople:
    return simulate_pair(3, 420, PLANTED)


@pytest.fixture(scope="module")
def found(pair: PairOfPeople) -> Interaction:
    return interact(pair.encodings(), pair.extent, surrogates=499)


def rows_of(found: Interaction, behaviour: str, leader: str) -> dict:
    return {tie.measure: tie for tie in found.ties if tie.behaviour == behaviour and tie.leader == leader}


@pytest.mark.parametrize(
    ("behaviour", "measure"),
    [
        ("smile", "correlation"),
        ("smile", "coincidence"),
        ("gesture", "correlation"),
        ("gesture", "coincidence"),
        ("heart_rate", "correlation"),
        ("pitch", "correlation"),
    ],
)
def test_planted_mimicry_is_found_at_its_lag(found: Interaction, behaviour: str, measure: str) -> None:
    tie = rows_of(found, behaviour, "p01")[measure]
    assert tie.p < 0.01
    assert tie.lag_s == pytest.approx(PLANTED[behaviour].lag_s, abs=0.1)
    assert tie.found and tie.leads
    assert not rows_of(found, behaviour, "p02")[measure].found


def test_independent_people_give_flat_p() -> None:
    from scipy.stats import kstest

    answers: dict[str, list[float]] = {}
    for seed in range(60):
        people = simulate_pair(seed, 180)
        ties = interact(people.encodings(), people.extent, surrogates=99, tracks=False).ties
        for tie in ties:
            if tie.p is not None and tie.leader == "p01":
                answers.setdefault(f"{tie.behaviour} {tie.measure}", []).append(tie.p)
    assert len(answers) == 6
    for name, p in answers.items():
        assert len(p) > 30, name
        assert kstest(p, "uniform").pvalue > 0.005, name


@pytest.mark.parametrize("seed", [3, 6, 12])
def test_pitch_that_is_taken_over_is_found_in_five_minutes_of_dialogue(seed: int) -> None:
    people = simulate_pair(seed, 300, {"pitch": Planted(2.6, 0.6)})
    spoken = [one for one in people.encodings() if one.spec.channel == "voice"]
    forth, back = interact(spoken, people.extent, surrogates=299, tracks=False).ties
    assert forth.p < 0.01
    assert forth.lag_s == pytest.approx(2.6, abs=0.1)
    assert forth.leads and not back.leads


def test_pitch_with_noise_and_octave_errors_is_still_found() -> None:
    people = simulate_pair(3, 600, {"pitch": Planted(2.2, 0.6)})
    rng = np.random.default_rng(1)
    spoken = []
    for one in people.encodings():
        if one.spec.channel == "voice":
            wrong = 2.0 ** (0.2 * rng.standard_normal(one.track.values.shape) / 12)
            wrong *= np.where(rng.random(wrong.shape) < 0.01, 0.5, 1.0)
            spoken.append(replace(one, track=replace(one.track, values=(one.track.values * wrong).astype(np.float32))))
    tie = interact(spoken, people.extent, surrogates=299, tracks=False).ties[0]
    assert tie.p < 0.01
    assert tie.lag_s == pytest.approx(2.2, abs=0.1)


def test_turns_at_fixed_places_are_no_relation_of_the_voices() -> None:
    """One speaks 3 s, then the other 3 s, by the clock: whitened by themselves they have nothing in common."""
    from scipy.stats import kstest

    answers = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        turns = np.arange(round(180 * HZ)) // round(3 * HZ) % 2 == 0
        one, other = (slow(rng, len(turns), 0.8) for _ in range(2))
        args = (steady(one, turns, HZ, 120.0), steady(other, ~turns, HZ, 120.0), turns, ~turns, HZ, (0.0, 8.0))
        answers.append(follows_in_turns(*args, rng, 99)[0].p)
    assert kstest(answers, "uniform").pvalue > 0.005


def test_jumps_of_the_tracker_are_left_out_and_nothing_moves_in_time() -> None:
    times = np.arange(400, dtype=np.int64) * NS_PER_S // 100
    octaves = 7.0 + 0.2 * np.sin(2 * np.pi * times / NS_PER_S)
    valid = np.ones(400, bool)
    valid[100:200] = False
    wrong = octaves.copy()
    jumps = np.array([20, 21, 60, 250, 399])
    wrong[jumps] -= 1.0
    got, good = without_jumps(wrong, valid, times)
    assert np.flatnonzero(valid & ~good).tolist() == jumps.tolist()
    assert np.abs(got - octaves)[good].max() < 0.08
    assert abs(np.mean((got - octaves)[good])) < 0.005


def test_the_shape_of_turns_is_taken_out_and_what_differs_between_them_stays() -> None:
    rng = np.random.default_rng(4)
    at = np.arange(3000)
    valid = at % 100 < 60
    shape, own = -0.02 * (at % 100), np.repeat(rng.standard_normal(30), 100)
    got = without_shape_of_turns(np.where(valid, shape + own, 0.0), valid, HZ)
    assert np.abs(got - (own - own.mean()))[valid].max() < 0.1
    assert not got[~valid].any()
    few = valid & (at < 500)
    assert np.array_equal(without_shape_of_turns(shape, few, HZ), shape)


def test_slow_courses_that_have_nothing_to_do_are_no_relation() -> None:
    """The usual test of a correlation calls most of these related."""
    rng = np.random.default_rng(1)
    every = np.ones(3000, bool)
    answers = []
    for _ in range(60):
        one, other = (steady(slow(rng, 3000, 10.0), every, HZ, 60.0) for _ in range(2))
        answers.append(follows(one, other, every, every, HZ, (0.0, 5.0), rng, 99).p)
    assert np.mean(np.array(answers) < 0.05) < 0.15


def test_the_tracks_are_in_step_where_the_people_are() -> None:
    rng = np.random.default_rng(2)
    one, other = (slow(rng, 6000, 1.0) for _ in range(2))
    other[3000:] = np.roll(one, 25)[3000:] + 0.3 * other[3000:]
    every = np.ones(6000, bool)
    got = in_step(steady(one, every, HZ), steady(other, every, HZ), every, every, HZ, 30.0, 5.0, rng)
    before, after = got.middle < 2800, got.middle > 3200
    assert got.valid.all()
    assert abs(got.z[before].mean()) < 1
    assert got.z[after].mean() > 3
    assert np.median(got.lag_s[after]) == pytest.approx(2.0, abs=0.2)


def test_the_group_moves_together_where_it_does() -> None:
    rng = np.random.default_rng(3)
    common = slow(rng, 4000, 1.0)
    courses = np.stack([np.where(np.arange(4000) < 2000, slow(rng, 4000, 1.0), common) for _ in range(4)])
    valid = np.ones(courses.shape, bool)
    middle, alike, good = agreement(courses, valid, HZ, 30.0)
    assert good.all()
    assert alike[middle > 2200].min() > 0.99
    assert abs(alike[middle < 1800].mean()) < 0.15
    mean, there = shared_course(courses, valid)
    assert there.all()
    assert mean[3000] == pytest.approx(common[3000])


def test_three_people_get_rows_with_the_group(pair: PairOfPeople) -> None:
    third = [replace(one, person="p03") for one in simulate_pair(77, 420).encodings() if one.person == "p01"]
    found = interact([*pair.encodings(), *third], pair.extent, surrogates=99)
    assert {(tie.leader, tie.follower) for tie in found.ties if tie.behaviour == "smile"} == {
        *((a, b) for a in ("p01", "p02", "p03") for b in ("p01", "p02", "p03") if a != b),
        *(("group", one) for one in ("p01", "p02", "p03")),
    }
    assert set(found.tracks) == {("p01", "p02"), ("p01", "p03"), ("p02", "p03")}
    assert found.group is not None


def test_table_and_tracks_can_be_written(found: Interaction) -> None:
    rows = found.rows()
    assert json.loads(json.dumps(rows)) == rows
    assert {row["behaviour"] for row in rows} == set(NAMES)
    table = found.tracks_table()
    assert set(table.column("pair").to_pylist()) == {"p01-p02", "group"}
    track = found.tracks["p01", "p02"]
    assert np.all(np.diff(track.times_ns) == NS_PER_S)
    assert track.column("smile_synchrony")[1].mean() > 0.8
    z, valid = track.column("smile_synchrony")
    assert z[valid].mean() > 0.5


def test_the_files_are_read_back(found: Interaction, tmp_path: Path) -> None:
    assert read_interaction(tmp_path) is None
    write_interaction(found, tmp_path)
    again = read_interaction(tmp_path)
    assert again is not None and again.ties == found.ties
    assert again.tracks_table().equals(found.tracks_table())
    assert together_section(again) == together_section(found)
    (tmp_path / "synchrony.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableFileError, match="synchrony"):
        read_interaction(tmp_path)


def test_the_same_seed_gives_the_same_table(pair: PairOfPeople) -> None:
    one, other = (interact(pair.encodings(), pair.extent, surrogates=49, tracks=False) for _ in range(2))
    assert one.ties == other.ties


def test_one_person_alone_interacts_with_nobody(pair: PairOfPeople) -> None:
    alone = interact([one for one in pair.encodings() if one.person == "p01"], pair.extent)
    assert alone.ties == ()
    assert alone.tracks == {} and alone.group is None
    assert alone.tracks_table().num_rows == 0


def test_a_short_or_dead_course_has_no_answer_and_says_why(pair: PairOfPeople) -> None:
    encodings = pair.encodings()
    short = interact(encodings, Interval(0, 20 * NS_PER_S), surrogates=49)
    assert {tie.reason for tie in short.ties} == {"too_short"}
    assert all(tie.p is None and not tie.found for tie in short.ties)
    track = encodings[0].track
    flat = Track(track.times_ns, track.names, np.zeros_like(track.values), track.valid, track.reason)
    dead = interact([replace(encodings[0], track=flat), *encodings[1:]], pair.extent, surrogates=49)
    assert {tie.reason for tie in dead.ties if tie.behaviour == "smile"} == {"too_short"}
    assert any(tie.found for tie in dead.ties if tie.behaviour == "heart_rate")


def test_gaps_are_not_compared() -> None:
    rng = np.random.default_rng(5)
    one = slow(rng, 6000, 1.0)
    other = np.roll(one, 10) + 0.5 * slow(rng, 6000, 1.0)
    valid = np.ones(6000, bool)
    for at in range(0, 6000, 500):
        valid[at : at + 200] = False
    other[~valid] = 1e6
    got = follows(steady(one, valid, HZ), steady(other, valid, HZ), valid, valid, HZ, (0.0, 5.0), rng, 199)
    assert got.lag_s == pytest.approx(0.8, abs=0.04)
    assert got.p <= 0.01


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.2, 4.5))
def test_events_answered_after_any_lag_are_found(seed: int, lag_s: float) -> None:
    rng = np.random.default_rng(seed)
    first = np.sort(rng.uniform(0, 595, 40))
    events = [np.round(x * NS_PER_S).astype(np.int64) for x in (first, first + lag_s)]
    got = coincide(*events, (0, 600 * NS_PER_S), (0.0, 5.0), rng, 199)
    assert got.share == 1.0
    assert got.lag_s == pytest.approx(lag_s, abs=0.05)
    assert got.p == pytest.approx(1 / 200)


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=30))
def test_q_is_at_least_p_and_keeps_the_order(p: list[float]) -> None:
    p_array = np.array(p, dtype=np.float64)
    q = false_discovery(p_array)
    told = np.isfinite(p_array)
    assert np.array_equal(np.isfinite(q), told)
    assert np.all(q[told] >= p_array[told] - 1e-12) and np.all(q[told] <= 1)
    order = np.argsort(p_array[told])
    assert np.all(np.diff(q[told][order]) >= -1e-12)


def test_rises_are_counted_once() -> None:
    values = np.array([0.9, 0.0, 0.3, 0.15, 0.3, 0.05, 0.3, 0.0, 0.4])
    valid = np.array([True] * 7 + [False, True])
    times = np.arange(9, dtype=np.int64)
    assert onsets_of(values, valid, times, 0.2, 0.1).tolist() == [2, 6]


def test_every_behaviour_names_columns_that_its_encoder_gives() -> None:
    from modalities.registry import load_encoder

    for behaviour in BEHAVIOURS:
        spec = load_encoder(behaviour.channel).spec
        assert set(behaviour.features) <= set(spec.feature_names)
        assert set(behaviour.event_kinds) <= set(spec.event_kinds)


def test_the_page_says_who_follows_whom() -> None:
    pair = simulate_pair(3, 300.0, {"heart_rate": Planted(1.2)})
    page = together_section(interact(pair.encodings(), pair.extent, surrogates=400))
    assert "p02 follows p01 in heart rate after 1." in page and "p01 follows p02 in heart rate" not in page
    assert page.count("<tr>") >= 12 and "in step, standard deviations above chance" in page
    assert together_section(None) == ""
