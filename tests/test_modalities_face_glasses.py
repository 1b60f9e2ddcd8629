"""Frames of glasses: found by their bridge, and lifted off so that the skin behind them is seen to move."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_schemas.time import NS_PER_S
from modalities.face.flow_methods import dense_flow
from modalities.face.glasses import HOLD_S, FrameLifter, find_frame, paint_over
from modalities.face.head_motion import sample
from modalities.face.registration import PATCH_PX

CORNERS = {133: (63.0, 45.0), 362: (97.0, 45.0)}
"""Inner corners of the eyes in the aligned picture."""


def landmarks() -> np.ndarray:
    points = np.full((478, 2), 80, np.float32)
    for index, place in CORNERS.items():
        points[index] = place
    return points


def skin(down_px: float = 0.0, seed: int = 0) -> np.ndarray:
    """A face without a frame: uneven skin that has moved down, brows and eyes."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((200, 200)), (0, 0), 2.5)
    grey = 170 + 12 * noise / noise.std()
    for x in (55, 105):
        cv2.ellipse(grey, (x + 20, 52), (14, 2), 0, 0, 360, 90, -1)
        cv2.circle(grey, (x + 20, 65), 4, 40, -1)
    move = np.float64([[1, 0, -20], [0, 1, -20 + down_px]])
    moved = cv2.warpAffine(cv2.GaussianBlur(grey, (0, 0), 0.8), move, (PATCH_PX, PATCH_PX), flags=cv2.INTER_CUBIC)
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def wear(picture: np.ndarray, thick_px: int = 2, bridge: bool = True) -> np.ndarray:
    """The same with a stiff dark frame before it."""
    out = picture.copy()
    for x in (53, 107):
        cv2.ellipse(out, (x, 48), (23, 17), 0, 0, 360, 12, thick_px)
    if bridge:
        cv2.line(out, (75, 42), (85, 42), 12, thick_px)
    return out


@pytest.mark.parametrize("thick_px", [2, 3, 4])
def test_the_frame_and_nothing_else_is_found(thick_px: int) -> None:
    plain = skin()
    worn = wear(plain, thick_px)
    found = find_frame(worn, landmarks())
    assert found is not None
    true = (worn != plain) & (worn == 12)
    assert found[true].mean() > 0.95
    away = cv2.dilate(true.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    assert not found[away].any(), "neither brows nor eyes"
    lifted = paint_over(worn, found).astype(float)
    assert np.median(np.abs(lifted - plain)[true]) < 12, "about as bright as the skin that it hid"
    beyond = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    np.testing.assert_array_equal(lifted[beyond], worn[beyond])


def test_what_crosses_no_nose_stays_and_so_do_faces_without_glasses() -> None:
    lifter = FrameLifter()
    for picture in (skin(), wear(skin(), bridge=False), np.zeros((PATCH_PX, PATCH_PX), np.uint8)):
        assert find_frame(picture, landmarks()) is None
        assert lifter.lift(picture, landmarks(), 0) is picture
    outside = landmarks() - 500
    assert find_frame(skin(), outside) is None, "a face that is cut off has no root of the nose"


def test_skin_behind_a_frame_is_seen_to_move() -> None:
    """Under the upper rim, where the brow's lower edge is, flow follows the frame unless it is lifted off."""
    flow, moved = dense_flow("dis"), 1.5
    rim = np.array([[x + at, 31.0] for x in (53, 107) for at in (-6, 0, 6)])
    before, after = wear(skin()), wear(skin(moved))
    lifter = FrameLifter()
    lifted = [lifter.lift(one, landmarks(), at) for at, one in enumerate((before, after))]
    behind = sample(flow(before, after), rim)[:, 1].mean() / moved
    freed = sample(flow(*lifted), rim)[:, 1].mean() / moved
    assert behind < 0.6
    assert freed > 0.75 and freed > behind + 0.25


def test_a_frame_that_is_missed_for_a_moment_stays_lifted() -> None:
    lifter, points = FrameLifter(), landmarks()
    worn, broken = wear(skin()), wear(skin(), bridge=False)
    lifter.lift(worn, points, 0)
    soon = lifter.lift(broken, points, round(0.9 * HOLD_S * NS_PER_S))
    assert soon.min() > 25 and broken.min() <= 12
    assert lifter.lift(broken, points, round(1.1 * HOLD_S * NS_PER_S)) is broken, "taken off"
