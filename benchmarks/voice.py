"""The voice channel against known truth and against openSMILE. `python -m benchmarks.voice [--full]`.

Vowels and dialogues are synthesised with known truth (`voice_sounds`, `voice_dialogue`). openSMILE is compared where it
is installed (the extra `egemaps`) and where TELLTALE_DATA names the shared recordings.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.voice_dialogue import Dialogue, boundary_errors, make_dialogue
from benchmarks.voice_sounds import RATE_HZ, Vowel, add_noise, make_vowel
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.stream import Audio, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from modalities.base import Task
from modalities.voice.analysis import Voice, analyse
from modalities.voice.egemaps import Descriptors, egemaps_lld
from modalities.voice.egemaps_names import LLD_NAMES
from modalities.voice.encoder import VoiceEncoder
from pipeline.simulate.speech import VOWELS

Floats = NDArray[np.float64]

STEADY_HZ = (80.0, 110.0, 150.0, 210.0, 290.0, 400.0)
GLIDES_HZ = ((90.0, 180.0), (240.0, 120.0), (180.0, 320.0), (150.0, 75.0))
PLANTED = ((0.005, 0.03), (0.01, 0.06), (0.02, 0.1))
"""Standard deviations of periods and amplitudes, as shares."""
RECORDINGS = ("jfk.flac", "speech_60s_16k.wav", "198-209-0000.ogg")
EDGE_S = 0.05
NEAR_S = 0.05
_LONG = ("F0", "jitter", "shimmer", "HNR", "logRel")
"""Descriptors for which openSMILE looks at 60 ms instead of 20 ms, from the same start."""


def as_audio(sound: NDArray[np.floating], rate_hz: float = RATE_HZ, name: str = "voice") -> Audio:
    """A stream over an array (n,) or (n, channels)."""
    wide = np.asarray(sound, np.float32)
    wide = wide[:, None] if wide.ndim == 1 else wide
    info = StreamInfo(name, "audio", "session", "p01")
    return Audio(
        info=info,
        axis=Regular.from_rate(rate_hz, len(wide)),
        source=lambda first, count: wide[first : first + count],
        channels=wide.shape[1],
    )


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
        `filled_recall`, `filled_precision`; `latency_error_s`. With the shared recordings `r_<descriptor>` against
        openSMILE, the least over the recordings, and `median_r_<descriptor>`; `r_pitch_inside` 40 ms or more from the
        edges of voice, where openSMILE's smoothing mixes in what it took for voice outside; `r_pitch_pyin` and
        `r_opensmile_pitch_pyin`, both against pyin; `r_independent_f1..3` against Burg's predictor;
        `opensmile_formant_error_1..3`, its own error on vowels with planted formants; `time_ratio`.
    """
    figures = {**measure_pitch(full), **measure_formants(full), **measure_perturbation(full), **measure_dialogues(full)}
    return {**figures, **measure_recordings()}


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
            frames += np.count_nonzero(inside)
        error = np.concatenate(errors)
        figures[f"{prefix}pitch_error"] = float(np.median(error))
        figures[f"{prefix}pitch_gross"] = float(np.mean(error > 0.2))
        figures[f"{prefix}pitch_found"] = len(error) / frames
    return figures


def _vowels(full: bool, rng: np.random.Generator) -> Iterator[Vowel]:
    chosen = VOWELS if full else VOWELS[::3]
    for _, formants, _ in chosen:
        for f0 in STEADY_HZ:
            yield make_vowel(lambda t, f0=f0: f0, _tract(formants, f0), 1.2, rng, jitter=0.003, shimmer=0.02)
        for low, high in GLIDES_HZ:
            glide: Callable[[float], float] = lambda t, low=low, high=high: low * (high / low) ** (t / 1.2)  # noqa: E731
            yield make_vowel(glide, _tract(formants, low), 1.2, rng, jitter=0.003, shimmer=0.02)


def _tract(formants: tuple[float, ...], f0_hz: float) -> tuple[float, ...]:
    """The formants are women's; a longer vocal tract goes with a low voice."""
    return tuple((0.86 if f0_hz < 140 else 1.0) * one for one in formants)


def measure_formants(full: bool) -> dict[str, float]:
    """Frequencies of F1 to F3 of clean vowels with a little jitter."""
    rng = np.random.default_rng(2)
    errors: list[list[Floats]] = [[], [], []]
    for _, formants, _ in VOWELS:
        for f0 in (100.0, 130.0, 180.0, 230.0) if full else (110.0, 200.0):
            planted = _tract(formants, f0)
            voice = analyse(as_audio(make_vowel(lambda t, f0=f0: f0, planted, 0.8, rng, jitter=0.01).sound))
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
                vowel = make_vowel(
                    lambda t, f0=f0: f0, _tract(formants, f0), 1.5, rng, jitter=planted[0], shimmer=planted[1]
                )
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


