"""Which emotion a facial expression belongs to, by its action units.

The weights say how typical an action unit is of a family, after the prototypes of EMFACS (Friesen & Ekman 1983): AU6+12
positive; AU4, 7, 9, 10, 15, 17, 20, 24 negative; AU1+2, 5, 26 surprise. They only sort what an encoder found; what an
expression says about feeling is left to the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from fusion.vocabulary import FAMILIES

WEIGHTS: dict[int, dict[str, float]] = {
    1: {"surprise": 0.7, "negative": 0.3},
    2: {"surprise": 1.0},
    4: {"negative": 1.0},
    5: {"surprise": 0.8, "negative": 0.2},
    6: {"positive": 0.8, "negative": 0.2},
    7: {"negative": 0.6, "positive": 0.2},
    9: {"negative": 1.0},
    10: {"negative": 0.9},
    12: {"positive": 1.2},
    13: {"positive": 0.8},
    14: {"negative": 0.5},
    15: {"negative": 1.0},
    16: {"negative": 0.6},
    17: {"negative": 0.7},
    20: {"negative": 0.9},
    23: {"negative": 0.7},
    24: {"negative": 0.7},
    25: {"surprise": 0.15, "positive": 0.15},
    26: {"surprise": 0.5},
    27: {"surprise": 0.7},
}
"""Action unit -> how typical of each family, 0 to about 1."""
_AU = re.compile(r"au_?0*(\d+)", re.IGNORECASE)


def action_units_of(event: Event) -> dict[int, float]:
    """Action units of an expression event with their relative strength.

    Args:
        event: Its `details["aus"]` (name -> intensity) is used where given, else its label ("AU06+AU12", each 1).

    Returns:
        Number of the action unit -> strength >= 0; the stronger side of a two-sided one. Empty where none is named.
    """
    stated = event.details.get("aus")
    pairs: list[tuple[str, float]]
    if isinstance(stated, Mapping) and stated:
        pairs = [(str(name), _number(value)) for name, value in stated.items()]
    else:
        names = stated if isinstance(stated, list | tuple) else re.split(r"[+,; ]+", event.label)
        pairs = [(str(name), 1.0) for name in names]
    found: dict[int, float] = {}
    for name, strength in pairs:
        match = _AU.match(name.strip())
        if match:
            number = int(match.group(1))
            found[number] = max(found.get(number, 0.0), strength)
    return found


def family_shares(event: Event) -> NDArray[np.float64]:
    """How much of an expression belongs to each of `FAMILIES`; shape (4,), non-negative, sums to 1.

    An expression without an action unit that is listed is wholly "other".
    """
    shares = np.zeros(len(FAMILIES))
    for number, strength in action_units_of(event).items():
        for family, weight in WEIGHTS.get(number, {}).items():
            shares[FAMILIES.index(family)] += weight * strength
    total = shares.sum()
    if total <= 0:
        shares[FAMILIES.index("other")] = 1.0
        return shares
    return shares / total


def _number(value: object) -> float:
    return max(0.0, float(value)) if isinstance(value, int | float) and np.isfinite(value) else 0.0
