"""How the reference spotters that learn are fitted to lessons, each giving its tables and its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.models import FloatArray
from modalities.face.spotting.collaborative import DIFFERENCES
from modalities.face.spotting.lbp import WINDOWS_S
from modalities.face.spotting.learned import Learned
from modalities.face.spotting.ltp import FEATURES, PATTERN_S, fused
from modalities.face.spotting.picture_network import EMBEDDING, build_network
from modalities.face.spotting.recurrent import KINDS, unusual
from modalities.face.spotting.recurrent_flow import speeds
from modalities.face.spotting.recurrent_gradients import COMPONENTS
from modalities.face.spotting.recurrent_gradients import WINDOWS_S as SLIDING_S
from modalities.face.spotting.time_contrast import contrasts
from pipeline.simulate.spotter_labellers import WEIGHT, fit_labeller, reading
from pipeline.simulate.spotter_lessons import Lesson, event_scores, figures_of
from pipeline.simulate.spotter_pictures import RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor, nn

SEED = 11
PAIR_STEPS, PAIRS, PAIR_RATE = 3000, 32, 2e-3
PAIR_LESSONS = 120
"""Pairs are drawn from the first so many lessons."""


def fit_flow(training: Sequence[Lesson], held_out: Sequence[Lesson]) -> Learned:
    """The labeller of "hoof-lstm"."""
    name = "hoof-lstm"
    first, second = ([reading(one, one.tables[name], speeds) for one in part] for part in (training, held_out))
    return fit_labeller(first, second)


def fit_gradients(name: str, training: Sequence[Lesson], held_out: Sequence[Lesson]) -> Learned:
    """Principal components and labeller of "hog-lstm" or "higo-lstm"."""
    tables: dict[str, Any] = {}
    everything = [one.tables[name][one.tables[name][:, -1] > 0, :-1].astype(np.float64) for one in training]
    changes = np.concatenate([one - np.median(one, axis=0) for one in everything])
    each = changes.shape[1] // len(SLIDING_S)
    for at in range(len(SLIDING_S)):
        part = slice(at * each, (at + 1) * each)
        tables[f"centre{at}"] = np.concatenate(everything)[:, part].mean(axis=0)
        _, axes = np.linalg.eigh(np.cov(changes[:, part].T))
        tables[f"axes{at}"] = axes[:, ::-1][:, :COMPONENTS].T

    def project(table: FloatArray) -> FloatArray:
        parts = [
            (table[:, at * each : (at + 1) * each] - tables[f"centre{at}"]) @ tables[f"axes{at}"].T
            for at in range(len(SLIDING_S))
        ]
        return np.column_stack([*parts, table[:, -1]])

    first, second = (
        [reading(one, project(one.tables[name]), unusual) for one in part] for part in (training, held_out)
    )
    return fit_labeller(first, second, tables)


def fit_contrast(training: Sequence[Lesson], held_out: Sequence[Lesson], eyes: Eyes) -> Learned:
    """Labeller of "time-contrast": of the contrasts of what the network makes of the pictures."""
    import torch

    network = eyes.network
    parts = []
    for lessons in (training, held_out):
        with torch.inference_mode():
            embedded = [network(torch.from_numpy(one.faces).float()[:, None]).numpy() for one in lessons]
        tables = [np.column_stack([one, np.ones(len(one))]) for one in embedded]
        parts.append(
            [
                reading(one, table, lambda values: unusual(contrasts(values)))
                for one, table in zip(lessons, tables, strict=True)
            ]
        )
    return fit_labeller(parts[0], parts[1], _network_tables(network))


def _network_tables(network: nn.Module) -> dict[str, Any]:
    return {f"pictures.{key}": value.numpy() for key, value in network.state_dict().items()}


def fit_pairs(training: Sequence[Lesson], held_out: Sequence[Lesson], eyes: Eyes) -> Learned:
    """Tables of "apex-cnn", and how well it tells on held-out faces how far they were moved."""
    import torch

    network, weights, offset = eyes.network, eyes.weights, eyes.offset
    rng = np.random.default_rng(SEED + 1)
    said, true = [], []
    for _ in range(20):
        pictures, apart = _draw_pairs(held_out, rng)
        with torch.inference_mode():
            said.append((_differences_of(network, pictures) @ weights + offset).numpy())
        true.append(apart)
    correlation = float(np.corrcoef(np.concatenate(said), _share(np.concatenate(true)))[0, 1])
    tables = {**_network_tables(network), "weights": weights.numpy()}
    return Learned(tables, {"figures": {"correlation_with_movement": round(correlation, 3)}})


@dataclass(frozen=True, eq=False)
class Eyes:
    """A network whose features of two pictures of a face differ the more, the farther expressions moved it in between.

    Attributes:
        network: From pictures to features.
        weights: Of the absolute differences, (`EMBEDDING`,).
        offset: Added to the weighted sum.
    """

    network: nn.Module
    weights: Tensor
    offset: Tensor


def learn_pairs(lessons: Sequence[Lesson]) -> Eyes:
    """Train the network that "time-contrast" and "apex-cnn" look with."""
    import torch

    torch.manual_seed(SEED)
    network = build_network()
    log_weights = torch.zeros(EMBEDDING, requires_grad=True)
    offset = torch.zeros(1, requires_grad=True)
    parameters = [*network.parameters(), log_weights, offset]
    optimiser = torch.optim.AdamW(parameters, lr=PAIR_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PAIR_RATE, total_steps=PAIR_STEPS)
    rng = np.random.default_rng(SEED)
    for _ in range(PAIR_STEPS):
        optimiser.zero_grad()
        pictures, apart = _draw_pairs(lessons[:PAIR_LESSONS], rng)
        said = _differences_of(network, pictures) @ log_weights.exp() + offset
        true = torch.from_numpy(_share(apart).astype(np.float32))
        torch.nn.functional.binary_cross_entropy_with_logits(said, true).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
    return Eyes(network.eval(), log_weights.detach().exp(), offset.detach())


def _differences_of(network: nn.Module, pictures: NDArray[np.float16]) -> Tensor:
    """Absolute differences of the features of pairs, (pairs, `EMBEDDING`)."""
    import torch

    flat = torch.from_numpy(pictures.reshape(-1, 1, *pictures.shape[2:])).float()
    embedded: Tensor = network(flat).reshape(len(pictures), 2, -1)
    return (embedded[:, 0] - embedded[:, 1]).abs()


def _share(percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for no movement, 0.5 at 1.5 % of the inter-ocular distance, towards 1 for large ones."""
    return percent / (percent + 1.5)


