"""Fitting the networks of the default recogniser and its calibration, on simulated maps or on a lab's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from data_schemas.threads import one_thread
from modalities.face.recognition.default.measures import LEVELS, check_maps, describe, stretch
from modalities.face.recognition.default.recogniser import DefaultRecogniser
from modalities.face.recognition.protocols import grouped
from modalities.face.recognition.samples import CLASSES, Labels, Samples
from modalities.face.recognition.scores import confusion, uar, uf1

Numbers = NDArray[np.float64]

FOLDS = 5
"""Parts, persons kept whole, whose answers calibrate a recogniser that is trained on a lab's own samples."""

OWN_UPDATES = 200
"""Steps on a lab's own samples, which are far fewer; fixed on `simulation.simulate_flow_set`."""


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained.

    Attributes:
        members: Networks, each with its own start.
        hidden: Units of the hidden layer.
        drop: Share of hidden units left out at a time; half of it of the features.
        updates: Steps of the optimiser.
        batch: Maps in a step.
        learning_rate: Highest of the one-cycle schedule (Smith & Topin 2019).
        smoothing: Share of each label that is spread over all classes (Szegedy et al. 2016).
    """

    members: int = 3
    hidden: int = 96
    drop: float = 0.5
    updates: int = 620
    batch: int = 128
    learning_rate: float = 3e-3
    smoothing: float = 0.05


def fit_recogniser(maps: NDArray[np.number], y: Labels, recipe: Recipe, seed: int) -> DefaultRecogniser:
    """Networks without calibration.

    Args:
        maps: Flow maps, stretched or not, (n, 28, 28, 3).
        y: Class numbers, (n,).
        recipe: How.
        seed: Of starts, order and what is left out.
    """
    flat = stretch(check_maps(maps))
    views = [describe(flat, level, mirror=mirror) for level in LEVELS for mirror in (False, True)]
    features = np.stack(views)
    scale = (features.reshape(-1, features.shape[-1]).std(axis=0) + 0.1).astype(np.float32)
    networks = [_fit_network(features / scale, y, recipe, 10 * seed + one) for one in range(recipe.members)]
    arrays = {name: np.stack([one[name] for one in networks]).astype(np.float32) for name in networks[0]}
    card = {"temperature": 1.0, "unsure_below": 0.0, "least_structure": -1.0, "classes": list(CLASSES)}
    return DefaultRecogniser({"scale": scale, **arrays}, card)


def _fit_network(x: NDArray[np.floating], y: Labels, recipe: Recipe, seed: int) -> dict[str, NDArray[Any]]:
    """One network; at every step each map is seen in one of its views (level of no motion, side of the mirror)."""
    import torch
    from torch import nn

    order = np.random.default_rng(np.random.SeedSequence([seed, 77]))
    size = min(recipe.batch, len(y))
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        norm = nn.BatchNorm1d(recipe.hidden)
        first, last = nn.Linear(x.shape[-1], recipe.hidden), nn.Linear(recipe.hidden, len(CLASSES))
        network = nn.Sequential(nn.Dropout(recipe.drop / 2), first, norm, nn.ReLU(), nn.Dropout(recipe.drop), last)
        inputs, truth = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y)
        optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.updates)
        left: list[NDArray[np.int64]] = []
        for _ in range(recipe.updates):
            if not left:
                left = list(order.permutation(len(y))[: len(y) // size * size].reshape(-1, size))
            batch = left.pop()
            view = order.integers(len(inputs), size=size)
            optimiser.zero_grad()
            said = network(inputs[view, batch])
            nn.functional.cross_entropy(said, truth[batch], label_smoothing=recipe.smoothing).backward()
            optimiser.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            state = {name: value.double() for name, value in norm.state_dict().items()}
            gain = state["weight"] / torch.sqrt(state["running_var"] + norm.eps)
            return {
                "hidden_weight": (first.weight * gain[:, None]).T.numpy().copy(),
                "hidden_offset": ((first.bias - state["running_mean"]) * gain + state["bias"]).numpy().copy(),
                "class_weight": last.weight.T.numpy().copy(),
                "class_offset": last.bias.numpy().copy(),
            }


def find_temperature(logits: Numbers, truth: Labels) -> float:
    """The temperature that makes the truth most likely (Guo et al. 2017).

    Args:
        logits: (n, classes).
        truth: Class numbers, (n,).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    def surprisal(log_temperature: float) -> float:
        chance = softmax(logits / np.exp(log_temperature), axis=-1)
        return float(-np.log(np.maximum(chance[np.arange(len(truth)), truth], 1e-12)).mean())

    return round(float(np.exp(minimize_scalar(surprisal, bounds=(-2.0, 2.5), method="bounded").x)), 4)


