"""Tokens: windows, masks, scaling against the person's own session, columns from events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from fusion.families import action_units_of, family_shares
from fusion.scaling import scale_samples
from fusion.tokens import tokens_of
from fusion.vocabulary import FAMILIES, TABLES

MINUTE = Interval(0, to_ns(60.0))


def encode(
    channel: str,
    times_s: np.ndarray,
    columns: dict[str, np.ndarray],
    valid: np.ndarray | None = None,
    events: tuple[Event, ...] = (),
    person: str = "p",
) -> Encoding:
    names = tuple(columns)
    values = np.stack([columns[name] for name in names], axis=1).astype(np.float32)
    mask = np.ones(values.shape, bool) if valid is None else np.repeat(valid[:, None], len(names), axis=1)
    reason = np.where(mask.any(axis=1), "", "no_face").astype(object)
    spec = EncoderSpec("test", "1", channel, (), tuple(FeatureSpec(name, "1", "") for name in names))
    return Encoding(spec, person, Track(to_ns(times_s), names, values, mask, reason), events)


def column(channel: str, name: str) -> int:
    return TABLES[channel].columns.index(name)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def test_windows_lie_every_half_second_over_the_extent() -> None:
    tokens = tokens_of([], Interval(to_ns(3.0), to_ns(7.2)))
    assert tokens.times_ns.tolist() == [to_ns(3.25 + 0.5 * k) for k in range(9)]
    assert tokens.channels == ()
    assert all(not tokens.present(channel).any() for channel in CHANNELS)


def test_absent_features_are_masked_and_unknown_ones_ignored() -> None:
    times = np.arange(0, 60, 0.1)
    tokens = tokens_of([encode("face", times, {"au04": noise(600), "new_feature": noise(600)})], MINUTE)
    shares = tokens.shares["face"]
    assert (shares[:, column("face", "au04")] == 1).all()
    assert (shares[:, column("face", "au12_left")] == 0).all()
    assert tokens.unread == ("face.new_feature",)
    assert tokens.channels == ("face",)


def test_a_custom_channel_is_not_read() -> None:
    tokens = tokens_of([encode("gaze", np.arange(10.0), {"x": noise(10)})], MINUTE)
    assert tokens.channels == () and tokens.unread == ("gaze.x",)


def test_gaps_and_invalid_stretches_are_masked_never_bridged() -> None:
    times = np.arange(0, 60, 0.04)
    times = times[(times < 20) | (times >= 30)]
    valid = ~((times >= 40) & (times < 45))
    x = noise(len(times))
    x[~valid] = 1e6
    tokens = tokens_of([encode("face", times, {"au04": x}, valid)], MINUTE)
    at, seconds = column("face", "au04"), tokens.times_ns / 1e9
    share, value = tokens.shares["face"][:, at], tokens.values["face"][:, at]
    inside = ((seconds > 20.5) & (seconds < 29.5)) | ((seconds > 40.5) & (seconds < 44.5))
    assert (share[inside] == 0).all() and (value[inside] == 0).all()
    assert (share[seconds < 19] == 1).all() and (share[seconds > 46] == 1).all()
    half = np.argmin(np.abs(seconds - 20.25))
    assert 0.1 < share[half] < 0.6
    assert np.abs(value).max() < 3, "what is invalid must not enter the scale either"


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), seed=st.integers(0, 99))
def test_units_and_gains_drop_out(gain: float, shift: float, seed: int) -> None:
    times, x = np.arange(0, 60, 0.2), noise(300, seed)
    a = tokens_of([encode("face", times, {"au04": x})], MINUTE)
    b = tokens_of([encode("face", times, {"au04": gain * (x + shift)})], MINUTE)
    np.testing.assert_allclose(a.values["face"], b.values["face"], atol=2e-3)


def test_a_marked_baseline_sets_the_zero() -> None:
    times = np.arange(0, 60, 0.1)
    rate = 60 + noise(600) + 20 * (times > 15)
    plain = tokens_of([encode("physiology", times, {"heart_rate_bpm": rate})], MINUTE)
    context = encode("context", times, {"baseline": ((times >= 2) & (times < 14)).astype(float)})
    with_rest = tokens_of([encode("physiology", times, {"heart_rate_bpm": rate}), context], MINUTE)
    at = column("physiology", "heart_rate_bpm")
    rest, later = slice(6, 26), slice(40, 118)
    assert abs(plain.values["physiology"][later, at].mean()) < 0.5
    assert abs(with_rest.values["physiology"][rest, at].mean()) < 0.3
    assert with_rest.values["physiology"][later, at].mean() > 2


def test_slow_tracks_reach_every_window_and_too_slow_ones_none() -> None:
    slow = tokens_of([encode("physiology", np.arange(1.0, 60, 2), {"heart_rate_bpm": noise(30)})], MINUTE)
    assert (slow.shares["physiology"][2:-2, 0] > 0).all()
    stale = tokens_of([encode("physiology", np.arange(0.0, 60, 12), {"heart_rate_bpm": noise(5)})], MINUTE)
    assert stale.channels == ()


def test_a_constant_feature_is_zero_and_valid() -> None:
    tokens = tokens_of([encode("face", np.arange(0, 60, 0.5), {"au04": np.full(120, 0.7)})], MINUTE)
    assert (tokens.values["face"][:, 2] == 0).all() and (tokens.shares["face"][:, 2] > 0).all()


def test_a_rare_burst_over_silence_stands_out() -> None:
    x = np.zeros(600)
    x[300:310] = 1.0
    scaled = scale_samples(x.astype(np.float32), np.ones(600, bool), "person")
    assert scaled[305] > 5 and scaled[0] == 0


def test_expressions_become_columns_by_their_action_units() -> None:
    times = np.arange(0, 60, 0.2)
    smile = Event("face", "macro", to_ns(10.0), to_ns(12.0), None, "p", 0.8, "AU06+AU12", {"aus": {"au12_left": 0.6}})
    frown = Event("face", "micro", to_ns(30.1), to_ns(30.3), None, "p", 0.2, "AU4")
    tokens = tokens_of([encode("face", times, {"au04": noise(300)}, events=(smile, frown))], MINUTE)
    values, seconds = tokens.values["face"], tokens.times_ns / 1e9
    smiling = values[:, column("face", "event:macro_positive")]
    assert (smiling[(seconds > 9.5) & (seconds < 12.5)] == 1).all()
    assert (smiling[(seconds < 9.4) | (seconds > 12.6)] == 0).all()
    frowning = values[:, column("face", "event:micro_negative")]
    assert np.flatnonzero(frowning).tolist() == [k for k, s in enumerate(seconds) if 29.6 < s < 30.8]
    assert (values[:, column("face", "event:micro_positive")] == 0).all()


def test_other_events_become_columns() -> None:
    times = np.arange(0, 60, 0.2)
    scr = Event("physiology", "scr", to_ns(20.0), to_ns(24.0), None, "p", 0.5)
    bare = Event("physiology", "scr", to_ns(40.0), to_ns(44.0), None, "p", None, "", {"amplitude_us": 0.5})
    turn = Event("voice", "speech_turn", to_ns(5.0), to_ns(8.0), person="p")
    tokens = tokens_of(
        [
            encode("physiology", times, {"heart_rate_bpm": noise(300)}, events=(scr, bare)),
            encode("voice", times, {"speech": np.zeros(300)}, events=(turn,)),
        ],
        MINUTE,
    )
    amplitude = tokens.values["physiology"][:, column("physiology", "event:scr_amplitude")]
    np.testing.assert_allclose(amplitude[[39, 40, 79, 80]], np.log1p(10) / 3, rtol=1e-6)
    assert np.count_nonzero(amplitude) == 4
    cover = tokens.values["voice"][:, column("voice", "event:speech_turn")]
    assert cover[[9, 10, 12]] == pytest.approx([0.25, 0.75, 1.0])


@pytest.mark.parametrize(
    ("label", "family"),
    [("AU6+AU12", "positive"), ("AU04", "negative"), ("AU01+AU02+AU05", "surprise"), ("AU43", "other"), ("", "other")],
)
def test_families(label: str, family: str) -> None:
    shares = family_shares(Event("face", "micro", 0, 1, label=label))
    assert FAMILIES[int(np.argmax(shares))] == family and shares.sum() == pytest.approx(1)


def test_action_units_are_read_from_any_spelling() -> None:
    event = Event(
        "face", "micro", 0, 1, label="x", details={"aus": {"au12_left": 0.4, "AU12_right": 0.6, "au_06": 0.1}}
    )
    assert action_units_of(event) == {12: 0.6, 6: 0.1}


def test_two_people_are_refused() -> None:
    one = encode("face", np.arange(10.0), {"au04": noise(10)})
    other = encode("voice", np.arange(10.0), {"speech": noise(10)}, person="q")
    with pytest.raises(InvalidValueError, match="one person"):
        tokens_of([one, other], MINUTE)


def test_a_second_encoding_of_a_channel_fills_what_the_first_lacks() -> None:
    times = np.arange(0, 60, 0.2)
    colour = encode("face", times, {"au04": noise(300)}, valid=times < 30)
    infrared = encode("face", times, {"au04": noise(300, 1), "au06": noise(300, 2)})
    tokens, alone = tokens_of([colour, infrared], MINUTE), tokens_of([colour], MINUTE)
    at = column("face", "au04")
    assert (tokens.shares["face"][:, at] > 0).all()
    np.testing.assert_array_equal(tokens.values["face"][:59, at], alone.values["face"][:59, at])
    assert (tokens.shares["face"][:, column("face", "au06")] > 0).all()
