from __future__ import annotations

import errno

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import NothingUsableError, UnreadableFileError
from data_schemas.stream import Audio, Stream, StreamInfo
from data_schemas.time import Regular
from sync.align import align, synchronize
from tests.clocked_recordings import S, ns, recording, row, signal, table, ttl


def shared_events(seed: int, n: int = 25) -> np.ndarray:
    return 2 + np.cumsum(np.random.default_rng(seed).uniform(2, 5, n))


def test_the_reference_and_the_session_clock_are_identity() -> None:
    made = recording({"cam": {"reference": True}}, signal("face", "cam"), signal("eda", "session", 60, kind="eda"))
    session = synchronize(made)
    assert np.array_equal(session.streams["face"].times_ns, made.streams["face"].times_ns)
    assert (session.extent.start_ns, session.extent.end_ns) == (0, 100 * S)
    assert {one.verdict for one in session.sync.streams} == {"pass"}
    assert row(session.sync, "eda").coverage == pytest.approx(0.6)
    assert (session.sync.overlap_start_s, session.sync.overlap_end_s) == (0, 60)
    assert session.problems == ()


def test_a_stated_offset_and_drift_are_applied() -> None:
    clocks = {"cam": {"reference": True}, "amp": {"align": "offset", "offset_s": -4.5, "drift_ppm": 100}}
    maps, report, problems = align(recording(clocks, signal("face", "cam"), signal("ecg", "amp", start_s=10)))
    assert maps["amp"](np.array([0, 10 * S])).tolist() == [-4_500_000_000, 5_501_000_000]
    assert row(report, "ecg").offset_s == pytest.approx(-4.499)
    assert row(report, "ecg").drift_ppm == pytest.approx(100)
    assert (row(report, "ecg").verdict, row(report, "ecg").why) == ("pass", "as stated in the manifest")
    assert problems == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(-60, 60), st.floats(-150, 150))
def test_marker_alignment_recovers_offset_and_drift(seed: int, offset_s: float, drift_ppm: float) -> None:
    rng = np.random.default_rng(seed)
    moments = shared_events(seed, 30)
    device = (moments - offset_s) / (1 + drift_ppm * 1e-6)
    by_amp, by_cam = rng.random(30) > 0.1, rng.random(30) > 0.1
    seen = np.sort(np.r_[(device + rng.normal(0, 5e-4, 30))[by_amp], rng.uniform(device[0], device[-1], 3)])
    true = np.sort(np.r_[(moments + rng.normal(0, 5e-4, 30))[by_cam], rng.uniform(2, moments[-1], 3)])
    clocks = {"cam": {"reference": True}, "amp": {"align": "markers", "own": "amp_marks", "against": "cam_marks"}}
    made = recording(
        clocks,
        signal("face", "cam", 120),
        signal("ecg", "amp", 120, start_s=-offset_s),
        table("cam_marks", "cam", true),
        table("amp_marks", "amp", seen),
    )
    maps, report, problems = align(made)
    assert np.median(np.abs(maps["amp"](ns(device)) - ns(moments))) < 2e6
    found = row(report, "ecg")
    assert (found.method, found.verdict) == ("markers", "pass")
    assert found.residual_ms < 2
    assert abs(found.matched - np.sum(by_amp & by_cam)) <= 2
    assert problems == []


def test_chains_of_markers_are_followed_and_pulses_serve_as_events() -> None:
    moments = shared_events(4)
    on_amp, on_phone = (moments + 12.25) * (1 + 60e-6), (moments - 31.5) * (1 - 40e-6)
    clocks = {
        "phone": {"align": "markers", "own": "phone_marks", "against": "trigger"},
        "amp": {"align": "markers", "own": "trigger", "against": "cam_marks"},
        "cam": {"reference": True},
    }
    made = recording(
        clocks,
        signal("face", "cam", 120),
        table("cam_marks", "cam", moments),
        ttl("trigger", "amp", on_amp, 150),
        table("phone_marks", "phone", on_phone),
        signal("voice", "phone", 100, start_s=-20),
    )
    maps, report, problems = align(made)
    assert np.abs(maps["amp"](ns(on_amp)) - ns(moments)).max() < 1_500_000
    assert np.abs(maps["phone"](ns(on_phone)) - ns(moments)).max() < 1_500_000
    assert {one.stream: one.verdict for one in report.streams}["voice"] == "pass"
    assert problems == []


