"""The shipped fusion on rendered sessions read by the real encoders, beside the token level it was trained at.

`python -m benchmarks.fusion_rendered [--sessions 60] [--seconds 20] [-j 2] [--keep FOLDER]`. Three sets, none of them
seen in training: effects drawn from the priors, no effect at all, and a third of the first once more with effects
halved. Every finished session is kept in the folder, so that the same command goes on where it was stopped, and other
weights are judged without rendering again. After a change of the encoders take an empty folder. A session of 20 s takes
some 40 s of one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fusion_calibration import Told, moved_to
from data_schemas.emotion import CHANNELS
from data_schemas.ranking import auc_of
from fusion.calibration import calibration_error
from fusion.checkpoint import Checkpoint, load_checkpoint
from fusion.evaluation import auc_behind_neutral, auc_beyond_display
from fusion.posterior import concealed_of
from fusion.tokens import Tokens, tokens_of
from fusion.training import Example, Truth
from fusion.windows import session_joint
from pipeline.bench_workers import share_out
from pipeline.cli.terminal import silence_native_libraries
from pipeline.simulate.filmed import Filmed, film
from pipeline.simulate.tokens import simulate_tokens
from pipeline.simulate.tokens_effects import NO_EFFECTS, scaled

SETS = {"effects": range(70_000, 70_500), "none": range(70_500, 71_000), "halved": range(70_000, 70_500)}
"""Seeds of each set; a halved session is that of the same seed with halved effects."""
PAIRED = 3
"""One in so many sessions is rendered with halved effects too: compared with itself, it tells more than a stranger."""
SECONDS = 20.0
"""One window of the network. At token level the AUC of sessions of 20, 30 and 45 s is the same within its error (0.80,
0.79, 0.80 over 120); the longer ones only lower that error, by less than more sessions do."""
KEEP = Path("out/fusion_rendered")
LEVELS = ("rendered", "tokens")
DRAWS = 500


@dataclass(frozen=True, slots=True)
class Task:
    """One session to render, and where it goes."""

    name: str
    seed: int
    seconds: float
    file: Path


def measure(full: bool) -> dict[str, float]:
    """Figures of all sets.

    Args:
        full: 60 sessions of each set instead of 2.

    Returns:
        By set ("effects", "halved", "none") and level ("rendered", "tokens"): `auc` of concealed, `behind_neutral`
        (within sessions), `auc_beyond_display` (among steps of one session with the same display), `ece`, `base_rate`,
        `said` (mean probability), `ece_at_base_rate` (after all log odds were moved alike so that the two agree), and
        `moved`, the mean distance of the probability from the base rate of the set with effects, for halved ones also
        `moved_before`, that of the same sessions with whole effects. `auc_gap` (rendered less tokens, with effects) and
        its standard error over sessions `auc_gap_error`; `sessions` with effects and without, of the smaller set;
        `pairs`, those with halved effects; `failed`.
    """
    with tempfile.TemporaryDirectory() as folder:
        return measure_sessions(60 if full else 2, SECONDS, 2, Path(folder))


def measure_sessions(count: int, seconds: float, jobs: int, folder: Path) -> dict[str, float]:
    """`measure` with so many sessions of each set, finished ones taken from a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        Task(name, seeds[at], seconds, folder / f"{name}-{seeds[at]}-{seconds:g}s.npz")
        for at in range(count)
        for name, seeds in SETS.items()
        if name != "halved" or at % PAIRED == 0
    ]
    waiting = [task for task in tasks if not task.file.is_file()]
    failed = [answer for answer in share_out(render, waiting, jobs, partial(_report, time.monotonic(), len(waiting)))
              if answer]  # fmt: skip
    for answer in failed:
        sys.stderr.write(f"{answer}\n")
    there = {name: {t.seed: read(t.file) for t in tasks if t.name == name and t.file.is_file()} for name in SETS}
    if not all(there.values()):
        return {"failed": float(len(failed))}
    return {**figures(load_checkpoint(), there), "failed": float(len(failed))}


def render(task: Task) -> str:
    """Draw, render and encode a session and keep its tokens at both levels; "" when done."""
    effects = {
        "effects": lambda: None,
        "halved": lambda: scaled(simulate_tokens(task.seed, task.seconds).effects, 0.5),
        "none": lambda: NO_EFFECTS,
    }[task.name]()
    one = film(task.seed, task.seconds, effects)
    write(task.file, {"rendered": rendered(one), "tokens": one.drawn.example()})
    return ""


def rendered(one: Filmed) -> Example:
    """Tokens of the real encoders with the truth, as far as the course goes."""
    tokens = tokens_of(list(one.encodings.values()), one.extent)
    inside = np.flatnonzero((tokens.times_ns >= 0) & (tokens.times_ns < one.drawn.extent.end_ns))
    part = tokens.part(int(inside[0]), int(inside[-1]) + 1)
    return Example(part, one.drawn.truth_at(part.times_ns))


