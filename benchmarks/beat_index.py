"""Fit the quality index of beats to simulated ECG: `python -m benchmarks.beat_index` prints the weights.

Hearts with and without ectopic beats, at noise from none to -6 dB, and noise alone; a beat is right if a true one lies
within 75 ms. No recording is used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.physiology import TOLERANCE_S, match
from benchmarks.physiology_signals import draw_ecg, draw_noise
from modalities.physiology.beat_index import SURE, Evidence
from modalities.physiology.beats import weigh_r_peaks
from modalities.physiology.stretches import Stretch

SECONDS, FIRST_SEED = 80, 1000
RATES_HZ = (128.0, 250.0, 360.0, 500.0)
SNR_DB = (None, 18, 12, 9, 6, 3, 0, -3, -6)


def beats_with_truth() -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Evidence (n, 8) of the beats of one recording, and which of them are right (n,)."""
    hearts: list[dict[str, Any]] = [
        {"snr_db": snr, "noise": noise, "ectopic": ectopic}
        for snr in SNR_DB
        for noise in ("motion", "muscle", "all")
        for ectopic in (0.0, 0.06)
    ]
    hearts += [{"snr_db": snr, "noise": "all", "fibrillation": True} for snr in (None, 12) for _ in range(3)]
    for at, how in enumerate(hearts):
        rate_hz = RATES_HZ[at % len(RATES_HZ)]
        planted = draw_ecg(FIRST_SEED + at, SECONDS, rate_hz, **how)
        beats, evidence = weigh_r_peaks(Stretch(0, rate_hz, planted.values))
        if beats.upright < -0.25:
            beats, evidence = weigh_r_peaks(Stretch(0, rate_hz, planted.values), flip=True)
        if evidence is not None:
            times = beats.at / rate_hz
            inside = (times > 0.15) & (times < SECONDS - 0.15)
            yield evidence.table()[inside], match(times[inside], planted.beats_s, TOLERANCE_S)[0]
    for seed in range(15):
        rng = np.random.default_rng(7 * FIRST_SEED + seed)
        noise = draw_noise(rng, ("white", "motion", "muscle", "wander", "all")[seed % 5], 60 * 250, 250.0)
        beats, evidence = weigh_r_peaks(Stretch(0, 250.0, noise))
        if evidence is not None:
            yield evidence.table(), np.zeros(len(beats.at), bool)


def fit() -> dict[str, float]:
    """Weight of each kind of evidence, `offset`; `right`: share of beats above `SURE`; `kept`: of the right ones."""
    from sklearn.linear_model import LogisticRegression

    tables, rights = zip(*beats_with_truth(), strict=True)
    table, right = np.concatenate(tables), np.concatenate(rights)
    model = LogisticRegression(max_iter=2000).fit(table, right)
    sure = model.predict_proba(table)[:, 1] > SURE
    names = [one.name for one in fields(Evidence)]
    return {
        **dict(zip(names, model.coef_[0].tolist(), strict=True)),
        "offset": float(model.intercept_[0]),
        "right": float(right[sure].mean()),
        "kept": float(sure[right].mean()),
    }


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name:20s} {value:.3f}\n" for name, value in fit().items()))
