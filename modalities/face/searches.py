"""When to look for people who are missing, and whom not to look at, so that it costs little however long it lasts."""

from __future__ import annotations

from typing import Literal

from data_schemas.time import NS_PER_S
from modalities.face.identity import near
from modalities.face.models import FloatArray

QUICK_S, THOROUGH_S = 0.2, 0.5
"""How often faces are searched quickly, and thoroughly."""
PATIENCE_S, PATIENT_S = 5.0, 2.0
"""Who has been missing for so long is searched thoroughly only so often."""


class Searches:
    """Says at each picture in which somebody is missing how to search it."""

    def __init__(self) -> None:
        self._asked_ns = self._quick_ns = self._thorough_ns = self._since_ns = -(10**18)

    def due(self, t_ns: int) -> Literal["quick", "thorough"] | None:
        """How to search the picture of this time; None: not at all. Ask only while somebody is missing."""
        if t_ns - self._asked_ns > THOROUGH_S * NS_PER_S:
            self._since_ns = t_ns
        self._asked_ns = t_ns
        patient = t_ns - self._since_ns > PATIENCE_S * NS_PER_S
        if t_ns - self._thorough_ns >= (PATIENT_S if patient else THOROUGH_S) * NS_PER_S:
            self._quick_ns = self._thorough_ns = t_ns
            return "thorough"
        if t_ns - self._quick_ns >= QUICK_S * NS_PER_S:
            self._quick_ns = t_ns
            return "quick"
        return None


STRANGER_S, STRANGER_REACH = 1.0, 0.5
"""A stranger is not looked at again within this time, unless they move by so many widths of their face."""


class Strangers:
    """Where faces were a moment ago that belong to nobody of the session; nothing else of them is kept."""

    def __init__(self) -> None:
        self._places: list[tuple[int, FloatArray]] = []

    def add(self, place: FloatArray, t_ns: int) -> None:
        """A stranger is at a place (x, y, width)."""
        self._places.append((t_ns, place))

    def include(self, place: FloatArray, t_ns: int) -> bool:
        """Whether a face at this place is one of them; older ones are forgotten."""
        self._places = [one for one in self._places if t_ns - one[0] < STRANGER_S * NS_PER_S]
        return any(near(place, other, STRANGER_REACH, 1.5) for _, other in self._places)
