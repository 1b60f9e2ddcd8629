from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ClockError
from data_schemas.time import NS_PER_S
from sync.match import Match, match_events


def ns(seconds: np.ndarray | list[float]) -> np.ndarray:
    return np.rint(np.asarray(seconds, dtype=np.float64) * NS_PER_S).astype(np.int64)


def two_devices(
    seed: int, *, n: int, spacing_s: float, offset_s: float, drift_ppm: float, jitter_s: float, lost: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True own times of n irregular events, and what both devices recorded of them and of others."""
    rng = np.random.default_rng(seed)
    own = np.cumsum(rng.uniform(0.3, 1.7, n)) * spacing_s
    other = own * (1 + drift_ppm * 1e-6) + offset_s
    extra = round(lost * n)
    seen_own = np.r_[(own + rng.normal(0, jitter_s, n))[rng.random(n) >= lost], rng.uniform(own[0], own[-1], extra)]
    seen_other = np.r_[
        (other + rng.normal(0, jitter_s, n))[rng.random(n) >= lost], rng.uniform(other[0], other[-1], extra)
    ]
    return own, ns(np.sort(seen_own)), ns(np.sort(seen_other))


def error_ms(match: Match, own: np.ndarray, offset_s: float, drift_ppm: float) -> np.ndarray:
    truth = own * (1 + drift_ppm * 1e-6) + offset_s
    mapped = own + match.offset_s + match.drift_ppm * 1e-6 * (own - match.anchor_ns / NS_PER_S)
    return np.abs(ns(mapped) - ns(truth)) / 1e6


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([15, 40, 150]),
    st.sampled_from([1.0, 4.0, 20.0]),
    st.sampled_from([0.01, -0.3, 7.0, -60.0, 3000.0, 1.7e9]),
    st.floats(-200, 200),
)
def test_offset_and_drift_are_recovered_despite_jitter_and_a_tenth_lost_or_extra(
    seed: int, n: int, spacing_s: float, offset_s: float, drift_ppm: float
) -> None:
    own, seen, other = two_devices(
        seed, n=n, spacing_s=spacing_s, offset_s=offset_s, drift_ppm=drift_ppm, jitter_s=0.0005, lost=0.1
    )
    match = match_events(seen, other)
    assert np.median(error_ms(match, own, offset_s, drift_ppm)) < 2
    assert not match.ambiguous


def test_the_figures_are_honest() -> None:
    inside, drifts = [], []
    for seed in range(40):
        own, seen, other = two_devices(
            seed, n=60, spacing_s=5, offset_s=12.5, drift_ppm=-80, jitter_s=0.0005, lost=0.15
        )
        match = match_events(seen, other)
        truth_s = match.anchor_ns / 1e9 * (-80e-6) + 12.5
        inside.append(abs(match.offset_s - truth_s) <= match.ci95_s)
        drifts.append(match.drift_ppm)
        assert match.rms_s == pytest.approx(0.0005 * np.sqrt(2), rel=0.5)
        assert np.max(error_ms(match, own, 12.5, -80)) < 1
    assert np.mean(inside) >= 0.85
    assert np.median(drifts) == pytest.approx(-80, abs=1)


def test_pairs_index_the_arrays_as_given() -> None:
    rng = np.random.default_rng(0)
    own = np.cumsum(rng.uniform(1, 3, 20))
    shuffle = rng.permutation(20)
    match = match_events(ns(own)[shuffle], ns(own + 5))
    assert len(match.pairs) == 20
    assert np.array_equal(shuffle[match.pairs[:, 0]], match.pairs[:, 1])
    assert np.abs(match.residuals_ns).max() <= 2
    assert (match.unmatched_own, match.unmatched_other) == (0, 0)


def test_a_device_that_started_late_is_found() -> None:
    rng = np.random.default_rng(3)
    own = np.sort(rng.uniform(0, 3600, 900))
    late = own[800:] - 3000.25
    match = match_events(ns(own), ns(late))
    assert match.offset_s == pytest.approx(-3000.25, abs=1e-6)
    assert len(match.pairs) == 100
    assert match.unmatched_own == 0


def test_missing_and_extra_events_are_counted() -> None:
    own = np.cumsum(np.random.default_rng(1).uniform(1, 3, 30))
    other = np.sort(np.r_[np.delete(own, [4, 9, 20]) + 2, own[15] + 2.7])
    match = match_events(ns(own), ns(other))
    assert (len(match.pairs), match.unmatched_own, match.unmatched_other) == (27, 3, 1)


def test_strictly_periodic_trains_are_ambiguous_and_the_most_pairs_win() -> None:
    beat = np.arange(30) * 2.0
    match = match_events(ns(beat), ns(beat + 0.3))
    assert match.ambiguous
    assert match.offset_s == pytest.approx(0.3)
    assert abs(match.runner_up_s - 0.3) == pytest.approx(2.0)
    assert len(match.pairs) == 30
    limited = match_events(ns(beat), ns(beat + 0.3), max_offset_s=1.0)
    assert not limited.ambiguous
    assert limited.offset_s == pytest.approx(0.3)


def test_of_equal_offsets_the_smallest_is_taken() -> None:
    match = match_events(ns([50.0]), ns([40.0, 53.0, 90.0]))
    assert match.ambiguous
    assert match.offset_s == pytest.approx(3.0)


def test_small_irregularities_decide_a_nearly_periodic_train() -> None:
    rng = np.random.default_rng(2)
    own = np.arange(30) * 2.0 + rng.normal(0, 0.01, 30)
    match = match_events(ns(own), ns(own + 7.3 + rng.normal(0, 0.0003, 30)))
    assert not match.ambiguous
    assert match.offset_s == pytest.approx(7.3, abs=0.001)


def test_one_pair_gives_an_offset_and_no_drift() -> None:
    match = match_events(ns([5.0]), ns([9.0]))
    assert (match.offset_s, match.drift_ppm, len(match.pairs)) == (4.0, 0.0, 1)
    assert match.ci95_s > 0


def test_two_jittered_pairs_do_not_claim_a_large_drift() -> None:
    match = match_events(ns([0.0, 10.0]), ns([3.0, 13.002]))
    assert len(match.pairs) == 2
    assert abs(match.drift_ppm) < 100
    assert match.offset_s == pytest.approx(3.001, abs=0.001)


def test_labels_restrict_the_pairing() -> None:
    rng = np.random.default_rng(5)
    beat = np.arange(40) * 1.0
    labels = [str(rng.integers(0, 5)) for _ in beat]
    match = match_events(ns(beat[:30]), ns(beat[10:] - 6.5), own_labels=labels[:30], other_labels=labels[10:])
    assert match.offset_s == pytest.approx(-6.5)
    assert not match.ambiguous
    assert all(labels[:30][i] == labels[10:][j] for i, j in match.pairs)


@pytest.mark.parametrize(("own", "other"), [([], [1.0]), ([1.0], []), ([], [])])
def test_no_events_is_a_clear_error(own: list[float], other: list[float]) -> None:
    with pytest.raises(ClockError, match="offset_s"):
        match_events(ns(own), ns(other))


def test_no_partner_within_the_limit_is_a_clear_error() -> None:
    with pytest.raises(ClockError, match=r"no event of one clock has a partner.*at most 5 s"):
        match_events(ns([0.0]), ns([60.0]), max_offset_s=5.0)
    with pytest.raises(ClockError, match="no event of one clock has a partner"):
        match_events(ns([0.0]), ns([1.0]), own_labels=["a"], other_labels=["b"])


def test_ten_thousand_events_are_matched() -> None:
    own, seen, other = two_devices(4, n=10_000, spacing_s=0.35, offset_s=-33, drift_ppm=45, jitter_s=0.0005, lost=0.1)
    match = match_events(seen, other)
    assert np.max(error_ms(match, own, -33, 45)) < 0.5
    assert len(match.pairs) > 7500


def test_rounding_alike_widens_the_interval_and_is_no_outlier() -> None:
    rng = np.random.default_rng(12)
    own = np.cumsum(rng.uniform(1, 3, 30))
    other = own + 0.37
    step = 0.01
    inside, narrow = [], []
    for phase in np.arange(0, 1, 0.05) * step:
        seen = np.ceil(own / step) * step
        rounded = np.ceil((other - phase) / step) * step + phase
        match = match_events(ns(seen), ns(rounded), resolution_s=step * np.sqrt(2))
        inside.append(abs(match.offset_s - 0.37) <= match.ci95_s)
        narrow.append(match.ci95_s < step)
        assert len(match.pairs) == 30
    assert np.mean(inside) >= 0.85
    assert all(narrow)
