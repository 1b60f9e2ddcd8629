"""Estimate the measurement model: `python -m pipeline.simulate.measurement_estimate [--sessions 8] [-o FILE]`.

Renders sessions with known truth, runs the real encoders on their files, and compares: how the columns wander while
nothing is shown, what each shown action unit does to them, how many of the planted events are found and how many are
invented. About a minute and a half of one core per session.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.time import NS_PER_S
from fusion.vocabulary import TABLES
from pipeline import __version__
from pipeline.compare import RULES, Matched, match
from pipeline.simulate.filmed import Filmed, film_all
from pipeline.simulate.measurement import FILE, LEVELS, ColumnModel, Floats, Found, Mask, Measurement

SEEDS = range(60_000, 61_000)
"""Of the rendered sessions; no test and no demo uses them."""
SECONDS = 45.0
RATE_HZ = 4.0
CHANNELS = ("face", "voice", "body", "physiology")
EXPRESSIONS = ("macro", "micro")
MOVED = ("au", "eye_opening", "mouth_opening", "motion", "expression_score")
"""Columns of the face that an expression may move."""
RIDGE = 0.6
"""Strength of the belief that an action unit moves its own column alone, in planted expressions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Render, measure, write; 0 when done."""
    parser = argparse.ArgumentParser(description="Estimate the encoders' measurement model from rendered sessions.")
    parser.add_argument("--sessions", type=int, default=8, help="how many to render")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("-o", "--out", type=Path, default=FILE, help="where to write it")
    options = parser.parse_args(arguments)
    sessions = list(film_all(SEEDS[: options.sessions], options.seconds, None, options.jobs, _report))
    about = {
        "made_by": f"python -m pipeline.simulate.measurement_estimate --sessions {options.sessions}",
        "telltale_version": __version__,
        "sessions": len(sessions),
        "minutes": round(sum(one.minutes for one in sessions), 2),
        "first_seed": SEEDS[0],
        "faces": sorted({str(one.truth.figures["photograph"]) for one in sessions}),
    }
    estimate(sessions, about).save(options.out)
    return 0


def estimate(sessions: Sequence[Filmed], about: Mapping[str, Any]) -> Measurement:
    """The measurement model of some sessions.

    Args:
        sessions: Rendered and encoded.
        about: Where they come from, for the file.
    """
    columns = {channel: _columns(sessions, channel) for channel in CHANNELS}
    missed, mistaken = _labels(sessions)
    return Measurement(
        columns=columns,
        responses=_responses(sessions, columns["face"]),
        events={kind: _found(sessions, kind) for kind in ("macro", "micro", "blink", "scr", "hand_to_face")},
        unit_missed=missed,
        unit_mistaken=mistaken,
        as_other_kind=(_confused(sessions, "macro", "micro"), _confused(sessions, "micro", "macro")),
        about=about,
    )


def _sampled(encoding: Encoding, name: str, times_s: Floats) -> tuple[Floats, Mask]:
    """A column in bins of 0.25 s: mean of the valid samples, and whether half of the bin is valid."""
    track = encoding.track
    values, valid = track.column(name)
    edges = np.r_[times_s - 0.5 / RATE_HZ, times_s[-1] + 0.5 / RATE_HZ]
    at = np.searchsorted(edges, track.times_ns / NS_PER_S) - 1
    inside = (at >= 0) & (at < len(times_s))
    count = np.bincount(at[inside], minlength=len(times_s))
    good = np.bincount(at[inside], weights=valid[inside], minlength=len(times_s))
    total = np.bincount(at[inside], weights=np.where(valid, values, 0)[inside], minlength=len(times_s))
    return total / np.maximum(good, 1), (good > 0) & (good >= 0.5 * count)


def _times(session: Filmed) -> Floats:
    return np.asarray((np.arange(int(session.truth.seconds * RATE_HZ)) + 0.5) / RATE_HZ, dtype=np.float64)


def _within(events: Sequence[Event], times_s: Floats, margin_s: float = 0.0) -> Mask:
    out = np.zeros(len(times_s), bool)
    for one in events:
        out |= (times_s >= one.onset_ns / NS_PER_S - margin_s) & (times_s <= one.offset_ns / NS_PER_S + margin_s)
    return out


def _busy(session: Filmed, channel: str, times_s: Floats) -> Mask:
    """Where something planted moves the columns of a channel."""
    kinds = {"face": EXPRESSIONS, "body": ("hand_to_face",), "physiology": ("scr",)}.get(channel, ())
    after = {"physiology": 6.0}.get(channel, 1.0)
    return _within(session.truth.of_kind(*kinds), times_s, after)


def _columns(sessions: Sequence[Filmed], channel: str) -> dict[str, ColumnModel]:
    table = TABLES[channel]
    return {
        name: model for name in (*table.person, *table.plain) if (model := _column(sessions, channel, name)) is not None
    }


def _column(sessions: Sequence[Filmed], channel: str, name: str) -> ColumnModel | None:
    """Of one column; None where fewer than two sessions have 20 valid samples of it."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    still, talk, keeps, spreads, bases = [], [], [], [], []
    seen: dict[bool, list[float]] = {True: [], False: []}
    for session in sessions:
        encoding = session.encodings.get(channel)
        if encoding is None or name not in encoding.track.names:
            continue
        times = _times(session)
        x, good = _sampled(encoding, name, times)
        talking, busy = _within(session.truth.of_kind("speech_turn"), times), _busy(session, channel, times)
        for which in (True, False):
            where = (talking == which) & ~busy
            if where.any():
                seen[which].append(float(good[where].mean()))
        calm = good & ~talking & ~busy
        of_talk = good & talking & ~busy
        rest = calm if calm.sum() >= 20 else of_talk
        if rest.sum() < 20:
            continue
        base = float(np.median(x[rest]))
        bases.append(base)
        still.append(x[calm] - base)
        talk.append(x[of_talk] - base)
        spreads.append(float(np.percentile(np.abs(x[rest] - base), 90)))
        pairs = np.flatnonzero(rest[1:] & rest[:-1])
        if len(pairs) > 20:
            ranks = ndtri((rankdata(x[rest]) - 0.5) / rest.sum())
            full = np.zeros(len(x))
            full[rest] = ranks
            keeps.append(float(np.mean(full[pairs] * full[pairs + 1]) / max(np.var(ranks), 1e-9)))
    if len(bases) < 2:
        return None
    calm_all, talk_all = np.concatenate(still), np.concatenate(talk)
    spreads_there = np.array([one for one in spreads if one > 0])
    return ColumnModel(
        still=_quantiles(calm_all if len(calm_all) >= 100 else talk_all),
        talking=_quantiles(talk_all if len(talk_all) >= 100 else calm_all),
        keep=round(float(np.clip(np.mean(keeps), 0, 0.99)) if keeps else 0.5, 4),
        spread=round(float(np.log(spreads_there).std()) if len(spreads_there) > 2 else 0.5, 4),
        seen_still=round(float(np.mean(seen[False])) if seen[False] else 0.0, 4),
        seen_talking=round(float(np.mean(seen[True])) if seen[True] else 0.0, 4),
        base=round(float(np.median(bases)), 5),
    )