def test_clocks_that_wait_for_each_other_are_named_and_the_rest_goes_on() -> None:
    moments = shared_events(5)
    clocks = {
        "cam": {"reference": True},
        "a": {"align": "markers", "own": "ma", "against": "mb", "offset_s": 3.0},
        "b": {"align": "markers", "own": "mb", "against": "ma", "offset_s": 7.0},
    }
    made = recording(
        clocks,
        signal("face", "cam"),
        table("ma", "a", moments),
        table("mb", "b", moments - 4),
        signal("ecg", "a"),
        signal("eda", "b"),
    )
    session = synchronize(made)
    errors = [p for p in session.problems if p.severity == "error"]
    assert len(errors) == 1
    assert "a -> b -> a" in errors[0].what
    assert "reference = true" in errors[0].what
    verdicts = {one.stream: one.verdict for one in session.sync.streams}
    assert verdicts["eda"] == "fail"
    assert verdicts["ecg"] == "warn"
    assert row(session.sync, "eda").offset_s == pytest.approx(7.0)
    assert row(session.sync, "ecg").offset_s == pytest.approx(3.0)


@pytest.mark.parametrize("case", ["unread", "no pulse", "empty", "wrong kind"])
def test_a_clock_whose_events_are_missing_falls_back_to_its_stated_offset(case: str) -> None:
    clocks = {
        "cam": {"reference": True},
        "amp": {"align": "markers", "own": "sync", "against": "cam_marks", "offset_s": 1.5},
    }
    streams: list[Stream] = [signal("face", "cam"), table("cam_marks", "cam", shared_events(1)), signal("ecg", "amp")]
    words = {"unread": "could not be read", "no pulse": "no event", "empty": "no event", "wrong kind": "no event"}[case]
    if case == "no pulse":
        streams.append(ttl("sync", "amp", np.zeros(0), 100))
    elif case == "empty":
        streams.append(table("sync", "amp", np.zeros(0)))
    elif case == "wrong kind":
        streams.append(signal("sync", "amp"))
    made = recording(clocks, *streams, unread=(("sync", "amp"),) if case == "unread" else ())
    session = synchronize(made)
    errors = [p for p in session.problems if p.severity == "error"]
    assert len(errors) == 1
    assert words in errors[0].what
    assert errors[0].stream == "sync"
    found = row(session.sync, "ecg")
    assert (found.verdict, found.method, found.offset_s) == ("fail", "offset", 1.5)
    assert row(session.sync, "face").verdict == "pass"


def test_few_ambiguous_and_poor_matches_warn() -> None:
    clocks = {"cam": {"reference": True}, "amp": {"align": "markers", "own": "ma", "against": "mc"}}

    def verdict(own: np.ndarray, other: np.ndarray) -> tuple[str, str]:
        made = recording(
            clocks, signal("face", "cam"), table("mc", "cam", other), table("ma", "amp", own), signal("ecg", "amp")
        )
        _, report, problems = align(made)
        found = row(report, "ecg")
        assert [p.severity for p in problems] == ["warning"]
        assert found.why.split(";")[0] in problems[0].what
        return found.verdict, found.why

    assert verdict(np.array([5.0, 19.0]), np.array([6.0, 20.0]))[1].startswith("only 2 matched events")
    beat = np.arange(5.0, 65, 3)
    assert "ambiguous" in verdict(beat, beat + 1)[1]
    rough = shared_events(3)
    jitter = np.random.default_rng(0).normal(0, 0.03, len(rough))
    assert "residual" in verdict(rough, rough + 1 + jitter)[1]


def test_a_tolerance_that_is_exceeded_fails() -> None:
    moments = shared_events(8)
    rough = moments + np.random.default_rng(1).normal(0, 0.005, len(moments))
    clocks = {
        "cam": {"reference": True},
        "amp": {"align": "markers", "own": "ma", "against": "mc", "tolerance_ms": 1.0},
    }
    made = recording(
        clocks, signal("face", "cam"), table("mc", "cam", moments), table("ma", "amp", rough), signal("ecg", "amp")
    )
    _, report, problems = align(made)
    assert row(report, "ecg").verdict == "fail"
    assert "tolerance of 1 ms" in problems[0].what
    assert problems[0].severity == "error"


