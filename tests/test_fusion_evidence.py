"""The table of effects and the transparent evidence model: what each cue says, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.ranking import auc_of
from data_schemas.time import NS_PER_S
from fusion.calibration import calibration_error
from fusion.cit import examine
from fusion.effect_table import TABLE, effects_of, sourced_effects
from fusion.evidence_cues import statements_of, values_of
from fusion.evidence_model import NO_SOURCE, ZERO, evidence, norms_of
from fusion.evidence_ratio import session_ratio, statement_ratio, unsourced_ratio
from pipeline.simulate.designs_cit import simulate_cit
from pipeline.simulate.designs_interview import simulate_interview
from pipeline.simulate.designs_suppression import simulate_suppression

S = NS_PER_S


def test_every_row_has_a_source_a_design_and_a_unit() -> None:
    rows = sourced_effects()
    assert len(rows) >= 18 and all(one.source and one.unit and one.sign in (-1, 1) for one in rows)
    sizes = {one.measured_by: one.magnitude for one in rows if one.magnitude}
    assert sizes["physiology.scr_amplitude"] == 1.55 and sizes["face.pupil_ratio"] == 0.39
    assert sizes["voice.pitch_hz"] == 0.21
    pooled = next(one for one in rows if one.source.startswith("Tyra"))
    assert pooled.error == pytest.approx((0.33 - 0.08) / 3.92)
    assert not any("micro" in one.cue for one in rows)


@pytest.mark.parametrize(("column", "word"), [("design", "anything"), ("direction", "sideways"), ("magnitude", "-1")])
def test_a_bad_row_is_refused(tmp_path: Path, column: str, word: str) -> None:
    head, first = TABLE.read_text(encoding="utf-8").splitlines()[:2]
    import csv

    cells = dict(zip(head.split(","), next(csv.reader([first])), strict=True)) | {column: word}
    path = tmp_path / "effects.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, list(cells))
        rows.writeheader()
        rows.writerow(cells)
    with pytest.raises(InvalidValueError):
        sourced_effects(path)


@settings(max_examples=40, deadline=None)
@given(which=st.integers(0, 20), z=st.floats(-4, 4), more=st.floats(0.05, 2))
def test_a_value_in_the_direction_of_the_source_speaks_for_it(which: int, z: float, more: float) -> None:
    effects = [one for one in effects_of("interview") if one.magnitude]
    one = effects[which % len(effects)]
    low, high = (statement_ratio(one.sign * value, one, 0.5) for value in (z, z + more))
    assert high.value > low.value
    assert statement_ratio(0.0, one, 0.5).value == pytest.approx(0, abs=0.01)
    assert -2.6 < low.value < 2.6, "with sessions in which nothing shows no single value can say everything"


def test_a_statement_says_on_average_what_its_effect_is_worth() -> None:
    pupil = next(one for one in effects_of("interview") if one.measured_by == "face.pupil_ratio")
    z = np.random.default_rng(0).standard_normal(3_000)
    honest = [statement_ratio(one, pupil, 0.5).value for one in z - 0.23]
    assert np.mean(np.exp(honest)) == pytest.approx(1, abs=0.05)


def test_a_direction_without_a_size_counts_and_a_cue_without_a_source_does_not() -> None:
    heart = next(one for one in effects_of("suppression") if one.measured_by == "physiology.heart_rate_bpm")
    slow, fast = session_ratio(-1.5, heart, 30), session_ratio(1.5, heart, 30)
    assert slow.value > 0 > fast.value and slow.low <= slow.value <= slow.high
    for z in (-3.0, 0.0, 2.0):
        nothing = unsourced_ratio(z)
        assert nothing.value == 0 and nothing.low == -nothing.high


def test_statements_are_answers_or_run_from_question_to_question() -> None:
    def cue(start: float, end: float, kind: str) -> Event:
        return Event("context", "cue", round(start * S), round(end * S), details={"kind": kind})

    spec = EncoderSpec("context", "1", "context", (), (), ("cue",))

    def made(*cues: Event) -> list[Encoding]:
        return [Encoding(spec, "p", Track.empty(()), cues)]

    extent = Interval(0, 200 * S)
    asked = [cue(10, 12, "question"), cue(30, 32, "question"), cue(120, 121, "question")]
    assert statements_of(made(*asked), extent) == (
        Interval(10 * S, 30 * S), Interval(30 * S, 90 * S), Interval(120 * S, 180 * S),
    )  # fmt: skip
    answered = [*asked, cue(13, 20, "answer"), cue(33, 33.5, "answer")]
    assert statements_of(made(*answered), extent) == (Interval(13 * S, 20 * S),)
    assert statements_of(made(), extent) == ()


def test_values_of_segments_know_what_is_missing() -> None:
    times = np.arange(0, 60 * S, S, dtype=np.int64)
    values = np.arange(60, dtype=np.float32)[:, None]
    valid = np.ones((60, 1), bool)
    valid[20:38] = False
    spec = EncoderSpec("face", "1", "face", (), (FeatureSpec("au17", "1", "chin"),), ("micro",))
    micro = Event("face", "micro", 5 * S, 6 * S)
    face = Encoding(spec, "p", Track(times, ("au17",), values, valid, np.full(60, "", object)), (micro,))
    parts = [Interval(0, 10 * S), Interval(20 * S, 40 * S), Interval(40 * S, 60 * S)]
    found = values_of([face], "face.au17", parts)
    assert (
        found is not None and found[0] == pytest.approx(4.5) and np.isnan(found[1]) and found[2] == pytest.approx(49.5)
    )
    rate = values_of([face], "face.event:micro", parts)
    assert rate is not None and rate[0] == pytest.approx(6) and np.isnan(rate[1]) and rate[2] == 0
    assert values_of([face], "face.au24", parts) is None and values_of([face], "voice.event:pause", parts) is None


def test_the_log_odds_are_the_prior_and_the_sum_of_the_contributions() -> None:
    session = simulate_interview(3)
    found = evidence(session.encodings, session.extent, "interview", prior=0.3)
    sums = np.full(len(session.statements), np.log(0.3 / 0.7))
    for one in found.contributions:
        sums[one.segment] += one.log_ratio
        assert one.low <= one.log_ratio + 1e-9 and one.log_ratio <= one.high + 1e-9
    np.testing.assert_allclose(found.segment_log_odds, sums)
    assert found.segments == session.statements and found.estimand == "deceptive_statement"
    times = np.array([0, session.statements[2].start_ns], np.int64)
    assert found.at(times) == pytest.approx([0.3, found.segment_probability[2]])
    json.dumps(found.rows())


def test_cues_without_a_source_are_listed_with_nothing() -> None:
    session = simulate_interview(3)
    found = evidence(session.encodings, session.extent, "interview")
    rest = [one for one in found.contributions if not one.sourced]
    assert {one.measured_by for one in rest} == {"face.au12_left", "body.movement_energy", "physiology.heart_rate_bpm"}
    assert all(one.log_ratio == 0 and one.source == ZERO and one.high > 0 for one in rest)
    assert any("micro" in cue for cue, _ in NO_SOURCE)
    unmeasured = [one for one in found.contributions if one.source == "not measured here"]
    assert {"vocal tension", "facial pleasantness"} <= {one.cue for one in unmeasured}


def test_effects_of_one_design_have_no_weight_in_another() -> None:
    session = simulate_interview(3, True)
    viewing = evidence(session.encodings, session.extent, "viewing")
    assert viewing.log_odds == 0 and viewing.probability == 0.5 and viewing.estimand == "concealed"
    assert all(one.log_ratio == 0 for one in viewing.contributions)
    assert "pupil dilation (interview)" in viewing.notes[-1]


def test_effects_of_sessions_need_the_lab_s_other_sessions() -> None:
    session = simulate_suppression(0, True)
    alone = evidence(session.encodings, session.extent, "suppression")
    assert alone.log_odds == 0 and all("needs a norm" in one.source for one in alone.contributions if one.sourced)
    assert norms_of([(session.encodings, session.extent)] * 4) == {}
    assert norms_of([(session.encodings, session.extent)] * 9) == {}, "what does not vary is no norm"


def test_suppressed_sessions_are_told_from_others_about_as_well_as_said() -> None:
    calm = [simulate_suppression(seed, False) for seed in range(5_000, 5_040)]
    norms = norms_of([(one.encodings, one.extent) for one in calm])
    told, truth = [], []
    for seed in range(200):
        session = simulate_suppression(seed)
        told.append(evidence(session.encodings, session.extent, "suppression", norms).probability)
        truth.append(session.suppressed)
    assert 0.55 < auc_of(np.array(told), np.array(truth)) < 0.8
    assert calibration_error(np.array(told), np.array(truth), 5) < 0.12


def test_deceptive_statements_are_told_about_as_well_as_said_and_not_without_effects() -> None:
    for no_effect, low, high in ((0.12, 0.6, 0.75), (1.0, 0.45, 0.55)):
        told, truth = [], []
        for seed in range(70):
            session = simulate_interview(seed, no_effect=no_effect)
            told += evidence(session.encodings, session.extent, "interview").segment_probability.tolist()
            truth += session.deceptive.tolist()
        assert low < auc_of(np.array(told), np.array(truth)) < high
        if no_effect < 1:
            assert calibration_error(np.array(told), np.array(truth), 5) < 0.05


def test_too_few_statements_say_nothing() -> None:
    session = simulate_interview(0, statements=3)
    found = evidence(session.encodings, session.extent, "interview")
    assert found.log_odds == 0 and "at least 5" in found.notes[0] and len(found.segments) == 1


def test_a_concealed_information_test_is_its_own_question() -> None:
    session = simulate_cit(4, True, no_effect=0.0)
    test = examine(session.encodings(), session.extent, 0.5)
    found = evidence(session.encodings(), session.extent, "cit")
    assert test is not None and test.posterior is not None and found.estimand == "cit_response"
    assert found.probability == pytest.approx(test.posterior.probability)
    assert sum(one.log_ratio for one in found.contributions) == pytest.approx(found.log_odds)
    none = simulate_interview(0)
    assert evidence(none.encodings, none.extent, "cit").contributions == ()


def test_unknown_designs_and_priors_are_refused() -> None:
    session = simulate_interview(0)
    with pytest.raises(InvalidValueError):
        evidence(session.encodings, session.extent, "polygraph")
    with pytest.raises(InvalidValueError):
        evidence(session.encodings, session.extent, "interview", prior=0.0)
