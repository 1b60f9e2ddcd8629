"""The context encoder: what was asked, shown and set up, as columns over time and as exact events."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.stream import Mark, Marks
from data_schemas.time import NS_PER_S, Int64Array, to_ns, to_s
from modalities.base import Task
from modalities.context.cues import EMOTIONS, condition_of, expected_of, kind_of, person_of, stakes_of

GRID_HZ = 10
PRESENCE_S = 1.0
"""How long an instant counts as present in the 0/1 columns; its event stays an instant."""
_INSTANT_NS = 1_000_000
_KINDS = ("question", "stimulus", "baseline", "answer")

_SPEC = EncoderSpec(
    name="context",
    version="2",
    channel="context",
    inputs=("cues", "markers"),
    features=(
        FeatureSpec("question", "1", "1 while a question is asked (1 s for an instant)", 0, 1, "nearest"),
        FeatureSpec("stimulus", "1", "1 while a stimulus is on (1 s for an instant)", 0, 1, "nearest"),
        FeatureSpec("baseline", "1", "1 within a baseline interval", 0, 1, "nearest"),
        FeatureSpec("condition_code", "1", "condition, numbered from 1 as they first appear", 1, None, "nearest"),
        *(
            FeatureSpec(f"expected_{e}", "1", f"1 while a cue meant to evoke {e} emotion is on", 0, 1, "nearest")
            for e in EMOTIONS
        ),
        FeatureSpec("since_question_s", "s", "time since the last question began", 0, None, "nearest"),
        FeatureSpec("since_stimulus_s", "s", "time since the last stimulus began", 0, None, "nearest"),
        FeatureSpec("answer", "1", "1 while an answer is given (1 s for an instant)", 0, 1, "nearest"),
        FeatureSpec("since_answer_s", "s", "time since the last answer began", 0, None, "nearest"),
        FeatureSpec(
            "stakes",
            "1",
            "what is at stake, by the last cue that says so: its number, or low 1, medium 2, high 3",
            None,
            None,
            "nearest",
        ),
    ),
    event_kinds=("cue",),
    max_gap_s=0.5,
)


@dataclass(frozen=True, slots=True)
class _Cue:
    """One row that concerns the person, on the session clock; `end_ns` is the onset for an instant."""

    onset_ns: int
    end_ns: int
    kind: str
    row: Mark
    stream: str


class ContextEncoder:
    """Turns cue tables and markers into 0/1 columns, condition codes and times since the last question or stimulus.

    The columns lie on a regular 10 Hz grid over the extent, at multiples of 0.1 s; the exact times are in the events,
    one of kind "cue" for each row. A row that names another person does not apply. An instant counts as present for
    `presence_s` (setting; 1 s by default) in the 0/1 columns, and its event is 1 ms long. A condition without an end
    lasts until the next one. Where no cue says anything the 0/1 columns are 0 and the others are invalid.
    """

    spec: EncoderSpec = _SPEC

    def encode(self, task: Task) -> Encoding:
        """Encode the cues of one person.

        Raises:
            InvalidValueError: the setting `presence_s` is no positive number.
        """
        presence_s = task.settings.get("presence_s", PRESENCE_S)
        if not isinstance(presence_s, int | float) or not presence_s > 0:
            raise InvalidValueError("context.presence_s must be a number of seconds above 0", got=presence_s)
        tables = [stream for stream in task.streams.values() if isinstance(stream, Marks)]
        cues = sorted(_cues_for(task.person, tables), key=lambda cue: (cue.onset_ns, cue.end_ns))
        times = _ticks(task.extent)
        columns = _columns(cues, times, to_ns(presence_s), task.extent)
        values = np.stack([columns[name][0] for name in self.spec.feature_names], axis=1).astype(np.float32)
        valid = np.stack([columns[name][1] for name in self.spec.feature_names], axis=1)
        reason = np.where(valid.any(axis=1), "", "gap").astype(object)
        outside = [cue for cue in cues if not task.extent.start_ns <= cue.onset_ns < task.extent.end_ns]
        warnings = []
        if outside:
            warnings.append(
                f"{len(outside)} of {len(cues)} cues lie outside the recording {task.extent} (the first at "
                f"{to_s(outside[0].onset_ns):.3f} s): check the clock of stream '{outside[0].stream}'."
            )
        return Encoding(
            spec=self.spec,
            person=task.person,
            track=Track(times, self.spec.feature_names, values, valid, reason),
            events=tuple(_event(cue, task.person) for cue in cues),
            quality=_summary(cues),
            streams=tuple(stream.info.name for stream in tables),
            parameters={"grid_hz": GRID_HZ, "presence_s": float(presence_s)},
            warnings=tuple(warnings),
        )


def _cues_for(person: str, tables: list[Marks]) -> Iterator[_Cue]:
    for table in tables:
        for when, row in table.spans():
            concerned = person_of(row)
            if concerned is not None and concerned.lower() != person.lower():
                continue
            start, end = (when.start_ns, when.end_ns) if isinstance(when, Interval) else (when, when)
            yield _Cue(start, end, kind_of(row), row, table.info.name)


def _ticks(extent: Interval) -> Int64Array:
    period = NS_PER_S // GRID_HZ
    return np.arange(-(-extent.start_ns // period), -(-extent.end_ns // period), dtype=np.int64) * period


def _columns(
    cues: list[_Cue], times: Int64Array, presence_ns: int, extent: Interval
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Values and validity of every feature by name, each shape (n,)."""

    def present(chosen: list[_Cue]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        spans = IntervalSet((cue.onset_ns, max(cue.end_ns, _end(cue, presence_ns))) for cue in chosen)
        return spans.contains(times).astype(np.float64), np.ones(len(times), dtype=bool)

    def since(kind: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        onsets = np.array([cue.onset_ns for cue in cues if cue.kind == kind], dtype=np.int64)
        at = np.searchsorted(onsets, times, side="right") - 1
        known = at >= 0
        last = onsets[np.clip(at, 0, None)] if len(onsets) else times
        return np.where(known, to_s(times - last), 0.0), known

    out = {kind: present([cue for cue in cues if cue.kind == kind]) for kind in _KINDS}
    out["condition_code"] = _conditions(cues, times, extent)
    for emotion in EMOTIONS:
        out[f"expected_{emotion}"] = present([cue for cue in cues if expected_of(cue.row) == emotion])
    out["since_question_s"] = since("question")
    out["since_stimulus_s"] = since("stimulus")
    out["since_answer_s"] = since("answer")
    out["stakes"] = _stakes(cues, times)
    return out


def _end(cue: _Cue, presence_ns: int) -> int:
    return cue.end_ns if cue.end_ns > cue.onset_ns else cue.onset_ns + presence_ns


def _conditions(cues: list[_Cue], times: Int64Array, extent: Interval) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Code of the condition at each time: of the last one that began and has not ended."""
    stated = [(cue, name) for cue in cues if (name := condition_of(cue.row)) is not None]
    codes: dict[str, int] = {}
    values, known = np.zeros(len(times)), np.zeros(len(times), dtype=bool)
    for which, (cue, name) in enumerate(stated):
        code = codes.setdefault(name, len(codes) + 1)
        end = cue.end_ns
        if end <= cue.onset_ns:
            end = next((later.onset_ns for later, _ in stated[which + 1 :]), max(extent.end_ns, cue.onset_ns + 1))
        inside = (times >= cue.onset_ns) & (times < end)
        values[inside], known[inside] = code, True
    return values, known


def _stakes(cues: list[_Cue], times: Int64Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Stakes at each time: of the last cue that states any, until another one does."""
    values, known = np.zeros(len(times)), np.zeros(len(times), dtype=bool)
    for cue in cues:
        stated = stakes_of(cue.row)
        if stated is not None:
            after = times >= cue.onset_ns
            values[after], known[after] = stated, True
    return values, known


def _event(cue: _Cue, person: str) -> Event:
    details = {"kind": cue.kind, "stream": cue.stream}
    details.update({str(name): _plain(value) for name, value in cue.row.columns.items() if str(name) != "kind"})
    if "kind" in cue.row.columns and str(cue.row.columns["kind"]) != cue.kind:
        details["stated_kind"] = _plain(cue.row.columns["kind"])
    return Event(
        channel="context",
        kind="cue",
        onset_ns=cue.onset_ns,
        offset_ns=max(cue.end_ns, cue.onset_ns + _INSTANT_NS),
        person=person,
        label=cue.row.label or cue.kind,
        details=details,
    )


def _plain(value: Any) -> Any:
    """The value as JSON can hold it; None for what is not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


def _summary(cues: list[_Cue]) -> dict[str, Any]:
    counts = {kind: sum(cue.kind == kind for cue in cues) for kind in sorted({cue.kind for cue in cues})}
    names = [name for cue in cues if (name := condition_of(cue.row)) is not None]
    return {"cues": len(cues), "by_kind": counts, "conditions": list(dict.fromkeys(names))}
