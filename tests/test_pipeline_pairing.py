"""`telltale sync pair`: what two files share is found out, compared, and told with the headers' disagreement."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingTrackError, NothingUsableError
from pipeline.cli.pair import split_columns
from pipeline.pairing import measure_pair
from pipeline.privacy import audit


def write_sound(path: Path, values: NDArray[np.float64], rate: int = 8000) -> Path:
    """A sound file."""
    import soundfile

    soundfile.write(str(path), values / np.abs(values).max() * 0.5, rate)
    return path


def bursts(seconds: float, seed: int, rate: int = 8000) -> NDArray[np.float64]:
    """Noise that comes and goes."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.random(int(seconds * 5)) ** 3, rate // 5)
    return np.asarray(rng.standard_normal(len(level)) * level)


def write_table(path: Path, columns: dict[str, NDArray[Any]]) -> Path:
    """A table with a header."""
    rows = np.column_stack(list(columns.values()))
    lines = [",".join(columns), *(",".join(f"{value:.6g}" for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_opensignals(path: Path, values: NDArray[np.float64], clock: str) -> Path:
    """A text file of a hub with three axes of acceleration, 100 Hz, that claims to have begun at `clock`."""
    header = {
        "00:07": {
            "sensor": ["XYZ", "XYZ", "XYZ"], "column": ["nSeq", "DI", "X", "Y", "Z"], "device": "biosignalsplux",
            "sampling rate": 100, "resolution": [16, 16, 16], "time": clock, "date": "2020-1-2",
        }
    }  # fmt: skip
    lines = ["# OpenSignals Text File Format", f"# {json.dumps(header)}", "# EndOfHeader"]
    for at, row in enumerate(values):
        lines.append("\t".join(str(value) for value in (at, 0, *np.rint(32768 + 300 * row).astype(int))))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def smooth(n: int, columns: int, seed: int, width: float = 4) -> NDArray[np.float64]:
    """Smooth random columns."""
    from scipy.ndimage import gaussian_filter1d

    out = gaussian_filter1d(np.random.default_rng(seed).standard_normal((n, columns)), width, axis=0)
    return np.asarray(out / out.std())


def test_sound_files(tmp_path: Path) -> None:
    world = bursts(30, 1)
    a, b = write_sound(tmp_path / "a.wav", world), write_sound(tmp_path / "b.flac", world[12 * 8000 :])
    found = measure_pair(a, b)
    assert found.method == "sound"
    assert found.lag_s is not None
    assert found.ci95_s is not None
    assert abs(found.lag_s - 12) < 0.001
    assert found.ci95_s[0] < 12 < found.ci95_s[1]
    back = measure_pair(b, a)
    assert back.lag_s is not None
    assert abs(back.lag_s + 12) < 0.001


def test_lag_is_that_at_the_start_of_b(tmp_path: Path) -> None:
    world = bursts(70, 2)
    drift = 200e-6
    own = np.interp(np.arange(0, 50, 1 / 8000) * (1 + drift) + 5, np.arange(len(world)) / 8000, world)
    found = measure_pair(write_sound(tmp_path / "a.wav", world), write_sound(tmp_path / "b.wav", own))
    assert found.lag_s is not None
    assert abs(found.lag_s - 5) < 0.0005
    assert found.drift_ppm is not None
    assert abs(found.drift_ppm - 200) < 5


def test_headers_that_disagree_are_named(tmp_path: Path) -> None:
    world = smooth(4000, 3, 3)
    a = write_opensignals(tmp_path / "a.txt", world, "10:00:0.250")
    b = write_opensignals(tmp_path / "b.txt", world[1500:], "10:00:17.750")
    found = measure_pair(a, b)
    assert found.method == "motion"
    assert found.lag_s is not None
    assert abs(found.lag_s - 15) < 0.005
    said = [warning for warning in found.warnings if "wall clocks" in warning]
    assert len(said) == 1
    assert "2.500 s" in said[0]
    honest = write_opensignals(tmp_path / "c.txt", world[1500:], "10:00:15.250")
    assert not any("wall clocks" in warning for warning in measure_pair(a, honest).warnings)


def test_columns_rates_and_markers(tmp_path: Path) -> None:
    world = smooth(6000, 3, 4)
    a = write_table(tmp_path / "a.csv", {"acc_x": world[:, 0], "acc_y": world[:, 1], "acc_z": world[:, 2]})
    b = write_table(tmp_path / "b.csv", {"first": world[900:, 0], "second": world[900:, 1]})
    with pytest.raises(NothingUsableError, match="--columns"):
        measure_pair(a, b, rate_hz=100)
    named = (("ACC_X", "acc_y"), ("first", "second"))
    with pytest.raises(InvalidValueError, match="--rate"):
        measure_pair(a, b, columns=named)
    found = measure_pair(a, b, columns=named, rate_hz=100)
    assert found.lag_s is not None
    assert abs(found.lag_s - 9) < 0.005
    with pytest.raises(MissingTrackError, match="acc_x"):
        measure_pair(a, b, columns=(("nose",), ("first",)), rate_hz=100)
    onsets = np.cumsum(np.random.default_rng(4).uniform(1, 4, 20))
    one = write_table(tmp_path / "one.csv", {"onset": onsets, "duration": onsets * 0})
    other = write_table(tmp_path / "other.csv", {"onset": onsets[3:] - 4.5, "duration": onsets[3:] * 0})
    events = measure_pair(one, other)
    assert events.method == "events"
    assert events.lag_s is not None
    assert abs(events.lag_s - 4.5) < 0.001


def test_columns_are_split() -> None:
    assert split_columns(None) == ((), ())
    assert split_columns("x, y") == (("x", "y"), ("x", "y"))
    assert split_columns("x,y/a,b") == (("x", "y"), ("a", "b"))
    for text in ("", "x,,y", "a/b/c"):
        with pytest.raises(InvalidValueError):
            split_columns(text)


def test_the_command(tmp_path: Path, telltale: Callable[..., Any]) -> None:
    world = bursts(20, 5)
    a, b = write_sound(tmp_path / "a.wav", world), write_sound(tmp_path / "b.wav", world[3 * 8000 :])
    stranger = write_sound(tmp_path / "c.wav", bursts(20, 6))
    done = telltale("sync", "pair", a, b, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert list(answer) == ["lag_s", "ci95_s", "drift_ppm", "confidence", "method", "warnings"]
    assert abs(answer["lag_s"] - 3) < 0.001
    assert answer["ci95_s"][0] < answer["lag_s"] < answer["ci95_s"][1]
    log = (Path(os.environ["TELLTALE_HOME"]) / audit.NAME).read_text(encoding="utf-8").splitlines()
    assert '"sync pair"' in log[-1] and "a.wav" not in log[-1]
    done = telltale("sync", "pair", a, stranger)
    assert done.returncode == 1
    assert "warning" in done.stderr
    done = telltale("sync", "pair", a, tmp_path / "none.wav", "--json")
    assert done.returncode == 2
    assert "error" in json.loads(done.stdout)


def test_the_real_pairs(data_dir: Path) -> None:
    folder = data_dir / "sync"
    motion = measure_pair(folder / "sync_acc_1.txt", folder / "sync_acc_2.txt")
    assert motion.lag_s is not None
    assert abs(motion.lag_s - 17.604) <= 0.003
    assert any("4.4" in warning for warning in motion.warnings)
    sound = measure_pair(folder / "timbl_1.mp3", folder / "timbl_2.mp3")
    assert sound.lag_s is not None
    assert abs(sound.lag_s - 12.254) < 0.02
    assert sound.confidence >= 0.8
