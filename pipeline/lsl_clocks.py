"""What the clock offsets of XDF files say of the streams that were aligned by them, for the clock report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_schemas.errors import TelltaleError
from data_schemas.recording import Session
from data_schemas.result import StreamSync, SyncEvidence
from data_schemas.session import StreamEntry
from sync.clock import ClockMap
from sync.cues.lsl import doubts, estimates
from sync.estimate import Estimate
from sync.report import evidence_of


def with_lsl_clocks(session: Session) -> Session:
    """The session with residuals, intervals and drift of its LSL clocks in the report.

    The reader of XDF has applied the clock offsets already, so nothing moves.
    """
    entries = {entry.name: entry for entry in session.manifest.streams}
    rows: list[StreamSync] = []
    evidence: list[SyncEvidence] = []
    for row in session.sync.streams:
        entry = entries[row.stream]
        clock = session.manifest.clocks.get(entry.clock)
        found = _measured(session, entry) if clock is not None and clock.align == "lsl" else ([], ())
        rows.append(_told(row, *found) if found[0] else row)
        evidence += [_on_session(one, session, entry) for one in found[0]]
    if not evidence:
        return session
    report = session.sync.model_copy(update={"streams": rows, "evidence": [*session.sync.evidence, *evidence]})
    return replace(session, sync=report)


def _measured(session: Session, entry: StreamEntry) -> tuple[list[Estimate], tuple[str, ...]]:
    """Estimates from the device's clock to LSL time, one per segment, and doubts."""
    from modalities.readers.opening import format_of
    from modalities.readers.xdf import clock_of

    found: list[Estimate] = []
    said: tuple[str, ...] = ()
    for path in entry.paths:
        try:
            if format_of(session.root / path, entry.kind) != "xdf":
                continue
            lines = clock_of(session.root / path, entry.track)
        except TelltaleError:
            continue
        found += estimates(entry.name, lines, "LSL time")
        said += doubts(entry.name, lines)
    return found, said


def _told(row: StreamSync, found: list[Estimate], said: tuple[str, ...]) -> StreamSync:
    residuals = np.concatenate([one.residuals_s for one in found]) * 1e3
    new = [text for text in said if text not in row.why]
    why = "; ".join([*([row.why] if row.verdict != "pass" or not new else []), *new])
    return row.model_copy(
        update={
            "ci95_ms": max(one.ci95_s for one in found) * 1e3,
            "residual_ms": float(np.sqrt(np.mean(residuals**2))) if len(residuals) else None,
            "residual_max_ms": float(np.abs(residuals).max()) if len(residuals) else None,
            "matched": len(residuals),
            "verdict": "warn" if new and row.verdict == "pass" else row.verdict,
            "why": why,
        }
    )


def _on_session(one: Estimate, session: Session, entry: StreamEntry) -> SyncEvidence:
    """The estimate, its measurements on the session clock."""
    stream = session.streams[entry.name]
    to_session = stream.time_map if isinstance(stream.time_map, ClockMap) else ClockMap.affine()
    return evidence_of(one, one.clock_map.then(to_session))
