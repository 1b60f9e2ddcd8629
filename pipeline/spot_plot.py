"""`telltale spot --plot`: the score over time, what was found in lanes below it, and faces at their apexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.intervals import runs_of
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S
from modalities.face.features import FEATURES
from pipeline.spot_thumbnails import Thumbnail, apex_s, cut_thumbnails, strongest
from pipeline.spotting import KINDS, SpottedVideo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from modalities.face.spotting.base import Spotter

MOST_FACES = 6
"""Expressions whose faces are shown."""
STRIP_S, MOST_STRIPS = 300.0, 12
"""A longer video is drawn in strips of about this length, one below the other, up to so many."""
LANES = {"micro": "#c0392b", "macro": "#2471a3", "blink": "#7f8c8d", "gaze_shift": "#b7950b"}
_WORDS = {"gaze_shift": "gaze shift"}
_WIDTH_IN, _LEFT_IN, _RIGHT_IN, _LANES_IN, _GAP_IN, _DPI = 14.0, 1.0, 0.2, 0.75, 0.06, 110
_POINTS = 4000
"""Points of a drawn curve; of more samples the greatest of each stretch is drawn."""
_LEAST_SHOWN = 0.0015
"""A shorter bar is drawn this wide, as a share of the strip."""


def draw_spots(found: SpottedVideo, file: Path, thresholds: Mapping[str, float]) -> None:
    """Draw one video into a PNG.

    Args:
        found: What was spotted.
        file: PNG to write; its folder must exist.
        thresholds: Score from which "micro" and "macro" count as found.

    Raises:
        UnreadableFileError: the video cannot be decoded again as far as its last expression.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    events = [event for event in found.encoding.events if event.kind in KINDS]
    shown = strongest(events, MOST_FACES)
    thumbnails = cut_thumbnails(cast(Video, found.stream), shown)
    strips = _strips(found)
    score_in = 1.7 if len(strips) == 1 else 1.1
    sheet = _Sheet(0.55 + len(strips) * (score_in + _LANES_IN + _GAP_IN + 0.4) + (2.75 if thumbnails else 0.45))
    FigureCanvasAgg(sheet.figure)
    counts = ", ".join(f"{sum(event.kind == kind for event in events)} {kind}" for kind in KINDS)
    spotter = found.encoding.parameters.get("spotter", "")
    sheet.write(0.3, f"{found.path.name}: {counts} (spotter {spotter})", fontsize=12, weight="bold")
    sheet.down = 0.55
    for strip in strips:
        score, lanes = sheet.add(score_in), sheet.add(_LANES_IN, after=0.4)
        _draw_score(score, found, strip, thresholds)
        _draw_numbers(score, shown, strip)
        _draw_lanes(lanes, found.encoding.events, strip)
        for axes in (score, lanes):
            axes.set_xlim(*strip)
            axes.spines[["top", "right"]].set_visible(False)
        score.tick_params(labelbottom=False)
    lanes.set_xlabel("time, s", labelpad=1)
    if thumbnails:
        sheet.down += 0.35
        _draw_faces(sheet, thumbnails)
    else:
        told = found.summary["problem"] or "no micro- or macro-expression was found"
        sheet.write(sheet.down + 0.25, told, fontsize=10, color="#566573")
    sheet.figure.savefig(file)


class _Sheet:
    """A figure that is filled from the top down; lengths in inches."""

    def __init__(self, height: float) -> None:
        from matplotlib.figure import Figure

        self.figure: Figure = Figure(figsize=(_WIDTH_IN, height), dpi=_DPI)
        self.height = height
        self.down = 0.0

    def place(self, left: float, width: float, top: float, height: float) -> Axes:
        """Axes at a place, measured from the left and the top."""
        rect = (left / _WIDTH_IN, 1 - (top + height) / self.height, width / _WIDTH_IN, height / self.height)
        return self.figure.add_axes(rect)

    def add(self, height: float, after: float = _GAP_IN) -> Axes:
        """Axes over the whole width below the last ones, and room after them."""
        axes = self.place(_LEFT_IN, _WIDTH_IN - _LEFT_IN - _RIGHT_IN, self.down, height)
        self.down += height + after
        return axes

    def write(self, top: float, text: str, left: float = _LEFT_IN, **style: Any) -> None:
        """Text at a place, measured from the left and the top to its base line."""
        self.figure.text(left / _WIDTH_IN, 1 - top / self.height, text, **style)


def thresholds_of(spotter: Spotter) -> dict[str, float]:
    """Score from which each kind counts as found: the spotter's `thresholds`, else 0.5."""
    told = getattr(spotter, "thresholds", None)
    return {kind: float(told[kind]) if told else 0.5 for kind in KINDS}


def _strips(found: SpottedVideo) -> list[tuple[float, float]]:
    """Stretches of equal length that cover the video, seconds."""
    times = found.stream.times_ns
    first, last = float(times[0]) / NS_PER_S, float(times[-1]) / NS_PER_S
    length = max(last - first, 1e-3)
    count = 1 if length <= 2 * STRIP_S else min(MOST_STRIPS, ceil(length / STRIP_S))
    return [(first + length * at / count, first + length * (at + 1) / count) for at in range(count)]


