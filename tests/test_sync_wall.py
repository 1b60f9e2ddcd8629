"""Clocks related by the start times that files state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from data_schemas.stream import Signal
from sync.align import synchronize
from tests.clocked_recordings import S, recording, row, signal, table


def with_header(name: str, clock: str, start: datetime | None) -> Signal:
    made = signal(name, clock, kind="eda" if name == "eda" else "ecg")
    return replace(made, info=replace(made.info, wall_start=start))


NOON = datetime(2024, 5, 1, 12)
BY_HEADERS = {"lab": {"reference": True}, "watch": {"align": "wall", "own": "eda", "against": "ecg"}}


def test_a_clock_by_the_start_times_of_files_is_related_to_seconds_and_never_without_a_warning() -> None:
    session = synchronize(
        recording(
            BY_HEADERS, with_header("ecg", "lab", NOON), with_header("eda", "watch", NOON + timedelta(seconds=22))
        )
    )
    assert session.streams["eda"].times_ns[0] == 22 * S
    found = row(session.sync, "eda")
    assert (found.method, found.verdict, found.offset_s) == ("wall", "warn", 22)
    assert found.ci95_ms >= 2000
    (problem,) = session.problems
    assert problem.severity == "warning" and "wrong by seconds" in problem.what


def test_a_clock_by_headers_that_state_nothing_fails_and_says_so() -> None:
    session = synchronize(recording(BY_HEADERS, with_header("ecg", "lab", NOON), with_header("eda", "watch", None)))
    (problem,) = [one for one in session.problems if one.severity == "error"]
    assert "aligned by wall" in problem.what and "no start time" in problem.what and problem.stream == "eda"
    assert row(session.sync, "eda").verdict == "fail"


@pytest.mark.parametrize(("late_s", "verdict"), [(23.0, "agrees"), (3622.0, "contradicts")])
def test_start_times_of_files_check_a_clock_that_is_stated(late_s: float, verdict: str) -> None:
    clocks = {"lab": {"reference": True}, "watch": {"align": "offset", "offset_s": 22.0}}
    late = with_header("eda", "watch", NOON + timedelta(seconds=late_s))
    evidence = [{"own": "eda", "against": "ecg", "by": "wall"}]
    session = synchronize(recording(clocks, with_header("ecg", "lab", NOON), late, evidence=evidence))
    assert session.streams["eda"].times_ns[0] == pytest.approx(22 * S, abs=1_000_000), "a header moves no stated clock"
    (check,) = [one for one in session.sync.checks if one.by == "wall"]
    assert check.verdict == verdict


def test_what_hangs_on_such_a_clock_rests_on_it_too() -> None:
    clocks = {**BY_HEADERS, "box": {"align": "markers", "own": "beeps", "against": "events"}}
    times = np.cumsum(np.random.default_rng(1).uniform(2, 5, 25))
    made = recording(
        clocks, with_header("ecg", "lab", NOON), with_header("eda", "watch", NOON + timedelta(seconds=22)),
        table("events", "watch", times), table("beeps", "box", times),
    )  # fmt: skip
    session = synchronize(made)
    found = row(session.sync, "beeps")
    assert (found.method, found.rests_on, found.verdict) == ("markers", "wall", "warn")
    assert row(session.sync, "ecg").rests_on == ""
