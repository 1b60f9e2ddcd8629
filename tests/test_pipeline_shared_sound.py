"""`init` on a folder whose camera and recorder heard the same."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from pipeline.inspect import write_manifest
from pipeline.manifest import load_manifest
from pipeline.steps import read, synchronize

RATE = 16_000


def speech(seconds: float, seed: int) -> np.ndarray:
    """Noise in syllables."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = np.interp(
        t, np.arange(0, seconds + 0.2, 0.2), rng.uniform(0, 1, len(np.arange(0, seconds + 0.2, 0.2))) ** 3
    )
    return (0.2 * envelope * rng.standard_normal(len(t))).astype(np.float32)


def film(path: Path, sound: np.ndarray, seconds: float) -> None:
    """A grey video with this sound track."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=10)
        picture.width, picture.height, picture.pix_fmt = 160, 120, "yuv420p"
        track = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for at in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90 + at % 5, np.uint8), "rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        whole = np.rint(sound * 32767).astype(np.int16)
        for first in range(0, len(whole), 1600):
            block = av.AudioFrame.from_ndarray(whole[None, first : first + 1600], "s16", "mono")
            block.sample_rate, block.pts = RATE, first
            container.mux(track.encode(block))
        container.mux(track.encode())


@pytest.mark.parametrize("same", [True, False])
def test_a_camera_that_heard_the_recorder_is_aligned_by_sound_and_a_stranger_is_not(tmp_path: Path, same: bool) -> None:
    long = speech(40, 1)
    soundfile.write(tmp_path / "recorder.wav", long, RATE)
    heard = long[round(7.25 * RATE) :][: 25 * RATE] if same else speech(25, 2)
    noise = 0.01 * np.random.default_rng(5).standard_normal(len(heard))
    film(tmp_path / "camera.mkv", (0.5 * heard + noise).astype(np.float32), 25)
    write_manifest(tmp_path, ["analyse"])
    manifest = load_manifest(tmp_path)
    kinds = {entry.file: [one.kind for one in manifest.streams if one.file == entry.file] for entry in manifest.streams}
    assert kinds["camera.mkv"] == ["face_rgb", "sync_audio" if same else "ignore"]
    assert manifest.clocks["camera"].align == ("sound" if same else "assumed")
    if same:
        session = synchronize(read(manifest, tmp_path))
        row = next(one for one in session.sync.streams if one.stream == "face_rgb")
        assert (row.method, row.verdict) == ("sound", "warn")
        assert row.offset_s == pytest.approx(7.25, abs=0.03)
        assert "hangs on clock 'recorder'" in row.why