def _draw_pairs(lessons: Sequence[Lesson], rng: np.random.Generator) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
    """Pairs of pictures at most 2 s apart, every other one about an expression, mirrored now and then.

    Returns:
        Pictures, (`PAIRS`, 2, 64, 64), and how far expressions moved the face between them, percent, (`PAIRS`,).
    """
    pictures: list[NDArray[np.float16]] = []
    apart: list[float] = []
    reach = round(2 * RATE_HZ)
    for turn in range(PAIRS):
        one = lessons[int(rng.integers(len(lessons)))]
        at = int(rng.integers(len(one.faces)))
        if turn % 2 == 0:
            event = one.planted[int(rng.integers(len(one.planted)))]
            at = min(round(float(rng.uniform(event.onset_s, event.offset_s)) * RATE_HZ), len(one.faces) - 1)
        other = int(np.clip(at + rng.integers(-reach, reach + 1), 0, len(one.faces) - 1))
        pair = one.faces[[at, other]]
        pictures.append(pair[:, :, ::-1] if rng.random() < 0.5 else pair)
        sizes = [event.at(np.array([at, other]) / RATE_HZ) for event in one.planted]
        apart.append(float(sum(abs(size[1] - size[0]) for size in sizes)))
    return np.ascontiguousarray(np.stack(pictures)), np.array(apart)


def fit_collaborative(training: Sequence[Lesson], held_out: Sequence[Lesson]) -> Learned:
    """Fisher's weights of "cfd": of the differences at the apices of each kind against those of still pictures."""
    tables, figures = {}, {}
    for scale, kind in enumerate(KINDS):
        moved, still = _differences(training, scale)
        gap = np.maximum(moved.mean(axis=0) - still.mean(axis=0), 0)
        fisher = gap / (moved.var(axis=0) + still.var(axis=0) + 1e-12)
        half = DIFFERENCES // 2
        for part in (slice(0, half), slice(half, DIFFERENCES)):
            fisher[part] /= float((still[:, part] @ fisher[part]).std())
        tables[f"weights{scale}"] = fisher.astype(np.float32)
        moved, still = (one @ tables[f"weights{scale}"] for one in _differences(held_out, scale))
        figures[kind] = {"auc": round(float((moved[:, None] > still[None]).mean()), 3)}
    return Learned(tables, {"figures": figures, "windows_s": list(WINDOWS_S)})


