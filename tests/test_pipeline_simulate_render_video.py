"""Written videos: exact times, lossless where promised, clear refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, UnreadableFileError
from pipeline.simulate.video import write_video


def pictures(n: int, seed: int = 0) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    base = np.kron(rng.integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    for i in range(n):
        yield np.roll(base, 2 * i, axis=1)  # whole steps of the colour's half resolution, which would blur others


def read(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    return np.array([time for time, _ in frames]), [picture for _, picture in frames]


@given(
    start=st.floats(0, 20),
    steps=st.lists(st.floats(0.002, 0.4), min_size=0, max_size=24),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mp4_keeps_variable_times_to_a_tick(tmp_path: Path, start: float, steps: list[float]) -> None:
    times = start + np.r_[0.0, np.cumsum(steps)]
    write_video(tmp_path / "v.mp4", pictures(len(times)), times)
    found, frames = read(tmp_path / "v.mp4")
    assert len(found) == len(times)
    assert np.abs(found - times).max() <= 0.5 / 90_000 + 1e-9
    assert all(np.abs(a.astype(float) - b).mean() < 12 for a, b in zip(frames, pictures(len(times)), strict=True))


def test_ffv1_is_lossless_and_keeps_milliseconds(tmp_path: Path) -> None:
    times = 0.25 + np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 20))
    calls: list[tuple[str, int, int | None]] = []
    write_video(tmp_path / "v.mkv", pictures(20), times, codec="ffv1", hook=lambda *call: calls.append(call))
    found, frames = read(tmp_path / "v.mkv")
    assert np.abs(found - times).max() <= 0.00051
    assert all(np.array_equal(a, b) for a, b in zip(frames, pictures(20), strict=True))
    assert calls[-1] == ("video", 20, 20)


def test_wrong_calls_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    for times in ([0.0, 0.1, 0.1], [0.0, 0.2, 0.1], [-0.1, 0.0, 0.1], [0.0, np.nan, 0.1], []):
        with pytest.raises(InvalidValueError):
            write_video(path, pictures(3), np.array(times))
    for n in (2, 4):
        with pytest.raises(InvalidValueError, match="every frame needs one time"):
            write_video(path, pictures(n), np.arange(3) / 30)
        assert not path.exists()
    with pytest.raises(InvalidValueError, match="even width"):
        write_video(path, (p[:47] for p in pictures(3)), np.arange(3) / 30)
    with pytest.raises(InvalidValueError, match="one size"):
        write_video(path, (p[: 48 - 2 * i] for i, p in enumerate(pictures(3))), np.arange(3) / 30)
    with pytest.raises(InvalidValueError, match="unknown video codec"):
        write_video(path, pictures(3), np.arange(3) / 30, codec="mpeg1")
    with pytest.raises(InvalidValueError, match="this ending"):
        write_video(path, pictures(3), np.arange(3) / 30, codec="ffv1")
    with pytest.raises(UnreadableFileError, match="cannot be written"):
        write_video(tmp_path / "nowhere" / "v.mp4", pictures(3), np.arange(3) / 30)


def test_the_same_pictures_give_the_same_file_every_time(tmp_path: Path) -> None:
    """x264 as it is gives some ten different files of these, where the processor has AVX-512."""
    rng = np.random.default_rng(1)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(350, 490, 3)), axis=0), axis=1)
    smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    noise = rng.normal(0, 2, (80, *smooth.shape))
    frames = [np.clip(np.roll(smooth, (i, 2 * i), (0, 1)) + noise[i], 0, 255).astype(np.uint8) for i in range(80)]
    files = [tmp_path / f"{run}.mp4" for run in range(10)]
    for file in files:
        write_video(file, iter(frames), np.arange(80) / 15)
    assert len({file.read_bytes() for file in files}) == 1
