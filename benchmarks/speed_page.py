"""The page `docs/speed.md` and its picture, from what `benchmarks.speed` measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.speed_run import Cost

_ABOUT = """# What an analysis costs

Measured by `{command}` on {machine}. Every row is one analysis
in a process of its own, tables and report included; CPU time counts all threads, start and imports too. The floor is
bare third-party work on the same files in the same run: decoding (PyAV), face mesh and pose (MediaPipe) at the rates of
the shipped settings, dense inverse search flow, neurokit2's ECG and EDA, one Fourier pass over the sound. Your machine
differs: run `make bench`.

Beyond the floor a face picture costs what takes the head's own motion out of the flow, registration, pupils, quality,
skin and lids, and four times a second the flow over two longer lags; a body picture costs the fingers; an expression is
decoded once more to tell its class, and for the report's pictures; starting costs some seconds of imports and models.
What two workers get done in an hour depends on what two cores of the machine have for them: beside their figures stands
what two processes of bare third-party work get done on the same sessions, sharing cores, caches and memory as they do.
Memory grows by about 1 kB for each face picture while the face is at work, by the signals, which are held as a whole,
by what each channel found, and by the timeline, which is the result: 330 columns 25 times a second, 2 MB a minute.
"""


def write_page(
    folder: Path,
    tables: Mapping[str, Sequence[Mapping[str, str]]],
    costs: Mapping[str, Sequence[tuple[float, Cost]]],
    machine: str,
    command: str,
) -> None:
    """Write `speed.md` and `pictures/speed.png`.

    Args:
        folder: Of the docs.
        tables: By title.
        costs: By what grew: its value and the cost.
        machine: In words.
        command: What was called.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_ABOUT.format(machine=machine, command=command)]
    if costs:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        _draw(costs, folder / "pictures" / "speed.png")
        parts.append("![CPU time and peak memory as sessions grow](pictures/speed.png)\n")
    for title, rows in tables.items():
        heads = list(rows[0])
        lines = [f"## {title}\n", f"| {' | '.join(heads)} |", "|---" + "|---:" * (len(heads) - 1) + "|"]
        lines += [f"| {' | '.join(row.values())} |" for row in rows]
        parts.append("\n".join(lines) + "\n")
    (folder / "speed.md").write_text("\n".join(parts), encoding="utf-8", newline="\n")


def _draw(costs: Mapping[str, Sequence[tuple[float, Cost]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(costs), figsize=(3.1 * len(costs), 5), squeeze=False, layout="constrained")
    for column, (what, points) in enumerate(costs.items()):
        at = [value for value, _ in points]
        above, below = axes[0][column], axes[1][column]
        above.plot(at, [cost.cpu_s / cost.seconds for _, cost in points], "o-", color="#3b6fb6")
        above.plot(at, [cost.wall_s / cost.seconds for _, cost in points], "s--", color="#8a8f98")
        below.plot(at, [cost.peak_mb for _, cost in points], "o-", color="#3f8f5f")
        above.set_title(what, fontsize=10)
        for axis in (above, below):
            axis.set_ylim(0, 1.08 * axis.get_ylim()[1])
            axis.grid(color="#e6e8ec")
            axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("seconds per second of session")
    axes[0][0].legend(["CPU", "wall"], frameon=False, fontsize=8)
    axes[1][0].set_ylabel("peak memory [MB]")
    figure.savefig(path, dpi=110)
    plt.close(figure)
