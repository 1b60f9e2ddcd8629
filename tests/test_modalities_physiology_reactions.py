"""Reactions to cues, skin in motion, breathing lines and pulse heights, against planted truth; the page of the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.physiology import encode, match
from benchmarks.physiology_signals import draw_ecg, draw_eda
from data_schemas.event import Event
from data_schemas.features import Track
from data_schemas.time import NS_PER_S
from docs.physiology_page import page
from modalities.physiology.features import SPEC
from modalities.physiology.reactions import reactions, with_reactions
from modalities.physiology.skin import find_jolts
from modalities.physiology.stretches import Stretch
from pipeline.reactions import cues_of

S = NS_PER_S


def cue(at_s: float, label: str = "item") -> Event:
    return Event("context", "cue", round(at_s * S), round((at_s + 1) * S), label=label)


def response(t: np.ndarray, onset_s: float, height: float) -> np.ndarray:
    since = np.maximum(t - onset_s, 0)
    shape = np.exp(-since / 3) - np.exp(-since / 0.75)
    return height * shape / 0.473


def test_the_largest_response_of_the_latency_window() -> None:
    t = np.arange(120 * 50) / 50
    x = 5 + response(t, 22.0, 0.8) + response(t, 42.5, 0.3) + response(t, 66.5, 0.9) + 0.002 * np.sin(37 * t)
    encoding = encode(eda=(x, 50.0))
    found = reactions(encoding, [cue(20, "a"), cue(40, "b"), cue(60, "c"), cue(80, "d")])
    sizes = [one.score for one in found]
    assert sizes[0] == pytest.approx(0.8, rel=0.2) and sizes[1] == pytest.approx(0.3, rel=0.3)
    assert sizes[2] == 0 and sizes[3] == 0
    assert found[0].details["scr_latency_s"] == pytest.approx(2.0, abs=0.5) and found[0].label == "a"
    assert found[0].details["scr_amplitude_us_z"] == max(one.details["scr_amplitude_us_z"] for one in found)
    assert found[0].details["next_cue_s"] == 20 and found[3].details["next_cue_s"] is None
    assert found[0].details["heart_rate_change_bpm"] is None


def test_the_heart_slows_after_a_cue() -> None:
    n = 120
    intervals = np.full(n, 0.8)
    beats = np.cumsum(intervals)
    late = (beats > 50) & (beats < 60)
    beats = np.cumsum(np.where(late, 0.95, 0.8))
    t = np.arange(round(beats[-1] * 250)) / 250
    near = beats[np.clip(np.searchsorted(beats, t - 0.4), 0, n - 1)]
    x = np.exp(-0.5 * ((t - near) / 0.012) ** 2) + 0.005 * np.random.default_rng(0).standard_normal(len(t))
    calm, slow = reactions(encode(ecg=(x, 250.0)), [cue(25), cue(48.5)])
    assert abs(calm.details["heart_rate_change_bpm"]) < 0.5
    assert calm.details["heart_rate_baseline_bpm"] == pytest.approx(75, abs=0.5)
    assert slow.details["heart_rate_lowest_bpm"] == pytest.approx(60 / 0.95 - 75, abs=1)
    assert slow.details["heart_rate_change_bpm"] < -5 and len(slow.details["heart_rate_course_bpm"]) == 15


def test_shallow_breath_shortens_the_line() -> None:
    t = np.arange(120 * 25) / 25
    depth = np.where((t > 60) & (t < 75), 0.4, 1.0)
    found = encode(respiration=(3 + 2 * depth * np.sin(2 * np.pi * 0.25 * t), 25.0))
    length, valid = found.track.column("respiration_line_length")
    at = {second: float(length[10 * second]) for second in (40, 71, 100)}
    assert valid[[400, 710, 1000]].all() and at[40] == pytest.approx(0.5, rel=0.15)
    assert at[71] < 0.6 * at[40] and at[100] == pytest.approx(at[40], rel=0.05)
    first, second = reactions(found, [cue(30), cue(60)])
    assert first.details["line_length_ratio"] == pytest.approx(1, abs=0.05)
    assert second.details["line_length_ratio"] < 0.6


def test_a_narrowed_finger_shows_in_the_pulse() -> None:
    t = np.arange(90 * 100) / 100
    depth = np.where(t > 45, 0.5, 1.0)
    x = depth * (np.exp(2 * np.cos(2 * np.pi * 1.2 * t)) / 7.4) + 0.01 * np.random.default_rng(0).standard_normal(
        len(t)
    )
    height, valid = encode(ppg=(x, 100.0)).track.column("pulse_amplitude")
    before, after = height[200:400].mean(), height[500:800].mean()
    assert valid[50:850].all() and after / before == pytest.approx(0.5, abs=0.08)


def test_reactions_at_the_edges_and_twice() -> None:
    encoding = encode(eda=(draw_eda(0, 60, 50, noise_us=0.002, artefacts_per_min=0).values, 50.0))
    cues = [cue(0), cue(59), cue(500)]
    once = with_reactions(encoding, cues).check()
    twice = with_reactions(once, cues)
    assert [event.kind for event in once.events].count("reaction") == 3 and once.events == twice.events
    assert once.events[-1].score is None
    assert reactions(encoding, []) == []


@pytest.mark.parametrize(("rate_hz", "least"), [(100.0, 0.88), (4.0, 0.8)])
def test_responses_in_motion(rate_hz: float, least: float) -> None:
    hits = total = 0
    for seed in range(3):
        planted = draw_eda(seed, 180, rate_hz, noise_us=0.005, artefacts_per_min=3)
        events = [event for event in encode(eda=(planted.values, rate_hz)).events if event.kind == "scr"]
        hit, seen = match(np.array([event.onset_ns / S for event in events]), planted.onsets_s, 1.0)
        hits, total = hits + 2 * int(seen.sum()), total + len(hit) + len(seen)
    assert hits / total >= least


@pytest.mark.parametrize("rate_hz", [4.0, 10.0, 20.0])
def test_jolts_are_found_and_responses_are_none(rate_hz: float) -> None:
    t = np.arange(60 * rate_hz) / rate_hz
    calm = 5 + response(t, 10, 1.0) + response(t, 25, 3.0) + response(t, 40, 0.2) + 0.01 * t
    assert not find_jolts(Stretch(0, rate_hz, calm)).any()
    spoiled = calm + np.where((t > 50) & (t < 52), 2.0, 0.0)
    jolts = find_jolts(Stretch(0, rate_hz, spoiled))
    assert jolts[(t > 50.1) & (t < 51.9)].all() and not jolts[t < 49].any()
    assert not find_jolts(Stretch(0, rate_hz, calm[:4])).any()


def test_reactions_to_the_markers_of_a_file(tmp_path: Path) -> None:
    t = np.arange(60 * 100) / 100
    light = np.where((t % 20 > 10) & (t % 20 < 12), 0.0, 5.0)
    ecg = draw_ecg(0, 60, 100).values
    rows = "\n".join(f"{a:.4f},{b:.1f}" for a, b in zip(ecg, light, strict=True))
    (tmp_path / "s.csv").write_text("ECG,Photosensor\n" + rows, encoding="utf-8")
    cues = cues_of(tmp_path / "s.csv", 100.0)
    assert [round(one.onset_ns / S) for one in cues] == [10, 30, 50]


def test_the_page_is_that_of_the_spec() -> None:
    text = Path("docs/physiology.md").read_text(encoding="utf-8")
    assert text == page() and all(f"`{feature.name}`" in text and feature.source for feature in SPEC.features)
    assert Track.empty(SPEC.feature_names).names == SPEC.feature_names
