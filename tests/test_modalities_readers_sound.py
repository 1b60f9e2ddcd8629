"""Sound files: samples, channels, blocks, pulse channels, chapters, broken files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.errors import ManifestError, MissingTrackError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio
from modalities.readers import open_stream, probe

RATE = 16_000


def stereo(n: int = 20_000) -> np.ndarray:
    t = np.arange(n) / RATE
    return np.stack([0.5 * np.sin(2 * np.pi * 220 * t), (t % 0.1 < 0.02) * 0.8], axis=1)


def audio(root: Path, **values: object) -> Audio:
    stream = open_stream(StreamEntry.model_validate({"name": "voice", "kind": "audio", **values}), root, "p01")
    assert isinstance(stream, Audio)
    return stream


@pytest.mark.parametrize(
    "suffix,subtype", [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_24"), ("aiff", "PCM_16")]
)
def test_lossless_formats(tmp_path: Path, suffix: str, subtype: str) -> None:
    soundfile.write(str(tmp_path / f"s.{suffix}"), stereo(), RATE, subtype=subtype)
    stream = audio(tmp_path, file=f"s.{suffix}")
    assert (stream.rate_hz, stream.channels, stream.axis.n, stream.axis.start_ns) == (RATE, 2, 20_000, 0)
    step = {"PCM_16": 2**-15, "PCM_24": 2**-23, "FLOAT": 2**-24}[subtype]
    whole = stream.source(0, 30_000)
    assert whole.dtype == np.float32 and whole.shape == (20_000, 2)
    assert np.abs(whole - stereo()).max() <= step
    for first, count in ((19_990, 50), (0, 3), (7_000, 400), (6_999, 2), (20_000, 5)):
        assert np.array_equal(stream.source(first, count), whole[first : first + count])
    joined = np.concatenate(
        [block[: 3_000 if first + 4_000 < 20_000 else None] for first, block in stream.blocks(4_000, 1_000)]
    )
    assert np.array_equal(joined, whole)
    assert np.array_equal(pickle.loads(pickle.dumps(stream.source))(5, 5), whole[5:10])


def test_lossy_formats(tmp_path: Path) -> None:
    for suffix in ("ogg", "mp3"):
        soundfile.write(str(tmp_path / f"s.{suffix}"), stereo(48_000), RATE)
        stream = audio(tmp_path, file=f"s.{suffix}")
        assert abs(stream.axis.n - 48_000) <= 2_400
        whole = stream.source(0, stream.axis.n)
        assert np.abs(whole[8_000:40_000, 0]).max() == pytest.approx(0.5, abs=0.1)
        assert np.allclose(stream.source(10_000, 100), whole[10_000:10_100], atol=1e-3), suffix


def test_channels(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "s.wav"), stereo(), RATE)
    assert probe(tmp_path / "s.wav").tracks[0].columns == ("0", "1")
    left = audio(tmp_path, file="s.wav", columns=["0"])
    assert left.channels == 1 and np.abs(left.source(0, 999)[:, 0] - stereo(999)[:, 0]).max() < 1e-4
    pulses = open_stream(StreamEntry(name="sync", kind="pulse", file="s.wav", columns=["1"]), tmp_path, None)
    assert isinstance(pulses, Audio)
    assert pulses.channels == 1 and pulses.axis == left.axis
    assert np.abs(pulses.source(0, 999)[:, 0] - stereo(999)[:, 1]).max() < 1e-4
    with pytest.raises(MissingTrackError, match="one of 0, 1"):
        audio(tmp_path, file="s.wav", columns=["2"])
    with pytest.raises(ManifestError, match="which of 2 channels"):
        open_stream(StreamEntry(name="sync", kind="pulse", file="s.wav"), tmp_path, None)
    with pytest.raises(ManifestError, match="does not fit"):
        open_stream(StreamEntry(name="x", kind="ecg", file="s.wav"), tmp_path, None)


def test_chapters(tmp_path: Path) -> None:
    whole = stereo()
    soundfile.write(str(tmp_path / "a.wav"), whole[:12_345], RATE, subtype="FLOAT")
    soundfile.write(str(tmp_path / "b.wav"), whole[12_345:], RATE, subtype="FLOAT")
    stream = audio(tmp_path, files=["a.wav", "b.wav"])
    assert stream.axis.n == 20_000
    assert np.array_equal(stream.source(12_000, 1_000), whole[12_000:13_000].astype(np.float32))
    soundfile.write(str(tmp_path / "c.wav"), whole, 8_000)
    with pytest.raises(ManifestError, match="differ in rate"):
        audio(tmp_path, files=["a.wav", "c.wav"])


def test_cut_off_and_broken(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "s.wav"), stereo(), RATE, subtype="PCM_16")
    data = (tmp_path / "s.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    cut = audio(tmp_path, file="cut.wav")
    assert 9_000 < cut.axis.n < 10_001 and len(cut.source(0, 20_000)) == cut.axis.n
    for length in (20, 44):
        (tmp_path / "head.wav").write_bytes(data[:length])
        with pytest.raises(UnreadableFileError, match=r"head\.wav"):
            audio(tmp_path, file="head.wav")
