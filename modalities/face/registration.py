"""Registration: the head's place in space, and a small aligned picture of the face that stays put while the head
moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.named import find_named
from data_schemas.time import to_s
from modalities.face.landmarks import Sighting
from modalities.face.models import FloatArray, Picture
from modalities.face.regions import TEMPLATE, TEMPLATE_WEIGHT

PATCH_PX = 160
"""Side of the aligned picture."""
PATCH_IOD_PX = 60.0
"""Inter-ocular distance in the aligned picture."""
PATCH_EYES = (80.0, 44.0)
"""Where the middle between the eyes lies in the aligned picture."""

_MARGIN_PX = 12
_POINTS = np.array([index for pair in TEMPLATE for index in dict.fromkeys(pair)])
_WEIGHTS = np.array([TEMPLATE_WEIGHT.get(pair[0], 1.0) for pair in TEMPLATE for _ in dict.fromkeys(pair)])
_TEMPLATE = np.array(
    [
        (place[0] * (1 if index == pair[1] else -1), *place[1:])
        for pair, place in TEMPLATE.items()
        for index in dict.fromkeys(pair)
    ]
)


@dataclass(frozen=True, eq=False)
class HeadFit:
    """The similarity that takes a sighted mesh to the frontal template.

    Attributes:
        rotation: (3, 3), from camera axes (right, up, towards the camera) to the face's axes.
        iod_px: Inter-ocular distance in pixels of the picture, free of foreshortening.
        frontal: All landmarks in the face's axes (out to the person's left, up, forward), in inter-ocular distances,
            (478, 3).
        residual: Root mean square distance of the stable points from the template, inter-ocular distances.
    """

    rotation: FloatArray
    iod_px: float
    frontal: FloatArray
    residual: float


def fit_head(points: FloatArray) -> HeadFit:
    """Fit the stable points of a mesh to the template by a weighted similarity (Umeyama 1991).

    Args:
        points: (478, 3), x right, y down, z away from the camera, pixels.
    """
    mesh = points * (1.0, -1.0, -1.0)
    weights = _WEIGHTS / _WEIGHTS.sum()
    centre, target = weights @ mesh[_POINTS], weights @ _TEMPLATE
    here, there = mesh[_POINTS] - centre, _TEMPLATE - target
    u, spread, vt = np.linalg.svd((there * weights[:, None]).T @ here)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * mirror) @ vt
    scale = float((spread * mirror).sum() / np.sum(weights * (here**2).sum(axis=1)))
    frontal = scale * (mesh - centre) @ rotation.T + target
    away = ((frontal[_POINTS] - _TEMPLATE) ** 2).sum(axis=1)
    return HeadFit(rotation, 1 / scale, frontal, float(np.sqrt(weights @ away)))


class Aligner(Protocol):
    """Makes the aligned picture of the face out of each frame."""

    def restart(self) -> None:
        """Forget the past: the face was lost."""

    def align(self, sighting: Sighting, t_ns: int) -> tuple[Picture, NDArray[np.float32]]:
        """Grey uint8 (`PATCH_PX`, `PATCH_PX`), and the landmarks in it, float32 (478, 2)."""


ALIGNERS: dict[str, str] = {
    "similarity": "modalities.face.registration:PatchAligner",
    "piecewise": "modalities.face.piecewise_registration:PiecewiseAligner",
}
"""Name -> "module:Class", imported only when used."""


def load_aligner(name: str) -> Aligner:
    """A fresh aligner of this name, for one face.

    Raises:
        InvalidValueError: unknown name; the message lists the known ones.
    """
    return cast(Aligner, find_named(ALIGNERS, name, "registration")())


class PatchAligner:
    """Cuts the aligned picture of the face out of each frame by a similarity on eye corners and nose bridge.

    Its four parameters pass a one-euro filter (Casiez et al. 2012), so that the jitter of landmarks does not shake the
    picture while real movement is followed. What lags behind is common to the whole picture and removed from the flow.
    """

    def __init__(self) -> None:
        self._filter = OneEuro(min_cutoff_hz=1.5, beta=2.0)

    def restart(self) -> None:
        """Forget the past: the face was lost."""
        self._filter.restart()

    def align(self, sighting: Sighting, t_ns: int) -> tuple[Picture, NDArray[np.float32]]:
        """The aligned picture, and where its landmarks lie.

        Args:
            sighting: Face in a picture.
            t_ns: Time of the picture.

        Returns:
            Grey uint8 (`PATCH_PX`, `PATCH_PX`), and the landmarks in it, float32 (478, 2).
        """
        import cv2

        matrix = self.place(sighting, t_ns)
        through, grey = window_view(sighting, matrix)
        patch = cv2.warpAffine(
            grey, through, (PATCH_PX, PATCH_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        placed = sighting.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return patch.astype(np.uint8, copy=False), placed.astype(np.float32)

    def place(self, sighting: Sighting, t_ns: int) -> FloatArray:
        """The similarity from the whole picture to the aligned one, (2, 3)."""
        return self._similarity(sighting.points[_POINTS, :2], t_ns)

    def _similarity(self, flat: FloatArray, t_ns: int) -> FloatArray:
        """Matrix (2, 3) from the picture to the patch; complex numbers make the least-squares fit one division."""
        weights = _WEIGHTS / _WEIGHTS.sum()
        source = flat[:, 0] + 1j * flat[:, 1]
        target = (PATCH_EYES[0] + PATCH_IOD_PX * _TEMPLATE[:, 0]) + 1j * (
            PATCH_EYES[1] - PATCH_IOD_PX * _TEMPLATE[:, 1]
        )
        centre, goal = weights @ source, weights @ target
        turn = (weights * (source - centre).conj()) @ (target - goal) / (weights @ np.abs(source - centre) ** 2)
        iod_px = PATCH_IOD_PX / abs(turn)
        span = PATCH_IOD_PX / turn
        state = self._filter(np.array([centre.real, centre.imag, span.real, span.imag]), to_s(t_ns), iod_px)
        centre, turn = complex(state[0], state[1]), PATCH_IOD_PX / complex(state[2], state[3])
        shift = goal - turn * centre
        return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def window_view(sighting: Sighting, matrix: FloatArray) -> tuple[FloatArray, Picture]:
    """What an aligned picture is cut out of.

    Args:
        sighting: Face in a picture.
        matrix: From the picture to the aligned one, (2, 3).

    Returns:
        The matrix from the part of the sighting's window that matters to the aligned picture, (2, 3), and that part in
        grey, uint8 (h, w), blurred as much as it is going to be shrunk.
    """
    import cv2

    # From the window: first to the picture, then to the patch.
    stretch = np.diag(1 / sighting.scale)
    inner = np.column_stack([stretch, 0.5 / sighting.scale - 0.5 + sighting.corner])
    through = np.column_stack([matrix[:, :2] @ inner[:, :2], matrix[:, :2] @ inner[:, 2] + matrix[:, 2]])
    shrinking = 1 / float(np.hypot(through[0, 0], through[1, 0]))
    (left, top), (right, bottom) = _footprint(through, sighting.window.shape[1::-1])
    grey = cv2.cvtColor(sighting.window[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    through[:, 2] += through[:, :2] @ (left, top)
    if shrinking > 1.2:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 * shrinking)
    return through, np.asarray(grey, np.uint8)


def _footprint(through: FloatArray, size: tuple[int, ...]) -> NDArray[np.int64]:
    """Left top and right bottom of what the aligned picture and a margin around it show of a window, (2, 2).

    Args:
        through: From the window to the aligned picture, (2, 3).
        size: Width and height of the window.
    """
    low, high = -_MARGIN_PX, PATCH_PX + _MARGIN_PX
    corners = np.array([(low, low), (low, high), (high, low), (high, high)])
    seen = np.linalg.solve(through[:, :2], (corners - through[:, 2]).T).T
    first = np.clip(np.floor(seen.min(axis=0)), 0, np.array(size) - 2).astype(np.int64)
    return np.stack([first, np.clip(np.ceil(seen.max(axis=0)), first + 2, size).astype(np.int64)])


class OneEuro:
    """The one-euro filter: a low pass whose cut-off rises with speed (Casiez, Roussel & Vogel 2012).

    Args:
        min_cutoff_hz: Cut-off at rest.
        beta: Rise of the cut-off, Hz per unit per second of speed.
    """

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self._cutoff, self._beta = min_cutoff_hz, beta
        self._last: FloatArray | None = None
        self._speed = np.zeros(0)
        self._time_s = 0.0

    def restart(self) -> None:
        """The next value passes unfiltered."""
        self._last = None

    def __call__(self, value: FloatArray, time_s: float, unit: float = 1.0) -> FloatArray:
        """The filtered value, same shape; times increase from call to call, `unit` is what speed is measured in."""
        if self._last is None:
            self._last, self._speed, self._time_s = value, np.zeros_like(value), time_s
            return value
        step = max(time_s - self._time_s, 1e-4)
        self._speed = self._speed + _gain(1.0, step) * ((value - self._last) / step - self._speed)
        fastest = float(np.linalg.norm(self._speed[:2])) / unit
        self._last = self._last + _gain(self._cutoff + self._beta * fastest, step) * (value - self._last)
        self._time_s = time_s
        return self._last


def _gain(cutoff_hz: float, step_s: float) -> float:
    turn = 2 * np.pi * cutoff_hz * step_s
    return turn / (turn + 1)
