"""Named families of planted movements: which faces, time profile and displacement fields go together.

What is trained on "train" is measured on "bench"; the two share none of the three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.action_units import ActionUnit
from modalities.face.synthesis.fields import lid_field, unit_fields
from modalities.face.synthesis.mesh import FaceMesh, Field
from modalities.face.synthesis.muscles import muscle_field
from modalities.face.synthesis.seam import share_below

FieldMaker = Callable[[FaceMesh, str, NDArray[np.floating]], Field]


def table_field(mesh: FaceMesh, au: str, at: NDArray[np.floating], row: ActionUnit | None = None) -> Field:
    """Displacement by the table of action units at intensity 1, pixels, float32 (..., 2).

    Tissue above and below the line between the lips moves by fields of its own (`seam`). Lids are pulled up or down as
    skin is, the irises held: a planter cannot let them slide over the eyeball. `row` is what the action unit does, if
    not what the table says.

    Raises:
        InvalidValueError: no such action unit.
    """
    above, below = unit_fields(mesh, au, at, row)
    lids = lid_field(mesh, au, at, row)
    if above is below:
        return above + lids
    return (above + share_below(mesh, at) * (below - above)).astype(np.float32) + lids


@dataclass(frozen=True, slots=True)
class Family:
    """One way of making movements.

    Attributes:
        name: "train" or "bench".
        profile: Name of the time profile (`profiles.PROFILES`).
        field: Displacement of an action unit over a face; its size means nothing, the planter scales it.
        photograph: The simulator's photograph whose faces go with it.
        aus: Combinations of action units that it plants.
    """

    name: str
    profile: str
    field: FieldMaker
    photograph: str
    aus: tuple[tuple[str, ...], ...]


_SETS = (
    ("au01", "au02"), ("au01",), ("au02",), ("au04",), ("au06", "au12"), ("au12",), ("au12_left",), ("au12_right",),
    ("au09",), ("au10",), ("au14",), ("au14_left",), ("au14_right",), ("au15",), ("au17",), ("au15", "au17"), ("au20",),
    ("au24",), ("au04", "au24"), ("au02_left",), ("au02_right",), ("au10_left",), ("au10_right",),
)  # fmt: skip
"""Combinations that coders of the published corpora write most often; one-sided ones included."""

FAMILIES: dict[str, Family] = {
    "train": Family("train", "raised_cosine", table_field, "astronaut", _SETS),
    "bench": Family("bench", "skewed", muscle_field, "hopper", _SETS),
}


def family(name: str) -> Family:
    """The family of this name.

    Raises:
        InvalidValueError: no such family.
    """
    if name not in FAMILIES:
        raise InvalidValueError("unknown family of planted movements", got=name, expected=" or ".join(FAMILIES))
    return FAMILIES[name]
