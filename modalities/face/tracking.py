"""Following the faces of several people of one video, and keeping track of who is who.

Only as many faces are followed as there are people in the manifest. A face that turns up is looked at for a moment
before it gets a name; faces that meet are named anew once they are apart; what cannot be told stays a question.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_schemas.stream import Seat
from data_schemas.time import NS_PER_S, to_s
from modalities.face.appearance import Look, MeanLook, take_look
from modalities.face.detection import find_faces, shared_part
from modalities.face.identity import Known, Verdict, fits, near, recognize, seats_in_order, tell_apart
from modalities.face.landmarks import FaceWindow, Sighting
from modalities.face.models import FaceModels, FloatArray, Picture
from modalities.face.registration import fit_head
from modalities.face.stretches import Followed, Stretch, settle_by_exclusion

LOOK_S = 0.2
"""Colours are looked at this often."""
TRIAL_S, TRIAL_LOOKS = 0.6, 3
"""A face is named after it was looked at for this long and so many times."""
QUICK_S, THOROUGH_S, PATIENT_S, PATIENCE_S = 0.2, 0.5, 2.0, 5.0
"""While somebody is missing: how often faces are searched quickly, and thoroughly; after `PATIENCE_S` only every
`PATIENT_S`."""
TOUCH, DOUBLE = 0.02, 0.6
"""Faces meet when their boxes share this part of the smaller one; at `DOUBLE` two meshes sit on the same face."""
APART_S = 0.2
"""Faces that met are looked at anew when they have been apart for this long."""
JUMP, JUMP_PER_S = 0.3, 4.0
"""A face jumps when it moves by more than this many widths, plus so many a second, from where it was heading."""
STRANGER_S = 1.0
"""A stranger is not looked at again within this time, unless they move."""
COMPARABLE = 0.6
"""A bystander whose face is this share of the smallest of the people's may be taken for one of them."""
WORST_RESIDUAL = 0.25
"""See `observation.WORST_RESIDUAL`."""


