"""The published effects as data: `fusion/evidence/effect_sizes.csv`, one row per cue, with design, unit and source.

A row says nothing outside its design, and nothing at another unit: a d* of a person's score over many items is no
effect of a single item, an effect of a session no effect of a moment.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data_schemas.errors import InvalidValueError

TABLE = Path(__file__).parent / "evidence" / "effect_sizes.csv"
DESIGNS = ("cit", "interview", "suppression")
_INTERVAL = re.compile(r"95 ?% CI (-?[\d.]+) to (-?[\d.]+)")


@dataclass(frozen=True, slots=True)
class SourcedEffect:
    """One row of the table.

    Attributes:
        cue: In words.
        channel: Which one shows it; "" for an observer's rating.
        sign: +1 where the cue rises, -1 where it falls.
        magnitude: Standardised size, > 0; None where the source gives the direction alone.
        error: Standard error of the magnitude where the row states a 95 % interval, else None.
        measure: "d*", "d", "Hedges g" or "direction only".
        design: "cit", "interview" or "suppression".
        unit: What one value of the cue belongs to: "person_over_items", "statement", "session".
        measured_by: Column "channel.feature", "" where none measures it.
        source: Where the row comes from.
        note: What else the row says.
    """

    cue: str
    channel: str
    sign: int
    magnitude: float | None
    error: float | None
    measure: str
    design: str
    unit: str
    measured_by: str
    source: str
    note: str


@cache
def sourced_effects(path: Path = TABLE) -> tuple[SourcedEffect, ...]:
    """All rows in order.

    Raises:
        InvalidValueError: a row with an unknown design or direction, or a magnitude that is no number above 0.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(_effect(row, path) for row in csv.DictReader(file))


def effects_of(design: str, unit: str | None = None) -> tuple[SourcedEffect, ...]:
    """The rows of a design, and of a unit where one is given; none for a design without sourced effects."""
    return tuple(one for one in sourced_effects() if one.design == design and unit in (None, one.unit))


def _effect(row: dict[str, str], path: Path) -> SourcedEffect:
    if row["design"] not in DESIGNS or row["direction"] not in ("up", "down"):
        got = (row["cue"], row["design"], row["direction"])
        raise InvalidValueError("a row of the effects has an unknown design or direction", file=path, got=got)
    size = float(row["magnitude"]) if row["magnitude"] else None
    if size is not None and not size > 0:
        raise InvalidValueError("the size of an effect must be above 0", file=path, got=(row["cue"], size))
    stated = _INTERVAL.search(row["note"])
    error = (float(stated[2]) - float(stated[1])) / 3.92 if stated else None
    return SourcedEffect(
        row["cue"], row["channel"], 1 if row["direction"] == "up" else -1, size, error, row["measure"], row["design"],
        row["unit"], row["measured_by"], row["source"], row["note"],
    )  # fmt: skip
