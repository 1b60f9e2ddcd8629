"""Planted beside found: how a result compares with the truth of a simulated session."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.emotion import EMOTIONS
from data_schemas.event import Event
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S, to_s

if TYPE_CHECKING:
    from pipeline.outcome import Result
    from pipeline.simulate.truth import Truth

IOU = 0.5
"""Least intersection over union at which an expression counts as found (the rule of the MEGC challenges)."""


@dataclass(frozen=True)
class Matched:
    """One kind of event: planted, found, and which belong together.

    Attributes:
        planted: Planted events by onset.
        found: Found events by onset.
        pairs: (planted index, found index), one to one.
    """

    planted: tuple[Event, ...]
    found: tuple[Event, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def recall(self) -> float:
        """Share of the planted events that were found; NaN when none was planted."""
        return len(self.pairs) / len(self.planted) if self.planted else float("nan")

    @property
    def precision(self) -> float:
        """Share of the found events that were planted; NaN when none was found."""
        return len(self.pairs) / len(self.found) if self.found else float("nan")


def match(planted: Sequence[Event], found: Sequence[Event], closeness: Callable[[Event, Event], float]) -> Matched:
    """Pair events one to one, the closest first.

    Args:
        planted: Truth.
        found: What the analysis gave.
        closeness: Greater is closer; 0 or less is no match.
    """
    scores = [(closeness(p, f), i, j) for i, p in enumerate(planted) for j, f in enumerate(found)]
    pairs: list[tuple[int, int]] = []
    for score, i, j in sorted(scores, reverse=True):
        if score > 0 and all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return Matched(tuple(planted), tuple(found), tuple(sorted(pairs)))


def by_overlap(least: float = IOU) -> Callable[[Event, Event], float]:
    """Closeness by intersection over union, 0 below `least`."""

    def closeness(a: Event, b: Event) -> float:
        iou = Interval(a.onset_ns, a.offset_ns).iou(Interval(b.onset_ns, b.offset_ns))
        return iou if iou >= least else 0.0

    return closeness


def by_distance(limit_s: float, moment: Callable[[Event], int]) -> Callable[[Event, Event], float]:
    """Closeness by the distance of one moment of each event, 0 beyond `limit_s`."""
    return lambda a, b: limit_s - abs(to_s(moment(a) - moment(b)))


def apex(event: Event) -> int:
    """Apex, or the middle where there is none."""
    return event.apex_ns if event.apex_ns is not None else (event.onset_ns + event.offset_ns) // 2


RULES: dict[str, Callable[[Event, Event], float]] = {
    "macro": by_overlap(),
    "micro": by_overlap(),
    "blink": by_distance(0.2, apex),
    "r_peak": by_distance(0.05, apex),
    "scr": by_distance(1.0, lambda event: event.onset_ns),
    "speech_turn": by_overlap(),
    "pause": by_overlap(),
    "hand_to_face": by_overlap(0.3),
    "incongruence": by_overlap(0.3),
}
"""When an event counts as found: expressions and hand-to-face by IoU >= 0.5 and 0.3, blinks and R peaks by their apex,
SCRs by onset within 1 s, speech turns and pauses by IoU >= 0.5, incongruences by IoU >= 0.3."""


def match_all(truth: Truth, result: Result) -> dict[str, Matched]:
    """All kinds of planted events against what was found of the same kind, by `RULES`."""
    return {
        kind: match(truth.of_kind(kind), [event for event in result.events if event.kind == kind], rule)
        for kind, rule in RULES.items()
    }


def compare(truth: Truth, result: Result) -> list[dict[str, Any]]:
    """One row per measure: what was planted, what was found, and how far apart they are, the bad rows too."""
    rows = [_event_row(kind, matched) for kind, matched in match_all(truth, result).items()]
    rows += [_rate_row(truth, result), _pitch_row(truth, result), *clock_rows(truth, result)]
    return [*rows, *_fused_rows(truth, result)]


def _row(
    measure: str, planted: Any, found: Any, extra: int | None = None, error: float | None = None, of: str = ""
) -> dict[str, Any]:
    shown = None if error is None or error != error else round(error, 4)
    return {"measure": measure, "planted": planted, "found": found, "extra": extra, "error": shown, "error_of": of}


def expression_rows(truth: Truth, result: Result) -> list[dict[str, Any]]:
    """Every planted expression beside the one found for it, and found ones that nobody planted."""
    rows: list[dict[str, Any]] = []
    for kind in ("macro", "micro"):
        matched = match_all(truth, result)[kind]
        partner = dict(matched.pairs)
        for i, planted in enumerate(matched.planted):
            found = matched.found[partner[i]] if i in partner else None
            rows.append({"kind": kind, **_span("planted", planted), **_span("found", found)})
        taken = {j for _, j in matched.pairs}
        for j, extra in enumerate(matched.found):
            if j not in taken:
                rows.append({"kind": kind, **_span("planted", None), **_span("found", extra)})
    return sorted(rows, key=lambda row: float((row["planted_s"] or row["found_s"]).split(" ")[0]))


def _span(side: str, event: Event | None) -> dict[str, Any]:
    if event is None:
        return {f"{side}_s": "", f"{side}_label": ""}
    span = f"{to_s(event.onset_ns):.2f} to {to_s(event.offset_ns):.2f}, apex {to_s(apex(event)):.2f}"
    return {f"{side}_s": span, f"{side}_label": re.sub(r"AU0(\d)", r"AU\1", event.label)}


def _event_row(kind: str, matched: Matched) -> dict[str, Any]:
    errors = [abs(to_s(apex(matched.planted[i]) - apex(matched.found[j]))) for i, j in matched.pairs]
    extra = len(matched.found) - len(matched.pairs)
    middle = float(np.median(errors)) if errors else None
    return _row(f"{kind} events", len(matched.planted), len(matched.pairs), extra, middle, "apex, median [s]")


def _rate_row(truth: Truth, result: Result) -> dict[str, Any]:
    planted = truth.tracks["heart_rate_bpm"]
    values, valid = _at(result, truth, "physiology.heart_rate_bpm")
    if not valid.any():
        return _row("heart rate [bpm]", round(float(planted.mean()), 1), None)
    error = float(np.median(np.abs(values[valid] - planted[valid])))
    there, here = (round(float(track[valid].mean()), 1) for track in (planted, values))
    return _row("heart rate [bpm]", there, here, error=error, of="median [bpm]")


def pitch_error(truth: Truth, result: Result) -> float:
    """Median relative error of pitch where speech was planted as voiced and pitch was found; NaN without any."""
    planted = truth.tracks["f0_hz"]
    values, valid = _at(result, truth, "voice.pitch_hz")
    both = valid & truth.tracks["voiced"].astype(bool)
    return float(np.median(np.abs(values[both] / planted[both] - 1))) if both.any() else float("nan")


def _pitch_row(truth: Truth, result: Result) -> dict[str, Any]:
    planted = truth.tracks["f0_hz"]
    values, valid = _at(result, truth, "voice.pitch_hz")
    both = valid & truth.tracks["voiced"].astype(bool)
    if not both.any():
        return _row("pitch [Hz]", truth.figures["median_f0_hz"], None)
    there, here = (round(float(np.median(track[both])), 1) for track in (planted, values))
    return _row("pitch [Hz]", there, here, error=100 * pitch_error(truth, result), of="median [%]")


def _fused_rows(truth: Truth, result: Result) -> list[dict[str, Any]]:
    """The fused statements against the planted course: shares of time, and how often the likeliest emotion is right."""
    rows = []
    for side in ("felt", "shown"):
        columns = [_at(result, truth, f"fused.{side}_{emotion}") for emotion in EMOTIONS]
        valid = np.all([ok for _, ok in columns], axis=0)
        likeliest = np.array(EMOTIONS)[np.argmax([values for values, _ in columns], axis=0)]
        planted = truth.tracks[side]
        if not valid.any():
            continue
        shares = [round(float((track[valid] != "neutral").mean()), 3) for track in (planted, likeliest)]
        wrong = float((planted[valid] != likeliest[valid]).mean())
        rows.append(_row(f"{side}: share not neutral", shares[0], shares[1], error=wrong, of="share of time wrong"))
    values, valid = _at(result, truth, "fused.concealed")
    planted = truth.tracks["concealed"].astype(bool)
    if valid.any():
        hidden, open_ = (values[valid & (planted == state)] for state in (True, False))
        means = [round(float(part.mean()), 3) if len(part) else None for part in (hidden, open_)]
        rows.append({**_row("concealed: mean probability", None, None), "planted": f"{means[0]} where concealed",
                     "found": f"{means[1]} elsewhere"})  # fmt: skip
    return rows


def clock_errors_ms(truth: Truth, result: Result) -> dict[str, float]:
    """Greatest error of each device's clock over the session, in milliseconds."""
    errors = {}
    for one in result.sync.streams:
        if one.clock not in truth.clocks or one.clock in errors:
            continue
        stream = result.session.streams[one.stream]
        span = stream.support.extent
        if span is None or stream.time_map is None:
            continue
        session = np.linspace(span.start_ns, span.end_ns, 50).astype(np.int64)
        device = stream.time_map.inverse(session)
        errors[one.clock] = float(np.max(np.abs(truth.clock_map(one.clock)(device) - session))) / 1e6
    return errors