def test_lsl_clocks_share_one_time_which_starts_at_their_first_sample() -> None:
    clocks = {"rig": {"align": "lsl"}, "laptop": {"align": "lsl"}}
    made = recording(clocks, signal("ecg", "rig", start_s=50_000.5), signal("eda", "laptop", start_s=50_003.0))
    session = synchronize(made)
    assert row(session.sync, "ecg").start_s == pytest.approx(0)
    assert row(session.sync, "eda").start_s == pytest.approx(2.5)
    assert [one.verdict for one in session.sync.streams] == ["pass", "pass"]
    assert session.problems == ()


def test_lsl_time_is_session_time_if_the_reference_is_an_lsl_clock() -> None:
    clocks = {"rig": {"reference": True, "align": "lsl"}, "laptop": {"align": "lsl"}, "cam": {}}
    made = recording(
        clocks, signal("ecg", "rig", start_s=50_000), signal("eda", "laptop", start_s=50_003), signal("face", "cam")
    )
    session = synchronize(made)
    assert row(session.sync, "eda").start_s == 50_003
    assert row(session.sync, "face").start_s == 50_000
    assert "first sample was taken as 50000.000 s" in row(session.sync, "face").why


def test_lsl_time_beside_another_reference_needs_an_offset() -> None:
    clocks = {"cam": {"reference": True}, "rig": {"align": "lsl"}}
    _, report, problems = align(recording(clocks, signal("face", "cam"), signal("ecg", "rig", start_s=900)))
    assert row(report, "ecg").verdict == "warn"
    assert [p.severity for p in problems] == ["warning"]
    clocks["rig"] = {"align": "lsl", "offset_s": -890.0}
    _, report, problems = align(recording(clocks, signal("face", "cam"), signal("ecg", "rig", start_s=900)))
    assert (row(report, "ecg").verdict, row(report, "ecg").start_s) == ("pass", 10)
    assert problems == []


def test_a_clock_that_nobody_has_related_is_assumed_and_said_so() -> None:
    clocks = {"cam": {"reference": True}, "watch": {}, "phone": {}}
    made = recording(
        clocks, signal("face", "cam"), signal("eda", "watch", start_s=1.7e9), signal("voice", "phone", start_s=3)
    )
    session = synchronize(made)
    assert session.extent.duration_ns <= 103 * S
    assert row(session.sync, "eda").start_s == pytest.approx(0)
    assert row(session.sync, "voice").start_s == pytest.approx(3)
    assert {row(session.sync, n).verdict for n in ("eda", "voice")} == {"warn"}
    assert [p.severity for p in session.problems] == ["warning", "warning"]


def test_the_extent_is_the_union_of_signals_not_of_markers_and_may_start_below_zero() -> None:
    clocks = {"cam": {"reference": True}, "amp": {"align": "offset", "offset_s": -30}}
    made = recording(
        clocks, signal("face", "cam"), signal("ecg", "amp"), table("marks", "cam", np.array([5.0, 90_000.0]))
    )
    session = synchronize(made)
    assert (session.extent.start_ns, session.extent.end_ns) == (-30 * S, 100 * S)
    assert row(session.sync, "marks").verdict == "pass"


def test_streams_that_do_not_overlap_are_reported_not_refused() -> None:
    made = recording({"amp": {"align": "offset", "offset_s": 200}}, signal("face", "session"), signal("ecg", "amp"))
    session = synchronize(made)
    assert session.sync.overlap_start_s is None
    assert session.extent.duration_ns == 300 * S
    assert row(session.sync, "ecg").verdict == "warn"
    assert "33%" in row(session.sync, "ecg").why


def test_empty_streams_and_empty_tables() -> None:
    made = recording(
        {}, signal("face", "session"), signal("ecg", "session", 0.0), table("tags", "session", np.zeros(0))
    )
    session = synchronize(made)
    assert row(session.sync, "ecg").verdict == "fail"
    assert row(session.sync, "tags").why == "no events"
    assert sorted(p.severity for p in session.problems) == ["error", "note"]
    with pytest.raises(NothingUsableError, match="no stream"):
        synchronize(recording({}, signal("ecg", "session", 0.0)))


