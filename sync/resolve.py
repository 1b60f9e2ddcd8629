"""How each clock comes to the session clock: by statement, by evidence that it shares, by LSL, or by assumption."""

from __future__ import annotations

from dataclasses import replace

from data_schemas.causes import lies_in_machine
from data_schemas.errors import ClockError, TelltaleError
from data_schemas.intervals import Interval
from data_schemas.recording import SESSION_CLOCK, Recording
from data_schemas.session import CUE_NAMES, Clock, EvidenceEntry
from data_schemas.time import NS_PER_S, to_s
from sync.clock import ClockMap, Segment
from sync.evidence import compare
from sync.report import Alignment, doubts_of, extent_of
from sync.solve import Link

_FAR_NS = 3600 * NS_PER_S
"""A clock that nobody has related and that lies further than this from the others surely has another zero."""


class Resolver:
    """Resolves the clocks of one recording, each once, following chains of evidence to the reference.

    Attributes:
        links: Evidence that was used, as edges between clocks.
        spare: Entries of the manifest's evidence that no clock needed.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.spare: list[EvidenceEntry] = list(recording.manifest.evidence)
        self.clocks: dict[str, Clock] = dict(recording.manifest.clocks)
        self.found: dict[str, Alignment] = {}
        self.open: list[str] = []
        self.links: list[Link] = []

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
        if clock.align == "pairs":
            return self._by_pairs(name, clock)
        if clock.align in CUE_NAMES:
            entry = EvidenceEntry.model_validate({"own": clock.own, "against": clock.against, "by": clock.align})
            return self._by_cue(name, clock, entry)
        for entry in list(self.spare):
            turned = self._seen_from(name, entry)
            if turned is not None and not self.open[:-1]:
                self.spare.remove(entry)
                return self._by_cue(name, clock, turned)
        return self._assumed(name, clock)

    def _seen_from(self, name: str, entry: EvidenceEntry) -> EvidenceEntry | None:
        """The entry with the stream of this clock as its own; None if it has none."""
        clocks = {stream.name: stream.clock for stream in self.recording.manifest.streams}
        if clocks[entry.own] == name:
            return entry
        if clocks[entry.against] == name and entry.by != "frame_index":
            return EvidenceEntry(own=entry.against, against=entry.own, by=entry.by)
        return None

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

    def _by_cue(self, name: str, clock: Clock, entry: EvidenceEntry) -> Alignment:
        try:
            target = self._target_of(entry.against)
            found = compare(self.recording.streams, entry.own, entry.against, entry.by)
        except TelltaleError as error:
            fallback = self._fallback(name, clock)
            failure = f"clock '{name}' could not be aligned by {entry.by}: {error}"
            return replace(fallback, failure=failure, machine=lies_in_machine(error), file=error.file)
        self.links.append(Link(name, target, found))
        doubts = doubts_of(found)
        beyond = self._alignment(target)
        if beyond.failure or beyond.doubts or beyond.method == "assumed":
            doubts = (*doubts, f"it hangs on clock '{target}', which is not sure itself")
        mapped = found.clock_map.then(beyond.map)
        return Alignment(
            mapped, entry.by, found, doubts=doubts, tolerance_ms=clock.tolerance_ms, beyond=beyond.rests_on
        )

    def _by_pairs(self, name: str, clock: Clock) -> Alignment:
        from sync.cues.pairs import fit_pairs

        try:
            found = fit_pairs(clock.pairs).named(f"clock '{name}'", SESSION_CLOCK)
        except TelltaleError as error:
            failure = f"clock '{name}' could not be aligned by its pairs: {error}"
            return replace(self._fallback(name, clock), failure=failure)
        self.links.append(Link(name, SESSION_CLOCK, found))
        doubts = doubts_of(found)
        return Alignment(found.clock_map, "pairs", found, doubts=doubts, tolerance_ms=clock.tolerance_ms)

    def _target_of(self, against: str) -> str:
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
