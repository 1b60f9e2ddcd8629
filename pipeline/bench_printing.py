"""The tables of the spotting bench as people read them in a terminal: bands become columns, counts stand beside shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pipeline.bench_scores import Row, names

MOST_NATURAL = 12
"""So many events of unplanted copies are shown; `--json` has them all."""
_BY = {
    "displacement_percent": "by displacement, % of the inter-ocular distance",
    "duration_s": "by duration, s",
    "own_movement_percent": "by the face's own movement over 0.25 s, % of the inter-ocular distance",
}


@dataclass(frozen=True)
class Sheet:
    """One table for people: a title, and rows of which each is a mapping with the same keys."""

    title: str
    rows: list[Row]


def lay_out(tables: Mapping[str, Sequence[Row]]) -> list[Sheet]:
    """Sheets in the order in which they are read.

    Args:
        tables: "rows", "bands", "thresholds", "calibration", "natural" as `bench_scores` and `bench_bands` make them.
    """
    pooled = [row for row in tables["rows"] if row["material"].startswith("all ")]
    sheets = [
        Sheet("By sort of face (IoU >= 0.5; F1 rare: at 0.4 micro-expressions a minute; apex error in 1/30 s)",
              [_score(row, "face") for row in sorted(pooled, key=_face_kind)]),
        Sheet("By material (own: the face's own movement over 0.25 s, % of the inter-ocular distance)",
              _by_material([row for row in tables["rows"] if not row["material"].startswith("all ")])),
    ]  # fmt: skip
    for by, words in _BY.items():
        rows = [row for row in tables["bands"] if row["by"] == by]
        sheets.append(Sheet(f"Recall, and F1 in brackets, {words}", _spread(rows, _band_cell)))
    sheets.append(Sheet("Recall, and false alarms a minute, if only events from a score on are kept",
                        _spread(list(tables["thresholds"]), _threshold_cell)))  # fmt: skip
    sheets.append(Sheet("Share of true events by score, with their number", _calibration(tables["calibration"])))
    sheets.append(_natural(tables["natural"]))
    return [sheet for sheet in sheets if sheet.rows]


def _face_kind(row: Row) -> tuple[int, int]:
    return ("calm", "between", "lively").index(row["face"]), ("micro", "macro", "overall").index(row["kind"])


def _score(row: Row, place: str) -> Row:
    return {
        place: row["face" if place == "face" else "material"],
        "kind": row["kind"],
        "spotter": row["spotter"],
        "planted": row["planted"],
        "prec.": row["precision"],
        "recall": row["recall"],
        "F1": row["f1"],
        "F1 rare": row["f1_rare"],
        "alarms/min": row["alarms_per_minute"],
        "95% <=": row["alarms_upper95"],
        "apex": row["apex_error_frames"],
        "ms/frame": row["ms_per_frame"],
    }


def _by_material(rows: Sequence[Row]) -> list[Row]:
    """Micro and macro side by side."""
    out = []
    for (material, spotter), group in groupby(
        sorted(rows, key=lambda row: _places(rows, row)), key=lambda row: (row["material"], row["spotter"])
    ):
        kinds = {row["kind"]: row for row in group}
        micro, macro = kinds["micro"], kinds["macro"]
        out.append(
            {
                "material": _short(material),
                "face": micro["face"],
                "own": micro["own_movement"],
                "min": round(micro["minutes"], 1),
                "spotter": spotter,
                "micro": micro["planted"],
                "recall": micro["recall"],
                "F1": micro["f1"],
                "alarms/min": micro["alarms_per_minute"],
                "unplanted/min": micro["unplanted_per_minute"],
                "macro": macro["planted"],
                "F1 macro": macro["f1"],
            }
        )
    return out


def _places(rows: Sequence[Row], row: Row) -> tuple[int, int]:
    return (
        names(one["material"] for one in rows).index(row["material"]),
        names(one["spotter"] for one in rows).index(row["spotter"]),
    )


def _short(name: str, longest: int = 24) -> str:
    return name if len(name) <= longest else f"{name[: longest - 9]}…{name[-8:]}"


def _spread(rows: Sequence[Row], cell: Any) -> list[Row]:
    """One row per face, kind and spotter, one column per band."""
    bands = sorted({_band(row) for row in rows})
    out: list[Row] = []
    key = ("face", "kind", "spotter")
    for about in names_of(rows, key):
        mine = {_band(row): row for row in rows if tuple(row[name] for name in key) == about}
        titles = {band: _title(band) for band in bands}
        cells = {titles[band]: cell(mine[band]) if band in mine else None for band in bands}
        out.append({**dict(zip(key, about, strict=True)), **cells})
    return sorted(out, key=lambda row: (_order(row["face"]), row["kind"] != "micro"))


def names_of(rows: Sequence[Row], key: Sequence[str]) -> list[tuple[str, ...]]:
    """Each combination of the values of some columns once, in order of appearance."""
    return list(dict.fromkeys(tuple(row[name] for name in key) for row in rows))


def _order(face: str) -> int:
    return ("calm", "between", "lively", "all").index(face)


def _band(row: Row) -> tuple[float, float]:
    return (row["from"], row["to"]) if "from" in row else (row["least_score"], row["least_score"])


def _title(band: tuple[float, float]) -> str:
    return f">= {band[0]:g}" if band[0] == band[1] else f"{band[0]:g}-{band[1]:g}"


def _band_cell(row: Row) -> str:
    if not row["planted"]:
        return "none"
    return f"{row['recall']:.2f} ({row['f1']:.2f}) {row['found']}/{row['planted']}"


def _threshold_cell(row: Row) -> str:
    return f"{row['recall']:.2f} at {row['alarms_per_minute']:.1f}"


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


def _natural(rows: Sequence[Row]) -> Sheet:
    shown = sorted(rows, key=lambda row: -row["score"])[:MOST_NATURAL]
    more = f"; the {len(shown)} of highest score of {len(rows)}" if len(rows) > len(shown) else ""
    columns = ("spotter", "material", "kind", "onset_s", "apex_s", "offset_s", "score", "aus")
    return Sheet(
        f"Found in the unplanted copies{more}",
        [{name: _short(row[name]) if name == "material" else row[name] for name in columns} for row in shown],
    )