def figures(model: Checkpoint, sets: Mapping[str, Mapping[int, Mapping[str, Example]]]) -> dict[str, float]:
    """Figures of the sets, each session, by its seed, at both levels."""
    told = {
        (name, level): {seed: _told(model, one[level]) for seed, one in sessions.items()}
        for name, sessions in sets.items()
        for level in LEVELS
    }
    out = {"sessions": float(min(len(sets["effects"]), len(sets["none"]))), "pairs": float(len(sets["halved"]))}
    rates = {level: float(_joined(list(told["effects", level].values()))[1].mean()) for level in LEVELS}
    for (name, level), sessions in told.items():
        found = _of_set(list(sessions.values()), rates[level])
        out |= {f"{name}_{level}_{key}": value for key, value in found.items()}
    for level, rate in rates.items():
        whole = [told["effects", level][seed] for seed in sets["halved"] if seed in sets["effects"]]
        out[f"halved_{level}_moved_before"] = _moved(_joined(whole)[0], rate) if whole else float("nan")
    out["auc_gap"] = out["effects_rendered_auc"] - out["effects_tokens_auc"]
    out["auc_gap_error"] = _gap_error(*(list(told["effects", level].values()) for level in LEVELS))
    return out


def _told(model: Checkpoint, one: Example) -> Told:
    return Told(session_joint(model.network, one.tokens, model.decisions.temperature), one.truth)


def _joined(sessions: Sequence[Told]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probability and truth of concealed over all steps."""
    said = np.concatenate([concealed_of(one.joint) for one in sessions])
    return said, np.concatenate([one.hidden for one in sessions])


def _of_set(sessions: Sequence[Told], usual: float) -> dict[str, float]:
    said, hidden = _joined(sessions)
    joints, truths = [one.joint for one in sessions], [one.truth for one in sessions]
    rate = float(hidden.mean())
    return {
        "auc": auc_of(said, hidden),
        "behind_neutral": auc_behind_neutral(joints, truths),
        "auc_beyond_display": auc_beyond_display(joints, truths),
        "ece": calibration_error(said, hidden),
        "base_rate": rate,
        "said": float(said.mean()),
        "ece_at_base_rate": calibration_error(moved_to(said, rate), hidden) if 0 < rate < 1 else float("nan"),
        "moved": _moved(said, usual),
    }


def _moved(said: NDArray[np.float64], usual: float) -> float:
    return float(np.abs(said - usual).mean())


def _gap_error(one: Sequence[Told], other: Sequence[Told]) -> float:
    """Standard error of the difference in AUC of the same sessions at two levels, by sessions drawn anew."""
    rng = np.random.default_rng(3)
    gaps = []
    for _ in range(DRAWS):
        chosen = rng.integers(0, len(one), len(one)).tolist()
        gaps.append(auc_of(*_joined([one[at] for at in chosen])) - auc_of(*_joined([other[at] for at in chosen])))
    known = [gap for gap in gaps if np.isfinite(gap)]
    return float(np.std(known)) if known else float("nan")


def write(file: Path, levels: Mapping[str, Example]) -> None:
    """Keep a session at both levels, whole or not at all."""
    arrays: dict[str, Any] = {}
    for level, one in levels.items():
        arrays |= {f"{level}:times": one.tokens.times_ns, f"{level}:felt": one.truth.felt}
        arrays[f"{level}:shown"] = one.truth.shown
        for channel in CHANNELS:
            arrays[f"{level}:{channel}:values"] = one.tokens.values[channel]
            arrays[f"{level}:{channel}:shares"] = one.tokens.shares[channel]
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=".writing-")
    with os.fdopen(handle, "wb") as out:
        np.savez_compressed(out, **arrays)
    os.replace(draft, file)


def read(file: Path) -> dict[str, Example]:
    """A kept session at both levels."""
    with np.load(file, allow_pickle=False) as kept:
        return {
            level: Example(
                Tokens(
                    "person",
                    kept[f"{level}:times"],
                    {c: kept[f"{level}:{c}:values"] for c in CHANNELS},
                    {c: kept[f"{level}:{c}:shares"] for c in CHANNELS},
                ),
                Truth(kept[f"{level}:felt"], kept[f"{level}:shown"]),
            )
            for level in LEVELS
        }


def _report(started: float, total: int, done: int) -> None:
    left_s = (time.monotonic() - started) / done * (total - done)
    sys.stderr.write(f"{done} of {total} sessions; about {left_s / 60:.0f} minutes left\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=60, help="with effects, and as many without")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=KEEP, help="folder of finished sessions")
    options = parser.parse_args()
    silence_native_libraries()
    for key, value in measure_sessions(options.sessions, options.seconds, options.jobs, options.keep).items():
        print(f"{key:40} {value:.4f}")
