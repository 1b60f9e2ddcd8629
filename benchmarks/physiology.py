"""Beats, skin conductance responses and their quality against known truth, the time they take, and real recordings.

`python -m benchmarks.physiology` prints every figure; those of the shared recordings only where TELLTALE_DATA is set.
Beats are matched one to one within 75 ms, responses within 1 s. "Kept" are the beats that the quality index lets
through; their sensitivity counts the true beats between the first and the last of each run of kept ones.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.physiology_signals import draw_ecg, draw_eda, draw_noise
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.intervals import Interval, runs_of
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from modalities.base import Task
from modalities.physiology.beats import Beats, find_r_peaks
from modalities.physiology.encoder import PhysiologyEncoder
from modalities.physiology.reactions import reactions
from modalities.physiology.stretches import Stretch

TOLERANCE_S, NEAR_S, WINDOW_S = 0.075, 1.0, 10.0
UNITS = {"ecg": "mV", "eda": "uS", "respiration": "V", "ppg": "1", "temperature": "degC"}
HEARTS: dict[str, dict[str, Any]] = {
    "clean": {},
    "ectopic": {"ectopic": 0.08},
    "fibrillation": {"fibrillation": True},
    "muscle_0_db": {"snr_db": 0, "noise": "muscle"},
    "wander_minus_12_db": {"snr_db": -12, "noise": "wander"},
    "motion_12_db": {"snr_db": 12},
    "motion_0_db": {"snr_db": 0},
    "ectopic_all_6_db": {"ectopic": 0.08, "snr_db": 6, "noise": "all"},
}
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


def measure(full: bool) -> dict[str, float]:
    """All figures by name.

    Args:
        full: More and longer simulated recordings, and the timing against neurokit2.
    """
    figures = {**measure_hearts(12 if full else 3), **measure_skin(8 if full else 3), "raised": measure_bad_input()}
    if full:
        figures |= measure_time()
    if os.environ.get("TELLTALE_DATA"):
        figures |= measure_recordings(Path(os.environ["TELLTALE_DATA"]) / "physio")
    return figures


def match(found_s: Values, truth_s: Values, tolerance_s: float) -> tuple[Flags, Flags]:
    """Which of the found ones and which of the true ones have a partner; both increasing."""
    hit, seen = np.zeros(len(found_s), bool), np.zeros(len(truth_s), bool)
    a = b = 0
    while a < len(found_s) and b < len(truth_s):
        off = found_s[a] - truth_s[b]
        if abs(off) <= tolerance_s:
            hit[a] = seen[b] = True
        a, b = a + int(off <= tolerance_s), b + int(off >= -tolerance_s)
    return hit, seen


def score_beats(beats: Beats, rate_hz: float, truth_s: Values) -> dict[str, float]:
    """Sensitivity and precision of all beats and of the kept ones, and the share of the true ones that are kept."""
    at = beats.at / rate_hz
    hit, seen = match(at, truth_s, TOLERANCE_S)
    good = beats.good
    kept_hit, kept_seen = match(at[good], truth_s, TOLERANCE_S)
    inside = np.zeros(len(truth_s), bool)
    for first, stop in runs_of(good):
        inside |= (truth_s >= at[first] - TOLERANCE_S) & (truth_s <= at[stop - 1] + TOLERANCE_S)
    return {
        "sensitivity": float(seen.mean()),
        "precision": float(hit.mean()) if len(hit) else 0.0,
        "kept_sensitivity": float(kept_seen[inside].mean()) if inside.any() else 0.0,
        "kept_precision": float(kept_hit.mean()) if len(kept_hit) else 0.0,
        "kept": float(kept_seen.mean()),
    }


def find(values: Values, rate_hz: float) -> Beats:
    """Beats of an ECG of either polarity."""
    beats = find_r_peaks(Stretch(0, rate_hz, values))
    return find_r_peaks(Stretch(0, rate_hz, values), flip=True) if beats.upright < -0.25 else beats


def window_index(beats: Beats, rate_hz: float, seconds: float) -> Values:
    """Mean quality index of the beats in each 10 s window, 0 where there is none."""
    window = (beats.at / rate_hz // WINDOW_S).astype(int)
    return np.array(
        [beats.quality[window == k].mean() if (window == k).any() else 0 for k in range(int(seconds // 10))]
    )


def measure_hearts(hearts: int) -> dict[str, float]:
    """Simulated ECG of 90 s at 128 to 1000 Hz."""
    figures: dict[str, float] = {}
    rates = (360.0, 250.0, 1000.0, 128.0)
    for name, how in HEARTS.items():
        scores = []
        for seed in range(hearts):
            planted = draw_ecg(seed, 90, rates[seed % 4], **how)
            beats = find(planted.values, planted.rate_hz)
            inside = (beats.at / planted.rate_hz > 0.1) & (beats.at / planted.rate_hz < 89.9)
            own = Beats(beats.at[inside], beats.likeness[inside], beats.quality[inside], beats.good[inside], 0.0)
            scores.append(score_beats(own, planted.rate_hz, planted.beats_s))
        for figure in scores[0]:
            figures[f"ecg_{name}_{figure}"] = float(np.mean([score[figure] for score in scores]))
    pairs = []
    for seed in range(hearts):
        high, low = (window_index(find(draw_ecg(seed, 60, 360, snr_db=snr).values, 360), 360, 60) for snr in (24, 12))
        pairs += (high > low).tolist()
    figures["index_24_db_above_12_db"] = float(np.mean(pairs))
    kept = [find(draw_noise(np.random.default_rng(k), kind, 15000, 250), 250).good.sum() / 60 for k, kind in _noises()]
    figures["beats_per_s_kept_in_noise"] = float(np.mean(kept))
    return figures


def _noises() -> list[tuple[int, str]]:
    return list(enumerate(("white", "motion", "muscle", "wander", "all")))


def measure_skin(people: int) -> dict[str, float]:
    """Simulated EDA of 5 min."""
    figures = {}
    for rate_hz, noise_us in ((100.0, 0.01), (4.0, 0.005), (2000.0, 0.02)):
        for jolts in (0.0, 3.0):
            hits = truths = found = 0
            errors: list[float] = []
            for seed in range(people):
                planted = draw_eda(seed, 300, rate_hz, noise_us=noise_us, artefacts_per_min=jolts)
                events = [e for e in encode(eda=(planted.values, rate_hz)).events if e.kind == "scr"]
                at = np.array([event.onset_ns / NS_PER_S for event in events])
                hit, seen = match(at, planted.onsets_s, NEAR_S)
                hits, truths, found = hits + int(seen.sum()), truths + len(seen), found + len(hit)
                sizes = np.array([event.details["amplitude_us"] for event in events])
                errors += np.abs(sizes[hit] / planted.amplitudes_us[seen] - 1).tolist()
            name = f"scr_{rate_hz:g}_hz" + ("_motion" if jolts else "")
            figures[f"{name}_f1"] = 2 * hits / max(1, truths + found)
            figures[f"{name}_amplitude_error"] = float(np.median(errors))
    return figures


def encode(**signals: tuple[Values, float]) -> Encoding:
    """One person's encoding of signals given as kind=(values, rate_hz)."""
    streams = {
        kind: Signal(
            info=StreamInfo(kind, kind, "session", "p01"),
            axis=Regular.from_rate(rate_hz, len(values)),
            values=np.asarray(values, np.float64).reshape(len(values), -1),
            columns=(kind,),
            units=(UNITS[kind],),
        )
        for kind, (values, rate_hz) in signals.items()
    }
    extent = Interval(0, max(stream.axis.end_ns for stream in streams.values()))
    return PhysiologyEncoder().encode(Task("p01", dict(streams), extent)).check()


