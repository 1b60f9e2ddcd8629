"""Several people in one body video: each body is looked for around a face, by a tracker of its own, and is that face's.

Faces are followed and named as in the face channel (`modalities.face.tracking`): from the left to the right, known
again by seat, way and looks; what cannot be told stays a question. A body keeps its name while its face is hidden for
as long as its own joints go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.result import Problem
from data_schemas.stream import Frame, Video
from data_schemas.time import to_ns, to_s
from modalities.body.following import Body, Row
from modalities.body.identity import LONGEST_NS, NEAR, Place
from modalities.body.observation import PIXEL_HZ, BodySettings, Observation, Timer, look_through
from modalities.body.pictures import as_picture
from modalities.body.pose import Trackers, lending
from modalities.body.skeleton import JOINTS, SHOULDERS, Skeleton
from modalities.face.models import borrowed_models
from modalities.face.people import LEAST_ASKED_S
from modalities.face.stretches import Followed, Stretch, describe
from modalities.face.tracking import PeopleTracker

SAME_BODY = 0.5
"""Two bodies whose shoulders are closer than this many heights of the face are one."""


class BodiesObserver:
    """Follows the bodies of several people.

    Args:
        trackers: Lent for this video.
        faces: Follows their faces.
        people: Whom.
        video: The video.
        settings: Of the body channel.

    Attributes:
        frames: Taken so far.
        times: Of those in which bodies were looked for, ns.
    """

    def __init__(
        self, trackers: Trackers, faces: PeopleTracker, people: Sequence[str], video: Video, settings: BodySettings
    ) -> None:
        self._trackers, self._faces, self._people, self._settings = trackers, faces, tuple(people), settings
        self._pose_timer, self._pixel_timer = Timer(settings.pose_hz), Timer(PIXEL_HZ)
        self._size, self.frames = (video.width, video.height), 0
        self.live: list[Body] = []
        self._done: list[Body] = []
        self.times: list[int] = []
        self.stretches: list[Stretch] = []

    def take(self, frame: Frame) -> bool:
        """Take the next frame; whether bodies were looked for in it."""
        self.frames += 1
        take_pose = self._pose_timer.is_due(frame.t_ns)
        if not (self._pixel_timer.is_due(frame.t_ns) or take_pose):
            return False
        self._size = (frame.image.shape[1], frame.image.shape[0])
        small = as_picture(frame.image, self._settings.max_side_px)
        for body in self.live:
            body.pixels.add(small, frame.t_ns)
        if take_pose:
            self._look(frame.image, as_picture(frame.image, max(self._size)), frame.t_ns)
        return take_pose

    def _look(self, picture: NDArray[np.generic], rgb: NDArray[np.uint8], t_ns: int) -> None:
        """Look for everybody in the next picture.

        Args:
            picture: Of the video.
            rgb: The same as RGB, for the faces.
            t_ns: Its time.
        """
        frame = len(self.times)
        self.times.append(t_ns)
        faces = {one.number: place_of(one) for one in self._faces.follow(rgb, t_ns) if one.sighting is not None}
        self._join(faces, t_ns)
        for body in self.live:
            others = [place for number, place in faces.items() if number != body.face]
            others += [other.place for other in self.live if other is not body and not other.face]
            body.look(picture, others, frame, t_ns)
        for body in list(self.live):
            gone = not body.face and t_ns - body.seen_ns > LONGEST_NS
            if gone or (not body.face and any(_same(body, other) for other in self.live if other is not body)):
                self._let_go(body)

    def finish(self) -> None:
        """The video is over: settle who is who."""
        self.stretches = self._faces.finish(self.times[-1] if self.times else 0)
        for body in list(self.live):
            self._let_go(body)

    def rows_of(self, person: str) -> tuple[dict[int, Row], set[int]]:
        """The looks at one person by frame, and the frames in which somebody could be this person.

        Of two bodies that have the same person's name in one frame, the one whose face is seen counts.
        """
        rows: dict[int, Row] = {}
        unsure: set[int] = set()
        for body in self._done:
            for row, owners in zip(body.rows, owners_of(body.rows, self.stretches), strict=True):
                if row.joints is None or person not in owners:
                    continue
                if len(owners) > 1:
                    unsure.add(row.frame)
                elif row.frame not in rows or (row.face and not rows[row.frame].face):
                    rows[row.frame] = row
        return rows, (unsure | set(self._faces.crowded)) - set(rows)

    def questions(self) -> list[tuple[float, str]]:
        """Session time, seconds, and words of what only the user can tell."""
        asked = [
            (to_s(one.start_ns), describe(one))
            for one in self.stretches
            if one.person is None and one.end_ns - one.start_ns >= to_ns(LEAST_ASKED_S)
        ]
        return [*asked, *self._faces.complaints]

    def result(self, person: str, broken: Problem | None = None) -> Observation:
        """What was kept of one person; `broken` says why reading stopped before the end."""
        rows, unsure = self.rows_of(person)
        n = len(self.times)
        motion, known = np.zeros(n), np.zeros(n, dtype=bool)
        for frame, row in rows.items():
            if row.motion is not None:
                motion[frame], known[frame] = row.motion, True
        mask = np.zeros(n, dtype=bool)
        mask[sorted(unsure)] = True
        skeleton = skeleton_of(rows, self.times, *self._size)
        hands = tuple(rows[at].hands if at in rows else None for at in range(n))
        return Observation(skeleton, hands, motion, known, self.frames, self.rejected, broken, mask)

    @property
    def rejected(self) -> int:
        """Poses that cannot be a sitting or standing person."""
        return sum(body.rejected for body in (*self._done, *self.live))

    def _join(self, faces: Mapping[int, Place], t_ns: int) -> None:
        """Give every body its face, and every face without one a body."""
        for body in self.live:
            if body.face in faces:
                body.place = faces[body.face]
        free = {number: place for number, place in faces.items() if all(body.face != number for body in self.live)}
        for body in self.live:
            if body.face in faces:
                continue
            body.face = 0
            near = [(_apart(body.place, place), number) for number, place in free.items()]
            if near and min(near)[0] <= NEAR:
                body.face = min(near)[1]
                body.place = free.pop(body.face)
        for number, place in free.items():
            if len(self.live) == len(self._people):
                faceless = [body for body in self.live if not body.face]
                if not faceless:
                    break
                self._let_go(min(faceless, key=lambda body: body.seen_ns))
            self.live.append(Body(self._trackers.lend(), number, place, t_ns, self._settings))

    def _let_go(self, body: Body) -> None:
        self.live.remove(body)
        self._done.append(body)
        self._trackers.give_back(body.tracker)


def observe_several(
    video: Video, people: Sequence[str], settings: BodySettings, hook: Hook = silent, step: str = "body"
) -> tuple[dict[str, Observation], list[Problem]]:
    """Read a video of several people once and keep joints and pixel motion of each.

    Args:
        video: Its `info.people` are those in view, from the left of the picture to the right; `info.seats` say who sits
            where at some time.
        people: Whom to give.
        settings: Of the body channel.
        hook: Progress.
        step: Name of the progress.

    Returns:
        By person what was kept; what only the user can tell.

    Raises:
        UnreadableFileError: the file broke before a single frame was read.
    """
    order = video.info.people or tuple(people)
    with lending() as trackers, borrowed_models() as models:
        faces = PeopleTracker(models, order, video.info.seats)
        observer = BodiesObserver(trackers, faces, order, video, settings)
        broken = look_through(video, observer, hook, step)
        observer.finish()
    return {person: observer.result(person, broken) for person in people}, questions_of(observer, video)


def questions_of(observer: BodiesObserver, video: Video) -> list[Problem]:
    """What only the user can tell of who is who."""
    where = f"stream '{video.info.name}' (answers go below the face video of the same file)"
    return [
        Problem(severity="warning", what=f"{where}: {what}", stream=video.info.name, time_s=at_s)
        for at_s, what in observer.questions()
    ]


def place_of(face: Followed) -> Place:
    """Where a followed face is."""
    left, top, right, bottom = face.box.tolist()
    return np.array([(left + right) / 2, (top + bottom) / 2]), bottom - top


def owners_of(rows: Sequence[Row], stretches: Sequence[Stretch]) -> list[tuple[str, ...]]:
    """Whose each look at one body is: one name; several where nobody can tell; none for a stranger.

    Looks without a face are those of the faces seen on this body before and after.
    """
    known = [_owners_of_face(row, stretches) if row.face else None for row in rows]
    out: list[tuple[str, ...]] = []
    faces = [at for at, owners in enumerate(known) if owners is not None]
    for at, owners in enumerate(known):
        if owners is not None:
            out.append(owners)
            continue
        after = int(np.searchsorted(faces, at))
        near = [known[faces[place]] or () for place in (after - 1, after) if 0 <= place < len(faces)]
        out.append(tuple(dict.fromkeys(name for names in near for name in names)))
    return out


def skeleton_of(rows: Mapping[int, Row], times: Sequence[int], width: int, height: int) -> Skeleton:
    """The looks at one person as a skeleton over all processed pictures."""
    n = len(times)
    points, visibility = np.zeros((n, len(JOINTS), 2)), np.zeros((n, len(JOINTS)))
    world, found = np.zeros((n, len(JOINTS), 3)), np.zeros(n, dtype=bool)
    for frame, row in rows.items():
        if row.joints is not None:
            points[frame], visibility[frame] = row.joints.points, row.joints.visibility
            world[frame], found[frame] = row.joints.world, True
    return Skeleton(np.array(times, dtype=np.int64), points, visibility, found, width, height, world)


def _owners_of_face(row: Row, stretches: Sequence[Stretch]) -> tuple[str, ...]:
    for one in stretches:
        if one.face == row.face and one.first <= row.frame < one.end:
            return (one.person,) if one.person is not None else one.could_be
    return ()


def _apart(a: Place, b: Place) -> float:
    """Distance of two faces in heights of the larger."""
    return float(np.linalg.norm(a[0] - b[0])) / max(a[1], b[1], 1e-6)


def _same(body: Body, other: Body) -> bool:
    """Whether two trackers follow the same body."""
    if body.joints is None or other.joints is None:
        return False
    a, b = (one.points[SHOULDERS].mean(axis=0) for one in (body.joints, other.joints))
    return bool(np.linalg.norm(a - b) < SAME_BODY * other.place[1])
