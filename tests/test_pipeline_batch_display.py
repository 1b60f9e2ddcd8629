"""What a batch shows while it runs: on a terminal and in a log, before and after the first session has ended."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.batch.course import Course, stages_of
from pipeline.batch.discovery import Place
from pipeline.batch.layout import State
from pipeline.batch.plan import Entry
from pipeline.cli.batch_display import Bars, Lines, Pace, bars_on
from pipeline.manifest import load_manifest

STAGES = {"read": 1.0, "synchronize": 1.0, "face": 6.0, "fuse": 2.0}


class Clock:
    """Seconds as a test wants them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entries(n: int, size: int = 100) -> list[Entry]:
    return [
        Entry(
            Place(f"s{at}", Path(f"s{at}.toml")), "run", State(f"s{at}", "done", people=("p01",)), size, stages=STAGES
        )
        for at in range(n)
    ]


def test_rate_and_remaining_time_are_known_before_the_first_session_has_ended() -> None:
    clock = Clock()
    pace = Pace(entries(4), clock)
    assert pace.words == ""
    clock.now += 60
    pace.note("s0", "read", 1, 1)
    pace.note("s0", "face of p01", 30, 60)  # 1 + 1 + 3 of 10
    assert pace.share("s0") == pytest.approx(0.4)
    assert pace.words == "about 24 sessions/h, 0:09:00 left"  # 0.4 sessions in a minute, 3.6 to go
    clock.now += 90
    pace.count("s0")
    assert pace.words == "24 sessions/h, 0:07:30 left"
    for name in ("s1", "s2", "s3"):
        pace.count(name)
    assert pace.words.endswith("all")


def test_no_rate_is_guessed_from_next_to_nothing() -> None:
    clock = Clock()
    pace = Pace(entries(2), clock)
    clock.now += 60
    pace.note("s0", "read", 1, 3)
    assert pace.words == ""


@given(st.lists(st.tuples(st.sampled_from(["read", "face of a", "face of b", "face of a, b", "other", "fuse a"]),
                          st.integers(0, 9), st.sampled_from([None, 9])), max_size=30), st.integers(1, 3))  # fmt: skip
def test_the_share_that_is_done_never_goes_back_or_beyond_all(steps: list[tuple[str, int, Any]], people: int) -> None:
    course = Course(STAGES, people)
    shares = [course.share]
    for step in steps:
        course.note(*step)
        shares.append(course.share)
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] <= 1


def test_a_session_through_all_its_steps_is_nearly_done(tmp_path: Path) -> None:
    from pipeline.analyzer import Analyzer
    from pipeline.simulate.session import simulate_session

    simulate_session(tmp_path / "sim", seconds=10, seed=1, fidelity="signal")
    manifest = load_manifest(tmp_path / "sim")
    course = Course(stages_of(manifest), len(manifest.people))
    Analyzer().run(tmp_path / "sim", course.note)
    assert course.share >= 0.8, "of the pictures nothing is known yet"


def test_a_log_names_what_is_at_work_at_most_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    lines.begin(entries(6))
    for second in range(181):
        clock.now += 1
        lines.step("s0", "face of p01", second, 200)
        lines.step("s1", "read", 1, 1)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("at work")]
    assert len(said) == 3
    assert (
        said[1].startswith("at work: s0: face of p01 (") and "; s1: read (10%)" in said[1] and "sessions/h" in said[1]
    )
    lines.ended(State("s0", "done", took_s=181.0))
    lines.step("s0", "fuse p01", 1, 1)  # told late: it has ended
    clock.now += 60
    for name in ("s1", "s2", "s3", "s4", "s5"):
        lines.step(name, "read", 1, 1)
    last = capsys.readouterr().err.splitlines()
    assert last[0].startswith("[1/6] s0: done in 181.0 s") and last[1] == last[-1] and "s0" not in last[1]
    clock.now += 60
    lines.step("s1", "read", 1, 1)
    assert capsys.readouterr().err.count("; and 1 more") == 1


def test_bars_show_steps_rate_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    console = Console(record=True, force_terminal=True, width=160, file=io.StringIO())
    with bars_on(console) as progress:

        def shown() -> str:
            console.export_text()
            progress.refresh()
            return console.export_text()

        bars = Bars(progress, clock)
        bars.begin(entries(2))
        assert "all sessions" in shown() and "sessions/h" not in shown()
        clock.now += 60
        bars.step("s0", "face of p01", 30, 60)
        text = shown()
        assert "s0 " in text and "face of p01" in text and "about 18 sessions/h" in text and "left" in text
        bars.waits("tcp://127.0.0.1:1", 2)
        bars.ended(State("s0", "failed", "cut off", took_s=60))
        bars.step("s0", "fuse p01", 1, 1)
        text = shown()
        assert "s0" not in text and "about" not in text and "60 sessions/h" in text
    said = capsys.readouterr().err
    assert "waiting for workers of tcp://127.0.0.1:1 (2 sessions wait); Ctrl-C stops" in said and "s0: cut off" in said
