"""One followed face, and the stretches of it that are one person's each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data_schemas.time import NS_PER_S, to_s
from modalities.face.appearance import MeanLook
from modalities.face.landmarks import FaceWindow, Sighting
from modalities.face.models import FloatArray, MeshModel


@dataclass(eq=False)
class Stretch:
    """Part of what one mesh followed, during which it was one person.

    Attributes:
        face: Number of the followed face.
        first: First frame.
        start_ns: Its time.
        x: Middle of the face then, as a share of the picture's width.
        end: One past the last frame.
        end_ns: Its time.
        state: "trial": being looked at; "named"; "meeting": its box touches another face's; "unsure"; "stranger".
        person: Whose it is, once known.
        could_be: Whose it could be.
        why: Why nobody knows, in words.
        claim: Whose it was before faces met.
        smooth: Whether the mesh was never torn off its way.
        parted: Frame at which faces that met were apart again; 0: they did not meet.
        since_ns: Since when it has been looked at, or since when the faces have been apart.
        look: Colours since then.
    """

    face: int
    first: int
    start_ns: int
    x: float = 0.0
    end: int = 0
    end_ns: int = 0
    state: str = "trial"
    person: str | None = None
    could_be: tuple[str, ...] = ()
    why: str = ""
    claim: str | None = None
    smooth: bool = True
    parted: int = 0
    since_ns: int = -1
    look: MeanLook = field(default_factory=MeanLook)

    def __post_init__(self) -> None:
        self.since_ns = self.start_ns if self.since_ns < 0 else self.since_ns

    def ripe(self, t_ns: int, least_s: float, looks: int) -> bool:
        """Whether it has been looked at for long enough to decide."""
        return t_ns - self.since_ns >= least_s * NS_PER_S and self.look.count >= looks

    def name(self, person: str) -> None:
        """It is this person's."""
        self.state, self.person, self.could_be, self.why = "named", person, (person,), ""

    def ask(self, could_be: Sequence[str], why: str) -> None:
        """Nobody knows whose it is."""
        self.state, self.person, self.could_be, self.why = "unsure", None, tuple(could_be), why

    def close(self, end: int, end_ns: int) -> None:
        """It ends before this frame."""
        self.end, self.end_ns = end, end_ns


class Followed:
    """One face that is followed by a mesh of its own.

    Attributes:
        number: Counted from 1.
        window: Where the mesh looks.
        mesh: The mesh.
        stretch: The stretch that is going on.
        sighting: The face in the present picture; None where it was lost for a moment.
        place: x and y of its middle and its width, pixels, when last seen.
        box: Left, top, right, bottom when last seen.
        surprise: How far from where it was heading it was seen last, in widths.
    """

    def __init__(self, number: int, window: FaceWindow, mesh: MeshModel, stretch: Stretch) -> None:
        self.number, self.window, self.mesh, self.stretch = number, window, mesh, stretch
        self.sighting: Sighting | None = None
        self.place: FloatArray = np.zeros(3)
        self.box: FloatArray = np.zeros(4)
        self.surprise = 0.0
        self._speed: FloatArray = np.zeros(2)
        self._seen_ns = self._step_ns = 0

    def see(self, sighting: Sighting | None, t_ns: int) -> None:
        """Take in the next picture."""
        self.sighting = sighting
        if sighting is None:
            return
        box = sighting.box
        place = place_of(box)
        self._step_ns = t_ns - self._seen_ns
        if self._seen_ns and self._step_ns > 0:
            step_s = self._step_ns / NS_PER_S
            off = place[:2] - self.place[:2] - self._speed * step_s
            self.surprise = float(np.hypot(*off)) / max(1.0, float(place[2]))
            gain = 1 - np.exp(-step_s / 0.15)
            self._speed = self._speed + gain * ((place[:2] - self.place[:2]) / step_s - self._speed)
        self.box, self.place, self._seen_ns = box, place, t_ns

    def jumped(self, before: FloatArray, least: float, per_s: float) -> bool:
        """Whether it came farther off its way than `least` widths plus `per_s` widths a second."""
        return bool(before[2]) and self.surprise > least + per_s * self._step_ns / NS_PER_S


def place_of(box: FloatArray) -> FloatArray:
    """Middle (x, y) of a box (left, top, right, bottom, ...), and its width."""
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0]])


def describe(stretch: Stretch) -> str:
    """A question about a stretch, with the lines that answer it."""
    who = " or ".join(stretch.could_be) or "somebody of the session"
    return (
        f"who is in view from {to_s(stretch.start_ns):.2f} s to {to_s(stretch.end_ns):.2f} s at x = {stretch.x:.2f} "
        f"(share of the width): {who}? {stretch.why[:1].upper() + stretch.why[1:]}; this is masked (unsure_who). "
        f"To answer, write below this stream: [[streams.seats]] time_s = {to_s(stretch.start_ns):.2f}, "
        f'x = {stretch.x:.2f}, person = "..."'
    )


def settle_by_exclusion(stretches: Sequence[Stretch]) -> None:
    """Name stretches that only one person is left for, since all others are in view elsewhere at that time.

    Args:
        stretches: All of one video; those named late may name others.
    """
    changed = True
    while changed:
        changed = False
        for one in stretches:
            if one.person is not None or len(one.could_be) < 2:
                continue
            elsewhere = {
                other.person for other in stretches if other is not one and other.person and _overlap(one, other)
            }
            left = [name for name in one.could_be if name not in elsewhere]
            if len(left) == 1:
                one.name(left[0])
                changed = True


def _overlap(a: Stretch, b: Stretch) -> bool:
    """Whether two stretches share most of the shorter one's frames."""
    common = min(a.end, b.end) - max(a.first, b.first)
    return common > 0.5 * min(a.end - a.first, b.end - b.first)