def _quantiles(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(f"{one:.5g}") for one in np.quantile(values, LEVELS))


def _responses(sessions: Sequence[Filmed], columns: Mapping[str, ColumnModel]) -> dict[str, dict[str, float]]:
    """Ridge regression of what the columns do around each apex on what was planted there.

    The prior is that a unit moves the column of its own name by the median of what units do to their own columns;
    columns without a unit have the prior 0. Head, blinks and size of the face are taken to be moved by nothing.
    """
    shown: list[Mapping[str, float]] = []
    moved = [name for name in columns if name.startswith(MOVED)]
    changes: dict[str, list[float]] = {name: [] for name in moved}
    for session in sessions:
        encoding = session.encodings.get("face")
        if encoding is None:
            continue
        times = _times(session)
        sampled = {name: _sampled(encoding, name, times) for name in moved if name in encoding.track.names}
        still = ~_within(session.truth.of_kind("speech_turn"), times) & ~_busy(session, "face", times)
        for event in session.truth.of_kind("macro"):
            near = np.abs(times - (event.apex_ns or event.onset_ns) / NS_PER_S) < 0.3
            shown.append(event.details["aus"])
            for name in moved:
                x, good = sampled.get(name, (np.zeros(len(times)), np.zeros(len(times), bool)))
                there = near & good
                usual = still & good
                known = there.any() and usual.sum() >= 8
                changes[name].append(float(x[there].mean() - np.median(x[usual])) if known else float("nan"))
    units = tuple(name for name in TABLES["face"].person if name.startswith("au"))
    design = np.array([[float(one.get(unit, 0.0)) for unit in units] for one in shown])
    raw = {name: np.array(values) for name, values in changes.items()}
    own = [
        float(np.nanmedian(raw[unit][design[:, at] > 0.2] / design[design[:, at] > 0.2, at]))
        for at, unit in enumerate(units)
        if unit in raw and (design[:, at] > 0.2).sum() >= 3
    ]
    typical = float(np.clip(np.median(own), 0.05, 2)) if own else 0.5
    responses: dict[str, dict[str, float]] = {unit: {} for unit in units}
    for name, y in raw.items():
        prior = np.array([typical if unit == name else 0.0 for unit in units])
        ok = np.isfinite(y)
        if ok.sum() < 4:
            continue
        x = design[ok]
        fitted = prior + np.linalg.solve(x.T @ x + RIDGE * np.eye(len(units)), x.T @ (y[ok] - x @ prior))
        for unit, gain in zip(units, fitted, strict=True):
            least = 0.02 * (np.nanmax(np.abs(y)) + 1e-9)
            if abs(gain) > least and (unit == name or not name.startswith("au") or gain > 0):
                responses[unit][name] = float(f"{gain:.4g}")
    return responses


