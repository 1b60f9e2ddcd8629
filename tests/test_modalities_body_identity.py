"""Whose body it is, from animated people beside each other: where each is looked for, and what a hidden face leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modalities.body.animation.performance import perform
from modalities.body.following import Joints, Row
from modalities.body.identity import NEAR, Place, belongs, region_of, window_of
from modalities.body.people import owners_of, skeleton_of
from modalities.body.skeleton import FACE, Skeleton
from modalities.face.stretches import Stretch

TIMES = np.arange(0, 4, 0.1)
FACE_PX = 45.0


def person(right_px: float, seed: int) -> Skeleton:
    skeleton = perform(TIMES, (), seed)
    return replace(skeleton, points=skeleton.points + np.array((right_px, 0.0)), width=2000)


def face_of(skeleton: Skeleton, at: int = 20) -> Place:
    return skeleton.points[at, FACE].mean(axis=0), FACE_PX


def test_the_region_of_a_face_holds_its_body_and_not_the_neighbour():
    left, right = person(0, 1), person(400, 2)
    centre, height = face_of(left)
    x0, y0, x1, y1 = region_of(centre, height, 2000, 480)
    inside = (left.points[20] >= (x0, y0)) & (left.points[20] < (x1, y1 + 200))
    assert inside[:25].all()
    assert not ((right.points[20, FACE] >= (x0, y0)) & (right.points[20, FACE] < (x1, y1))).all(axis=1).any()
    assert belongs(left.points[20], centre, height) and not belongs(right.points[20], centre, height)


@settings(max_examples=60, deadline=None)
@given(st.floats(60, 240), st.booleans(), st.booleans(), st.floats(20, 90))
def test_a_window_leaves_out_the_head_of_whoever_sits_beside(apart, at_the_left, narrow, height):
    place = (np.array([700.0, 200.0]), height)
    other = (np.array([700.0 + (-apart if at_the_left else apart), 210.0]), height)
    left, top, right, bottom = window_of(place, [other], 1600, 900, narrow)
    plain = region_of(*place, 1600, 900)
    assert (top, bottom) == (plain[1], plain[3]) and left < 700 < right
    if apart >= 0.8 * height:
        beyond = left - other[0][0] if at_the_left else other[0][0] - right
        least = apart / 2 if narrow else min(0.7 * height, apart / 2)
        assert beyond >= least - 1.01 or (left, right) == (plain[0], plain[2])
    far = (np.array([700.0, 200.0 + 3 * height]), height)
    assert window_of(place, [far], 1600, 900, narrow) == plain, "whoever sits far below hides nothing"


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 3))
def test_a_pose_belongs_to_a_face_within_reach(away):
    skeleton = person(0, 1)
    centre, height = face_of(skeleton)
    assume(abs(away - NEAR) > 1e-6)
    assert belongs(skeleton.points[20], centre + np.array((away * height, 0.0)), height) == (away <= NEAR)


def stretch(face: int, first: int, end: int, person_: str | None, could_be: tuple[str, ...] = ()) -> Stretch:
    one = Stretch(face, first, first * 100_000_000)
    one.close(end, end * 100_000_000)
    if person_ is None:
        one.ask(could_be, "nobody knows")
    else:
        one.name(person_)
    return one


def rows(faces: list[int], first: int = 0) -> list[Row]:
    joints = Joints(np.ones((33, 2)), np.ones(33), np.zeros((33, 3)))
    return [Row(first + at, joints, face, 1.0) for at, face in enumerate(faces)]


@pytest.mark.parametrize(
    ("faces", "expected"),
    [
        ([1, 1, 0, 0, 1], ["anna"] * 5),
        ([0, 0, 1, 1, 1], ["anna"] * 5),
        ([1, 0, 0, 2, 2], ["anna", "anna|ben", "anna|ben", "ben", "ben"]),
        ([1, 1, 1, 3, 3], ["anna", "anna", "anna", "anna|ben", "anna|ben"]),
        ([4, 4, 0, 4, 4], [""] * 5),
        ([0, 0, 0, 0, 0], [""] * 5),
    ],
)
def test_a_hidden_face_keeps_its_name_only_where_both_ends_agree(faces, expected):
    stretches = [stretch(1, 0, 9, "anna"), stretch(2, 0, 9, "ben"), stretch(3, 0, 9, None, ("anna", "ben"))]
    assert ["|".join(sorted(one)) for one in owners_of(rows(faces), stretches)] == expected


def test_a_skeleton_has_a_row_for_every_picture():
    found = {row.frame: row for row in rows([1, 1], first=1)}
    skeleton = skeleton_of(found, [0, 100, 200, 300], 640, 480)
    assert skeleton.found.tolist() == [False, True, True, False] and skeleton.width == 640
    assert (skeleton.points[1:3] == 1).all() and not skeleton.visibility[[0, 3]].any()
