"""Apex finders: where an expression is greatest in a clip of it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from modalities.face.spotting.apex import APEX_FINDERS, find_apex, load_apex_finder
from modalities.face.spotting.apex_frequency import high_energy
from modalities.face.spotting.apex_lbp import divide_and_conquer

APEX, FRAMES = 14, 31


@lru_cache(maxsize=1)
def smile() -> np.ndarray:
    """A face that smiles by 8 % of its inter-ocular distance and stops, aligned."""
    from modalities.face.landmarks import Sighting
    from modalities.face.registration import PatchAligner
    from modalities.face.spotting.differences import FACE_BOX
    from modalities.face.synthesis.mesh import FaceMesh, find_mesh
    from modalities.face.synthesis.planting import Movement, displace
    from pipeline.simulate.face_portrait import load_photograph

    photograph = np.ascontiguousarray(load_photograph("hopper")[37:426, 65:455])
    mesh = find_mesh(photograph)
    sighting = Sighting(np.column_stack([mesh.points, -mesh.depth]), photograph, np.ones(2), (0, 0))
    patch, placed = PatchAligner().align(sighting, 0)
    face = FaceMesh(placed.astype(np.float64), np.zeros(len(placed)))
    rng = np.random.default_rng(0)
    left, top, right, bottom = FACE_BOX
    out = []
    for at in range(FRAMES):
        size = 8 * np.cos(np.pi * min(abs(at - APEX) / 24, 0.5)) ** 2
        moved = displace(patch, face, [Movement(("au12_left", "au12_right"), size)]) if size > 0.01 else patch
        noisy = moved[top:bottom, left:right] + rng.normal(0, 1, (bottom - top, right - left))
        out.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(out)


@pytest.mark.parametrize("name", APEX_FINDERS)
def test_the_apex_of_a_smile_is_found(name: str) -> None:
    assert abs(find_apex(name, smile()) - APEX) <= 3


@given(st.integers(3, 60), st.data())
def test_divide_and_conquer_finds_a_single_peak(n: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, n - 1))
    curve = 1 - np.abs(np.arange(n) - at) / n
    assert divide_and_conquer(curve) == at


def test_divide_and_conquer_prefers_the_half_with_more_peaks() -> None:
    curve = np.zeros(16)
    curve[[3, 9, 12, 14]] = 0.9, 0.5, 0.6, 0.4
    assert divide_and_conquer(curve) == 12
    assert divide_and_conquer(np.zeros(5)) in range(5)


def test_still_pictures_have_no_energy_of_motion() -> None:
    rng = np.random.default_rng(0)
    still = np.broadcast_to(rng.uniform(0, 255, (1, 36, 10, 10)), (9, 36, 10, 10)).astype(np.float32)
    assert high_energy(still) == pytest.approx(0, abs=1e-3)
    jumped = still.copy()
    jumped[4] = np.roll(still[4], 1, axis=-1)
    assert high_energy(jumped) > 1


def test_wrong_clips_are_refused() -> None:
    clip = smile()
    with pytest.raises(InvalidValueError, match="no apex finder"):
        find_apex("crystal ball", clip)
    for wrong in (clip[:2], clip.astype(np.float32), clip[0], clip[:, :40]):
        with pytest.raises(InvalidValueError, match="no clip"):
            find_apex("lbp", wrong)
    with pytest.raises(InvalidValueError, match="times"):
        find_apex("lbp", clip, np.zeros(len(clip), np.int64))
    assert load_apex_finder("lbp").name == "lbp"
