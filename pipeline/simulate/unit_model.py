"""Rebuild the network of the action units: `python -m pipeline.simulate.unit_model`.

Measures what moving muscles do to many faces of the "train" family (`unit_responses`) and what faces do that move none
(`spotter_backgrounds`), mixes both at random, and fits the network of `modalities.face.action_units`. Takes about half
an hour on two cores; fixed seeds. Writes `units.safetensors`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.time import to_s
from modalities.face.action_units import (
    AU_NAMES,
    DEFAULT,
    MIDLINE,
    PAIRED,
    mirror_measurements,
    mirror_units,
    stack_measurements,
)
from modalities.face.regions import NAMES
from pipeline.simulate.spotter_backgrounds import Background, natural_motion, observe_backgrounds
from pipeline.simulate.unit_responses import Responses, observe_many

if TYPE_CHECKING:
    from torch import nn

RESPONSE_FACES, BACKGROUND_FACES = range(1, 513), range(2_001, 2_097)
"""Identities; every one is another face. The shipped weights were made of 40 still faces, as their card says."""
UNITS_OF_FACE, BACKGROUND_S = 15, 6.0
"""Action units planted into each face; length of a face that shows nothing."""
SPEECH = {"au26": 0.8, "au25": 0.5}
"""What the renderer draws speech with (`face_fields.SPEECH`)."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """How the network is fitted.

    Attributes:
        seed: Of mixtures and network.
        hidden: Units of its two hidden layers.
        steps: Steps of the optimiser.
        batch: Mixtures in a step.
        learning_rate: Highest of the one-cycle schedule (Smith & Topin 2019).
        departure: Standard deviation of the log of each region's own factor, so that nobody's anatomy is learnt by
            heart.
        turn: Standard deviation of each region's own direction, radians.
        decay: Weight decay. Long training learns the family's own fields by heart; this and few steps prevent it.
    """

    seed: int = 7
    hidden: tuple[int, int] = (128, 64)
    steps: int = 2000
    batch: int = 512
    learning_rate: float = 3e-3
    departure: float = 0.2
    turn: float = 0.1
    decay: float = 0.01


@dataclass(frozen=True, eq=False)
class Material:
    """What mixtures are made of.

    Attributes:
        responses: For each of `AU_NAMES` what one unit of intensity does, (samples, measurements); mirror images
            included.
        still: Measurements of faces that show nothing, by manner, (frames, measurements).
        spoken: What speech moves in them, (frames, units).
    """

    responses: list[Numbers]
    still: list[Numbers]
    spoken: list[Numbers]


def main(arguments: Sequence[str] | None = None) -> int:
    """Observe, fit, write; 0 when done."""
    parser = argparse.ArgumentParser(description="Rebuild the network of the action units from simulated faces.")
    parser.add_argument("-o", "--out", type=Path, default=DEFAULT, help="safetensors file")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    options = parser.parse_args(arguments)
    responses = list(observe_many(RESPONSE_FACES, UNITS_OF_FACE, options.jobs, _report))
    backgrounds = list(observe_backgrounds(BACKGROUND_FACES, BACKGROUND_S, options.jobs, _report))
    plan = Plan()
    card = {
        "command": "python -m pipeline.simulate.unit_model", "plan": asdict(plan), "faces": len(responses),
        "movements": sum(len(one.unit) for one in responses), "still_faces": len(backgrounds), "family": "train",
    }  # fmt: skip
    material = gather(responses, backgrounds)
    network, scale = fit(material, plan, _report)
    save(network, scale, material, json.dumps(card), options.out)
    return 0


def gather(responses: Sequence[Responses], backgrounds: Sequence[Background]) -> Material:
    """Responses to one unit of intensity, and what still faces measure."""
    swap, sign = mirror_measurements()
    unit = np.concatenate([one.unit for one in responses])
    size = np.concatenate([one.intensity for one in responses])
    seen = np.concatenate([stack_measurements(one.motion, one.lids, one.mouth) for one in responses]) / size[:, None]
    mirrored, as_unit = seen[:, swap] * sign, mirror_units()[unit]
    by_unit = [np.concatenate([seen[unit == at], mirrored[as_unit == at]]) for at in range(len(AU_NAMES))]
    still: dict[str, list[Numbers]] = {}
    spoken: dict[str, list[Numbers]] = {}
    for one in backgrounds:
        measured, moved = watch_background(one)
        still.setdefault(one.manner, []).append(measured)
        spoken.setdefault(one.manner, []).append(moved)
    return Material(
        by_unit, [np.concatenate(part) for part in still.values()], [np.concatenate(part) for part in spoken.values()]
    )


def watch_background(background: Background) -> tuple[Numbers, Numbers]:
    """What the judged frames of a still face measure, and what speech moves in them, (frames, units)."""
    from modalities.face.analysis import judge, measure_movement

    judged = judge(background.rows)
    measured = measure_movement(background.rows, judged)
    moved = np.zeros((len(measured), len(AU_NAMES)))
    if background.manner == "talking":
        opening = natural_motion(background.manner, background.identity, to_s(background.rows["t_ns"])).mouth_open
        opening = np.clip(np.asarray(opening), 0, 1)
        for au, share in SPEECH.items():
            moved[:, AU_NAMES.index(au)] = share * np.maximum(0, opening - np.median(opening))
    return measured[judged].astype(np.float64), moved[judged]


class Mixer:
    """Draws mixtures of movements over still faces.

    Args:
        material: What they are made of.
        plan: How far they depart from it.
    """

    def __init__(self, material: Material, plan: Plan) -> None:
        self._material, self._plan = material, plan
        self._swap, self._sign = mirror_measurements()
        self._rng = np.random.default_rng(np.random.SeedSequence([plan.seed, 41]))

    def draw(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Measurements (n, measurements) and intensities (n, units)."""
        rng = self._rng
        seen, shown = self._ground(n)
        count = rng.choice(4, size=n, p=(0.15, 0.4, 0.27, 0.18))
        for slot in range(3):
            rows = np.flatnonzero(count > slot)
            which = rng.integers(len(PAIRED) + len(MIDLINE), size=len(rows))
            for at in np.unique(which).tolist():
                self._move(seen, shown, rows[which == at], at)
        return seen.astype(np.float32), np.minimum(shown, 1.6).astype(np.float32)

    def _ground(self, n: int) -> tuple[Numbers, Numbers]:
        """Still faces, mirrored half of the time, with more or less noise than was measured."""
        rng = self._rng
        seen, shown = np.zeros((n, 2 * len(NAMES) + 5)), np.zeros((n, len(AU_NAMES)))
        manner = rng.integers(len(self._material.still), size=n)
        for at, (still, spoken) in enumerate(zip(self._material.still, self._material.spoken, strict=True)):
            rows = np.flatnonzero(manner == at)
            picked = rng.integers(len(still), size=len(rows))
            scale = np.where(spoken[picked].any(axis=1), 1.0, rng.uniform(0.5, 2.0, len(rows)))
            seen[rows], shown[rows] = still[picked] * scale[:, None], spoken[picked]
        mirrored = rng.random(n) < 0.5
        seen[mirrored] = seen[mirrored][:, self._swap] * self._sign
        return seen + rng.uniform(0, 0.3, n)[:, None] * rng.standard_normal(seen.shape), shown

    def _move(self, seen: Numbers, shown: Numbers, rows: NDArray[np.int64], at: int) -> None:
        """Add one action unit, on both sides or on one, to some rows."""
        rng, n = self._rng, len(rows)
        size = np.where(rng.random(n) < 0.5, rng.uniform(0, 0.4, n), rng.uniform(0.2, 1.15, n))
        if at >= len(PAIRED):
            unit = AU_NAMES.index(MIDLINE[at - len(PAIRED)])
            seen[rows] += size[:, None] * self._depart(unit, n)
            shown[rows, unit] += size
            return
        sides = rng.choice(3, size=n, p=(0.5, 0.25, 0.25))
        uneven = np.where(sides == 0, rng.uniform(0.7, 1.0, n), 1.0)
        first = rng.random(n) < 0.5
        for side, other in (("left", 2), ("right", 1)):
            unit = AU_NAMES.index(f"{PAIRED[at]}_{side}")
            mine = size * (sides != other) * np.where(first == (side == "left"), uneven, 1.0)
            seen[rows] += mine[:, None] * self._depart(unit, n)
            shown[rows, unit] += mine

    def _depart(self, unit: int, n: int) -> Numbers:
        """Responses to one unit of intensity, each with regions that move more, less or in another direction."""
        rng, plan = self._rng, self._plan
        picked = self._material.responses[unit][rng.integers(len(self._material.responses[unit]), size=n)]
        regions = len(NAMES)
        motion = picked[:, : 2 * regions].reshape(n, regions, 2)
        motion = motion * np.exp(plan.departure * rng.standard_normal((n, regions, 1)))
        angle = plan.turn * rng.standard_normal((n, regions))
        x = np.cos(angle) * motion[..., 0] - np.sin(angle) * motion[..., 1]
        y = np.sin(angle) * motion[..., 0] + np.cos(angle) * motion[..., 1]
        rest = picked[:, 2 * regions :] * np.exp(plan.departure * rng.standard_normal((n, 5)))
        return np.column_stack([np.stack([x, y], axis=-1).reshape(n, -1), rest])


