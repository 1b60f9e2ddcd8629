"""Simulated sets of flow maps with known classes: for tests, and for fixing schedules without looking at any corpus.

Faces are points in a 28 x 28 crop; action units move blobs of skin along the pull of their muscles (FACS; Ekman,
Friesen & Hager 2002). Classes are combinations of units; people differ in where their features lie and in what they
do besides; heads shift and turn; one side may be weaker; each channel is stretched over 0..255, as the shared MEGC
2019 inputs are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.samples import CLASSES, SIDE, Samples

_PULLS: dict[str, tuple[tuple[float, float, float, float, float, float], ...]] = {
    "au01": ((0.10, 0.27, 0.00, -1.0, 0.07, 0.06),),
    "au02": ((0.24, 0.25, 0.02, -1.0, 0.07, 0.06),),
    "au04": ((0.12, 0.29, -0.6, 0.8, 0.09, 0.06),),
    "au05": ((0.18, 0.36, 0.00, -0.8, 0.06, 0.03),),
    "au06": ((0.24, 0.50, 0.00, -0.8, 0.09, 0.06),),
    "au07": ((0.18, 0.41, 0.00, -0.7, 0.07, 0.03),),
    "au09": ((0.07, 0.52, 0.00, -0.9, 0.05, 0.07),),
    "au10": ((0.09, 0.68, 0.00, -0.9, 0.06, 0.05),),
    "au12": ((0.17, 0.77, 0.7, -0.7, 0.08, 0.07),),
    "au14": ((0.18, 0.78, 0.9, 0.0, 0.05, 0.04), (0.25, 0.78, -0.5, 0.0, 0.04, 0.05)),
    "au15": ((0.17, 0.80, 0.1, 0.9, 0.06, 0.06),),
    "au17": ((0.04, 0.90, 0.0, -0.9, 0.09, 0.05),),
    "au25": ((0.05, 0.84, 0.0, 0.8, 0.08, 0.04),),
    "au26": ((0.06, 0.90, 0.0, 1.0, 0.14, 0.08),),
}
"""Blobs of a half face: out from the midline and down from the top as shares of the crop, pull outwards and downwards,
spread across and down."""
SHOWN = (
    (("au04",), ("au04", "au07"), ("au14",), ("au15", "au17"), ("au09",), ("au10",), ("au07",), ("au04", "au14")),
    (("au12",), ("au06", "au12"), ("au06",), ("au12", "au14"), ("au12", "au25")),
    (("au01", "au02"), ("au02",), ("au01", "au02", "au05"), ("au01", "au02", "au26"), ("au05", "au26")),
)
"""Combinations of units that show negative, positive, surprise."""
_GRID = np.stack(np.meshgrid(*((np.arange(SIDE) + 0.5) / SIDE,) * 2), axis=-1)


def simulate_flow_set(
    subjects: int = 12,
    each: int = 8,
    *,
    seed: int = 0,
    nuisance: float = 1.0,
    dataset: str = "simulated",
    units: bool = False,
) -> Samples:
    """A set of flow maps.

    Args:
        subjects: Persons.
        each: Samples of each.
        seed: Of everything.
        nuisance: Size of all that is not the class: stray units, head motion, noise; 0 for none.
        dataset: Name of the data set.
        units: Whether there are the columns `au`, units that show the class, `au_strength`, their strengths, and
            `gender`, F and M in turn, on which nothing in the maps depends.

    Returns:
        Samples in the form of the shared MEGC 2019 inputs, half of them negative as there.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 4_201]))
    maps, y, names, clips, shown = [], [], [], [], []
    for person in range(subjects):
        place = draw_place(rng)
        habit = str(rng.choice(list(_PULLS)))
        for at in range(each):
            kind = int(rng.choice(3, p=(0.5, 0.27, 0.23)))
            moved, strength = _map(kind, place, habit, nuisance, rng)
            maps.append(moved)
            shown.append(strength)
            y.append(kind)
            names.append(f"p{person:02d}")
            clips.append(f"c{at:02d}")
    who, where, which = (np.array(one, dtype=np.str_) for one in (names, [dataset] * len(y), clips))
    told = {
        "au": ["+".join(str(int(unit[2:])) for unit in one) for one in shown],
        "au_strength": ["+".join(f"{value:.2f}" for value in one.values()) for one in shown],
    }
    told["gender"] = ["FM"[int(name[1:]) % 2] for name in names]
    columns = {name: np.array(words, dtype=np.str_) for name, words in told.items()} if units else {}
    return Samples("flow_map", np.stack(maps), np.array(y, np.int64), who, where, which, CLASSES, columns)


