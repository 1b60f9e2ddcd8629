"""What the default spotter, and every other one, finds on simulated faces: figures of the spotting bench for the gates.

Calm faces are the quiet simulated ones, lively faces the talking ones; faces, displacement fields and time profile are
those of the "bench" family, to which nothing was fitted. `python -m benchmarks.spotting_quality [--full]`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from modalities.face.encoder import SETTINGS
from pipeline.bench_bands import calibration_rows
from pipeline.bench_scores import Outcome, Row, score_rows
from pipeline.bench_spotting import run_bench
from pipeline.bench_workers import usable_cores
from pipeline.cli.terminal import silence_native_libraries

REFERENCES = ("regional", "strain", "lbp", "mdmd")
"""All spotters together take hours on 60 minutes; `telltale bench spotting` measures them all on a shorter plan."""
MINUTES = (6.0, 60.0)
SURE_PERCENT = 1.5
"""Micro-expressions from this displacement on are expected to be found."""


def measure(full: bool) -> Mapping[str, float]:
    """Figures of the default spotter by sort of face, and the micro F1 of the others on calm faces.

    Args:
        full: 60 minutes instead of 6, and the references beside the default spotter.
    """
    default = SETTINGS["spotter"]
    others = list(REFERENCES) if full else []
    bench = run_bench([default, *others], minutes=MINUTES[full], jobs=usable_cores())
    own = [one for one in bench.outcomes if one.spotter == default]
    rows = {(row["spotter"], row["face"], row["kind"]): row for row in _pooled(bench.outcomes)}
    figures: dict[str, float] = {"refused": float(len(bench.refused))}
    for face in ("calm", "lively"):
        for kind in ("micro", "macro"):
            row = rows.get((default, face, kind))
            if row is not None:
                figures[f"{face}_{kind}_f1"] = row["f1"]
                figures[f"{face}_{kind}_recall"] = row["recall"]
                figures[f"{face}_{kind}_alarms_upper95"] = row["alarms_upper95"]
                if row["apex_error_frames"] is not None:
                    figures[f"{face}_{kind}_apex_error_frames"] = row["apex_error_frames"]
    figures["calm_micro_f1_rare"] = rows[default, "calm", "micro"]["f1_rare"]
    figures["calm_micro_recall_sure"] = _sure_recall([one for one in own if one.face == "calm"])
    for row in calibration_rows([one for one in own if one.face == "calm"]):
        figures[f"calm_{row['kind']}_brier"] = row["brier"]
    for name in others:
        figures[f"{name}_calm_micro_f1"] = rows[name, "calm", "micro"]["f1"]
    return figures


def _pooled(outcomes: Sequence[Outcome]) -> list[Row]:
    return [row for row in score_rows(outcomes) if row["material"].startswith("all ")]


def _sure_recall(outcomes: Sequence[Outcome]) -> float:
    """Recall of the micro-expressions of `SURE_PERCENT` and more."""
    planted = [
        (one, each) for one in outcomes for each in one.planted if each.kind == "micro" and each.percent >= SURE_PERCENT
    ]
    hits = sum(any(each is hit for hit, _ in one.hits("micro")) for one, each in planted)
    return hits / len(planted) if planted else float("nan")


def main() -> None:
    """Print all figures."""
    silence_native_libraries()
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name} {value:.3f}")


if __name__ == "__main__":
    main()
