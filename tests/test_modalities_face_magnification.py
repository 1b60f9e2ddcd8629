"""Magnified motion against planted motion; waves whose shift is known; networks of users, good and bad."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.magnification import COARSE_PX, Planted, gain, noise_gain, plant
from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from modalities.face.magnification.base import MAGNIFIERS, Band, changes, find_magnifier
from modalities.face.magnification.eulerian import from_laplacian, laplacian_pyramid
from modalities.face.magnification.lagrangian import displacements, principal
from modalities.face.magnification.learned import LearnedMagnifier
from modalities.face.magnification.riesz import octaves, phase_steps, shift_phase

WITHOUT_FILE = [name for name in MAGNIFIERS if name != "learned"]


@lru_cache(maxsize=1)
def face() -> np.ndarray:
    """The middle of a photographed face, eyes about 60 pixels apart."""
    import cv2

    from pipeline.simulate.face_portrait import load_photograph

    grey = cv2.cvtColor(load_photograph("astronaut")[75:183, 170:278], cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (160, 160), interpolation=cv2.INTER_CUBIC))


def mouth(px: float, noise: float = 1.0, seed: int = 0) -> Planted:
    return plant(face(), (100, 100), px, noise=noise, seed=seed)


# --- planted motion


@pytest.mark.parametrize(("name", "blur_px"), [("eulerian", COARSE_PX), ("riesz", 0.0), ("lagrangian", 0.0)])
def test_half_a_percent_becomes_four(name: str, blur_px: float) -> None:
    magnifier = find_magnifier(name)
    found = 0.5 * gain(magnifier, mouth(0.3), mouth(2.4, noise=0.0), 8, blur_px)
    assert found == pytest.approx(4, rel=0.25)
    assert noise_gain(magnifier, mouth(0.0, seed=3).clip, 8) < {"eulerian": 8.2, "riesz": 4, "lagrangian": 2.5}[name]


@pytest.mark.parametrize("name", WITHOUT_FILE)
def test_once_leaves_a_clip_as_it_is_and_stillness_stays_still(name: str) -> None:
    clip = mouth(0.5).clip
    once = find_magnifier(name).magnify(clip, 1.0)
    assert once.dtype == np.float32 and np.abs(once - clip).max() < 1e-2
    still = np.repeat(clip[:1], 5, axis=0)
    assert np.abs(find_magnifier(name).magnify(still, 8.0) - still).max() < 0.6
    loud = find_magnifier(name).magnify(clip, 60.0)
    assert loud.min() >= 0 and loud.max() <= 255 and np.isfinite(loud).all()


def test_only_the_band_is_magnified() -> None:
    t = np.arange(120) / 30
    fast, slow = np.sin(2 * np.pi * 4 * t), np.sin(2 * np.pi * 0.2 * t)
    found = changes((fast + slow)[:, None], Band(2.5, 6.0, 30.0))[30:90, 0]
    assert np.corrcoef(found, fast[30:90])[0, 1] > 0.99 and found.std() == pytest.approx(fast[30:90].std(), rel=0.1)
    x = np.arange(64)
    where = 0.2 * fast + 0.2 * slow
    clip = np.repeat((128 + 60 * np.cos(2 * np.pi * (x - where[:, None]) / 16))[:, None], 64, axis=1)
    out = find_magnifier("riesz", band=Band(2.5, 6.0, 30.0), coarse_px=np.inf).magnify(clip, 5.0)
    wave = np.exp(-2j * np.pi * x[16:48] / 16)
    shift = -np.unwrap(np.angle((out[:, 32, 16:48] - 128) @ wave)) * 16 / (2 * np.pi)
    shift -= shift.mean()
    (by_fast, by_slow), *_ = np.linalg.lstsq(np.stack([fast, slow], 1)[30:90], shift[30:90], rcond=None)
    assert by_fast == pytest.approx(5 * 0.2, rel=0.15) and by_slow == pytest.approx(0.2, rel=0.25)
    for wrong in ((0, 5, 30), (5, 2, 30), (2, 16, 30)):
        with pytest.raises(InvalidValueError, match="band"):
            Band(*wrong)


# --- parts


def test_pyramids_and_octaves_add_up() -> None:
    clip = mouth(0.0).clip.astype(np.float32)[:2]
    assert np.allclose(from_laplacian(laplacian_pyramid(clip)), clip, atol=1e-3)
    bands = [band for _, band, _, _ in octaves(96, 90)]
    total = np.sum(bands, axis=0)
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(90)[None])
    assert np.allclose(total[frequency > 1 / 12], 1) and total[0, 0] == 0 and total.max() <= 1 + 1e-9


def test_phase_of_a_wave_is_its_shift() -> None:
    y, x = np.indices((32, 32))
    way = np.array([np.cos(0.7), np.sin(0.7)])
    phase = 2 * np.pi * (x * way[0] + y * way[1]) / 9
    moved = np.array([0.0, 0.4, -0.2])
    waves = [
        np.stack([part(phase - one) for one in moved]).astype(np.float32)
        for part in (np.cos, lambda p: way[0] * np.sin(p), lambda p: way[1] * np.sin(p))
    ]
    steps, weight = phase_steps(waves)
    total = np.cumsum(steps, axis=1)
    assert np.allclose(total[:, 1].mean(axis=(1, 2)), -0.4 * way, atol=1e-4) and np.allclose(weight, 1, atol=1e-4)
    shifted = shift_phase(waves, 3 * total.astype(np.float32))
    assert np.allclose(shifted[1], np.cos(phase - 4 * 0.4), atol=1e-3)


def test_only_what_moves_together_is_followed() -> None:
    rng = np.random.default_rng(0)
    course, field = np.sin(np.linspace(0, np.pi, 9)), rng.normal(size=(10, 12, 2))
    moved = (course[:, None, None, None] * field + 0.05 * rng.normal(size=(9, 10, 12, 2))).astype(np.float32)
    kept = principal(moved)
    truth = course[:, None, None, None] * field
    assert np.abs(kept - truth).mean() < 0.6 * np.abs(moved - truth).mean()
    assert not principal(np.zeros_like(moved)).any()
    found = displacements(mouth(1.5, noise=0.0).clip)
    assert found[6, 100, 100, 0] == pytest.approx(1.5, abs=0.3) and not found[0].any()


@pytest.mark.parametrize("name", WITHOUT_FILE)
def test_bad_clips_are_refused(name: str) -> None:
    magnifier, clip = find_magnifier(name), mouth(0.0).clip
    bad = clip.astype(np.float32)
    bad[1, 3, 3] = np.nan
    for wrong, factor in ((clip[:1], 2), (clip[0], 2), (clip[:, :8, :8], 2), (clip, -1), (clip, 1e6), (bad, 2)):
        with pytest.raises(InvalidValueError):
            magnifier.magnify(wrong, factor)
    with pytest.raises(InvalidValueError, match="no magnification"):
        find_magnifier("lens")


# --- a network of the user's own


def save_network(path: Path, compute: Callable[..., Any]) -> Path:
    import torch

    torch.jit.save(torch.jit.trace(compute, example()), str(path))
    return path


def linear(first: Any, now: Any, factor: Any) -> Any:
    return now + (factor - 1) * (now - first)


def example() -> tuple[Any, Any, Any]:
    import torch

    return torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32), torch.full((1, 1, 1, 1), 2.0)


def test_a_users_network_magnifies(tmp_path: Path) -> None:
    clip = mouth(0.3).clip[:, :150, :141]
    file = save_network(tmp_path / "linear.pt", linear)
    found = find_magnifier("learned", file=file).magnify(clip, 4.0)
    real = clip.astype(np.float32)
    want = np.clip(real + 3 * (real - real[:1]), 0, 255)
    assert found.shape == clip.shape and np.abs(found - want).max() < 0.01


def test_networks_of_another_kind_are_refused(tmp_path: Path) -> None:
    import torch

    with pytest.raises(MissingFileError):
        LearnedMagnifier(tmp_path / "nowhere.pt")
    text = tmp_path / "text.pt"
    text.write_text("not a network")
    pickled = tmp_path / "pickled.pt"
    torch.save({"weights": torch.zeros(3)}, pickled)
    smaller = save_network(
        tmp_path / "smaller.pt", lambda first, now, factor: linear(first, now, factor)[:, :, ::2, ::2]
    )
    endless = save_network(tmp_path / "endless.pt", lambda first, now, factor: now / (factor * 0) + first)
    two = tmp_path / "two.pt"
    torch.jit.save(torch.jit.trace(lambda a, b: a + b, example()[:2]), str(two))
    for file in (text, pickled, smaller, endless, two):
        with pytest.raises(UnreadableFileError):
            LearnedMagnifier(file)


def test_code_that_reaches_for_files_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    good = save_network(tmp_path / "good.pt", linear)
    for at, foreign in enumerate(("torch.from_file('x')", "ops.image.read_file('x')", "def __setstate__(self): pass")):
        bad = tmp_path / f"bad{at}.pt"
        with zipfile.ZipFile(good) as held, zipfile.ZipFile(bad, "w") as out:
            for name in held.namelist():
                content = held.read(name)
                out.writestr(name, content + f"\n# {foreign}\n".encode() if name.endswith(".py") else content)
        with pytest.raises(UnreadableFileError, match="more than compute"):
            LearnedMagnifier(bad)
