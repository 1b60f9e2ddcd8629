"""The lag between two files, without a manifest: what they share, how it is compared, and what the answer means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from data_schemas.errors import ClockError, InvalidValueError, MissingTrackError, NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Stream
from data_schemas.time import to_s
from pipeline.complaints import explain
from sync.estimate import Estimate, Evidence

if TYPE_CHECKING:
    from modalities.readers import FileInfo, TrackInfo

METHODS = ("sound", "motion", "events")
SURE = 0.8
"""An answer of this confidence ends the search for another."""
LOW = 0.5
"""An answer below this confidence is none."""
_SIGNALS = ("acceleration", "ecg", "ppg", "respiration", "eda", "temperature")
_EVENTS = ("pulse", "markers", "cues")
_CREDIBLE_PPM = 500.0
"""Clocks that differ by more have lost samples or state a wrong rate: their line is not continued."""
_MEASURED_PPM = 150.0
"""A drift less certain than this is not continued either."""
_UNKNOWN_PPM = 200.0
"""How far, in 95 of 100 cases, clocks drift of which nothing is known."""
_HEADER_S, _COARSE_HEADER_S = 0.1, 1.5


@dataclass(frozen=True, eq=False)
class PairLag:
    """How two files lie to each other.

    Attributes:
        lag_s: B's start lies this long after A's start, on A's clock; None where nothing common was found.
        ci95_s: Its 95 % interval, (low, high), seconds; None without a lag.
        drift_ppm: How much faster A's clock counts than B's, parts per million; None where it was not measured.
        confidence: 0..1, chance that the lag is the right one.
        method: "sound", "motion" or "events".
        warnings: What makes it less than sure, and where the files' headers disagree.
        estimate: The measurement, B on A's clock; None without a lag.
    """

    lag_s: float | None
    ci95_s: tuple[float, float] | None
    drift_ppm: float | None
    confidence: float
    method: str
    warnings: tuple[str, ...]
    estimate: Estimate | None = None

    def as_dict(self) -> dict[str, Any]:
        """What `telltale sync pair --json` prints."""
        return {
            "lag_s": None if self.lag_s is None else round(self.lag_s, 6) + 0.0,
            "ci95_s": None if self.ci95_s is None else [round(one, 6) for one in self.ci95_s],
            "drift_ppm": None if self.drift_ppm is None else round(self.drift_ppm, 2),
            "confidence": round(self.confidence, 3),
            "method": self.method,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class _Way:
    """One thing that both files hold: how it is compared, and its track, kind and columns in either file."""

    method: str
    kinds: tuple[str, str]
    tracks: tuple[TrackInfo, TrackInfo]
    columns: tuple[tuple[str, ...], tuple[str, ...]]


def measure_pair(
    a: Path,
    b: Path,
    *,
    method: str | None = None,
    columns: tuple[Sequence[str], Sequence[str]] = ((), ()),
    rate_hz: float | None = None,
    hook: Hook = silent,
) -> PairLag:
    """Measure how two files lie to each other by what both recorded.

    Without a method, what the files share is tried in this order until an answer is sure: sound, acceleration, events,
    then signals of another kind or name; else the answer of the highest confidence is given.

    Args:
        a: A sound, video or signal file, or a table of events.
        b: Another.
        method: "sound", "motion" or "events".
        columns: Columns (signals) or channels (sound) of A and of B to compare; empty for those that fit.
        rate_hz: Sampling rate where a file states none.
        hook: Progress.

    Raises:
        NothingUsableError: the files share nothing that can be compared.
        TelltaleError: a file cannot be read, or the call is wrong.
    """
    from modalities.readers import probe

    if method is not None and method not in METHODS:
        raise InvalidValueError(f"no method '{method}'", expected=f"one of {', '.join(METHODS)}")
    paths = (Path(a), Path(b))
    infos = (probe(paths[0]), probe(paths[1]))
    ways = [way for way in _ways(infos, columns) if method in (None, way.method)]
    if not ways:
        raise _nothing(infos, method)
    answers: list[PairLag] = []
    refusals: list[TelltaleError] = []
    for number, way in enumerate(ways):
        hook("compare", number, len(ways))
        try:
            answers.append(_measure(way, paths, infos, rate_hz))
        except ClockError as error:
            refusals.append(error)
        if answers and answers[-1].confidence >= SURE:
            break
    hook("compare", len(ways), len(ways))
    if not answers:
        raise refusals[0]
    return max(answers, key=lambda one: one.confidence)


def _ways(infos: tuple[FileInfo, FileInfo], columns: tuple[Sequence[str], Sequence[str]]) -> Iterator[_Way]:
    """What both files hold, the most telling first."""
    if columns[0] or columns[1]:
        yield from _named(infos, (tuple(columns[0]), tuple(columns[1] or columns[0])))
        return
    none: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    sounds = [_first(info, ("audio",)) for info in infos]
    if sounds[0] and sounds[1]:
        yield _Way("sound", ("audio", "audio"), (sounds[0], sounds[1]), none)
    yield from _common_kind(infos, _SIGNALS[:1])
    events = [_first(info, _EVENTS) for info in infos]
    if events[0] and events[1]:
        kinds = (str(events[0].kind), str(events[1].kind))
        yield _Way("events", kinds, (events[0], events[1]), none)
    yield from _common_kind(infos, _SIGNALS[1:])
    for track in infos[0].tracks:
        for other in infos[1].tracks:
            names = tuple(name for name in track.columns if name in other.columns)
            if names and track.kind is None and other.kind is None and track.rate_hz and other.rate_hz:
                yield _Way("motion", (_SIGNALS[0], _SIGNALS[0]), (track, other), (names, names))


def _common_kind(infos: tuple[FileInfo, FileInfo], kinds: Sequence[str]) -> Iterator[_Way]:
    for kind in kinds:
        one, other = _first(infos[0], (kind,)), _first(infos[1], (kind,))
        if one and other:
            yield _Way("motion", (kind, kind), (one, other), (one.columns, other.columns))


def _first(info: FileInfo, kinds: Sequence[str]) -> TrackInfo | None:
    return next((track for kind in kinds for track in info.tracks if track.kind == kind), None)


def _named(infos: tuple[FileInfo, FileInfo], columns: tuple[tuple[str, ...], tuple[str, ...]]) -> Iterator[_Way]:
    """The columns that the user named, as sound, signals or events.

    Raises:
        MissingTrackError: a file has no such column.
    """
    tracks = []
    spelled = []
    for info, names in zip(infos, columns, strict=True):
        track = next((one for one in info.tracks if _spelling(one, names) is not None), None)
        if track is None:
            there = [name for one in info.tracks for name in one.columns]
            raise MissingTrackError(
                f"no track holds {', '.join(names)}",
                file=info.path,
                expected=f"columns out of {', '.join(there)}" if there else "a file with columns",
                mend="Name A's columns and B's as --columns x,y,z/X,Y,Z.",
            )
        tracks.append(track)
        spelled.append(_spelling(track, names) or ())
    pair = (tracks[0], tracks[1])
    both = (spelled[0], spelled[1])
    kinds = {track.kind for track in tracks}
    if kinds == {"audio"}:
        yield _Way("sound", ("audio", "audio"), pair, both)
        return
    guessed = tuple(str(one.kind) if one.kind in _SIGNALS else _SIGNALS[0] for one in tracks)
    if kinds <= {"pulse"}:
        yield _Way("events", ("pulse", "pulse"), pair, both)
    yield _Way("motion", (guessed[0], guessed[1]), pair, both)
    if not kinds <= {"pulse"}:
        yield _Way("events", ("pulse", "pulse"), pair, both)


def _spelling(track: TrackInfo, names: Sequence[str]) -> tuple[str, ...] | None:
    """The names as the track has them, whatever the case; None if it lacks one."""
    lower = {name.lower(): name for name in track.columns}
    found = [name if name in track.columns else lower.get(name.lower()) for name in names]
    return None if None in found else tuple(str(name) for name in found)


def _measure(way: _Way, paths: tuple[Path, Path], infos: tuple[FileInfo, FileInfo], rate_hz: float | None) -> PairLag:
    from sync.cues.lag import NothingSharedError

    streams = [_open(way, at, paths[at], rate_hz) for at in (0, 1)]
    said = [f"{paths[at].name}: {note}" for at in (0, 1) for note in streams[at].info.notes]
    notes = tuple(dict.fromkeys(said))
    try:
        estimate = _evidence(way.method)().compare(streams[1], streams[0])
    except NothingSharedError as error:
        error.file, error.stream = None, None
        return PairLag(None, None, None, 0.0, way.method, (str(error), *notes))
    except ClockError as error:
        error.file = str(paths["ab".index(error.stream)]) if error.stream in ("a", "b") else None
        error.stream = None
        raise
    starts = (_start_s(infos[0], streams[0]), _start_s(infos[1], streams[1]))
    lag, half, doubts = _lag_of(estimate, starts)
    warnings = (*estimate.warnings, *doubts, *_headers(infos, streams, starts, lag, half), *notes)
    drift = estimate.drift_ppm if estimate.drift_ci95_ppm is not None or way.method == "events" else None
    interval = (lag - half, lag + half)
    return PairLag(lag, interval, drift, estimate.confidence, way.method, warnings, estimate)


def _evidence(method: str) -> Callable[[], Evidence]:
    from sync.cues.events import EventEvidence
    from sync.cues.motion import MotionEvidence
    from sync.cues.sound import SoundEvidence

    return {"sound": SoundEvidence, "motion": MotionEvidence, "events": EventEvidence}[method]


def _open(way: _Way, at: int, path: Path, rate_hz: float | None) -> Stream:
    from modalities.readers import open_stream

    track = way.tracks[at]
    if way.kinds[at] not in ("audio", "markers", "cues") and track.rate_hz is None and rate_hz is None:
        raise InvalidValueError("nothing states the sampling rate", file=path, mend="Give it with --rate HZ.")
    values = {
        "name": "ab"[at],
        "kind": way.kinds[at],
        "file": path.name,
        "track": track.track,
        "columns": list(way.columns[at]) or None,
        "rate_hz": rate_hz if track.rate_hz is None else None,
        "time_column": track.time_column,
    }
    try:
        entry = StreamEntry.model_validate(values)
    except ValidationError as error:
        raise InvalidValueError(explain(error, StreamEntry), file=path) from error
    return open_stream(entry, path.parent, None)


def _start_s(info: FileInfo, stream: Stream) -> float:
    """When the file begins on its own clock: its first sample, or the zero of a table of events."""
    if isinstance(stream, Marks):
        return 0.0
    if info.format == "xdf":
        return to_s(stream.axis.start_ns)
    return min([to_s(stream.axis.start_ns), *(track.start_s for track in info.tracks if track.kind not in _EVENTS[1:])])


def _lag_of(estimate: Estimate, starts: tuple[float, float]) -> tuple[float, float, tuple[str, ...]]:
    """Lag of B's start behind A's, half its 95 % interval, and what has to be said about it."""
    anchor = to_s(estimate.anchor_ns)
    away = starts[1] - anchor
    drift, unsure = estimate.drift_ppm, estimate.drift_ci95_ppm
    if unsure is None:
        unsure = 0.0 if drift else _UNKNOWN_PPM
    lag = estimate.offset_s + starts[1] - starts[0]
    if abs(drift) <= _CREDIBLE_PPM and unsure <= _MEASURED_PPM:
        return lag + drift * 1e-6 * away, float(np.hypot(estimate.ci95_s, unsure * 1e-6 * away)), ()
    half = float(np.hypot(estimate.ci95_s, (abs(drift) + unsure) * 1e-6 * away))
    if not drift:
        return lag, half, ()
    said = (
        f"the clocks seem to drift apart by {drift:+.0f} +- {unsure:.0f} ppm, too much or too uncertain to be "
        f"continued to the start of B: the lag is that at {anchor:.1f} s of B, the middle of what both recorded"
    )
    return lag, half, (said,)


def _headers(
    infos: tuple[FileInfo, FileInfo],
    streams: Sequence[Stream],
    starts: tuple[float, float],
    lag_s: float,
    half_s: float,
) -> tuple[str, ...]:
    """A warning where the wall clocks of the headers say another lag."""
    walls = [stream.info.wall_start or info.wall_start for stream, info in zip(streams, infos, strict=True)]
    if walls[0] is None or walls[1] is None or (walls[0].tzinfo is None) != (walls[1].tzinfo is None):
        return ()
    stated = (walls[1] - walls[0]).total_seconds() + starts[1] - starts[0]
    bound = _HEADER_S if all(wall and wall.microsecond for wall in walls) else _COARSE_HEADER_S
    if abs(stated - lag_s) <= bound + half_s:
        return ()
    return (
        f"the wall clocks in the headers disagree with what was recorded by {abs(stated - lag_s):.3f} s: by them B "
        f"would start {stated:+.3f} s after A, measured {lag_s:+.3f} s",
    )


def _nothing(infos: tuple[FileInfo, FileInfo], method: str | None) -> NothingUsableError:
    seen = [
        f"{info.path.name}: "
        + ("; ".join(f"{one.kind or 'unknown'} {'/'.join(one.columns)}".strip() for one in info.tracks) or "nothing")
        for info in infos
    ]
    by = f" by {method}" if method else ""
    return NothingUsableError(
        f"the files share nothing that can be compared{by}",
        got=" | ".join(seen),
        expected="sound, signals of one kind, or events in both",
        mend="Name the columns that show the same, A's and then B's: --columns x,y,z/X,Y,Z.",
    )
