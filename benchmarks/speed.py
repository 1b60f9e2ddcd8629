"""What an analysis costs: against the floor of third-party work, by step, and as sessions grow.

`python -m benchmarks.speed` measures in this order, each analysis in a process of its own: CPU time over the floor
(`speed_floor`, same files, same run) and by step; growth with length, with the face camera's frame rate and picture
size, with people; sessions per hour with one and two workers; how far the fused values of a
GPU are from those of the CPU, where there is a GPU; and what was aimed at beside what was measured. Nothing is
asserted: machines differ. It takes half an hour on two cores; `--full` takes longer clips; `--docs FOLDER` writes
`speed.md` and its picture, with the machine named; `--only NAME,...` measures some parts.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.speed_floor import measure_floor
from benchmarks.speed_run import STARTING, Cost, measure_analysis
from benchmarks.speed_sessions import LOOP_S, lengthen, make_session

Rows = list[dict[str, str]]
GOALS = "What was aimed at on two cores"
RATES = (25.0, 50.0, 100.0, 200.0)
SIZES = ((640, 480), (1280, 720), (1920, 1080))
MINUTES = (1, 3, 10, 30)


class Bench:
    """Sessions, and what was measured on them.

    Args:
        folder: For the sessions; those that are there are used again.
        full: Longer clips.

    Attributes:
        costs: By what grew: its value and the cost.
        reached: What was measured of `TARGETS`, by name.
    """

    def __init__(self, folder: Path, full: bool) -> None:
        self._folder = folder
        self._clip_s = 30.0 if full else 12.0
        self.costs: dict[str, list[tuple[float, Cost]]] = {}
        self.reached: dict[str, float] = {}

    def base(self) -> Path:
        """One minute, 640x480 at 30 Hz, all channels."""
        return make_session(self._folder / "minute", LOOP_S)

    def floor(self) -> Rows:
        """Each step and each part of the floor."""
        cost, floor = measure_analysis(self.base()), measure_floor(self.base())
        ground = sum(floor.values())
        self.reached["floor"], self.reached["real time"] = cost.cpu_s / ground, cost.wall_s / cost.seconds
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
        """Sessions of 1, 3, 10 and 30 minutes."""
        rows = self._grow(
            "minutes",
            [(minutes, lengthen(self.base(), self._folder / f"minutes{minutes}", minutes)) for minutes in MINUTES],
        )
        peaks = {minutes: cost.peak_mb for minutes, cost in self.costs["minutes"]}
        self.reached["memory"] = max(peaks.values()) / 1000
        self.reached["growth of memory"] = 100 * (peaks[max(peaks)] / peaks[3] - 1)
        return rows

    def rate(self) -> Rows:
        """Face cameras of 25 to 200 Hz."""
        rows = self._grow("frames per second", [
            (rate, make_session(self._folder / f"rate{rate:g}", self._clip_s, fps=rate)) for rate in RATES
        ])  # fmt: skip
        fastest = self.costs["frames per second"][-1][1]
        self.reached["200 Hz"] = fastest.wall_s / fastest.seconds
        return rows

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
        """Four sessions, and eight, by one worker process and by two: start and end of a batch weigh less in more.

        Beside them the bare third-party work of the eight, by one process and by two: what the machine gives.
        """
        import subprocess

        from benchmarks.speed_floor import time_floor

        per_hour: dict[tuple[str, int, int], float] = {}
        for sessions, workers in ((4, 1), (4, 2), (8, 1), (8, 2)):
            study = self._folder / f"study{sessions}"
            for number in range(sessions):
                make_session(study / f"s{number + 1}", self._clip_s)
            with tempfile.TemporaryDirectory() as out:
                started = time.monotonic()
                command = [sys.executable, "-c", "from pipeline.cli import main; main()", "batch", str(study)]
                subprocess.run([*command, "-o", f"{out}/results", "-j", str(workers)], capture_output=True, check=True)
                took = time.monotonic() - started
            per_hour["batch", sessions, workers] = 3600 * sessions / took
        for workers in (1, 2):
            every = [study / f"s{number + 1}" for number in range(8)]
            per_hour["third-party work alone", 8, workers] = 3600 * 8 / time_floor(every, workers)
        self.reached["two workers"] = per_hour["batch", 8, 2] / per_hour["batch", 8, 1]
        return [
            {"work": what, "sessions": str(sessions), "workers": str(workers), "sessions per hour": f"{reached:.0f}",
             "times one worker": f"{reached / per_hour[what, sessions, 1]:.2f}"}
            for (what, sessions, workers), reached in per_hour.items()
        ]  # fmt: skip

    def device(self) -> Rows:
        """The fused probabilities of one drawn session on each device that torch can use here, against the CPU's."""
        import numpy as np
        import torch

        from fusion.checkpoint import load_checkpoint
        from fusion.windows import session_joint
        from pipeline.simulate.tokens import simulate_tokens

        model, tokens = load_checkpoint(), simulate_tokens(1, 600.0).example().tokens
        usable = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        usable += ["mps"] if torch.backends.mps.is_available() else []
        joints = {}
        for name in usable:
            joints[name] = session_joint(model.network.to(name), tokens, model.decisions.temperature, name)
        apart = {name: float(np.abs(one - joints["cpu"]).max()) for name, one in joints.items()}
        return [{"device": name, "greatest difference from the CPU": f"{apart[name]:.1e}"} for name in usable]

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
    "device": "Fused probabilities by device",
}
TARGETS: dict[str, tuple[str, float, bool]] = {
    "real time": ("a minute with all channels: wall time per second of session", 1.0, False),
    "floor": ("CPU time over the floor of third-party work", 1.3, False),
    "memory": ("peak memory [GB]", 1.5, False),
    "growth of memory": ("its growth from 3 minutes to the longest session [%]", 5.0, False),
    "two workers": ("sessions per hour of two workers over one", 1.7, True),
    "200 Hz": ("face camera of 200 Hz: wall time per second of session", 2.0, False),
}
"""What was aimed at on two cores: in words, the bound, and whether it is the least."""


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write the page if asked to."""
    from pipeline.cli.terminal import silence_native_libraries

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="longer clips")
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
            if options.docs:
                _write(options, tables, bench)
        if bench.reached:
            console.print(_as_rich(GOALS, targets(bench.reached)))
        console.print(machine())


def _write(options: argparse.Namespace, tables: Mapping[str, Rows], bench: Bench) -> None:
    """Write the page with what was measured so far."""
    from benchmarks.speed_page import write_page

    command = f"python -m benchmarks.speed{' --full' if options.full else ''} --docs docs"
    goals = {GOALS: targets(bench.reached)} if bench.reached else {}
    titled = {PARTS[name]: rows for name, rows in tables.items()}
    write_page(options.docs, {**goals, **titled}, bench.costs, machine(), command)


def targets(reached: Mapping[str, float]) -> Rows:
    """What was aimed at beside what was measured."""
    rows = []
    for name, (words, bound, least) in TARGETS.items():
        if name in reached:
            value = reached[name]
            rows.append({"aim": words, "asked": f"{'>=' if least else '<='} {bound:g}", "measured": f"{value:.2f}",
                         "reached": "yes" if (value >= bound if least else value <= bound) else "no"})  # fmt: skip
    return rows


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
