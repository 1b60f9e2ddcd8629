"""Training and test half of the spotting bench: which spotter wins on the one, and what it is worth on the other.

A case is one simulated face (each copy is another one), or one video with all its copies. Of each manner of simulated
faces, and of the videos, the first case, the third and so on are the training half, the others the test half: both
halves hold quiet and talking faces. The default spotter is to be chosen by the training half alone; the test half
says what that choice is worth on faces that had no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.bench_plan import MANNERS
from pipeline.bench_scores import Outcome, Row, names, rows_of

Half = Literal["training", "test"]
HALVES: tuple[Half, ...] = ("training", "test")
_COLUMNS = ("half", "spotter", "kind", "minutes", "planted", "precision", "recall", "f1", "alarms_per_minute",
            "ms_per_frame")  # fmt: skip
_SIMULATED = tuple(f"simulated {manner}" for manner in MANNERS)


def split(outcomes: Sequence[Outcome]) -> dict[str, Half]:
    """By name of a planted copy the half that it belongs to; unplanted ones belong to none."""
    planted = [one for one in outcomes if not one.natural]
    out: dict[str, Half] = {}
    for one in planted:
        if one.material in _SIMULATED:
            out[one.copy] = HALVES[int(one.copy.rpartition(" ")[2]) % 2]
    videos = sorted({one.material for one in planted} - set(_SIMULATED))
    out |= {one.copy: HALVES[videos.index(one.material) % 2] for one in planted if one.material in videos}
    return out


def half_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """{half, spotter, kind, minutes, planted, precision, recall, f1, alarms_per_minute, ms_per_frame}, all faces
    pooled; a half without a case has no rows.
    """
    halves = split(outcomes)
    rows = []
    for half in HALVES:
        for spotter in names(one.spotter for one in outcomes):
            part = [one for one in outcomes if one.spotter == spotter and halves.get(one.copy) == half]
            if part:
                told = rows_of(spotter, {"half": half}, part)
                rows += [{name: row[name] for name in _COLUMNS} for row in told]
    return rows


def winner_row(outcomes: Sequence[Outcome], default: str) -> Row:
    """{winner, f1_training, f1_test, default, default_wins}: the greatest overall F1 on the training half.

    Args:
        outcomes: Of the spotters compared.
        default: Name of the spotter that is the default now.

    Returns:
        Where two are equal, the one with fewer false alarms there wins. `f1_test` is None without a test half,
        `default_wins` None where the default was not measured, `winner` without a training half.
    """
    rows = {(row["half"], row["spotter"]): row for row in half_rows(outcomes) if row["kind"] == "overall"}
    training = [row for (half, _), row in rows.items() if half == "training"]
    if not training:
        return {"winner": None, "f1_training": None, "f1_test": None, "default": default, "default_wins": None}
    best = max(training, key=lambda row: (row["f1"], -row["alarms_per_minute"]))
    name = best["spotter"]
    measured = any(row["spotter"] == default for row in training)
    test = rows.get(("test", name))
    return {
        "winner": name,
        "f1_training": best["f1"],
        "f1_test": None if test is None else test["f1"],
        "default": default,
        "default_wins": name == default if measured else None,
    }
