"""Sessions at token fidelity: reproducible, in independent parts, with effects that are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from data_schemas.emotion import CHANNELS, EMOTIONS
from data_schemas.errors import InvalidValueError
from pipeline.simulate.chance import generator
from pipeline.simulate.tokens import examples, play, simulate_tokens
from pipeline.simulate.tokens_course import NEUTRAL, Course, Stretch
from pipeline.simulate.tokens_effects import NO_EFFECTS, Effects, draw_effects, pooled_suppression
from pipeline.simulate.tokens_movements import draw_movements
from pipeline.simulate.tokens_signals import Scene


def test_the_same_seed_gives_the_same_session_and_parts_are_independent() -> None:
    whole, again = simulate_tokens(5, 60, channels=CHANNELS), simulate_tokens(5, 60, channels=CHANNELS)
    for one, other in zip(whole.encodings, again.encodings, strict=True):
        np.testing.assert_array_equal(one.track.values, other.track.values)
        assert one.events == other.events
    (body,) = simulate_tokens(5, 60, channels=("body",)).encodings
    np.testing.assert_array_equal(body.track.values, whole.encodings[CHANNELS.index("body")].track.values)
    assert simulate_tokens(6, 60).course != whole.course


def test_encodings_keep_to_their_own_specs() -> None:
    for seed in range(12):
        for encoding in simulate_tokens(seed).encodings:
            assert encoding.track.names == encoding.spec.feature_names
            onsets = [event.onset_ns for event in encoding.events]
            assert onsets == sorted(onsets) and all(event.channel == encoding.spec.channel for event in encoding.events)
            assert encoding.track.valid.any()


def test_channels_gaps_and_features_go_missing() -> None:
    sessions = [simulate_tokens(seed) for seed in range(60)]
    counts = {channel: sum(channel in {e.spec.channel for e in s.encodings} for s in sessions) for channel in CHANNELS}
    assert all(40 <= count <= 60 for count in counts.values()), counts
    assert sum(count for count in counts.values()) < 300
    faces = [e for s in sessions for e in s.encodings if e.spec.channel == "face"]
    assert any(not e.track.valid.any(axis=1).all() for e in faces)
    assert len({e.track.names for e in faces}) > 1


def test_display_follows_the_shown_emotion() -> None:
    smile, frown = Stretch(10, 16, "positive"), Stretch(30, 36, "negative")
    rise = {"smile": [], "frown": []}
    for seed in range(40):
        session = play(Course(50, (), (smile, frown), (), ()), seed, NO_EFFECTS, ("face",))
        track = session.encodings[0].track
        seconds = track.times_ns / 1e9
        for name, stretch, units in (("smile", smile, ("au12_left", "au12_right")), ("frown", frown, ("au04",))):
            for unit in set(units) & set(track.names):
                values, valid = track.column(unit)
                inside = (seconds > stretch.onset_s + 1) & (seconds < stretch.offset_s - 1)
                outside = (seconds < 9) | ((seconds > 18) & (seconds < 29)) | (seconds > 38)
                if (inside & valid).any() and (outside & valid).any():
                    rise[name].append(values[inside & valid].mean() - np.median(values[outside & valid]))
    assert np.mean(rise["smile"]) > 0.15 and np.mean(rise["frown"]) > 0.08


def evoked(effects: Effects, seeds: int = 150) -> float:
    """Skin conductance responses that begin 1 to 3 s after felt emotion, per stretch, less those at other times."""
    after = before = 0
    for seed in range(seeds):
        session = play(Course(40, (Stretch(20, 24, "negative"),), (), (), ()), seed, effects, ("physiology",))
        onsets = [e.onset_ns / 1e9 for e in session.encodings[0].events if e.kind == "scr"]
        after += sum(20.8 < at < 23.4 for at in onsets)
        before += sum(10.8 < at < 13.4 for at in onsets)
    return (after - before) / seeds


def test_skin_answers_what_is_felt_by_the_size_of_the_effect() -> None:
    assert abs(evoked(NO_EFFECTS)) < 0.12
    strong, half = evoked(Effects(scr=1.0)), evoked(Effects(scr=0.5))
    assert strong > 0.35 and half == pytest.approx(strong / 2, abs=0.12)


def micro_rates(log_ratio: float, found: bool, seeds: int = 60) -> float:
    """Micro-expressions per second while something is hidden, over those while nothing is: made, or found in them."""
    inside = outside = 0
    for seed in range(seeds):
        course = Course(120, (Stretch(30, 90, "negative"),), (), (), ())
        effects = Effects(micro_rate=log_ratio)
        if found:
            events = play(course, seed, effects, ("face",)).encodings[0].events
            onsets = np.array([e.onset_ns / 1e9 for e in events if e.kind == "micro"])
        else:
            made = draw_movements(generator(seed, "token face"), Scene.of(course, effects))
            onsets = np.array([one.onset_s for one in made if one.kind == "micro"])
        inside += int(((onsets >= 30) & (onsets < 90)).sum())
        outside += int(((onsets < 30) | (onsets >= 90)).sum())
    return inside / outside


def test_micro_expressions_come_at_the_planted_rate_ratio() -> None:
    assert micro_rates(0.0, found=False) == pytest.approx(1.0, abs=0.25)
    assert micro_rates(1.0, found=False) == pytest.approx(np.e, rel=0.25)


def test_alarms_that_know_nothing_pull_the_found_rate_ratio_towards_one() -> None:
    assert micro_rates(0.0, found=True) == pytest.approx(1.0, abs=0.25)
    assert 1.0 < micro_rates(1.0, found=True) < micro_rates(1.0, found=False)


def test_priors_without_a_source_are_centred_on_zero_and_arousal_is_not() -> None:
    drawn = [draw_effects(np.random.default_rng(seed)) for seed in range(600)]
    for name in ("micro_rate", "micro_family", "put_on_smile", "hand_to_face"):
        values = np.array([getattr(one, name) for one in drawn])
        assert abs(values.mean()) < 4 * values.std() / np.sqrt(600) and values.std() > 0.4, name
    assert np.mean([one.scr for one in drawn]) > 0.3 and min(one.scr for one in drawn) == 0
    assert 0.08 < np.mean([one.scr == 0 and one.reliability == 0 for one in drawn]) < 0.16


def test_suppression_enters_in_its_own_design_alone_and_as_its_source_says() -> None:
    size, error = pooled_suppression()
    assert (size, round(error, 4)) == (0.20, round(0.25 / 3.92, 4))
    drawn = [draw_effects(np.random.default_rng(seed)) for seed in range(2500)]
    inside = np.array([one.suppressed_reactivity for one in drawn if one.design == "suppression"])
    assert all(one.suppressed_reactivity == 0 for one in drawn if one.design != "suppression")
    assert inside.mean() == pytest.approx(size, rel=0.1) and 200 < len(inside) < 500
    assert all(one.suppressed_heart_rate <= 0 <= one.suppressed_blinks for one in drawn)


def test_without_effects_felt_and_shown_have_nothing_to_do_with_each_other_or_the_cues() -> None:
    felt, shown, cued = [], [], []
    for seed in range(250):
        session = simulate_tokens(seed, 60, NO_EFFECTS)
        times = np.arange(0.25, 60, 0.5)
        felt.append(session.course.felt_at(times) != NEUTRAL)
        shown.append(session.course.shown_at(times) != NEUTRAL)
        cued.append(
            np.any([(times >= c.onset_s) & (times < c.onset_s + 4) for c in session.course.cues] or [times < 0], axis=0)
        )
    a, b, c = (np.concatenate(one).astype(float) for one in (felt, shown, cued))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05 and abs(np.corrcoef(a, c)[0, 1]) < 0.05
    thirds = a.reshape(250, 3, 40).mean(axis=(0, 2))
    assert np.ptp(thirds) < 0.06, "nor with the time since the start"


def test_with_effects_cues_tell_of_what_is_felt() -> None:
    hits = total = 0
    for seed in range(80):
        session = simulate_tokens(seed, 90, Effects(follows=True, reliability=0.9))
        for cue in session.course.cues:
            later = [s for s in session.course.felt if cue.onset_s < s.onset_s < cue.onset_s + 2.3]
            if cue.expected not in (None, "neutral") and later:
                total, hits = total + 1, hits + (later[0].emotion == cue.expected)
    assert total > 50 and hits / total > 0.8


def test_examples_carry_truth_at_the_times_of_the_tokens() -> None:
    for example in examples(range(3)):
        assert len(example.truth.felt) == len(example.tokens)
        assert set(np.unique(example.truth.joint)) <= set(range(16))
        assert set(np.unique(example.truth.felt)) <= set(range(len(EMOTIONS)))


@pytest.mark.parametrize("arguments", [{"seconds": 1}, {"seconds": 1e5}, {"channels": ("nose",)}, {"seed": -1}])
def test_what_cannot_be_simulated_is_refused(arguments: dict) -> None:
    with pytest.raises(InvalidValueError):
        simulate_tokens(**{"seed": 0, **arguments})
