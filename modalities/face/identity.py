"""Who is who in a video of several people: by where they sit, how they move on, and the colours of hair and clothes.

Nobody is guessed. A face that could be two of the people, or whose colours say one and whose seat says another, stays
without a name, and the question is put to whoever wrote the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from data_schemas.time import NS_PER_S
from modalities.face.appearance import Look, MeanLook, difference
from modalities.face.models import FloatArray

CLEAR = 0.15
"""Somebody else's look must be farther away than the best one's by this (Hellinger distance) to be ruled out."""
SEAT_REACH = 1.0
"""A face within this many of its widths of somebody's place is at their seat."""
SEAT_SCALE = 1.5
"""And so is it only if neither of the two widths is more than this many times the other."""
SEAT_S = 10.0
"""Time constant with which a seat follows the person."""
BACK_S, BACK_REACH, BACK_SCALE = 1.5, 0.6, 1.3
"""A face that is back within this time, this many widths and this ratio of sizes was not away."""
LEAST_SHARE = 0.4
"""A face narrower than this share of the widest one is not taken for one of the people without having been known."""


@dataclass(eq=False)
class Known:
    """What is known of one person, for as long as the video is read.

    Attributes:
        id: Their name in the manifest.
        look: Mean of their looks.
        seat: x and y of the middle of the face and its width in pixels, moving slowly; None before they were seen.
        last: The same when they were last seen.
        last_ns: When that was.
        quiet: Whether they were alone when last seen, so that a face at that place can only be theirs.
    """

    id: str
    look: MeanLook = field(default_factory=MeanLook)
    seat: FloatArray | None = None
    last: FloatArray | None = None
    last_ns: int = 0
    quiet: bool = True

    def settle(self, place: FloatArray, t_ns: int) -> None:
        """They are seen at a place (x, y, width)."""
        if self.seat is None:
            self.seat = place.copy()
        else:
            step_s = max(0, t_ns - self.last_ns) / NS_PER_S
            self.seat += (1 - np.exp(-min(step_s, 1.0) / SEAT_S)) * (place - self.seat)
        self.last, self.last_ns = place, t_ns

    def sits_at(self, place: FloatArray) -> bool:
        """Whether a place is their seat."""
        return self.seat is not None and near(place, self.seat, SEAT_REACH, SEAT_SCALE)

    def was_just_at(self, place: FloatArray, t_ns: int) -> bool:
        """Whether they were there a moment ago, alone."""
        recent = self.last is not None and t_ns - self.last_ns <= BACK_S * NS_PER_S
        return self.quiet and recent and self.last is not None and near(place, self.last, BACK_REACH, BACK_SCALE)


def near(place: FloatArray, other: FloatArray, reach: float, scale: float) -> bool:
    """Whether two places (x, y, width) lie within `reach` widths and their widths within a factor of `scale`."""
    width = max(1.0, float(max(place[2], other[2])))
    alike = 1 / scale <= place[2] / max(1.0, float(other[2])) <= scale
    return bool(alike and np.hypot(*(place[:2] - other[:2])) <= reach * width)


@dataclass(frozen=True)
class Verdict:
    """Who a face is.

    Attributes:
        kind: "known"; "unsure", one of several or none; "stranger".
        people: The person, those it could be, or nobody.
        why: In words, for a question.
    """

    kind: Literal["known", "unsure", "stranger"]
    people: tuple[str, ...] = ()
    why: str = ""


def recognize(look: Look, place: FloatArray, absent: Sequence[Known]) -> Verdict:
    """Who of the absent people a face that turned up is.

    Args:
        look: Mean colours around it.
        place: x and y of its middle and its width, pixels.
        absent: Known people who are not in view.
    """
    fitting = _fitting(look, absent)
    seated = [one for one in absent if one.sits_at(place)]
    names = ", ".join(one.id for one in fitting)
    if not fitting and not seated:
        return Verdict("stranger")
    if not fitting:
        who = tuple(one.id for one in seated)
        return Verdict("unsure", who, f"sits where {' and '.join(who)} sat but is dressed otherwise")
    if len(fitting) > 1:
        return Verdict("unsure", tuple(one.id for one in fitting), f"{names} look alike here")
    if seated and fitting[0] not in seated:
        who = (fitting[0].id, *(one.id for one in seated))
        return Verdict("unsure", who, f"dressed like {names}, in the seat of {' and '.join(who[1:])}")
    return Verdict("known", (fitting[0].id,))


def tell_apart(look: Look, claim: str, together: Sequence[Known], smooth: bool) -> Verdict:
    """Who of those whose faces met a face is, after they have parted.

    Args:
        look: Mean colours around it since.
        claim: Who it was before.
        together: Those who met, `claim` among them.
        smooth: Whether it was followed all through without a jump and was never covered.
    """
    fitting = _fitting(look, together)
    if len(fitting) == 1:
        return Verdict("known", (fitting[0].id,))
    if smooth and (not fitting or any(one.id == claim for one in fitting)):
        return Verdict("known", (claim,))
    who = tuple(one.id for one in (fitting or together))
    return Verdict("unsure", who, "they passed each other and look alike here")


def fits(look: Look, person: Known) -> bool:
    """Whether a look is within what is usual for a person; one of which nothing was seen is."""
    apart = difference(person.look.mean, look)
    return apart is None or apart <= person.look.limit


def _fitting(look: Look, people: Sequence[Known]) -> list[Known]:
    """Those whose look fits, without those who are clearly farther from it than the best one."""
    apart = [(difference(one.look.mean, look), one) for one in people]
    known = [(away, one) for away, one in apart if away is not None and away <= one.look.limit]
    best = min((away for away, _ in known), default=0.0)
    return [one for away, one in sorted(known, key=lambda pair: pair[0]) if away - best < CLEAR]


def seats_in_order(places: Sequence[FloatArray], people: Sequence[str]) -> list[str] | None:
    """The people of the places when they first sit there together: from the left of the picture to the right.

    Args:
        places: x, y and width of as many faces as there are people.
        people: From the camera's left to right.

    Returns:
        A person for each place; None where the number differs or one face is far smaller than the others.
    """
    if len(places) != len(people):
        return None
    widths = [float(place[2]) for place in places]
    if min(widths) < LEAST_SHARE * max(widths):
        return None
    order = np.argsort([place[0] for place in places], kind="stable")
    out = [""] * len(places)
    for person, at in zip(people, order.tolist(), strict=True):
        out[at] = person
    return out
