"""AcqKnowledge text exports written here and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Signal
from data_schemas.time import Regular
from modalities.readers import open_stream, probe


def opened(root: Path, kind: str, **values: object) -> Signal:
    entry = StreamEntry.model_validate({"name": "s", "kind": kind, "file": "rec.txt", **values})
    stream = open_stream(entry, root, "p01")
    assert isinstance(stream, Signal)
    return stream


def export(n: int = 100, d: str = "\t", scale: str | None = "min", interval: str = "0.5 msec/sample") -> str:
    unit_s = {"min": 60.0, "sec": 1.0, "msec": 1e-3, None: 1.0}[scale]
    head = ["rec.acq", interval, "2 channels", "ECG, X, RSPEC-R", "mV", "Skin conductance", "microsiemens"]
    lead = [scale] if scale else []
    head.append(d.join([*lead, "CH1", "CH2"]) + d)
    head.append(d.join([*([""] if scale else []), str(n), str(n)]) + d)
    body = []
    for at in range(n):
        time = [f"{(2 + at * 0.0005) / unit_s:.8f}"] if scale else []
        body.append(d.join([*time, f"{at / 10}", f"{3 + at / 1000}"]) + d)
    return "\r\n".join([*head, *body]) + "\r\n"


@pytest.mark.parametrize("scale", ["min", "sec", "msec", None])
@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_channels_rate_and_units(tmp_path: Path, scale: str | None, delimiter: str) -> None:
    (tmp_path / "rec.txt").write_text(export(d=delimiter, scale=scale), encoding="utf-8", newline="")
    heart, skin = opened(tmp_path, "ecg"), opened(tmp_path, "eda")
    start = 0 if scale is None else 2_000_000_000
    assert isinstance(heart.axis, Regular) and heart.axis.rate_hz == pytest.approx(2000) and heart.axis.n == 100
    assert heart.axis.start_ns == pytest.approx(start, abs=400_000)
    assert heart.units == ("mV",) and skin.units == ("uS",)
    assert np.allclose(heart.values[:, 0], np.arange(100) / 10)
    assert np.allclose(skin.values[:, 0], 3 + np.arange(100) / 1000)
    info = probe(tmp_path / "rec.txt")
    assert info.format == "biopac_text"
    assert [(track.kind, track.rate_hz, track.n) for track in info.tracks] == [("ecg", 2000, 100), ("eda", 2000, 100)]


def test_other_ways_to_state_the_rate(tmp_path: Path) -> None:
    (tmp_path / "rec.txt").write_text(export(interval="250 samples/second"), encoding="utf-8", newline="")
    assert opened(tmp_path, "ecg").axis.rate_hz == pytest.approx(250)


def test_wrong_files_get_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "rec.txt").write_text("rec.acq\n0.5 msec/sample\nmore\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="include header"):
        opened(tmp_path, "ecg")
    (tmp_path / "rec.txt").write_text("rec.acq\n0.5 msec/sample\n3 channels\nECG\nmV\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="cut off"):
        opened(tmp_path, "ecg")
    (tmp_path / "rec.txt").write_text(export(), encoding="utf-8", newline="")
    with pytest.raises(MissingTrackError, match="Skin conductance"):
        opened(tmp_path, "eda", columns=["Skin conductanc"])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 900), st.integers(0, 900))
def test_damaged_exports_end_in_a_signal_or_one_message(
    tmp_path_factory: pytest.TempPathFactory, cut: int, size: int
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    text = export(30)
    (root / "rec.txt").write_text(text[:cut] + text[cut + size :], encoding="utf-8", newline="")
    try:
        stream = opened(root, "ecg", rate_hz=2000)
    except TelltaleError as error:
        assert "rec.txt" in str(error)
    else:
        assert stream.axis.n > 0
