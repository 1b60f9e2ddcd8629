"""Simulated designs: each sourced effect comes back within 10 %, at its unit; nothing shows in a share of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cit import recovered
from data_schemas.errors import InvalidValueError
from data_schemas.session import Manifest
from fusion.effect_table import effects_of
from fusion.evidence_cues import statements_of, values_of
from fusion.evidence_model import name_of
from fusion.evidence_ratio import HALF_NORMAL
from pipeline.manifest import load_manifest
from pipeline.simulate.designs import ASSUMPTIONS, simulate_cit, simulate_interview, simulate_suppression
from pipeline.simulate.designs_interview import measured_effects
from pipeline.simulate.designs_signals import write_cit_session


def cohens_d(off: np.ndarray, on: np.ndarray) -> float:
    return float((np.nanmean(on) - np.nanmean(off)) / np.sqrt((np.nanvar(on, ddof=1) + np.nanvar(off, ddof=1)) / 2))


def test_every_d_star_of_the_concealed_information_test_comes_back() -> None:
    ratios = recovered(30)
    assert set(ratios) == {"scr", "heart_rate", "line_length"}
    for name, ratio in ratios.items():
        assert ratio == pytest.approx(1, abs=0.1), name


def test_every_sourced_effect_of_interviews_comes_back_at_the_unit_of_a_statement() -> None:
    effects = measured_effects()
    assert {one.cue for one in effects} == {one.cue for one in effects_of("interview") if one.measured_by}
    values = {(one.measured_by, lies): [] for one in effects for lies in (False, True)}
    for lies in (False, True):
        for seed in range(100):
            session = simulate_interview(seed, lies, vary=False, no_effect=0.0, statements=10)
            spans = statements_of(session.encodings, session.extent)
            for one in effects:
                values[one.measured_by, lies] += values_of(session.encodings, one.measured_by, spans).tolist()
    for one in effects:
        d = cohens_d(*(np.array(values[one.measured_by, lies]) for lies in (False, True)))
        assert d == pytest.approx(one.sign * one.magnitude, rel=0.1), one.cue


def test_every_sourced_effect_of_suppression_comes_back_at_the_unit_of_a_session() -> None:
    effects = effects_of("suppression", "session")
    values = {(name_of(one), active): [] for one in effects for active in (False, True)}
    for active in (False, True):
        for seed in range(150):
            session = simulate_suppression(seed, active, vary=False, no_effect=0.0)
            for cue, which in values:
                if which == active:
                    values[cue, which] += values_of(session.encodings, cue, (session.extent,)).tolist()
    for one in effects:
        d = cohens_d(*(np.array(values[name_of(one), active]) for active in (False, True)))
        size = HALF_NORMAL * np.sqrt(2 / np.pi) if one.magnitude is None else one.magnitude
        assert d == pytest.approx(one.sign * size, rel=0.1), one.cue


def test_nothing_shows_in_a_share_of_those_who_know() -> None:
    known = [simulate_cit(seed, True) for seed in range(400)]
    silent = [not one.responds for one in known]
    assert 0.07 < np.mean(silent) < 0.17
    assert all((one.effects == 0).all() for one in known if not one.responds)
    assert all((one.effects > 0).all() for one in known if one.responds)
    assert not any(simulate_cit(seed, False).responds for seed in range(50))
    interviews = [simulate_interview(seed, statements=5).shows for seed in range(200)]
    assert 0.8 < np.mean(interviews) < 0.95


def test_people_labs_and_recordings_vary_widely() -> None:
    sessions = [simulate_cit(seed, True, no_effect=0.0) for seed in range(300)]
    effects = np.array([one.effects for one in sessions])
    assert (effects.std(0) / effects.mean(0) > 0.45).all()
    assert np.quantile(effects[:, 0], 0.9) > 3 * np.quantile(effects[:, 0], 0.1)
    assert {len(one.values) for one in sessions} == {1, 2, 3}
    assert len({len(one.roles) for one in sessions}) > 10
    assert any(np.isnan(values).any() for one in sessions for values in one.values.values())
    zeros = [float(np.mean(one.values["scr"] == 0)) for one in sessions if "scr" in one.values]
    assert max(zeros) > 0.1 and min(zeros) == 0, "skin that is silent at times"


def test_the_same_seed_gives_the_same_session_and_knowing_changes_the_probes_alone() -> None:
    one, again, other = (
        simulate_cit(5, True, no_effect=0.0),
        simulate_cit(5, True, no_effect=0.0),
        simulate_cit(5, False),
    )
    assert one.encodings()[1].events == again.encodings()[1].events
    assert one.roles == other.roles and set(one.values) == set(other.values)
    same = np.array([role == "irrelevant" for role in one.roles])
    for name, values in one.values.items():
        np.testing.assert_array_equal(values[same], other.values[name][same])
        moved = values[~same] != other.values[name][~same]
        assert moved[~np.isnan(values[~same])].any()


def test_a_block_never_begins_with_the_probe() -> None:
    for seed in range(20):
        session = simulate_cit(seed)
        per_block = session.names.count("q0 probe") and 1 + len({n for n in session.names if n.startswith("q0 i")})
        assert all(role == "irrelevant" for role in session.roles[::per_block])


def test_interviews_and_suppression_keep_to_their_specs() -> None:
    for encodings in (simulate_interview(1).encodings, simulate_suppression(1).encodings):
        for encoding in encodings:
            assert encoding.track.names == encoding.spec.feature_names
            onsets = [event.onset_ns for event in encoding.events]
            assert onsets == sorted(onsets) and {event.kind for event in encoding.events} <= {"cue", "reaction"}
    assert len(ASSUMPTIONS) == 7


def test_a_session_folder_is_written_once(tmp_path: Path) -> None:
    session = simulate_cit(2, presentations=(3, 4, 1), complete=True)
    write_cit_session(tmp_path / "cit", session)
    manifest = load_manifest(tmp_path / "cit")
    assert isinstance(manifest, Manifest) and manifest.streams[0].kind == "cues"
    assert {path.name for path in (tmp_path / "cit").iterdir()} == {
        "session.toml", "events.csv", "ecg.csv", "eda.csv", "respiration.csv",
    }  # fmt: skip
    with pytest.raises(InvalidValueError):
        write_cit_session(tmp_path / "cit", session)
