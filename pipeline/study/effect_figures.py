"""Forest plot, raincloud, and the time course around the start of windows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.study.analysis import StudyResult
from pipeline.study.contrast import person_means
from pipeline.study.figures import HIGH, INK, LOW, SOFT, Picture, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pipeline.study.sessions import Course

FOREST_MOST = 30
CLOUDS_MOST = 4
COURSES_MOST = 4


def draw_forest(result: StudyResult, folder: Path) -> Picture:
    """Hedges g of the cues with the smallest p, with intervals."""
    rows = [row for row in result.effects.rows if row["g"] is not None]
    shown = rows[:FOREST_MOST]
    figure = new_figure(6.5, 1.2 + 0.24 * max(3, len(shown)))
    axes = figure.add_subplot()
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for at, row in enumerate(shown):
        sure = row["p_max_t"] is not None and row["p_max_t"] <= result.settings.alpha
        colour = HIGH if sure else INK
        if row["g_low"] is not None:
            axes.plot([row["g_low"], row["g_high"]], [-at, -at], color=colour, linewidth=1.4)
        axes.plot(row["g"], -at, "s" if sure else "o", color=colour, markersize=4.5)
    axes.set_yticks([-at for at in range(len(shown))], [_short(row["cue"]) for row in shown], fontsize=8)
    axes.set_ylim(-max(3, len(shown)) + 0.4, 0.6)
    low, high = result.table.label_values
    axes.set_xlabel(f"Hedges g ({100 - 100 * result.settings.alpha:g} % interval); right: greater in {_label(high)}")
    more = f" The {len(shown)} of {len(rows)} cues with the smallest p." if len(rows) > len(shown) else ""
    caption = (
        f"Hedges g, {_label(high)} minus {_label(low)}, over the average standard deviation of people's means; "
        "interval by bootstrap over people"
        + (" and items" if result.design.unit == "item" else "")
        + f".{more} Square and coloured: p (max-T over all cues) at most {result.settings.alpha:g}."
    )
    keys = ("cue", "g", "g_low", "g_high", "p", "p_fdr", "p_max_t", "bf10")
    data = [{key: row[key] for key in keys} for row in rows]
    return save_figure(figure, Picture("forest", "Effect sizes", caption), data, folder)


def draw_raincloud(result: StudyResult, folder: Path) -> Picture:
    """People's means under both labels: density, box, points, and lines between the two of one person."""
    names = [row["cue"] for row in result.effects.rows if row["g"] is not None][:CLOUDS_MOST]
    means, counts = person_means(result.table.values, result.table.label, result.design)
    people = sorted({str(one) for one in result.table.subject})
    figure = new_figure(6.8, 0.4 + 3.0 * ((max(1, len(names)) + 1) // 2))
    data: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        axes = figure.add_subplot((len(names) + 1) // 2, 2 if len(names) > 1 else 1, at + 1)
        column = result.table.names.index(name)
        sides = [np.where(counts[side, :, column] > 0, means[side, :, column], np.nan) for side in (0, 1)]
        if result.design.paired:
            for y0, y1 in zip(*sides, strict=True):
                axes.plot([0.12, 0.88], [y0, y1], color=SOFT, linewidth=0.4, alpha=0.6, zorder=1)
        for side, colour in ((0, LOW), (1, HIGH)):
            _draw_cloud(axes, sides[side][np.isfinite(sides[side])], side, colour)
            data += [
                {"cue": name, "label": result.table.label_values[side], "person": person, "mean": float(value)}
                for person, value in zip(people, sides[side], strict=True)
                if np.isfinite(value)
            ]
        axes.set_xticks([0, 1], [_label(word) for word in result.table.label_values])
        axes.set_xlim(-0.75, 1.75)
        axes.set_title(_short(name), fontsize=9)
    figure.supylabel("mean per person", fontsize=9)
    lines = " Lines join the two means of one person." if result.design.paired else ""
    caption = f"Means per person under each label, for the cues with the smallest p: density, quartiles, points.{lines}"
    return save_figure(figure, Picture("raincloud", "People's means", caption), data, folder)


def draw_courses(result: StudyResult, folder: Path) -> Picture | None:
    """Mean over people around the start of windows, by label; None without analysed sessions."""
    known = {one.cue: one for one in result.table.courses}
    names = [row["cue"] for row in result.effects.rows if row["cue"] in known][:COURSES_MOST]
    if not names:
        return None
    figure = new_figure(6.8, 0.4 + 2.5 * ((len(names) + 1) // 2))
    data: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        axes = figure.add_subplot((len(names) + 1) // 2, 2 if len(names) > 1 else 1, at + 1)
        axes.axvline(0, color=SOFT, linewidth=0.8)
        for side, colour in ((0, LOW), (1, HIGH)):
            rows = _course(result, known[name], side)
            data += [{"cue": name, "label": result.table.label_values[side], **row} for row in rows]
            t, mean, error = (np.array([row[key] for row in rows]) for key in ("time_s", "mean", "error"))
            axes.plot(t, mean, color=colour, linewidth=1.4, linestyle="-" if side else "--",
                      label=_label(result.table.label_values[side]))  # fmt: skip
            axes.fill_between(t, mean - error, mean + error, color=colour, alpha=0.18, linewidth=0)
        axes.set_title(_short(name), fontsize=9)
        axes.set_xlabel("time from the window's start, s")
        if at == 0:
            axes.legend(frameon=False, fontsize=8)
    caption = "Mean over people (each person's mean first), band: two standard errors."
    return save_figure(figure, Picture("time_course", "Time course around events", caption), data, folder)


def _course(result: StudyResult, course: Course, side: int) -> list[dict[str, Any]]:
    """Mean, two standard errors and number of people at each time with two people or more."""
    people = []
    for person in range(result.design.people):
        rows = course.values[(result.design.person == person) & (result.table.label == side)]
        known = np.isfinite(rows)
        n = known.sum(axis=0)
        people.append(np.divide(np.where(known, rows, 0).sum(axis=0), n, out=np.full(n.shape, np.nan), where=n > 0))
    values = np.stack(people)
    out = []
    for at, time in enumerate(course.times_s):
        one = values[np.isfinite(values[:, at]), at]
        if len(one) >= 2:
            error = 2 * float(one.std(ddof=1)) / np.sqrt(len(one))
            out.append({"time_s": float(time), "mean": float(one.mean()), "error": error, "people": len(one)})
    return out


def _draw_cloud(axes: Axes, values: np.ndarray, side: int, colour: str) -> None:
    from scipy.stats import gaussian_kde

    if not len(values):
        return
    outward = -1 if side == 0 else 1
    if len(values) >= 4 and values.std() > 0:
        grid = np.linspace(values.min() - 1.2 * values.std(), values.max() + 1.2 * values.std(), 120)
        density = gaussian_kde(values)(grid)
        edge = side + outward * (0.14 + 0.5 * density / density.max())
        axes.fill_betweenx(grid, side + outward * 0.14, edge, color=colour, alpha=0.35, linewidth=0)
    rng = np.random.default_rng(0)
    axes.plot(side - outward * 0.12 + rng.uniform(-0.03, 0.03, len(values)), values, "o", color=colour, markersize=2.4,
              alpha=0.8, zorder=2)  # fmt: skip
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    axes.plot([side, side], [low, high], color=colour, linewidth=5, alpha=0.9, solid_capstyle="butt", zorder=3)
    axes.plot(side, middle, "o", color="white", markersize=3.5, zorder=4)


def _label(word: str) -> str:
    return f"'{word}'"


def _short(name: str, most: int = 36) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
