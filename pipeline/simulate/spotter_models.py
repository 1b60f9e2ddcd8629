"""Rebuild the weights of the reference spotters that learn: `python -m pipeline.simulate.spotter_models`.

Draws simulated faces of the "train" photograph, plants expressions of the "train" family into their aligned pictures,
has every spotter's reducer watch them, fits what each has to learn, and finds thresholds on faces held out. Fixed
seeds; some minutes on one core. Writes a .safetensors file and a card for each into
`modalities/face/spotting/weights`. The default spotter has a command of its own (`spotter_model`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from data_schemas.hook import Hook, silent
from data_schemas.threads import one_thread
from modalities.face.spotting.learned import WEIGHTS, Learned, save_learned
from pipeline.simulate import spotter_fits
from pipeline.simulate.spotter_lessons import Lesson, watch
from pipeline.simulate.spotter_pictures import Stretch, draw_faces, draw_stretches

Fit = Callable[[Sequence[Lesson], Sequence[Lesson]], Learned]
FITS: dict[str, Fit] = {
    "ltp-ml": spotter_fits.fit_patterns,
    "cfd": spotter_fits.fit_collaborative,
    "hoof-lstm": spotter_fits.fit_flow,
    "hog-lstm": partial(spotter_fits.fit_gradients, "hog-lstm"),
    "higo-lstm": partial(spotter_fits.fit_gradients, "higo-lstm"),
}
"""By name of the spotter."""
SEEING = {"time-contrast": spotter_fits.fit_contrast, "apex-cnn": spotter_fits.fit_pairs}
"""Those that look at pictures with a network, which is learned once for both."""
FIRST_FACE, FIRST_HELD_OUT = 20_001, 30_001
COMPARED_EVERY = 4
"""Differences of features are measured in every fourth stretch."""


@dataclass(frozen=True)
class Plan:
    """How much is drawn.

    Attributes:
        faces: Faces to learn from; every one is another.
        held_out: Faces on which thresholds are found.
        rounds: How often each is planted into.
        seed: Of what is planted.
    """

    faces: int = 60
    held_out: int = 16
    rounds: int = 3
    seed: int = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, watch, fit, write; 0 when done."""
    parser = argparse.ArgumentParser(description="Rebuild the weights of the reference spotters from simulated faces.")
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS, help="folder")
    parser.add_argument("--only", choices=sorted(FITS | SEEING), help="one spotter")
    options = parser.parse_args(arguments)
    plan = Plan()
    training, held_out = draw_lessons(plan, _report)
    for name, learned in fit_all(
        training, held_out, plan, [options.only] if options.only else [*FITS, *SEEING]
    ).items():
        save_learned(name, learned, options.out)
        _report(f"{name}: {learned.card['figures']}", 1, 1)
    return 0


def draw_lessons(plan: Plan, hook: Hook = silent) -> tuple[list[Lesson], list[Lesson]]:
    """Lessons to learn from, and lessons of other faces."""
    faces = draw_faces(range(FIRST_FACE, FIRST_FACE + plan.faces), hook)
    others = draw_faces(range(FIRST_HELD_OUT, FIRST_HELD_OUT + plan.held_out), hook)
    return tuple(  # type: ignore[return-value]
        _watch_all(some, plan.rounds, seed, hook) for some, seed in ((faces, plan.seed), (others, plan.seed + 1))
    )


def _watch_all(faces: Sequence[Stretch], rounds: int, seed: int, hook: Hook) -> list[Lesson]:
    out: list[Lesson] = []
    for stretch in draw_stretches(faces, rounds, seed):
        out.append(watch(stretch, compared=len(out) % COMPARED_EVERY == 0))
        hook("stretches", len(out), rounds * len(faces))
    return out


def fit_all(
    training: Sequence[Lesson], held_out: Sequence[Lesson], plan: Plan, names: Sequence[str]
) -> dict[str, Learned]:
    """What each spotter learns, with the plan in its card."""
    out: dict[str, Learned] = {}
    eyes: spotter_fits.Eyes | None = None
    for name in names:
        with one_thread():
            if name in SEEING:
                eyes = eyes or spotter_fits.learn_pairs(training)
                learned = SEEING[name](training, held_out, eyes)
            else:
                learned = FITS[name](training, held_out)
        numbers = sum(value.size for value in learned.tables.values())
        about = {"plan": {**asdict(plan), **spotter_fits.PLAN}, "numbers": int(numbers)}
        out[name] = Learned(learned.tables, {**learned.card, **about})
    return out


def _report(step: str, completed: int, total: int | None) -> None:
    sys.stderr.write(f"{step}: {completed} of {total}\n")


if __name__ == "__main__":
    sys.exit(main())