def _matched(session: Filmed, kind: str, kinds: Sequence[str] = ()) -> Matched:
    return match(session.truth.of_kind(kind), session.events(*(kinds or (kind,))), RULES[kind])


def _found(sessions: Sequence[Filmed], kind: str) -> Found:
    planted = found = alarms = 0
    late: list[float] = []
    for session in sessions:
        one = _matched(session, kind)
        planted += len(one.planted)
        found += len(one.pairs)
        real = session.truth.of_kind(*EXPRESSIONS) if kind in EXPRESSIONS else []
        free = [event for at, event in enumerate(one.found) if at not in {j for _, j in one.pairs}]
        alarms += sum(not _within([event], _middles(real)).any() for event in free)
        late += [(one.found[j].onset_ns - one.planted[i].onset_ns) / NS_PER_S for i, j in one.pairs]
    minutes = sum(session.minutes for session in sessions)
    return Found(planted, found, alarms, round(minutes, 3), round(float(np.std(late)) if late else 0.1, 4))


def _middles(events: Sequence[Event]) -> Floats:
    return np.array([(one.onset_ns + one.offset_ns) / 2 / NS_PER_S for one in events])


def _confused(sessions: Sequence[Filmed], kind: str, other: str) -> float:
    """Share of the planted events of one kind that were found as the other, of those found at all."""
    either = wrong = 0
    for session in sessions:
        one = _matched(session, kind, EXPRESSIONS)
        either += len(one.pairs)
        wrong += sum(one.found[j].kind == other for _, j in one.pairs)
    return round((wrong + 0.5) / (either + 1), 4)


def _labels(sessions: Sequence[Filmed]) -> tuple[float, float]:
    """Shares of missing and of wrong action units in the labels of what was found."""
    missing = there = wrong = labels = 0
    for session in sessions:
        for kind in EXPRESSIONS:
            one = _matched(session, kind, EXPRESSIONS)
            for i, j in one.pairs:
                planted = {_unit(name) for name, size in one.planted[i].details["aus"].items() if size >= 0.2}
                heard = {_unit(name) for name in one.found[j].details.get("aus", {})}
                there += len(planted)
                missing += len(planted - heard)
                wrong += bool(heard - planted)
                labels += 1
    return round((missing + 1) / (there + 2), 4), round((wrong + 1) / (labels + 2), 4)


def _unit(name: str) -> str:
    return re.sub(r"_(left|right)$", "", name)


def _report(step: str, completed: int, total: int | None) -> None:
    sys.stderr.write(f"{step} {completed}{f' of {total}' if total else ''}\n")


if __name__ == "__main__":
    sys.exit(main())
