"""Clips of any length, and pictures that stand for a clip."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from modalities.face.interpolation.length import WAYS, bring_to_length, tim_matrix
from modalities.face.interpolation.summary import active_image, as_picture, dynamic_image, rank_weights


def embedded(pictures: np.ndarray, frames: int) -> np.ndarray:
    """The temporal interpolation model by the book: singular vectors, eigenvectors of the path, regression."""
    n = len(pictures)
    flat = pictures.reshape(n, -1).T.astype(float)
    mean = flat.mean(axis=1, keepdims=True)
    u, s, vt = np.linalg.svd(flat - mean, full_matrices=False)
    u, q = u[:, : n - 1], np.diag(s[: n - 1]) @ vt[: n - 1]
    laplacian = np.zeros((n, n))
    for one, other in pairwise(range(n)):
        laplacian[one, one] += 1
        laplacian[other, other] += 1
        laplacian[one, other] = laplacian[other, one] = -1
    nodes = np.linalg.eigh(laplacian)[1][:, 1:]
    turn = np.linalg.lstsq(q.T, nodes, rcond=None)[0]
    out = []
    for moment in np.linspace(1 / n, 1, frames):
        place = []
        for k in range(1, n):
            by_node = np.array([np.sin(np.pi * k * i / n + np.pi * (n - k) / (2 * n)) for i in range(1, n + 1)])
            scale = (nodes[:, k - 1] @ by_node) / (by_node @ by_node)
            place.append(scale * np.sin(np.pi * k * moment + np.pi * (n - k) / (2 * n)))
        out.append(u @ np.linalg.solve(turn.T, np.array(place)) + mean[:, 0])
    return np.array(out).reshape(frames, *pictures.shape[1:])


def moving(times: np.ndarray, px: float = 3.0) -> np.ndarray:
    """A textured picture whose middle moves to the right and back, at any moments 0..1."""
    y, x = np.mgrid[:40, :40].astype(float)
    blob = np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 100)
    shift = px * (1 - np.cos(2 * np.pi * times)) / 2
    places = x - shift[:, None, None] * blob
    return 128 + 40 * np.cos(places / 2.0) * np.cos(y / 3) + 30 * np.sin((places + y) / 3.5)


def test_tim_is_the_embedding_of_the_path() -> None:
    pictures = np.random.default_rng(0).uniform(0, 255, (7, 6, 5))
    for frames in (1, 4, 7, 15):
        assert np.allclose(bring_to_length(pictures, frames, "tim"), embedded(pictures, frames), atol=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_tim_of_smooth_motion_beats_linear_interpolation(noise: float) -> None:
    rng = np.random.default_rng(1)
    known, wanted = np.linspace(0, 1, 9), np.linspace(0, 1, 33)
    seen = moving(known) + noise * rng.normal(size=(9, 40, 40))
    truth = moving(wanted)
    errors = {way: np.sqrt(((bring_to_length(seen, 33, way) - truth) ** 2).mean()) for way in WAYS}
    assert errors["tim"] < (0.5 if noise == 0 else 0.9) * errors["linear"], errors


@given(st.integers(2, 12), st.integers(1, 30), st.sampled_from(WAYS))
@settings(max_examples=40, deadline=None)
def test_any_length_keeps_ends_stillness_and_pictures(t: int, frames: int, way: str) -> None:
    clip = np.random.default_rng(t).integers(0, 256, (t, 3, 4)).astype(np.uint8)
    found = bring_to_length(clip, frames, way)
    assert found.shape == (frames, 3, 4) and found.dtype == np.float32
    assert np.allclose(found[0], clip[0], atol=1e-2)
    if frames > 1:
        assert np.allclose(found[-1], clip[-1], atol=1e-2)
    assert np.allclose(bring_to_length(clip, t, way), clip, atol=1e-2), "its own moments give the pictures themselves"
    assert np.allclose(bring_to_length(np.repeat(clip[:1], t, axis=0), frames, way), clip[0], atol=1e-2)
    assert np.allclose(tim_matrix(t, frames).sum(axis=1), 1)


def test_no_clip_is_refused() -> None:
    clip = np.zeros((4, 5, 5), np.uint8)
    for wrong, frames, way in ((clip[:1], 4, "linear"), (clip, 0, "tim"), (clip, 4, "cubic"), (np.array(3), 4, "tim")):
        with pytest.raises(InvalidValueError):
            bring_to_length(wrong, frames, way)
    for made in (dynamic_image, active_image):
        with pytest.raises(InvalidValueError):
            made(clip[:1])
    with pytest.raises(InvalidValueError, match="grey"):
        active_image(np.zeros((4, 5, 5, 3)))


@pytest.mark.parametrize("t", [2, 5, 11])
def test_rank_pooling_sums_all_pairs_of_running_means(t: int) -> None:
    clip = np.random.default_rng(t).uniform(0, 255, (t, 4, 3))
    means = [clip[: at + 1].mean(axis=0) for at in range(t)]
    want = sum(means[q] - means[p] for q in range(t) for p in range(q))
    assert np.allclose(dynamic_image(clip), want, atol=1e-2)
    assert rank_weights(t).sum() == pytest.approx(0, abs=1e-9)
    rising = np.linspace(0, 1, t)[:, None, None] * np.ones((4, 3))
    assert (dynamic_image(rising) > 0).all() and (dynamic_image(rising[::-1]) < 0).all()


def test_an_active_image_shows_where_and_keeps_the_face() -> None:
    clip = moving(np.linspace(0, 0.5, 12), 4.0)
    found = active_image(clip)
    away = np.abs(found - clip.mean(axis=0))
    assert away[14:26, 14:26].mean() > 20 * away[:5].mean()
    assert np.corrcoef(found[:6].ravel(), clip[0, :6].ravel())[0, 1] > 0.999
    still = np.repeat(clip[:1], 5, axis=0)
    assert np.allclose(active_image(still), still[0], atol=1e-3) and np.allclose(dynamic_image(still), 0, atol=1e-2)
    assert as_picture(dynamic_image(clip)).dtype == np.uint8 and (as_picture(np.zeros((4, 4))) == 128).all()
