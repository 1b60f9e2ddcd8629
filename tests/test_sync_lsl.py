"""LSL clock offsets and frame numbers tied to videos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ClockError
from data_schemas.stream import Mark, Marks, Signal, StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit
from modalities.readers.xdf_clock import clock_lines
from sync.cues.frame_index import FrameIndexEvidence, match_frames
from sync.cues.lsl import estimates


def test_the_interval_covers_the_truth_and_the_map_inverts_it() -> None:
    times, hit = np.arange(0, 600, 5.0), 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = 12.0 + 40e-6 * (times - 300) + 3e-4 * rng.standard_normal(len(times))
        (estimate,) = estimates("amp", clock_lines(times, values))
        hit += abs(estimate.offset_s - 12.0 - 40e-6 * (estimate.anchor_ns / NS_PER_S - 300)) <= estimate.ci95_s
        assert estimate.rms_s is not None and 2e-4 < estimate.rms_s < 4e-4
        assert abs(estimate.drift_ppm - 40) < 2
        own = np.array([0, 10**11], np.int64)
        assert np.abs(estimate.clock_map(own) / 1e9 - own / 1e9 - 12 - 40e-6 * (own / 1e9 - 300)).max() < 1e-3
    assert hit >= 185


# Frame numbers --------------------------------------------------------------------------------------------------------


def film(times_s: np.ndarray) -> Video:
    info = StreamInfo("cam", "face_rgb", "camera")
    axis = Explicit(np.rint(np.asarray(times_s) * NS_PER_S).astype(np.int64))
    return Video(info=info, axis=axis, source=lambda: iter(()), width=2, height=2)


def counter(numbers: np.ndarray, times_s: np.ndarray) -> Signal:
    info = StreamInfo("numbers", "pulse", "lsl")
    axis = Explicit(np.rint(np.asarray(times_s) * NS_PER_S).astype(np.int64))
    values = np.asarray(numbers, np.float64)[:, None]
    return Signal(info=info, axis=axis, values=values, columns=("frame",), units=("1",))


TAKEN = 50 + np.arange(200) / 30 + 0.003 * np.sin(np.arange(200))
FILE = np.arange(200) / 30


@pytest.mark.parametrize("base", [0, 1, 777])
def test_every_frame_gets_the_time_of_its_number(base: int) -> None:
    found = match_frames(film(FILE), counter(np.arange(200) + base, TAKEN))
    assert (found.base, found.dropped, found.duplicated, found.untimed, found.unused) == (base, 0, 0, 0, 0)
    assert np.abs(found.clock_map(found.native_ns) / 1e9 - TAKEN).max() < 3e-6
    assert not found.doubts


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 5000), st.floats(0.01, 0.3))
def test_dropped_frames_shift_no_other(seed: int, base: int, share: float) -> None:
    """The file holds the frames that came, back to back; the counter counts those that were lost, too."""
    kept = np.flatnonzero(np.r_[True, np.random.default_rng(seed).random(198) > share, True])
    found = match_frames(film(FILE[: len(kept)]), counter(kept + base, TAKEN[kept]))
    assert found.dropped == 200 - len(kept)
    assert np.abs(found.clock_map(found.native_ns) / 1e9 - TAKEN[kept]).max() < 3e-6


def test_numbers_that_were_lost_leave_frames_without_a_time_of_their_own() -> None:
    kept = np.flatnonzero(np.arange(200) % 17 != 5)
    found = match_frames(film(FILE), counter(kept, TAKEN[kept]))
    assert found.by == "number" and found.untimed == 200 - len(kept) and np.array_equal(found.frames, kept)
    assert np.abs(found.clock_map(film(FILE).axis.times_ns) / 1e9 - TAKEN).max() < 0.004


def test_repeated_numbers_are_counted_and_the_first_time_holds() -> None:
    numbers, times = np.repeat(np.arange(200), 1 + (np.arange(200) % 20 == 7)), []
    for number in range(200):
        times += [TAKEN[number]] + ([TAKEN[number] + 0.01] if number % 20 == 7 else [])
    found = match_frames(film(FILE), counter(numbers, np.array(times)))
    assert found.duplicated == 10 and np.abs(found.times_ns / 1e9 - TAKEN).max() < 1e-6
    longer = match_frames(film(np.arange(210) / 30), counter(numbers, np.array(times)))
    assert longer.by == "order" and len(longer.frames) == 210


def test_counters_wrap_and_begin_anew() -> None:
    wrapped = match_frames(film(FILE), counter((np.arange(200) + 100) % 256, TAKEN))
    assert (wrapped.restarts, wrapped.dropped, len(wrapped.frames)) == (0, 0, 200)
    anew = match_frames(film(FILE), counter(np.r_[np.arange(120), np.arange(80)], TAKEN))
    assert (anew.restarts, anew.dropped, len(anew.frames)) == (1, 0, 200)
    takes = match_frames(film(FILE[:80]), counter(np.r_[np.arange(120), np.arange(80)], TAKEN))
    assert takes.unused == 120 and np.abs(takes.times_ns / 1e9 - TAKEN[120:]).max() < 1e-6


def test_more_numbers_than_frames_are_told_by_the_rhythm_or_named_as_doubt() -> None:
    rng = np.random.default_rng(2)
    taken = 50 + np.cumsum(rng.uniform(0.02, 0.06, 200))
    found = match_frames(film(taken[30:170] - taken[30]), counter(np.arange(200), taken))
    assert found.base == 30 and not found.doubts and np.abs(found.times_ns / 1e9 - taken[30:170]).max() < 1e-6
    even = match_frames(film(FILE[:180]), counter(np.arange(200), TAKEN))
    assert even.shift_frames == 20 and "20 more frame numbers than frames" in even.doubts[0] and even.base == 0
    estimate = FrameIndexEvidence().compare(film(FILE[:180]), counter(np.arange(200), TAKEN))
    assert estimate.confidence < 1 and estimate.ci95_s > 0.6


def test_the_estimate_works_both_ways_and_from_words() -> None:
    rows = [Mark(int(at * 1e9), 0, f"frame {number}") for number, at in enumerate(TAKEN)]
    words = Marks.of(StreamInfo("numbers", "markers", "lsl"), rows)
    there = FrameIndexEvidence().compare(film(FILE), words)
    back = FrameIndexEvidence().compare(words, film(FILE))
    assert abs(there.offset_s - 50) < 0.003 and abs(back.offset_s + there.offset_s) < 0.005
    with pytest.raises(ClockError, match=r"does not count|no column counts"):
        match_frames(film(FILE), counter(np.sin(np.arange(200)), TAKEN))
    with pytest.raises(ClockError, match="one video"):
        FrameIndexEvidence().compare(words, words)