def _map(
    kind: int, place: NDArray[np.float64], habit: str, nuisance: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """One stretched map of one class, and the strength of each unit that shows it."""
    shown: dict[str, float] = {}
    flow = np.zeros((SIDE, SIDE, 2))
    weaker = 1 - rng.uniform(0, 0.7)
    sides = (1.0, weaker) if rng.random() < 0.5 else (weaker, 1.0)
    for unit in SHOWN[kind][int(rng.integers(len(SHOWN[kind])))]:
        shown[unit] = rng.uniform(0.6, 1.0)
        flow += shown[unit] * pull_of(unit, sides, place)
    if nuisance > 0:
        strays = [habit] if rng.random() < 0.4 else []
        strays += [str(rng.choice(list(_PULLS)))] if rng.random() < 0.5 else []
        for unit in strays:
            flow += nuisance * rng.uniform(0.2, 0.8) * pull_of(unit, (rng.random(), rng.random()), place)
        flow += nuisance * (rng.normal(0, 0.25, 2) + (_GRID - 0.5) @ rng.normal(0, 0.25, (2, 2)))
        flow += nuisance * 0.6 * _smooth_noise(rng)
    down, right = (np.asarray(np.gradient(flow, axis=axis)) for axis in (0, 1))
    shear = (right[..., 1] + down[..., 0]) / 2
    strain = np.sqrt(right[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2)
    full = np.concatenate([flow, strain[..., None]], axis=-1)
    low, high = full.min(axis=(0, 1)), full.max(axis=(0, 1))
    return np.rint(255 * (full - low) / np.maximum(high - low, 1e-9)).astype(np.float32), shown


def draw_place(rng: np.random.Generator) -> NDArray[np.float64]:
    """How far a person's muscles lie from their usual places, shares of the crop, (units, 2)."""
    return rng.normal(0, 0.02, (len(_PULLS), 2))


def pull_of(unit: str, sides: tuple[float, float], place: NDArray[np.float64], size: int = SIDE) -> NDArray[np.float64]:
    """Displacement by one unit, the picture's left half and right half each with its own strength.

    Args:
        unit: Such as "au12".
        sides: Strengths.
        place: Of `draw_place`.
        size: Side of the picture, pixels.

    Returns:
        Right and down, 1 where the unit of full strength pulls most, (size, size, 2).
    """
    grid = _GRID if size == SIDE else np.stack(np.meshgrid(*((np.arange(size) + 0.5) / size,) * 2), axis=-1)
    move = place[list(_PULLS).index(unit)]
    out = np.zeros((size, size, 2))
    for across, down, outwards, downwards, wide, high in _PULLS[unit]:
        for sign, strength in zip((-1.0, 1.0), sides, strict=True):
            x, y = 0.5 + sign * (across + move[0]), down + move[1]
            blob = np.exp(-(((grid[..., 0] - x) / wide) ** 2 + ((grid[..., 1] - y) / high) ** 2) / 2)
            out += strength * blob[..., None] * np.array([sign * outwards, downwards])
    return out


def _smooth_noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Errors of the flow, alike over a few pixels, of unit size."""
    from scipy.ndimage import gaussian_filter

    noise = np.stack([gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2.0) for _ in range(2)], axis=-1)
    return noise / noise.std() * 0.3
