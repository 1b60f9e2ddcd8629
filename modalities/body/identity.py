"""Whose body it is: where to look for the body of a face, and which pose belongs to which face.

MediaPipe's pose follows one person. Where several are seen, each person's body is looked for in the part of the picture
around that person's face, and a pose counts only if its head lies on that face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_schemas.errors import InvalidValueError
from data_schemas.time import Int64Array
from modalities.body.skeleton import FACE, FloatArray, Skeleton

ASIDE, ABOVE, BELOW = 2.6, 1.2, 7.5
"""The part of the picture to each side of, above and below a face that holds its body, in heights of the face."""
NEAR = 0.9
"""Greatest distance of a pose's face from a face, in heights of the face."""
LONGEST_NS = 1_000_000_000
"""A face counts for at most this long before and after it was seen."""


@dataclass(frozen=True, eq=False)
class FacePlaces:
    """Where one person's face is.

    Attributes:
        times_ns: int64 (n,), increasing.
        centres: (n, 2), px of the picture.
        heights: (n,), px, forehead to chin.
    """

    times_ns: Int64Array
    centres: FloatArray
    heights: FloatArray

    def __post_init__(self) -> None:
        if self.centres.shape != (len(self.times_ns), 2) or self.heights.shape != (len(self.times_ns),):
            raise InvalidValueError("the arrays of face places do not fit together", got=self.centres.shape)

    def at(self, t_ns: int) -> tuple[FloatArray, float] | None:
        """Centre and height of the face nearest in time, None where none is within a second."""
        if not len(self.times_ns):
            return None
        after = (
            int(np.clip(np.searchsorted(self.times_ns, t_ns), 1, len(self.times_ns) - 1))
            if len(self.times_ns) > 1
            else 0
        )
        best = min({max(0, after - 1), after}, key=lambda row: abs(int(self.times_ns[row]) - t_ns))
        if abs(int(self.times_ns[best]) - t_ns) > LONGEST_NS:
            return None
        return self.centres[best], float(self.heights[best])


def region_of(centre: FloatArray, height: float, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the picture that holds the body of a face, within the picture."""
    left, right = centre[0] - ASIDE * height, centre[0] + ASIDE * height
    top, bottom = centre[1] - ABOVE * height, centre[1] + BELOW * height
    return (
        int(np.clip(np.floor(left), 0, width_px - 1)),
        int(np.clip(np.floor(top), 0, height_px - 1)),
        int(np.clip(np.ceil(right), 1, width_px)),
        int(np.clip(np.ceil(bottom), 1, height_px)),
    )


def belongs(points: FloatArray, centre: FloatArray, height: float) -> bool:
    """Whether a pose (33, 2), px, has its head on a face."""
    return bool(np.linalg.norm(points[FACE].mean(axis=0) - centre) <= NEAR * height)


def assign_bodies(skeletons: Mapping[str, Skeleton], faces: Mapping[str, FacePlaces]) -> dict[str, str]:
    """Which body is whose, one to one.

    Args:
        skeletons: Bodies by any name, px of the same picture as the faces.
        faces: Where each person's face is.

    Returns:
        Person -> name of the body, for those whose face lies on a body's head in most of the samples that have both.
    """
    from scipy.optimize import linear_sum_assignment

    names, people = list(skeletons), list(faces)
    if not names or not people:
        return {}
    share = np.zeros((len(people), len(names)))
    for row, person in enumerate(people):
        for column, name in enumerate(names):
            share[row, column] = _share_on_face(skeletons[name], faces[person])
    rows, columns = linear_sum_assignment(-share)
    return {people[r]: names[c] for r, c in zip(rows, columns, strict=True) if share[r, c] > 0.5}


def _share_on_face(skeleton: Skeleton, face: FacePlaces) -> float:
    on = seen = 0
    for at in np.flatnonzero(skeleton.found).tolist():
        place = face.at(int(skeleton.times_ns[at]))
        if place is not None:
            seen += 1
            on += belongs(skeleton.points[at], *place)
    return on / seen if seen else 0.0
