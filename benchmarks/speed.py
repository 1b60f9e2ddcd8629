"""What an analysis costs: against the floor of third-party work, by step, and as sessions grow.

`python -m benchmarks.speed` measures in this order, each analysis in a process of its own: CPU time over the floor
(`speed_floor`, same files, same run) and by step; growth with length, with the face camera's frame rate and picture
size, with people; sessions per hour with one and two workers; results on a GPU and on the CPU where there is a GPU.
Nothing is asserted: machines differ. `--full` adds half an hour and longer clips; `--docs FOLDER` writes `speed.md` and
its picture, with the machine named; `--only NAME,...` measures some parts.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.speed_floor import measure_floor
from benchmarks.speed_run import STARTING, Cost, measure_analysis
from benchmarks.speed_sessions import LOOP_S, lengthen, make_session

Rows = list[dict[str, str]]
RATES = (25.0, 50.0, 100.0, 200.0)
SIZES = ((640, 480), (1280, 720), (1920, 1080))
MINUTES, FULL_MINUTES = (1, 3, 10), (1, 3, 10, 30)


class Bench:
    """Sessions, and what was measured on them.

    Args:
        folder: For the sessions; those that are there are used again.
        full: Longer ones.
    """

    def __init__(self, folder: Path, full: bool) -> None:
        self._folder, self._full = folder, full
        self._clip_s = 30.0 if full else 12.0
        self.costs: dict[str, list[tuple[float, Cost]]] = {}

    def base(self) -> Path:
        """One minute, 640x480 at 30 Hz, all channels."""
        return make_session(self._folder / "minute", LOOP_S)

    def floor(self) -> Rows:
        """Each step and each part of the floor."""
        cost, floor = measure_analysis(self.base()), measure_floor(self.base())
        ground = sum(floor.values())
        named = {name: spent for name, spent in cost.steps.items() if name != STARTING and spent >= 0.01 * cost.cpu_s}
        rest = cost.cpu_s - sum(named.values())
        rows = [
            *named.items(), ("everything else, imports and models too", rest), ("analyze, all", cost.cpu_s),
            *((f"floor: {name}", spent) for name, spent in floor.items()), ("floor, all", ground),
        ]  # fmt: skip
        table = [
            {"step": name, "CPU [s]": f"{spent:.2f}", "per second of session": f"{spent / cost.seconds:.3f}"}
            for name, spent in rows
        ]
        table.append(
            {"step": "analyze over floor", "CPU [s]": f"{cost.cpu_s / ground:.2f}", "per second of session": ""}
        )
        return table

    def length(self) -> Rows:
        """Sessions of 1, 3, 10 (and 30) minutes."""
        return self._grow(
            "minutes",
            [
                (minutes, lengthen(self.base(), self._folder / f"minutes{minutes}", minutes))
                for minutes in (FULL_MINUTES if self._full else MINUTES)
            ],
        )

    def rate(self) -> Rows:
        """Face cameras of 25 to 200 Hz."""
        return self._grow("frames per second", [
            (rate, make_session(self._folder / f"rate{rate:g}", self._clip_s, fps=rate)) for rate in RATES
        ])  # fmt: skip

    def size(self) -> Rows:
        """Face pictures of three sizes, by their megapixels."""
        return self._grow("megapixels", [
            (w * h / 1e6, make_session(self._folder / f"size{w}", self._clip_s, size=(w, h))) for w, h in SIZES
        ])  # fmt: skip

    def people(self) -> Rows:
        """One person and two, each with own cameras and signals."""
        return self._grow("people", [
            (n, make_session(self._folder / f"people{n}", self._clip_s, people=n)) for n in (1, 2)
        ])  # fmt: skip

    def workers(self) -> Rows:
        """Four sessions by one worker process and by two."""
        import subprocess

        study = self._folder / "study"
        for number in range(4):
            make_session(study / f"s{number + 1}", self._clip_s)
        rows, took = [], {}
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as out:
                started = time.monotonic()
                command = [sys.executable, "-c", "from pipeline.cli import main; main()", "batch", str(study)]
                subprocess.run([*command, "-o", f"{out}/results", "-j", str(workers)], capture_output=True, check=True)
                took[workers] = time.monotonic() - started
            rows.append({"workers": str(workers), "wall [s]": f"{took[workers]:.1f}",
                         "sessions per hour": f"{4 * 3600 / took[workers]:.0f}",
                         "times one worker": f"{took[1] / took[workers]:.2f}"})  # fmt: skip
        return rows

    def _grow(self, what: str, sessions: Sequence[tuple[float, Path]]) -> Rows:
        rows = []
        for value, session in sessions:
            cost = measure_analysis(session)
            self.costs.setdefault(what, []).append((value, cost))
            rows.append({
                what: f"{value:g}", "CPU per second": f"{cost.cpu_s / cost.seconds:.3f}",
                "wall per second": f"{cost.wall_s / cost.seconds:.3f}", "peak memory [MB]": f"{cost.peak_mb:.0f}",
            })  # fmt: skip
        return rows


PARTS: dict[str, str] = {
    "floor": "One minute, 640x480 at 30 Hz, body video, speech, ECG, EDA: CPU time",
    "length": "Growth with the session's length",
    "rate": "Growth with the face camera's frame rate",
    "size": "Growth with the size of the face camera's pictures",
    "people": "Growth with people",
    "workers": "Sessions per hour",
}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write the page if asked to."""
    from pipeline.cli.terminal import silence_native_libraries

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="half an hour too, and longer clips")
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write speed.md and its picture there")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the sessions there, and use those it holds")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",") if options.only else list(PARTS)
    for name in wanted:
        if name not in PARTS:
            parser.error(f"no part '{name}'; there are {', '.join(PARTS)}")
    silence_native_libraries()
    console = Console()
    tables: dict[str, Rows] = {}
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options.keep or Path(scratch), options.full)
        for name in wanted:
            part: Callable[[], Rows] = getattr(bench, name)
            tables[name] = part()
            console.print(_as_rich(PARTS[name], tables[name]))
        console.print(machine())
        if options.docs:
            from benchmarks.speed_page import write_page

            write_page(options.docs, {PARTS[name]: rows for name, rows in tables.items()}, bench.costs, machine())


def machine() -> str:
    """The machine, in words."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{os.cpu_count()} cores, {model}, {platform.system()}, Python {platform.python_version()}"


def _as_rich(title: str, rows: Rows) -> Table:
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row.values())
    return table


if __name__ == "__main__":
    main()