def find_threshold(probability: Numbers, right: NDArray[np.bool_]) -> float:
    """The probability that best sets right answers apart from others (Youden 1950).

    Args:
        probability: (n, classes).
        right: Whether the most probable class is the truth; False too where there is nothing to recognise, (n,).
    """
    if right.all() or not right.any():
        return round(1 / len(CLASSES), 3)
    most = probability.max(axis=1)
    levels = np.linspace(1 / len(CLASSES), 0.95, 63)
    apart = [float((most[right] >= level).mean() - (most[~right] >= level).mean()) for level in levels]
    return round(float(levels[int(np.argmax(apart))]), 3)


def train_on(
    samples: Samples,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    hook: Hook = silent,
    told: Mapping[str, Any] | None = None,
) -> DefaultRecogniser:
    """A recogniser from a lab's own labelled flow maps, calibrated by folds that keep persons whole.

    Args:
        samples: Stretched flow maps of the composite classes, at least two persons.
        recipe: How; by default the usual one with `OWN_UPDATES`.
        seed: Of everything.
        hook: Told of each stage.
        told: What the card says under `trained_on`: study and people, in pseudonyms; by default that nobody knows.

    Returns:
        A recogniser; its card holds the out-of-fold scores of forced answers. How much structure a map must have is
        taken from the shipped weights.

    Raises:
        InvalidValueError: samples of another kind, a single person or class.
    """
    from scipy.special import softmax

    recipe = recipe or Recipe(updates=OWN_UPDATES)
    persons = sorted(set(samples.person.tolist()))
    counts = np.bincount(samples.y, minlength=len(CLASSES))
    if samples.kind != "flow_map" or samples.classes != CLASSES:
        raise InvalidValueError(
            "the default recogniser takes flow maps", got=f"{samples.kind} of {', '.join(samples.classes)}",
            expected=f"flow_map of {', '.join(CLASSES)}",
        )  # fmt: skip
    if len(persons) < 2 or counts.min() == 0:
        raise InvalidValueError(
            "too few samples to train on",
            got=f"{len(persons)} persons, {counts.tolist()} samples of {', '.join(CLASSES)}",
            expected="at least two persons, and samples of every class",
        )
    folds = grouped(samples, np.arange(len(samples)), min(FOLDS, len(persons)), seed)
    logits = np.zeros((len(samples), len(CLASSES)))
    for at, (train, test) in enumerate(folds):
        hook("folds for the calibration", at, len(folds) + 1)
        logits[test] = fit_recogniser(samples.x[train], samples.y[train], recipe, seed).logits(
            check_maps(samples.x[test])
        )
    hook("training on all samples", len(folds), len(folds) + 1)
    done = fit_recogniser(samples.x, samples.y, recipe, seed)
    temperature = find_temperature(logits, samples.y)
    right = logits.argmax(axis=1) == samples.y
    seen = confusion(samples.y, logits.argmax(axis=1).astype(np.int64), len(CLASSES))
    hook("training on all samples", len(folds) + 1, len(folds) + 1)
    return replace(
        done,
        card={
            "name": "a lab's own recogniser", "temperature": temperature,
            "unsure_below": find_threshold(softmax(logits / temperature, axis=-1), right),
            "least_structure": DefaultRecogniser.load().card["least_structure"], "classes": list(CLASSES),
            "trained_on": dict(told or {"study": "unknown", "people": "unknown"}),
            "data": f"{len(samples)} labelled flow maps of {len(persons)} persons "
            f"({', '.join(sorted(set(samples.dataset.tolist())))})",
            "samples_by_class": counts.tolist(), "plan": {"seed": seed, **asdict(recipe)},
            "out_of_fold_figures": {
                "n": len(samples), "uf1": round(float(uf1(seen)), 4), "uar": round(float(uar(seen)), 4),
                "accuracy": round(float(right.mean()), 4),
            },
            "limits": ["Weights of real people's maps: share them only where the samples' licence and consent allow."],
        },
    )  # fmt: skip
