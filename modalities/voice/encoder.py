"""The voice encoder: a stream of sound to prosody every 10 ms, speech turns and pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.features import EncoderSpec, Encoding, Track
from data_schemas.result import Problem, of_machine
from data_schemas.stream import Audio
from modalities.base import Task
from modalities.voice.analysis import Voice, analyse
from modalities.voice.events import find_events
from modalities.voice.features import EGEMAPS_SPEC, SPEC
from modalities.voice.rhythm import syllable_rate, talking_share

Flags = NDArray[np.bool_]
Columns = list[tuple[NDArray[Any], Flags]]

_SHORTEST_NS = 50_000_000


@dataclass(frozen=True)
class _Heard:
    """What was made of a task: the stream that was taken and its analysis, or neither; and what went wrong."""

    stream: Audio | None
    voice: Voice | None
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def saying(self, speech: Flags) -> _Heard:
        """The same with the speech of one person only, flags per frame."""
        if self.voice is None:
            return self
        nuclei = self.voice.nuclei[speech[self.voice.nuclei]]
        return replace(
            self, voice=replace(self.voice, activity=replace(self.voice.activity, speech=speech), nuclei=nuclei)
        )


class VoiceEncoder:
    """Prosody, speech turns and pauses of one person's microphone.

    Several streams of sound: the first one that is not digital silence throughout. Memory: one block of 30 s of sound
    and about 250 bytes for each 10 ms of the recording.

    Settings, all optional:
        channel (int): take one channel of the stream instead of the mean of all.
        egemaps (bool or str): add the 25 low-level descriptors of eGeMAPS under their standard names; "opensmile" lets
            that optional extra compute them.
        embedding (str): file of the user's speech model, which adds columns `embedding_<n>`; see `embedding.py`.
        embedding_architecture (str): factory in `torchaudio.models`, where the file holds weights only.
        questions_s (list of float): ends of questions in session seconds; adds events `response`. By default those
            that the context channel tells.
    """

    spec = SPEC

    def encode(self, task: Task) -> Encoding:
        """Encode one person's sound.

        Returns:
            A track with a sample every 10 ms of the stream; digital silence is masked with "silent".

        Raises:
            UnreadableFileError: nothing of any stream could be read, or the speech model could not.
            InvalidValueError: the stream has no such channel as the settings ask for.
        """
        return _encoding(task, _hear(task))

    def encode_together(self, tasks: Sequence[Task]) -> list[Encoding]:
        """Encode people whose microphones hear each other: what crosses over is not their speech.

        Args:
            tasks: One per person, each with that person's own microphone, all on the session clock.

        Returns:
            One encoding per task, in order. Pitch and the other measures stay those of the microphone; speech, turns,
            pauses and what is derived of them are the person's own.

        Raises:
            As `encode`.
        """
        from modalities.voice.speakers import Microphone, find_speakers

        heard = [_hear(task) for task in tasks]
        own = [one.voice for one in heard if one.voice is not None and one.voice.usable]
        if len(own) < 2:
            return [_encoding(task, one) for task, one in zip(tasks, heard, strict=True)]
        found = iter(find_speakers([Microphone.of(voice) for voice in own]))
        return [
            _encoding(task, one.saying(next(found)) if one.voice is not None and one.voice.usable else one)
            for task, one in zip(tasks, heard, strict=True)
        ]

    def encode_several(self, task: Task, people: Sequence[str]) -> list[Encoding]:
        """Encode people who share one microphone: the speech goes to whoever's mouth moves (`speech_by_mouths`).

        Args:
            task: Its `others` hold the people's face encodings; without any face all speech is nobody's.
            people: Who shares the microphone.

        Returns:
            One encoding per person, in order; speech, turns, pauses and what is derived of them are the person's own,
            the other measures are the microphone's.

        Raises:
            As `encode`.
        """
        from modalities.voice.speakers import Mouth, speech_by_mouths

        heard = _hear(task)
        voice = heard.voice
        tasks = [replace(task, person=person) for person in people]
        if voice is None or not voice.usable:
            return [_encoding(one, heard) for one in tasks]
        mouths = {}
        for person in people:
            face = task.others.get((person, "face"))
            if face is not None and "mouth_opening" in face.track.names and len(face.track.times_ns):
                mouths[person] = Mouth(face.track.times_ns, *face.track.column("mouth_opening"))
        shared = speech_by_mouths(voice.times_ns, voice.activity.speech, mouths)
        blind = [person for person in people if person not in mouths]
        if blind:
            note = f"no face of {', '.join(blind)} was seen: their speech in the shared microphone cannot be told"
            heard = replace(heard, warnings=(*heard.warnings, note))
        nobodys = np.zeros_like(voice.activity.speech)
        return [_encoding(one, heard.saying(shared.get(one.person, nobodys))) for one in tasks]


def _hear(task: Task) -> _Heard:
    """Analyse the first stream of a task that is not digital silence throughout."""
    channel = task.settings.get("channel")
    chosen: tuple[Audio, Voice] | None = None
    warnings: list[str] = []
    failed: UnreadableFileError | None = None
    problems: list[Problem] = []
    for stream in task.of_kind("audio"):
        if not isinstance(stream, Audio) or stream.axis.n == 0:
            warnings.append(f"'{stream.info.name}' holds no sound")
            continue
        try:
            voice = analyse(stream, channel, task.hook, harmonics=_backend(task.settings) == "own")
        except UnreadableFileError as error:
            failed = error
            problems += of_machine(error)
            warnings.append(str(error))
            continue
        if chosen is None or voice.usable:
            if chosen is not None:
                warnings.append(f"'{chosen[0].info.name}' is silent throughout; '{stream.info.name}' is used")
            chosen = (stream, voice)
        if voice.usable:
            break
    if chosen is None:
        if failed is not None:
            raise failed
        return _Heard(None, None, tuple(warnings) or ("no stream of sound",))
    stream, voice = chosen
    if voice.complaint is not None and voice.complaint.machine:
        problems.append(voice.complaint)
    return _Heard(stream, voice, (*warnings, *_complaints(stream, voice)), tuple(problems))


def _encoding(task: Task, heard: _Heard) -> Encoding:
    settings = task.settings
    if heard.stream is None or heard.voice is None:
        return Encoding(SPEC, task.person, Track.empty(SPEC.feature_names), warnings=heard.warnings)
    stream, voice = heard.stream, heard.voice
    spec, columns = SPEC, _columns(voice)
    backend = _backend(settings)
    if backend is not None:
        from modalities.voice.egemaps import describe, egemaps_lld

        described = (
            describe(voice)
            if backend == "own"
            else egemaps_lld(stream, settings.get("channel"), backend=backend).at(voice.times_ns)
        )
        spec = replace(spec, features=(*spec.features, *EGEMAPS_SPEC))
        columns += list(zip(described.values.T, described.valid.T, strict=True))
    if settings.get("embedding"):
        from modalities.voice.embedding import embed, embedding_features, load_speech_model

        model = load_speech_model(settings["embedding"], settings.get("embedding_architecture"))
        vectors = embed(stream, model, settings.get("channel"), task.hook).on_grid(voice.times_ns)
        spec = replace(spec, features=(*spec.features, *embedding_features(vectors[0].shape[1], model)))
        columns += [(vectors[0][:, at], vectors[1]) for at in range(vectors[0].shape[1])]
    channel = settings.get("channel")
    return Encoding(
        spec,
        task.person,
        _track(stream, voice, spec, columns),
        find_events(voice, task.person, _questions_ns(task)),
        _quality(stream, voice),
        (stream.info.name,),
        {
            "channel": "mean of all" if channel is None else int(channel),
            "hop_s": 0.01,
            "pitch_hz": [60, 500],
            **{key: settings[key] for key in ("egemaps", "embedding", "embedding_architecture") if settings.get(key)},
        },
        heard.warnings,
        heard.problems,
    )


def _backend(settings: Mapping[str, Any]) -> str | None:
    """Which backend of eGeMAPS is wanted, if any."""
    wanted = settings.get("egemaps")
    return None if not wanted else "own" if wanted is True else str(wanted)


def _questions_ns(task: Task) -> list[int]:
    """Ends of the questions: as set, else by the context channel."""
    stated = task.settings.get("questions_s")
    if stated is None:
        context = task.others.get((task.person, "context"))
        asked = context.events if context is not None else ()
        return sorted(one.offset_ns for one in asked if one.kind == "cue" and one.details.get("kind") == "question")
    try:
        return [round(float(one) * 1e9) for one in stated]
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            "the ends of the questions are no numbers", got=stated, expected="a list of seconds"
        ) from error


def _columns(voice: Voice) -> Columns:
    """Values and validity of the features of `SPEC`, in order."""
    rows, detail = voice.rows, voice.detail
    able = ~voice.silent & ~voice.gap
    share, share_known = talking_share(voice.activity.speech, voice.gap)
    rate, rate_known = syllable_rate(voice.nuclei, voice.activity.speech)
    return [
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
        (voice.hnr_db, able & voice.voiced),
        (detail.jitter, able & detail.regular),
        (detail.shimmer_db, able & detail.regular),
        *((detail.formants_hz[:, at], able & (detail.formants_hz[:, at] > 0)) for at in range(3)),
        (rows.ear[:, 0], able),
        *((rows.mfcc[:, at], able) for at in range(rows.mfcc.shape[1])),
    ]


def _track(audio: Audio, voice: Voice, spec: EncoderSpec, columns: Columns) -> Track:
    reason = np.full(len(voice.times_ns), "", dtype=object)
    reason[voice.silent], reason[voice.gap] = "silent", "gap"
    valid = np.stack([ok & ~voice.silent & ~voice.gap for _, ok in columns], axis=1)
    if audio.axis.n * audio.axis.period_ns < _SHORTEST_NS:
        valid[:] = False
        reason[:] = "too_short"
    values = np.stack([column for column, _ in columns], axis=1).astype(np.float32)
    low = [-np.inf if feature.low is None else feature.low for feature in spec.features]
    high = [np.inf if feature.high is None else feature.high for feature in spec.features]
    values = np.clip(values, low, high).astype(np.float32)
    return Track(voice.times_ns, spec.feature_names, values, valid, reason)


def _quality(audio: Audio, voice: Voice) -> dict[str, Any]:
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
        "syllables_per_s": round(len(voice.nuclei) / (speech.sum() / 100), 2) if speech.any() else None,
        **_typical(voice, speech),
    }


def _typical(voice: Voice, speech: Flags) -> dict[str, float | None]:
    """Medians over the voiced speech; None where there is none."""
    talks = speech & voice.voiced
    regular = talks & voice.detail.regular

    def median(values: NDArray[np.float32], where: Flags, digits: int) -> float | None:
        return round(float(np.median(values[where])), digits) if where.any() else None

    return {
        "median_pitch_hz": median(voice.pitch_hz, talks, 2),
        "median_hnr_db": median(voice.hnr_db, talks, 2),
        "median_jitter": median(voice.detail.jitter, regular, 5),
        "median_shimmer_db": median(voice.detail.shimmer_db, regular, 4),
    }


def _complaints(audio: Audio, voice: Voice) -> list[str]:
    name = audio.info.name
    early = voice.complaint
    found = [] if early is None or early.machine else [f"the sound ends early: {early.what}"]
    if voice.clipped > 0.001 * audio.axis.n:
        share = 100 * voice.clipped / audio.axis.n
        found.append(f"'{name}': {share:.1f} % of the samples are at full scale (clipped); levels and spectrum suffer")
    if audio.rate_hz < 15_900:
        found.append(
            f"'{name}' is sampled at {audio.rate_hz:.0f} Hz: nothing is known above {audio.rate_hz / 2:.0f} Hz, so "
            "that its mel statistics and centroid do not compare with those of wider recordings"
        )
    return found
