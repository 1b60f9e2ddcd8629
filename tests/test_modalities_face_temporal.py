"""The default spotter: its features, its network, what it says of faces whose movement is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import MissingFileError, UnreadableFileError
from modalities.face.eyes import Blink
from modalities.face.regions import NAMES, UPPER
from modalities.face.spotting.bands import smooth
from modalities.face.spotting.base import Expression, FaceSignals
from modalities.face.spotting.temporal import TemporalSpotter, find_candidates, probability
from modalities.face.spotting.temporal_features import (
    CHANNELS,
    GROUPS,
    RATE_HZ,
    describe_motion,
    describe_run,
    even_grid,
    usual_size,
)
from modalities.face.spotting.temporal_network import DEFAULT, KINDS, OUTPUTS, load_network, predict


def bump(times: np.ndarray, onset: float, offset: float) -> np.ndarray:
    """A raised cosine from onset to offset."""
    share = np.clip((times - onset) / (offset - onset), 0, 1)
    return 0.5 - 0.5 * np.cos(2 * np.pi * share)


def still_face(
    fps: float = 30, length_s: float = 20, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Frame times, movement of a face that only trembles, and the rest of its signals."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, length_s, 1 / fps)
    motion = 0.12 * rng.standard_normal((len(times), len(NAMES), 2))
    slow = smooth(rng.standard_normal((len(times), len(NAMES) * 2)), fps, 0.4).reshape(motion.shape)
    rest = {
        "lids": 0.1 * rng.standard_normal((len(times), 2, 2)),
        "mouth": np.zeros(len(times)),
        "angles": smooth(rng.standard_normal((len(times), 3)), fps, 0.5),
        "judged": np.ones(len(times), bool),
        "speaking": np.zeros(len(times), bool),
    }
    return times, motion + slow, rest


def spot(
    times: np.ndarray, motion: np.ndarray, rest: dict[str, np.ndarray], blinks: tuple[Blink, ...] = ()
) -> tuple[Expression, ...]:
    signals = FaceSignals(np.rint(times * 1e9).astype(np.int64), motion=motion, blinks=blinks, **rest)
    spotting = TemporalSpotter().spot(signals)
    assert spotting.evidence.shape == times.shape
    assert ((spotting.evidence >= 0) & (spotting.evidence <= 1)).all()
    return spotting.expressions


BROWS = [NAMES.index(name) for name in UPPER]


@pytest.mark.parametrize("fps", [25, 30, 60, 200])
def test_a_micro_and_a_macro_are_found_and_told_apart(fps: float) -> None:
    times, motion, rest = still_face(fps)
    motion[:, BROWS, 1] += 3.0 * bump(times, 5.0, 5.3)[:, None] + 5.0 * bump(times, 12.0, 13.6)[:, None]
    found = spot(times, motion, rest)
    assert [one.kind for one in found] == ["micro", "macro"]
    for one, (onset, offset) in zip(found, ((5.0, 5.3), (12.0, 13.6)), strict=True):
        assert one.onset_ns / 1e9 == pytest.approx(onset, abs=0.25 * (offset - onset) + 0.03)
        assert one.offset_ns / 1e9 == pytest.approx(offset, abs=0.25 * (offset - onset) + 0.03)
        assert one.apex_ns / 1e9 == pytest.approx((onset + offset) / 2, abs=0.2 * (offset - onset) + 0.03)
        assert one.onset_ns <= one.apex_ns <= one.offset_ns
        assert any(name.startswith("brow") for name in one.regions)
        assert one.aus
        assert one.score > 0.4


def test_a_micro_that_rides_on_a_macro_is_found() -> None:
    times, motion, rest = still_face()
    mouth = [at for at, name in enumerate(NAMES) if "lip" in name]
    motion[:, mouth, 1] += 5.0 * np.clip(4 * bump(times, 8, 11.5), 0, 1)[:, None]
    motion[:, BROWS, 1] += 3.0 * bump(times, 9.6, 9.9)[:, None]
    found = spot(times, motion, rest)
    assert any(one.kind == "micro" and abs(one.apex_ns / 1e9 - 9.75) < 0.1 for one in found)


@pytest.mark.parametrize("seed", range(3))
def test_a_face_at_rest_gives_nothing(seed: int) -> None:
    assert len(spot(*still_face(length_s=60, seed=seed))) <= 1


def test_the_brows_that_follow_a_blink_are_no_expression() -> None:
    times, motion, rest = still_face(length_s=40, seed=4)
    blinks = []
    for at in np.arange(3, 38, 4.0):
        motion[:, BROWS, 1] -= 0.7 * bump(times, at, at + 0.25)[:, None]
        blinks.append(
            Blink(onset_ns=int(at * 1e9), apex_ns=int((at + 0.1) * 1e9), offset_ns=int((at + 0.25) * 1e9), closure=1.0)
        )
    assert len(spot(times, motion, rest, tuple(blinks))) <= 2


def test_frames_that_are_not_judged_give_none() -> None:
    times, motion, rest = still_face()
    motion[:, BROWS, 1] += 4.0 * bump(times, 10.0, 10.3)[:, None]
    rest["judged"] = (times < 9) | (times > 11)
    assert not [one for one in spot(times, motion, rest) if 9e9 < one.apex_ns < 11e9]
    rest["judged"] = np.zeros(len(times), bool)
    assert spot(times, motion, rest) == ()


def test_features_do_not_depend_on_the_scale_of_the_noise_but_for_their_sizes() -> None:
    times, motion, _ = still_face(RATE_HZ)
    zero = np.zeros(len(times))
    once = describe_motion(motion[:, :26], zero, zero, zero)
    twice = describe_motion(10 * motion[:, :26], zero, zero, zero)
    assert once.shape == (len(times), CHANNELS)
    assert once.dtype == np.float32
    per_scale = len(GROUPS) + 2
    ranked = [at for at in range(CHANNELS - 5) if at % per_scale < len(GROUPS)]
    assert np.abs(once[:, ranked] - twice[:, ranked]).mean() < 0.35
    sizes = [at for at in range(CHANNELS - 5) if at % per_scale == len(GROUPS)]
    assert (twice[:, sizes] - once[:, sizes]).mean() > 0.8


def test_what_is_usual_is_local_and_never_zero() -> None:
    size = np.full((1000, 2), 0.1)
    size[500:, 1] = 5.0
    usual = usual_size(size, 0.1)
    assert (usual > 0.1).all()
    assert usual[250, 1] < 2.0 < usual[750, 1]
    assert usual_size(size[:3], 2.2).shape == (3, 2)


def test_runs_are_described_on_an_even_grid() -> None:
    times, motion, rest = still_face(23.976, 3)
    jitter = np.random.default_rng(0).uniform(-0.01, 0.01, len(times))
    signals = FaceSignals(np.rint((times + 0.02 + jitter) * 1e9).astype(np.int64), motion=motion, blinks=(), **rest)
    even, features, moved = describe_run(signals, np.arange(len(times)))
    assert (np.diff(even) == round(1e9 / RATE_HZ)).all()
    assert len(even) == len(features) == len(moved)
    assert np.isfinite(features).all()
    assert len(even_grid(np.array([0, 10], np.int64))) == 1


def test_candidates_do_not_double_and_stay_within_the_run() -> None:
    times = np.arange(500, dtype=np.int64) * 20_000_000
    said = np.full((500, len(KINDS), OUTPUTS), -9.0)
    said[:, :, 1:3] = np.log(0.1)
    said[:, 1, 1:3] = np.log(0.8)
    said[:, :, 3] = 0.4
    for at, logit in ((100, 3.0), (102, 2.0), (1, 1.0), (300, 2.5)):
        said[at, 0, 0] = logit
    said[300, 1, 0] = 2.0
    found = find_candidates(times, said)
    assert [one.kind for one in found].count("micro") == 3
    assert [one.kind for one in found].count("macro") == 1
    assert [one.logit for one in found] == sorted((one.logit for one in found), reverse=True)
    assert min(one.onset_ns for one in found) == 0
    assert all(one.onset_ns <= one.apex_ns <= one.offset_ns for one in found)
    assert all(one.offset_ns - one.onset_ns <= 0.5e9 for one in found if one.kind == "micro")


def test_long_videos_are_judged_in_parts_as_in_one() -> None:
    network, card = load_network()
    features = np.random.default_rng(0).standard_normal((20_600, CHANNELS)).astype(np.float32)
    whole = predict(network, card, features)
    around = predict(network, card, features[19_000:])
    np.testing.assert_allclose(whole[19_500:20_500], around[500:1500], atol=1e-3)


def test_the_card_is_whole_and_scores_rise_with_logits() -> None:
    _, card = load_network()
    assert len(card["mean"]) == len(card["spread"]) == CHANNELS
    assert card["faces"] + card["held_out_faces"] >= 500
    for kind in KINDS:
        assert 0 < card["threshold"][kind] < 1
        assert (np.diff(probability(np.linspace(-5, 5, 11), card, kind)) > 0).all()


def test_missing_and_foreign_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="spotter"):
        load_network(tmp_path / "none.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no weights")
    bad.with_suffix(".json").write_text(json.dumps({}))
    with pytest.raises(UnreadableFileError, match=r"bad\.safetensors"):
        load_network(bad)
    assert DEFAULT.is_file()
