"""Descriptors: each against plain loops, against the numbers of its paper, and on clips whose content is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.descriptor_references import plain
from data_schemas.errors import InvalidValueError
from docs.face_methods_page import page
from modalities.face.descriptors.cells import HIERARCHY, Codes, Votes, cell_numbers
from modalities.face.descriptors.clip_flow import apex_of_clip, flow_of_clip
from modalities.face.descriptors.gabor import PAPER_ORIENTATIONS, PAPER_WAVELENGTHS
from modalities.face.descriptors.gradients import icosahedron
from modalities.face.descriptors.phase import decorrelation
from modalities.face.descriptors.registry import DESCRIPTORS, find_descriptor
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.systems import find_system, systems_for

OF_CLIPS = [name for name, one in DESCRIPTORS.items() if one.takes == "clip"]
OF_MAPS = [name for name, one in DESCRIPTORS.items() if one.takes == "flow_map"]
PAPERS = {
    "lbp-top": 3 * 59, "lbp-sip": 20, "lpq-top": 3 * 256, "hog-top": 3 * 8, "higo-top": 3 * 8, "sttm": 16,
    "stlbp-ip": 2 * 256 + 2 * 59, "cgbp-top": 8 * 3 * 32, "adlbp-top": 3 * 59, "rdlbp-top": 3 * 59,
    "elbp-top": 9 * 59, "lcbp": 3 * 59, "ltogp": 3 * 59, "dcp-top": 3 * 512, "st-gabor": 16,
}  # fmt: skip
"""Numbers for a single cell."""


def noise(seed: int, frames: int = 8, height: int = 13, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width)).astype(np.uint8)


def clips(*made: np.ndarray) -> np.ndarray:
    out = np.empty(len(made), object)
    out[:] = list(made)
    return out


@pytest.mark.parametrize("name", OF_CLIPS)
def test_clips_are_described_as_by_plain_loops(name: str) -> None:
    how: Any = find_descriptor(name).make(grid=(1, 2) if "hierarchical" in name else 2, frames=8)
    sample = noise(len(name))
    found = how.describe(clips(sample))
    assert found.dtype == np.float32 and found.shape == (1, how.dimension)
    want = np.array(plain(name, how, sample))
    assert np.abs(found[0] - want).max() < 2e-4
    assert np.ptp(found) > 0.01, "a clip of noise is not described by a constant"


@pytest.mark.parametrize("name", OF_MAPS)
def test_flow_is_described_as_by_plain_loops(name: str) -> None:
    how: Any = find_descriptor(name).make(grid=3)
    maps = np.random.default_rng(3).normal(size=(2, 14, 14, 3)).astype(np.float32)
    maps[..., 2] = np.abs(maps[..., 2])
    found = how.describe(maps)
    assert found.dtype == np.float32 and found.shape == (2, how.dimension)
    for one, sample in zip(found, maps, strict=True):
        assert np.abs(one - np.array(plain(name, how, sample))).max() < 2e-4


def test_vectors_are_as_long_as_in_the_papers() -> None:
    for name, cell in PAPERS.items():
        assert find_descriptor(name).make(grid=1).dimension == cell, name
    assert find_descriptor("lbp-top").make(grid=5).dimension == 25 * 177
    assert find_descriptor("3dhog").make().dimension == 960, "4 x 4 x 3 cells of 20 (Klaser et al. 2008)"
    assert find_descriptor("mdmo").make().dimension == 72, "36 regions, length and angle (Liu et al. 2016)"
    assert find_descriptor("bi-woof").make(grid=5, bins=8).dimension == 200
    paper = {"wavelengths": PAPER_WAVELENGTHS, "orientations": PAPER_ORIENTATIONS}
    assert find_descriptor("cgbp-top").make(grid=1, **paper).dimension == 3840, "5 x 8 filters (Hu et al. 2019)"
    hierarchical = find_descriptor("lbp-top-hierarchical").make()
    assert hierarchical.dimension == 85 * 177, "85 blocks (Zong et al. 2018)"
    assert set(PAPERS) | {"3dhog", "mdmo", "hoof", "fhofo", "bi-woof", "lbp-top-hierarchical"} == set(DESCRIPTORS)


def test_filters_may_be_as_many_as_in_the_paper() -> None:
    how: Any = find_descriptor("cgbp-top").make(grid=1, wavelengths=PAPER_WAVELENGTHS, orientations=PAPER_ORIENTATIONS)
    found = how.describe(clips(noise(8, 8, 30, 30)))
    assert found.shape == (1, 3840) and np.allclose(found.reshape(-1, 32).sum(axis=1), 1)
    ours = find_descriptor("cgbp-top").make(grid=1).describe(clips(noise(8, 8, 30, 30)))
    same = how.describe_clip(noise(8, 8, 30, 30)).reshape(5, 8, 96)[[0, 2]][:, ::2]
    np.testing.assert_allclose(same.ravel(), ours[0], atol=1e-6, err_msg="ours are some of them")


def test_what_differs_from_a_paper_is_told() -> None:
    words = {name: entry.ours for name, entry in DESCRIPTORS.items()}
    told = {"cgbp-top": "signs", "3dhog": "Polikovsky", "mdmo": "angle over pi", "bi-woof": "soft votes"}
    for name, word in told.items():
        assert word in words[name], name
        base = name if DESCRIPTORS[name].takes == "clip" else f"{name}-clip"
        assert word in find_system(f"{base}-linear").source, name


@pytest.mark.parametrize("name", OF_CLIPS)
def test_clips_of_any_length_and_size_give_one_vector(name: str) -> None:
    how = find_descriptor(name).make()
    found = how.describe(clips(noise(1, 3, 30, 34), noise(2, 17, 41, 33), np.full((5, 30, 30), 77, np.uint8)))
    assert found.shape == (3, how.dimension) and np.isfinite(found).all()
    row = find_descriptor(name).row()
    assert row["dimension"] == how.dimension and row["year"] > 2000 and row["paper"]
    for wrong in (noise(0, 1, 30, 30), noise(0, 6, 4, 4), np.zeros((30, 30), np.uint8)):
        with pytest.raises(InvalidValueError, match="too small"):
            how.describe(clips(wrong))
    with pytest.raises(InvalidValueError, match="no descriptor"):
        find_descriptor("crystal ball")


@pytest.mark.parametrize("name", ["lbp-top", "lbp-sip", "lpq-top", "higo-top", "adlbp-top", "dcp-top", "ltogp"])
def test_light_does_not_change_signs(name: str) -> None:
    how = find_descriptor(name).make(grid=2)
    clip = noise(4, 10, 20, 20) // 4
    brighter = (clip.astype(int) * 2 + 60).astype(np.uint8)
    found = how.describe(clips(clip, brighter))
    assert np.allclose(found[0], found[1], atol=1e-3)


def test_motion_is_seen_in_the_planes_of_time() -> None:
    picture = noise(5, 1, 40, 40)[0]
    still, moving = np.stack([picture] * 10), np.stack([np.roll(picture, at, axis=1) for at in range(10)])
    for name in ("lbp-top", "lpq-top", "hog-top", "dcp-top"):
        how = find_descriptor(name).make(grid=1)
        parts = how.describe(clips(still, moving)).reshape(2, 3, -1)
        apart = np.abs(parts[0] - parts[1]).sum(axis=1)
        assert apart[0] < 0.35 < apart[1], (name, apart)


def test_moving_filters_tell_the_direction() -> None:
    x = np.arange(40)
    waves = {way: 120 + 80 * np.cos(2 * np.pi * (x - way * np.arange(10)[:, None]) / 2.83) for way in (1, -1)}
    made = clips(*(np.repeat(one[:, None], 40, axis=1).astype(np.uint8) for one in waves.values()))
    found = find_descriptor("st-gabor").make(grid=1).describe(made).reshape(2, 2, 8)
    assert found[0].argmax() == 8 and found[1].argmax() == 8 + 4


def test_fuzzy_bins_do_not_care_how_far() -> None:
    maps = np.zeros((2, 20, 20, 3), np.float32)
    maps[0, ..., 0], maps[1, ..., 0] = 1, 1
    maps[1, :, ::2, 0] = 0.5
    found = find_descriptor("fhofo").make(grid=2).describe(maps)
    assert np.allclose(found[0], found[1], atol=1e-6)
    assert found.reshape(2, 4, 8)[0, 0].argmax() == 0 and found.reshape(2, 4, 8).sum(axis=-1) == pytest.approx(1)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_cells_cover_everything_once(grid: int, grid_t: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 9, 3).tolist())
    numbers = cell_numbers(shape, grid, grid_t)
    assert set(np.unique(numbers)) == set(range(grid_t * grid * grid))
    codes = rng.integers(0, 5, shape)
    pooled = Codes(codes, 5).pool(grid, grid_t)
    one_hot = Votes((codes[..., None] == np.arange(5)).astype(float)).pool(grid, grid_t)
    assert np.allclose(pooled, one_hot, atol=1e-6) and np.allclose(pooled.sum(axis=1), 1, atol=1e-6)


def test_solid_and_rotation_are_what_they_are_called() -> None:
    axes, least = icosahedron()
    assert axes.shape == (20, 3) and np.allclose(np.linalg.norm(axes, axis=1), 1)
    between = np.sort(axes @ axes.T, axis=1)
    assert np.allclose(between[:, -2], least) and np.allclose(axes.sum(axis=0), 0)
    for sides in ((5, 5), (3, 5)):
        turn = decorrelation(*sides)
        assert np.allclose(turn @ turn.T, np.eye(8), atol=1e-9)


def test_hierarchy_is_made_of_its_grids() -> None:
    how: Any = find_descriptor("stlbp-ip").make(grid=(1, 3))
    clip = clips(noise(6, 10, 30, 30))
    parts = [replace(how, grid=one).describe(clip) for one in (1, 3)]
    assert np.array_equal(how.describe(clip), np.concatenate(parts, axis=1))
    assert HIERARCHY == (1, 2, 4, 8)


def test_flow_of_a_clip_runs_to_its_apex() -> None:
    import cv2

    base = cv2.GaussianBlur(noise(7, 1, 64, 64)[0], (0, 0), 2)
    shifts = [0, 0.5, 1.0, 1.5, 1.0, 0.2]
    made = np.stack([cv2.warpAffine(base, np.array([[1, 0, s], [0, 1, 0.0]]), (64, 64)) for s in shifts])
    assert apex_of_clip(made) == 3
    flow = flow_of_clip(made)
    assert flow.shape == (64, 64, 3) and np.median(flow[16:48, 16:48, 0]) == pytest.approx(1.5, abs=0.2)
    vector = find_descriptor("hoof").of_clips().describe(clips(made))
    assert vector.shape == (1, 200)
    with pytest.raises(InvalidValueError, match="too small for optical flow"):
        flow_of_clip(made[:1])


def test_every_descriptor_is_a_system_for_clips() -> None:
    samples = simulate_clip_set(2, 2, side=32, frames=8)
    names = {one.name for one in systems_for("clip")}
    for name, entry in DESCRIPTORS.items():
        base = name if entry.takes == "clip" else f"{name}-clip"
        assert {f"{base}-linear", f"{base}-rbf"} <= names
        assert find_system(f"{base}-linear").row()["source"]
        if entry.takes == "flow_map":
            assert {f"{name}-linear", f"{name}-rbf"} <= {one.name for one in systems_for("flow_map")}
    for name in ("lbp-sip-rbf", "fhofo-clip-linear"):
        (products,) = find_system(name).prepare(samples)[0]
        assert products.plain.shape == (4, 4)


def test_the_page_of_the_docs_is_up_to_date() -> None:
    written = (Path(__file__).parent.parent / "docs" / "face_methods.md").read_text(encoding="utf-8")
    assert written == page(), "run python -m docs.face_methods_page"
