"""The tables of the spotting bench as people read them in a terminal: bands become columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modalities.face.spotting.evaluation import KINDS
from pipeline.bench_scores import FACES, Row, names

MOST_NATURAL = 12
"""So many events of unplanted copies are shown; `--json` has them all."""
LEGEND = (
    "IoU >= 0.5, one-to-one. n: planted. rare: F1 at 0.4 micro-expressions a minute. alarms/min: false alarms, in "
    "brackets their 95 % upper bound. apex: median error in 1/30 s. ms: per frame. IOD: inter-ocular distance. own: "
    "what the face moves by itself over 0.25 s, % IOD; calm below 0.6, lively from 2. natural: found a minute in the "
    "unplanted copy."
)
_BY = {
    "displacement_percent": "by displacement in % IOD",
    "duration_s": "by duration in s",
    "own_movement_percent": "by own movement in % IOD",
}


@dataclass(frozen=True)
class Sheet:
    """One table for people: a title, and rows of which each is a mapping with the same keys."""

    title: str
    rows: list[Row]


def lay_out(tables: Mapping[str, Sequence[Row]]) -> list[Sheet]:
    """Sheets in the order in which they are read; `LEGEND` says what their columns mean.

    Args:
        tables: "rows", "bands", "thresholds", "calibration", "natural", "halves" as `bench_scores`, `bench_bands` and
            `bench_halves` make them.
    """
    sheets = [
        Sheet(
            f"{face.capitalize()} faces",
            [_score(row) for row in sorted(tables["rows"], key=_kind) if _pools(row, face)],
        )
        for face in FACES
    ]
    sheets.append(Sheet("By material", _by_material([row for row in tables["rows"] if not _pools(row, row["face"])])))
    for kind in KINDS:
        for by, words in _BY.items():
            rows = [row for row in tables["bands"] if (row["by"], row["kind"]) == (by, kind)]
            sheets.append(Sheet(f"{kind.capitalize()}: recall (F1) planted, {words}", _spread(rows, _band_cell)))
    for kind in KINDS:
        rows = [row for row in tables["thresholds"] if row["kind"] == kind]
        title = f"{kind.capitalize()}: recall / false alarms a minute, if only events from a score on are kept"
        sheets.append(Sheet(title, _spread(rows, _threshold_cell)))
    sheets.append(Sheet("Share of true events by score, with their number", _calibration(tables["calibration"])))
    sheets.append(_natural(tables["natural"]))
    sheets.append(Sheet("Training and test half", _halves(tables.get("halves", ()))))
    return [sheet for sheet in sheets if sheet.rows]


def _halves(rows: Sequence[Row]) -> list[Row]:
    """Both halves side by side, the best on the training half first."""
    overall = {(row["spotter"], row["half"]): row for row in rows if row["kind"] == "overall"}
    out = []
    best = {spotter: row["f1"] for (spotter, half), row in overall.items() if half == "training"}
    for spotter in sorted(names(row["spotter"] for row in rows), key=lambda one: -best.get(one, 0.0)):
        cells: Row = {"spotter": spotter}
        for half in ("training", "test"):
            row = overall.get((spotter, half))
            cells[f"{half} F1"] = None if row is None else _two(row["f1"])
            cells[f"{half} alarms/min"] = None if row is None else _two(row["alarms_per_minute"])
        out.append(cells)
    return out


def _pools(row: Row, face: str) -> bool:
    return bool(row["material"] == f"all {face}")


def _kind(row: Row) -> int:
    return ("micro", "macro", "overall").index(row["kind"])


def _score(row: Row) -> Row:
    return {
        "kind": row["kind"],
        "spotter": row["spotter"],
        "n": row["planted"],
        "prec.": _two(row["precision"]),
        "recall": _two(row["recall"]),
        "F1": _two(row["f1"]),
        "rare": _two(row["f1_rare"]),
        "alarms/min": f"{_two(row['alarms_per_minute'])} (<= {_two(row['alarms_upper95'])})",
        "apex": row["apex_error_frames"],
        "ms": round(row["ms_per_frame"], 1),
    }


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _by_material(rows: Sequence[Row]) -> list[Row]:
    """Micro and macro side by side."""
    out = []
    for material, spotter in sorted(names_of(rows, ("material", "spotter")), key=lambda one: _place(rows, one)):
        kinds = {row["kind"]: row for row in rows if (row["material"], row["spotter"]) == (material, spotter)}
        micro, macro = kinds["micro"], kinds["macro"]
        out.append(
            {
                "material": _short(material),
                "own": _two(micro["own_movement"]),
                "spotter": spotter,
                "micro recall": f"{_two(micro['recall'])} of {micro['planted']}",
                "F1": _two(micro["f1"]),
                "alarms/min": _two(micro["alarms_per_minute"]),
                "natural": _two(micro["unplanted_per_minute"]),
                "macro F1": f"{_two(macro['f1'])} of {macro['planted']}",
            }
        )
    return out


def _place(rows: Sequence[Row], one: tuple[str, ...]) -> tuple[int, int]:
    materials, spotters = (names(row[name] for row in rows) for name in ("material", "spotter"))
    return materials.index(one[0]), spotters.index(one[1])


def _short(name: str, longest: int = 20) -> str:
    return name if len(name) <= longest else f"{name[: longest - 9]}…{name[-8:]}"


def _spread(rows: Sequence[Row], cell: Any) -> list[Row]:
    """One row per face, kind and spotter, one column per band."""
    bands = sorted({_band(row) for row in rows})
    out: list[Row] = []
    key = ("face", "spotter")
    for about in names_of(rows, key):
        mine = {_band(row): row for row in rows if tuple(row[name] for name in key) == about}
        titles = {band: _title(band) for band in bands}
        cells = {titles[band]: cell(mine[band]) if band in mine else None for band in bands}
        out.append({**dict(zip(key, about, strict=True)), **cells})
    return sorted(out, key=lambda row: _order(row["face"]))


def names_of(rows: Sequence[Row], key: Sequence[str]) -> list[tuple[str, ...]]:
    """Each combination of the values of some columns once, in order of appearance."""
    return list(dict.fromkeys(tuple(row[name] for name in key) for row in rows))


def _order(face: str) -> int:
    return ("calm", "between", "lively", "all").index(face)


def _band(row: Row) -> tuple[float, float]:
    return (row["from"], row["to"]) if "from" in row else (row["least_score"], row["least_score"])


def _title(band: tuple[float, float]) -> str:
    return ("all" if not band[1] else f">= {band[0]:g}") if band[0] == band[1] else f"{band[0]:g}-{band[1]:g}"


def _band_cell(row: Row) -> str:
    if not row["planted"]:
        return "none"
    return f"{row['recall']:.2f} ({row['f1']:.2f}) {row['planted']}"


def _threshold_cell(row: Row) -> str:
    return f"{row['recall']:.2f} / {row['alarms_per_minute']:.1f}"


def _calibration(rows: Sequence[Row]) -> list[Row]:
    bands = sorted({(row["score_from"], row["score_to"]) for row in rows})
    out = []
    for kind, spotter in sorted(names_of(rows, ("kind", "spotter")), reverse=True):
        mine = {
            (row["score_from"], row["score_to"]): row
            for row in rows
            if (row["kind"], row["spotter"]) == (kind, spotter)
        }
        cells = {
            _title(band): f"{mine[band]['true_share']:.2f} of {mine[band]['events']}" if band in mine else None
            for band in bands
        }
        out.append({"kind": kind, "spotter": spotter, "Brier": next(iter(mine.values()))["brier"], **cells})
    return sorted(out, key=lambda row: row["kind"] != "micro")


def _few(aus: str, most: int = 2) -> str:
    """The strongest action units."""
    parts = aus.split("+")
    return aus if len(parts) <= most else "+".join(parts[:most]) + "+…"


def _natural(rows: Sequence[Row]) -> Sheet:
    shown = sorted(rows, key=lambda row: -row["score"])[:MOST_NATURAL]
    more = f"; the {len(shown)} of highest score of {len(rows)}" if len(rows) > len(shown) else ""
    columns = ("spotter", "material", "kind", "onset_s", "apex_s", "offset_s", "score", "aus")
    return Sheet(
        f"Found in the unplanted copies{more}",
        [{name: _few(row[name]) if name == "aus" else _short(str(row[name])) for name in columns} for row in shown],
    )
