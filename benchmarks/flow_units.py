"""Action units from flow maps of people whom training never saw: `python -m benchmarks.flow_units`.

On the CASME II part of the shared flow maps (folder `TELLTALE_DATA`/me_flow), one person left out at a time, against
principal components and logistic regression on pooled flow in the same run. Nothing is measured where they are missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from modalities.face.recognition.flow_set import read_flow_set
from modalities.face.recognition.flow_units import score_units, unit_rows
from modalities.face.recognition.samples import Samples

DATASET = "casme2"
MORE_SEEDS = (1, 2)


def measure(full: bool) -> Mapping[str, float]:
    """AUC of each unit, their mean, that of the baseline, and the interval of the gain.

    Args:
        full: With two more seeds of the inner folds, which decide what is chosen: `seeds_auc_least` and
            `seeds_gain_least` are the worst of the three. A minute more.
    """
    samples = shared_maps()
    if samples is None:
        return {}
    rows = {row["unit"]: row for row in unit_rows(score_units(samples))}
    mean = rows.pop("mean")
    spread = {}
    if full:
        others = [unit_rows(score_units(samples, seed=seed), draws=20)[-1] for seed in MORE_SEEDS]
        spread = {f"seeds_{key}_least": min(row[key] for row in (mean, *others)) for key in ("auc", "gain")}
    return {
        "auc_mean": mean["auc"], "auc_mean_low": mean["auc_low"], "baseline_mean": mean["baseline"],
        "gain": mean["gain"], "gain_low": mean["gain_low"], "gain_high": mean["gain_high"],
        **{f"auc_{name}": row["auc"] for name, row in rows.items()},
        **spread,
    }  # fmt: skip


def shared_maps() -> Samples | None:
    """The CASME II part of the shared flow maps; None where they are not on this machine."""
    folder = os.environ.get("TELLTALE_DATA")
    if not folder or not (Path(folder) / "me_flow").is_dir():
        return None
    samples = read_flow_set(Path(folder) / "me_flow")
    return samples.take((samples.dataset == DATASET).nonzero()[0])


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        sys.stdout.write(f"{name} {value:.4f}\n")
