"""Fusing a person with the shipped weights: subsets, determinism, shares, gaps, flat memory, incongruence."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from data_schemas.emotion import CHANNELS, EMOTIONS, FUSED_FEATURES
from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from fusion.attribution import joint_and_shares, share_out
from fusion.calibration import Decisions, Temperature
from fusion.checkpoint import load_checkpoint
from fusion.evaluation import subset_uncertainty, subsets
from fusion.incongruence import find_incongruences
from fusion.inference import SHOWING, fuse
from fusion.posterior import concealed_of, divergence, felt_of, shown_of, uncertainty_of
from fusion.windows import BATCH, fade, window_starts
from pipeline.simulate.default_model import attribution_figures
from pipeline.simulate.tokens import TokenSession, play, simulate_tokens
from pipeline.simulate.tokens_course import Course, Stretch
from pipeline.simulate.tokens_effects import Effects

SHARES = [f"share_{channel}" for channel in CHANNELS]
PARTS = ("uncertainty", "uncertainty_data", "uncertainty_model")


@pytest.fixture(scope="module")
def session() -> TokenSession:
    return simulate_tokens(9_001, seconds=45, channels=CHANNELS)


def columns(track, names):
    return np.stack([track.column(name) for name in names], axis=1)


def test_the_track_lies_on_the_grid_and_its_parts_agree(session: TokenSession) -> None:
    track, _, record = fuse(session.encodings, session.extent)
    assert track.values.shape == (45 * 25, len(FUSED_FEATURES)) and track.valid.all()
    assert track.times_ns[1] - track.times_ns[0] == 40_000_000
    felt, shown = (columns(track, [f"{kind}_{e}" for e in EMOTIONS]) for kind in ("felt", "shown"))
    np.testing.assert_allclose(felt.sum(1), 1, atol=1e-4)
    np.testing.assert_allclose(shown.sum(1), 1, atol=1e-4)
    np.testing.assert_allclose(columns(track, SHARES).sum(1), 1, atol=1e-4)
    for feature in FUSED_FEATURES:
        values = track.column(feature.name)
        assert values.min() >= -1e-6 and values.max() <= 1 + 1e-6, feature.name
    assert set(np.unique(track.column("cannot_say"))) <= {0.0, 1.0}
    least = 1 - np.minimum(felt, shown).sum(1)
    assert (track.column("concealed") >= least - 1e-4).all(), (
        "two margins that differ cannot have less off the diagonal"
    )
    assert record["channels"] == list(CHANNELS) and record["trained_on"] == "simulated sessions alone"


def test_the_same_input_gives_the_same_values(session: TokenSession) -> None:
    import torch

    before = torch.get_num_threads()
    first, second = fuse(session.encodings, session.extent), fuse(session.encodings, session.extent)
    np.testing.assert_array_equal(first[0].values, second[0].values)
    assert first[1] == second[1]
    assert torch.get_num_threads() == before


def test_uncertainty_is_told_apart_into_that_of_the_data_and_that_of_the_model(session: TokenSession) -> None:
    track, _, _ = fuse(session.encodings, session.extent, grid_hz=2)
    whole, data, model = (columns(track, (name,))[track.valid, 0] for name in PARTS)
    assert np.abs(data + model - whole).mean() < 0.02 and (model > 0).any()
    assert data.mean() > model.mean(), "two networks of one world disagree less than the world leaves open"


@pytest.mark.parametrize("subset", subsets(), ids="+".join)
def test_every_subset_of_channels_runs(subset: tuple[str, ...]) -> None:
    small = simulate_tokens(9_002, seconds=20, channels=subset)
    track, _, _ = fuse(small.encodings, small.extent, grid_hz=5)
    assert np.isfinite(track.values).all() and track.valid.any()
    shares = columns(track, SHARES)[track.valid]
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-4)
    for channel in set(CHANNELS) - set(subset):
        assert (track.column(f"share_{channel}") == 0).all()
    if not set(subset) & set(SHOWING):
        assert (track.column("cannot_say") == 1).all()


def test_nothing_at_all_is_invalid_and_cannot_say() -> None:
    track, events, record = fuse([], Interval(0, to_ns(3.0)))
    assert not track.valid.any() and (track.column("cannot_say") == 1).all() and events == ()
    assert (columns(track, SHARES) == 0).all() and record["channels"] == []


def test_where_no_channel_has_anything_the_track_is_invalid() -> None:
    session = simulate_tokens(9_018, seconds=50, channels=("face",))
    there = session.encodings[0].track.valid.any(axis=1)
    times = session.encodings[0].track.times_ns
    track, _, _ = fuse(session.encodings, session.extent)
    assert not there.all(), "this seed must have gaps"
    at = np.clip(np.searchsorted(times, track.times_ns), 0, len(times) - 1)
    hole = np.array([not there[max(0, k - 5) : k + 6].any() for k in at])
    assert hole.any() and not track.valid[hole].any()
    assert track.valid[[there[max(0, k - 1) : k + 2].all() for k in at]].all()


def test_uncertainty_grows_as_channels_go() -> None:
    model = load_checkpoint()
    complete = [simulate_tokens(seed, 30, channels=CHANNELS).example() for seed in range(9_100, 9_132)]
    by_subset = subset_uncertainty(model.network, model.decisions, complete)
    sizes = [np.mean([u for subset, u in by_subset.items() if len(subset) == k]) for k in range(1, 6)]
    assert (np.diff(sizes) < 0).all(), sizes
    more = less = 0
    for subset, value in by_subset.items():
        for channel in subset:
            if len(subset) > 1:
                smaller = by_subset[tuple(c for c in subset if c != channel)]
                more, less = more + (smaller >= value - 0.01), less + (smaller < value - 0.01)
    assert less <= 0.1 * (more + less), "hardly any channel may raise uncertainty"


def test_planted_evidence_has_the_largest_share() -> None:
    found = attribution_figures(load_checkpoint(), 16)
    assert found["a display, all channels there"] >= 0.6
    assert found["a cue, face absent"] >= 0.8


def test_planted_skin_and_heart_responses_raise_the_share_of_physiology() -> None:
    model = load_checkpoint()
    course = Course(60.0, (Stretch(29.0, 36.0, "negative"),), (), (), ())
    channels = ("voice", "body", "physiology")
    means = []
    for effects in (Effects(scr=1.0, heart_rate=(1.5, 1.5, 1.5)), Effects()):
        tokens = [play(course, seed, effects, channels).example().tokens for seed in range(5_000, 5_016)]
        both = [joint_and_shares(model.network, one, model.decisions.temperature) for one in tokens]
        means.append(
            [
                (shares[60:72, CHANNELS.index("physiology")].mean(), felt_of(joint)[60:72, 0].mean())
                for joint, shares in both
            ]
        )
    (share, neutral), (share_quiet, neutral_quiet) = np.mean(means, axis=1)
    assert share > 1.2 * share_quiet and neutral < neutral_quiet


def test_half_an_hour_goes_through_windows_of_a_fixed_size(monkeypatch: pytest.MonkeyPatch) -> None:
    import fusion.windows

    session = simulate_tokens(9_004, seconds=1800, channels=("physiology",))
    sizes = []
    stack = fusion.windows.stack

    def watch(parts, steps, device="cpu"):
        sizes.append((len(parts), max(len(part) for part in parts)))
        return stack(parts, steps, device)

    monkeypatch.setattr(fusion.windows, "stack", watch)
    track, _, record = fuse(session.encodings, session.extent, grid_hz=2)
    assert len(track.times_ns) == 3600
    assert max(count for count, _ in sizes) <= BATCH and max(steps for _, steps in sizes) == 40
    assert sum(count for count, _ in sizes) == record["windows"] == 179


def test_windows_cover_every_step_and_fade() -> None:
    for n in (1, 39, 40, 41, 60, 61, 3600):
        seen = np.zeros(n)
        for start in window_starts(n, 40):
            seen[start : start + 40] += fade(min(n, 40))
        assert (seen > 0).all() and all(start >= 0 for start in window_starts(n, 40))
    assert window_starts(100, 40) == [0, 20, 40, 60]


@pytest.mark.parametrize(("keyword", "value"), [("grid_hz", 0.0), ("grid_hz", float("nan")), ("device", "abacus")])
def test_bad_settings_are_named(session: TokenSession, keyword: str, value: object) -> None:
    with pytest.raises(InvalidValueError):
        fuse(session.encodings, session.extent, **{keyword: value})


def test_the_statements_follow_from_the_joint_table() -> None:
    table = np.zeros((1, 16))
    table[0, 1 * 4 + 0], table[0, 2 * 4 + 2] = 0.7, 0.3
    np.testing.assert_allclose(felt_of(table), [[0, 0.7, 0.3, 0]])
    np.testing.assert_allclose(shown_of(table), [[0.7, 0, 0.3, 0]])
    np.testing.assert_allclose(concealed_of(table), [0.7])
    assert uncertainty_of(np.full((1, 16), 1 / 16))[0] == pytest.approx(1)
    sure = np.eye(16)[:1]
    assert uncertainty_of(sure)[0] == pytest.approx(0, abs=1e-6)
    assert divergence(sure, np.eye(16)[1:2])[0] == pytest.approx(1) and divergence(sure, sure)[0] == 0


def test_shares_where_nothing_changed_are_equal() -> None:
    present = np.array([True, False, True, False, False])
    np.testing.assert_allclose(share_out(np.zeros((2, 5)), present), [[0.5, 0, 0.5, 0, 0]] * 2)
    np.testing.assert_allclose(share_out(np.array([[0.3, 0, 0.1, 0, 0]]), present), [[0.75, 0, 0.25, 0, 0]])


def test_incongruence_names_what_was_felt_and_links_the_evidence() -> None:
    n = 60
    times = to_ns(0.25 + 0.5 * np.arange(n))
    joint = np.zeros((n, 16))
    joint[:, 0] = 0.95
    joint[:, 4] = 0.05
    joint[20:30, 0], joint[20:30, 4] = 0.2, 0.8
    joint[40, 0], joint[40, 4] = 0.2, 0.8
    micro = Event("face", "micro", to_ns(12.3), to_ns(12.6), person="p", score=0.3, label="AU4")
    scr = Event("physiology", "scr", to_ns(14.1), to_ns(18.0), person="p", score=0.2)
    far = Event("physiology", "scr", to_ns(25.0), to_ns(28.0), person="p")
    beat = Event("physiology", "r_peak", to_ns(12.0), to_ns(12.01), person="p")
    shares = np.tile([0.1, 0.2, 0.3, 0.4, 0.0], (n, 1))
    args = ("p", times, joint, np.ones(n, bool), shares, Decisions(Temperature(), 0.9, 0.5, 0.35))
    (found,) = find_incongruences(*args, [far, scr, micro, beat])
    assert (found.onset_ns, found.offset_ns) == (to_ns(10.0), to_ns(15.0)), "one step of 0.5 s is too short an event"
    assert (found.details["felt"], found.details["shown"]) == ("negative", "neutral")
    assert [(one["kind"], one["onset_s"]) for one in found.details["evidence"]] == [("micro", 12.3), ("scr", 14.1)]
    assert found.details["shares"]["physiology"] == 0.4 and found.details["grade"] == "probable"
    silenced = np.ones(n, bool)
    silenced[18:40] = False
    assert find_incongruences("p", times, joint, silenced, shares, args[-1], []) == ()


def test_importing_fusion_imports_no_torch() -> None:
    code = "import sys, fusion.inference, fusion.training, fusion.card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
