"""The voice encoder on constructed speech with known truth, on bad sound, and on real speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, UnreadableFileError
from data_schemas.features import Encoding
from data_schemas.intervals import Interval, IntervalSet
from data_schemas.stream import Audio, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from modalities.base import Task
from modalities.registry import load_encoder
from modalities.voice.blocks import CONTEXT, HOP, Sound

S = NS_PER_S


def audio(
    sound: np.ndarray, rate_hz: float, *, name: str = "voice", start_ns: int = 0, holes: IntervalSet | None = None
) -> Audio:
    """An audio stream over an array (n,) or (n, channels)."""
    wide = np.asarray(sound, np.float32)
    wide = wide[:, None] if wide.ndim == 1 else wide
    return Audio(
        info=StreamInfo(name, "audio", "session", "p01"),
        axis=Regular.from_rate(rate_hz, len(wide), start_ns),
        source=lambda first, count: wide[first : first + count],
        channels=wide.shape[1],
        native_support=holes,
    )


def encode(*streams: Audio, **wishes: object) -> Encoding:
    task = Task("p01", {one.info.name: one for one in streams}, Interval(0, 3600 * S), wishes)
    return load_encoder("voice").encode(task).check()


def spans(encoding: Encoding, kind: str, label: str | None = None) -> np.ndarray:
    """Onsets and offsets in seconds, shape (k, 2)."""
    found = [e for e in encoding.events if e.kind == kind and label in (None, e.label)]
    return np.array([(e.onset_ns / S, e.offset_ns / S) for e in found]).reshape(-1, 2)


def speak(
    phrases: list[tuple[float, float]], seconds: float, rate_hz: float = 16000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phrases of 5 syllables a second, pitch falling through each; returns sound, f0 per sample, syllable middles."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    envelope, f0 = np.zeros(len(t)), np.full(len(t), 150.0)
    middles = []
    for first, last in phrases:
        inside = (t >= first) & (t < last)
        count = max(1, round((last - first) * 5))
        phase = (t[inside] - first) / (last - first) * count
        envelope[inside] = rng.uniform(0.5, 1, count + 1)[phase.astype(int)] * (
            0.12 + 0.88 * np.sin(np.pi * phase) ** 2
        )
        f0[inside] = 190 * np.exp(-0.35 * (t[inside] - first)) + 8 * np.sin(2 * np.pi * 1.3 * t[inside])
        middles += [first + (k + 0.5) * (last - first) / count for k in range(count)]
    phase = np.cumsum(f0) / rate_hz
    source = np.diff(phase % 1.0, prepend=0.0) + 0.01 * rng.standard_normal(len(t))
    sound = source
    for formant, width in ((650, 80), (1300, 100), (2500, 140)):
        if formant < 0.45 * rate_hz:
            radius = np.exp(-np.pi * width / rate_hz)
            poles = [1, -2 * radius * np.cos(2 * np.pi * formant / rate_hz), radius**2]
            sound = lfilter([sum(poles)], poles, sound)
    sound = 0.3 * envelope * sound / np.abs(sound).max()
    return sound + 0.0003 * rng.standard_normal(len(t)), f0, np.array(middles)


PHRASES = [(1.0, 2.6), (3.0, 4.5), (5.05, 6.8), (9.0, 10.4), (10.65, 12.2)]
PAUSES = np.array([(2.6, 3.0), (4.5, 5.05), (10.4, 10.65)])
TURNS = np.array([(1.0, 6.8), (9.0, 12.2)])


@pytest.mark.parametrize("snr_db", [None, 20, 10])
def test_turns_pauses_syllables_and_pitch_of_constructed_speech(snr_db: float | None) -> None:
    sound, f0, middles = speak(PHRASES, 14)
    if snr_db is not None:
        sound = sound + np.random.default_rng(1).standard_normal(len(sound)) * sound.std() * 10 ** (-snr_db / 20)
    found = encode(audio(sound, 16000))
    np.testing.assert_allclose(spans(found, "speech_turn"), TURNS, atol=0.08)
    np.testing.assert_allclose(spans(found, "pause", "within a turn"), PAUSES, atol=0.08)
    np.testing.assert_allclose(spans(found, "pause", "between turns"), [(6.8, 9.0)], atol=0.08)
    pitch, valid = found.track.column("pitch_hz")
    at = np.minimum(np.rint(found.track.times_ns / S * 16000).astype(int), len(f0) - 1)
    error = np.abs(pitch[valid] / f0[at[valid]] - 1)
    assert np.median(error) < 0.01 and np.mean(error > 0.2) < 0.02
    assert valid.sum() > 0.8 * 100 * sum(b - a for a, b in PHRASES)
    syllables = sum(e.details["syllables"] for e in found.events if e.kind == "speech_turn")
    assert abs(syllables - len(middles)) <= 0.1 * len(middles)
    rate, known = found.track.column("syllable_rate_hz")
    assert 4 < np.median(rate[known]) < 6
    assert not known[found.track.times_ns < 0.8e9 - 1.5e9].any()
    share, _ = found.track.column("talking_share")
    spoken = sum(min(b, 12) - max(a, 2) for a, b in PHRASES)
    assert share[1200] == pytest.approx(spoken / 10, abs=0.06)


def test_pitch_is_valid_only_where_voiced_and_the_rest_stays() -> None:
    found = encode(audio(speak(PHRASES, 14)[0], 16000))
    pitch, valid = found.track.column("pitch_hz")
    voicing, known = found.track.column("voicing")
    assert np.array_equal(valid, voicing >= 0.5)
    assert known.all() and 0.3 < valid.mean() < 0.7
    assert set(found.track.reason) == {""}
    assert np.all((pitch[valid] >= 60) & (pitch[valid] <= 500))


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000])
def test_rates_and_channels(rate_hz: float) -> None:
    sound, _, _ = speak(PHRASES, 14, rate_hz)
    found = encode(audio(np.stack([sound, sound], axis=1), rate_hz))
    np.testing.assert_allclose(spans(found, "speech_turn"), TURNS, atol=0.08)
    np.testing.assert_allclose(found.track.times_ns, np.arange(len(found.track.times_ns)) * 10_000_000, atol=70_000)
    assert any("8000 Hz" in text for text in found.warnings) == (rate_hz == 8000)


def test_one_channel_on_request() -> None:
    sound, _, _ = speak(PHRASES, 14)
    both = np.stack([np.zeros_like(sound), sound], axis=1)
    assert not len(spans(encode(audio(both, 16000), channel=0), "speech_turn"))
    assert len(spans(encode(audio(both, 16000), channel=1), "speech_turn")) == 2
    with pytest.raises(InvalidValueError, match="no such channel"):
        encode(audio(both, 16000), channel=2)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000, 44103, 11025.7])
def test_block_boundaries_leave_no_trace(rate_hz: float) -> None:
    sound = audio(np.random.default_rng(0).standard_normal(round(7.013 * rate_hz)) * 0.3, rate_hz)
    whole = next(iter(Sound(sound).blocks(1000)))
    parts = list(Sound(sound).blocks(0.7))
    assert len(parts) > 2 and sum(part.frames for part in parts) == whole.frames == Sound(sound).frames
    np.testing.assert_array_equal(np.concatenate([part.top for part in parts]), whole.top)
    assert sum(part.clipped for part in parts) == whole.clipped
    for part in parts:
        at = part.first * HOP
        assert len(part.sound) == (part.frames - 1) * HOP + 2 * CONTEXT
        np.testing.assert_allclose(part.sound, whole.sound[at : at + len(part.sound)], atol=1e-6)


def test_whole_encoding_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = audio(speak(PHRASES, 14, 44100)[0], 44100)
    whole = encode(sound)
    monkeypatch.setattr(Sound.blocks, "__defaults__", (1.1,))
    cut = encode(sound)
    assert [(e.kind, e.onset_ns, e.offset_ns) for e in cut.events] == [
        (e.kind, e.onset_ns, e.offset_ns) for e in whole.events
    ]
    np.testing.assert_array_equal(cut.track.valid, whole.track.valid)
    np.testing.assert_allclose(cut.track.values, whole.track.values, rtol=1e-3, atol=1e-3)


def test_only_one_block_of_sound_is_read_at_a_time_and_each_twice_at_most() -> None:
    asked: list[int] = []

    def source(first: int, count: int) -> np.ndarray:
        asked.append(count)
        return np.random.default_rng(first).standard_normal((count, 1)).astype(np.float32) * 0.01

    axis = Regular.from_rate(16000, 16000 * 200)
    encode(Audio(info=StreamInfo("a", "audio", "session", "p01"), axis=axis, source=source, channels=1))
    assert max(asked) < 16000 * 32 and sum(asked) < 2.2 * axis.n


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, -0.3])
def test_constants_are_silent(level: float) -> None:
    found = encode(audio(np.full(32000, level), 16000))
    assert set(found.track.reason) == {"silent"} and not found.track.valid.any() and not found.events
    assert found.quality["silent_share"] == 1


def test_less_than_one_step_of_16_bits_is_silent_but_quiet_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    assert set(encode(audio(rng.uniform(-0.9, 0.9, 32000) / 32768, 16000)).track.reason) == {"silent"}
    assert set(encode(audio(rng.uniform(-4, 4, 32000) / 32768, 16000)).track.reason) == {""}


def test_silence_between_phrases_is_masked_and_still_a_pause() -> None:
    sound, _, _ = speak(PHRASES, 14)
    t = np.arange(len(sound)) / 16000
    sound[~np.any([(t >= a) & (t < b) for a, b in PHRASES], axis=0)] = 0
    found = encode(audio(sound, 16000))
    np.testing.assert_allclose(spans(found, "pause", "within a turn"), PAUSES, atol=0.08)
    middle = (found.track.times_ns > 4.55e9) & (found.track.times_ns < 5.0e9)
    assert set(found.track.reason[middle]) == {"silent"} and not found.track.valid[middle].any()


def tone_with_hum(t: np.ndarray) -> np.ndarray:
    return sum(0.1 / k * np.sin(2 * np.pi * 50 * k * t) for k in range(1, 10))


def melody(t: np.ndarray) -> np.ndarray:
    notes = np.random.default_rng(2).choice([220.0, 262.0, 330.0, 392.0], 100)
    phase = np.cumsum(notes[(t * 2).astype(int)]) * (t[1] - t[0])
    return 0.1 * np.exp(-6 * (t % 0.5)) * sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 6))


@pytest.mark.parametrize(
    ("name", "most"),
    [("white", 0.005), ("hum", 0.005), ("step", 0.005), ("beating noise", 0.02), ("clicks", 0.02), ("melody", 0.3)],
)
def test_what_is_not_speech(name: str, most: float) -> None:
    rng = np.random.default_rng(4)
    t = np.arange(12 * 16000) / 16000
    white = rng.standard_normal(len(t))
    sound = {
        "white": lambda: 0.1 * white,
        "hum": lambda: tone_with_hum(t) + 0.001 * white,
        "step": lambda: np.where(t < 6, 0.002, 0.1) * white,
        "beating noise": lambda: 0.1 * (1 + np.sin(2 * np.pi * 4 * t)) * white,
        "clicks": lambda: 0.001 * white + 0.5 * (np.arange(len(t)) % 8000 == 0),
        "melody": lambda: melody(t) + 0.0005 * white,
    }[name]()
    found = encode(audio(sound, 16000))
    assert found.track.column("speech")[0].mean() <= most


def test_hum_in_the_pauses_has_no_pitch() -> None:
    sound, _, _ = speak(PHRASES, 14)
    t = np.arange(len(sound)) / 16000
    found = encode(audio(sound + 0.03 * tone_with_hum(t), 16000))
    pause = (found.track.times_ns > 7.1e9) & (found.track.times_ns < 8.8e9)
    assert found.track.column("pitch_hz")[1][pause].mean() < 0.05
    np.testing.assert_allclose(spans(found, "speech_turn"), TURNS, atol=0.08)


def test_clipping_is_reported() -> None:
    sound, _, _ = speak(PHRASES, 14)
    found = encode(audio(np.clip(12 * sound, -1, 1), 16000))
    assert found.quality["clipped_share"] > 0.01
    assert any("clipped" in text for text in found.warnings)
    assert encode(audio(sound, 16000)).quality["clipped_share"] == 0


def test_quality_estimates_the_signal_to_noise_ratio() -> None:
    sound, _, _ = speak(PHRASES, 14)
    t = np.arange(len(sound)) / 16000
    talking = np.any([(t >= a) & (t < b) for a, b in PHRASES], axis=0)
    power = np.mean(sound[talking] ** 2)
    for snr_db in (30, 20, 10):
        noise = np.random.default_rng(2).standard_normal(len(sound)) * np.sqrt(power) * 10 ** (-snr_db / 20)
        assert encode(audio(sound + noise, 16000)).quality["snr_db"] == pytest.approx(snr_db, abs=3)


def test_holes_of_the_support_are_gaps() -> None:
    sound, _, _ = speak([(1.0, 6.0)], 8)
    t = np.arange(len(sound)) / 16000
    sound[(t >= 3) & (t < 4)] = 0.7
    found = encode(audio(sound, 16000, holes=IntervalSet([(0, 3 * S), (4 * S, 8 * S)])))
    inside = (found.track.times_ns >= 3 * S) & (found.track.times_ns < 4 * S)
    assert set(found.track.reason[inside]) == {"gap"} and not found.track.valid[inside].any()
    np.testing.assert_allclose(spans(found, "speech_turn"), [(1, 3), (4, 6)], atol=0.08)
    assert not len(spans(found, "pause"))


def test_start_time_and_broken_samples() -> None:
    sound, _, _ = speak(PHRASES, 14)
    sound[16000 * 5 : 16000 * 5 + 400] = np.nan
    found = encode(audio(sound, 16000, start_ns=-3 * S))
    np.testing.assert_allclose(spans(found, "speech_turn")[0, 0], TURNS[0, 0] - 3, atol=0.08)
    assert set(found.track.reason[(found.track.times_ns > 2.005 * S) & (found.track.times_ns < 2.02 * S)]) == {"gap"}


@pytest.mark.parametrize("n", [0, 1, 2, 159, 500])
def test_very_short(n: int) -> None:
    found = encode(audio(np.random.default_rng(0).uniform(-0.5, 0.5, n), 16000))
    assert not found.track.valid.any() and set(found.track.reason) <= {"too_short"}
    assert len(found.track.times_ns) == (0 if n == 0 else max(1, -(-n // 160)))


def test_the_first_stream_that_is_not_silent_is_taken() -> None:
    sound, _, _ = speak(PHRASES, 14)
    found = encode(audio(np.zeros(16000), 16000, name="camera"), audio(sound, 16000, name="microphone"))
    assert found.streams == ("microphone",) and any("camera" in text for text in found.warnings)


def test_a_file_that_breaks_keeps_what_was_read() -> None:
    sound, _, _ = speak(PHRASES, 14)
    wide = np.tile(sound, 6).astype(np.float32)[:, None]

    def source(first: int, count: int) -> np.ndarray:
        if first + count > 60 * 16000:
            raise UnreadableFileError("the file breaks", file="x.wav")
        return wide[first : first + count]

    axis = Regular.from_rate(16000, len(wide))
    found = encode(Audio(info=StreamInfo("a", "audio", "session", "p01"), axis=axis, source=source, channels=1))
    assert 25 < found.track.times_ns[-1] / S < 60 and any("x.wav" in text for text in found.warnings)
    with pytest.raises(UnreadableFileError):
        short = Regular.from_rate(16000, 61 * 16000 * 1000)
        encode(
            Audio(
                info=StreamInfo("a", "audio", "session", "p01"),
                axis=short,
                source=lambda f, c: source(f + axis.n, c),
                channels=1,
            )
        )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6000),
    st.sampled_from([4000, 8000, 16000, 22050, 96000]),
    st.integers(1, 3),
)
def test_random_sound_never_raises(seed: int, n: int, rate_hz: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal((n, channels)) * 10 ** rng.uniform(-7, 4)
    sound[rng.random((n, channels)) < rng.choice([0, 0.01, 0.9])] = rng.choice([0, np.nan, np.inf, -np.inf, 1])
    found = encode(audio(sound, rate_hz, start_ns=int(rng.integers(-(10**12), 10**12))))
    assert np.all(found.track.valid.any(axis=1) == (found.track.reason == ""))


@pytest.mark.parametrize(
    ("name", "talk", "low", "high"),
    [("jfk.flac", 0.5, 150, 300), ("speech_60s_16k.wav", 0.6, 130, 250), ("198-209-0000.ogg", 0.6, 150, 260)],
)
def test_real_speech(data_dir: Path, name: str, talk: float, low: float, high: float) -> None:
    import librosa
    import soundfile

    sound, rate_hz = soundfile.read(data_dir / "audio" / name, frames=9 * 44100, always_2d=True)
    found = encode(audio(sound, rate_hz))
    assert talk < found.quality["speech_share"] < 0.97
    pitch, voiced = found.track.column("pitch_hz")
    assert low < np.median(pitch[voiced]) < high
    assert 2 < np.median(found.track.column("syllable_rate_hz")[0]) < 6
    mono = librosa.resample(sound.mean(axis=1)[: 8 * rate_hz], orig_sr=rate_hz, target_sr=16000)
    other, also, _ = librosa.pyin(mono, fmin=60, fmax=500, sr=16000, frame_length=1024, hop_length=160)
    n = min(len(other), len(pitch))
    both = voiced[:n] & also[:n]
    assert both.mean() > 0.3
    assert np.mean(np.abs(pitch[:n][both] / other[:n][both] - 1) > 0.2) < 0.03


def test_a_silent_sound_track(data_dir: Path) -> None:
    import av

    with av.open(str(data_dir / "video" / "WolfgangLanger_Pexels.mp4")) as container:
        frames = list(container.decode(audio=0))
    sound = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    found = encode(audio(sound, frames[0].sample_rate))
    assert not found.track.valid.any() and set(found.track.reason) == {"silent"} and not found.events
