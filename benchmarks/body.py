"""The body channel against known truth. `python -m benchmarks.body [--full]`.

Gestures are those of animated people (`body_gestures`), at sizes, angles and distances that no threshold was chosen on;
the rhythm of a recorded body is compared with that of the picture's dense flow (`body_recording`).
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from benchmarks.body_gestures import measure_clips, measure_network, measure_spotting
from benchmarks.body_hands import measure_hands
from benchmarks.body_recording import measure_recording
from modalities.body.animation.camera import Camera, TrackerErrors, film
from modalities.body.animation.figure import BodySize, Posture
from modalities.body.animation.performance import Act, joints
from modalities.body.geometry import clean
from modalities.body.geometry import measure as measure_geometry
from modalities.body.manner import measure_manner
from modalities.body.skeleton import FloatArray, Skeleton


def measure(full: bool) -> dict[str, float]:
    """Figures over all parts.

    Args:
        full: 40 clips of each gesture instead of 6, 12 sequences of 120 s instead of 3, two trained networks' worth of
            clips instead of one.

    Returns:
        `recall_least`, `precision_least` and their means over the gestures, `recall_NAME` and `precision_NAME`;
        `no_world_recall_mean`, without coordinates in space; `spotting_f1` (IoU >= 0.5, right class), `interval_f1`
        (whatever the class), `proposal_recall` (`gestures.spotting`); `rhythm_off_hz` (median error of a planted
        rocking), `freeze_recall` and `freeze_precision` (share of time); `network_accuracy`, `network_chance` on
        animated people whom the network never saw; those of `body_hands.measure_hands`. With the shared recordings
        `real_rhythm_off_hz`, `real_confidence_share` and `models_loaded`.
    """
    per_class = measure_clips(40 if full else 6)
    bare = replace(TrackerErrors(), world=False)
    without = measure_clips(20 if full else 2, errors=bare)
    recalls, precisions = (np.array([pair[at] for pair in per_class.values()]) for at in (0, 1))
    figures = {
        "recall_least": float(recalls.min()),
        "precision_least": float(precisions.min()),
        "recall_mean": float(recalls.mean()),
        "precision_mean": float(precisions.mean()),
        "no_world_recall_mean": float(np.mean([recall for recall, _ in without.values()])),
    }
    for name, (recall, precision) in per_class.items():
        figures |= {f"recall_{name}": recall, f"precision_{name}": precision}
    figures |= measure_spotting(12 if full else 3, 120.0)
    figures |= measure_hands(10 if full else 3)
    return {**figures, **measure_manners(full), **measure_network(full), **measure_recording()}


def measure_manners(full: bool) -> dict[str, float]:
    """Rocking of known rate, and stretches of stillness in a person who otherwise moves."""
    errors, hits, claimed, planted = [], 0.0, 0.0, 0.0
    for seed in range(24 if full else 8):
        rng = np.random.default_rng([seed, 9])
        rate = float(rng.uniform(0.4, 3.0))
        skeleton = _rocking(rng, rate)
        movement = clean(skeleton)
        cells = measure_manner(movement, measure_geometry(skeleton, movement).cells["movement_energy"])
        values, valid = cells["rhythm_hz"]
        errors.append(float(np.median(np.abs(values[valid] - rate))) if valid.any() else 9.0)
        skeleton, still = _freezing(rng)
        movement = clean(skeleton)
        cells = measure_manner(movement, measure_geometry(skeleton, movement).cells["movement_energy"])
        frozen = cells["freeze"][0] > 0.5
        hits, claimed, planted = hits + np.sum(frozen & still), claimed + np.sum(frozen), planted + np.sum(still)
    return {
        "rhythm_off_hz": float(np.median(errors)),
        "rhythm_off_hz_95": float(np.percentile(errors, 95)),
        "freeze_recall": float(hits / max(1.0, planted)),
        "freeze_precision": float(hits / max(1.0, claimed)),
    }


def _rocking(rng: np.random.Generator, rate_hz: float) -> Skeleton:
    times_s = np.cumsum(rng.uniform(0.09, 0.11, 200))
    posture = Posture(len(times_s))
    posture.side += rng.uniform(1.5, 4) * np.sin(2 * np.pi * rate_hz * times_s)
    size = BodySize.draw(rng, True)
    body = joints(times_s, (), rng, size, "lap", posture)
    return film(times_s, body, Camera.draw(rng, True), TrackerErrors(), rng)


def _freezing(rng: np.random.Generator) -> tuple[Skeleton, np.ndarray]:
    """A minute of gesturing and swaying with two stretches of 5 s in which nothing moves."""
    times_s: FloatArray = np.cumsum(rng.uniform(0.09, 0.11, 600))
    still = ((times_s > 20) & (times_s < 25)) | ((times_s > 40) & (times_s < 45))
    held_s = np.where((times_s > 20) & (times_s < 25), 20.0, np.where((times_s > 40) & (times_s < 45), 40.0, times_s))
    spans = ((1.5, 19.5), (25.8, 39.3), (45.8, 58.0))
    acts = [Act("illustrate", "both", a, b, 0.7, int(rng.integers(2**31))) for a, b in spans]
    body = joints(held_s, acts, rng, BodySize.draw(rng, True), "lap")
    return film(times_s, body, Camera.draw(rng, True), TrackerErrors(), rng), still


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:40} {value:.4g}")
