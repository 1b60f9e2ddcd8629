"""What a run leaves: problems met, clock report, provenance, summary; all JSON-serialisable by pydantic."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from data_schemas.causes import lies_in_machine
from data_schemas.errors import TelltaleError


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(_Frozen):
    """Something that failed, was missing, was repaired or should be known."""

    severity: Literal["error", "warning", "note"]
    what: str = Field(description="one sentence, with the mend")
    stream: str | None = None
    file: str | None = None
    time_s: float | None = None
    machine: bool = Field(False, description="a disk, right, memory or network failed: another run may do better")

    @classmethod
    def of(cls, error: TelltaleError, severity: Literal["error", "warning", "note"] = "error") -> Problem:
        """The same, from an error."""
        return cls(
            severity=severity,
            what=str(error),
            stream=error.stream,
            file=error.file,
            time_s=error.time_s,
            machine=lies_in_machine(error),
        )


def of_machine(error: TelltaleError | None) -> list[Problem]:
    """An error that was met and worked around, if it lies in the machine: another run may then do better."""
    return [Problem.of(error)] if error is not None and lies_in_machine(error) else []


class StreamSync(_Frozen):
    """Clock figures of one stream."""

    stream: str
    clock: str
    method: Literal[
        "reference", "offset", "markers", "sound", "motion", "ltc", "flash", "frame_index", "wall", "pairs", "lsl",
        "assumed",
    ]  # fmt: skip
    rests_on: Literal["", "assumed", "wall"] = Field(
        "", description="what this clock, or one that it hangs on, merely is; empty where it is more"
    )
    offset_s: float = Field(description="session time minus device time at the stream's first sample")
    drift_ppm: float
    ci95_ms: float | None = Field(None, description="half width of the offset's 95 % interval; null if not measured")
    residual_ms: float | None = Field(None, description="RMS of the cue's residuals; null where nothing was measured")
    residual_max_ms: float | None = None
    matched: int = Field(0, description="events matched, or stretches measured")
    unmatched: int = Field(0, description="events of this clock without a partner")
    start_s: float
    end_s: float
    coverage: float = Field(ge=0, le=1, description="share of the session in which this stream has data")
    gaps: int = 0
    nominal_hz: float | None = Field(None, description="rate that the header claims")
    effective_hz: float | None = Field(None, description="samples per second of covered time, gaps left out")
    dropped: int | None = Field(None, description="frames missing by the times of a video; null for other streams")
    duplicated: int | None = Field(None, description="frames that repeat the picture before; null if not to be told")
    verdict: Literal["pass", "warn", "fail"]
    why: str = ""


class SyncCheck(_Frozen):
    """What one more piece of evidence says of two streams, once all are on the session clock."""

    own: str = Field(description="stream, or clock as stated")
    against: str
    by: str = Field(description="markers, sound, motion, ltc, flash, wall, offset, pairs; pulse and lips are proofs")
    off_ms: float | None = Field(None, description="by how much the own stream would have to move; null if unknown")
    ci95_ms: float | None = Field(None, description="half width of its 95 % interval")
    confidence: float | None = Field(None, ge=0, le=1)
    verdict: Literal["agrees", "contradicts", "too_weak"]
    why: str = ""


class SyncEvidence(_Frozen):
    """One piece of evidence about two clocks in figures that can be drawn."""

    own: str
    against: str
    by: str
    offset_s: float = Field(description="time of `against` minus time of `own` in the middle of what was measured")
    ci95_ms: float
    drift_ppm: float
    confidence: float = Field(ge=0, le=1)
    times_s: list[float] = Field(default_factory=list, description="session times of single measurements, thinned")
    residuals_ms: list[float] = Field(default_factory=list, description="what each says more than the line")
    lags_s: list[float] = Field(default_factory=list, description="lags of the agreement curve, thinned")
    scores: list[float] = Field(default_factory=list)
    score: str = Field("", description="what the scores are")


class SyncReport(_Frozen):
    """Clock figures of a session."""

    streams: list[StreamSync]
    checks: list[SyncCheck] = Field(default_factory=list, description="evidence beyond what the clocks are aligned by")
    evidence: list[SyncEvidence] = Field(default_factory=list, description="all that was measured between clocks")
    session_start_s: float
    session_end_s: float
    overlap_start_s: float | None = Field(None, description="start of the stretch that all streams cover, if any")
    overlap_end_s: float | None = None


class Provenance(_Frozen):
    """How one step came to its values."""

    step: str
    version: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict, description="file name to SHA-256 of its content")


class ChannelSummary(_Frozen):
    """One channel of one person, in figures."""

    person: str
    channel: str
    valid_share: float = Field(ge=0, le=1, description="share of the grid with any valid feature")
    reasons: dict[str, float] = Field(default_factory=dict, description="share of the grid per reason of invalidity")
    events: dict[str, int] = Field(default_factory=dict)
    quality: dict[str, Any] = Field(default_factory=dict)


class ResultRecord(_Frozen):
    """`result.json`."""

    schema_version: Literal[1] = 1
    telltale_version: str
    session: str
    purpose: str
    people: list[str]
    grid_hz: float
    duration_s: float
    recordings: str = Field("", description="where the session folder lay when it was analysed")
    exit_status: Literal[0, 1]
    channels: list[ChannelSummary]
    problems: list[Problem]
    provenance: list[Provenance]
    caveats: list[str] = Field(description="what the model cannot tell; shown in every report")