class PeopleTracker:
    """Follows the faces of the people of one video.

    Args:
        models: Models lent for this video.
        people: Names, from the left of the picture to the right, as they sit when first seen together.
        seats: What the manifest says of who sits where at some time, in order of time.
    """

    def __init__(self, models: FaceModels, people: Sequence[str], seats: Sequence[Seat] = ()) -> None:
        self._models, self._order = models, tuple(people)
        self._people = {person: Known(person) for person in people}
        self._seats = sorted(seats, key=lambda seat: seat.time_s)
        self.live: list[Followed] = []
        self.stretches: list[Stretch] = []
        self.complaints: list[tuple[float, str]] = []
        self.crowded: list[int] = []
        self._strangers: list[tuple[int, FloatArray]] = []
        self._frame, self._count = -1, 0
        self._look_ns = self._quick_ns = self._thorough_ns = self._missing_ns = -(10**18)
        self._size = (1, 1)

    def follow(self, picture: Picture, t_ns: int) -> list[Followed]:
        """Take the next picture.

        Args:
            picture: RGB, uint8 (h, w, 3).
            t_ns: Its time; times increase from call to call.

        Returns:
            The faces that are followed now; their `sighting` is None where a face was lost for a moment.
        """
        self._frame += 1
        self._size = (picture.shape[1], picture.shape[0])
        for one in list(self.live):
            was = one.place
            one.see(one.window.find(picture, t_ns), t_ns)
            if one.sighting is not None and one.jumped(was, JUMP, JUMP_PER_S):
                one.stretch.smooth = False
                if one.stretch.state in ("named", "unsure"):
                    self._cut(one, t_ns, "trial")
            if not one.window.open:
                self._lose(one, t_ns)
        self._part_doubles(t_ns)
        self._watch_meetings(t_ns)
        self._take_answers(picture, t_ns)
        if len(self.live) < len(self._people):
            self._search(picture, t_ns)
        if t_ns - self._look_ns >= LOOK_S * NS_PER_S:
            self._look_ns = t_ns
            for one in self.live:
                if one.sighting is not None and one.stretch.state != "meeting":
                    self._learn(one, take_look(picture, one.sighting), t_ns)
        self._greet(t_ns)
        for one in list(self.live):
            if one.stretch.state == "trial" and one.stretch.ripe(t_ns, TRIAL_S, TRIAL_LOOKS):
                self._decide(one, t_ns)
        return self.live

    def finish(self, t_ns: int) -> list[Stretch]:
        """The video is over: all stretches, those that stay without a name asking who they are."""
        self._frame += 1
        for one in list(self.live):
            self._lose(one, t_ns)
        self.stretches = [one for one in self.stretches if one.state != "stranger" and one.end > one.first]
        settle_by_exclusion(self.stretches)
        self.complaints += [
            (seat.time_s, f"the answer for {seat.person} was not used: the video is over by then")
            for seat in self._seats
        ]
        return self.stretches

    # -- beginning and ending

    def _begin(self, picture: Picture, box: FloatArray, t_ns: int) -> tuple[Followed, Sighting] | None:
        mesh = self._models.mesh()
        window = FaceWindow(mesh)
        sighting = window.begin(picture, box, t_ns)
        doubled = sighting is not None and any(shared_part(sighting.box, one.box) > DOUBLE for one in self.live)
        if sighting is None or doubled or fit_head(sighting.points).residual > WORST_RESIDUAL:
            self._models.give_back(mesh)
            return None
        self._count += 1
        one = Followed(self._count, window, mesh, Stretch(self._count, self._frame, t_ns))
        one.see(sighting, t_ns)
        one.stretch.x = float(one.place[0]) / self._size[0]
        return one, sighting

    def _keep(self, one: Followed) -> None:
        self.live.append(one)
        self.stretches.append(one.stretch)

    def _lose(self, one: Followed, t_ns: int) -> None:
        """A face is gone: name its last stretch if that can be done."""
        stretch = one.stretch
        if stretch.state == "meeting":
            if stretch.smooth and stretch.claim is not None:
                stretch.name(stretch.claim)
            else:
                stretch.ask(stretch.could_be, "they passed each other")
        elif stretch.state == "trial":
            self._decide(one, t_ns, last=True)
        if one in self.live:
            self._drop(one, t_ns)

    def _drop(self, one: Followed, t_ns: int) -> None:
        one.stretch.close(self._frame, t_ns)
        self.live.remove(one)
        self._models.give_back(one.mesh)

    def _cut(self, one: Followed, t_ns: int, state: str) -> None:
        """A new stretch of the same face begins with this picture, its person in question."""
        old = one.stretch
        if old.state == "trial":
            self._decide(one, t_ns, last=True)
            if one not in self.live:
                return
            old = one.stretch
        old.close(self._frame, t_ns)
        new = Stretch(one.number, self._frame, t_ns, float(one.place[0]) / self._size[0])
        new.state, new.claim = state, old.person
        new.could_be = (old.person,) if old.person is not None else old.could_be
        new.since_ns = t_ns
        one.stretch = new
        self.stretches.append(new)

    # -- faces that meet

    def _part_doubles(self, t_ns: int) -> None:
        """Where two meshes sit on one face, let go of the one that came from farther off its way."""
        seen = [one for one in self.live if one.sighting is not None]
        for at, a in enumerate(seen):
            for b in seen[at + 1 :]:
                if a not in self.live or b not in self.live or shared_part(a.box, b.box) <= DOUBLE:
                    continue
                self._meet(a, b, t_ns)
                if a not in self.live or b not in self.live:
                    continue
                loser, winner = (a, b) if a.surprise > b.surprise else (b, a)
                winner.stretch.smooth = loser.stretch.smooth = False
                self._lose(loser, t_ns)

    def _watch_meetings(self, t_ns: int) -> None:
        seen = [one for one in self.live if one.sighting is not None]
        touching: set[int] = set()
        for at, a in enumerate(seen):
            for b in seen[at + 1 :]:
                if a in self.live and b in self.live and shared_part(a.box, b.box) > TOUCH:
                    touching |= {a.number, b.number}
                    self._meet(a, b, t_ns)
        for one in seen:
            if one not in self.live or one.stretch.state != "meeting":
                continue
            if one.number in touching:
                one.stretch.since_ns = t_ns
            elif t_ns - one.stretch.since_ns >= APART_S * NS_PER_S:
                one.stretch.state, one.stretch.parted = "trial", self._frame
                one.stretch.since_ns, one.stretch.look = t_ns, MeanLook()

    def _meet(self, a: Followed, b: Followed, t_ns: int) -> None:
        for one in (a, b):
            if one.stretch.person is not None:
                self._people[one.stretch.person].quiet = False
            if one.stretch.state != "meeting":
                self._cut(one, t_ns, "meeting")
        both = tuple(dict.fromkeys((*a.stretch.could_be, *b.stretch.could_be)))
        for one in (a, b):
            if one in self.live:
                one.stretch.could_be = both

    # -- faces that turn up

    def _search(self, picture: Picture, t_ns: int) -> None:
        """Look for people who are missing, at a bearable price."""
        if self._missing_ns < self._quick_ns - 2 * THOROUGH_S * NS_PER_S or self._missing_ns < 0:
            self._missing_ns = t_ns
        waited = t_ns - self._missing_ns > PATIENCE_S * NS_PER_S
        thorough = t_ns - self._thorough_ns >= (PATIENT_S if waited else THOROUGH_S) * NS_PER_S
        if not thorough and t_ns - self._quick_ns < QUICK_S * NS_PER_S:
            return
        self._quick_ns = t_ns
        self._thorough_ns = t_ns if thorough else self._thorough_ns
        boxes = find_faces(self._models, picture, thorough=thorough, at_least=len(self._people))
        free = [box for box in boxes if all(shared_part(box, one.box) <= 0.3 for one in self.live)]
        free.sort(key=lambda box: -float(box[2] - box[0]))
        if self._is_crowd(free):
            self.crowded.append(self._frame)
            return
        self._strangers = [one for one in self._strangers if t_ns - one[0] < STRANGER_S * NS_PER_S]
        for box in free:
            if len(self.live) == len(self._people):
                self._missing_ns = -(10**18)
                return
            if not any(near(_place(box), place, 0.5, 1.5) for _, place in self._strangers):
                self._welcome(picture, box, t_ns)

    def _is_crowd(self, free: Sequence[FloatArray]) -> bool:
        """Whether there are more faces than people, and it was never seen which of them the people are."""
        unknown = [one for one in self._people.values() if one.seat is None]
        places = len(self._people) - len(self.live)
        if not unknown or len(free) <= places:
            return False
        smallest = float(free[places - 1][2] - free[places - 1][0])
        return float(free[places][2] - free[places][0]) > COMPARABLE * smallest

    def _welcome(self, picture: Picture, box: FloatArray, t_ns: int) -> Followed | None:
        """Follow a face unless it is a stranger's."""
        begun = self._begin(picture, box, t_ns)
        if begun is None:
            return None
        one, sighting = begun
        absent = self._absent()
        look = take_look(picture, sighting)
        just = [known for known in absent if known.was_just_at(one.place, t_ns) and fits(look, known)]
        if len(just) == 1 and not any(known.seat is None for known in absent):
            one.stretch.name(just[0].id)
        elif any(known.seat is None for known in absent):
            one.stretch.could_be = tuple(known.id for known in absent)
        else:
            verdict = recognize(look, one.place, absent)
            if verdict.kind == "stranger":
                self._strangers.append((t_ns, one.place))
                self._models.give_back(one.mesh)
                return None
            one.stretch.could_be = verdict.people
        self._keep(one)
        return one

    def _absent(self) -> list[Known]:
        """People whom no followed face has the name of."""
        there = {one.stretch.person for one in self.live}
        return [known for name, known in self._people.items() if name not in there]

    # -- naming

    def _learn(self, one: Followed, look: Look, t_ns: int) -> None:
        one.stretch.look.add(look)
        if one.stretch.person is not None and one.stretch.state == "named":
            known = self._people[one.stretch.person]
            known.look.add(look)
            known.settle(one.place, t_ns)
            known.quiet = True

    def _name(self, one: Followed, person: str, t_ns: int) -> None:
        other = next((two for two in self.live if two is not one and two.stretch.person == person), None)
        if other is not None:
            for two in (one, other):
                if two is other and two.stretch.state == "named":
                    self._cut(two, t_ns, "unsure")
                two.stretch.ask((person,), f"two faces could be {person}")
            return
        one.stretch.name(person)
        known = self._people[person]
        if known.look.count == 0:
            known.look = one.stretch.look
            one.stretch.look = MeanLook()
        known.settle(one.place, t_ns)

    def _greet(self, t_ns: int) -> None:
        """When all people are in view and some were not seen before: they sit in the order of the manifest."""
        unknown = [name for name, known in self._people.items() if known.seat is None]
        if not unknown or len(self.live) != len(self._people):
            return
        states = [one.stretch.state for one in self.live]
        if "meeting" in states or any(one.sighting is None for one in self.live):
            return
        order = seats_in_order([one.place for one in self.live], self._order)
        nameless = [one for one in self.live if one.stretch.person is None]
        if len(nameless) == 1 and len(unknown) == 1 and len(self.live) > 1:
            self._name(nameless[0], unknown[0], t_ns)
        elif order is not None and all(
            one.stretch.person in (None, name) for one, name in zip(self.live, order, strict=True)
        ):
            for one, name in zip(list(self.live), order, strict=True):
                if one.stretch.person is None:
                    self._name(one, name, t_ns)

    def _decide(self, one: Followed, t_ns: int, *, last: bool = False) -> None:
        """Name a face that was looked at for long enough, or leave it as a question, or let a stranger go.

        Args:
            one: The face.
            t_ns: Now.
            last: Its stretch ends now: there is no waiting for the others to be seen.
        """
        stretch = one.stretch
        together = [self._people[name] for name in stretch.could_be]
        if stretch.parted or stretch.claim is not None:
            verdict = tell_apart(stretch.look.mean, stretch.claim or "", together, stretch.smooth)
            if verdict.kind == "known" and stretch.claim is not None and verdict.people[0] != stretch.claim:
                self._split_at_parting(one, t_ns)
        elif any(known.seat is None for known in self._absent()):
            verdict = Verdict("unsure", stretch.could_be, "not all of them have been seen together yet")
            if not last:
                return
        elif not stretch.look.count:
            verdict = Verdict("unsure", stretch.could_be, "seen too briefly")
        else:
            verdict = recognize(stretch.look.mean, one.place, self._absent())
        if verdict.kind == "known":
            self._name(one, verdict.people[0], t_ns)
        elif verdict.kind == "unsure":
            one.stretch.ask(verdict.people, verdict.why)
        else:
            one.stretch.state = "stranger"
            self._strangers.append((t_ns, one.place))
            if one in self.live:
                self._drop(one, t_ns)

    def _split_at_parting(self, one: Followed, t_ns: int) -> None:
        """The mesh went over to another face while they met, nobody knows when: that part is left open."""
        old = one.stretch
        first = max(old.first + 1, old.parted)
        new = Stretch(one.number, first, t_ns, old.x)
        new.could_be, new.look, new.state = old.could_be, old.look, old.state
        old.ask(old.could_be, "they passed each other")
        old.close(first, t_ns)
        one.stretch = new
        self.stretches.append(new)

    # -- answers of the manifest

    def _take_answers(self, picture: Picture, t_ns: int) -> None:
        while self._seats and t_ns >= round(self._seats[0].time_s * NS_PER_S) - 1_000_000:
            seat = self._seats.pop(0)
            problem = self._take_answer(seat, picture, t_ns)
            if problem:
                self.complaints.append((seat.time_s, f"the answer for {seat.person} was not used: {problem}"))

    def _take_answer(self, seat: Seat, picture: Picture, t_ns: int) -> str:
        """Give a face the name that the manifest says; what was wrong, if anything."""
        one = self._face_at(seat, [face for face in self.live if face.sighting is not None])
        if one is None:
            boxes = find_faces(self._models, picture, thorough=True, at_least=len(self._people))
            free = [box for box in boxes if all(shared_part(box, face.box) <= 0.3 for face in self.live)]
            at = [seat.x if seat.x is not None else 0.5 for _ in free]
            free = [
                box
                for box, x in sorted(
                    zip(free, at, strict=True), key=lambda pair: abs(_x(pair[0], self._size) - pair[1])
                )
                if seat.x is None or abs(_x(box, self._size) - x) * self._size[0] <= box[2] - box[0]
            ]
            if not free or (seat.x is None and len(free) > 1):
                seen = ", ".join(f"{_x(box, self._size):.2f}" for box in boxes)
                return f"which face? Faces are at x = {seen}" if len(boxes) else "no face is in view then"
            begun = self._begin(picture, free[0], t_ns)
            if begun is None:
                return "no face is in view there"
            one = begun[0]
            self._keep(one)
        for other in self.live:
            if other is not one and other.stretch.person == seat.person:
                self._cut(other, t_ns, "unsure")
                other.stretch.ask(tuple(name for name in self._order if name != seat.person), "another face is said so")
        if one.stretch.person is not None and one.stretch.person != seat.person:
            self._cut(one, t_ns, "unsure")
        self._name(one, seat.person, t_ns)
        return ""

    def _face_at(self, seat: Seat, faces: Sequence[Followed]) -> Followed | None:
        if seat.x is None:
            open_ones = [one for one in faces if one.stretch.person is None]
            return open_ones[0] if len(open_ones) == 1 else None
        close = [one for one in faces if abs(one.place[0] - seat.x * self._size[0]) <= one.place[2]]
        return min(close, key=lambda one: abs(float(one.place[0]) - (seat.x or 0) * self._size[0]), default=None)


def describe(stretch: Stretch) -> str:
    """A question about a stretch, with the lines that answer it."""
    who = " or ".join(stretch.could_be) or "somebody of the session"
    return (
        f"who is in view from {to_s(stretch.start_ns):.2f} s to {to_s(stretch.end_ns):.2f} s at x = {stretch.x:.2f} "
        f"(share of the width): {who}? {stretch.why[:1].upper() + stretch.why[1:]}; this is masked (unsure_who). "
        f"To answer, write below this stream: [[streams.seats]] time_s = {to_s(stretch.start_ns):.2f}, "
        f'x = {stretch.x:.2f}, person = "..."'
    )


def _place(box: FloatArray) -> FloatArray:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0]])


def _x(box: FloatArray, size: tuple[int, int]) -> float:
    return float(box[0] + box[2]) / 2 / size[0]
