"""Where faces are in a video, so that they can be hidden: looked for anew, ten times a second.

The timeline keeps no boxes, and an analysis follows the people of the manifest only; what is handed on must hide
bystanders too. So every face that the detectors find counts, whoever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S, Int64Array, to_ns, to_s

LOOK_EVERY_S = 0.1
"""A face is looked for this often."""
NEAR_S = 0.2
"""Every face that was found within this time of a picture is hidden in it."""
HOLD_S = 0.5
"""Where fewer faces are found than there are, the last and the next whole set of boxes count for so long, grown; after
that the whole picture is hidden."""
GROWTH_PER_S = 1.5
"""By how much a held box grows on every side, in sides of the box per second: a head that moves fast stays inside."""
CONFIRM_S, MISS_S = 1.0, 0.35
"""Faces that begin somewhere count once they were seen for the first, without a break longer than the second: detectors
take a hand or a letter for a face now and then, and that must not pass for the person whose face is turned away."""
MARGINS = (0.6, 0.9, 0.6, 0.6)
"""Added to a detector's box, which spans brows to chin, left, top, right and bottom, in sides of the box: hair, ears,
chin and neck."""

Boxes = NDArray[np.float64]
"""Left, top, right, bottom in pixels, float64 (n, 4)."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """The faces of a video.

    Attributes:
        times_ns: When they were looked for, int64 (k,), increasing.
        faces: What was found at each time, k arrays (n, 4).
        people: How many faces there are at least; the more of this and of the median of those found at once.
    """

    times_ns: Int64Array
    faces: Sequence[Boxes]
    people: int = 1
    _full: Int64Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts = np.array([len(one) for one in self.faces], dtype=np.int64)
        typical = int(np.median(counts[counts > 0])) if counts.any() else 0
        full = _followed(self.times_ns, self.faces, max(1, self.people, typical))
        object.__setattr__(self, "_full", np.array(full, dtype=np.int64))

    def heads(self, t_ns: int) -> Boxes | None:
        """What must be hidden at a time.

        Returns:
            Boxes around whole heads, (n, 4), n > 0, which may reach over the picture's rim; None where somebody was not
            found for longer than `HOLD_S`, so that the whole picture must be hidden.
        """
        first, last = np.searchsorted(self.times_ns, (t_ns - to_ns(NEAR_S), t_ns + to_ns(NEAR_S) + 1))
        boxes = [grown(self.faces[at]) for at in range(first, last) if len(self.faces[at])]
        at = int(np.searchsorted(self._full, first))
        if at < len(self._full) and self._full[at] < last:
            return np.vstack(boxes)
        held = []
        for full in self._full[max(0, at - 1) : at + 1]:
            away_s = abs(to_s(int(self.times_ns[full]) - t_ns))
            if away_s <= HOLD_S:
                held.append(grown(self.faces[full], GROWTH_PER_S * away_s))
        return np.vstack([*boxes, *held]) if held else None


def _followed(times_ns: Int64Array, faces: Sequence[Boxes], wanted: int) -> list[int]:
    """Indices of the looks at which as many faces as wanted were seen where they are followed."""
    if not len(times_ns):
        return []
    long = min(to_ns(CONFIRM_S), int(times_ns[-1] - times_ns[0]) // 2)
    out: list[int] = []
    lead: Boxes | None = None
    begun: list[int] = []
    candidate: Boxes | None = None
    for at, boxes in enumerate(faces):
        kept = None if lead is None else _next_places(lead, boxes)
        if kept is not None:
            out.append(at)
            lead, begun = kept, []
        elif len(boxes) >= wanted:
            fresh = not begun or times_ns[at] - times_ns[begun[-1]] > to_ns(MISS_S)
            on = None if fresh or candidate is None else _next_places(candidate, boxes)
            begun, candidate = ([at], boxes[:wanted]) if on is None else ([*begun, at], on)
            if times_ns[at] - times_ns[begun[0]] >= long:
                out += begun
                lead, begun = candidate, []
    return out


def _next_places(before: Boxes, now: Boxes) -> Boxes | None:
    """The boxes of now that are of the same faces, each the nearest within the head as it was; None if one is gone."""
    free = list(range(len(now)))
    found = []
    for box, head in zip(before, grown(before), strict=True):
        middles = (now[free, :2] + now[free, 2:]) / 2
        inside = ((middles >= head[:2]) & (middles <= head[2:])).all(axis=1)
        if not inside.any():
            return None
        away = np.linalg.norm(middles - (box[:2] + box[2:]) / 2, axis=1)
        found.append(free.pop(int(np.argmin(np.where(inside, away, np.inf)))))
    return now[found]


def grown(boxes: Boxes, more: float = 0.0) -> Boxes:
    """Boxes of faces made boxes of heads, (n, 4).

    Args:
        boxes: As detectors give them, (n, 4).
        more: Added on every side, in sides of the box.
    """
    side = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None]
    return np.asarray(boxes + side * ((np.array(MARGINS) + more) * (-1, -1, 1, 1)), np.float64)


def look_for_faces(video: Video, people: int, hook: Hook = silent) -> Sightings:
    """Look through a whole video; infrared and depth pictures are toned as for the analysis.

    Args:
        video: Read frame by frame; a video that breaks off counts up to there.
        people: How many it shows by the manifest.
        hook: Progress.

    Raises:
        UnreadableFileError: the file can no longer be opened.
    """
    from modalities.face.detection import find_faces
    from modalities.face.models import borrowed_models
    from modalities.face.pictures import toner_of

    toner = toner_of(video)
    times = video.times_ns
    step = f"find faces in {video.info.name}"
    wanted = looks(times)
    seen: list[int] = []
    faces: list[Boxes] = []
    with borrowed_models() as models:
        try:
            for frame in video.frames_at(wanted):
                picture = toner.tone(frame.image, frame.t_ns)
                found = find_faces(models, picture, thorough=True, at_least=max(1, people))
                seen.append(frame.t_ns)
                faces.append(np.asarray(found[:, :4], np.float64).reshape(-1, 4))
                hook(step, len(seen), len(wanted))
        except TelltaleError:
            if not seen:
                raise
    hook(step, len(wanted), len(wanted))
    return Sightings(np.array(seen, dtype=np.int64), faces, people)


def looks(times_ns: Int64Array) -> list[int]:
    """Indices of the frames to look at: the first of every tenth of a second, and the last one."""
    if not len(times_ns):
        return []
    every = round(LOOK_EVERY_S * NS_PER_S)
    _, first = np.unique((times_ns - times_ns[0]) // every, return_index=True)
    return sorted({*first.tolist(), len(times_ns) - 1})
