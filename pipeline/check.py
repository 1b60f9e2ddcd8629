"""`telltale check`: say what is wrong or missing in a session before hours are spent on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data_schemas.errors import ConsentError
from data_schemas.hook import Hook, silent
from data_schemas.recording import Recording, Session
from data_schemas.result import SyncReport
from data_schemas.session import NOBODYS_KINDS, Consent, Manifest
from data_schemas.stream import Marks
from data_schemas.time import NS_PER_S, to_s
from pipeline import steps
from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent

EARLIEST_YEAR, LONGEST_YEARS = 1950, 100
"""Consent before this year, or that holds for longer, is a slip of the pen."""


@dataclass(frozen=True)
class Finding:
    """One row of the table: `severity` is error, warning or ok."""

    severity: Literal["error", "warning", "ok"]
    where: str
    what: str

    def row(self) -> dict[str, Any]:
        """As a plain mapping."""
        return asdict(self)


def check_session(folder: Path, hook: Hook = silent, today: dt.date | None = None) -> list[Finding]:
    """Validate manifest, consent, files and clocks, without analysis.

    Args:
        folder: Session folder.
        hook: Progress.
        today: Day on which consent is judged; today by default.

    Returns:
        Findings, errors first.

    Raises:
        ManifestError, MissingFileError: there is no manifest, or it cannot be understood.
    """
    manifest = load_manifest(folder)
    root = folder.parent if folder.suffix == ".toml" else folder
    findings = [*_consent(manifest, root, today), *_purpose(manifest)]
    recording = steps.read(manifest, root, hook)
    findings += [
        Finding("error" if p.severity == "error" else "warning", p.stream or MANIFEST_NAME, p.what)
        for p in recording.problems
    ]
    findings += _streams(recording)
    findings += _whose(manifest)
    if recording.streams:
        session = steps.synchronize(recording, hook)
        findings += [*_clocks(session.sync), *_seats(session)]
        known = set(recording.problems)
        findings += [
            Finding("error", p.stream or "clocks", p.what)
            for p in session.problems
            if p.severity == "error" and p not in known
        ]
    findings += _channels(manifest)
    order = {"error": 0, "warning": 1, "ok": 2}
    return sorted(dict.fromkeys(findings), key=lambda finding: order[finding.severity])


def _consent(manifest: Manifest, root: Path, today: dt.date | None) -> Iterator[Finding]:
    try:
        require_consent(manifest, "analyse", root / MANIFEST_NAME, today)
    except ConsentError as error:
        yield Finding("error", "consent", str(error))
        yield from _dates(manifest.consent, today or dt.date.today())
        return
    yield from _dates(manifest.consent, today or dt.date.today())
    if manifest.consent.date is None:
        yield Finding("warning", "consent", "consent has no date: write date = YYYY-MM-DD under [consent]")
    else:
        yield Finding("ok", "consent", f"{', '.join(manifest.consent.scope)}, given {manifest.consent.date}")


def _dates(consent: Consent, today: dt.date) -> Iterator[Finding]:
    """Dates of consent that can only be slips of the pen."""
    given, ends = consent.date, consent.expires
    write = "correct it under [consent]"
    if given is not None and given > today:
        yield Finding("warning", "consent", f"date: consent is said to be given on {given}, which is to come: {write}")
    if given is not None and given.year < EARLIEST_YEAR:
        yield Finding("warning", "consent", f"date: {given} is before there were such recordings: {write}")
    if ends is None:
        return
    if given is not None and ends <= given:
        yield Finding("warning", "consent", f"expires: {ends} is not after the day of consent, {given}: {write}")
    elif ends.year < EARLIEST_YEAR:
        yield Finding("warning", "consent", f"expires: {ends} is before there were such recordings: {write}")
    elif ends.year > today.year + LONGEST_YEARS:
        text = f"expires: {ends} is more than {LONGEST_YEARS} years ahead: {write}, or leave it out if there is no end"
        yield Finding("warning", "consent", text)


def _purpose(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.purpose:
        yield Finding("warning", "purpose", "purpose is empty: say in one line what the recording is analysed for")


def _streams(recording: Recording) -> Iterator[Finding]:
    for name, stream in recording.streams.items():
        extent = stream.support.extent
        if isinstance(stream, Marks):
            yield Finding("ok", name, f"{stream.info.kind}: {len(stream.rows)} events")
            continue
        if extent is None:
            yield Finding("error", name, "the stream is empty: no sample in it")
            continue
        yield Finding(
            "ok",
            name,
            f"{stream.info.kind}: {stream.axis.n} samples, {stream.axis.rate_hz:.2f} per second, "
            f"{to_s(extent.duration_ns):.2f} s, {max(0, len(stream.support) - 1)} gaps"
            + (f", shows {', '.join(stream.info.people)} from left to right" if stream.info.people else ""),
        )


def _whose(manifest: Manifest) -> Iterator[Finding]:
    """People of whom there is no recording, and recordings of nobody."""
    if len(manifest.people) < 2:
        return
    recorded = {manifest.person_of(entry) for entry in manifest.streams}
    recorded |= {person for entry in manifest.streams for person in entry.people or ()}
    for person in manifest.people:
        if person.id not in recorded:
            yield Finding("warning", person.id, "no stream records this person: add person or people to their streams")
    for entry in manifest.streams:
        ownerless = manifest.person_of(entry) is None and not entry.people
        if ownerless and entry.kind not in NOBODYS_KINDS:
            several = ", or people = [...] if it shows several of them" if entry.kind.startswith("face") else ""
            text = f'nobody is named whom it records, so that it will not be used: add person = "..."{several}'
            yield Finding("error", entry.name, text)


def _seats(session: Session) -> Iterator[Finding]:
    """Answers about who sits where that lie outside of their stream."""
    for name, stream in session.streams.items():
        for seat in stream.info.seats:
            if not stream.support.contains(np.array([round(seat.time_s * NS_PER_S)]))[0]:
                text = f"seats: at {seat.time_s:g} s, where {seat.person} is said to be, the stream has no pictures"
                yield Finding("warning", name, text)


def _clocks(report: SyncReport) -> Iterator[Finding]:
    widest = {one.clock: one for one in sorted(report.streams, key=lambda one: one.coverage)}
    for one in widest.values():
        severity: Literal["error", "warning", "ok"] = (
            "ok" if one.verdict == "pass" else "error" if one.verdict == "fail" else "warning"
        )
        text = f"{one.method}, offset {one.offset_s:+.4f} s, drift {one.drift_ppm:+.1f} ppm"
        if one.residual_ms is not None:
            text += f", residual {one.residual_ms:.2f} ms over {one.matched} events"
        yield Finding(severity, f"clock {one.clock}", text + (f": {one.why}" if one.why else ""))


def _channels(manifest: Manifest) -> Iterator[Finding]:
    kinds = {stream.kind for stream in manifest.streams}
    channels = {
        "face": ("face_rgb", "face_nir", "face_depth"),
        "voice": ("audio",),
        "body": ("body_video",),
        "physiology": ("ecg", "eda", "ppg", "respiration", "temperature"),
    }
    if not kinds & {kind for inputs in channels.values() for kind in inputs}:
        yield Finding("error", MANIFEST_NAME, "no stream of any channel is listed: correct the kinds of the streams")
    for channel, inputs in channels.items():
        if not kinds & set(inputs):
            yield Finding("ok", channel, f"no stream of kind {' / '.join(inputs)}: its cells will be null (no_stream)")
