"""The concealed information test: which cues make one, scores, posterior, columns and event, calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cit import calibration, rank, without_effect
from data_schemas.emotion import CIT_FEATURES, FUSED_COLUMNS
from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, Track
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S
from fusion.cit import entropy, examine
from fusion.cit_items import MEASURES, Contrast, Item, Measure, compare, items_of
from fusion.cit_model import NOISE_R, PRIOR, drawn_effects, expected_d, judge_scores, shapley, sizes
from fusion.effect_table import effects_of
from fusion.inference import fuse
from pipeline.simulate.designs_cit import CitSession, simulate_cit

S = NS_PER_S
SCR, HEART, LINE = MEASURES


def cue(at_s: float, kind: str = "stimulus", label: str = "item", **columns: str) -> Event:
    return Event(
        "context", "cue", round(at_s * S), round((at_s + 1) * S), label=label, details={"kind": kind, **columns}
    )


def context(*cues: Event) -> Encoding:
    return Encoding(EncoderSpec("context", "1", "context", (), (), ("cue",)), "person", Track.empty(()), cues)


def contrast(measure, score: float, probes: int = 6, irrelevants: int = 24) -> Contrast:
    error = float(np.sqrt(1 / probes + 1 / irrelevants))
    return Contrast(measure, score, error, probes + irrelevants - 3, probes, irrelevants)


@pytest.fixture(scope="module")
def knowing() -> CitSession:
    return simulate_cit(1, True, no_effect=0.0, presentations=(6, 4, 1), complete=True)


def test_the_column_cit_or_the_condition_names_the_role() -> None:
    found = items_of([context(cue(3, cit="Probe", item="knife"), cue(1, cit="irrelevant", condition="probe"))])
    assert [(item.role, item.name) for item in found] == [("irrelevant", "item"), ("probe", "knife")]
    by_condition = items_of(
        [context(cue(1, "question", condition="irrelevant"), cue(2, "question", condition="probe"))]
    )
    assert [item.role for item in by_condition] == ["irrelevant", "probe"]


def test_what_is_no_test() -> None:
    assert items_of([context(cue(1), cue(2, condition="calm"))]) == ()
    assert items_of([context(cue(1, condition="target"), cue(2, condition="irrelevant"))]) == ()
    assert items_of([context(cue(1, "baseline", cit="probe"), cue(2, "answer", cit="irrelevant"))]) == ()
    assert examine([context(cue(1))], Interval(0, 60 * S)) is None


def test_a_cue_that_is_listed_twice_counts_once() -> None:
    once = context(cue(1, cit="probe"), cue(2, cit="irrelevant"))
    assert items_of([once, once]) == items_of([once])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), gain=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_scores_do_not_depend_on_gain_and_level(seed: int, gain: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(30)
    items = [Item(at, "probe" if at % 5 == 2 else "irrelevant", str(at)) for at in range(30)]
    places = np.arange(1.0, 31)
    one, other = compare(HEART, values, items, places), compare(HEART, gain * values + shift, items, places)
    assert one is not None and other is not None
    assert other.score == pytest.approx(one.score, rel=1e-6, abs=1e-9) and other.error == one.error


def test_a_course_over_the_test_is_no_response() -> None:
    rng = np.random.default_rng(0)
    places = np.arange(1.0, 41)
    items = [Item(at, "probe" if at in (1, 3, 6, 11) else "irrelevant", str(at)) for at in range(40)]
    scores = [compare(SCR, -2 * np.log(places) + rng.standard_normal(40), items, places) for _ in range(200)]
    assert abs(np.mean([one.score for one in scores if one])) < 0.1, (
        "early probes meet larger responses than later items"
    )


def test_the_same_item_again_tells_less_than_another_item() -> None:
    values, places = np.random.default_rng(1).standard_normal(30), np.arange(1.0, 31)
    roles = ["probe" if at % 5 == 2 else "irrelevant" for at in range(30)]
    many = compare(SCR, values, [Item(at, role, str(at)) for at, role in enumerate(roles)], places)
    few = compare(SCR, values, [Item(at, role, role) for at, role in enumerate(roles)], places)
    assert many is not None and few is not None and few.error > many.error and few.score == many.score


def test_sizes_give_the_published_d_averaged_over_labs() -> None:
    for size, measure in zip(sizes(), MEASURES, strict=True):
        row = next(one for one in effects_of("cit") if one.measured_by == measure.row)
        assert expected_d(size) == pytest.approx(row.magnitude, rel=1e-6)
    assert (drawn_effects() > 0).all()


SPEAKS_FROM = -2.0
"""Lower scores are so unlikely with and without a response that the t tells ever less from them."""


@settings(max_examples=25, deadline=None)
@given(measure=st.sampled_from(MEASURES), score=st.floats(-8, SPEAKS_FROM))
def test_a_score_far_below_nothing_never_speaks_for_a_response(measure: Measure, score: float) -> None:
    assert judge_scores([contrast(measure, score)]).log_ratio < judge_scores([contrast(measure, 0.0)]).log_ratio


@settings(max_examples=15, deadline=None)
@given(scores=st.lists(st.floats(-3, 3), min_size=1, max_size=3), more=st.floats(0.2, 2))
def test_a_larger_score_makes_a_response_likelier_and_shares_add_up(scores: list[float], more: float) -> None:
    before = judge_scores([contrast(m, score) for m, score in zip(MEASURES, scores, strict=False)])
    higher = [score + more * (at == 0) for at, score in enumerate(scores)]
    after = judge_scores([contrast(m, score) for m, score in zip(MEASURES, higher, strict=False)])
    assert sum(before.contributions) == pytest.approx(before.log_ratio, abs=1e-9)
    assert after.probability >= before.probability or len(scores) > 1 or scores[0] < SPEAKS_FROM
    assert after.contributions[0] > before.contributions[0] - 0.3
    mean, low, high = before.interval()
    assert 0 < low < mean < high and 0 < before.probability < 1


def test_more_presentations_of_the_same_score_say_more() -> None:
    chances = [judge_scores([contrast(SCR, 0.9, n, 4 * n)]).probability for n in (2, 4, 8, 16)]
    assert chances == sorted(chances) and chances[0] < 0.8 and chances[-1] > 0.95
    none = [judge_scores([contrast(SCR, 0.0, n, 4 * n)]).probability for n in (2, 4, 8, 16)]
    assert none == sorted(none, reverse=True) and none[0] < PRIOR


def test_the_prior_moves_the_odds_as_bayes_says() -> None:
    one, other = (judge_scores([contrast(SCR, 0.5)], prior) for prior in (0.5, 0.1))
    odds = [p.probability / (1 - p.probability) for p in (one, other)]
    assert odds[0] / odds[1] == pytest.approx(9, rel=1e-6) and one.log_ratio == other.log_ratio
    for prior in (0.0, 1.0):
        with pytest.raises(InvalidValueError):
            judge_scores([contrast(SCR, 0.5)], prior)


def test_shapley_values_of_a_known_game() -> None:
    assert shapley([0, 1, 2, 3], 2) == pytest.approx((1, 2))
    assert shapley([0, 0, 0, 6], 2) == pytest.approx((3, 3))


def test_the_columns_are_constant_over_the_test_and_null_elsewhere(knowing: CitSession) -> None:
    extent = Interval(0, knowing.extent.end_ns + 60 * S)
    test = examine(knowing.encodings(), extent)
    assert test is not None and test.posterior is not None
    times = np.arange(0, extent.end_ns, S, dtype=np.int64)
    columns = test.columns(times)
    inside = (times >= knowing.cues[0].onset_ns) & (times < knowing.cues[-1].onset_ns + 15 * S)
    np.testing.assert_array_equal(columns.valid, inside)
    assert set(np.unique(columns.values[~inside])) == {0.0}
    assert np.unique(columns.values[inside], axis=0).shape == (1, len(CIT_FEATURES))
    assert columns.values[inside][0] == pytest.approx((test.posterior.probability, test.uncertainty), abs=1e-6)


def test_the_event_says_what_each_measure_gave_and_what_it_cannot_tell(knowing: CitSession) -> None:
    test = examine(knowing.encodings(), knowing.extent)
    assert test is not None and test.posterior is not None
    event = test.event()
    assert event.kind == "cit_response" and event.channel == "fused" and event.person == "person"
    assert event.score == round(test.posterior.probability, 4) and not event.details["cannot_say"]
    shares = [one["log_likelihood_ratio"] for one in event.details["measures"]]
    assert [one["measure"] for one in event.details["measures"]] == [one.name for one in MEASURES]
    assert sum(shares) == pytest.approx(event.details["log_likelihood_ratio"], abs=1e-3)
    assert event.details["presentations"] == {"probe": 6, "irrelevant": 24, "target": 0}
    assert event.details["items"] == 30 and len(event.details["cannot_tell"]) >= 3
    assert event.details["probability_of_knowing"] >= event.score


def test_too_few_irrelevant_items_cannot_say(knowing: CitSession) -> None:
    kept = [at for at, role in enumerate(knowing.roles) if role == "probe"][:3]
    kept += [at for at, role in enumerate(knowing.roles) if role == "irrelevant"][:4]
    few, body = knowing.encodings()
    test = examine([context(*(few.events[at] for at in sorted(kept))), body], knowing.extent)
    assert test is not None and test.posterior is None and test.uncertainty == 1
    event = test.event()
    assert event.score is None and event.label == "cannot say" and event.details["cannot_say"]
    assert "4 irrelevant" in event.details["missing"]["scr"]
    assert not test.columns(np.array([event.onset_ns])).valid.any()


def test_without_physiology_or_reactions_it_cannot_say(knowing: CitSession) -> None:
    test = examine(knowing.encodings()[:1], knowing.extent)
    assert test is not None and test.event().details["missing"] == dict.fromkeys(
        (one.name for one in MEASURES), "not measured"
    )


def test_skin_that_never_responds_is_left_out_and_the_rest_goes_on(knowing: CitSession) -> None:
    cues, body = knowing.encodings()
    silent = [Event(e.channel, e.kind, e.onset_ns, e.offset_ns, person=e.person, details={**e.details, SCR.key: 0.0})
              for e in body.events]  # fmt: skip
    test = examine([cues, Encoding(body.spec, "person", body.track, tuple(silent))], knowing.extent)
    assert test is not None and test.posterior is not None
    assert [one.measure.name for one in test.contrasts] == ["heart_rate", "line_length"]
    assert "does not vary" in test.missing["scr"]


def test_a_single_probe_item_and_crowded_items_are_pointed_out() -> None:
    cues = [cue(10 + 4 * at, cit="probe" if at % 5 == 1 else "irrelevant", item=f"i{at % 5}") for at in range(20)]
    test = examine([context(*cues)], Interval(0, 200 * S))
    assert test is not None
    assert any("every 4.0 s" in note for note in test.notes) and any("single probe" in note for note in test.notes)


def test_encodings_of_several_people_and_bad_priors_are_refused(knowing: CitSession) -> None:
    other = Encoding(EncoderSpec("context", "1", "context", (), ()), "somebody", Track.empty(()))
    with pytest.raises(InvalidValueError):
        examine([*knowing.encodings(), other], knowing.extent)
    with pytest.raises(InvalidValueError):
        examine(knowing.encodings(), knowing.extent, prior=1.0)


def test_entropy() -> None:
    assert entropy(0.5) == pytest.approx(1) and entropy(1.0) == pytest.approx(0, abs=1e-6)


def test_fusing_a_person_with_and_without_a_test(knowing: CitSession) -> None:
    track, events, _ = fuse(knowing.encodings(), knowing.extent, grid_hz=2.0)
    (event,) = [one for one in events if one.kind == "cit_response"]
    values, valid = track.cells()
    assert values.shape == valid.shape == (len(track.times_ns), len(FUSED_COLUMNS))
    said = valid[:, -len(CIT_FEATURES)]
    assert said.any() and not said.all()
    assert track.column("cit_response")[said] == pytest.approx(event.score, abs=1e-4)
    plain, others, _ = fuse([context(cue(5))], Interval(0, 30 * S), grid_hz=2.0)
    assert plain.cit is None and not plain.cells()[1][:, -1].any() and not others
    _, doubted, _ = fuse(knowing.encodings(), knowing.extent, grid_hz=2.0, cit_prior=0.02)
    (doubt,) = [one for one in doubted if one.kind == "cit_response"]
    assert doubt.details["prior"] == 0.02 and (doubt.score or 0) < (event.score or 0)
    with pytest.raises(InvalidValueError, match="prior"):
        fuse(knowing.encodings(), knowing.extent, grid_hz=2.0, cit_prior=1.0)


def test_ranks_of_scores_from_the_model_itself_are_flat() -> None:
    from scipy.stats import chisquare

    rng = np.random.default_rng(4)
    blank = contrast(SCR, 0.0)
    small = 1 - 3 / (4 * blank.freedom - 1)
    mixed = np.linalg.cholesky(np.full((3, 3), NOISE_R) + (1 - NOISE_R) * np.eye(3))
    ranks = []
    for row in drawn_effects(1_000, seed=77):
        effect = row if rng.random() < PRIOR else np.zeros(3)
        spread = np.sqrt(rng.chisquare(blank.freedom, 3) / blank.freedom)
        drawn = small * (effect + blank.error * (mixed @ rng.standard_normal(3))) / spread
        scores = [contrast(measure, float(score)) for measure, score in zip(MEASURES, drawn, strict=True)]
        ranks.append(rank(judge_scores(scores), float(effect.mean()), float(rng.random())))
    assert chisquare(np.histogram(ranks, 10, (0, 1))[0]).pvalue > 0.005


def test_simulated_examinees_are_judged_as_often_right_as_said() -> None:
    figures = calibration(300)
    assert figures["ece"] < 0.08 and figures["auc"] > 0.85 and figures["ranks_p"] > 0.001
    assert 0.85 < figures["covered"] < 0.95 and figures["cannot_say"] < 0.02


def test_without_any_effect_nobody_can_be_told() -> None:
    assert 0.4 < without_effect(300) < 0.6


@pytest.mark.long
def test_calibration_at_full_size() -> None:
    figures = calibration(3_000)
    assert figures["ece"] <= 0.03 and 0.88 <= figures["covered"] <= 0.92 and figures["ranks_p"] > 0.01
    assert 0.88 <= figures["covered_response"] <= 0.92
    assert 0.45 < without_effect(1_000) < 0.55
