from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.session import Manifest
from data_schemas.stream import Mark, Marks, StreamInfo
from data_schemas.time import NS_PER_S
from modalities.base import Task
from modalities.context.cues import (
    condition_of,
    cues_as_stream,
    expected_of,
    kind_of,
    person_of,
    stakes_of,
)  # fmt: skip
from modalities.registry import load_encoder
from sync.clock import ClockMap

S = NS_PER_S


def mark(onset_s: float, length_s: float = 0.0, label: str = "", **columns: object) -> Mark:
    return Mark(round(onset_s * S), round(length_s * S), label, columns)


def encode(*rows: Mark, person: str = "p01", extent: tuple[float, float] = (0, 60), **settings: object) -> Encoding:
    stream = Marks.of(StreamInfo("table", "cues", "session"), list(rows))
    whole = Interval(round(extent[0] * S), round(extent[1] * S))
    return load_encoder("context").encode(Task(person, {"table": stream}, whole, settings)).check()


def where_on(encoding: Encoding, name: str) -> list[tuple[float, float]]:
    values, valid = encoding.track.column(name)
    assert valid.all()
    assert set(np.unique(values)) <= {0.0, 1.0}
    edges = np.flatnonzero(np.diff(np.r_[0, values, 0]))
    seconds = np.r_[encoding.track.times_ns, encoding.track.times_ns[-1] + S // 10] / S
    return [(float(seconds[a]), float(seconds[b])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (mark(0, kind="question"), "question"),
        (mark(0, kind="Q"), "question"),
        (mark(0, trial_type="Q3"), "question"),
        (mark(0, Trial_Type="stim_07"), "stimulus"),
        (mark(0, trial_type="StimOn"), "stimulus"),
        (mark(0, trial_type="negative"), "stimulus"),
        (mark(0, label="Rest period"), "baseline"),
        (mark(0, label="block A", kind="nan"), "condition"),
        (mark(0, kind="answer", label="question 3"), "answer"),
        (mark(0, label="S  2"), "other"),
        (mark(0, kind="lab's own word"), "other"),
        (mark(0), "other"),
    ],
)
def test_the_words_of_labs_are_understood(row: Mark, kind: str) -> None:
    assert kind_of(row) == kind


def test_what_else_a_row_says() -> None:
    assert expected_of(mark(0, expected="Negative")) == "negative"
    assert expected_of(mark(0, valence="pleasant")) == "positive"
    assert expected_of(mark(0, trial_type="surprise")) == "surprise"
    assert expected_of(mark(0, expected="n/a")) is None
    assert person_of(mark(0, participant_id="p02")) == "p02"
    assert person_of(mark(0, person="all")) is None
    assert condition_of(mark(0, condition="lie")) == "lie"
    assert condition_of(mark(0, kind="condition", label="truth")) == "truth"
    assert condition_of(mark(0, kind="question", label="truth?")) is None


def test_cues_of_the_manifest_become_a_stream() -> None:
    manifest = Manifest.model_validate(
        {
            "name": "s",
            "people": [{"id": "p01"}, {"id": "p02"}],
            "streams": [{"name": "face", "kind": "face_rgb", "file": "a.mp4"}],
            "cues": [
                {"kind": "question", "onset_s": 12.5, "label": "ring?", "person": "p02", "columns": {"item": 3}},
                {"kind": "stimulus", "onset_s": -2, "offset_s": 1.25, "expected": "negative"},
            ],
        }
    )
    stream = cues_as_stream(manifest)
    assert (stream.info.name, stream.info.kind, stream.info.clock) == ("manifest_cues", "cues", "session")
    first, second = stream.rows
    assert (first.onset_ns, first.duration_ns, first.columns["expected"]) == (-2 * S, 3_250_000_000, "negative")
    assert (second.onset_ns, second.duration_ns, second.label) == (12_500_000_000, 0, "ring?")
    assert second.columns == {"item": 3, "kind": "question", "person": "p02"}
    assert len(cues_as_stream(manifest.model_copy(update={"cues": []})).rows) == 0


def test_intervals_and_instants_in_the_columns() -> None:
    encoding = encode(
        mark(5, 3, "why?", kind="question"),
        mark(20, 0, "bang", kind="stimulus", expected="surprise"),
        mark(30, 10, kind="baseline"),
        mark(45, 2, kind="stimulus", expected="negative"),
    )
    assert where_on(encoding, "question") == [(5, 8)]
    assert where_on(encoding, "stimulus") == [(20, 21), (45, 47)]
    assert where_on(encoding, "baseline") == [(30, 40)]
    assert where_on(encoding, "expected_surprise") == [(20, 21)]
    assert where_on(encoding, "expected_negative") == [(45, 47)]
    assert where_on(encoding, "expected_positive") == []
    longer = encode(mark(20, 0, kind="stimulus"), presence_s=2.5)
    assert where_on(longer, "stimulus") == [(20, 22.5)]


def test_time_since_the_last_question_is_unknown_before_the_first() -> None:
    encoding = encode(mark(5.03, 1, kind="question"), mark(20, 0, kind="q"))
    values, valid = encoding.track.column("since_question_s")
    seconds = encoding.track.times_ns / S
    assert np.array_equal(valid, seconds >= 5.03)
    assert values[np.searchsorted(seconds, 19.9)] == pytest.approx(14.87, abs=1e-3)
    assert values[np.searchsorted(seconds, 20)] == 0
    assert not encoding.track.column("since_stimulus_s")[1].any()


def test_conditions_are_numbered_as_they_appear_and_last_until_the_next() -> None:
    encoding = encode(
        mark(10, 0, "truth", kind="condition"),
        mark(20, 0, "lie", kind="condition"),
        mark(30, 5, kind="trial", condition="truth"),
        mark(50, 0, "lie", kind="block"),
        extent=(-5, 60),
    )
    values, valid = encoding.track.column("condition_code")
    seconds = encoding.track.times_ns / S
    assert seconds[0] == -5
    assert not valid[seconds < 10].any()
    assert set(values[(seconds >= 10) & (seconds < 20)]) == {1}
    assert set(values[(seconds >= 20) & (seconds < 30)]) == {2}
    assert set(values[(seconds >= 30) & (seconds < 35)]) == {1}
    assert not valid[(seconds >= 35) & (seconds < 50)].any()
    assert set(values[seconds >= 50]) == {2}
    assert encoding.quality["conditions"] == ["truth", "lie"]


def test_a_cue_for_somebody_else_does_not_apply() -> None:
    rows = (mark(5, 2, kind="question", person="p02"), mark(9, 2, kind="question", person="P01"), mark(30, 1, kind="q"))
    assert where_on(encode(*rows), "question") == [(9, 11), (30, 31)]
    assert where_on(encode(*rows, person="p02"), "question") == [(5, 7), (30, 31)]
    assert [event.person for event in encode(*rows).events] == ["p01", "p01"]


def test_every_row_is_an_event_with_all_its_columns() -> None:
    encoding = encode(
        mark(20, 0, "b", kind="odd", score=np.float32(0.5), when=np.datetime64("2020-01-01"), bad=float("nan")),
        mark(5.0012345, 3, "a", kind="question", item=7),
    )
    first, second = encoding.events
    assert (first.onset_ns, first.offset_ns, first.label) == (5_001_234_500, 8_001_234_500, "a")
    assert first.details == {"kind": "question", "stream": "table", "item": 7}
    assert second.offset_ns - second.onset_ns == 1_000_000
    assert json.loads(json.dumps(second.details)) == {
        "kind": "other",
        "stream": "table",
        "score": 0.5,
        "when": "2020-01-01",
        "bad": None,
        "stated_kind": "odd",
    }
    assert {event.kind for event in encoding.events} == {"cue"}


def test_mapped_tables_are_read_on_the_session_clock() -> None:
    native = Marks.of(StreamInfo("table", "markers", "amp"), [mark(5, 2, kind="stimulus")])
    mapped = native.on(ClockMap.affine(10.0), "session")
    encoding = load_encoder("context").encode(Task("p", {"table": mapped}, Interval(0, 60 * S))).check()
    assert where_on(encoding, "stimulus") == [(15, 17)]


def test_cues_outside_the_recording_are_named() -> None:
    encoding = encode(mark(5, 1, kind="question"), mark(1.7e9, 1, kind="question"))
    assert len(encoding.warnings) == 1
    assert "1 of 2 cues" in encoding.warnings[0]
    assert "'table'" in encoding.warnings[0]
    assert encode(mark(5, 1, kind="question")).warnings == ()


def test_a_table_without_rows_is_silence() -> None:
    encoding = encode()
    assert where_on(encoding, "question") == []
    assert encoding.events == ()
    assert set(encoding.track.reason) == {""}


@pytest.mark.parametrize("presence", [0, -1, "long"])
def test_an_impossible_setting_is_refused(presence: object) -> None:
    with pytest.raises(InvalidValueError, match="presence_s"):
        encode(mark(5, kind="question"), presence_s=presence)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-20, 80), st.floats(0, 30), st.sampled_from(["question", "stim", "base"])), max_size=15
    ),
    st.floats(-10, 10),
    st.floats(0.05, 70),
)
def test_the_columns_are_the_union_of_the_rows(rows: list, start: float, length: float) -> None:
    marks = [mark(onset, duration, kind=kind) for onset, duration, kind in rows]
    encoding = encode(*marks, extent=(start, start + length))
    times = encoding.track.times_ns
    assert np.all(times % (S // 10) == 0)
    for kind, name in (("question", "question"), ("stim", "stimulus"), ("base", "baseline")):
        expected = np.zeros(len(times), dtype=bool)
        for row in marks:
            if row.columns["kind"] == kind:
                end = row.onset_ns + (row.duration_ns or S)
                expected |= (times >= row.onset_ns) & (times < end)
        assert np.array_equal(encoding.track.column(name)[0].astype(bool), expected)
    assert len(encoding.events) == len(rows)


def test_answers_and_stakes_are_columns_of_time() -> None:
    encoding = encode(
        mark(5, 2, kind="question", stakes="high"), mark(8, 1, kind="answer"), mark(20, kind="question", stakes=0.5)
    )
    assert where_on(encoding, "answer") == [(8.0, 9.0)]
    since, known = encoding.track.column("since_answer_s")
    assert not known[:80].any() and known[80:].all()
    assert since[100] == pytest.approx(2.0)
    stakes, told = encoding.track.column("stakes")
    assert not told[:50].any() and told[50:].all()
    assert set(stakes[50:200]) == {3.0} and set(stakes[200:]) == {0.5}


@pytest.mark.parametrize(
    ("cell", "expected"), [("None", 0.0), ("2", 2.0), ("a lot", None), ("nan", None), (True, None)]
)
def test_stakes_are_numbers_or_words(cell: object, expected: float | None) -> None:
    assert stakes_of(mark(0, stakes=cell)) == expected
    assert stakes_of(mark(0)) is None