def _differences(lessons: Sequence[Lesson], scale: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences at the apices of the kind of this window, and where nothing moves."""
    moved, still = [], []
    for one in lessons:
        events = [event for event in one.planted if event.kind == KINDS[scale]]
        for number, at, values in one.differences:
            if at != scale:
                continue
            if not one.labels[number].any():
                still.append(values)
            elif any(event.at(np.array([number / RATE_HZ]))[0] > 0.7 * event.percent for event in events):
                moved.append(values)
    return np.array(moved), np.array(still)


def fit_patterns(training: Sequence[Lesson], held_out: Sequence[Lesson]) -> Learned:
    """Linear support vector machines of "ltp-ml", and thresholds where F1 is best on held-out faces."""
    from sklearn.svm import LinearSVC

    tables: dict[str, Any] = {}
    card: dict[str, Any] = {"threshold": {}, "figures": {}}
    for scale, kind in enumerate(KINDS):
        vectors, true = [], []
        for one in training:
            starts, patterns = one.patterns[scale]
            begins = _begins(one, kind, starts, PATTERN_S[scale])
            size = patterns[..., -1]
            moving = begins[:, None] & (size >= size.max(axis=1, keepdims=True, initial=-9) - np.log(2))
            used = moving | ~_touched(one, starts, PATTERN_S[scale])[:, None]
            vectors.append(patterns[used])
            true.append(moving[used])
        machine = LinearSVC(C=0.1, class_weight="balanced", random_state=SEED)
        machine.fit(np.concatenate(vectors), np.concatenate(true))
        tables[f"weights{scale}"], tables[f"offset{scale}"] = machine.coef_[0].reshape(FEATURES), machine.intercept_
        least, figures = _best_threshold(held_out, scale, tables)
        card["threshold"][kind], card["figures"][kind] = least, figures
    return Learned(tables, card)


def _begins(lesson: Lesson, kind: str, starts: NDArray[np.float64], pattern_s: float) -> NDArray[np.bool_]:
    """Which starts lie within a quarter of a pattern of the onset of an expression of this kind, (k,)."""
    out = np.zeros(len(starts), bool)
    for event in lesson.planted:
        if event.kind == kind:
            out |= np.abs(starts - event.onset_s) <= pattern_s / 4
    return out


def _touched(lesson: Lesson, starts: NDArray[np.float64], pattern_s: float) -> NDArray[np.bool_]:
    """Which patterns overlap with an expression of either kind, (k,)."""
    out = np.zeros(len(starts), bool)
    for event in lesson.planted:
        out |= (starts < event.offset_s) & (starts + pattern_s > event.onset_s)
    return out


def _best_threshold(lessons: Sequence[Lesson], scale: int, tables: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """Of what is said of all regions together."""
    from scipy.signal import find_peaks

    kind, length_s = KINDS[scale], PATTERN_S[scale]
    said = []
    for one in lessons:
        starts, patterns = one.patterns[scale]
        value = fused(patterns, tables[f"weights{scale}"], float(tables[f"offset{scale}"][0]))
        step_s = float(np.median(np.diff(starts))) if len(starts) > 1 else length_s
        tops = find_peaks(np.r_[0.0, value, 0.0], height=1e-6, distance=max(1, round(length_s / step_s)))[0] - 1
        said.append((starts[tops], value[tops]))
    every = np.concatenate([value for _, value in said])
    best: tuple[float, dict[str, float]] | None = None
    for least in np.percentile(every, np.linspace(0, 99, 40)).tolist():
        counts = []
        for one, (starts, value) in zip(lessons, said, strict=True):
            order = [at for at in np.argsort(-value).tolist() if value[at] >= least]
            found = [(kind, round(starts[at] * NS_PER_S), round((starts[at] + length_s) * NS_PER_S)) for at in order]
            counts.append(event_scores(found, one.planted))
        figures = figures_of(counts, kind)
        if best is None or figures["f1"] > best[1]["f1"]:
            best = max(least, 1e-6), figures
    return best if best is not None else (1.0, {"f1": 0.0, "precision": 0.0, "recall": 0.0})


PLAN = {
    "pair_steps": PAIR_STEPS,
    "pairs": PAIRS,
    "moment_weight": WEIGHT,
    "fitting_seed": SEED,
}
"""What the cards say of the training, besides what `spotter_models` adds."""
