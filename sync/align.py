"""From device clocks to the session clock: by statement, by shared events, by LSL, or by assumption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from data_schemas.errors import NothingUsableError, TelltaleError
from data_schemas.recording import SESSION_CLOCK, Recording, Session
from data_schemas.result import Problem, SyncReport
from data_schemas.session import EvidenceEntry
from data_schemas.stream import Stream
from sync.checks import checks_of, problems_of_checks
from sync.clock import ClockMap
from sync.estimate import Estimate
from sync.evidence import compare
from sync.report import NO_DATA, NO_EVENTS, Alignment, evidence_of, extent_of, report_on
from sync.resolve import Resolver
from sync.solve import Link, Solution, solve

STATED_CI95_S, STATED_CI95_PPM = 2e-3, 2.0
"""How far a stated offset and drift are believed where other evidence speaks of the same clock."""


def align(recording: Recording) -> tuple[dict[str, ClockMap], SyncReport, list[Problem]]:
    """Relate every clock of the recording to the session clock, as the manifest says.

    - The reference clock, and clock "session", are the session clock: identity.
    - "offset": session = (1 + drift) * device + offset, as stated.
    - "markers", "sound", "motion", "ltc", "flash": what two streams share is compared (`sync/cues/`); chains of clocks
      are followed to the reference. Where that fails - a stream missing, nothing in common, clocks that wait for each
      other - the clock falls back to its stated offset, with an error.
    - "wall": the start times that the files of two streams state; good to seconds, and never without a warning.
    - "pairs": readings of this clock and of the session clock, fitted robustly.
    - "lsl": readers of XDF give LSL seconds with the clock offsets applied, so all LSL clocks share one time. If the
      reference is an LSL clock that time is session time; else the `offset_s` stated for an LSL clock relates it, and
      without one the earliest sample on LSL clocks becomes session time 0, with a warning if other clocks are there.
    - "assumed": device zero is taken as session zero, or the first sample as the session's first where the device's
      times lie more than an hour from all the rest; with a warning. Evidence of the manifest that names a stream of
      such a clock aligns it instead.

    Evidence beyond what the clocks are aligned by is weighed against it (`sync.solve.solve`): it makes the maps better
    where it agrees, and where it does not, the report names the pair and by how much.

    Returns:
        One map per clock that streams are on, by name; the report; what went wrong.
    """
    resolver = Resolver(recording)
    alignments = resolver.resolve()
    extra, failed = _further(recording, resolver)
    solution = _weigh(recording, alignments, resolver.links, extra)
    alignments = {name: replace(one, map=solution.maps[name]) for name, one in alignments.items()}
    maps = {name: one.map for name, one in alignments.items()}
    mapped = _mapped(recording, maps)
    checks = checks_of(solution, extra, failed)
    heard = [evidence_of(link.estimate, maps[link.own]) for link in (*resolver.links, *extra)]
    report = report_on(recording.streams, mapped, alignments, extent_of(mapped.values()), checks, heard)
    return maps, report, [*_problems(recording, alignments, report), *problems_of_checks(checks)]


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


def _further(recording: Recording, resolver: Resolver) -> tuple[list[Link], list[tuple[EvidenceEntry, str]]]:
    """Evidence that no clock needed, as links, and entries that gave none, with the reason."""
    clocks = {stream.name: stream.clock for stream in recording.manifest.streams}
    links: list[Link] = []
    failed: list[tuple[EvidenceEntry, str]] = []
    for entry in resolver.spare:
        try:
            found = compare(recording.streams, entry.own, entry.against, entry.by)
        except TelltaleError as error:
            failed.append((entry, str(error)))
            continue
        links.append(Link(clocks[entry.own], clocks[entry.against], found))
    return links, failed


def _weigh(
    recording: Recording, alignments: Mapping[str, Alignment], used: Sequence[Link], extra: Sequence[Link]
) -> Solution:
    """All evidence together; without any beyond what the clocks are aligned by nothing moves."""
    maps = {name: one.map for name, one in alignments.items()}
    if not extra:
        return Solution(maps, ())
    clocks = recording.manifest.clocks
    fixed = [name for name in maps if name not in clocks or clocks[name].reference]
    extent = extent_of(_mapped(recording, maps).values())
    middle = 0 if extent is None else (extent.start_ns + extent.end_ns) // 2
    stated = [
        Link(name, SESSION_CLOCK, _as_stated(name, maps[name], middle))
        for name, one in alignments.items()
        if one.method == "offset" and name not in fixed
    ]
    return solve(maps, [*used, *stated, *extra], fixed, middle)


def _as_stated(name: str, stated: ClockMap, middle_ns: int) -> Estimate:
    """What the manifest says of a clock, as evidence."""
    anchor = int(stated.inverse(np.array([middle_ns], np.int64))[0])
    return Estimate(
        method="offset",
        own=f"clock '{name}'",
        against=SESSION_CLOCK,
        anchor_ns=anchor,
        offset_s=stated.offset_s_at(anchor),
        ci95_s=STATED_CI95_S,
        drift_ppm=stated.drift_ppm_at(anchor),
        drift_ci95_ppm=STATED_CI95_PPM,
    )


def _mapped(recording: Recording, maps: Mapping[str, ClockMap]) -> dict[str, Stream]:
    return {name: stream.on(maps[stream.info.clock], SESSION_CLOCK) for name, stream in recording.streams.items()}


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
            what = f"{one.failure} (used instead: {used})"
            problems.append(Problem(severity="error", what=what, stream=stream, file=one.file, machine=one.machine))
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
