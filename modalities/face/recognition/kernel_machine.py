"""Kernel machines over descriptors: support vector machine and ridge, linear or radial, at will mirror-symmetric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.samples import Labels, Rows, Samples, mirrored
from modalities.face.recognition.system import Scores, System

Kernel = NDArray[np.float64]


class Setting(NamedTuple):
    """One choice: which reading of the input, width of the kernel, strength of the data against smoothness."""

    reading: int
    width: float
    trust: float


@dataclass(frozen=True)
class Choose:
    """All settings are tried in inner folds of the training set, grouped by person; the best UF1 is taken.

    Attributes:
        trust: C of a support vector machine; 1 / lambda of a ridge.
        widths: Of a radial kernel, in median distances of the training set; the linear one has none.
    """

    trust: tuple[float, ...]
    widths: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, eq=False)
class Products:
    """Inner products of the features of n samples, of one reading and one block.

    Attributes:
        plain: Each with each, (n, n).
        mirror: Each with the mirror image of each, (n, n), or None.
        norms: Squared length of each, and of its mirror image, (n, 2).
    """

    plain: NDArray[np.float32]
    mirror: NDArray[np.float32] | None
    norms: NDArray[np.float64]


@dataclass(frozen=True)
class KernelMachine:
    """A kernel for each block, their mean, and one of two losses.

    A mirror-symmetric kernel is (k(a, b) + k(a, mirror of b)) / 2: what was learnt of one side of the face holds for
    the other, as if every sample had been seen in the mirror too (Haasdonk & Burkhardt 2007).

    Attributes:
        kernel: "linear", centred and scaled to unit mean length, or "rbf".
        mirror: Whether it is mirror-symmetric; only for flow maps.
    """

    kernel: Literal["linear", "rbf"] = "rbf"
    mirror: bool = False

    def prepare(self, system: System, samples: Samples) -> list[list[Products]]:
        """Inner products by reading and block."""
        read = system.input.read(samples)
        readings = list(read) if read.ndim == 5 else [read]
        blocks = system.block if isinstance(system.block, tuple) else (system.block,)
        out = []
        for maps in readings:
            reverse = mirrored(maps) if self.mirror else None
            out.append([self._products(block, maps, reverse) for block in blocks])
        return out

    def _products(self, block: Any, maps: NDArray[Any], reverse: NDArray[Any] | None) -> Products:
        features = block.describe(maps)
        squares = (features.astype(np.float64) ** 2).sum(axis=1)
        if reverse is None:
            return Products(features @ features.T, None, np.stack([squares, squares], axis=1))
        other = block.describe(reverse)
        norms = np.stack([squares, (other.astype(np.float64) ** 2).sum(axis=1)], axis=1)
        return Products(features @ features.T, features @ other.T, norms)

    def settings(self, system: System) -> tuple[Setting, ...]:
        """Readings x widths x trust."""
        readings = len(getattr(system.input, "levels", (0,)))
        widths = system.strategy.widths if self.kernel == "rbf" else (1.0,)
        return tuple(Setting(*one) for one in product(range(readings), widths, system.strategy.trust))

    def fits(
        self, system: System, prepared: Any, y: Labels, rows: Rows, settings: Sequence[Setting], classes: int, seed: int
    ) -> Iterator[KernelModel]:
        """See `system.Architecture`; nothing here is random. Settings in a row with the same kernel share it.

        Raises:
            InvalidValueError: a loss that belongs to networks.
        """
        likeness: Likeness | None = None
        for setting in settings:
            if likeness is None or (likeness.reading, likeness.width) != (setting.reading, setting.width):
                likeness = self.likeness(prepared, setting.reading, setting.width, rows)
                gram = likeness.to(prepared, rows)
            yield KernelModel(likeness, *solve(system.loss, gram, y, classes, setting.trust))

    def likeness(self, prepared: list[list[Products]], reading: int, width: float, rows: Rows) -> Likeness:
        """The kernel between any samples and these training samples, its blocks on their scale."""
        return Likeness(self, reading, width, rows, tuple(self._scale(one, rows) for one in prepared[reading]))

    def _scale(self, products: Products, rows: Rows) -> float:
        """Median squared distance (rbf) or mean centred squared length (linear) within the training set."""
        plain = products.plain[np.ix_(rows, rows)].astype(np.float64)
        squares = products.norms[rows, 0]
        if self.kernel == "linear":
            return max(float(squares.mean() - plain.mean()), 1e-12)
        distances = squares[:, None] + squares[None] - 2 * plain
        return max(float(np.median(distances[np.triu_indices(len(rows), 1)])), 1e-12)

    def candidates(
        self, system: System, prepared: Any, y: Labels, rows: Rows, classes: int, seed: int
    ) -> Iterator[tuple[str, KernelModel]]:
        """A model for each setting."""
        settings = self.settings(system)
        models = self.fits(system, prepared, y, rows, settings, classes, seed)
        return zip((str(tuple(one)) for one in settings), models, strict=True)


class Likeness:
    """Kernel between any samples and the training samples.

    Args:
        machine: Which kernel.
        reading: Which reading of the input.
        width: Of a radial kernel.
        rows: Training samples.
        scales: Scale of each block's kernel.
    """

    def __init__(
        self, machine: KernelMachine, reading: int, width: float, rows: Rows, scales: tuple[float, ...]
    ) -> None:  # fmt: skip
        self.machine, self.reading, self.width, self.rows, self.scales = machine, reading, width, rows, scales
        self._last: tuple[Rows, Kernel] | None = None

    def to(self, prepared: Any, rows: Rows) -> Kernel:
        """Mean kernel between `rows` and the training samples, (len(rows), training samples)."""
        if self._last is None or self._last[0] is not rows:
            pairs = zip(prepared[self.reading], self.scales, strict=True)
            self._last = rows, np.mean([self._one(products, rows, scale) for products, scale in pairs], axis=0)
        return self._last[1]

    def _one(self, products: Products, rows: Rows, scale: float) -> Kernel:
        sides = [products.plain] if products.mirror is None else [products.plain, products.mirror]
        own = products.norms[rows, 0]
        parts = []
        for at, side in enumerate(sides):
            between = side[np.ix_(rows, self.rows)].astype(np.float64)
            if self.machine.kernel == "linear":
                train = side[np.ix_(self.rows, self.rows)].astype(np.float64)
                middle = between.mean(axis=1, keepdims=True) + train.mean(axis=0) - train.mean()
                parts.append((between - middle) / scale)
                continue
            distances = np.maximum(own[:, None] + products.norms[self.rows, at] - 2 * between, 0)
            parts.append(np.exp(-distances / (2 * scale * self.width**2)))
        return cast(Kernel, np.mean(parts, axis=0))


@dataclass(frozen=True, eq=False)
class KernelModel:
    """A trained kernel machine.

    Attributes:
        likeness: Its kernel.
        weights: Of the training samples for each class, (training samples, classes).
        offsets: Of each class, (classes,).
    """

    likeness: Likeness
    weights: Kernel
    offsets: Kernel

    def scores(self, prepared: Any, rows: Rows) -> Scores:
        """See `system.Model`."""
        return self.likeness.to(prepared, rows) @ self.weights + self.offsets


def solve(loss: str, gram: Kernel, y: Labels, classes: int, trust: float) -> tuple[Kernel, Kernel]:
    """Weights of the training samples and offsets for each class against the rest, classes weighted alike.

    Args:
        loss: "squared" (kernel ridge, weighted, with an offset) or "hinge" (support vector machine).
        gram: Kernel of the training samples, (n, n).
        y: Classes, (n,).
        classes: How many there are; one that nobody has gets scores of -1.
        trust: 1 / lambda, or C.

    Returns:
        (n, classes) and (classes,).

    Raises:
        InvalidValueError: another loss.
    """
    counts = np.bincount(y, minlength=classes)
    present = np.flatnonzero(counts)
    weights: Kernel = np.zeros((len(y), classes))
    offsets: Kernel = np.full(classes, -1.0)
    if len(present) < 2:
        offsets[present] = 1.0
        return weights, offsets
    share = len(y) / (len(present) * counts[y])
    if loss == "squared":
        n = len(y)
        system: Kernel = np.zeros((n + 1, n + 1))
        system[:n, :n] = gram + np.diag(1 / (trust * share))
        system[n, :n] = system[:n, n] = 1
        target: Kernel = np.zeros((n + 1, len(present)))
        target[:n] = np.where(y[:, None] == present, 1.0, -1.0)
        found = np.linalg.solve(system, target)
        weights[:, present], offsets[present] = found[:n], found[n]
        return weights, offsets
    if loss != "hinge":
        raise InvalidValueError("no such loss of a kernel machine", got=loss, expected="squared or hinge")
    from sklearn.svm import SVC

    for one in present:
        machine = SVC(C=trust, kernel="precomputed", class_weight="balanced", cache_size=50)
        machine.fit(gram, y == one)
        weights[machine.support_, one] = machine.dual_coef_[0]
        offsets[one] = machine.intercept_[0]
    return weights, offsets
