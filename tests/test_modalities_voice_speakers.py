"""Who speaks in a constructed dialogue, and how long an answer takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.voice import encode_dialogue
from benchmarks.voice_dialogue import Dialogue, boundary_errors, make_dialogue
from benchmarks.voice_sounds import as_audio
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S
from modalities.base import Task
from modalities.voice.analysis import analyse
from modalities.voice.encoder import VoiceEncoder
from modalities.voice.events import find_responses
from modalities.voice.speakers import Microphone, Mouth, find_speakers, speech_by_mouths
from pipeline.simulate.speech import mouth_at

S = NS_PER_S


def spans(encoding: Encoding, kind: str) -> list[tuple[float, float]]:
    return [(e.onset_ns / S, e.offset_ns / S) for e in encoding.events if e.kind == kind]


def check_boundaries(dialogue: Dialogue, encodings: list[Encoding]) -> None:
    for person, encoding in enumerate(encodings):
        turns = dialogue.turns[person]
        error = boundary_errors([(one.onset_s, one.offset_s) for one in turns], spans(encoding, "speech_turn"))
        assert error.max() <= 0.05 and len(spans(encoding, "speech_turn")) == len(turns)
        pauses = [span for one in turns for span in one.pauses_s]
        assert boundary_errors(pauses, spans(encoding, "pause")).max() <= 0.05


@pytest.mark.parametrize(("snr_db", "cross_db", "overlap"), [(25, 15, False), (10, 15, False), (20, 10, True)])
def test_turns_and_pauses_of_a_dialogue(snr_db: float, cross_db: float, overlap: bool) -> None:
    dialogue = make_dialogue(7, exchanges=3, snr_db=snr_db, cross_db=cross_db, overlap=overlap)
    encodings = encode_dialogue(dialogue)
    check_boundaries(dialogue, encodings)
    if not overlap:
        found = [e.details["latency_s"] for e in encodings[1].events if e.kind == "response"]
        wanted = [b.onset_s - a for a, b in zip(dialogue.questions_s, dialogue.turns[1], strict=True)]
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_without_the_other_microphone_cross_talk_is_taken_for_speech() -> None:
    dialogue = make_dialogue(7, exchanges=3)
    alone = VoiceEncoder().encode(Task("p0", {"m": as_audio(dialogue.microphones[0])}, Interval(0, 100 * S)))
    both = encode_dialogue(dialogue)[0]
    assert alone.track.column("speech")[0].mean() > both.track.column("speech")[0].mean() + 0.1


def test_microphones_that_hear_the_same_keep_all_speech() -> None:
    dialogue = make_dialogue(7, exchanges=2)
    one = Microphone.of(analyse(as_audio(dialogue.mixed)))
    louder = Microphone(one.times_ns, one.bands_db + 5, one.floor_db + 5, one.speech)
    for found in (find_speakers([one, one]), find_speakers([one, louder])):
        assert np.mean(found[0][one.speech]) > 0.95 and not found[0][~one.speech].any()


def test_one_person_and_a_silent_microphone() -> None:
    dialogue = make_dialogue(7, exchanges=2)
    sound = dialogue.microphones[0]
    tasks = [
        Task(f"p{at}", {"m": as_audio(one)}, Interval(0, 100 * S))
        for at, one in enumerate((sound, np.zeros_like(sound)))
    ]
    found = VoiceEncoder().encode_together(tasks)
    assert found[0].events == VoiceEncoder().encode(tasks[0]).events
    assert not found[1].track.valid.any()


def test_mouths_tell_who_speaks_at_a_shared_microphone() -> None:
    dialogue = make_dialogue(8, exchanges=3)
    voice = analyse(as_audio(dialogue.mixed))
    rng = np.random.default_rng(0)
    times = np.arange(0, dialogue.seconds, 1 / 30)
    mouths = {
        f"p{at}": Mouth(
            np.rint(times * S).astype(np.int64),
            mouth_at(dialogue.turns[at], times) + 0.02 * rng.standard_normal(len(times)),
            np.ones(len(times), bool),
        )
        for at in (0, 1)
    }
    found = speech_by_mouths(voice.times_ns, voice.activity.speech, mouths)
    for at in (0, 1):
        truth = dialogue.speaking(at, voice.times_ns / S)
        assert np.mean(found[f"p{at}"] == truth) > 0.93
    hidden = {name: Mouth(one.times_ns, one.opening, np.zeros(len(times), bool)) for name, one in mouths.items()}
    assert not any(flags.any() for flags in speech_by_mouths(voice.times_ns, voice.activity.speech, hidden).values())
    assert speech_by_mouths(voice.times_ns, voice.activity.speech, {}) == {}


def test_a_shared_microphone_is_divided_by_the_faces_that_were_seen() -> None:
    dialogue = make_dialogue(5, exchanges=2)
    times = np.arange(0, dialogue.seconds, 0.04)
    spec = EncoderSpec("face", "1", "face", ("face_rgb",), (FeatureSpec("mouth_opening", "%IOD", "gap of the lips"),))
    others: dict[tuple[str, str], Encoding] = {}
    for at in (0, 1):
        opening = (20 * np.asarray(mouth_at(dialogue.turns[at], times), np.float32))[:, None]
        shape = opening.shape
        track = Track(np.rint(times * S).astype(np.int64), ("mouth_opening",), opening, np.ones(shape, bool),
                      np.full(len(times), "", object))  # fmt: skip
        others[f"p{at}", "face"] = Encoding(spec, f"p{at}", track)
    microphone = {"m": as_audio(dialogue.mixed, name="m")}
    task = Task("p0", microphone, Interval(0, 3600 * S), others=others)
    for at, encoding in enumerate(VoiceEncoder().encode_several(task, ["p0", "p1"])):
        speech = encoding.track.column("speech")[0] > 0
        assert encoding.person == f"p{at}"
        assert np.mean(speech == dialogue.speaking(at, encoding.track.times_ns / S)) > 0.9
    blind = VoiceEncoder().encode_several(replace(task, others={}), ["p0", "p1"])
    assert not any((one.track.column("speech")[0] > 0).any() for one in blind)
    assert all("no face of p0, p1 was seen" in " ".join(one.warnings) for one in blind)


def test_responses() -> None:
    turns = [Event("voice", "speech_turn", a * S, b * S, None, "p") for a, b in ((2, 4), (10, 20), (50, 60))]
    found = find_responses(turns, [9 * S, 1 * S, 15 * S, 30 * S, 45 * S, 70 * S], "p")
    assert [(e.onset_ns // S, e.details["latency_s"]) for e in found] == [(1, 1.0), (9, 1.0), (45, 5.0)]
    assert find_responses(turns, [], "p") == [] and find_responses([], [S], "p") == []
