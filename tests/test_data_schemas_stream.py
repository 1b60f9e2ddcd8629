from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ClockError, InvalidValueError, MissingTrackError
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.recording import Recording, Session
from data_schemas.result import SyncReport
from data_schemas.session import Manifest, Person, StreamEntry
from data_schemas.stream import Audio, Mark, Marks, Signal, StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit, Regular
from sync.clock import ClockMap

S = NS_PER_S


def info(kind: str = "ecg", clock: str = "amp") -> StreamInfo:
    return StreamInfo("one", kind, clock)


def signal(values: np.ndarray, **more: object) -> Signal:
    columns = tuple(f"c{i}" for i in range(values.shape[1]))
    axis = Regular.from_rate(10, len(values))
    return Signal(info=info(), axis=axis, values=values, columns=columns, units=("1",) * len(columns), **more)


@settings(deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(-500, 500), st.integers(0, 50))
def test_times_and_support_move_together(offset_s: float, drift_ppm: float, n: int) -> None:
    native = signal(np.zeros((n, 1)))
    mapped = native.on(ClockMap.affine(offset_s, drift_ppm), "session")
    assert mapped.info.clock == "session"
    assert native.info.clock == "amp"
    assert mapped.support.contains(mapped.times_ns).all()
    assert len(mapped.support) == (1 if n else 0)


def test_a_mapped_stream_cannot_be_mapped_again() -> None:
    mapped = signal(np.zeros((3, 1))).on(ClockMap.affine(1.0), "session")
    with pytest.raises(ClockError, match="already mapped"):
        mapped.on(ClockMap.affine(1.0), "session")


def test_what_is_not_finite_is_masked_and_no_mask_can_claim_otherwise() -> None:
    values = np.array([[1.0, np.nan], [np.inf, 2.0], [3.0, 4.0]])
    assert signal(values).mask.tolist() == [[True, False], [False, True], [True, True]]
    stated = signal(values, mask=np.array([[True, True], [True, True], [False, True]]))
    assert stated.mask.tolist() == [[True, False], [False, True], [False, True]]


def test_a_column_by_name() -> None:
    made = signal(np.arange(6.0).reshape(3, 2))
    assert made.column("c1")[0].tolist() == [1, 3, 5]
    with pytest.raises(MissingTrackError, match="c0, c1"):
        made.column("EKG")


def test_values_that_do_not_fit_are_refused() -> None:
    axis = Regular.from_rate(10, 3)
    with pytest.raises(InvalidValueError, match="do not fit"):
        Signal(info=info(), axis=axis, values=np.zeros((4, 1)), columns=("a",), units=("1",))
    with pytest.raises(InvalidValueError, match="one unit per column"):
        Signal(info=info(), axis=axis, values=np.zeros((3, 1)), columns=("a",), units=())


def test_marks_keep_rows_that_coincide_and_map_both_ends() -> None:
    rows = [Mark(5 * S, 2 * S, "b"), Mark(1 * S, 0, "a"), Mark(5 * S, 0, "c")]
    marks = Marks.of(info("markers"), rows)
    assert [row.label for row in marks.rows] == ["a", "b", "c"]
    assert marks.axis.n == 2
    assert marks.support == IntervalSet([(1 * S, 7 * S)])
    mapped = marks.on(ClockMap.affine(10.0, 1000), "session")
    spans = [when for when, _ in mapped.spans()]
    assert spans == [11_001_000_000, Interval(15_005_000_000, 17_007_000_000), 15_005_000_000]


def test_an_empty_table_is_an_ordinary_stream() -> None:
    marks = Marks.of(info("markers"), []).on(ClockMap.affine(1.0), "session")
    assert len(marks.onsets_ns) == 0
    assert len(marks.support) == 0
    assert list(marks.spans()) == []


def test_frames_come_in_order_with_their_times_and_stop_at_the_axis() -> None:
    def pictures() -> Iterator[tuple[int, np.ndarray]]:
        for index in range(5):
            yield index, np.full((2, 3, 3), index, np.uint8)

    axis = Explicit(np.array([0, 40, 90]) * 1_000_000)
    video = Video(info=info("face_rgb"), axis=axis, source=pictures, width=3, height=2)
    frames = list(video.on(ClockMap.affine(1.0), "session").frames())
    assert [frame.t_ns for frame in frames] == [S, S + 40_000_000, S + 90_000_000]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 2]
    assert len(list(video.frames())) == 3


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 60), st.integers(0, 59))
def test_blocks_of_sound_cover_every_sample(n: int, size: int, overlap: int) -> None:
    ramp = np.arange(n, dtype=np.float32)[:, None]
    audio = Audio(
        info=info("audio"),
        axis=Regular.from_rate(100, n),
        source=lambda first, count: ramp[first : first + count],
        channels=1,
    )
    if overlap >= size:
        with pytest.raises(InvalidValueError, match="longer than their overlap"):
            list(audio.blocks(size, overlap))
        return
    seen: set[int] = set()
    for first, block in audio.blocks(size, overlap):
        assert 0 < len(block) <= size
        assert block[0, 0] == first
        seen |= set(block[:, 0].astype(int).tolist())
    assert seen == set(range(n))
    assert audio.rate_hz == pytest.approx(100)


def test_recordings_and_sessions_refuse_each_others_streams() -> None:
    manifest = Manifest(name="s", people=[Person(id="p")], streams=[StreamEntry(name="one", kind="ecg", file="a.csv")])
    native = signal(np.zeros((3, 1)))
    mapped = native.on(ClockMap.affine(), "session")
    report = SyncReport(streams=[], session_start_s=0, session_end_s=1)
    assert Recording(manifest, Path(), {"one": native}).problems == ()
    assert Session(manifest, Path(), {"one": mapped}, Interval(0, S), report).extent.duration_ns == S
    with pytest.raises(ClockError, match="own clocks"):
        Recording(manifest, Path(), {"one": mapped})
    with pytest.raises(ClockError, match="synchronize"):
        Session(manifest, Path(), {"one": native}, Interval(0, S), report)
