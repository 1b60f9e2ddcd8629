"""Following the faces of several people of one video, and keeping track of who is who.

Only as many faces are followed as there are people in the manifest. A face that turns up is looked at for a moment
before it gets a name; faces that meet are named anew once they are apart; what cannot be told stays a question.
"""

from __future__ import annotations

from collections.abc import Sequence

from data_schemas.stream import Seat
from data_schemas.time import NS_PER_S
from modalities.face.appearance import Look, MeanLook, take_look
from modalities.face.detection import find_faces, shared_part
from modalities.face.identity import Known, Verdict, fits, recognize, seats_in_order, tell_apart
from modalities.face.landmarks import FaceWindow, Sighting
from modalities.face.models import FaceModels, FloatArray, Picture
from modalities.face.observation import WORST_RESIDUAL
from modalities.face.registration import fit_head
from modalities.face.searches import Searches, Strangers
from modalities.face.stretches import Followed, Stretch, place_of, settle_by_exclusion

LOOK_S = 0.2
"""Colours are looked at this often."""
MANY_LOOKS = 20
"""Once everybody has been looked at so often, they are looked at four times less often."""
TRIAL_S, TRIAL_LOOKS = 0.6, 3
"""A face is named after it was looked at for this long and so many times."""
TOUCH, DOUBLE = 0.02, 0.6
"""Faces meet when their boxes share this part of the smaller one; at `DOUBLE` two meshes sit on the same face."""
APART_S = 0.2
"""Faces that met are looked at anew when they have been apart for this long."""
JUMP, JUMP_PER_S = 0.3, 4.0
"""A face jumps when it moves by more than this many widths, plus so many a second, from where it was heading."""
COMPARABLE = 0.6
"""A bystander whose face is this share of the smallest of the people's may be taken for one of them."""


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
        self._crowd = False
        self._strangers = Strangers()
        self._frame, self._count = -1, 0
        self._look_ns = -(10**18)
        self._searches = Searches()
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
        rare = 1 if any(one.stretch.look.count < MANY_LOOKS for one in self.live) else 4
        if t_ns - self._look_ns >= rare * LOOK_S * NS_PER_S:
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
        """The video is over: all stretches; those without a name ask who they are."""
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

    def _begin(
        self, picture: Picture, box: FloatArray, t_ns: int, others: Sequence[Followed] = ()
    ) -> tuple[Followed, Sighting] | None:
        """Look for a face in a box; None where there is none, or one that is followed already."""
        mesh = self._models.mesh()
        window = FaceWindow(mesh)
        sighting = window.begin(picture, box, t_ns)
        taken = (*self.live, *others)
        doubled = sighting is not None and any(shared_part(sighting.box, one.box) > DOUBLE for one in taken)
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

    def _search(self, picture: Picture, t_ns: int) -> None:
        """Look for people who are missing, at a bearable price."""
        how = self._searches.due(t_ns)
        if how is not None:
            boxes = sorted(self._unfollowed(picture, thorough=how == "thorough"), key=lambda box: box[0] - box[2])
            unknown = [box for box in boxes if not self._strangers.include(place_of(box), t_ns)]
            self._crowd = self._welcome_all(picture, unknown, t_ns)
        if self._crowd:
            self.crowded.append(self._frame)

    def _welcome_all(self, picture: Picture, boxes: Sequence[FloatArray], t_ns: int) -> bool:
        """Follow the faces in boxes, largest first, as far as people are missing.

        Returns:
            True where there are more faces than people and nobody has seen yet which of them the people are.
        """
        places = len(self._people) - len(self.live)
        never_seen = any(known.seat is None for known in self._people.values())
        begun: list[tuple[Followed, Sighting]] = []
        for box in boxes:
            face = self._begin(picture, box, t_ns, [other for other, _ in begun])
            if face is not None:
                begun.append(face)
            if len(begun) == places + never_seen:
                break
        crowd = len(begun) > places and begun[-1][0].place[2] > COMPARABLE * begun[-2][0].place[2]
        for at, (one, sighting) in enumerate(begun):
            if crowd or at >= places:
                self._models.give_back(one.mesh)
            else:
                self._welcome(one, take_look(picture, sighting), t_ns)
        return bool(crowd)

    def _welcome(self, one: Followed, look: Look, t_ns: int) -> None:
        """Follow a face unless it is a stranger's."""
        absent = self._absent()
        just = [known for known in absent if known.was_just_at(one.place, t_ns) and fits(look, known)]
        if any(known.seat is None for known in absent):
            one.stretch.could_be = tuple(known.id for known in absent)
        elif len(just) == 1:
            one.stretch.name(just[0].id)
        else:
            verdict = recognize(look, one.place, absent)
            if verdict.kind == "stranger":
                self._strangers.add(one.place, t_ns)
                self._models.give_back(one.mesh)
                return
            one.stretch.could_be = verdict.people
        self._keep(one)

    def _absent(self) -> list[Known]:
        """People whom no followed face has the name of."""
        there = {one.stretch.person for one in self.live}
        return [known for name, known in self._people.items() if name not in there]

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
            self._strangers.add(one.place, t_ns)
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

    def _take_answers(self, picture: Picture, t_ns: int) -> None:
        while self._seats and t_ns >= round(self._seats[0].time_s * NS_PER_S) - 1_000_000:
            seat = self._seats.pop(0)
            problem = self._take_answer(seat, picture, t_ns)
            if problem:
                self.complaints.append((seat.time_s, f"the answer for {seat.person} was not used: {problem}"))

    def _take_answer(self, seat: Seat, picture: Picture, t_ns: int) -> str:
        """Give a face the name that the manifest says; what was wrong, if anything."""
        seen = [one for one in self.live if one.sighting is not None]
        open_ones = [one for one in seen if one.stretch.person is None]
        one = min(seen if seat.x is not None else open_ones, key=lambda face: self._off(seat, face.place), default=None)
        if one is None or self._off(seat, one.place) > 1:
            boxes = sorted(self._unfollowed(picture, thorough=True), key=lambda box: self._off(seat, place_of(box)))
            fits = [box for box in boxes if self._off(seat, place_of(box)) <= 1]
            places = [face.place for face in seen] + [place_of(box) for box in boxes]
            if not places:
                return "no face is in view then"
            begun = self._begin(picture, fits[0], t_ns) if fits and (seat.x is not None or len(fits) == 1) else None
            if begun is None:
                return f"which face? They are at x = {', '.join(f'{place[0] / self._size[0]:.2f}' for place in places)}"
            one = begun[0]
            self._keep(one)
        for other in self.live:
            if other is not one and other.stretch.person == seat.person:
                self._cut(other, t_ns, "unsure")
                rest = tuple(name for name in self._order if name != seat.person)
                other.stretch.ask(rest, f"the manifest says that {seat.person} is elsewhere")
        if one.stretch.person is not None and one.stretch.person != seat.person:
            self._cut(one, t_ns, "unsure")
        self._name(one, seat.person, t_ns)
        return ""

    def _off(self, seat: Seat, place: FloatArray) -> float:
        """How far a face is from where an answer has it, in widths of the face."""
        return 0.0 if seat.x is None else abs(float(place[0]) - seat.x * self._size[0]) / float(place[2])

    def _unfollowed(self, picture: Picture, *, thorough: bool) -> list[FloatArray]:
        """Boxes of faces that are not being followed."""
        boxes = find_faces(self._models, picture, thorough=thorough, at_least=len(self._people))
        return [box for box in boxes if all(shared_part(box, one.box) <= 0.3 for one in self.live)]