def measure_recordings() -> dict[str, float]:
    """Agreement with openSMILE, frame by frame, on the shared recordings, and the time both take; {} without either."""
    folder = os.environ.get("TELLTALE_DATA")
    try:
        import opensmile  # noqa: F401
    except ImportError:
        return {}
    if not folder:
        return {}
    import soundfile

    agreement: dict[str, list[float]] = {name: [] for name in (*LLD_NAMES, *_INDEPENDENT, *_PITCHES)}
    figures: dict[str, float] = {}
    for recording in RECORDINGS:
        sound, rate_hz = soundfile.read(Path(folder) / "audio" / recording, always_2d=True, dtype="float32")
        audio = as_audio(sound.mean(axis=1), rate_hz, recording)
        voice = analyse(audio, harmonics=True)
        own, other = egemaps_lld(audio), egemaps_lld(audio, backend="opensmile")
        for name in LLD_NAMES:
            agreement[name].append(correlate(own, other, name))
        pitch = _three_pitches(sound.mean(axis=1), rate_hz, own, other)
        for name, value in zip(_PITCHES, pitch, strict=True):
            agreement[name].append(value)
        for at, name in enumerate(_INDEPENDENT):
            agreement[name].append(_independent_formants(sound.mean(axis=1), rate_hz, voice, at))
        if recording.startswith("speech_60s"):
            figures["time_ratio"] = _time_ratio(audio)
    figures |= _reference_formants()
    least = {f"r_{name}": min(values) for name, values in agreement.items()}
    return {**figures, **least, **{f"median_r_{name}": float(np.median(v)) for name, v in agreement.items()}}


_PITCHES = ("pitch_inside", "pitch_pyin", "opensmile_pitch_pyin")
_INDEPENDENT = ("independent_f1", "independent_f2", "independent_f3")


def correlate(own: Descriptors, other: Descriptors, name: str) -> float:
    """Pearson's r over the frames where both have a value, joined by the middles of what they look at."""
    mine, ok = own.column(name)
    theirs, also = other.column(name)
    late_ns = 20_000_000 if name.startswith(_LONG) else 0
    at = np.rint((other.times_ns + late_ns - own.times_ns[0]) / 10_000_000).astype(int)
    inside = (at >= 0) & (at < len(mine))
    both = inside & also & ok[np.clip(at, 0, len(mine) - 1)]
    if np.count_nonzero(both) < 10:
        return float("nan")
    return float(np.corrcoef(mine[at[both]], theirs[both])[0, 1])


def _three_pitches(sound: Floats, rate_hz: float, own: Descriptors, other: Descriptors) -> tuple[float, float, float]:
    """Pearson's r in semitones: own with openSMILE 40 ms or more inside voice; own, and openSMILE, with pyin."""
    import librosa
    from scipy.ndimage import binary_erosion

    name = "F0semitoneFrom27.5Hz_sma3nz"
    (mine, ok), (theirs, also) = own.column(name), other.column(name)
    at = np.clip(np.rint((other.times_ns + 20_000_000) / 10_000_000).astype(int), 0, len(mine) - 1)
    inside = binary_erosion(ok, iterations=4)[at] & binary_erosion(also, iterations=4)
    low = librosa.resample(np.asarray(sound, np.float64), orig_sr=rate_hz, target_sr=RATE_HZ)
    third, heard, _ = librosa.pyin(low, fmin=60, fmax=500, sr=RATE_HZ, frame_length=1024, hop_length=160)
    there = np.clip(at, 0, len(third) - 1)
    both = ok[at] & also & heard[there]
    judge = 12 * np.log2(third[there][both])
    return (
        float(np.corrcoef(mine[at][inside], theirs[inside])[0, 1]),
        float(np.corrcoef(mine[at][both], judge)[0, 1]),
        float(np.corrcoef(theirs[both], judge)[0, 1]),
    )


def _reference_formants() -> dict[str, float]:
    """How far openSMILE's own formants are from the planted ones, on clean vowels at 110 Hz; median over the vowels."""
    rng = np.random.default_rng(2)
    errors: list[list[float]] = [[], [], []]
    for _, formants, _ in VOWELS:
        planted = _tract(formants, 110.0)
        found = egemaps_lld(as_audio(make_vowel(lambda t: 110.0, planted, 0.8, rng).sound), backend="opensmile")
        for at in range(3):
            heard = float(np.median(found.column(f"F{at + 1}frequency_sma3nz")[0][10:-10]))
            errors[at].append(abs(heard / planted[at] - 1))
    return {f"opensmile_formant_error_{at + 1}": float(np.median(errors[at])) for at in range(3)}


def _independent_formants(sound: Floats, rate_hz: float, voice: Voice, which: int) -> float:
    """Pearson's r of a formant with the roots of Burg's predictor at 11 kHz (librosa), nearest root, voiced frames."""
    import librosa

    low = librosa.resample(np.asarray(sound, np.float64), orig_sr=rate_hz, target_sr=11000)
    low = np.append(low[0], low[1:] - 0.97 * low[:-1])
    mine, theirs = [], []
    for frame in np.flatnonzero(voice.detail.formants_hz[:, which] > 0)[::3].tolist():
        centre = round(frame * 110)
        cut = low[max(0, centre - 138) : centre + 138]
        if len(cut) < 276 or not np.any(cut):
            continue
        roots = np.roots(librosa.lpc(cut * np.hamming(276), order=11))
        hertz = np.angle(roots) * 11000 / (2 * np.pi)
        width = -np.log(np.abs(roots)) * 11000 / np.pi
        fits = np.sort(hertz[(hertz > 90) & (hertz < 5300) & (width < 900)])
        if len(fits) > which:
            mine.append(voice.detail.formants_hz[frame, which])
            theirs.append(fits[which])
    return float(np.corrcoef(mine, theirs)[0, 1])


def _time_ratio(audio: Audio) -> float:
    """Processor time of the encoder with eGeMAPS over that of openSMILE's eGeMAPS, each the best of three."""
    task = Task("p01", {"voice": audio}, Interval(0, 3600 * NS_PER_S), {"egemaps": True})
    own = _least_time(lambda: VoiceEncoder().encode(task))
    return own / _least_time(lambda: egemaps_lld(audio, backend="opensmile"))


def _least_time(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:40} {value:.4g}")