def fit(material: Material, plan: Plan, hook: Hook = silent) -> tuple[nn.Sequential, NDArray[np.float32]]:
    """Fit the network to mixtures, ever fresh ones; the network and the scale of its inputs.

    The loss is Huber's; an intensity below 0 where there is none costs nothing, since it is cut off.
    """
    import torch
    from torch import nn

    torch.manual_seed(plan.seed)
    mixer = Mixer(material, plan)
    scale = (mixer.draw(20_000)[0].std(axis=0) + 0.1).astype(np.float32)
    sizes = (len(scale), *plan.hidden, len(AU_NAMES))
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=plan.steps)
    for step in range(plan.steps):
        if step % 8 == 0:
            seen, shown = mixer.draw(8 * plan.batch)
        part = slice(step % 8 * plan.batch, (step % 8 + 1) * plan.batch)
        truth = torch.from_numpy(shown[part])
        said = network(torch.from_numpy(seen[part] / scale))
        off = torch.where((truth == 0) & (said < 0), torch.zeros_like(said), said - truth)
        loss = nn.functional.smooth_l1_loss(off, torch.zeros_like(off), beta=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 250 == 249:
            hook(f"fitting, loss {loss.item():.4f}", step + 1, plan.steps)
    return network, scale


def save(network: nn.Sequential, scale: NDArray[np.float32], material: Material, card: str, path: Path) -> None:
    """Write what `modalities.face.action_units.load_units` reads."""
    from safetensors.numpy import save_file

    state = {name: value.numpy() for name, value in network.state_dict().items()}
    weights = [name for name in state if name.endswith("weight")]
    about = {"layers": len(weights), "regions": list(NAMES), "units": list(AU_NAMES), "card": card}
    arrays: dict[str, Any] = {
        "scale": scale,
        "atoms": np.stack([np.median(one, axis=0) for one in material.responses]).astype(np.float32),
    }
    for at, name in enumerate(weights):
        arrays[f"weight{at}"] = state[name].T.astype(np.float32)
        arrays[f"bias{at}"] = state[name.replace("weight", "bias")].astype(np.float32)
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path, {"about": json.dumps(about)})


def _report(step: str, completed: int, total: int | None) -> None:
    sys.stderr.write(f"\r{step}: {completed} of {total}   ")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
