"""The voice channel against other people's programs on the shared recordings: openSMILE, Praat, pyin, and the time.

Each is compared where it is installed (the extra `references`) and where TELLTALE_DATA names the recordings.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.voice_sounds import RATE_HZ, as_audio, make_vowel, tract
from data_schemas.intervals import Interval
from data_schemas.stream import Audio
from data_schemas.time import NS_PER_S
from modalities.base import Task
from modalities.voice.analysis import analyse
from modalities.voice.egemaps import Descriptors, egemaps_lld
from modalities.voice.egemaps_names import LLD_NAMES
from modalities.voice.encoder import VoiceEncoder
from pipeline.simulate.speech import VOWELS

Floats = NDArray[np.float64]

RECORDINGS = ("jfk.flac", "speech_60s_16k.wav", "198-209-0000.ogg")
_LONG = ("F0", "jitter", "shimmer", "HNR", "logRel")
"""Descriptors for which openSMILE looks at 60 ms instead of 20 ms, from the same start."""


def measure_opensmile() -> dict[str, float]:
    """Agreement with openSMILE, frame by frame, and the time both take; {} without it or without the recordings."""
    try:
        import opensmile  # noqa: F401
    except ImportError:
        return {}
    agreement: dict[str, list[float]] = {name: [] for name in (*LLD_NAMES, *_PITCHES)}
    figures: dict[str, float] = {}
    for name, sound, rate_hz in _recordings():
        audio = as_audio(sound, rate_hz, name)
        own, other = egemaps_lld(audio), egemaps_lld(audio, backend="opensmile")
        for column in LLD_NAMES:
            agreement[column].append(correlate(own, other, column))
        for column, value in zip(_PITCHES, _three_pitches(sound, rate_hz, own, other), strict=True):
            agreement[column].append(value)
        if name.startswith("speech_60s"):
            figures["time_ratio"] = _time_ratio(audio)
    if not figures:
        return {}
    return {**figures, **_reference_formants(), **_summary("opensmile", agreement)}


def measure_praat() -> dict[str, float]:
    """Agreement with Praat's defaults (autocorrelation pitch, cross-correlation harmonicity, Burg formants up to
    5500 Hz) where both hear voice: r, and for hertz the median relative difference; {} without it.
    """
    try:
        import parselmouth
    except ImportError:
        return {}
    agreement: dict[str, list[float]] = {}
    for name, sound, rate_hz in _recordings():
        voice = analyse(as_audio(sound, rate_hz, name), harmonics=True)
        theirs = parselmouth.Sound(sound, rate_hz)
        pitch = theirs.to_pitch_ac(time_step=0.01, pitch_floor=60, pitch_ceiling=500)
        harmonicity = theirs.to_harmonicity_cc(time_step=0.01, minimum_pitch=60)
        formants = theirs.to_formant_burg(time_step=0.01, maximum_formant=5500)
        at_s = 0.01 * np.arange(len(voice.pitch_hz))
        heard = np.array([pitch.get_value_at_time(t) for t in at_s])
        pairs = {"pitch": (voice.pitch_hz, heard)}
        pairs["hnr"] = (voice.hnr_db, np.array([harmonicity.get_value(t) for t in at_s]))
        for which in range(3):
            found = np.array([formants.get_value_at_time(which + 1, t) for t in at_s])
            pairs[f"f{which + 1}"] = (voice.detail.formants_hz[:, which], found)
        for column, (mine, other) in pairs.items():
            both = np.isfinite(mine) & np.isfinite(other) & (heard > 0) & voice.voiced
            both &= (mine > 0) | (column == "hnr")
            agreement.setdefault(f"r_{column}", []).append(float(np.corrcoef(mine[both], other[both])[0, 1]))
            if column != "hnr":
                off = float(np.median(np.abs(mine[both] / other[both] - 1)))
                agreement.setdefault(f"off_{column}", []).append(off)
    return _summary("praat", agreement)


def _recordings() -> Iterator[tuple[str, Floats, float]]:
    """Name, sound (n,) mixed to one channel and rate of each recording; nothing without TELLTALE_DATA."""
    import soundfile

    folder = os.environ.get("TELLTALE_DATA")
    for name in RECORDINGS if folder else ():
        sound, rate_hz = soundfile.read(Path(folder or "") / "audio" / name, always_2d=True, dtype="float32")
        yield name, sound.mean(axis=1), float(rate_hz)


def _summary(tool: str, agreement: dict[str, list[float]]) -> dict[str, float]:
    """`TOOL_NAME` is the median over recordings, `TOOL_NAME_least` and `_most` their range."""
    figures: dict[str, float] = {}
    for name, values in agreement.items():
        figures[f"{tool}_{name}"] = float(np.median(values))
        figures[f"{tool}_{name}_least"], figures[f"{tool}_{name}_most"] = min(values), max(values)
    return figures


_PITCHES = ("pitch_inside", "pitch_pyin", "opensmile_pitch_pyin")


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
        planted = tract(formants, 110.0)
        found = egemaps_lld(as_audio(make_vowel(lambda t: 110.0, planted, 0.8, rng).sound), backend="opensmile")
        for at in range(3):
            heard = float(np.median(found.column(f"F{at + 1}frequency_sma3nz")[0][10:-10]))
            errors[at].append(abs(heard / planted[at] - 1))
    return {f"opensmile_formant_error_{at + 1}": float(np.median(errors[at])) for at in range(3)}


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