def _draw_score(axes: Axes, found: SpottedVideo, strip: tuple[float, float], thresholds: Mapping[str, float]) -> None:
    values, valid = found.encoding.track.column("expression_score")
    times = found.encoding.track.times_ns / NS_PER_S
    inside = (times >= strip[0]) & (times <= strip[1])
    t, v = thin_curve(times[inside], np.where(valid, values, np.nan)[inside].astype(np.float64))
    axes.plot(t, v, color="#1b2631", linewidth=0.8)
    for first, end in _stretches(times, ~valid):
        axes.axvspan(first, end, color="#ecf0f1", zorder=0, linewidth=0)
    behind = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}
    levels = sorted(set(thresholds.values()))
    for level in levels:
        kinds = [kind for kind, value in thresholds.items() if value == level]
        colour = LANES[kinds[0]] if len(levels) > 1 else "#7d3c98"
        axes.axhline(level, color=colour, linewidth=0.9, linestyle="--")
        what = "threshold" if len(levels) == 1 else f"{kinds[0]} threshold"
        axes.annotate(
            what,
            (1, level),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
            color=colour,
            bbox=behind,
        )
    axes.set_ylim(0, 1.45)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("score")


def thin_curve(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most `_POINTS` points, the greatest of each stretch, so that no peak is lost."""
    step = -(-len(times) // _POINTS)
    if step <= 1:
        return times, values
    whole = len(times) // step * step
    blocks = values[:whole].reshape(-1, step)
    empty = np.isnan(blocks).all(axis=1)
    greatest = np.where(empty, np.nan, np.max(np.where(np.isnan(blocks), -np.inf, blocks), axis=1))
    return times[:whole:step], greatest


def _stretches(times: NDArray[np.float64], where: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Runs of frames, as first and last time, widened by half a frame on both sides."""
    if not len(times):
        return []
    half = float(np.median(np.diff(times))) / 2 if len(times) > 1 else 0.02
    return [(float(times[first]) - half, float(times[end - 1]) + half) for first, end in runs_of(where)]


def _draw_numbers(axes: Axes, shown: Sequence[Event], strip: tuple[float, float]) -> None:
    """The numbers of the faces below, over the score; higher where they would stand in one another's way."""
    before, level = -np.inf, 0
    for number, event in enumerate(shown, start=1):
        apex = apex_s(event)
        if strip[0] <= apex <= strip[1]:
            level = (level + 1) % 3 if apex - before < 0.012 * (strip[1] - strip[0]) else 0
            before = apex
            place = (apex, 1.04 + 0.14 * level)
            axes.annotate(str(number), place, ha="center", fontsize=8, weight="bold", color=LANES[event.kind])


def _draw_lanes(axes: Axes, events: Sequence[Event], strip: tuple[float, float]) -> None:
    least = _LEAST_SHOWN * (strip[1] - strip[0])
    for lane, (kind, colour) in enumerate(LANES.items()):
        bars = []
        for event in events:
            onset, offset = event.onset_ns / NS_PER_S, event.offset_ns / NS_PER_S
            if event.kind != kind or offset < strip[0] or onset > strip[1]:
                continue
            middle, length = (onset + offset) / 2, max(offset - onset, least)
            bars.append((middle - length / 2, length))
        axes.broken_barh(bars, (-lane - 0.32, 0.64), facecolors=colour, linewidth=0, alpha=0.75)
    axes.set_yticks([-lane for lane in range(len(LANES))], [_WORDS.get(kind, kind) for kind in LANES], fontsize=8)
    axes.set_ylim(-len(LANES) + 0.4, 0.5)


def _draw_faces(sheet: _Sheet, thumbnails: Sequence[Thumbnail]) -> None:
    each = (_WIDTH_IN - _LEFT_IN - _RIGHT_IN) / MOST_FACES
    size = (each - 0.2) / 2
    for at, thumbnail in enumerate(thumbnails):
        event, left = thumbnail.event, _LEFT_IN + at * each
        title = f"{at + 1}  {event.kind} at {apex_s(event):.2f} s, score {event.score or 0:.2f}"
        sheet.write(sheet.down - 0.06, title, left, fontsize=8, color=LANES[event.kind], weight="bold")
        for side, (word, picture) in enumerate((("onset", thumbnail.onset), ("apex", thumbnail.apex))):
            axes = sheet.place(left + side * (size + 0.04), size, sheet.down, size)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel(word, fontsize=7, labelpad=2)
            if picture is not None:
                axes.imshow(picture)
        sheet.write(sheet.down + size + 0.25, _describe(event), left, fontsize=7.5, va="top", linespacing=1.35)


def _describe(event: Event, most: int = 4) -> str:
    """Length and size, then the class of emotion, then the action units in words, strongest first."""
    length = (event.offset_ns - event.onset_ns) / NS_PER_S
    size = event.details.get("movement_iod_percent")
    lines = [f"{length:.2f} s" + (f", {size:.1f} % of the eye distance" if size is not None else "")]
    emotion = event.details.get("emotion")
    if emotion:
        chances = emotion["probability"]
        likeliest = max(chances, key=chances.get)
        doubt = "unsure, perhaps " if emotion["class"] not in chances else ""
        lines.append(f"{doubt}{likeliest} ({chances[likeliest]:.2f})")
    aus = event.details.get("aus") or {}
    lines += [name_unit(name) for name in list(aus)[:most]]
    if len(aus) > most:
        lines.append(f"and {len(aus) - most} more")
    return "\n".join(lines)


def name_unit(name: str) -> str:
    """An action unit in words: "au12_left" is "AU12 lip corner puller, left"."""
    unit, _, side = name.partition("_")
    told = next((spec.description for spec in FEATURES if spec.name == unit), unit)
    words = told.partition(":")[0].partition(",")[0].partition(";")[0]
    return f"AU{int(unit.removeprefix('au'))} {words}" + (f", {side}" if side else "")
