"""Measure every quality figure that was reached, and compare it with its bound in `gates.toml`.

`python -m benchmarks.gates` runs the reduced size, `--full` the full one, `--only NAME` one gate. Gates that use all
cores themselves are measured one after the other, the rest side by side. Exit status 1 if a bound is broken, with every
figure printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from data_schemas.threads import ONE_THREAD
from pipeline.bench_workers import usable_cores
from pipeline.cli.terminal import silence_native_libraries

GATES: dict[str, str] = {
    "demo": "benchmarks.demo_quality:measure",
    "residual_flow": "benchmarks.residual_flow:measure",
    "planted_units": "benchmarks.planted_units:measure",
    "invariance": "benchmarks.invariance:measure",
    "spotting": "benchmarks.spotting_quality:measure",
    "recogniser": "benchmarks.default_recogniser:measure",
    "face_cameras": "benchmarks.face_cameras:measure",
    "depth_motion": "benchmarks.depth_motion:measure",
    "flow_units": "benchmarks.flow_units:measure",
    "recognition_video": "benchmarks.recognition_video:measure",
    "sync_events": "benchmarks.sync_events:measure",
    "sync_pairs": "benchmarks.sync_pairs:measure",
    "sync_proofs": "benchmarks.sync_proofs:measure",
    "sync_files": "benchmarks.sync_files:measure",
    "voice": "benchmarks.voice:measure",
    "physiology": "benchmarks.physiology:measure",
    "body": "benchmarks.body:measure",
    "cit": "benchmarks.cit:measure",
    "fusion": "benchmarks.fusion_calibration:measure",
    "lab_training": "benchmarks.lab_training:measure",
    "studies": "benchmarks.studies:measure",
    "interaction": "benchmarks.interaction:measure",
    "robustness": "benchmarks.robustness:measure",
    "magnification": "benchmarks.magnification:measure",
    "descriptors": "benchmarks.descriptors:measure",
}
"""Gate -> "module:function"; the function takes `full: bool` and returns figures by name."""
SPREAD = (
    "demo", "planted_units", "invariance", "spotting", "face_cameras", "recognition_video", "fusion", "lab_training",
    "robustness",
)  # fmt: skip
"""Gates that share their work out over all cores, or start processes of their own."""


def main(arguments: list[str] | None = None) -> int:
    """Run the gates and print one line per figure; 0 if all hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="full sizes instead of reduced ones")
    parser.add_argument("--only", choices=sorted(GATES), action="append", help="run only this gate")
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    bounds = tomllib.loads((Path(__file__).with_name("gates.toml")).read_text(encoding="utf-8"))
    passed = failed = 0
    for name, figures, seconds in _measured(options.only or list(GATES), options.full):
        print(f"{name}: {bounds[name]['about']} ({seconds:.0f} s)")
        for figure, bound in bounds[name]["figures"].items():
            if bound.get("with_data") and not os.environ.get("TELLTALE_DATA"):
                print(f"  --   {figure} needs the shared recordings: TELLTALE_DATA is not set")
                continue
            ok = holds(figures.get(figure), bound)
            passed, failed = passed + ok, failed + (not ok)
            value = figures.get(figure)
            shown = "not measured" if value is None else f"{value:.4g}"
            print(f"  {'ok  ' if ok else 'FAIL'} {figure} = {shown}   bound {words(bound)}")
        for figure in sorted(set(figures) - set(bounds[name]["figures"])):
            print(f"       {figure} = {figures[figure]:.4g}   (no bound)")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _measured(names: Sequence[str], full: bool) -> Iterator[tuple[str, Mapping[str, float], float]]:
    """Each gate with its figures and how long it took: first those that use all cores, then the others at once."""
    _quiet()
    alone = [name for name in names if name in SPREAD or len(names) == 1]
    for name in alone:
        yield name, *_measure(name, full)
    rest = [name for name in names if name not in alone]
    if not rest:
        return
    # Libraries of a worker take one thread each, so that the workers do not fight for the cores.
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn"), initializer=_quiet) as pool:
        for name, (figures, seconds) in zip(rest, pool.map(_measure, rest, [full] * len(rest)), strict=True):
            yield name, figures, seconds


def _measure(name: str, full: bool) -> tuple[Mapping[str, float], float]:
    started = time.monotonic()
    return dict(load(name)(full)), time.monotonic() - started


def _quiet() -> None:
    silence_native_libraries()
    warnings.filterwarnings("ignore", module=r"google\.protobuf")


def load(name: str) -> Callable[[bool], Mapping[str, float]]:
    """The function that measures a gate."""
    module, _, function = GATES[name].partition(":")
    return getattr(import_module(module), function)


def holds(value: float | None, bound: Mapping[str, Any]) -> bool:
    """Whether a value keeps to its bound; NaN and a missing value do not."""
    if value is None or value != value:
        return False
    return value >= bound.get("least", float("-inf")) and value <= bound.get("most", float("inf"))


def words(bound: Mapping[str, Any]) -> str:
    """A bound in words."""
    return ", ".join(f"at {key} {bound[key]:g}" for key in ("least", "most") if key in bound)


if __name__ == "__main__":
    sys.exit(main())
