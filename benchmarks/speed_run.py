"""One analysis in a process of its own, measured: `python -m benchmarks.speed_run SESSION` prints one JSON object.

As `telltale analyze` does it: the result is written, report and tables. CPU time counts all threads. The first second
of a process (imports, models) is in it, as users pay it too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

STARTING, WRITING = "start", "tables and report"


class Stopwatch:
    """CPU seconds of this process per step, as progress reports come in."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._step = STARTING
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


@dataclass(frozen=True)
class Cost:
    """What one analysis took.

    Attributes:
        seconds: Length of the session.
        cpu_s: CPU seconds of all threads.
        wall_s: Seconds by the clock on the wall.
        peak_mb: Greatest resident memory.
        steps: CPU seconds by step.
    """

    seconds: float
    cpu_s: float
    wall_s: float
    peak_mb: float
    steps: dict[str, float] = field(default_factory=dict)


def measure_analysis(session: Path, threads: int | None = None) -> Cost:
    """Analyse a session in a new process.

    Args:
        session: Session folder.
        threads: Of the numerical libraries; as they come by default.
    """
    environment = dict(os.environ)
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed_run", str(session)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"the analysis of {session} failed: {run.stderr[-2000:]}")
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def main() -> None:
    """Analyse the session that the command line names, and print its cost."""
    started = time.monotonic()
    from pipeline import Analyzer, load_config

    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as out:
        result = Analyzer(load_config()).run(Path(sys.argv[1]), watch)
        watch(WRITING, 0, None)
        result.save(out)
        watch.close()
    cost = Cost(result.record.duration_s, time.process_time(), time.monotonic() - started, peak_mb(), watch.spent)
    sys.stdout.write(json.dumps(vars(cost)) + "\n")


def peak_mb() -> float:
    """Greatest resident memory of this program so far, MB.

    Linux's rusage counts what the process was before it became this program, so that a large parent shows in it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(kilobytes) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        import psutil

        return float(getattr(psutil.Process().memory_info(), "peak_wset")) / 1e6  # noqa: B009 - on Windows alone
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()
