"""Blinks and gaze around events: fewer blinks while it is hard to answer, more afterwards; where the eyes go.

Liars blink less while they lie and more just after (Leal & Vrij 2008, Journal of Nonverbal Behavior 32), and the
latencies of blinks after an item tell of concealed knowledge (Leal & Vrij 2010, Legal and Criminological Psychology
15). Rates are compared with the person's own: the deviation of a count from what the own rate predicts, in its own
standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import Track
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, Explicit, Int64Array, to_s

BEFORE_S, AFTER_S = 3.0, 3.0
INSTANT_S = 3.0
"""What counts as "during" for a cue without a duration."""
AVERTED_DEG = 10.0
"""Eyes turned further than this from where they mostly look are averted."""
LEAST_SEEN_S = 0.5
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class EyeResponse:
    """Eyes around one cue.

    Attributes:
        onset_s: When the cue began, session clock, seconds.
        offset_s: When it ended (`INSTANT_S` after the onset for an instant).
        kind: Of the cue ("question", "stimulus", ...).
        label: Of the cue.
        blink_rate_before: Blinks per minute in `BEFORE_S` before; None where the eyes were not seen, as all others.
        blink_rate_during: Likewise while it lasted.
        blink_rate_after: Likewise in `AFTER_S` after.
        blink_z_during: Deviation of the blinks during the cue from the own rate; below 0 is suppression.
        blink_z_after: Likewise after it; above 0 is the rebound.
        blink_latency_s: From onset to the first blink.
        shifts_during: Gaze shifts per minute during the cue.
        averted_during: Share of the time during which the eyes are turned away by more than `AVERTED_DEG`, 0..1.
        spread_during_deg: Standard distance of the gaze from its mean, degrees.
        seen: Share of the time from before to after in which the eyes were seen, 0..1.
    """

    onset_s: float
    offset_s: float
    kind: str
    label: str
    blink_rate_before: float | None
    blink_rate_during: float | None
    blink_rate_after: float | None
    blink_z_during: float | None
    blink_z_after: float | None
    blink_latency_s: float | None
    shifts_during: float | None
    averted_during: float | None
    spread_during_deg: float | None
    seen: float

    def as_row(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)


def eyes_around(
    cues: Sequence[Event],
    eye_events: Sequence[Event],
    track: Track,
    baseline: IntervalSet | None = None,
    kinds: Sequence[str] = ("question", "answer", "stimulus"),
) -> list[EyeResponse]:
    """Blinks and gaze of one person around each cue.

    Args:
        cues: Events of the context encoder.
        eye_events: Events "blink" and "gaze_shift" of the face encoder or of an eye tracker.
        track: Columns "gaze_yaw_deg" and "gaze_pitch_deg", or an eye tracker's "gaze_x_deg" and "gaze_y_deg"; without
            them only blinks are told, over the times at which any column of the track is valid.
        baseline: Where the own blink rate is taken from; by default all of the seen time.
        kinds: Kinds of cues to look at.

    Returns:
        One entry per cue, in order of onset.
    """
    yaw, pitch, gazed = _gaze(track)
    seen = (
        IntervalSet.of_mask(Explicit(track.times_ns), np.asarray(track.valid.any(axis=1)))
        if len(track.times_ns)
        else IntervalSet()
    )
    blinks = np.array(sorted(e.onset_ns for e in eye_events if e.kind == "blink"), dtype=np.int64)
    shifts = np.array(sorted(e.onset_ns for e in eye_events if e.kind == "gaze_shift"), dtype=np.int64)
    rest = seen if baseline is None else seen & baseline
    if rest.total_ns < 20 * NS_PER_S:
        rest = seen
    own_rate = float(rest.contains(blinks).sum()) / max(to_s(rest.total_ns), 1e-9)
    out = []
    for cue in sorted(cues, key=lambda one: one.onset_ns):
        kind = str(cue.details.get("kind", cue.label))
        if cue.kind != "cue" or kind not in kinds:
            continue
        start, end = cue.onset_ns, cue.offset_ns
        if end - start < NS_PER_S // 10:
            end = start + round(INSTANT_S * NS_PER_S)
        spans = [(start - round(BEFORE_S * NS_PER_S), start), (start, end), (end, end + round(AFTER_S * NS_PER_S))]
        watched = [seen & IntervalSet([span]) for span in spans]
        told = [_counted(blinks, one) for one in watched]
        inside = (track.times_ns >= start) & (track.times_ns < end) & gazed
        late = blinks[(blinks >= start) & (blinks < spans[2][1])]
        out.append(
            EyeResponse(
                onset_s=to_s(start),
                offset_s=to_s(end),
                kind=kind,
                label=cue.label,
                blink_rate_before=_rate(told[0]),
                blink_rate_during=_rate(told[1]),
                blink_rate_after=_rate(told[2]),
                blink_z_during=_deviation(told[1], own_rate),
                blink_z_after=_deviation(told[2], own_rate),
                blink_latency_s=to_s(int(late[0]) - start) if len(late) else None,
                shifts_during=_rate(_counted(shifts, watched[1])),
                averted_during=_averted(yaw[inside], pitch[inside]),
                spread_during_deg=_spread(yaw[inside], pitch[inside]),
                seen=sum(one.total_ns for one in watched) / (spans[2][1] - spans[0][0]),
            )
        )
    return out


def _gaze(track: Track) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    for names in (("gaze_yaw_deg", "gaze_pitch_deg"), ("gaze_x_deg", "gaze_y_deg")):
        if set(names) <= set(track.names):
            (yaw, there), (pitch, here) = (track.column(name) for name in names)
            return yaw, pitch, there & here
    n = len(track.times_ns)
    return np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, bool)


def _counted(onsets: Int64Array, watched: IntervalSet) -> tuple[int, float] | None:
    """Number of onsets and seconds watched; None where too little was seen."""
    seconds = to_s(watched.total_ns)
    return (int(watched.contains(onsets).sum()), seconds) if seconds >= LEAST_SEEN_S else None


def _rate(told: tuple[int, float] | None) -> float | None:
    return None if told is None else _MINUTE * told[0] / told[1]


def _deviation(told: tuple[int, float] | None, own_rate: float) -> float | None:
    """By the square-root transform of Anscombe (1948), which makes counts of any mean about normal."""
    if told is None or own_rate <= 0:
        return None
    return float(2 * (np.sqrt(told[0] + 3 / 8) - np.sqrt(own_rate * told[1] + 3 / 8)))


def _averted(yaw: NDArray[np.float32], pitch: NDArray[np.float32]) -> float | None:
    return float((np.hypot(yaw, pitch) > AVERTED_DEG).mean()) if len(yaw) else None


def _spread(yaw: NDArray[np.float32], pitch: NDArray[np.float32]) -> float | None:
    return float(np.sqrt(yaw.var() + pitch.var())) if len(yaw) > 1 else None
