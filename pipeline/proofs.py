"""Proof of synchrony from the recorded people themselves: the pulse in the face against the ECG, lips against speech.

Whatever the headers say: a heart beats once, and who is heard is seen to speak. What a person's encodings show of the
remaining lag between two streams, after alignment, becomes a finding that warns; it is an error only where the manifest
states a tolerance that the finding excludes. Streams that do not belong to the same body (`same_body = false`) prove
nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from data_schemas.features import Encoding
from data_schemas.recording import Session
from data_schemas.session import StreamEntry
from data_schemas.time import Int64Array
from sync.cues.lips import APART, Lips
from sync.cues.pulse_lag import OUT_OF_STEP, PulseFinding, PulseLag
from sync.estimate import Estimate

Verdict = Literal["passes", "warns", "too weak"]
Severity = Literal["note", "warning", "error"]

CLEAR_SHARE, CLEAR_S = 0.5, 40.0
"""A face's pulse is good when its rate can be told for this share of the frames, in so much of signal."""
MUCH_SPEECH_S = 20.0
"""With so much speech heard and as much seen, it must fit."""
WRONG = 0.05
"""Least chance of clocks that agree, below which they are said to disagree."""


@dataclass(frozen=True, eq=False)
class Proof:
    """What one person's body says of two streams on the session clock.

    Attributes:
        kind: "pulse" or "lips".
        person: Whose.
        own: The video.
        against: The ECG or the sound.
        verdict: "passes": the streams agree; "warns": they do not; "too weak": nothing is claimed.
        severity: What it means for the run: an "error" makes the exit status 1.
        what: One sentence, with the mend where there is something to mend.
        shift_s: By how much the video is late on the session clock, seconds; None where nothing is claimed.
        ci95_s: Half width of its 95 % interval, with the spread of transit times or leads between people.
        lag_s: What was measured: R peak to foot of the pulse, or how far the mouth leads the sound.
        lag_ci95_s: Half width of its 95 % interval.
        agreement: 0..1: share of the pulse in step with the beats, or correlation of mouth and sound.
        confidence: 0..1, chance that the lag is the right one.
        strangers: Both signals are good and do not fit at any lag.
        estimate: The same for the solver and the figures; None where nothing is claimed.
    """

    kind: Literal["pulse", "lips"]
    person: str
    own: str
    against: str
    verdict: Verdict
    severity: Severity
    what: str
    shift_s: float | None = None
    ci95_s: float | None = None
    lag_s: float | None = None
    lag_ci95_s: float | None = None
    agreement: float = 0.0
    confidence: float = 0.0
    strangers: bool = False
    estimate: Estimate | None = None


def proofs_of(session: Session, encodings: Sequence[Encoding]) -> list[Proof]:
    """What pulse and lips of each person say of the clocks of a session.

    Args:
        session: Streams on the session clock, and the manifest.
        encodings: What the encoders said of them; tracks and events are on the session clock.

    Returns:
        One proof for each person and pair of streams: face video and ECG, face video and sound. None for a pair with
        a stream of `same_body = false`.
    """
    entries = {entry.name: entry for entry in session.manifest.streams}
    by_place = {(one.person, one.spec.channel): one for one in encodings}
    out: list[Proof] = []
    for person in session.manifest.people:
        face = by_place.get((person.id, "face"))
        if face is None or not face.streams:
            continue
        body, voice = by_place.get((person.id, "physiology")), by_place.get((person.id, "voice"))
        ecg = _ecg_stream(body)
        if body is not None and ecg is not None and _same_body(entries, face.streams[0], ecg):
            out.append(_pulse_proof(face, body, ecg, entries))
        if voice is not None and voice.streams and _same_body(entries, face.streams[0], voice.streams[0]):
            out.append(_lips_proof(face, voice, entries))
    return out


def _same_body(entries: dict[str, StreamEntry], *streams: str) -> bool:
    return all(entries[name].same_body for name in streams if name in entries)


def _ecg_stream(body: Encoding | None) -> str | None:
    about: Any = {} if body is None else body.quality.get("ecg", {})
    return about.get("stream")


def _pulse_proof(face: Encoding, body: Encoding, ecg: str, entries: dict[str, StreamEntry]) -> Proof:
    cue = PulseLag()
    values, valid = face.track.column("pulse")
    beats = np.array([event.onset_ns if event.apex_ns is None else event.apex_ns for event in body.events
                      if event.kind == "r_peak"], np.int64)  # fmt: skip
    found = cue.measure(face.track.times_ns[valid], values[valid], beats)
    state = dict(face.quality.get("pulse") or {}).get("state", "")
    if not valid.any() and state:
        return _unclaimed("pulse", face, ecg, f"no pulse in '{face.streams[0]}': {state}", 0.0)
    if found.weak == OUT_OF_STEP and _clear(face, found):
        rates = _beats_per_minute(face, beats)
        what = (
            f"the pulse in '{face.streams[0]}' and the heart beats of '{ecg}' do not keep step at any lag up to "
            f"{cue.max_lag_s:g} s{rates}: they are not of the same body, or a clock is wrong by more. Check both "
            "streams and their clocks, or set same_body = false if they are not meant to be of the same body."
        )
        return _strangers("pulse", face, ecg, what, found.agreement)
    if found.weak:
        return _unclaimed("pulse", face, ecg, f"'{face.streams[0]}' against '{ecg}': {found.weak}", found.agreement)
    more = "" if found.confidence >= 0.9 else ", give or take whole heart beats"
    return _claimed(
        "pulse",
        face,
        ecg,
        entries,
        cue.estimate(found, face.streams[0], ecg),
        agree=found.in_time >= WRONG,
        lag=(found.lag_s, found.lag_ci95_s),
        agreement=found.agreement,
        more=more,
    )


