"""Rebuild the weights of the default recogniser: `python -m pipeline.simulate.recogniser_model`.

Draws flow maps of simulated faces (`recognition_examples`), trains small networks on what `default.measures` says of
them, and calibrates them on faces that they have not seen and that move less as the table says. The held-out figures on
the card are of another photograph and of displacement fields of another kind. A few minutes on one core, fixed seeds.
No real map is read. Writes `recogniser.safetensors` and its card `recogniser.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from fusion.calibration import calibration_error
from modalities.face.recognition.default.measures import BLOCKS, check_maps, stretch, structure
from modalities.face.recognition.default.recogniser import WEIGHTS, DefaultRecogniser
from modalities.face.recognition.default.training import Recipe, find_temperature, find_threshold, fit_recogniser
from modalities.face.recognition.samples import CLASSES, SIDE
from modalities.face.recognition.scores import confusion, f1_by_class, uar, uf1
from pipeline.simulate.recognition_examples import SHOWN, USUAL, Disturbance, Drawn, draw_examples

Numbers = NDArray[np.float64]

CALIBRATION_FACES, HELD_OUT_FACES = range(800_001, 800_013), range(900_001, 900_013)
STRANGER = replace(USUAL, departure=0.8, stray=0.6)
"""The people that probabilities are calibrated on: further from the table than those of the training."""
IDLE = 0.25
"""Share of maps there that show nothing."""
_SHIFT = 1_000
"""Numbers of faces between two seeds."""
_QUANTILE = 0.005
"""Share of simulated expressions, and of maps of mere noise, that the structure test is set by."""
_NOISE_PX = (0.0, 0.8)
"""Range of the spread over which mere noise is alike, pixels of the map."""
LIMITS = (
    "No real face had a part in training; every face is one of two photographs with other proportions, so that age, "
    "skin, beards, glasses and the build of a face are not covered, and how answers differ by sex, age, origin or "
    "medical condition is not known.",
    "Classes are those of the MEGC 2019 composite. What a combination of action units means is taken from EMFACS; what "
    "a person felt may be something else.",
    "Negative is a mixture (disgust, anger, sadness, contempt, expressions held down); units of the upper face that go "
    "up are read as surprise although fear and sadness raise brows too.",
    "Probabilities are calibrated on simulated faces; on real ones they are too high by as much as real faces differ.",
    "Answers change with crops that do not show brows and chin, and with a head that turns by more than a few degrees "
    "between onset and apex.",
)


RECIPE = Recipe()


@dataclass(frozen=True)
class Plan:
    """How the networks are trained.

    Attributes:
        seed: Of faces, maps and networks.
        faces: Simulated faces.
        each: Maps of each.
        recipe: Of the networks.
        judged: Maps of each face on which it is calibrated and measured.
    """

    seed: int = 0
    faces: int = 100
    each: int = 100
    recipe: Recipe = RECIPE
    judged: int = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, train, calibrate, write; 0 when done."""
    parser = argparse.ArgumentParser(description="Rebuild the weights of the default recogniser from simulated faces.")
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS, help="safetensors file")
    parser.add_argument("--seed", type=int, default=0, help="of faces, maps and networks")
    options = parser.parse_args(arguments)
    train_recogniser(Plan(seed=options.seed), _report).save(options.out)
    return 0


def train_recogniser(plan: Plan, hook: Hook = silent, how: Disturbance = USUAL) -> DefaultRecogniser:
    """A recogniser from nothing but simulated faces.

    Args:
        plan: Sizes and seed.
        hook: Told of each stage.
        how: What disturbs the maps.
    """
    first = 1 + _SHIFT * plan.seed
    hook("drawing faces", 0, 3)
    drawn = draw_examples(range(first, first + plan.faces), plan.each, seed=plan.seed, how=how)
    hook("training networks", 1, 3)
    rough = fit_recogniser(drawn.maps, drawn.y, plan.recipe, plan.seed)
    strangers = draw_examples(CALIBRATION_FACES, plan.judged, seed=plan.seed, how=STRANGER, idle=IDLE)
    done = replace(rough, card={**calibrate_on(rough, strangers), "classes": list(CLASSES)})
    hook("measuring", 2, 3)
    return replace(done, card={**done.card, **_describe_card(done, plan, how)})


