"""Whose body it is, from animated people beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from modalities.body.animation.performance import perform
from modalities.body.identity import FacePlaces, assign_bodies, belongs, region_of
from modalities.body.skeleton import FACE, Skeleton

TIMES = np.arange(0, 4, 0.1)


def person(right_px: float, seed: int) -> Skeleton:
    skeleton = perform(TIMES, (), seed)
    return replace(skeleton, points=skeleton.points + np.array((right_px, 0.0)), width=2000)


def face_of(skeleton: Skeleton) -> FacePlaces:
    return FacePlaces(skeleton.times_ns, skeleton.points[:, FACE].mean(axis=1), np.full(len(TIMES), 45.0))


def test_each_face_gets_the_body_below_it_whatever_the_order():
    left, right = person(0, 1), person(300, 2)
    faces = {"anna": face_of(right), "ben": face_of(left)}
    assert assign_bodies({"one": left, "two": right}, faces) == {"anna": "two", "ben": "one"}
    assert assign_bodies({"one": left}, faces) == {"ben": "one"}
    assert assign_bodies({}, faces) == {} and assign_bodies({"one": left}, {}) == {}


def test_the_region_of_a_face_holds_its_body_and_not_the_neighbour():
    left, right = person(0, 1), person(400, 2)
    centre, height = face_of(left).at(int(TIMES[20] * 1e9))
    x0, y0, x1, y1 = region_of(centre, height, 2000, 480)
    inside = (left.points[20] >= (x0, y0)) & (left.points[20] < (x1, y1 + 200))
    assert inside[:25].all()
    assert not ((right.points[20, FACE] >= (x0, y0)) & (right.points[20, FACE] < (x1, y1))).all(axis=1).any()
    assert belongs(left.points[20], centre, height) and not belongs(right.points[20], centre, height)


def test_a_face_long_gone_says_nothing():
    face = face_of(person(0, 1))
    assert face.at(int(9e9)) is None
    assert FacePlaces(np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0)).at(0) is None
    one = FacePlaces(face.times_ns[:1], face.centres[:1], face.heights[:1])
    assert one.at(100) is not None
    with pytest.raises(InvalidValueError):
        FacePlaces(face.times_ns, face.centres[:3], face.heights)
