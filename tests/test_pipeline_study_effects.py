"""Effect sizes, tests, Bayes factors, mixed models and sample sizes of studies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.study.bayes import jzs_bayes_factor
from pipeline.study.contrast import measure_contrast, person_means
from pipeline.study.design import describe_design, permute_labels, shuffle_within
from pipeline.study.effects import describe_effects
from pipeline.study.mixed import fit_mixed
from pipeline.study.permutation import check_cues
from pipeline.study.power import least_detectable, people_needed
from pipeline.study.settings import Settings
from pipeline.study.simulated import Plan, simulate_study, true_effects

QUICK = Settings(permutations=499, prediction_permutations=99, bootstraps=400, repeats=1)


def test_the_bayes_factor_is_that_of_the_paper() -> None:
    # Rouder et al. 2009, p. 232: t(79) = 2.24 and 2.03 give 1.02 and 1.56 in favour of the null (scale 1).
    assert 1 / jzs_bayes_factor(2.24, 80, scale=1.0) == pytest.approx(1.02, abs=0.006)
    assert 1 / jzs_bayes_factor(2.03, 80, scale=1.0) == pytest.approx(1.56, abs=0.006)
    assert jzs_bayes_factor(0.0, 40) < 1 / 3 < 10 < jzs_bayes_factor(5.0, 20, 20)
    assert np.isnan(jzs_bayes_factor(float("nan"), 20)) and np.isfinite(jzs_bayes_factor(80.0, 200))


def test_sample_sizes_are_those_of_the_tables() -> None:
    # Cohen 1988 and G*Power: d = 0.5, power 0.8, alpha 0.05, two-sided.
    assert people_needed(0.5, 0.05, 0.8, paired=True) == 34
    assert people_needed(0.5, 0.05, 0.8, paired=False) == 128
    assert least_detectable(34, None, 0.05, 0.8) == pytest.approx(0.5, abs=0.01)
    assert least_detectable(64, 64, 0.05, 0.8) == pytest.approx(0.5, abs=0.01)


def test_hedges_g_of_pairs_and_groups_by_hand() -> None:
    table = simulate_study(Plan(effects=(0.6,), missing=0.0), 3)
    design = describe_design(table)
    found = measure_contrast(table.values, table.label, design, 200, 0.05, np.random.default_rng(0))
    means, counts = person_means(table.values, table.label, design)
    both = (counts[:, :, 0] > 0).all(axis=0)
    low, high = means[0, both, 0], means[1, both, 0]
    n = both.sum()
    expected = (high - low).mean() / np.sqrt((low.var(ddof=1) + high.var(ddof=1)) / 2) * (1 - 3 / (4 * (n - 1) - 1))
    assert found.g[0] == pytest.approx(expected)
    assert found.dz[0] == pytest.approx((high - low).mean() / (high - low).std(ddof=1))
    assert found.low[0] < found.g[0] < found.high[0]
    groups = simulate_study(Plan(effects=(0.6,), kind="between", missing=0.0), 3)
    design = describe_design(groups)
    assert not design.paired and design.unit == "person"
    found = measure_contrast(groups.values, groups.label, design, 200, 0.05, np.random.default_rng(0))
    of_person = np.bincount(design.person, groups.values[:, 0]) / np.bincount(design.person)
    side = np.bincount(design.person, groups.label) > 0
    a, b = of_person[~side], of_person[side]
    pooled = np.sqrt((19 * a.var(ddof=1) + 19 * b.var(ddof=1)) / 38)
    assert found.g[0] == pytest.approx((b.mean() - a.mean()) / pooled * (1 - 3 / (4 * 38 - 1)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-1000, 1000))
def test_effects_know_no_unit_and_turn_with_the_label(seed: int, scale: float, shift: float) -> None:
    table = simulate_study(Plan(people=12, trials=6, effects=(0.5, 0.0)), seed)
    design = describe_design(table)
    one = measure_contrast(table.values, table.label, design, 200, 0.05, np.random.default_rng(1))
    two = measure_contrast(table.values * scale + shift, 1 - table.label, design, 200, 0.05, np.random.default_rng(1))
    np.testing.assert_allclose(two.g, -one.g, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(two.difference, -one.difference * scale, rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("kind", ["within", "between", "item"])
def test_intervals_cover_and_tests_keep_their_level(kind: str) -> None:
    plan = Plan(effects=(0.0, 0.5), kind=kind)  # type: ignore[arg-type]
    draws = 60 if kind == "item" else 2
    truth = np.mean([true_effects(plan, 400 if kind == "item" else 8000, seed) for seed in range(draws)], axis=0)
    assert truth[0] == pytest.approx(0, abs=0.06) and 0.4 < truth[1] < 0.9
    inside, false = [], []
    for seed in range(80):
        table = simulate_study(plan, seed)
        design = describe_design(table)
        rng = np.random.default_rng(seed)
        found = measure_contrast(table.values, table.label, design, 400, 0.05, rng)
        inside.append((found.low <= truth) & (truth <= found.high))
        false.append(check_cues(table.values[:, :1], table.label, design, 299, rng).p[0] <= 0.05)
    assert np.mean(inside) >= 0.89
    assert np.mean(false) <= 0.12


def test_max_t_and_false_discovery_are_stricter_than_each_alone() -> None:
    table = simulate_study(Plan(effects=(0.9, 0, 0, 0, 0, 0, 0, 0)), 5)
    tests = check_cues(table.values, table.label, describe_design(table), 999, np.random.default_rng(0))
    assert (tests.p_max_t >= tests.p).all() and (tests.p_fdr >= tests.p - 1e-12).all()
    assert tests.p_max_t[0] <= 0.05 and tests.p.argmin() == 0


def test_mixed_models_find_effect_and_variances() -> None:
    plan = Plan(people=40, effects=(0.7,), kind="item", item_sd=0.5, missing=0.1, trials=16)
    inside, off, shares = [], [], []
    for seed in range(6):
        table = simulate_study(plan, seed)
        design = describe_design(table)
        assert design.unit == "item" and design.item_decides
        found = fit_mixed(table.values[:, 0], table.label, design, 0.05)
        true = 0.7 * np.sqrt(2) / np.nanstd(table.values[:, 0])
        inside.append(found.low < true < found.high)
        off.append(found.estimate - true)
        shares.append((found.person_share, found.item_share))
        assert found.note == ""
    assert sum(inside) >= 4 and abs(np.mean(off)) < 0.25
    person, item = np.mean(shares, axis=0)
    assert person == pytest.approx(1 / 2.3, abs=0.12) and item == pytest.approx(0.25 / 2.3, abs=0.09)
    assert fit_mixed(np.full(len(table), np.nan), table.label, design, 0.05).note == "too few values"


def test_mixed_models_find_their_greatest_likelihood_where_variances_are_next_to_nothing() -> None:
    import statsmodels.formula.api as api

    rng = np.random.default_rng(3)
    for seed in range(4):
        table = simulate_study(Plan(people=12, trials=8, kind="item", missing=0.0), seed)
        values = rng.normal(size=len(table))
        found = fit_mixed(values, table.label, describe_design(table), 0.05)
        assert found.note == "" and found.person_share < 0.2 and found.item_share < 0.2
        if max(found.person_share, found.item_share) < 1e-4:  # then nothing but least squares is left
            plain = api.ols("y ~ x", {"y": (values - values.mean()) / values.std(), "x": table.label}).fit()
            assert found.estimate == pytest.approx(plain.params["x"], abs=1e-3)


def test_permutations_keep_the_design() -> None:
    rng = np.random.default_rng(0)
    for kind in ("within", "between", "item"):
        table = simulate_study(Plan(people=10, trials=6, kind=kind), 1)  # type: ignore[arg-type]
        design = describe_design(table)
        drawn = permute_labels(table.label, design, 20, rng)
        assert drawn.shape == (60, 20) and (drawn.sum(axis=0) == table.label.sum()).all()
        assert (drawn != table.label[:, None]).any()
        for person in range(10):
            mine = drawn[design.person == person]
            if kind == "between":
                assert (mine == mine[0]).all()
            else:
                assert (mine.sum(axis=0) == table.label[design.person == person].sum()).all()
        if kind == "item":
            for item in range(design.items):
                assert (drawn[design.item == item] == drawn[design.item == item][0]).all()
    groups = np.array([0, 1, 0, 1, 2, 2])
    values = np.arange(6)
    shuffled = shuffle_within(values, groups, 50, rng)
    for one in range(3):
        assert (np.sort(shuffled[groups == one], axis=0) == values[groups == one][:, None]).all()


def test_the_rows_of_effects_are_whole_and_ordered() -> None:
    table = simulate_study(Plan(people=16, trials=6, effects=(0.0, 1.2, 0.0)), 7)
    effects = describe_effects(table, describe_design(table), QUICK)
    assert effects.rows[0]["cue"] == "cue2" and effects.rows[0]["bf10"] > 3
    assert [row["p"] for row in effects.rows] == sorted(row["p"] for row in effects.rows)
    assert 0 < effects.least_detectable[0] < effects.least_detectable[1]
