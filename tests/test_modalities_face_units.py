"""Action units: told apart, by side, on measurements and on a photograph into which they are planted."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from data_schemas.errors import MissingFileError, UnreadableFileError
from modalities.face.action_units import (
    ACTIVE,
    AU_NAMES,
    DEFAULT,
    MIDLINE,
    PAIRED,
    both_sides,
    explain_movement,
    load_units,
    mirror_measurements,
    mirror_units,
    name_units,
    stack_measurements,
)
from modalities.face.analysis import Analysis, analyse_rows
from modalities.face.asymmetry import measure_asymmetry
from modalities.face.features import FEATURES
from modalities.face.models import borrowed_models
from modalities.face.neutral import find_rest
from modalities.face.observation import FaceObserver
from modalities.face.regions import NAMES
from modalities.face.spotting.base import load_spotter
from modalities.face.synthesis.action_units import ROWS, planted_displacement
from modalities.face.synthesis.events import PlantedExpression
from modalities.face.synthesis.planting import animate
from pipeline.simulate.face_portrait import load_photograph

FPS = 20
SHOWN = ("au12_left", "au04", "au15_right", "au26", "au02", "au06_right")
EACH_S = 1.6


@lru_cache(maxsize=1)
def filmed() -> tuple[Analysis, tuple[PlantedExpression, ...]]:
    """The bench photograph with one action unit after the other, seen by the face path."""
    import cv2

    events = tuple(
        PlantedExpression("macro", (au,), 1.5 + at * EACH_S, 1.9 + at * EACH_S, 2.2 + at * EACH_S, 2.6 + at * EACH_S,
                          80 * planted_displacement(au))
        for at, au in enumerate(SHOWN)
    )  # fmt: skip
    times = np.arange(int((2 + len(SHOWN) * EACH_S) * FPS)) / FPS
    rng = np.random.default_rng(0)
    picture = cv2.resize(load_photograph("hopper"), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for time_s, frame in zip(times.tolist(), animate(picture, times, events), strict=True):
            noisy = np.clip(frame + 1.5 * rng.standard_normal(frame.shape), 0, 255).astype(np.uint8)
            observer.add(noisy, round(time_s * 1e9))
        return analyse_rows(observer.rows(), load_spotter("regional")), events


def test_every_action_unit_of_the_issue_has_its_columns() -> None:
    names = {feature.name for feature in FEATURES}
    for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 20):
        assert {f"au{number:02d}", f"au{number:02d}_left", f"au{number:02d}_right"} <= names
    assert {"au17", "au23", "au24", "au25", "au26", "au43", "au43_left", "au43_right", "asymmetry"} <= names
    assert {*PAIRED, *MIDLINE} == set(ROWS), "what can be told can be planted"


@pytest.mark.parametrize("at", range(len(SHOWN)))
def test_planted_units_are_read_off_a_photograph(at: int) -> None:
    analysis, events = filmed()
    event = events[at]
    unit, _, side = SHOWN[at].partition("_")
    times = analysis.track.times_ns / 1e9
    now = (times > event.apex_s - 0.05) & (times < event.release_s + 0.05)
    near = (times > event.onset_s - 0.3) & (times < event.offset_s + 0.3)
    values, valid = analysis.track.column(unit)
    assert valid[near].all()
    assert values[now].mean() > ACTIVE
    assert np.corrcoef(values[near], event.at(times[near]))[0, 1] > 0.9
    if side:
        other = "left" if side == "right" else "right"
        mine, theirs = (analysis.track.column(f"{unit}_{which}")[0][now].mean() for which in (side, other))
        asymmetry = analysis.track.column("asymmetry")[0][now].mean()
        assert mine > 2 * theirs
        assert asymmetry * (1 if side == "left" else -1) > 0.2


def test_a_still_photograph_shows_nothing() -> None:
    analysis, _ = filmed()
    still = analysis.track.times_ns < 1.3e9
    for name in AU_NAMES:
        values, valid = analysis.track.column(name)
        assert values[still & valid].max(initial=0) < ACTIVE, name
    assert np.abs(analysis.track.column("asymmetry")[0][still]).max() < 0.2


def test_both_halves_of_the_face_are_treated_alike() -> None:
    rng = np.random.default_rng(1)
    motion, lids, mouth = rng.standard_normal((50, len(NAMES), 2)), rng.standard_normal((50, 2, 2)), np.zeros(50)
    swap, sign = mirror_measurements()
    assert np.array_equal(swap[swap], np.arange(len(swap)))
    other = stack_measurements(motion, lids, mouth)[:, swap] * sign
    n = 2 * len(NAMES)
    mirrored = explain_movement(other[:, :n].reshape(50, -1, 2), other[:, n : n + 4].reshape(50, 2, 2), other[:, -1])
    np.testing.assert_allclose(mirrored[:, mirror_units()], explain_movement(motion, lids, mouth), atol=1e-5)


def test_small_movements_and_closing_lids_are_no_action_unit() -> None:
    rng = np.random.default_rng(3)
    motion = 0.15 * rng.standard_normal((400, len(NAMES), 2))
    lids = 0.3 * rng.standard_normal((400, 2, 2))
    shown = explain_movement(motion, lids, 0.3 * rng.standard_normal(400))
    assert np.mean((shown > ACTIVE).any(axis=1)) < 0.01


def test_units_are_named_by_side_where_the_other_takes_no_part() -> None:
    shown = np.zeros(len(AU_NAMES), np.float32)
    for name, value in (("au12_left", 0.8), ("au12_right", 0.7), ("au14_left", 0.6), ("au17", 0.5), ("au04_left", 0.1)):
        shown[AU_NAMES.index(name)] = value
    named = name_units(shown, 0.4, 0.08)
    assert list(named.items()) == [("au12", 0.8), ("au14_left", 0.6), ("au17", 0.5)]
    assert both_sides(shown[None])["au14"][0] == pytest.approx(0.6)


def test_asymmetry_is_signed_and_fades_with_the_movement() -> None:
    shown = np.zeros((4, len(AU_NAMES)))
    shown[0, AU_NAMES.index("au12_left")] = 0.7
    shown[1, [AU_NAMES.index("au12_left"), AU_NAMES.index("au12_right")]] = 0.7
    shown[2, AU_NAMES.index("au02_right")] = 0.7
    shown[3, AU_NAMES.index("au12_left")] = 0.02
    found = measure_asymmetry(shown)
    np.testing.assert_allclose(found["asymmetry"], [0.7, 0, -0.7, 0.0625], atol=1e-9)
    np.testing.assert_allclose(found["asymmetry_upper"], [0, 0, -0.7, 0], atol=1e-9)
    np.testing.assert_allclose(found["asymmetry_lower"], [0.7, 0, 0, 0.0625], atol=1e-9)


def test_a_network_that_is_missing_or_made_for_other_regions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="missing"):
        load_units(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(UnreadableFileError):
        load_units(tmp_path / "text.safetensors")
    with safe_open(DEFAULT, framework="numpy") as stored:
        about = json.loads(stored.metadata()["about"])
    about["regions"].pop()
    save_file(load_file(DEFAULT), tmp_path / "old.safetensors", {"about": json.dumps(about)})
    with pytest.raises(UnreadableFileError, match="unit_model"):
        load_units(tmp_path / "old.safetensors")
    assert load_units().card.startswith("{")


def test_an_expression_that_fills_most_of_a_short_recording_is_not_the_neutral() -> None:
    atoms = load_units().atoms
    rng = np.random.default_rng(5)
    smile = 0.7 * (atoms[AU_NAMES.index("au12_left")] + atoms[AU_NAMES.index("au12_right")])
    at = np.arange(240) / 30
    for start, end, expected in ((1.0, 6.4, True), (1.0, 3.5, False)):
        course = np.clip(np.minimum(at - start, end - at) / 0.3, 0, 1)
        measured = course[:, None] * smile + 0.1 * rng.standard_normal((240, len(smile)))
        moved = measured - np.median(measured, axis=0)
        rest = find_rest(moved, np.ones(240, bool), 8.0)
        assert rest.any() == expected
        back = (moved - rest)[at < 0.9].mean(axis=0)
        assert np.abs(back).max() < 0.5, "the face rests before the smile"
    assert not find_rest(moved, np.ones(240, bool), 100.0).any()
