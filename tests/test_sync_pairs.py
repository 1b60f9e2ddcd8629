from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_schemas.errors import ClockError
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from sync.cues.line import fit_line
from sync.cues.pairs import WallClockEvidence, fit_pairs
from sync.estimate import Estimate


def stream(name: str, start: datetime | None = None) -> Signal:
    info = StreamInfo(name, "ecg", name, files=(f"{name}.txt",), wall_start=start)
    return Signal(info=info, axis=Regular(0, 1e9, 100), values=np.zeros((100, 1)), columns=("x",), units=("1",))


def shift_at(found: Estimate, own_s: float) -> float:
    return found.offset_s + found.drift_ppm * 1e-6 * (own_s - found.anchor_ns / NS_PER_S)


@settings(max_examples=150, deadline=None)
@example(536, 5, 0.0, -3700.0, 0.002, -3600.0)
@example(5207, 5, -142.7349183695028, 1.7e9, 0.002, 10.0)
@given(
    st.integers(0, 10_000),
    st.integers(5, 12),
    st.floats(-200, 200),
    st.sampled_from([-3700.0, 0.25, 1.7e9]),
    st.sampled_from([0.002, 0.2]),
    st.sampled_from([-3600.0, 60.0, 10.0, -1000.0]),
)
def test_one_typo_is_found_and_named(
    seed: int, n: int, drift_ppm: float, offset_s: float, reading_s: float, typo_s: float
) -> None:
    rng = np.random.default_rng(seed)
    own = np.sort(rng.uniform(0, 7200, n)) + 100
    other = own * (1 + drift_ppm * 1e-6) + offset_s
    wrong = int(rng.integers(n))
    seen = other + rng.uniform(-1.7, 1.7, n) * reading_s
    seen[wrong] += typo_s
    found = fit_pairs(list(zip(own.tolist(), seen.tolist(), strict=True)), reading_s=reading_s)
    named = [text for text in found.warnings if text.startswith(f"pair {wrong + 1} (")]
    assert len(named) == 1
    assert "typo" in named[0]
    middle = (own.min() + own.max()) / 2
    assert abs(shift_at(found, middle) - (middle * drift_ppm * 1e-6 + offset_s)) < 4 * reading_s
    assert len(found.residuals_s) + len(found.warnings) == n


def test_clean_pairs_give_offset_and_drift_and_no_warning() -> None:
    own = np.array([10.0, 600.0, 1300.0, 2400.0, 3600.0])
    found = fit_pairs([(float(t), float(t * (1 + 150e-6) + 7.5)) for t in own], reading_s=0.001)
    assert found.method == "pairs"
    assert found.warnings == ()
    assert found.confidence == 1
    assert found.drift_ppm == pytest.approx(150, abs=0.2)
    assert shift_at(found, 0.0) == pytest.approx(7.5, abs=1e-3)
    assert found.max_s == pytest.approx(0, abs=1e-4)


def test_the_interval_covers_the_truth() -> None:
    inside = []
    rng = np.random.default_rng(8)
    for _ in range(300):
        own = np.sort(rng.uniform(0, 3600, 8))
        drift = rng.normal(0, 50e-6)
        seen = own * (1 + drift) - 12 + rng.normal(0, 0.2, 8)
        found = fit_pairs(list(zip(own.tolist(), seen.tolist(), strict=True)))
        inside.append(
            abs(shift_at(found, found.anchor_ns / NS_PER_S) - found.anchor_ns / NS_PER_S * drift + 12) <= found.ci95_s
        )
    assert 0.91 <= np.mean(inside) <= 0.99


def test_one_pair_gives_an_offset_with_the_stated_uncertainty() -> None:
    found = fit_pairs([(100.0, 105.5)], reading_s=0.5)
    assert (found.offset_s, found.drift_ppm, found.drift_ci95_ppm) == (5.5, 0.0, None)
    assert found.ci95_s == pytest.approx(0.98)
    assert "no drift" in found.warnings[0]
    assert found.confidence < 1


def test_close_readings_do_not_claim_a_large_drift() -> None:
    found = fit_pairs([(0.0, 3.0), (10.0, 13.2)])
    assert abs(found.drift_ppm) < 100
    assert found.drift_ci95_ppm is not None
    assert found.drift_ci95_ppm > 100


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "missing"),
        ([(1.0, float("nan"))], "no numbers"),
        ([(0.0, 5.0), (100.0, 165.0)], "third pair"),
        ([(0.0, 5.0), (10.0, 75.0), (20.0, 925.0)], "no half"),
        ([(0.0, 5.0), (10.0, 15.0), (20.0, 85.0), (30.0, 99.0)], "no half"),
    ],
)
def test_useless_pairs_are_refused(pairs: list[tuple[float, float]], words: str) -> None:
    with pytest.raises(ClockError, match=words):
        fit_pairs(pairs)


def test_headers_give_the_difference_of_start_times_and_little_trust() -> None:
    noon = datetime(2024, 5, 1, 12, 0, 4, 500_000)
    found = WallClockEvidence().compare(stream("a", noon), stream("b", noon - timedelta(seconds=22.037)))
    assert found.offset_s == pytest.approx(22.037)
    assert found.ci95_s >= 2
    assert found.confidence <= 0.5
    assert found.method == "wall"
    assert len(found.warnings) == 1


def test_time_zones_are_heeded_or_suspected() -> None:
    here = datetime(2024, 5, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    there = datetime(2024, 5, 1, 12, 0, 3, tzinfo=UTC)
    assert WallClockEvidence().compare(stream("a", here), stream("b", there)).offset_s == pytest.approx(-3)
    naive = datetime(2024, 5, 1, 12, 0, 3)
    found = WallClockEvidence().compare(stream("a", here), stream("b", naive))
    assert found.offset_s == pytest.approx(7197)
    assert any("names its time zone" in text for text in found.warnings)
    assert any("+2 h" in text for text in found.warnings)


def test_a_header_without_a_start_time_is_said() -> None:
    with pytest.raises(ClockError, match=r"no start time.*b\.txt"):
        WallClockEvidence().compare(stream("a", datetime(2024, 1, 1)), stream("b"))


def test_a_line_is_fitted_through_wrong_points() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(0, 100, 60)
    y = 2 + 3e-4 * x + rng.normal(0, 1e-4, 60)
    y[::10] += 5
    line, residuals = fit_line(x, y, None, 1e-4, 0.0, 1e-2)
    assert line.drift == pytest.approx(3e-4, abs=1e-5)
    assert float(line.at(np.zeros(1))[0]) == pytest.approx(2, abs=3e-4)
    assert np.median(np.abs(residuals)) < 3e-4
