"""The second family of displacements: soft blobs that are pulled along the lines of the muscles.

A contracting muscle draws the skin over its insertion towards its origin (Duchenne 1862; the linear muscle of Waters
1987). Unlike the fields of `fields`, nothing here comes from the table of landmark displacements: a spotter trained on
one family is measured on the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import FaceMesh, Field, Pixels
from modalities.face.synthesis.seam import share_below


@dataclass(frozen=True, slots=True)
class MuscleLine:
    """One pair of muscles; landmarks of the person's right and left.

    Attributes:
        insertion: Where the skin is pulled.
        origin: Where to.
        width: Spread of the pull across the line, in inter-ocular distances (IOD).
        length: Spread along it.
        share: Size relative to the greatest of the action unit.
        lip: "upper" or "lower" where tissue beyond the line between the lips does not follow, else "".
    """

    insertion: tuple[int, int]
    origin: tuple[int, int]
    width: float = 0.13
    length: float = 0.18
    share: float = 1.0
    lip: str = ""


MUSCLES: dict[str, tuple[MuscleLine, ...]] = {
    "au01": (MuscleLine((55, 285), (108, 337), 0.16, 0.16),),
    "au02": (MuscleLine((53, 283), (103, 332), 0.18, 0.15),),
    "au04": (MuscleLine((66, 296), (8, 8), 0.12, 0.18), MuscleLine((55, 285), (168, 168), 0.1, 0.14, 0.7)),
    "au05": (MuscleLine((159, 386), (105, 334), 0.12, 0.055),),
    "au06": (MuscleLine((50, 280), (110, 339), 0.2, 0.14), MuscleLine((117, 346), (111, 340), 0.12, 0.08, 0.5)),
    "au07": (
        MuscleLine((145, 374), (133, 362), 0.13, 0.05, 0.3), MuscleLine((145, 374), (159, 386), 0.05, 0.13),
        MuscleLine((159, 386), (145, 374), 0.055, 0.13, 0.7),
    ),
    "au09": (MuscleLine((129, 358), (193, 417), 0.1, 0.2), MuscleLine((48, 278), (188, 412), 0.08, 0.14, 0.6)),
    "au10": (MuscleLine((40, 270), (101, 330), 0.11, 0.16), MuscleLine((37, 267), (203, 423), 0.08, 0.12, 0.5)),
    "au12": (MuscleLine((61, 291), (116, 345), 0.13, 0.22), MuscleLine((206, 426), (118, 347), 0.1, 0.16, 0.5)),
    "au14": (MuscleLine((61, 291), (58, 288), 0.08, 0.12), MuscleLine((212, 432), (61, 291), 0.08, 0.1, 0.6)),
    "au15": (MuscleLine((57, 287), (150, 379), 0.11, 0.2),),
    "au17": (MuscleLine((199, 199), (17, 17), 0.16, 0.14),),
    "au20": (MuscleLine((61, 291), (138, 367), 0.1, 0.25),),
    "au23": (
        MuscleLine((61, 291), (14, 14), 0.1, 0.12), MuscleLine((39, 269), (14, 14), 0.1, 0.1, 0.6, "upper"),
        MuscleLine((181, 405), (13, 13), 0.1, 0.1, 0.6, "lower"),
    ),
    "au24": (MuscleLine((17, 17), (14, 14), 0.2, 0.07), MuscleLine((0, 0), (13, 13), 0.2, 0.06, 0.8)),
    "au25": (
        MuscleLine((14, 14), (18, 18), 0.17, 0.12, 1.0, "lower"), MuscleLine((13, 13), (0, 0), 0.17, 0.1, 0.3, "upper"),
    ),
    "au26": (MuscleLine((199, 199), (152, 152), 0.4, 0.38, 1.0, "lower"),),
}  # fmt: skip
"""Muscle lines of each action unit; both entries of a pair are the same on the midline.

Of AU14 the second line draws the skin beside the corner of the mouth towards it, which makes the dimple (FACS). Of AU20
the risorius runs level from the corner.
"""

_EDGE = 3.0
"""Spreads after which a blob has ended."""


def muscle_field(mesh: FaceMesh, au: str, at: NDArray[np.floating]) -> Field:
    """Displacement by one action unit, of size 1 pixel or so where it is greatest.

    Args:
        mesh: The face.
        au: Name with or without a side ("au12_left").
        at: Positions (..., 2), pixels.

    Returns:
        Displacements (x, y) in pixels, float32 (..., 2).

    Raises:
        InvalidValueError: no such action unit in `MUSCLES`.
    """
    name, _, side = au.partition("_")
    if name not in MUSCLES or side not in ("", "left", "right"):
        raise InvalidValueError("no muscle line for this action unit", got=au, expected=", ".join(MUSCLES))
    out = np.zeros(at.shape, np.float64)
    for line in MUSCLES[name]:
        for which, insertion, origin in zip(("right", "left"), line.insertion, line.origin, strict=True):
            if side in ("", which):
                pull = line.share * _pull(mesh, line, mesh.points[insertion], mesh.points[origin], at)
                below = share_below(mesh, at) if line.lip else None
                out += pull if below is None else pull * (below if line.lip == "lower" else 1 - below)
            if line.insertion[0] == line.insertion[1] and line.origin[0] == line.origin[1]:
                break  # one muscle on the midline
    return out.astype(np.float32)


def _pull(mesh: FaceMesh, line: MuscleLine, insertion: Pixels, origin: Pixels, at: NDArray[np.floating]) -> Pixels:
    """One blob: a Gaussian around the insertion that ends smoothly, times the direction to the origin."""
    towards = (origin - insertion) / max(1e-6, float(np.linalg.norm(origin - insertion)))
    away = at - insertion
    along = (away @ towards) / (line.length * mesh.iod)
    across = (away @ np.array([-towards[1], towards[0]])) / (line.width * mesh.iod)
    far = along**2 + across**2
    floor = np.exp(-(_EDGE**2) / 2)
    return np.maximum(np.exp(-far / 2) - floor, 0)[..., None] / (1 - floor) * towards
