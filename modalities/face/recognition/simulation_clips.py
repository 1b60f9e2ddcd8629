"""Simulated clips of faces with known classes: pictures of a movement from onset to offset.

A face is a sum of soft spots (brows, lids, nose, mouth, chin) on textured skin, a different one for each person. Its
skin is moved by the same fields of action units as the simulated maps of flow (`simulation`), which rise to an apex and
fall again, while the head drifts a little. Nothing is interpolated: a face is a function of place, looked up where the
skin came from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.samples import CLASSES, Samples
from modalities.face.recognition.simulation import SHOWN, draw_place, pull_of

Values = NDArray[np.float64]

_SPOTS = (
    (0.20, 0.26, 0.10, 0.025, -60.0), (0.18, 0.38, 0.07, 0.030, -70.0), (0.00, 0.55, 0.05, 0.060, -25.0),
    (0.10, 0.77, 0.09, 0.030, -60.0), (0.00, 0.78, 0.08, 0.028, -60.0), (0.00, 0.92, 0.12, 0.040, -20.0),
    (0.28, 0.60, 0.10, 0.120, 15.0), (0.16, 0.68, 0.02, 0.060, -15.0),
)  # fmt: skip
"""Spots of a half face: out from the midline, down, spread across and down (shares of the crop), levels added."""
EYES = "0.5 0.38 0.36"
"""Where the lids lie: the middle between the eyes across and down, and their distance, shares of the crop."""
_REACH = 0.055
"""Displacement by a unit of full strength, as a share of the crop: 2.6 pixels of 48."""
_WAVES = 6


def simulate_clip_set(
    subjects: int = 12,
    each: int = 8,
    *,
    seed: int = 0,
    side: int = 32,
    frames: int = 12,
    nuisance: float = 1.0,
    strength: float = 1.0,
    dataset: str = "simulated clips",
) -> Samples:
    """A set of clips.

    Args:
        subjects: Persons.
        each: Clips of each.
        seed: Of everything.
        side: Of a picture, pixels.
        frames: In a clip; lengths differ by up to a quarter.
        nuisance: Size of all that is not the class: stray units, drift of the head, noise; 0 for none.
        strength: Of the expression; 1 is about five hundredths of the crop, 3 or so a macro-expression.
        dataset: Name of the data set.

    Returns:
        Samples of kind "clip" with the columns `au` of the units shown and `eyes` of `EYES`, classes as often as in
        `simulate_flow_set`.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7_703]))
    clips, y, names, which, units = [], [], [], [], []
    for person in range(subjects):
        face = _Face(rng, side)
        for at in range(each):
            kind = int(rng.choice(3, p=(0.5, 0.27, 0.23)))
            shown = SHOWN[kind][int(rng.integers(len(SHOWN[kind])))]
            length = frames + int(rng.integers(-(frames // 4), frames // 4 + 1))
            clips.append(face.clip(shown, length, nuisance, strength, rng))
            y.append(kind)
            names.append(f"p{person:02d}")
            which.append(f"c{at:02d}")
            units.append("+".join(str(int(unit[2:])) for unit in shown))
    x = np.empty(len(y), object)
    x[:] = clips
    place = np.full(len(y), EYES)
    who, where, clip, au = (np.array(one, dtype=np.str_) for one in (names, [dataset] * len(y), which, units))
    return Samples("clip", x, np.array(y, np.int64), who, where, clip, CLASSES, {"au": au, "eyes": place})


class _Face:
    """One person.

    Args:
        rng: Where the person comes from.
        side: Of the picture, pixels.
    """

    def __init__(self, rng: np.random.Generator, side: int) -> None:
        self.place = draw_place(rng)
        self.grid = np.stack(np.meshgrid(*((np.arange(side) + 0.5) / side,) * 2), axis=-1)
        self.spots = [
            (sign * across + dx, down + dy, wide * width, high, dark * tone)
            for across, down, wide, high, dark in _SPOTS
            for dx, dy, width, tone in [(*rng.normal(0, 0.012, 2), rng.uniform(0.85, 1.15), rng.uniform(0.8, 1.2))]
            for sign in ((-1, 1) if across else (1,))
        ]
        self.waves = rng.normal(0, 18, (_WAVES, 2))
        self.phases, self.sizes = rng.uniform(0, 2 * np.pi, _WAVES), rng.uniform(1, 5, _WAVES)
        self.skin = rng.uniform(130, 180)

    def look(self, places: Values) -> Values:
        """Levels at places (..., 2)."""
        x, y = places[..., 0] - 0.5, places[..., 1]
        out = np.full(places.shape[:-1], self.skin) + 10 * x
        for across, down, wide, high, dark in self.spots:
            out += dark * np.exp(-(((x - across) / wide) ** 2 + ((y - down) / high) ** 2) / 2)
        return out + np.sin(places @ self.waves.T + self.phases) @ self.sizes

    def clip(
        self, shown: tuple[str, ...], length: int, nuisance: float, strength: float, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Pictures from onset to offset, (length, side, side)."""
        side = len(self.grid)
        weaker = 1 - rng.uniform(0, 0.7)
        sides = (1.0, weaker) if rng.random() < 0.5 else (weaker, 1.0)
        field = np.zeros((side, side, 2))
        for unit in shown:
            field += rng.uniform(0.6, 1.0) * pull_of(unit, sides, self.place, side)
        if nuisance > 0 and rng.random() < 0.4:
            stray = str(rng.choice(list(dict.fromkeys(unit for kind in SHOWN for one in kind for unit in one))))
            field += nuisance * rng.uniform(0.1, 0.5) * pull_of(stray, (rng.random(), rng.random()), self.place, side)
        apex = rng.uniform(0.35, 0.65) * (length - 1)
        t = np.arange(length)
        rise = np.where(t <= apex, t / apex, (length - 1 - t) / (length - 1 - apex))
        course = (1 - np.cos(np.pi * rise)) / 2
        drift = nuisance * rng.normal(0, 0.004, 2) * (t / length)[:, None]
        moved = strength * _REACH * course[:, None, None, None] * field + drift[:, None, None]
        levels = self.look(self.grid - moved) + nuisance * rng.normal(0, 1.5, (length, side, side))
        return np.rint(levels).clip(0, 255).astype(np.uint8)
