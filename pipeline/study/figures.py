"""Figures ready for a paper: SVG and PNG, and the data of each as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
LOW, HIGH, INK, SOFT = "#2b6c99", "#b5532a", "#1d2129", "#7a818c"
"""Colours of the two labels (told apart in grey too), of text and of lines that only help."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure on disk.

    Attributes:
        name: Stem of `<name>.svg`, `.png`, `.csv`.
        title: Heading.
        caption: What is drawn, in sentences.
    """

    name: str
    title: str
    caption: str


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that no window system knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, picture: Picture, rows: Sequence[Mapping[str, Any]], folder: Path) -> Picture:
    """Write SVG, PNG and CSV of one figure."""
    import matplotlib

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "telltale", "font.size": 9}):
        figure.savefig(folder / f"{picture.name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{picture.name}.png", dpi=DPI)
    write_rows(rows, folder / f"{picture.name}.csv")
    return picture


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Rows of the same keys as CSV; empty cells for None."""
    with path.open("w", encoding="utf-8", newline="") as file:
        names = list(rows[0]) if rows else ["nothing"]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
