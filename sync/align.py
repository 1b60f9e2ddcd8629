"""From device clocks to the session clock: by statement, by shared events, by LSL, or by assumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from data_schemas.errors import ClockError, NothingUsableError, TelltaleError
from data_schemas.intervals import Interval
from data_schemas.recording import SESSION_CLOCK, Recording, Session
from data_schemas.result import Problem, SyncReport
from data_schemas.session import Clock
from data_schemas.stream import Marks, Signal, Stream
from data_schemas.time import NS_PER_S, Int64Array, to_s
from sync.clock import ClockMap, Segment
from sync.match import Match, match_events
from sync.report import NO_DATA, NO_EVENTS, Alignment, doubts_about, extent_of, report_on

_FAR_NS = 3600 * NS_PER_S
"""A clock that nobody has related and that lies further than this from the others surely has another zero."""


def align(recording: Recording) -> tuple[dict[str, ClockMap], SyncReport, list[Problem]]:
    """Relate every clock of the recording to the session clock, as the manifest says.

    - The reference clock, and clock "session", are the session clock: identity.
    - "offset": session = (1 + drift) * device + offset, as stated.
    - "markers": events that two streams saw are matched (`sync.match.match_events`); chains of clocks are followed to
      the reference. Where that fails - a stream missing, no common event, clocks that wait for each other - the clock
      falls back to its stated offset, with an error.
    - "lsl": readers of XDF give LSL seconds with the clock offsets applied, so all LSL clocks share one time. If the
      reference is an LSL clock that time is session time; else the `offset_s` stated for an LSL clock relates it, and
      without one the earliest sample on LSL clocks becomes session time 0, with a warning if other clocks are there.
    - "assumed": device zero is taken as session zero, or the first sample as the session's first where the device's
      times lie more than an hour from all the rest; with a warning.

    Returns:
        One map per clock that streams are on, by name; the report; what went wrong.
    """
    resolver = _Resolver(recording)
    alignments = resolver.resolve()
    maps = {name: one.map for name, one in alignments.items()}
    mapped = _mapped(recording, maps)
    report = report_on(recording.streams, mapped, alignments, extent_of(mapped.values()))
    return maps, report, _problems(recording, alignments, report)


def synchronize(recording: Recording) -> Session:
    """Every stream on the session clock.

    Raises:
        NothingUsableError: no stream has any data.
    """
    maps, report, problems = align(recording)
    mapped = _mapped(recording, maps)
    extent = extent_of(mapped.values())
    if extent is None:
        raise NothingUsableError(
            "no stream of the session has any data", file=recording.root, mend="See what telltale check says of it."
        )
    return Session(recording.manifest, recording.root, mapped, extent, report, (*recording.problems, *problems))


def _mapped(recording: Recording, maps: Mapping[str, ClockMap]) -> dict[str, Stream]:
    return {name: stream.on(maps[stream.info.clock], SESSION_CLOCK) for name, stream in recording.streams.items()}


def events_of(stream: Stream) -> tuple[Int64Array, list[str] | None]:
    """Times, ns on the stream's clock, at which something happened, and labels where the stream has them.

    Raises:
        ClockError: the stream holds no events, or is of a kind that can hold none.
    """
    import numpy as np

    from sync.pulses import find_pulses

    if isinstance(stream, Marks):
        times, labels = stream.onsets_ns, [row.label for row in stream.rows]
    elif isinstance(stream, Signal):
        times = np.array([pulse.onset_ns for pulse in find_pulses(stream)], dtype=np.int64)
        labels = None
    else:
        raise ClockError(
            "only event tables and pulse signals can align clocks",
            stream=stream.info.name,
            got=stream.info.kind,
            mend='Name a stream of kind "markers", "cues" or "pulse" as own and against.',
        )
    if not len(times):
        raise ClockError(
            "no event to align by was found",
            stream=stream.info.name,
            mend="Look at the signal or table; if it recorded nothing, give the clock's offset_s instead.",
        )
    return times, labels


class _Resolver:
    """Resolves the clocks of one recording, each once, following chains of markers."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.clocks: dict[str, Clock] = dict(recording.manifest.clocks)
        self.found: dict[str, Alignment] = {}
        self.open: list[str] = []

    def resolve(self) -> dict[str, Alignment]:
        """Alignments of all clocks, by name; those that nobody has related come last."""
        names = [SESSION_CLOCK, *self.clocks]
        late = [name for name in names if self._is_unrelated(name)]
        for name in names:
            if name not in late:
                self._alignment(name)
        for name in late:
            self._alignment(name)
        return {name: self.found[name] for name in names}

    def _is_unrelated(self, name: str) -> bool:
        clock = self.clocks.get(name)
        return clock is not None and not clock.reference and clock.align == "assumed"

    def _alignment(self, name: str) -> Alignment:
        if name not in self.found:
            self.open.append(name)
            found = self._align(name)
            self.open.pop()
            self.found.setdefault(name, found)
        return self.found[name]

    def _align(self, name: str) -> Alignment:
        clock = self.clocks.get(name)
        if clock is None:
            return Alignment(ClockMap.affine(), "reference")
        if clock.reference:
            stated = clock.offset_s != 0 or clock.drift_ppm != 0
            doubts = ("its offset_s and drift_ppm are ignored, because it is the reference",) if stated else ()
            return Alignment(ClockMap.affine(), "reference", doubts=doubts)
        if clock.align == "offset":
            return Alignment(ClockMap.affine(clock.offset_s, clock.drift_ppm), "offset")
        if clock.align == "lsl":
            return self._by_lsl(clock)
        if clock.align == "markers":
            return self._by_markers(name, clock)
        return self._assumed(name, clock)

    def _by_lsl(self, clock: Clock) -> Alignment:
        reference = next((one for one in self.clocks.values() if one.reference), None)
        if reference is not None and reference.align == "lsl":
            return Alignment(ClockMap.affine(), "lsl")
        if _states_offset(clock):
            return Alignment(ClockMap.affine(clock.offset_s, clock.drift_ppm), "lsl")
        family = {name: one for name, one in self.clocks.items() if one.align == "lsl"}
        stated = next((one for one in family.values() if _states_offset(one)), None)
        if stated is not None:
            return Alignment(ClockMap.affine(stated.offset_s, stated.drift_ppm), "lsl")
        start = self._first_sample(set(family))
        doubts: tuple[str, ...] = ()
        if any(stream.info.clock not in family for stream in self.recording.streams.values()):
            doubts = (
                "LSL time is not related to the other clocks, its first sample was taken as session time 0: make it "
                "the reference, or give its offset_s",
            )
        return Alignment(ClockMap((Segment(start or 0, start or 0, 0),)), "lsl", doubts=doubts)

    def _by_markers(self, name: str, clock: Clock) -> Alignment:
        own, against = str(clock.own), str(clock.against)
        try:
            target = self._target_of(name, against)
            match = self._match(own, against)
        except TelltaleError as error:
            fallback = self._fallback(name, clock)
            return replace(fallback, failure=f"clock '{name}' could not be aligned by events: {error}")
        doubts = doubts_about(match)
        beyond = self._alignment(target)
        if beyond.failure or beyond.doubts or beyond.method == "assumed":
            doubts = (*doubts, f"it hangs on clock '{target}', which is not sure itself")
        return Alignment(
            match.clock_map.then(beyond.map), "markers", match, doubts=doubts, tolerance_ms=clock.tolerance_ms
        )

    def _target_of(self, name: str, against: str) -> str:
        """The clock of the stream `against`, aligned already or now.

        Raises:
            ClockError: that clock waits, directly or not, for this one.
        """
        streams = {entry.name: entry for entry in self.recording.manifest.streams}
        target = streams[against].clock
        if target in self.open:
            ring = " -> ".join([*self.open[self.open.index(target) :], target])
            raise ClockError(
                f"clocks wait for each other: {ring}",
                stream=against,
                mend="Mark one of them reference = true, or give one an offset_s.",
            )
        self._alignment(target)
        return target

    def _match(self, own: str, against: str) -> Match:
        for name in (own, against):
            if name not in self.recording.streams:
                raise ClockError(
                    "the stream could not be read",
                    stream=name,
                    mend="Mend the stream, or align the clock in another way.",
                )
        own_ns, own_labels = events_of(self.recording.streams[own])
        other_ns, other_labels = events_of(self.recording.streams[against])
        try:
            plain = match_events(own_ns, other_ns)
        except ClockError as error:
            raise ClockError(error.what, stream=own, got=error.got, expected=error.expected, mend=error.mend) from error
        if own_labels is None or other_labels is None or len(set(own_labels) & set(other_labels)) < 2:
            return plain
        try:
            by_label = match_events(own_ns, other_ns, own_labels=own_labels, other_labels=other_labels)
        except ClockError:
            return plain
        return by_label if len(by_label.pairs) >= 0.9 * len(plain.pairs) else plain

    def _fallback(self, name: str, clock: Clock) -> Alignment:
        if _states_offset(clock):
            return Alignment(ClockMap.affine(clock.offset_s, clock.drift_ppm), "offset")
        return self._assumed(name, clock)

    def _assumed(self, name: str, clock: Clock) -> Alignment:
        """Device zero is session zero, unless the device's times then lie far from all the others."""
        if _states_offset(clock):
            return Alignment(
                ClockMap.affine(clock.offset_s, clock.drift_ppm),
                "assumed",
                doubts=('nobody vouches for its offset_s: set align = "offset" if it is right',),
            )
        own = extent_of(stream for stream in self.recording.streams.values() if stream.info.clock == name)
        known = {key: one.map for key, one in self.found.items()}
        rest = extent_of(
            stream.on(known[stream.info.clock], SESSION_CLOCK)
            for stream in self.recording.streams.values()
            if stream.info.clock in known
        )
        others = rest or Interval(0, 1)
        if own is not None and max(own.start_ns - others.end_ns, others.start_ns - own.end_ns) > _FAR_NS:
            first_s = to_s(others.start_ns)
            doubt = f"unknown relation to the session clock: its first sample was taken as {first_s:.3f} s"
            return Alignment(
                ClockMap((Segment(own.start_ns, own.start_ns, others.start_ns),)), "assumed", doubts=(doubt,)
            )
        doubt = "unknown relation to the session clock: device zero was taken as session zero"
        return Alignment(ClockMap.affine(), "assumed", doubts=(doubt,))

    def _first_sample(self, clocks: set[str]) -> int | None:
        starts = [
            span.start_ns
            for stream in self.recording.streams.values()
            if stream.info.clock in clocks and (span := stream.support.extent) is not None
        ]
        return min(starts, default=None)


