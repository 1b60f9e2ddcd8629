"""The proofs of synchrony in the clock report: what pulse and lips show counts for the verdict of their streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from data_schemas.errors import ClockError
from data_schemas.features import Encoding
from data_schemas.recording import Session
from data_schemas.result import Problem, StreamSync, SyncCheck, SyncReport
from pipeline.outcome import unvouched
from pipeline.proofs import Proof, proofs_of
from sync.clock import ClockMap
from sync.report import evidence_of

_VERDICTS = {"passes": "agrees", "warns": "contradicts", "too weak": "too_weak"}


def prove(session: Session, encodings: Sequence[Encoding]) -> tuple[Session, list[Problem]]:
    """Hold the clocks against what the recorded bodies show.

    Returns:
        The session with these checks in its clock report, and a problem for each proof. One that contradicts warns,
        and so does one that is too weak for clocks that nobody vouches for: both make the exit status 1.

    Raises:
        ClockError: a stream is off by more than the tolerance that the manifest states for it.
    """
    proofs = proofs_of(session, encodings)
    for proof in proofs:
        if proof.severity == "error":
            raise ClockError(proof.what, stream=proof.own)
    problems = []
    for proof in proofs:
        if proof.verdict == "too weak" and unvouched(session.sync, proof.own, proof.against):
            what = (
                f"nobody has said how the clocks of '{proof.own}' and '{proof.against}' relate, "
                f"and it is {proof.what}. "
                "State it under [clocks], or set same_body = false if they are not of the same body."
            )
            problems.append(Problem(severity="warning", what=what, stream=proof.own))
        else:
            problems.append(Problem(severity=proof.severity, what=proof.what, stream=proof.own))
    return replace(session, sync=_with_repeats(_with_proofs(session.sync, proofs), encodings)), problems


def _with_proofs(sync: SyncReport, proofs: Sequence[Proof]) -> SyncReport:
    checks = [_check(proof) for proof in proofs]
    drawn = [evidence_of(proof.estimate, ClockMap.affine()) for proof in proofs if proof.estimate is not None]
    return sync.model_copy(
        update={
            "streams": [_judged(row, checks) for row in sync.streams],
            "checks": [*sync.checks, *checks],
            "evidence": [*sync.evidence, *drawn],
        }
    )


def _with_repeats(sync: SyncReport, encodings: Sequence[Encoding]) -> SyncReport:
    """How many frames repeat the picture before, where an encoder has looked."""
    counts = {name: one.quality.get("repeated_frames") for one in encodings for name in one.streams[:1]}
    rows = [
        row.model_copy(update={"duplicated": counts[row.stream]}) if counts.get(row.stream) is not None else row
        for row in sync.streams
    ]
    return sync.model_copy(update={"streams": rows})


def _check(proof: Proof) -> SyncCheck:
    return SyncCheck.model_validate(
        {
            "own": proof.own,
            "against": proof.against,
            "by": proof.kind,
            "off_ms": None if proof.shift_s is None else -proof.shift_s * 1e3,
            "ci95_ms": None if proof.ci95_s is None else proof.ci95_s * 1e3,
            "confidence": min(1.0, max(0.0, proof.confidence)),
            "verdict": _VERDICTS[proof.verdict],
            "why": proof.what,
        }
    )


def _judged(row: StreamSync, checks: Sequence[SyncCheck]) -> StreamSync:
    against = [one.why for one in checks if one.verdict == "contradicts" and row.stream in (one.own, one.against)]
    if not against:
        return row
    why = "; ".join([*([row.why] if row.verdict != "pass" else []), *against])
    return row.model_copy(update={"verdict": "fail" if row.verdict == "fail" else "warn", "why": why})
