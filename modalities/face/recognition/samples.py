"""Samples to recognise: maps of flow or clips of pictures, with class, person, data set and clip."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

CLASSES = ("negative", "positive", "surprise")
"""Composite classes of MEGC 2019 (See et al. 2019), in the order of their numbers."""
SIDE = 28
"""Side of a flow map, pixels."""

LEARNT = ("au", "gender")
"""Columns that some systems learn beside the class (`side_labels`)."""

Kind = Literal["flow_map", "clip"]
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
Names = NDArray[np.str_]

KIND_WORDS = {"flow_map": "maps of flow from onset to apex", "clip": "clips of pictures"}


@dataclass(frozen=True, eq=False)
class Samples:
    """n labelled samples.

    Attributes:
        kind: What `x` holds.
        x: Flow maps (n, 28, 28, 3) with channels u, v, strain, each channel of each sample stretched over 0..255; or
            an object array (n,) of clips, each grey uint8 (t, h, w).
        y: Class number, int64 (n,).
        subject: Name of the person within the data set, (n,).
        dataset: Name of the data set, (n,).
        clip: Name of the clip, (n,).
        classes: Names of the classes.
        attributes: Further columns by name, (n,) each: emotion, action units and so on.
    """

    kind: Kind
    x: NDArray[Any]
    y: Labels
    subject: Names
    dataset: Names
    clip: Names
    classes: tuple[str, ...] = CLASSES
    attributes: Mapping[str, Names] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.y)
        if n == 0:
            raise InvalidValueError("a set of samples is empty")
        columns = {"x": self.x, "subject": self.subject, "dataset": self.dataset, "clip": self.clip}
        for name, column in {**columns, **self.attributes}.items():
            if len(column) != n:
                raise InvalidValueError(f"column '{name}' does not fit the labels", got=len(column), expected=n)
        if self.y.min() < 0 or self.y.max() >= len(self.classes):
            raise InvalidValueError(
                "a class number is outside its range",
                got=sorted({int(one) for one in self.y}),
                expected=f"0 to {len(self.classes) - 1}: {', '.join(self.classes)}",
            )
        if self.kind == "flow_map" and self.x.shape[1:] != (SIDE, SIDE, 3):
            raise InvalidValueError(
                "flow maps have another shape", got=self.x.shape, expected=f"(n, {SIDE}, {SIDE}, 3): u, v, strain"
            )
        if self.kind == "clip" and any(np.ndim(one) != 3 for one in self.x):
            raise InvalidValueError("a clip is no stack of grey pictures", expected="uint8 (frames, height, width)")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def person(self) -> Names:
        """Who is seen, the same name in all data sets that were recorded of the same people, (n,)."""
        return np.array([f"{family(d)}/{s}" for d, s in zip(self.dataset, self.subject, strict=True)], dtype=np.str_)

    @property
    def video(self) -> Names:
        """Name of the clip that no other person or data set shares, (n,)."""
        parts = zip(self.dataset, self.subject, self.clip, strict=True)
        return np.array(["/".join(one) for one in parts], dtype=np.str_)

    def take(self, rows: Rows) -> Samples:
        """The samples of these rows."""
        return Samples(
            self.kind, self.x[rows], self.y[rows], self.subject[rows], self.dataset[rows], self.clip[rows],
            self.classes, {name: column[rows] for name, column in self.attributes.items()},
        )  # fmt: skip

    def labelled(self, y: Labels) -> Samples:
        """The same samples with other labels."""
        return Samples(
            self.kind, self.x, y, self.subject, self.dataset, self.clip, self.classes, self.attributes
        )  # fmt: skip

    def digest(self) -> str:
        """Hash of pictures, labels, people and the columns `LEARNT`; two sets of the same content share it."""
        made = hashlib.sha256(repr((self.kind, self.classes, len(self))).encode())
        for one in self.x if self.kind == "clip" else (self.x,):
            made.update(str((one.shape, one.dtype)).encode() + np.ascontiguousarray(one).tobytes())
        made.update(self.y.astype(np.int64).tobytes())
        made.update("\n".join(self.video).encode())
        for name in LEARNT:
            made.update("\n".join(self.attributes.get(name, ())).encode())
        return made.hexdigest()


def family(dataset: str) -> str:
    """Data sets of the same people under one name: SMIC's HS, VIS and NIR cameras saw the same persons."""
    name = dataset.lower()
    return "smic" if name.startswith("smic") else name


def mirrored(maps: NDArray[np.floating]) -> NDArray[np.floating]:
    """Zero-levelled flow maps as the mirror shows them: left for right, u reversed, (n, h, w, 3)."""
    out = maps[:, :, ::-1].copy()
    out[..., 0] *= -1
    return out
