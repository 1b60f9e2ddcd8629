"""The measurement model: what is estimated from known sessions, and what is drawn from it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import UnreadableFileError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S
from pipeline.simulate.emotion import labels_at
from pipeline.simulate.filmed import Filmed
from pipeline.simulate.measurement import LEVELS, ColumnModel, Found, load_measurement, wandering
from pipeline.simulate.measurement_estimate import estimate
from pipeline.simulate.script_of_course import APART_S, filmed, script_of
from pipeline.simulate.tokens import simulate_tokens
from pipeline.simulate.tokens_effects import scaled
from pipeline.simulate.truth import Truth

NAMES = ("au04", "au06", "au12_left", "motion_lower")
GAINS = {"au04": {"au04": 0.5}, "au12_left": {"au12_left": 0.8, "motion_lower": 2.0}}
MINUTE = 60.0


def session(seed: int) -> Filmed:
    """A minute with twelve macro-expressions, of which the encoder finds eight and invents two; noise is one-sided."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, MINUTE, 0.04)
    columns = {name: np.maximum(0.0, 0.05 * rng.standard_normal(len(times)) - 0.05) for name in NAMES}
    columns["motion_lower"] += 1.0
    planted, found = [], []
    for at in range(12):
        onset = 2.0 + 4.7 * at
        unit, size = ("au04", "au12_left")[at % 2], float(rng.uniform(0.4, 1.0))
        details = {"aus": {unit: size}, "intensity": size}
        span = [round(1e9 * (onset + part)) for part in (0.0, 1.5, 0.75)]
        planted.append(Event("face", "macro", span[0], span[1], span[2], "p01", None, unit, details))
        inside = (times >= onset) & (times < onset + 1.5)
        for name, gain in GAINS[unit].items():
            columns[name] = columns[name] + gain * size * inside
        if at % 3:
            aus = {unit.split("_")[0]: size} if at % 2 else {"au01": 0.3}
            found.append(Event("face", "macro", span[0], span[1], span[2], "p01", 0.9, "", {"aus": aus}))
    found += [Event("face", "macro", round(1e9 * (t + 4.0)), round(1e9 * (t + 4.5))) for t in (2.0, 6.7)]
    ns = np.rint(times * NS_PER_S).astype(np.int64)
    values = np.stack([columns[name] for name in NAMES], axis=1).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[: len(times) // 10] = False
    track = Track(ns, NAMES, values, valid, np.where(valid.any(axis=1), "", "no_face").astype(object))
    spec = EncoderSpec("face", "1", "face", (), tuple(FeatureSpec(n, "1", n) for n in NAMES), ("macro", "micro"))
    truth = Truth("s", seed, MINUTE, "rendered", {}, (), {}, tuple(planted), ns, {})
    return Filmed(
        truth,
        {"face": Encoding(spec, "p01", track, tuple(found))},
        Interval(0, 60 * NS_PER_S),
        simulate_tokens(0, 60.0),
    )


def test_known_gains_noise_and_misses_are_recovered() -> None:
    model = estimate([session(seed) for seed in range(6)], {})
    for unit, row in GAINS.items():
        for name, gain in row.items():
            assert model.responses[unit][name] == pytest.approx(gain, rel=0.12)
    assert abs(model.responses["au04"].get("au12_left", 0.0)) < 0.05
    still = model.columns["face"]["au04"].still
    assert still[LEVELS.index(0.5)] == 0 and 0 < still[-1] < 0.2, "one-sided and sparse, as planted"
    assert model.columns["face"]["motion_lower"].base == pytest.approx(1.0, abs=0.05)
    assert model.columns["face"]["au04"].seen_still == pytest.approx(0.9, abs=0.05)
    macro = model.events["macro"]
    assert (macro.planted, macro.found, macro.alarms, macro.minutes) == (72, 48, 12, 6.0)
    assert model.unit_mistaken == pytest.approx(0.5, abs=0.05)


def test_what_is_drawn_has_the_quantiles_and_the_memory_that_were_measured() -> None:
    levels = np.array(LEVELS)
    one_sided = tuple(np.maximum(0, levels - 0.9).tolist())
    column = ColumnModel(one_sided, tuple((10 * levels).tolist()), 0.9, 0.0, 0.8, 1.0, 5.0)
    model = load_measurement().__class__({"face": {"au04": column}}, {}, {}, 0.1, 0.1, (0.1, 0.1), {})
    n, talking = 4000, np.arange(4000) >= 2000
    drawn = [model.draw(np.random.default_rng(seed), "face", n, talking) for seed in range(20)]
    quiet = np.concatenate([values["au04"][~talking] for values, _ in drawn]) - 5
    loud = np.concatenate([values["au04"][talking] for values, _ in drawn]) - 5
    assert np.mean(quiet == 0) == pytest.approx(0.9, abs=0.02)
    assert np.median(loud) == pytest.approx(5, rel=0.35)
    assert np.mean([good["au04"][~talking].mean() for _, good in drawn]) == pytest.approx(0.8, abs=0.04)
    assert all(good["au04"][talking].all() for _, good in drawn)
    course = wandering(np.random.default_rng(0), 20_000, 0.9)
    assert np.corrcoef(course[1:], course[:-1])[0, 1] == pytest.approx(0.9, abs=0.01) and course.std() < 1.1


def test_recall_and_alarms_lie_around_the_counts() -> None:
    counts, rng = Found(100, 80, 20, 40.0, 0.1), np.random.default_rng(1)
    assert np.mean([counts.recall(rng) for _ in range(500)]) == pytest.approx(0.8, abs=0.03)
    assert np.mean([counts.alarms_per_minute(rng) for _ in range(500)]) == pytest.approx(0.5, abs=0.06)


def test_the_shipped_model_is_read_and_written_unchanged(tmp_path: Path) -> None:
    model = load_measurement()
    model.save(tmp_path / "again.json")
    assert load_measurement(tmp_path / "again.json") == model
    assert {"face", "voice", "body", "physiology"} <= set(model.columns)
    assert all(np.all(np.diff(one.still) >= 0) for rows in model.columns.values() for one in rows.values())


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"levels": [0.5]}')
    with pytest.raises(UnreadableFileError, match="no measurement model"):
        load_measurement(tmp_path / "x.json")


def test_a_session_of_tokens_becomes_a_script_with_the_same_course() -> None:
    for seed in range(6):
        drawn = simulate_tokens(seed, 60.0)
        effects = filmed(drawn.effects)
        script = script_of(drawn.course, effects, seed)
        times = np.arange(0.05, 60, 0.1)
        felt, shown = labels_at(script.episodes, times)
        np.testing.assert_array_equal(felt, drawn.course.felt_at(times))
        np.testing.assert_array_equal(shown, drawn.course.shown_at(times))
        spans = [one.profile for one in script.expressions]
        assert all(b.onset_s - a.offset_s >= APART_S for a, b in pairwise(spans))
        assert all(0 <= size <= 1 for one in script.expressions for size in one.aus.values())
        assert {cue.kind for cue in script.cues} <= {"baseline", "question", "stimulus"}
        assert effects.design != "suppression" and not any(effects.body_hidden) and effects.scr == drawn.effects.scr


def test_effects_are_scaled_without_touching_the_design() -> None:
    effects = simulate_tokens(3).effects
    half = scaled(effects, 0.5)
    assert half.scr == effects.scr / 2 and half.voice_hidden[2] == effects.voice_hidden[2] / 2
    assert (half.design, half.follows) == (effects.design, effects.follows)