def clock_rows(truth: Truth, result: Result) -> list[dict[str, Any]]:
    """One row per device clock: offset planted beside offset found."""
    errors = clock_errors_ms(truth, result)
    rows = []
    for name, error in errors.items():
        one = next(s for s in result.sync.streams if s.clock == name)
        time_map = result.session.streams[one.stream].time_map
        zero = np.zeros(1, np.int64)
        found = to_s(int(time_map(zero)[0])) if time_map is not None else 0.0
        planted = round(truth.clocks[name]["offset_s"], 4)
        rows.append(_row(f"clock of {name} [s]", planted, round(found, 4), error=error, of="at most [ms]"))
    return rows


def _at(result: Result, truth: Truth, column: str) -> tuple[Any, Any]:
    """Values and validity of a timeline column at the truth's grid times (nearest row within half a grid step)."""
    times = result.timeline["t_ns"].to_numpy()
    table = result.timeline[column]
    values = table.to_numpy(zero_copy_only=False).astype(np.float64)
    at = np.clip(np.searchsorted(times, truth.times_ns), 0, len(times) - 1)
    near = np.abs(times[at] - truth.times_ns) <= NS_PER_S / result.record.grid_hz / 2
    return np.nan_to_num(values[at]), np.isfinite(values[at]) & near
