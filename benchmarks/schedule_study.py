"""How schedules of networks are fixed: on simulated people alone, some to train on and others to test.

`python -m benchmarks.schedule_study SYSTEM [--updates N] [--rate R] [--batch B] [--seed S]` prints UF1 at quarters of a
training. Where the last quarter brings nothing to speak of, it is left out.

What it showed (312 maps of 39 people each; UF1 after a quarter, a half, three quarters and all of the updates):

| system | updates, rate, batch | first seed | second seed |
|---|---|---|---|
| ststnet, as published | 1600, 0.00005, 256 | .77 .85 .87 .89 | .62 .81 .84 .87 |
| ststnet | 800, 0.0001, 256 | .77 .85 .87 .89 | .63 .81 .84 .87 |
| ststnet, taken | 400, 0.0002, 256 | .78 .84 .88 .90 | .62 .80 .84 .87 |
| off-apexnet | 400, 0.0001, 64 | .31 .83 .85 .86 | |
| off-apexnet, taken up to 200 | 400, 0.0003, 64 | .82 .87 .87 .87 | |
| rcn-f, taken up to 300 | 400, 0.0005, 64 | .92 .93 .94 .95 | |
| rcn-f | 400, 0.001, 64 | .94 .94 .94 .94 | |
| dual-inception | 200, 0.0001, 64 | .23 .30 .68 .80 | |
| dual-inception, taken up to 150 | 200, 0.0005, 64 | .30 .81 .85 .84 | |

STSTNet's authors train 800 epochs of two batches. As long as updates times rate stays the same, so does the curve.

The published systems of `zoo` share one schedule, `zoo.flow.USUAL`, so that their rows differ by their parts. It was
fixed on the same simulated people: of 150 updates (rate 0.002, batch 32) the last quarter raised UF1 from 0.83 to 0.84
in the mean over 24 of them, so that 120 were taken.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from modalities.face.recognition.networks import Network, NetworkModel
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.scores import uf1_of
from modalities.face.recognition.selection import answers
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.system import System
from modalities.face.recognition.systems import find_system

STOPS = 4


def study_schedule(
    system: System, schedule: Schedule, *, seed: int = 0, subjects: int = 39, each: int = 8
) -> list[float]:
    """UF1 on simulated strangers at `STOPS` moments of a training.

    Args:
        system: A network.
        schedule: Instead of its own.
        seed: Of the training.
        subjects: Simulated people to train on, and as many others to test.
        each: Samples of each.
    """
    known, strangers = (simulate_flow_set(subjects, each, seed=one) for one in (11, 12))
    return curve(replace(system, strategy=schedule), known, strangers, seed)


def curve(system: System, known: Samples, strangers: Samples, seed: int) -> list[float]:
    """UF1 on `strangers` at `STOPS` moments of a training on `known`."""
    architecture = cast(Network, system.architecture)
    maps, tested = system.prepare(known), system.prepare(strangers)
    every, rows, classes = np.arange(len(known)), np.arange(len(strangers)), len(known.classes)
    networks = architecture.training(system, maps, known.y, every, system.strategy, classes, seed, STOPS)
    said = [answers(NetworkModel(network), tested, rows) for network in networks]
    return [round(uf1_of(strangers.y, one, classes), 3) for one in said]


def main(words: Sequence[str] | None = None) -> None:
    """Print the curve of one system's training."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("system")
    reader.add_argument("--updates", type=int)
    reader.add_argument("--rate", type=float)
    reader.add_argument("--batch", type=int)
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args(words)
    system = find_system(asked.system)
    given = {name: getattr(asked, name) for name in ("updates", "rate", "batch") if getattr(asked, name) is not None}
    schedule = replace(cast(Schedule, system.strategy), **given)
    print(f"{schedule}: {study_schedule(system, schedule, seed=asked.seed)}")


if __name__ == "__main__":
    main()
