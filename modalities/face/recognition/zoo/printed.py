"""Figures that papers print for the composite of SMIC, CASME II and SAMM (MEGC 2019; 442 samples, 68 persons).

They are in `printed.csv` (system, uf1, uar, source). Those of one protocol on paper were measured by many hands: faces
cut and moments of training chosen by each in its own way. Systems without a figure that is known for sure have no row.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Printed:
    """What a paper prints.

    Attributes:
        uf1: Unweighted F1, 0..1.
        uar: Unweighted average recall, 0..1.
        source: Where.
    """

    uf1: float
    uar: float
    source: str


@cache
def printed_figures() -> dict[str, Printed]:
    """By name of the system."""
    with (Path(__file__).parent / "printed.csv").open(encoding="utf-8", newline="") as opened:
        return {
            row["system"]: Printed(float(row["uf1"]), float(row["uar"]), row["source"])
            for row in csv.DictReader(opened)
        }