def bad_signals() -> Iterator[tuple[str, Values]]:
    """What no heart and no skin gives: 250 Hz, by name."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(15000)
    yield "random", noise
    yield "constant", np.full(15000, 3.3)
    yield "clipped", np.clip(20 * noise, -1, 1)
    yield "holed", np.where(rng.random(15000) < 0.5, np.nan, noise)
    yield "all_nan", np.full(15000, np.nan)
    yield "one_second", draw_ecg(0, 1, 250).values[:250]


def measure_bad_input() -> float:
    """How many bad signals raise, come back without a reason, or are mostly called valid; should be 0."""
    bad = 0
    for kind in ("ecg", "eda", "respiration", "ppg"):
        for _, values in bad_signals():
            try:
                track = encode(**{kind: (values, 250.0)}).track
            except Exception:  # noqa: BLE001 - the figure is that nothing at all is raised
                bad += 1
                continue
            invalid = ~track.valid.any(axis=1)
            bad += int(invalid.mean() < 0.9 or not all(track.reason[invalid]))
    return float(bad)


def measure_time() -> dict[str, float]:
    """CPU time of ECG and EDA, 10 min at 1 kHz, over that of neurokit2's ecg_process and eda_process."""
    import neurokit2 as nk

    ecg, eda = draw_ecg(1, 600, 1000).values, draw_eda(1, 600, 1000, noise_us=0.01, artefacts_per_min=0).values
    encode(ecg=(ecg[:20000], 1000.0), eda=(eda[:20000], 1000.0))
    own, theirs = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nk.ecg_process(ecg[:20000], sampling_rate=1000)
        for _ in range(2):
            started = time.process_time()
            encode(ecg=(ecg, 1000.0), eda=(eda, 1000.0))
            own.append(time.process_time() - started)
            started = time.process_time()
            nk.ecg_process(ecg, sampling_rate=1000)
            nk.eda_process(eda, sampling_rate=1000)
            theirs.append(time.process_time() - started)
    return {"seconds": min(own), "neurokit2_seconds": min(theirs), "time_ratio": min(own) / min(theirs)}


