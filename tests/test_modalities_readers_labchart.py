"""LabChart text exports written here and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ManifestError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Signal
from data_schemas.time import NS_PER_S, Regular
from modalities.readers import open_stream, probe

HEADER = (
    "Interval=\t0.001 s\nExcelDateTime=\t4.5292500000000000e+004\t01/01/2024 12:00:00\nTimeFormat=\tStartOfBlock\n"
    "DateFormat=\t\nChannelTitle=\tECG\tGSR\nRange=\t10.000 mV\t40.000 uS\n"
)


def opened(root: Path, kind: str, **values: object) -> Signal | Marks:
    entry = StreamEntry.model_validate({"name": "s", "kind": kind, "file": "lab.txt", **values})
    stream = open_stream(entry, root, "p01")
    assert isinstance(stream, Signal | Marks)
    return stream


def rows(n: int, comments: dict[int, str] | None = None, timed: bool = True) -> str:
    said = comments or {}
    lines = []
    for at in range(n):
        cells = ([f"{at / 1000:.4f}"] if timed else []) + [f"{at / 100:.2f}", "NaN" if at == 5 else f"{2 + at / 1000}"]
        lines.append("\t".join(cells) + (f"\t#* {said[at]} " if at in said else ""))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("timed", [True, False])
def test_channels_units_and_comments(tmp_path: Path, timed: bool) -> None:
    (tmp_path / "lab.txt").write_text(HEADER + rows(200, {50: "question 1"}, timed), encoding="cp1252")
    heart, skin, marks = (opened(tmp_path, kind) for kind in ("ecg", "eda", "markers"))
    assert isinstance(heart, Signal) and isinstance(skin, Signal) and isinstance(marks, Marks)
    assert heart.axis == Regular.from_rate(1000, 200)
    assert heart.units == ("mV",) and skin.units == ("uS",)
    assert np.allclose(heart.values[:, 0], np.arange(200) / 100)
    assert np.flatnonzero(~skin.mask[:, 0]).tolist() == [5]
    assert [(row.onset_ns, row.label) for row in marks.rows] == [(50_000_000, "question 1")]
    assert heart.info.wall_start is not None and heart.info.wall_start.isoformat() == "2024-01-01T12:00:00"
    kinds = {track.kind for track in probe(tmp_path / "lab.txt").tracks}
    assert kinds == {"ecg", "eda", "markers"}


def test_blocks_lie_where_their_dates_say(tmp_path: Path) -> None:
    later = HEADER.replace("4.5292500000000000e+004", f"{45292.5 + 10 / 86400:.12f}")
    (tmp_path / "lab.txt").write_text(HEADER + rows(100) + later + rows(100), encoding="utf-8")
    heart = opened(tmp_path, "ecg")
    assert isinstance(heart, Signal)
    assert heart.axis.n == 200
    assert heart.axis.times_ns[100] == pytest.approx(10 * NS_PER_S, abs=1_000_000)
    assert len(heart.support) == 2
    assert any("2 blocks" in note for note in heart.info.notes)


def test_wrong_files_get_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "lab.txt").write_text(HEADER, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="no data"):
        opened(tmp_path, "ecg")
    (tmp_path / "lab.txt").write_text("ChannelTitle=\tECG\n0\t1\n1\t2\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="sampling interval"):
        opened(tmp_path, "ecg")
    (tmp_path / "lab.txt").write_text(HEADER + rows(20), encoding="utf-8")
    with pytest.raises(ManifestError, match="ECG, GSR"):
        opened(tmp_path, "respiration")


@pytest.mark.parametrize("interval", ["1e300 s", "inf s"])
def test_an_absurd_interval_is_no_time(interval: str, tmp_path: Path) -> None:
    header = "\n".join(f"Interval=\t{interval}" if "Interval" in line else line for line in HEADER.split("\n"))
    (tmp_path / "lab.txt").write_text(header + rows(5), encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"(?s)block 1.*lab\.txt"):
        opened(tmp_path, "ecg")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 700), st.integers(0, 700))
def test_damaged_exports_end_in_a_signal_or_one_message(
    tmp_path_factory: pytest.TempPathFactory, cut: int, size: int
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    text = HEADER + rows(30, {3: "a"})
    (root / "lab.txt").write_text(text[:cut] + text[cut + size :], encoding="utf-8")
    try:
        stream = opened(root, "ecg")
    except TelltaleError as error:
        assert "lab.txt" in str(error)
    else:
        assert stream.axis.n > 0