def _lips_proof(face: Encoding, voice: Encoding, entries: dict[str, StreamEntry]) -> Proof:
    cue, stream = Lips(), voice.streams[0]
    mouth, seen = face.track.column("mouth_opening")
    level, heard = voice.track.column("intensity_db")
    found = cue.measure(face.track.times_ns[seen], mouth[seen], voice.track.times_ns[heard], level[heard])
    if found.weak == APART and min(found.speech_s, found.talking_s) >= MUCH_SPEECH_S:
        what = (
            f"the mouth in '{face.streams[0]}' moves as in speech, and never together with the speech in '{stream}' "
            f"at lags up to {cue.max_lag_s:g} s: they are not of the same person, or a clock is wrong by more. Check "
            "both streams and their clocks, or set same_body = false if they are not meant to be of the same person."
        )
        return _strangers("lips", face, stream, what, found.agreement)
    if found.weak:
        return _unclaimed("lips", face, stream, f"'{face.streams[0]}' against '{stream}': {found.weak}",
                          found.agreement)  # fmt: skip
    return _claimed(
        "lips",
        face,
        stream,
        entries,
        cue.estimate(found, face.streams[0], stream),
        agree=abs(found.offset_s) <= found.ci95_s,
        lag=(found.lead_s, found.lead_ci95_s),
        agreement=found.agreement,
    )


def _claimed(
    kind: Literal["pulse", "lips"],
    face: Encoding,
    against: str,
    entries: dict[str, StreamEntry],
    estimate: Estimate,
    *,
    agree: bool,
    lag: tuple[float, float],
    agreement: float,
    more: str = "",
) -> Proof:
    own, shift, half = face.streams[0], -estimate.offset_s, estimate.ci95_s
    agree = agree and abs(shift) <= half
    words = f"by {_WORDS[kind]} '{own}' is {abs(shift):.2f} s {'late' if shift > 0 else 'early'} against '{against}'"
    words += f" (95 %: {shift - half:+.2f} to {shift + half:+.2f} s{more})"
    tolerance = _tightest(entries, own, against)
    severity: Severity = "note" if agree else "warning"
    if agree:
        what = f"'{own}' and '{against}' agree by {_WORDS[kind]} (95 %: {shift - half:+.2f} to {shift + half:+.2f} s)"
    elif tolerance is not None and abs(shift) - half > tolerance[1]:
        severity = "error"
        what = (
            f"{words}, which exceeds tolerance_ms = {1000 * tolerance[1]:g} of '{tolerance[0]}'. Correct the clock of "
            "one of them."
        )
    else:
        what = f"{words}. Check their clocks, or set same_body = false if they are not of the same body."
    verdict: Verdict = "passes" if agree else "warns"
    return Proof(
        kind, face.person, own, against, verdict, severity, what, shift, half, *lag, agreement, estimate.confidence,
        estimate=estimate,
    )  # fmt: skip


_WORDS = {"pulse": "heart beats", "lips": "lips and speech"}


def _tightest(entries: dict[str, StreamEntry], *streams: str) -> tuple[str, float] | None:
    """The stream with the smallest tolerance of these, and the tolerance in seconds."""
    stated = [(entries[name].tolerance_ms, name) for name in streams if name in entries]
    given = [(value / 1000, name) for value, name in stated if value is not None]
    return (min(given)[1], min(given)[0]) if given else None


def _strangers(kind: Literal["pulse", "lips"], face: Encoding, against: str, what: str, agreement: float) -> Proof:
    return Proof(
        kind, face.person, face.streams[0], against, "warns", "warning", what, agreement=agreement, strangers=True
    )


def _unclaimed(kind: Literal["pulse", "lips"], face: Encoding, against: str, why: str, agreement: float) -> Proof:
    what = f"too weak to say by {_WORDS[kind]} whether the clocks agree: {why}"
    return Proof(kind, face.person, face.streams[0], against, "too weak", "note", what, agreement=agreement)


def _clear(face: Encoding, found: PulseFinding) -> bool:
    """Whether the pulse of the face is good by itself."""
    rated, seen = face.track.column("pulse_hz")[1], face.track.column("pulse")[1]
    return found.seconds >= CLEAR_S and bool(rated.sum() >= CLEAR_SHARE * max(1, seen.sum()))


def _beats_per_minute(face: Encoding, beats_ns: Int64Array) -> str:
    """Median rates of both, in words."""
    rate, told = face.track.column("pulse_hz")
    if not told.any() or len(beats_ns) < 2:
        return ""
    ecg = 60e9 / float(np.median(np.diff(beats_ns)))
    return f" ({60 * float(np.median(rate[told])):.0f} and {ecg:.0f} beats per minute)"
