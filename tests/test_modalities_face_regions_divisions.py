"""Divisions of a face into regions: where they lie, on the mesh of a photographed face and without one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from modalities.face.divisions.base import DIVISIONS, Regions, eye_distance, find_division
from modalities.face.divisions.facs import UNITS_OF
from modalities.face.regions import EYE_OUTLINES, REGIONS

BY_POINTS = ("facs", "eye-cheek-mask", "eye-mouth", "patches")


@lru_cache(maxsize=1)
def face() -> tuple[np.ndarray, np.ndarray]:
    """A photographed face as a clip of two grey pictures, and its landmarks."""
    from modalities.face.synthesis.mesh import find_mesh
    from pipeline.simulate.face_portrait import load_photograph

    picture = load_photograph("astronaut")[:256, 90:346]
    grey = picture.mean(axis=2).astype(np.uint8)
    return np.stack([grey, grey]), find_mesh(picture).points


def middle(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


@pytest.mark.parametrize("name", sorted(DIVISIONS))
def test_every_division_has_one_interface(name: str) -> None:
    clip, points = face()
    changed = clip.copy()
    changed[1, 150:170, 100:130] += 40
    found = find_division(name).divide(changed, points)
    assert found.masks.dtype == bool and found.masks.shape == (len(found.names), 256, 256)
    assert len(set(found.names)) == len(found.names) and found.masks.any(axis=(1, 2)).all()
    means = found.means(np.stack([np.ones((256, 256)), clip[0]]))
    assert means.shape == (2, len(found.names)) and np.allclose(means[0], 1)
    assert means[1, 0] == pytest.approx(clip[0][found.masks[0]].mean())
    if name in BY_POINTS:
        for wrong in (None, points[:10], np.full_like(points, np.nan)):
            with pytest.raises(InvalidValueError):
                find_division(name).divide(clip, wrong)
    with pytest.raises(InvalidValueError):
        find_division(name).divide(clip[0], points)
    with pytest.raises(InvalidValueError, match="no division"):
        find_division("thirds")


def test_muscles_lie_where_they_belong() -> None:
    _, points = face()
    found = find_division("facs").divide(face()[0], points)
    place = {name: middle(mask) for name, mask in zip(found.names, found.masks, strict=True)}
    for right, left in ((n, n.replace("_right", "_left")) for n in place if n.endswith("_right")):
        assert place[right][0] < place[left][0], "the person's right is on the left of the picture"
        assert abs(place[right][1] - place[left][1]) < 0.35 * eye_distance(points)
    order = ("forehead_right", "brow_inner_right", "eye_right", "cheek_right", "lip_corner_right")
    heights = [place[name][1] for name in order]
    assert heights == sorted(heights), heights
    assert place["nose"][1] < place["upper_lip"][1] < place["lower_lip"][1] < place["chin"][1]
    for at, eye in enumerate(EYE_OUTLINES):
        mask = found.masks[found.names.index(("eye_right", "eye_left")[at])]
        x, y = np.rint(points[list(eye), :2]).astype(int).T
        assert mask[y, x].all(), "the eye's outline lies within its region"
    assert set(UNITS_OF) == set(found.names) and 12 in UNITS_OF["lip_corner_left"]
    areas = found.masks.sum(axis=(1, 2)) / eye_distance(points) ** 2
    assert areas.min() > 0.02 and areas.max() < 1.2, dict(zip(found.names, areas.round(2), strict=True))


def test_masks_hide_and_keep() -> None:
    clip, points = face()
    (kept,) = find_division("eye-cheek-mask").divide(clip, points).masks
    eyes_and_mouth = find_division("eye-mouth").divide(clip, points)
    assert eyes_and_mouth.names == ("eye_right", "eye_left", "mouth")

    def at(index: int) -> tuple[int, int]:
        x, y = np.rint(points[index, :2]).astype(int)
        return int(y), int(x)

    for eye in EYE_OUTLINES:
        assert not any(kept[at(index)] for index in eye)
    assert not kept[at(205)] and not kept[at(425)] and kept[at(9)] and kept[at(4)] and kept[at(17)]
    right, left, mouth = eyes_and_mouth.masks
    assert right[at(159)] and right[at(105)] and left[at(386)] and mouth[at(13)]
    assert not mouth[at(4)] and not (right & left).any() and not (right & mouth).any()


def test_blocks_are_equal_and_cover_everything() -> None:
    found = find_division("blocks", rows=4, columns=7).divide(np.zeros((1, 50, 61)))
    assert found.names[8] == "block_1_1" and (found.masks.sum(axis=0) == 1).all()
    sizes = found.masks.sum(axis=(1, 2))
    assert sizes.min() >= 12 * 8 and sizes.max() <= 13 * 9
    with pytest.raises(InvalidValueError, match="no such blocks"):
        find_division("blocks", rows=0).divide(np.zeros((1, 5, 5)))


def test_change_is_found_where_it_was_planted() -> None:
    rng = np.random.default_rng(0)
    clip = np.repeat(rng.uniform(90, 160, (1, 80, 100)), 6, axis=0)
    for step in range(6):
        clip[step, 20:32, 60:76] += 10 * step
        clip[step, 55:63, 10:22] += 7 * step
    clip += rng.normal(0, 1, clip.shape)
    found = find_division("difference").divide(clip)
    assert found.names == ("change_1", "change_2")
    assert np.allclose(middle(found.masks[0]), (67.5, 25.5), atol=2) and np.allclose(
        middle(found.masks[1]), (15.5, 58.5), atol=2
    )
    still = find_division("difference").divide(np.repeat(clip[:1], 3, axis=0))
    assert still.names == () and still.means(clip).shape == (6, 0)
    with pytest.raises(InvalidValueError, match="single picture"):
        find_division("difference").divide(clip[:1])


def test_patches_are_squares_around_their_landmarks() -> None:
    clip, points = face()
    found = find_division("patches", names=("lip_corner_left", "chin"), side=0.25).divide(clip, points)
    side = 0.25 * eye_distance(points)
    for name, mask in zip(found.names, found.masks, strict=True):
        assert np.allclose(middle(mask), points[list(REGIONS[name]), :2].mean(axis=0), atol=1)
        assert mask.sum() == pytest.approx(side**2, rel=0.2)
    with pytest.raises(InvalidValueError, match="no region"):
        find_division("patches", names=("ear",)).divide(clip, points)
    with pytest.raises(InvalidValueError, match="masks do not fit"):
        Regions(("a",), np.zeros((2, 3, 3), bool))
