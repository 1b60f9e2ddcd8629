"""Figures of the prediction: null distribution, calibration, decision curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.study.analysis import StudyResult
from pipeline.study.figures import HIGH, INK, LOW, SOFT, Picture, new_figure, save_figure
from pipeline.study.prediction import LEAKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_null(result: StudyResult, folder: Path) -> Picture:
    """AUC of labels permuted within the design, and the own one."""
    figure = new_figure(5.2, 2.8)
    axes = figure.add_subplot()
    null, own = result.prediction.null_auc, result.prediction.summary["auc"]
    counts, edges = np.histogram(null, bins=30)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=SOFT, alpha=0.6)
    axes.axvline(own, color=HIGH, linewidth=2)
    right = own > (edges[0] + edges[-1]) / 2
    axes.set_ylim(0, counts.max() * 1.15)
    axes.annotate(
        f" own {own:.2f} ", (own, counts.max() * 1.06), ha="right" if right else "left", color=HIGH, fontsize=9
    )
    axes.set_xlabel("AUC")
    axes.set_ylabel("permutations")
    _mark(figure, result)
    rows: list[dict[str, Any]] = [{"permutation": at, "auc": float(value)} for at, value in enumerate(null)]
    rows.append({"permutation": "own", "auc": own})
    caption = "AUC for labels permuted within the design, and for the labels themselves (line)."
    return save_figure(figure, Picture("permutation", "Against chance", caption), rows, folder)


def draw_calibration(result: StudyResult, folder: Path) -> Picture:
    """Observed share over predicted probability."""
    figure = new_figure(3.8, 3.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle="--")
    rows = list(result.prediction.calibration)
    axes.plot([row["predicted"] for row in rows], [row["observed"] for row in rows], "o", color=INK, markersize=5)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="predicted probability", ylabel="observed share")
    axes.set_aspect("equal")
    _mark(figure, result)
    caption = "Predicted probability against the observed share, in bins of equal size; on the line is calibrated."
    return save_figure(figure, Picture("calibration", "Calibration", caption), rows, folder)


def draw_decision(result: StudyResult, folder: Path) -> Picture:
    """Net benefit over the threshold."""
    figure = new_figure(5.2, 3.2)
    axes = figure.add_subplot()
    rows = list(result.prediction.decision)
    t = [row["threshold"] for row in rows]
    for name, colour, style, word in (
        ("all", LOW, "--", "call everybody"),
        ("none", SOFT, ":", "call nobody"),
        ("model", HIGH, "-", "by the cues"),
    ):
        axes.plot(t, [row[name] for row in rows], color=colour, linestyle=style, linewidth=1.6, label=word)
    share = float(result.table.label.mean())
    axes.set(xlim=(0, 1), ylim=(-0.3 * max(share, 0.1), share * 1.15), xlabel="threshold probability")
    axes.set_ylabel("net benefit")
    axes.legend(frameon=False, fontsize=8)
    _mark(figure, result)
    value = result.table.label_values[1]
    caption = (
        f"Net benefit of calling '{value}' by the cues, beside calling everybody or nobody so (Vickers & Elkin 2006)."
    )
    return save_figure(figure, Picture("decision_curve", "Decision curve", caption), rows, folder)


def _mark(figure: Figure, result: StudyResult) -> None:
    """Say it in the picture too where folds leak."""
    if result.prediction.leaks:
        figure.suptitle(f"{LEAKY}: folds share {result.prediction.leaks}", color="#b3261e", fontsize=8)
