"""Memory stays flat when a recording gets longer: the same video looped to many times its length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.speed_sessions import loop

_PEAK = """
import sys, threading, time, psutil
from pipeline import Analyzer, load_config
process, peak, done = psutil.Process(), [0], threading.Event()
def watch():
    while not done.wait(0.05):
        peak[0] = max(peak[0], process.memory_info().rss)
thread = threading.Thread(target=watch, daemon=True)
thread.start()
result = Analyzer(load_config()).run(sys.argv[1])
done.set(); thread.join()
print(peak[0] / 1e6, result.timeline.num_rows, result.timeline["face.valid"].to_pylist().count(True))
"""

_MANIFEST = """
name = "loop"
[consent]
scope = ["analyse"]
[[people]]
id = "p01"
[[streams]]
name = "face"
kind = "face_rgb"
file = "face.mp4"
"""


def peak_of(folder: Path) -> tuple[float, int, int]:
    """Peak resident memory in MB of a whole analysis, rows of the timeline, rows with a valid face."""
    run = subprocess.run([sys.executable, "-c", _PEAK, str(folder)], capture_output=True, text=True, check=True)
    peak, rows, valid = run.stdout.split()[-3:]
    return float(peak), int(rows), int(valid)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("longer", [4, pytest.param(10, marks=pytest.mark.long)])
def test_many_times_the_video_takes_the_same_memory(data_dir: Path, tmp_path: Path, longer: int) -> None:
    peaks = {}
    for times in (1, longer):
        folder = tmp_path / f"times{times}"
        folder.mkdir()
        (folder / "session.toml").write_text(_MANIFEST, encoding="utf-8")
        loop(data_dir / "video" / "WolfgangLanger_Pexels.mp4", folder / "face.mp4", times)
        peaks[times] = peak_of(folder)
    assert peaks[longer][1] == pytest.approx(longer * peaks[1][1], rel=0.02)
    assert peaks[longer][2] > 0.9 * peaks[longer][1]
    assert peaks[longer][0] < 1.15 * peaks[1][0], f"{peaks[1][0]:.0f} MB became {peaks[longer][0]:.0f} MB"
