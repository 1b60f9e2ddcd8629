"""Which action units go with which class or emotion, with intervals; and what a mapping table would have said.

Odds ratios with Haldane's half, Fisher's exact test, false discovery rate after Benjamini and Hochberg (1995) over all
cells, intervals by bootstrap over persons. Fisher's test takes samples of one person as independent, so that its p is
too small where few persons give many samples: where it and the interval disagree, believe the interval. A cell says
what coders wrote together, not what a face feels.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from modalities.face.corpora.units import parse_units
from modalities.face.recognition.flow_units import coded_units, with_units
from modalities.face.recognition.samples import Samples

EMFACS = Path(__file__).with_name("emfacs.csv")
"""The mapping that comes with the package; a copy of it may be edited. Column `source` tells two kinds of rows apart:
prototypes and major variants of FACS (Ekman, Friesen & Hager 2002, table 10-1, taken from second-hand copies of it),
without grades of intensity and without 25 to 27 where they may be there or not; and "partial", the parts of these that
a micro-expression is apt to show (for contempt 14, of either side), which are a choice of this project."""
LEAST_SHOWN = 3
"""Units that fewer samples show are left out."""
_HALF = 0.5

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """One row of a mapping table: these units together mean this emotion, which belongs to this class."""

    emotion: str
    units: frozenset[int]
    group: str


def read_mapping(file: Path = EMFACS) -> tuple[Rule, ...]:
    """A mapping table: CSV with the columns emotion, units ("6+12") and class.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: other columns, or units that are none; the message names the row.
    """
    if not file.is_file():
        raise MissingFileError("no such mapping table", file=file)
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError("the mapping table is no CSV text", file=file, got=str(error)) from error
    wanted = ("emotion", "units", "class")
    if not rows or any(name not in rows[0] for name in wanted):
        found = ", ".join(str(name) for name in rows[0]) if rows else "no rows"
        raise UnreadableFileError("not a mapping table", file=file, got=found, expected=", ".join(wanted))
    rules = []
    for line, row in enumerate(rows, start=2):
        units, odd = parse_units(row["units"] or "")
        if not units or odd or not row["emotion"]:
            raise UnreadableFileError(
                f"row {line} names no emotion or no units", file=file, got=str(dict(row)), expected="happiness,6+12,..."
            )
        rules.append(Rule(row["emotion"], frozenset(one.unit for one in units), row["class"] or ""))
    return tuple(rules)


def match_rule(units: Sequence[int], rules: Sequence[Rule]) -> Rule | None:
    """The rule all of whose units are shown; of several the one with most units, then the first. None for none."""
    shown = set(units)
    fitting = [rule for rule in rules if rule.units <= shown]
    return max(fitting, key=lambda rule: len(rule.units), default=None)


def associate(samples: Samples, by: str = "class", *, draws: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """Each unit against each group.

    Args:
        samples: With a column `au`; those where it is empty are left out.
        by: "class", or a column of the samples such as "emotion".
        draws: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        Rows {unit, group, both, shown, in_group, n, share (of the group that shows the unit, 0..1), phi (-1..1),
        odds_ratio, odds_low, odds_high (95 %), p, q}, by unit and group; q is p after correction over all rows.

    Raises:
        InvalidValueError: no such column, or no unit that `LEAST_SHOWN` samples show.
    """
    from scipy.stats import false_discovery_control, fisher_exact

    samples = with_units(samples)
    groups = _groups(samples, by)
    units = _units(samples)
    coded = coded_units(samples, units)
    people = [np.flatnonzero(samples.person == one) for one in dict.fromkeys(samples.person.tolist())]
    rng = np.random.default_rng(np.random.SeedSequence([seed, 78]))
    picks = [np.concatenate([people[at] for at in rng.integers(0, len(people), len(people))]) for _ in range(draws)]
    rows: list[dict[str, Any]] = []
    for at, unit in enumerate(units):
        for name, member in groups.items():
            table = _table(coded[:, at], member)
            spread = [_odds_ratio(_table(coded[pick, at], member[pick])) for pick in picks]
            low, high = np.percentile(spread, (2.5, 97.5))
            both, alone, absent, neither = table
            margin = float(np.sqrt((both + alone) * (absent + neither) * (both + absent) * (alone + neither)))
            rows.append(
                {
                    "unit": f"AU{unit}", "group": name, "both": both, "shown": both + alone,
                    "in_group": both + absent, "n": sum(table),
                    "share": round(both / max(1, both + absent), 4),
                    "phi": round((both * neither - alone * absent) / margin, 4) if margin else 0.0,
                    "odds_ratio": round(_odds_ratio(table), 3), "odds_low": round(float(low), 3),
                    "odds_high": round(float(high), 3),
                    "p": float(fisher_exact([[both, alone], [absent, neither]])[1]),
                }
            )  # fmt: skip
    corrected = false_discovery_control([row["p"] for row in rows])
    for row, q in zip(rows, corrected.tolist(), strict=True):
        row["p"], row["q"] = round(float(row["p"]), 6), round(float(q), 6)
    return rows


def agreement(
    samples: Samples, rules: Sequence[Rule], by: str = "class", *, draws: int = 1000, seed: int = 0
) -> list[dict[str, Any]]:
    """What the mapping says of the coded units against what was coded.

    Args:
        samples: With a column `au`; those where it is empty are left out.
        rules: The mapping.
        by: "class", or "emotion" for the words of coders; those that no rule knows ("repression") are never right.
        draws: Of the bootstrap over persons.
        seed: Of the bootstrap.

    Returns:
        Rows {class or emotion, n, told (a rule fits), right (of those), share (right of told, 0..1), low, high (95 %),
        chance (share that would be right if the mapping's answers were dealt at random), said: count by answer}, one
        for each group and "all"; share, low, high and chance are None where no rule fits.

    Raises:
        InvalidValueError: no column `au`, no such `by`, or no column `emotion`.
    """
    if by not in ("class", "emotion"):
        raise InvalidValueError("a mapping speaks of classes and emotions", got=by, expected="class or emotion")
    samples = with_units(samples)
    said = []
    for text in samples.attributes["au"].tolist():
        rule = match_rule([one.unit for one in parse_units(text)[0]], rules)
        said.append("" if rule is None else (rule.group if by == "class" else rule.emotion).strip().casefold())
    answers = np.array(said, dtype=np.str_)
    truth = np.full(len(samples), "", dtype=object)
    for name, member in _groups(samples, by).items():
        truth[member] = name.strip().casefold()
    names = [one.casefold() for one in samples.classes] if by == "class" else sorted(set(truth.tolist()) - {""})
    right = (answers == truth) & (answers != "")
    replies = sorted(set(answers.tolist()) - {""})
    rng = np.random.default_rng(np.random.SeedSequence([seed, 79]))
    people = [np.flatnonzero(samples.person == one) for one in dict.fromkeys(samples.person.tolist())]
    picks = [np.concatenate([people[at] for at in rng.integers(0, len(people), len(people))]) for _ in range(draws)]
    rows: list[dict[str, Any]] = []
    for name in (*names, "all"):
        here = truth != "" if name == "all" else truth == name
        told = here & (answers != "")
        row: dict[str, Any] = {by: name, "n": int(here.sum()), "told": int(told.sum()), "right": int(right[here].sum())}
        row |= dict.fromkeys(("share", "low", "high", "chance"))
        if told.any():
            spread = [right[pick][told[pick]].mean() for pick in picks if told[pick].any()]
            low, high = np.percentile(spread, (2.5, 97.5))
            known = answers[(truth != "") & (answers != "")]
            chance = np.mean([(known == one).mean() for one in truth[told]])
            figures = (right[told].mean(), low, high, chance)
            row |= {
                key: round(float(one), 4) for key, one in zip(("share", "low", "high", "chance"), figures, strict=True)
            }
        rows.append(row | {"said": {one: int((answers[told] == one).sum()) for one in replies}})
    return rows


def _groups(samples: Samples, by: str) -> Mapping[str, Flags]:
    if by == "class":
        return {name: samples.y == at for at, name in enumerate(samples.classes) if (samples.y == at).any()}
    column = samples.attributes.get(by)
    if column is None:
        known = ", ".join(("class", *samples.attributes))
        raise InvalidValueError(f"the samples have no column '{by}'", expected=f"one of {known}")
    return {name: column == name for name in sorted(set(column.tolist())) if name}


def _units(samples: Samples) -> tuple[int, ...]:
    """Units that enough samples show, by number."""
    cells = [{one.unit for one in parse_units(text)[0]} for text in samples.attributes["au"].tolist()]
    units = sorted({unit for cell in cells for unit in cell})
    kept = tuple(unit for unit in units if sum(unit in cell for cell in cells) >= LEAST_SHOWN)
    if not kept:
        raise InvalidValueError(
            "no action unit to associate", got=f"none that {LEAST_SHOWN} samples show", expected="a column 'au'"
        )
    return kept


def _table(shown: Flags, member: Flags) -> tuple[int, int, int, int]:
    """Shown in the group, shown elsewhere, absent in the group, absent elsewhere."""
    return (
        int((shown & member).sum()), int((shown & ~member).sum()),
        int((~shown & member).sum()), int((~shown & ~member).sum()),
    )  # fmt: skip


def _odds_ratio(table: tuple[int, int, int, int]) -> float:
    both, alone, absent, neither = (count + _HALF for count in table)
    return both * neither / (alone * absent)
