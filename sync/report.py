"""The clock report: how each stream came to the session clock, how well, and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from data_schemas.frame_times import find_holes
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.result import StreamSync, SyncCheck, SyncEvidence, SyncReport
from data_schemas.stream import Marks, Stream, Video
from data_schemas.time import Int64Array, to_s
from sync.clock import ClockMap
from sync.estimate import Curve, Estimate
from sync.quality import effective_hz, rate_deviation

Method = Literal[
    "reference", "offset", "markers", "sound", "motion", "ltc", "flash", "frame_index", "wall", "pairs", "lsl",
    "assumed",
]  # fmt: skip
Unsure = Literal["", "assumed", "wall"]
Verdict = Literal["pass", "warn", "fail"]

SURE = 0.8
MOST_POINTS = 400
WRONG_RATE, MANY_DROPPED = 0.02, 0.01
"""Shares of the rate, and of the frames, from which on a stream is doubted."""
LOW_COVERAGE = 0.5
NO_DATA, NO_EVENTS = "no data", "no events"


@dataclass(frozen=True)
class Alignment:
    """How one clock came to the session clock.

    Attributes:
        map: From its times to session times.
        method: How that was found.
        estimate: What the cue said, where there is one.
        failure: What went wrong, with the mend; "" if nothing did.
        doubts: What makes it less than sure.
        tolerance_ms: Largest RMS residual that the manifest allows.
        machine: The failure lies in the machine: a disk that did not read, too little memory.
        file: Which one could not be read, where that is the failure.
        beyond: What the clock that this one hangs on merely is, "assumed" or "wall"; "" where it is more.
    """

    map: ClockMap
    method: Method
    estimate: Estimate | None = None
    failure: str = ""
    doubts: tuple[str, ...] = ()
    tolerance_ms: float | None = None
    machine: bool = False
    file: str | None = None
    beyond: Unsure = ""

    @property
    def rests_on(self) -> Unsure:
        """What this clock, or one that it hangs on, merely is: "assumed" or "wall"; "" where it is more."""
        return self.method if self.method == "assumed" or self.method == "wall" else self.beyond

    @property
    def residual_ms(self) -> float | None:
        """RMS of the residuals of what the cue measured, milliseconds."""
        rms_s = None if self.estimate is None else self.estimate.rms_s
        return None if rms_s is None else rms_s * 1e3


def doubts_of(estimate: Estimate) -> tuple[str, ...]:
    """What makes an estimate less than sure, in words."""
    if estimate.confidence < SURE and not estimate.warnings:
        return (f"confidence {estimate.confidence:.2f} only",)
    return estimate.warnings


def evidence_of(estimate: Estimate, to_session: ClockMap) -> SyncEvidence:
    """An estimate in figures that can be drawn, its measurements on the session clock.

    Args:
        estimate: What a cue said.
        to_session: Map of its own clock.
    """
    kept = _thinned(len(estimate.times_ns))
    curve = estimate.curve
    at = _around_peak(curve) if curve is not None else np.zeros(0, np.int64)
    return SyncEvidence(
        own=estimate.own,
        against=estimate.against,
        by=estimate.method,
        offset_s=estimate.offset_s,
        ci95_ms=estimate.ci95_s * 1e3,
        drift_ppm=estimate.drift_ppm,
        confidence=estimate.confidence,
        times_s=np.round(to_s(to_session(estimate.times_ns[kept])), 3).tolist(),
        residuals_ms=np.round(estimate.residuals_s[kept] * 1e3, 4).tolist(),
        lags_s=[] if curve is None else np.round(curve.lags_s[at], 6).tolist(),
        scores=[] if curve is None else np.round(curve.score[at], 4).tolist(),
        score="" if curve is None else curve.label,
    )


def _thinned(n: int) -> Int64Array:
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).astype(np.int64)) if n else np.zeros(0, np.int64)


def _around_peak(curve: Curve) -> Int64Array:
    """Indices of the curve: all of it thinned, and every point next to its peak."""
    peak = int(np.argmax(curve.score))
    near = np.arange(max(0, peak - MOST_POINTS // 4), min(len(curve.score), peak + MOST_POINTS // 4))
    return np.union1d(_thinned(len(curve.score)), near)


def extent_of(streams: Iterable[Stream]) -> Interval | None:
    """First to last moment with data; event tables count only where there is nothing else."""
    supports = [(stream.support, isinstance(stream, Marks)) for stream in streams]
    for tables in (False, True):
        whole = reduce(IntervalSet.__or__, (one for one, is_table in supports if is_table == tables), IntervalSet())
        if whole.extent is not None:
            return whole.extent
    return None


def report_on(
    native: Mapping[str, Stream],
    mapped: Mapping[str, Stream],
    alignments: Mapping[str, Alignment],
    extent: Interval | None,
    checks: Sequence[SyncCheck] = (),
    evidence: Sequence[SyncEvidence] = (),
) -> SyncReport:
    """The report on all streams.

    Args:
        native: Streams on their own clocks.
        mapped: The same on the session clock.
        alignments: One per clock.
        extent: First to last moment of the session.
        checks: How further evidence stands to the result.
        evidence: What was measured.
    """
    rows = [_row(native[name], mapped[name], alignments[native[name].info.clock], extent, checks) for name in native]
    spans = [
        span
        for stream in mapped.values()
        if not isinstance(stream, Marks) and (span := stream.support.extent) is not None
    ]
    start = max((span.start_ns for span in spans), default=0)
    end = min((span.end_ns for span in spans), default=0)
    shared = end > start
    return SyncReport(
        streams=rows,
        session_start_s=to_s(extent.start_ns) if extent else 0.0,
        session_end_s=to_s(extent.end_ns) if extent else 0.0,
        overlap_start_s=to_s(start) if shared else None,
        overlap_end_s=to_s(end) if shared else None,
        checks=list(checks),
        evidence=list(evidence),
    )


def _row(
    native: Stream, mapped: Stream, alignment: Alignment, extent: Interval | None, checks: Sequence[SyncCheck]
) -> StreamSync:
    support = mapped.support
    span = support.extent
    coverage = 0.0
    if extent is not None and span is not None:
        coverage = min(1.0, (support & IntervalSet([extent])).total_ns / extent.duration_ns)
    against = [one.why for one in checks if one.verdict == "contradicts" and native.info.name in (one.own, one.against)]
    against += _rate_doubts(native)
    verdict, why = _judge(alignment, coverage, against, empty=span is None, table=isinstance(native, Marks))
    first = native.axis.start_ns if native.axis.n else 0
    found = alignment.estimate
    residual_max = None if found is None or found.max_s is None else found.max_s * 1e3
    return StreamSync(
        stream=native.info.name,
        clock=native.info.clock,
        method=alignment.method,
        rests_on=alignment.rests_on,
        offset_s=alignment.map.offset_s_at(first),
        drift_ppm=alignment.map.drift_ppm_at(first),
        residual_ms=alignment.residual_ms,
        residual_max_ms=residual_max,
        ci95_ms=None if found is None else found.ci95_s * 1e3,
        matched=0 if found is None else len(found.times_ns),
        unmatched=0 if found is None else found.unmatched,
        start_s=to_s(span.start_ns) if span else 0.0,
        end_s=to_s(span.end_ns) if span else 0.0,
        coverage=coverage,
        gaps=max(0, len(support) - 1),
        nominal_hz=native.info.nominal_rate_hz,
        effective_hz=effective_hz(native.axis) if not isinstance(native, Marks) else None,
        dropped=find_holes(native.axis.times_ns).dropped if isinstance(native, Video) else None,
        verdict=verdict,
        why=why,
    )


def _rate_doubts(stream: Stream) -> list[str]:
    """A rate other than the header claims, and frames that are missing in numbers."""
    found = []
    if not isinstance(stream, Marks):
        off = rate_deviation(stream.axis, stream.info.nominal_rate_hz)
        if off is not None and abs(off) > WRONG_RATE:
            found.append(f"runs at {1 + off:.3f} times the rate of {stream.info.nominal_rate_hz:.4g} Hz in its header")
    if isinstance(stream, Video):
        dropped = find_holes(stream.axis.times_ns).dropped
        if dropped > MANY_DROPPED * max(1, stream.axis.n):
            found.append(f"{dropped} frames were dropped ({dropped / (stream.axis.n + dropped):.1%})")
    return found


def _judge(
    alignment: Alignment, coverage: float, against: Sequence[str], *, empty: bool, table: bool
) -> tuple[Verdict, str]:
    if empty:
        return ("pass", NO_EVENTS) if table else ("fail", NO_DATA)
    if alignment.failure:
        return "fail", alignment.failure
    residual, limit = alignment.residual_ms, alignment.tolerance_ms
    if residual is not None and limit is not None and residual > limit:
        return "fail", f"residual {residual:.1f} ms exceeds the tolerance of {limit:g} ms"
    doubts = [*alignment.doubts, *against]
    if coverage < LOW_COVERAGE and not table:
        doubts.append(f"covers {coverage:.0%} of the session")
    if doubts:
        return "warn", "; ".join(doubts)
    return "pass", {
        "reference": "on the session clock",
        "offset": "as stated in the manifest",
        "markers": "by shared events",
        "sound": "by shared sound",
        "motion": "by shared motion",
        "ltc": "by timecode",
        "flash": "by light flashes",
        "frame_index": "by frame numbers",
        "wall": "by the start times of the files",
        "pairs": "by pairs of clock readings",
        "lsl": "by the LSL clock offsets",
        "assumed": "",
    }[alignment.method]
