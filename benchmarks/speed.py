"""Where the time goes: CPU time of each step against the floor of third-party work in the same run, and peak memory.

`python -m benchmarks.speed` simulates a session, analyses it, and measures bare decoding, bare face mesh and bare pose
on the same files. It asserts nothing: machines differ. `--seconds N` sets the length of the session.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table


class Stopwatch:
    """CPU seconds of this process per step, as progress reports come in."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._step = "start"
        self._since = time.process_time()

    def __call__(self, step: str, completed: int, total: int | None) -> None:
        """Attribute what was spent since the last report to the step that was running."""
        now = time.process_time()
        self.spent[self._step] = self.spent.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now

    def close(self) -> None:
        """Attribute the rest."""
        self(self._step, 0, None)


@contextmanager
def timed(spent: dict[str, float], name: str) -> Iterator[None]:
    """Add the CPU seconds of a block."""
    started = time.process_time()
    yield
    spent[name] = spent.get(name, 0.0) + time.process_time() - started


def measure_floor(session: Path) -> dict[str, float]:
    """CPU seconds of the unavoidable third-party work on the session's own files."""
    import av
    import cv2
    import mediapipe as mp

    spent: dict[str, float] = {}
    face, body = sorted(session.glob("face*.mp4"))[0], sorted(session.glob("body*.mp4"))[0]
    with timed(spent, "decode face video (PyAV)"), av.open(str(face)) as container:
        for frame in container.decode(video=0):
            frame.to_ndarray(format="rgb24")
    mesh = mp.solutions.face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    before = None
    with av.open(str(face)) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            with timed(spent, "face mesh (MediaPipe)"):
                mesh.process(image)
            with timed(spent, "DIS flow at 160 px"):
                small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (160, 160))
                if before is not None:
                    flow.calc(before, small, None)
                before = small
    pose = mp.solutions.pose.Pose(model_complexity=1)
    due = 0.0
    with av.open(str(body)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due:
                due = frame.time + 0.1
                image = frame.to_ndarray(format="rgb24")
                with timed(spent, "pose at 10 Hz (MediaPipe)"):
                    pose.process(image)
    return spent


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    from pipeline import Analyzer, load_config
    from pipeline.simulate.session import simulate_session

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the simulated session")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "session"
        simulate_session(session, seconds=options.seconds, seed=1, fidelity="rendered")
        Analyzer(load_config()).run(session)
        watch = Stopwatch()
        result = Analyzer(load_config()).run(session, watch)
        watch.close()
        floor = measure_floor(session)
    total, ground = sum(watch.spent.values()), sum(floor.values())
    table = Table(
        title=f"{options.seconds:g} s session, {os.cpu_count()} cores, {platform.machine()}", title_justify="left"
    )
    for heading in ("step", "CPU [s]", "per second of session"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for name, seconds in [*watch.spent.items(), ("analyze, all steps", total), *floor.items(), ("floor, all", ground)]:
        table.add_row(name, f"{seconds:.2f}", f"{seconds / options.seconds:.3f}")
    console = Console()
    console.print(table)
    console.print(
        f"analyze / floor = {total / ground:.2f}   rows {result.timeline.num_rows}   peak memory {_peak_mb():.0f} MB"
    )


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if platform.system() == "Darwin" else peak / 1e3


if __name__ == "__main__":
    main()
