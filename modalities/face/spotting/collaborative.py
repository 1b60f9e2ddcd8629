"""Reference spotter: collaborative feature difference (CFD).

After Han, Li, Lai & Liu, "CFD: a collaborative feature difference method for spontaneous micro-expression spotting"
(2018): feature difference analysis (`lbp`) with two features that complete each other, the texture (LBP) and the main
direction of the motion (MDMO), and with weights of the regions from Fisher's linear discriminant: a region counts the
more, the better its difference tells expressions from all else.

What differs: regions are the 6 x 6 blocks of `lbp`; flow is measured from the picture k earlier; weights are learned
from simulated faces, each region by itself, w = (difference of the two means) / (sum of the two variances), and both
features count alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.differences import FACE_BOX, Kept, Triples
from modalities.face.spotting.lbp import BLOCKS, WINDOWS_S, LbpSpotter, block_histograms
from modalities.face.spotting.learned import load_learned

BINS = 8
EVERY_PX = 2
"""Every second vector along x and y is counted: flow is smooth."""
LEAST_STEP_S = 0.0245
"""At most about 40 pictures a second are looked at."""
DIFFERENCES = 2 * BLOCKS**2


class CollaborativeSpotter(LbpSpotter):
    """Peaks of the weighted differences of both features."""

    name = "cfd"

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        tables = load_learned(self.name).tables
        return CollaborativeReducer([tables[f"weights{scale}"] for scale in range(len(WINDOWS_S))])


@dataclass(frozen=True, eq=False, slots=True)
class _Kept:
    face: Picture
    histograms: FloatArray


class Differences:
    """Differences of both features of each picture, as soon as they are known."""

    def __init__(self) -> None:
        self._triples: Triples[_Kept] = Triples(tuple(window / 2 for window in WINDOWS_S), LEAST_STEP_S)
        self._flow: DenseFlow | None = None

    def add(self, patch: Picture, t_ns: int, number: int) -> list[tuple[int, int, NDArray[np.float64]]]:
        """Frame number, which window, and differences (`DIFFERENCES`,) of the pictures that are complete now."""
        if not self._triples.wants(t_ns):
            return []
        self._flow = self._flow or dense_flow("dis")
        left, top, right, bottom = FACE_BOX
        face = np.ascontiguousarray(patch[top:bottom, left:right])
        out = []
        for one in self._triples.add(_Kept(face, block_histograms(face)), t_ns, number):
            now = main_motion(self._flow(one.before.face, one.now.face))
            after = main_motion(self._flow(one.before.face, one.after.face))
            texture = chi_square(one.before.histograms, one.now.histograms, one.after.histograms)
            motion = np.linalg.norm(now - after / 2, axis=1)
            out.append((one.number, one.scale, np.concatenate([texture, motion])))
        return out


class CollaborativeReducer:
    """Keeps the weighted sum of the differences of each picture at both windows.

    Args:
        weights: By window, (`DIFFERENCES`,).
    """

    def __init__(self, weights: list[NDArray[np.float32]]) -> None:
        self._weights = weights
        self._differences = Differences()
        self._kept = Kept(len(WINDOWS_S))

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        for at, scale, differences in self._differences.add(patch, t_ns, number):
            self._kept.put(at, scale, float(self._weights[scale] @ differences))

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: sum and whether there is one, at both windows, (n, 4)."""
        return self._kept.table(n)


def chi_square(before: FloatArray, now: FloatArray, after: FloatArray) -> NDArray[np.float64]:
    """Chi-square distance of each block from the mean of its neighbours in time, (blocks,), of (blocks, bins) each."""
    usual = (before + after) / 2
    total = (now + usual).astype(np.float64)
    return np.asarray(((now - usual) ** 2 / np.where(total > 0, total, 1)).sum(axis=1))


def main_motion(flow: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean vector of the most frequent of 8 directions in each block, pixels, (blocks, 2).

    Args:
        flow: (h, w, 2).
    """
    part = flow[::EVERY_PX, ::EVERY_PX].astype(np.float64)
    height, width = part.shape[:2]
    rows, columns = (np.arange(size) * BLOCKS // size for size in (height, width))
    block = rows[:, None] * BLOCKS + columns
    direction = np.rint(np.arctan2(part[..., 1], part[..., 0]) / (2 * np.pi) * BINS).astype(np.int64) % BINS
    joint = (block * BINS + direction).ravel()
    most = BLOCKS**2 * BINS
    counts = np.bincount(joint, minlength=most).reshape(-1, BINS)
    sums = [np.bincount(joint, part[..., axis].ravel(), most).reshape(-1, BINS) for axis in (0, 1)]
    main = counts.argmax(axis=1)
    at = np.arange(len(main))
    return np.stack([one[at, main] / np.maximum(counts[at, main], 1) for one in sums], axis=1)
