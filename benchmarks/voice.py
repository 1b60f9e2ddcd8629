"""The voice channel against known truth and against other programs. `python -m benchmarks.voice [--full]`.

Vowels and dialogues are synthesised with known truth (`voice_sounds`, `voice_dialogue`); openSMILE and Praat are asked
where they are (`voice_references`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.voice_dialogue import Dialogue, boundary_errors, make_dialogue
from benchmarks.voice_references import measure_opensmile, measure_praat
from benchmarks.voice_sounds import Vowel, add_noise, as_audio, make_vowel, tract
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S
from modalities.base import Task
from modalities.voice.analysis import analyse
from modalities.voice.encoder import VoiceEncoder
from pipeline.simulate.speech import VOWELS

Floats = NDArray[np.float64]

STEADY_HZ = (80.0, 110.0, 150.0, 210.0, 290.0, 400.0)
GLIDES_HZ = ((90.0, 180.0), (240.0, 120.0), (180.0, 320.0), (150.0, 75.0))
PLANTED = ((0.005, 0.03), (0.01, 0.06), (0.02, 0.1))
"""Standard deviations of periods and amplitudes, as shares."""
EDGE_S = 0.05
NEAR_S = 0.05


def measure(full: bool) -> dict[str, float]:
    """Figures over all parts.

    Args:
        full: More vowels, more dialogues.

    Returns:
        `pitch_error` (median), `pitch_gross` (share off by more than 20 %), `pitch_found` (share of the frames) on
        vowels and glides at 10 dB in white and, as `pink_...`, in pink noise; `formant_error_1..3` (median, clean
        vowels); `jitter_worst`, `shimmer_worst` (greatest relative error over the vowels), `jitter_median`,
        `shimmer_median`; `turn_within` and `pause_within` (share of boundaries within 50 ms; `_10_db` in noise,
        `_overlap` with overlapping turns), `boundary_95_s`, `false_turns`, `speaker_right` (share of frames);
        `filled_recall`, `filled_precision`; `latency_error_s`. With the shared recordings `opensmile_<descriptor>` and
        `praat_r_...`, `praat_off_...` from `voice_references`; `opensmile_formant_error_1..3`, openSMILE's own error on
        vowels with planted formants; `opensmile_pitch_inside` 40 ms or more from the edges of voice, where its
        smoothing mixes in what it took for voice outside; `opensmile_pitch_pyin` and `opensmile_opensmile_pitch_pyin`,
        ours and openSMILE's against pyin; `time_ratio`.
    """
    figures = {**measure_pitch(full), **measure_formants(full), **measure_perturbation(full), **measure_dialogues(full)}
    return {**figures, **measure_opensmile(), **measure_praat()}


def measure_pitch(full: bool) -> dict[str, float]:
    """Pitch of vowels and glides at 10 dB."""
    figures = {}
    for colour, prefix in (("white", ""), ("pink", "pink_")):
        errors, frames = [], 0
        rng = np.random.default_rng(1)
        for vowel in _vowels(full, rng):
            voice = analyse(as_audio(add_noise(vowel.sound, 10, rng, colour)))
            times = voice.times_ns / NS_PER_S
            inside = (times > EDGE_S) & (times < times[-1] - EDGE_S)
            heard = voice.voiced & inside
            errors.append(np.abs(voice.pitch_hz[heard] / vowel.pitch_at(times[heard]) - 1))
            frames += int(np.count_nonzero(inside))
        error = np.concatenate(errors)
        figures[f"{prefix}pitch_error"] = float(np.median(error))
        figures[f"{prefix}pitch_gross"] = float(np.mean(error > 0.2))
        figures[f"{prefix}pitch_found"] = len(error) / frames
    return figures


def _vowels(full: bool, rng: np.random.Generator) -> Iterator[Vowel]:
    chosen = VOWELS if full else VOWELS[::3]
    for _, formants, _ in chosen:
        for f0 in STEADY_HZ:
            yield make_vowel(_steady(f0), tract(formants, f0), 1.2, rng, jitter=0.003, shimmer=0.02)
        for low, high in GLIDES_HZ:
            yield make_vowel(_glide(low, high), tract(formants, low), 1.2, rng, jitter=0.003, shimmer=0.02)


def _steady(f0: float) -> Callable[[float], float]:
    return lambda t: f0


def _glide(low: float, high: float) -> Callable[[float], float]:
    return lambda t: low * (high / low) ** (t / 1.2)


def measure_formants(full: bool) -> dict[str, float]:
    """Frequencies of F1 to F3 of clean vowels with a little jitter."""
    rng = np.random.default_rng(2)
    errors: list[list[Floats]] = [[], [], []]
    for _, formants, _ in VOWELS:
        for f0 in (100.0, 130.0, 180.0, 230.0) if full else (110.0, 200.0):
            planted = tract(formants, f0)
            voice = analyse(as_audio(make_vowel(_steady(f0), planted, 0.8, rng, jitter=0.01).sound))
            for at in range(3):
                heard = voice.detail.formants_hz[:, at]
                errors[at].append(np.abs(heard[heard > 0] / planted[at] - 1))
    return {f"formant_error_{at + 1}": float(np.median(np.concatenate(errors[at]))) for at in range(3)}


def measure_perturbation(full: bool) -> dict[str, float]:
    """Jitter and shimmer planted into vowels."""
    rng = np.random.default_rng(3)
    jitter, shimmer = [], []
    for _, formants, _ in VOWELS if full else VOWELS[::3]:
        for f0 in (90.0, 120.0, 180.0, 240.0, 320.0) if full else (110.0, 220.0):
            for planted in PLANTED:
                vowel = make_vowel(_steady(f0), tract(formants, f0), 1.5, rng, jitter=planted[0], shimmer=planted[1])
                detail = analyse(as_audio(vowel.sound)).detail
                jitter.append(abs(float(detail.jitter[detail.regular].mean()) / vowel.jitter - 1))
                shimmer.append(abs(float(detail.shimmer_db[detail.regular].mean()) / vowel.shimmer_db - 1))
    return {
        "jitter_worst": max(jitter),
        "jitter_median": float(np.median(jitter)),
        "shimmer_worst": max(shimmer),
        "shimmer_median": float(np.median(shimmer)),
    }


def measure_dialogues(full: bool) -> dict[str, float]:
    """Turns, pauses, speakers, filled pauses and response latencies of dialogues."""
    figures: dict[str, float] = {}
    seeds = range(6 if full else 2)
    for suffix, settings in (("", {}), ("_10_db", {"snr_db": 10.0}), ("_overlap", {"overlap": True})):
        turn, pause, right, extra = [], [], [], 0
        hits = planted = claimed = 0
        latency = []
        for seed in seeds:
            dialogue = make_dialogue(seed, **settings)
            for person, encoding in enumerate(encode_dialogue(dialogue)):
                truth = dialogue.turns[person]
                turns = _spans(encoding, "speech_turn")
                turn.append(boundary_errors([(one.onset_s, one.offset_s) for one in truth], turns))
                wanted = [span for one in truth for span in one.pauses_s]
                pause.append(boundary_errors(wanted, _spans(encoding, "pause")))
                extra += max(0, len(turns) - len(truth))
                times = encoding.track.times_ns / NS_PER_S
                right.append(dialogue.speaking(person, times) == (encoding.track.column("speech")[0] > 0.5))
                filled = _spans(encoding, "filled_pause")
                hits += sum(bool(_overlapping(one, filled)) for one in dialogue.filled_s[person])
                planted, claimed = planted + len(dialogue.filled_s[person]), claimed + len(filled)
                if person == 1:
                    latency += _latency_errors(dialogue, encoding.events)
        figures |= {
            f"turn_within{suffix}": float(np.mean(np.concatenate(turn) <= NEAR_S)),
            f"pause_within{suffix}": float(np.mean(np.concatenate(pause) <= NEAR_S)),
            f"boundary_95_s{suffix}": float(np.percentile(np.concatenate(turn + pause), 95)),
            f"false_turns{suffix}": float(extra),
            f"speaker_right{suffix}": float(np.mean(np.concatenate(right))),
        }
        if not suffix:
            figures |= {"filled_recall": hits / max(1, planted), "filled_precision": hits / max(1, claimed)}
            figures["latency_error_s"] = max(latency)
    return figures


def encode_dialogue(dialogue: Dialogue) -> list[Encoding]:
    """Encode both people of a dialogue from their own microphones."""
    settings = {"questions_s": list(dialogue.questions_s)}
    tasks = [
        Task(f"p{at}", {f"m{at}": as_audio(sound, name=f"m{at}")}, Interval(0, 3600 * NS_PER_S), settings)
        for at, sound in enumerate(dialogue.microphones)
    ]
    return VoiceEncoder().encode_together(tasks)


def _spans(encoding: Encoding, kind: str) -> list[tuple[float, float]]:
    return [(e.onset_ns / NS_PER_S, e.offset_ns / NS_PER_S) for e in encoding.events if e.kind == kind]


def _overlapping(one: tuple[float, float], found: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [two for two in found if min(one[1], two[1]) - max(one[0], two[0]) > 0.5 * (one[1] - one[0])]


def _latency_errors(dialogue: Dialogue, events: tuple[Event, ...]) -> list[float]:
    """Of each answer; 9 where none was found."""
    found = {round(e.onset_ns / NS_PER_S, 3): e.score for e in events if e.kind == "response"}
    errors = []
    for asked, answer in zip(dialogue.questions_s, dialogue.turns[1], strict=True):
        heard = found.get(round(asked, 3))
        errors.append(9.0 if heard is None else abs(heard - (answer.onset_s - asked)))
    return errors


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:40} {value:.4g}")
