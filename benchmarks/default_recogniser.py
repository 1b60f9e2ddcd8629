"""How good the default recogniser is, which never saw a real face: on simulated ones, and on shared real flow maps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from modalities.face.recognition.default.recogniser import DefaultRecogniser
from modalities.face.recognition.flow_set import read_flow_set
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.scores import uf1_of
from pipeline.simulate.recogniser_model import Plan, held_out_figures, train_recogniser

SEEDS = 5
REDUCED = 20
"""Held-out maps of each face at reduced size."""
_KEPT = ("uf1", "accuracy", "calibration_error", "answered", "accuracy_answered", "idle_refused", "noise_refused")


def measure(full: bool) -> Mapping[str, float]:
    """UF1 of forced answers, and how well the recogniser knows when it does not know.

    `held_out_*`: simulated faces of another photograph, moved by fields of another kind. `real_uf1`: the flow maps of
    the folder `me_flow` in TELLTALE_DATA, where it is there; `real_uf1_<data set>` each part. They are only scored.

    Args:
        full: The mean over recognisers that are trained anew from generator seeds 0 to 4, with `real_uf1_least` and
            `real_uf1_most` among them; else the shipped weights.
    """
    plans = [Plan(seed=seed) for seed in range(SEEDS)] if full else []
    recognisers = [train_recogniser(plan) for plan in plans] or [DefaultRecogniser.load()]
    judged = plans[0].judged if plans else REDUCED
    samples = shared_maps()
    figures = [_figures(one, judged, samples) for one in recognisers]
    out = {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
    if samples is not None and full:
        each = [one["real_uf1"] for one in figures]
        out |= {"real_uf1_least": min(each), "real_uf1_most": max(each)}
    return out


def shared_maps() -> Samples | None:
    """The shared real flow maps; None where they are not on this machine."""
    folder = os.environ.get("TELLTALE_DATA")
    if not folder or not (Path(folder) / "me_flow").is_dir():
        return None
    return read_flow_set(Path(folder) / "me_flow")


def _figures(recogniser: DefaultRecogniser, judged: int, samples: Samples | None) -> dict[str, float]:
    """Of one recogniser."""
    simulated = held_out_figures(recogniser, judged)
    out = {f"held_out_{name}": simulated[name] for name in _KEPT}
    if samples is None:
        return out
    said = recogniser.recognise(samples.x).argmax(axis=1).astype(np.int64)
    out["real_uf1"] = uf1_of(samples.y, said, len(samples.classes))
    for name in sorted(set(samples.dataset.tolist())):
        part = samples.dataset == name
        out[f"real_uf1_{name}"] = uf1_of(samples.y[part], said[part], len(samples.classes))
    return out
