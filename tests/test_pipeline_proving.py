"""Proofs in the clock report; how pulse and lips themselves work is tested in test_pipeline_proofs.py."""

from __future__ import annotations

import pytest

from data_schemas.result import Problem, StreamSync, SyncCheck, SyncReport
from pipeline.outcome import has_failed, why_failed
from pipeline.proofs import Proof
from pipeline.proving import _with_proofs


def report() -> SyncReport:
    rows = [
        StreamSync(
            stream=name, clock="c", method="markers", offset_s=0, drift_ppm=0, start_s=0, end_s=60, coverage=1,
            verdict="pass", why="by shared events",
        )
        for name in ("face", "ecg", "eda")
    ]  # fmt: skip
    return SyncReport(streams=rows, session_start_s=0, session_end_s=60)


def proof(verdict: str) -> Proof:
    severity = "warning" if verdict == "warns" else "note"
    return Proof(
        "pulse", "p01", "face", "ecg", verdict, severity, "0.5 s late", shift_s=0.5, ci95_s=0.1, confidence=0.9
    )


@pytest.mark.parametrize(("verdict", "word"), [("warns", "warn"), ("passes", "pass"), ("too weak", "pass")])
def test_a_proof_counts_for_the_verdict_of_its_two_streams_only(verdict: str, word: str) -> None:
    found = _with_proofs(report(), [proof(verdict)])
    assert [one.verdict for one in found.streams] == [word, word, "pass"]
    assert found.checks[0].off_ms == pytest.approx(-500)
    assert has_failed([], found) == (verdict == "warns")


def test_a_proof_that_is_too_weak_counts_only_where_nobody_vouches_for_the_clocks() -> None:
    stated = report()
    rows = [stated.streams[0], *(row.model_copy(update={"clock": "amp"}) for row in stated.streams[1:])]
    assert not has_failed([], _with_proofs(stated.model_copy(update={"streams": rows}), [proof("too weak")]))
    rows[0] = rows[0].model_copy(update={"method": "assumed"})
    assert has_failed([], _with_proofs(stated.model_copy(update={"streams": rows}), [proof("too weak")]))
    alone = [row.model_copy(update={"method": "assumed"}) for row in stated.streams]
    assert not has_failed([], _with_proofs(stated.model_copy(update={"streams": alone}), [proof("too weak")]))


def test_errors_failed_streams_and_contradictions_make_the_exit_status_1() -> None:
    assert not has_failed([Problem(severity="warning", what="w")], report())
    assert has_failed([Problem(severity="error", what="e")], report())
    check = SyncCheck(own="a", against="b", by="sound", verdict="contradicts")
    assert has_failed([], report().model_copy(update={"checks": [check]}))
    assert not has_failed([], report().model_copy(update={"checks": [check.model_copy(update={"verdict": "agrees"})]}))


def test_what_makes_the_exit_status_1_is_said_in_words() -> None:
    assert why_failed([Problem(severity="warning", what="w")], report()) == ()
    problems = [Problem(severity="error", what=what) for what in "ab"]
    check = SyncCheck(own="a", against="b", by="sound", verdict="contradicts")
    found = report().model_copy(update={"checks": [check, check]})
    assert why_failed(problems, found) == ("2 errors", "sound contradicts the clocks of 'a' and 'b'")
    rows = [row.model_copy(update={"method": "assumed", "clock": row.stream}) for row in report().streams]
    weak = _with_proofs(report().model_copy(update={"streams": rows}), [proof("too weak")])
    assert why_failed([], weak) == ("nobody vouches for the clocks of 'face' and 'ecg', and nothing proves them",)
    bad = [report().streams[0].model_copy(update={"verdict": "fail"})]
    assert why_failed([], report().model_copy(update={"streams": bad})) == ("the clock of 'face' failed",)