def calibrate_on(recogniser: DefaultRecogniser, strangers: Drawn) -> dict[str, float]:
    """Temperature (Guo et al. 2017), the probability below which it is unsure, and the least structure.

    The temperature makes the likelihood of the truth greatest. The threshold sets right answers best apart from wrong
    ones and from answers to maps that show nothing (Youden's index). The structure that is asked for lies midway
    between what nearly all simulated expressions have and what nearly no mere noise has.
    """
    from scipy.special import softmax

    shown = strangers.y >= 0
    logits = recogniser.logits(check_maps(strangers.maps))
    temperature = find_temperature(logits[shown], strangers.y[shown])
    expressions, noise = structure(stretch(check_maps(strangers.maps[shown]))), structure(draw_noise(400, 0))
    least = (float(np.quantile(expressions, _QUANTILE)) + float(np.quantile(noise, 1 - _QUANTILE))) / 2
    return {
        "temperature": temperature,
        "unsure_below": find_threshold(
            softmax(logits / temperature, axis=-1), shown & (logits.argmax(axis=1) == strangers.y)
        ),
        "least_structure": round(least, 3),
    }


def draw_noise(n: int, seed: int) -> Numbers:
    """Maps of mere noise, each alike over a fraction of a pixel, (n, 28, 28, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(np.random.SeedSequence([seed, 404]))
    raw, spreads = rng.normal(size=(n, SIDE, SIDE, 3)), rng.uniform(*_NOISE_PX, n)
    return np.stack([gaussian_filter(one, (spread, spread, 0)) for one, spread in zip(raw, spreads, strict=True)])


def held_out_figures(recogniser: DefaultRecogniser, judged: int, seed: int = 0) -> dict[str, float]:
    """Scores on faces out of another photograph that move by fields of another kind (the "bench" family).

    Args:
        recogniser: What to measure.
        judged: Maps of each face.
        seed: Of the maps.

    Returns:
        n, uf1, uar, accuracy and f1 by class, all of forced answers; calibration_error (expected, ten bins; Guo et al.
        2017); answered and accuracy_answered, what is left when it may be unsure; idle_refused, share of maps without
        an expression that it is unsure of; noise_refused, share of maps of mere noise that fail the structure test.
    """
    drawn = draw_examples(HELD_OUT_FACES, judged, seed=seed, name="bench", idle=IDLE)
    maps, shown = stretch(check_maps(drawn.maps)), drawn.y >= 0
    probability, truth = recogniser.recognise(maps), drawn.y[shown]
    sure = np.array([one != "unsure" for one in recogniser.label(maps)])
    said = probability.argmax(axis=1)[shown]
    counts = confusion(truth, said, len(CLASSES))
    hit = said == truth
    figures = {
        "n": float(shown.sum()),
        "uf1": float(uf1(counts)),
        "uar": float(uar(counts)),
        "accuracy": float(hit.mean()),
        **{f"f1_{name}": float(value) for name, value in zip(CLASSES, f1_by_class(counts), strict=True)},
        "calibration_error": calibration_error(
            probability[shown].max(axis=1), probability[shown].argmax(axis=1) == truth, bins=10
        ),
        "answered": float(sure[shown].mean()),
        "accuracy_answered": float(hit[sure[shown]].mean()) if sure[shown].any() else float("nan"),
        "idle_refused": float(1 - sure[~shown].mean()),
        "noise_refused": float(1 - recogniser.shows_something(draw_noise(200, seed + 1)).mean()),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _describe_card(recogniser: DefaultRecogniser, plan: Plan, how: Disturbance) -> dict[str, Any]:
    """The rest of the model card."""
    return {
        "name": "default recogniser",
        "task": "negative, positive or surprise from one flow map of onset to apex",
        "trained_on": "simulated flow maps only: meshes of a public-domain photograph (NASA's portrait of Eileen "
        "Collins) with other proportions, action units planted by the table of `synthesis.action_units`",
        "combinations": {name: [[odds, list(units)] for odds, units in listed] for name, listed in SHOWN.items()},
        "disturbances": asdict(how),
        "features": [repr(block) for block in BLOCKS],
        "plan": asdict(plan),
        "parameters": int(sum(value.size for value in recogniser.arrays.values())),
        "calibrated_on": "simulated faces not trained on, further from the table: "
        f"{len(CALIBRATION_FACES)} faces, {asdict(STRANGER)}, a share of {IDLE} without any expression",
        "held_out": "simulated faces out of another photograph (US Navy's of Grace Hopper), moved by soft muscle lines "
        f"instead of the table, {len(HELD_OUT_FACES)} faces",
        "held_out_figures": held_out_figures(recogniser, plan.judged),
        "subgroups": "No figure by sex, age or origin: the simulated faces have none of these.",
        "limits": list(LIMITS),
        "rebuild": f"python -m pipeline.simulate.recogniser_model --seed {plan.seed}",
        "licence": "Apache-2.0",
    }  # fmt: skip


def _report(step: str, completed: int, total: int | None) -> None:
    sys.stderr.write(f"{step}: {completed} of {total}\n")


if __name__ == "__main__":
    sys.exit(main())
