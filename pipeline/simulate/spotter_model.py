"""Rebuild the weights of the default spotter: `python -m pipeline.simulate.spotter_model`.

Renders and observes more than 500 different faces that show nothing, plants expressions of the "train" family into
their trajectories, trains the temporal network on them, and calibrates it on faces that it has not seen. Takes about
an hour on two cores; fixed seeds. Writes `temporal.safetensors` and its card `temporal.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from modalities.face.spotting.temporal import find_candidates
from modalities.face.spotting.temporal_network import DEFAULT, KINDS, OUTPUTS, build_network, predict
from pipeline.simulate.spotter_backgrounds import observe_backgrounds
from pipeline.simulate.spotter_examples import (
    Example,
    Ground,
    draw_examples,
    example_times_ns,
    prepare_ground,
    target_arrays,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

TRAINING_FACES, HELD_OUT_FACES = range(1, 513), range(10_001, 10_065)
"""Identities; every one is another face."""
BACKGROUND_S = 6.0
RATE_PER_MINUTE, USUAL_RATE_PER_MINUTE = 9.0, 5.0
"""Planted expressions a minute in training, and where scores are calibrated."""


@dataclass(frozen=True)
class Plan:
    """How the network is trained.

    Attributes:
        seed: Of examples and network.
        examples: Stretches of 12 s drawn in each round.
        rounds: Rounds, each with fresh examples.
        passes: Passes over the examples of a round.
        batch: Stretches in a step.
        learning_rate: Highest of the one-cycle schedule (Smith & Topin 2019).
        judged: Stretches on which it is calibrated.
    """

    seed: int = 5
    examples: int = 2000
    rounds: int = 4
    passes: int = 2
    batch: int = 16
    learning_rate: float = 3e-3
    judged: int = 800


def main(arguments: Sequence[str] | None = None) -> int:
    """Observe, train, calibrate, write; 0 when done."""
    parser = argparse.ArgumentParser(description="Rebuild the weights of the temporal spotter from simulated faces.")
    parser.add_argument("-o", "--out", type=Path, default=DEFAULT, help="safetensors file")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    options = parser.parse_args(arguments)
    training = load_grounds(TRAINING_FACES, options.jobs, _report)
    held_out = load_grounds(HELD_OUT_FACES, options.jobs, _report)
    network, card = train(training, held_out, Plan(), _report)
    save(network, card, options.out)
    return 0


def load_grounds(identities: Sequence[int], workers: int, hook: Hook = silent) -> list[Ground]:
    """Backgrounds of these faces, ready to be planted into; those that could not be judged are left out."""
    grounds = (prepare_ground(one) for one in observe_backgrounds(identities, BACKGROUND_S, workers, hook))
    return [one for one in grounds if one is not None]


def train(
    training: Sequence[Ground], held_out: Sequence[Ground], plan: Plan, hook: Hook = silent
) -> tuple[nn.Module, dict[str, Any]]:
    """Train the network, then calibrate it on held-out faces.

    Returns:
        The network and its card.
    """
    import torch

    torch.manual_seed(plan.seed)
    network = build_network()
    first = draw_examples(training, plan.examples, plan.seed, RATE_PER_MINUTE)
    everything = np.concatenate([one.features for one in first])
    mean, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-3
    steps = plan.rounds * plan.passes * (plan.examples // plan.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=steps)
    done = 0
    for part in range(plan.rounds):
        examples = (
            first if part == 0 else draw_examples(training, plan.examples, plan.seed + 100 * part, RATE_PER_MINUTE)
        )
        tensors = _stack(examples, mean, spread)
        order = np.random.default_rng(plan.seed + part)
        for _ in range(plan.passes):
            shuffled = order.permutation(len(examples))[: len(examples) // plan.batch * plan.batch]
            for batch in shuffled.reshape(-1, plan.batch):
                optimiser.zero_grad()
                loss = _loss(network, *(tensor[batch] for tensor in tensors))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
                optimiser.step()
                schedule.step()
                done += 1
                if done % 25 == 0:
                    hook(f"training, loss {loss.item():.3f}", done, steps)
    network.eval()
    card: dict[str, Any] = {"mean": mean.tolist(), "spread": spread.tolist()}
    card |= calibrate(network, card, held_out, plan)
    card |= {
        "plan": vars(plan), "faces": len(training), "held_out_faces": len(held_out),
        "parameters": sum(p.numel() for p in network.parameters()), "rate_per_minute": USUAL_RATE_PER_MINUTE,
    }  # fmt: skip
    return network, card


def _stack(examples: Sequence[Example], mean: NDArray[np.float32], spread: NDArray[np.float32]) -> list[Tensor]:
    """Features, middles, edges and where edges are defined; stretches cut to the shortest."""
    import torch

    length = min(len(one.features) for one in examples)
    targets = [target_arrays(one) for one in examples]
    features = np.stack([((one.features - mean) / spread)[:length].T for one in examples])
    arrays = [features, *(np.stack([target[at][:length] for target in targets]) for at in range(3))]
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


def _loss(network: nn.Module, features: Tensor, heat: Tensor, edges: Tensor, defined: Tensor) -> Tensor:
    """Focal loss of the middles (Law & Deng 2018) and absolute errors of the edges."""
    import torch
    from torch.nn import functional

    said = network(features).transpose(1, 2).reshape(*heat.shape, OUTPUTS)
    logits = said[..., 0]
    chance = torch.sigmoid(logits)
    middle = heat == 1
    positive = -functional.logsigmoid(logits) * (1 - chance) ** 2 * middle
    negative = -functional.logsigmoid(-logits) * chance**2 * (1 - heat) ** 4 * ~middle
    count = middle.sum().clamp(min=1)
    off = (said[..., 1:] - edges).abs() * torch.tensor([1.0, 1.0, 0.5])
    return (positive + negative).sum() / count + 0.7 * off[defined].sum() / defined.sum().clamp(min=1)


def calibrate(network: nn.Module, card: dict[str, Any], held_out: Sequence[Ground], plan: Plan) -> dict[str, Any]:
    """Probability by logit (Platt 1999) and the threshold, per kind, on held-out faces.

    The threshold is where F1 is best, so that an alarm costs as much as a miss.

    Returns:
        `calibration`, `threshold`, and the figures there: `f1`, `recall`, `precision`, `alarms_per_minute`.
    """
    from sklearn.linear_model import LogisticRegression

    examples = draw_examples(held_out, plan.judged, plan.seed + 9_999, USUAL_RATE_PER_MINUTE)
    seen = judge_examples(network, card, examples)
    out: dict[str, Any] = {name: {} for name in ("calibration", "threshold", "figures")}
    minutes = sum(len(one.features) for one in examples) / 50.0 / 60
    for kind in KINDS:
        logits, true = (np.array(column) for column in zip(*seen[kind], strict=True))
        planted = sum(event.kind == kind for one in examples for event in one.planted)
        fit = LogisticRegression(C=1e6).fit(logits[:, None], true)
        slope, offset = float(fit.coef_[0, 0]), float(fit.intercept_[0])
        order = np.argsort(-logits)
        hits = np.cumsum(true[order])
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + planted)
        best = int(f1.argmax())
        out["calibration"][kind] = [slope, offset]
        out["threshold"][kind] = float(1 / (1 + np.exp(-(slope * logits[order[best]] + offset))))
        out["figures"][kind] = {
            "f1": round(float(f1[best]), 3), "recall": round(float(hits[best] / planted), 3),
            "precision": round(float(hits[best] / (best + 1)), 3),
            "alarms_per_minute": round(float((best + 1 - hits[best]) / minutes), 3),
        }  # fmt: skip
    return out


def judge_examples(
    network: nn.Module, card: dict[str, Any], examples: Sequence[Example]
) -> dict[str, list[tuple[float, bool]]]:
    """Logit of every candidate, and whether it is a planted expression of its kind at IoU >= 0.5, by kind."""
    out: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in KINDS}
    for one in examples:
        left = list(one.planted)
        for found in find_candidates(example_times_ns(one), predict(network, card, one.features)):
            hit = next((event for event in left if event.kind == found.kind and _iou(found, event) >= 0.5), None)
            if hit is not None:
                left.remove(hit)
            out[found.kind].append((found.logit, hit is not None))
    return out


def _iou(found: Any, event: Any) -> float:
    """Intersection over union of inclusive intervals of 1/30 s."""
    onset, offset = found.onset_ns / 1e9, found.offset_ns / 1e9
    shared = min(offset, event.offset_s) - max(onset, event.onset_s) + 1 / 30
    return max(0.0, shared) / (max(offset, event.offset_s) - min(onset, event.onset_s) + 1 / 30)


def save(network: nn.Module, card: dict[str, Any], path: Path) -> None:
    """Write weights and card."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    path.with_suffix(".json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def _report(step: str, completed: int, total: int | None) -> None:
    sys.stderr.write(f"{step}: {completed} of {total}\n")


if __name__ == "__main__":
    sys.exit(main())