def measure_recordings(folder: Path) -> dict[str, float]:
    """Figures of the shared recordings."""
    import pandas as pd
    import wfdb

    record, notes = wfdb.rdrecord(str(folder / "wfdb" / "100")), wfdb.rdann(str(folder / "wfdb" / "100"), "atr")
    truth = notes.sample[np.isin(notes.symbol, list("NLRBAaJSVrFejnE/fQ?"))] / 360
    scores = {"wfdb_100": score_beats(find(record.p_signal[:, 0], 360.0), 360.0, truth)}
    index = {}
    for name in ("118e24", "118e12"):
        values = np.loadtxt(folder / "heartpy" / f"{name}.csv", dtype=np.float64)
        beats = find(values, 360.0)
        scores[name] = score_beats(beats, 360.0, np.loadtxt(folder / "heartpy" / f"{name}_ann.csv") / 360)
        index[name] = window_index(beats, 360.0, len(values) / 360)
    figures = {f"{name}_{figure}": value for name, score in scores.items() for figure, value in score.items()}
    high, low = index["118e24"], index["118e12"]
    figures["index_e24_above_e12"] = float(np.mean(high > low))
    figures["index_e24_above_e12_any_pair"] = float(np.mean(high[:, None] > low))
    table = pd.read_csv(folder / "neurokit" / "bio_eventrelated_100hz.csv")
    kinds = {"ecg": "ECG", "eda": "EDA", "respiration": "RSP"}
    encoding = encode(**{kind: (table[column].to_numpy(), 100.0) for kind, column in kinds.items()})
    cues = [Event("context", "cue", k * NS_PER_S // 100, (k + 1) * NS_PER_S // 100) for k in (1023, 4957, 9223, 12983)]
    for number, reaction in enumerate(reactions(encoding, cues), 1):
        for name in ("scr_amplitude_us", "scr_latency_s", "heart_rate_change_bpm", "line_length_ratio"):
            value = reaction.details[name]
            figures[f"event_{number}_{name}"] = float("nan") if value is None else float(value)
    return figures


def report(figures: Mapping[str, float]) -> str:
    """One line per figure."""
    return "".join(f"{name:42s} {value:.4f}\n" for name, value in figures.items())


if __name__ == "__main__":
    sys.stdout.write(report(measure("--full" in sys.argv)))
