"""Rows of each of several people of one video, read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from data_schemas.result import Problem
from data_schemas.stream import Seat
from data_schemas.time import NS_PER_S
from modalities.face.depth.kept import SurfaceSource
from modalities.face.landmarks import Sighting
from modalities.face.models import FaceModels, FloatArray, Picture
from modalities.face.observation import ROW, FaceObserver
from modalities.face.stretches import Stretch, describe
from modalities.face.tracking import PeopleTracker

LEAST_ASKED_S = 0.5
"""About shorter stretches nobody is asked; they stay masked."""
_BLOCK = 4096
Faces = Mapping[int, Sighting | None]
"""Followed faces by their number; None while one is lost for a moment."""


class PeopleObserver:
    """Looks at one picture after the other and keeps a row of each person's face.

    Args:
        models: Models lent for this video.
        people: Names, from the left of the picture to the right.
        seats: Who sits where at some time, as the manifest says.
        make_observer: Makes the observer of one face, without models; by default one of usual settings.
    """

    def __init__(
        self,
        models: FaceModels,
        people: Sequence[str],
        seats: Sequence[Seat] = (),
        make_observer: Callable[[], FaceObserver] | None = None,
    ) -> None:
        self._people = tuple(people)
        self._tracker = PeopleTracker(models, people, seats)
        self._make_observer = make_observer or partial(FaceObserver, None)
        self._observers: dict[int, tuple[int, FaceObserver]] = {}
        self._done: dict[int, tuple[int, NDArray[np.void], Mapping[str, FloatArray]]] = {}
        self._times: list[NDArray[np.int64]] = []
        self._count = 0
        self._stretches: list[Stretch] | None = None

    def add(self, picture: Picture, t_ns: int, surface: SurfaceSource | None = None) -> bool:
        """Take the next picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time, later than the last one's.
            surface: What a depth camera measured in it.

        Returns:
            Whether a face was found.
        """
        return self.take(self.find(picture, t_ns), picture, t_ns, surface)

    def find(self, picture: Picture, t_ns: int) -> Faces:
        """The faces in the next picture, by number; ahead of `take` by as many pictures as one likes.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time, later than the last one's.
        """
        return {one.number: one.sighting for one in self._tracker.follow(picture, t_ns)}

    def take(self, faces: Faces, picture: Picture, t_ns: int, surface: SurfaceSource | None = None) -> bool:
        """Take the next picture, in which `find` looked for the faces; otherwise as `add`."""
        if self._count % _BLOCK == 0:
            self._times.append(np.zeros(_BLOCK, np.int64))
        self._times[-1][self._count % _BLOCK] = t_ns
        for number, sighting in faces.items():
            if number not in self._observers:
                self._observers[number] = (self._count, self._make_observer())
            self._observers[number][1].take(sighting, picture, t_ns, surface)
        for number in set(self._observers) - set(faces):
            self._put_away(number)
        self._count += 1
        return any(sighting is not None for sighting in faces.values())

    def finish(self) -> None:
        """The video is over: settle who is who. Call it once, before asking for rows."""
        times = self._all_times()
        self._stretches = self._tracker.finish(int(times[-1]) if len(times) else 0)
        for number in list(self._observers):
            self._put_away(number)

    def rows_of(self, person: str) -> tuple[NDArray[np.void], dict[str, FloatArray]]:
        """All rows of one person, dtype `ROW`, (frames,), and what else was kept (`FaceObserver.kept`).

        Rows of frames in which nobody knows whether a face is this person's are marked `unsure`.
        """
        rows = np.zeros(self._count, ROW)
        rows["t_ns"] = self._all_times()
        reduced: dict[str, FloatArray] = {}
        stretches = self._stretches or []
        for stretch in stretches:
            if stretch.person is None and person in stretch.could_be:
                rows["unsure"][stretch.first : stretch.end] = True
        rows["unsure"][self._tracker.crowded] = True
        for stretch in stretches:
            if stretch.person != person or stretch.face not in self._done:
                continue
            start, of_face, kept = self._done[stretch.face]
            part = slice(stretch.first - start, min(stretch.end - start, len(of_face)))
            whole = slice(stretch.first, stretch.first + len(of_face[part]))
            rows[whole] = of_face[part]
            for name, values in kept.items():
                target = reduced.setdefault(name, np.zeros((self._count, values.shape[1]), values.dtype))
                target[whole] = values[part]
        _cut_links(rows, [one.first for one in stretches if one.person == person])
        return rows, reduced

    def questions(self, stream: str) -> list[Problem]:
        """What only the user can tell about a stream, and which answers of the manifest could not be used."""
        asked = [
            Problem(
                severity="warning",
                what=f"stream '{stream}': {describe(stretch)}",
                stream=stream,
                time_s=stretch.start_ns / NS_PER_S,
            )
            for stretch in self._stretches or []
            if stretch.person is None and stretch.end_ns - stretch.start_ns >= LEAST_ASKED_S * NS_PER_S
        ]
        if self._tracker.crowded:
            first_s = float(self._all_times()[self._tracker.crowded[0]]) / NS_PER_S
            what = (
                f"stream '{stream}': from {first_s:.2f} s on more faces are in view than people are named, and which "
                f"of them are {' and '.join(self._people)} was never seen. Write below this stream, for each of them: "
                f'[[streams.seats]] time_s = {first_s:.2f}, x = ..., person = "..."'
            )
            asked.append(Problem(severity="warning", what=what, stream=stream, time_s=first_s))
        asked += [
            Problem(severity="warning", what=f"stream '{stream}', {time_s:.2f} s: {text}", stream=stream, time_s=time_s)
            for time_s, text in self._tracker.complaints
        ]
        return asked

    def _put_away(self, number: int) -> None:
        """Keep the rows of a face that is gone, but not a stranger's."""
        first, observer = self._observers.pop(number)
        if any(one.face == number and one.state != "stranger" for one in self._tracker.stretches):
            self._done[number] = (first, observer.rows(), observer.kept())

    def _all_times(self) -> NDArray[np.int64]:
        return np.concatenate([*self._times, np.zeros(0, np.int64)])[: self._count]


def _cut_links(rows: NDArray[np.void], firsts: Sequence[int]) -> None:
    """No row of a stretch is linked by flow to what the same mesh saw before the stretch was this person's."""
    bounds = [*sorted(firsts), len(rows)]
    for first, last in pairwise(bounds):
        part = rows[first:last]
        reach = np.arange(len(part))
        part["back"][part["back"] > reach[:, None]] = 0
        part["key_back"][part["key_back"] > reach] = 0
