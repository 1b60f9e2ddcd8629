"""What heart, skin, breath and finger do after a cue, each against the person's own baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import Encoding, Track
from data_schemas.time import NS_PER_S, Int64Array

SCR_LATENCY_S = (1.0, 5.0)
"""A skin conductance response belongs to a cue if its onset lies in this window after it (Boucsein et al. 2012)."""
BASELINE_S, HEART_S = 3.0, 15
LINE_S, PULSE_S = 10.0, (3.0, 10.0)
_LEAST_SHARE = 0.7
_Z = ("scr_amplitude_us", "heart_rate_change_bpm", "line_length_ratio", "pulse_amplitude_ratio")


def with_reactions(encoding: Encoding, cues: Sequence[Event]) -> Encoding:
    """The encoding with one `reaction` event per cue, in order of onset; earlier reactions are replaced.

    Args:
        encoding: Of the physiology encoder.
        cues: What the person met (questions, items, stimuli), on the same clock. Only onset and label are read.
    """
    others = [event for event in encoding.events if event.kind != "reaction"]
    events = (*others, *reactions(encoding, cues))
    return replace(encoding, events=tuple(sorted(events, key=lambda event: event.onset_ns)))


def reactions(encoding: Encoding, cues: Sequence[Event]) -> list[Event]:
    """One `reaction` event per cue, from the cue to 15 s after it.

    Its details, None where too little is valid (less than 70 % of a window):
        heart_rate_baseline_bpm: mean of the 3 s before.
        heart_rate_change_bpm: mean of the 15 s after less the baseline: the deceleration after a concealed item
            (Gamer et al. 2008, Psychophysiology 45:1006).
        heart_rate_lowest_bpm, heart_rate_lowest_s: least second-by-second change in the 10 s after, and when.
        heart_rate_course_bpm: change in each of the 15 seconds.
        scr_amplitude_us: of the largest skin conductance response that begins 1 to 5 s after; 0 where there is none.
        scr_latency_s, scr_rise_time_s, scr_recovery_time_s: of that response.
        line_length_ratio: respiration line length of the 10 s after over that of the 10 s before.
        pulse_amplitude_ratio: height of the pulse wave 3 to 10 s after over that of the 3 s before.
        ..._z: `scr_amplitude_us`, `heart_rate_change_bpm`, `line_length_ratio` and `pulse_amplitude_ratio` against the
            mean and standard deviation of the person's own reactions (Ben-Shakhar 1985, Psychophysiology 22:292); from
            three of them on.
        next_cue_s: time to the next cue; windows that reach beyond it contain what that one did.

    `score` is the amplitude of the skin conductance response.
    """
    if not cues:
        return []
    ordered = sorted(cues, key=lambda cue: cue.onset_ns)
    onsets = np.array([cue.onset_ns for cue in ordered], dtype=np.int64)
    responses = [event for event in encoding.events if event.kind == "scr"]
    rows = [_respond(encoding.track, responses, int(onset)) for onset in onsets]
    for name in _Z:
        _standardise(rows, name)
    found = []
    for at, (cue, details) in enumerate(zip(ordered, rows, strict=True)):
        details["next_cue_s"] = round((onsets[at + 1] - onsets[at]) / NS_PER_S, 3) if at + 1 < len(onsets) else None
        end = cue.onset_ns + HEART_S * NS_PER_S
        score = details["scr_amplitude_us"]
        found.append(
            Event("physiology", "reaction", cue.onset_ns, end, None, encoding.person, score, cue.label, details)
        )
    return found


def _respond(track: Track, responses: Sequence[Event], onset_ns: int) -> dict[str, Any]:
    return {
        **_heart(track, onset_ns),
        **_skin(track, responses, onset_ns),
        "line_length_ratio": _ratio(
            _mean(track, "respiration_line_length", onset_ns, LINE_S, LINE_S + 0.2),
            _mean(track, "respiration_line_length", onset_ns, -0.1, 0.1),
        ),
        "pulse_amplitude_ratio": _ratio(
            _mean(track, "pulse_amplitude", onset_ns, *PULSE_S),
            _mean(track, "pulse_amplitude", onset_ns, -BASELINE_S, 0),
        ),
    }


def _heart(track: Track, onset_ns: int) -> dict[str, Any]:
    base = _mean(track, "heart_rate_bpm", onset_ns, -BASELINE_S, 0)
    course = [_mean(track, "heart_rate_bpm", onset_ns, second, second + 1) for second in range(HEART_S)]
    change = [None if base is None or one is None else round(one - base, 3) for one in course]
    known = [one for one in change if one is not None]
    early = [(one, second) for second, one in enumerate(change[:10]) if one is not None]
    lowest = min(early) if len(early) >= _LEAST_SHARE * 10 else None
    return {
        "heart_rate_baseline_bpm": None if base is None else round(base, 3),
        "heart_rate_change_bpm": round(float(np.mean(known)), 3) if len(known) >= _LEAST_SHARE * HEART_S else None,
        "heart_rate_lowest_bpm": None if lowest is None else lowest[0],
        "heart_rate_lowest_s": None if lowest is None else lowest[1] + 0.5,
        "heart_rate_course_bpm": change,
    }


def _skin(track: Track, responses: Sequence[Event], onset_ns: int) -> dict[str, Any]:
    first, last = (onset_ns + round(bound * NS_PER_S) for bound in SCR_LATENCY_S)
    within = [event for event in responses if first <= event.onset_ns <= last]
    nothing: dict[str, Any] = dict.fromkeys(("scr_latency_s", "scr_rise_time_s", "scr_recovery_time_s"))
    if within:
        largest = max(within, key=lambda event: event.score or 0.0)
        return {
            "scr_amplitude_us": largest.score,
            "scr_latency_s": round((largest.onset_ns - onset_ns) / NS_PER_S, 3),
            "scr_rise_time_s": largest.details.get("rise_time_s"),
            "scr_recovery_time_s": largest.details.get("recovery_time_s"),
        }
    seen = _mean(track, "eda_phasic_us", onset_ns, *SCR_LATENCY_S) is not None
    return {"scr_amplitude_us": 0.0 if seen else None, **nothing}


def _mean(track: Track, name: str, onset_ns: int, from_s: float, to_s: float) -> float | None:
    """Mean over a window relative to the cue; None where less than 70 % of it is valid."""
    times: Int64Array = track.times_ns
    values: NDArray[np.float32]
    values, valid = track.column(name)
    bounds = [onset_ns + round(one * NS_PER_S) for one in (from_s, to_s)]
    first, stop = np.searchsorted(times, bounds).tolist()
    if bounds[0] < times[0] - NS_PER_S // 10 or bounds[1] > times[-1] + NS_PER_S // 5 or stop <= first:
        return None
    here = valid[first:stop]
    if here.mean() < _LEAST_SHARE:
        return None
    return float(values[first:stop][here].astype(np.float64).mean())


def _ratio(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None or before <= 1e-6 else round(after / before, 4)


def _standardise(rows: list[dict[str, Any]], name: str) -> None:
    known = np.array([row[name] for row in rows if row[name] is not None], dtype=np.float64)
    sd = float(known.std(ddof=1)) if len(known) >= 3 else 0.0
    for row in rows:
        usable = row[name] is not None and sd > 1e-9
        row[f"{name}_z"] = round((row[name] - float(known.mean())) / sd, 3) if usable else None