def _states_offset(clock: Clock) -> bool:
    return bool({"offset_s", "drift_ppm"} & clock.model_fields_set)


def _problems(recording: Recording, alignments: Mapping[str, Alignment], report: SyncReport) -> list[Problem]:
    """One problem for each clock that failed or is in doubt, and for each stream that is empty."""
    problems: list[Problem] = []
    for name, one in alignments.items():
        on_it = [stream for stream, entry in recording.streams.items() if entry.info.clock == name]
        if not on_it:
            continue
        clock = recording.manifest.clocks.get(name)
        stream = clock.own if clock is not None and clock.own is not None else on_it[0]
        listed = ", ".join(on_it)
        if one.failure:
            used = "its stated offset" if one.method == "offset" else "; ".join(one.doubts)
            problems.append(Problem(severity="error", what=f"{one.failure} (used instead: {used})", stream=stream))
        elif one.residual_ms is not None and one.tolerance_ms is not None and one.residual_ms > one.tolerance_ms:
            what = (
                f"clock '{name}' ({listed}): residual {one.residual_ms:.1f} ms exceeds its tolerance of "
                f"{one.tolerance_ms:g} ms. Check the events of '{stream}', or raise tolerance_ms."
            )
            problems.append(Problem(severity="error", what=what, stream=stream))
        elif one.doubts:
            what = f"clock '{name}' ({listed}): {'; '.join(one.doubts)}. State its relation under [clocks.{name}]."
            problems.append(Problem(severity="warning", what=what, stream=stream))
    for row in report.streams:
        if row.why == NO_DATA:
            what = f"stream '{row.stream}' holds no data. Check the file, or set the stream's kind to ignore."
            problems.append(Problem(severity="error", what=what, stream=row.stream))
        elif row.why == NO_EVENTS:
            problems.append(Problem(severity="note", what=f"table '{row.stream}' holds no event", stream=row.stream))
    return problems
