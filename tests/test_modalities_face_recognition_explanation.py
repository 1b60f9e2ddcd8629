"""Which regions moved a decision: those where the movement is."""

from __future__ import annotations

import numpy as np

from modalities.face.recognition.default.recogniser import DefaultRecogniser
from modalities.face.recognition.explanation import map_places, name_shares, region_shares
from modalities.face.regions import NAMES

PLACES = np.random.default_rng(0).uniform(3, 25, (len(NAMES), 2))


def judge(maps: np.ndarray) -> np.ndarray:
    """Class 1 where the corner at (20, 18) moves up."""
    up = 1 / (1 + np.exp(4 * maps[:, 17:20, 19:22, 1].mean(axis=(1, 2)) + 2))
    return np.stack([1 - up, up], axis=1)


def test_the_region_that_carries_the_movement_has_the_share() -> None:
    columns, rows = np.meshgrid(np.arange(28), np.arange(28))
    one = np.zeros((28, 28, 3))
    one[..., 1] = -2 * np.exp(-((columns - 20) ** 2 + (rows - 18) ** 2) / 18)
    places = PLACES.copy()
    places[7] = (20, 18)
    shares = region_shares(judge, one, places)
    far = np.hypot(*(places - (20, 18)).T) > 10
    assert shares.argmax() == 7 and np.isclose(shares.sum(), 1) and shares[far].max() < 0.02
    assert next(iter(name_shares(shares))) == NAMES[7]
    assert not region_shares(lambda maps: np.full((len(maps), 2), 0.5), one, places).any(), "nothing moved the decision"


def test_places_in_the_map_and_a_smile() -> None:
    middle, left = map_places(np.array([[0.0, 0.0], [50.0, 0.0]]))
    np.testing.assert_allclose(middle, (13.6, 7.3), atol=0.1)
    assert left[0] > middle[0] and left[1] == middle[1]
    corners = map_places(np.array([[38.0, -95.0], [-38.0, -95.0]]))
    columns, rows = np.meshgrid(np.arange(28), np.arange(28))
    one = np.zeros((28, 28, 3))
    for (x, y), out in zip(corners, (1.0, -1.0), strict=True):
        bump = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 12)
        one[..., 0] += out * bump
        one[..., 1] -= bump
    recognise = DefaultRecogniser.load().recognise
    assert recognise(one[None])[0].argmax() == 1, "both corners of the mouth go out and up: positive"
    one[:, :13] = 0
    one[..., :2] += 0.03 * np.random.default_rng(0).standard_normal((28, 28, 2))
    places = np.vstack([corners, np.full((4, 2), 13.0) * (1, 0.3)])
    shares = region_shares(recognise, one, places)
    assert recognise(one[None])[0].argmax() == 1 and shares.argmax() == 0 and shares[0] > 0.5
