"""The voice encoder: a stream of sound to prosody every 10 ms, speech turns and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError
from data_schemas.event import Event
from data_schemas.features import Encoding, Track
from data_schemas.intervals import IntervalSet
from data_schemas.stream import Audio
from data_schemas.time import Int64Array
from modalities.base import Task
from modalities.voice.activity import Activity, find_speech, noise_floor
from modalities.voice.features import SPEC
from modalities.voice.frames import Rows, measure
from modalities.voice.pitch import VOICED_STRENGTH, join_candidates
from modalities.voice.rhythm import find_nuclei, find_spans, syllable_rate, talking_share

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_LOUDEST_FLOOR_DB = -40.0
_VOICED_ABOVE_DB = 6.0
_SHORTEST_NS = 50_000_000
_EDGE_NS = 25_000_000
_MIDDLE_BANDS = slice(1, 6)


@dataclass(frozen=True)
class _Voice:
    """Everything that was found in one stream; arrays of n frames."""

    times_ns: Int64Array
    rows: Rows
    silent: Flags
    gap: Flags
    pitch_hz: Floats
    voiced: Flags
    voicing: Floats
    activity: Activity
    nuclei: NDArray[np.int64]
    clipped: int
    complaint: str = ""


class VoiceEncoder:
    """Prosody, speech turns and pauses of one person's microphone.

    Several streams of sound: the first one that is not digital silence throughout. Settings: `channel` (int) takes one
    channel of the stream instead of the mean of all. Memory: one block of 30 s of sound and about 100 bytes for each
    10 ms of the recording.
    """

    spec = SPEC

    def encode(self, task: Task) -> Encoding:
        """Encode one person's sound.

        Returns:
            A track with a sample every 10 ms of the stream; digital silence is masked with "silent".

        Raises:
            UnreadableFileError: nothing of any stream could be read.
            InvalidValueError: the stream has no such channel as the settings ask for.
        """
        channel = task.settings.get("channel")
        chosen: tuple[Audio, _Voice] | None = None
        warnings: list[str] = []
        failed: UnreadableFileError | None = None
        for stream in task.of_kind("audio"):
            if not isinstance(stream, Audio) or stream.axis.n == 0:
                warnings.append(f"'{stream.info.name}' holds no sound")
                continue
            try:
                voice = _analyse(stream, channel, task)
            except UnreadableFileError as error:
                failed = error
                warnings.append(str(error))
                continue
            if chosen is None or _usable(voice):
                if chosen is not None:
                    warnings.append(f"'{chosen[0].info.name}' is silent throughout; '{stream.info.name}' is used")
                chosen = (stream, voice)
            if _usable(voice):
                break
        if chosen is None:
            if failed is not None:
                raise failed
            empty = Track.empty(SPEC.feature_names)
            return Encoding(SPEC, task.person, empty, warnings=tuple(warnings) or ("no stream of sound",))
        stream, voice = chosen
        return Encoding(
            SPEC,
            task.person,
            _track(stream, voice),
            _events(voice, task.person),
            _quality(stream, voice),
            (stream.info.name,),
            {"channel": "mean of all" if channel is None else int(channel), "hop_s": 0.01, "pitch_hz": [60, 500]},
            (*warnings, *_complaints(stream, voice)),
        )


def _usable(voice: _Voice) -> bool:
    return bool(np.any(~voice.silent & ~voice.gap))


def _analyse(audio: Audio, channel: int | None, task: Task) -> _Voice:
    times, rows, clipped, complaint = measure(audio, channel, task.hook)
    silent = rows.silent()
    gap = _gaps(times, audio.support) | rows.broken
    silent &= ~gap
    usable = ~gap
    floor = noise_floor(rows.bands_db, usable)
    # Sound that does not rise above the noise is not voiced, however regular: mains hum in a pause has no pitch.
    quiet = 10 ** (np.minimum(floor, 200).astype(np.float64) / 10)
    floor_db = np.minimum(10 * np.log10(quiet.sum(axis=1)), _LOUDEST_FLOOR_DB)
    level_db = 10 * np.log10(np.sum(10 ** (rows.bands_db.astype(np.float64) / 10), axis=1))
    lacking = np.clip(1 - (level_db - floor_db) / _VOICED_ABOVE_DB, 0, 1)
    strength = np.where((silent | gap)[:, None], np.float32(0), rows.strength)
    frequency = np.where((silent | gap)[:, None], np.float32(0), rows.frequency)
    threshold = (VOICED_STRENGTH + lacking).astype(np.float32)
    pitch, voiced, voicing = join_candidates(frequency, strength, threshold)
    activity = find_speech(rows.bands_db, floor, voicing, pitch, silent, gap)
    middle = 10 * np.log10(np.sum(10 ** (rows.bands_db[:, _MIDDLE_BANDS].astype(np.float64) / 10), axis=1))
    nuclei = find_nuclei(middle.astype(np.float32), voiced, activity.speech)
    return _Voice(times, rows, silent, gap, pitch, voiced, voicing, activity, nuclei, clipped, complaint)


def _gaps(times_ns: Int64Array, support: IntervalSet) -> Flags:
    """Frames whose window reaches into a hole of the support; the outer ends of the stream are no holes."""
    bounds = support.bounds
    if not len(bounds):
        return np.ones(len(times_ns), bool)
    gap = (times_ns < bounds[0, 0]) | (times_ns > bounds[-1, 1])
    for hole_start, hole_end in zip(bounds[:-1, 1].tolist(), bounds[1:, 0].tolist(), strict=True):
        gap |= (times_ns > hole_start - _EDGE_NS) & (times_ns < hole_end + _EDGE_NS)
    return np.asarray(gap, dtype=bool)


def _track(audio: Audio, voice: _Voice) -> Track:
    rows, n = voice.rows, len(voice.times_ns)
    able = ~voice.silent & ~voice.gap
    reason = np.full(n, "", dtype=object)
    reason[voice.silent], reason[voice.gap] = "silent", "gap"
    if _is_short(audio):
        able[:] = False
        reason[:] = "too_short"
    share, share_known = talking_share(voice.activity.speech, voice.gap)
    rate, rate_known = syllable_rate(voice.nuclei, voice.activity.speech)
    columns: tuple[tuple[NDArray[Any], Flags], ...] = (
        (voice.activity.speech, able),
        (voice.pitch_hz, able & voice.voiced),
        (voice.voicing, able),
        (rows.intensity_db, able),
        (rows.mel_mean_db, able),
        (rows.mel_std_db, able),
        (rows.centroid_hz, able),
        (rows.tilt_db, able),
        (share, able & share_known),
        (rate, able & rate_known),
    )
    values = np.stack([column for column, _ in columns], axis=1).astype(np.float32)
    low = [-np.inf if feature.low is None else feature.low for feature in SPEC.features]
    high = [np.inf if feature.high is None else feature.high for feature in SPEC.features]
    values = np.clip(values, low, high).astype(np.float32)
    return Track(voice.times_ns, SPEC.feature_names, values, np.stack([ok for _, ok in columns], axis=1), reason)


def _is_short(audio: Audio) -> bool:
    return audio.axis.n * audio.axis.period_ns < _SHORTEST_NS


def _events(voice: _Voice, person: str) -> tuple[Event, ...]:
    """Turns and pauses; a frame stands for the 10 ms around its centre."""
    times = voice.times_ns
    half = 5_000_000
    found = []
    for span in find_spans(voice.activity.speech, voice.gap):
        onset, offset = max(int(times[0]), int(times[span.first]) - half), int(times[span.stop - 1]) + half
        part = slice(span.first, span.stop)
        details: dict[str, Any]
        score = None
        if span.what == "turn":
            pitch = voice.pitch_hz[part][voice.voiced[part]]
            speech = voice.activity.speech[part]
            score = round(float(np.median(voice.activity.excess_db[part][speech])), 2)
            details = {
                "speech_s": round(float(np.count_nonzero(speech)) / 100, 2),
                "syllables": int(np.count_nonzero((voice.nuclei >= span.first) & (voice.nuclei < span.stop))),
                "median_pitch_hz": round(float(np.median(pitch)), 2) if len(pitch) else None,
                "median_intensity_db": round(float(np.median(voice.rows.intensity_db[part][speech])), 2),
            }
        else:
            details = {"digital_silence_share": round(float(voice.silent[part].mean()), 3)}
        kind = "speech_turn" if span.what == "turn" else "pause"
        label = "" if span.what == "turn" else span.what.removeprefix("pause ")
        found.append(Event("voice", kind, onset, offset, None, person, score, label, details))
    return tuple(found)


def _quality(audio: Audio, voice: _Voice) -> dict[str, Any]:
    """Shares of the recorded time, and the ratio of speech to noise."""
    seen = ~voice.gap
    speech = voice.activity.speech & seen
    noise_db = float(np.median(voice.activity.floor_db[seen])) if seen.any() else None
    snr = None
    if speech.any() and noise_db is not None:
        noise = 10 ** (voice.activity.floor_db[speech].astype(np.float64) / 10)
        heard = np.sum(10 ** (voice.rows.bands_db[speech].astype(np.float64) / 10), axis=1)
        snr = round(float(10 * np.log10(max(heard.mean() - noise.mean(), 1e-10) / max(noise.mean(), 1e-10))), 2)
    count = max(1, int(np.count_nonzero(seen)))
    return {
        "rate_hz": round(audio.rate_hz, 3),
        "speech_share": round(float(np.count_nonzero(speech)) / count, 4),
        "voiced_share": round(float(np.count_nonzero(voice.voiced & seen)) / count, 4),
        "silent_share": round(float(np.count_nonzero(voice.silent)) / count, 4),
        "clipped_share": round(voice.clipped / max(1, audio.axis.n), 6),
        "snr_db": snr,
        "noise_floor_db": None if noise_db is None else round(noise_db, 2),
    }


def _complaints(audio: Audio, voice: _Voice) -> list[str]:
    name = audio.info.name
    found = [voice.complaint] if voice.complaint else []
    if voice.clipped > 0.001 * audio.axis.n:
        share = 100 * voice.clipped / audio.axis.n
        found.append(f"'{name}': {share:.1f} % of the samples are at full scale (clipped); levels and spectrum suffer")
    if audio.rate_hz < 15_900:
        found.append(
            f"'{name}' is sampled at {audio.rate_hz:.0f} Hz: nothing is known above {audio.rate_hz / 2:.0f} Hz, so "
            "that its mel statistics and centroid do not compare with those of wider recordings"
        )
    return found