def test_labels_help_only_where_they_fit() -> None:
    beat = 3.0 * np.arange(30)
    labels = [str(n % 7) for n in np.random.default_rng(0).integers(0, 50, 30)]
    clocks = {"cam": {"reference": True}, "amp": {"align": "markers", "own": "ma", "against": "mc"}}

    def matched(own_labels: list[str], other_labels: list[str]) -> object:
        made = recording(
            clocks,
            signal("face", "cam"),
            table("mc", "cam", beat + 2, other_labels),
            table("ma", "amp", beat[5:], own_labels),
            signal("ecg", "amp"),
        )
        return row(align(made)[1], "ecg")

    told_apart = matched(labels[5:], labels)
    assert told_apart.offset_s == pytest.approx(2.0)
    assert told_apart.verdict == "pass"
    numbered = matched([str(i) for i in range(25)], [str(i) for i in range(30)])
    assert numbered.matched == 25


def test_further_evidence_is_a_check_and_names_the_pair_that_contradicts() -> None:
    moments = shared_events(6)
    clocks = {"cam": {"reference": True}, "amp": {"align": "offset", "offset_s": 4.0}}
    evidence = [{"own": "ma", "against": "mc", "by": "markers"}]

    def checked(off_s: float) -> tuple[object, list]:
        made = recording(
            clocks,
            signal("face", "cam"),
            table("mc", "cam", moments),
            table("ma", "amp", moments - 4.0 + off_s),
            signal("ecg", "amp"),
            evidence=evidence,
        )
        _, report, problems = align(made)
        return report, problems

    report, problems = checked(0.0)
    assert [one.verdict for one in report.checks] == ["agrees"]
    assert problems == []
    report, problems = checked(0.503)
    blamed = next(one for one in report.checks if one.by == "markers")
    assert (blamed.own, blamed.against, blamed.verdict) == ("ma", "mc", "contradicts")
    assert blamed.off_ms == pytest.approx(-503, abs=2)
    assert row(report, "ma").verdict == "warn"
    assert any("ma against mc by markers" in one.what for one in problems)


def test_evidence_aligns_a_clock_that_nobody_has_related_seen_from_either_side() -> None:
    moments = shared_events(7)
    for own, against in (("ma", "mc"), ("mc", "ma")):
        made = recording(
            {"cam": {"reference": True}, "amp": {}},
            signal("face", "cam"),
            table("mc", "cam", moments),
            table("ma", "amp", moments + 17.5),
            signal("ecg", "amp"),
            evidence=[{"own": own, "against": against, "by": "markers"}],
        )
        maps, report, problems = align(made)
        assert np.abs(maps["amp"](ns(moments + 17.5)) - ns(moments)).max() < 2_000_000
        assert (row(report, "ecg").method, row(report, "ecg").verdict) == ("markers", "pass")
        assert problems == []


def test_evidence_that_cannot_be_used_warns() -> None:
    made = recording(
        {"cam": {"reference": True}, "amp": {"align": "offset", "offset_s": 4.0}},
        signal("face", "cam"),
        table("mc", "cam", shared_events(6)),
        table("ma", "amp", np.zeros(0)),
        signal("ecg", "amp"),
        evidence=[{"own": "ma", "against": "mc", "by": "markers"}],
    )
    _, report, problems = align(made)
    assert [one.verdict for one in report.checks] == ["too_weak"]
    assert [one.severity for one in problems if "could not be used" in one.what] == ["warning"]


@pytest.mark.parametrize(("number", "machine"), [(errno.EIO, True), (errno.EINVAL, False)])
def test_a_clock_that_a_disk_error_left_unaligned_says_that_it_lies_in_the_machine(number: int, machine: bool) -> None:
    def broken(first: int, count: int) -> np.ndarray:
        raise UnreadableFileError("not readable as sound", file="a.wav") from OSError(number, "no")

    times = shared_events(1)
    axis = Regular.from_rate(8000, 800_000)
    sound = Audio(info=StreamInfo("beeps", "pulse", "mic"), axis=axis, source=broken, channels=1)
    made = recording(
        {"lab": {"reference": True}, "mic": {"align": "markers", "own": "beeps", "against": "events"}},
        table("events", "lab", times), sound, signal("eda", "mic", kind="eda"),
    )  # fmt: skip
    (problem,) = [one for one in synchronize(made).problems if one.severity == "error"]
    assert "not readable as sound" in problem.what and problem.machine == machine
