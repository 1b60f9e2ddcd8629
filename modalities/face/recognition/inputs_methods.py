"""What is done to clips before they are described: magnified, brought to a length, divided into regions, summed up.

Each is one of the classical methods (`modalities.face.magnification`, `interpolation`, `divisions`) as the input of a
recognition system, so that all are measured by one protocol on the same clips. Nothing here learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.descriptors.base import ClipDescriptor, Features
from modalities.face.descriptors.cells import Codes
from modalities.face.divisions.base import find_division
from modalities.face.divisions.usual import usual_points
from modalities.face.interpolation.length import Way, bring_to_length
from modalities.face.interpolation.summary import active_image, dynamic_image
from modalities.face.magnification.base import find_magnifier
from modalities.face.recognition.inputs_clip import apex_of
from modalities.face.recognition.samples import Kind, Samples
from modalities.face.registration import PATCH_EYES, PATCH_IOD_PX, PATCH_PX

Clips = NDArray[np.object_]
EYES_COLUMN = "eyes"
"""Column of samples that says where a face lies in its clip where that is not as in the aligned pictures of the face
path: the middle between the eyes across and down, and their distance, shares of the picture, "0.5 0.38 0.36"."""
_ALIGNED = (PATCH_EYES[0] / PATCH_PX, PATCH_EYES[1] / PATCH_PX, PATCH_IOD_PX / PATCH_PX)


@dataclass(frozen=True)
class Magnified:
    """Clips whose motion is made larger.

    Attributes:
        name: Of `magnification.base.MAGNIFIERS`.
        factor: How many times.
        file: Of the user's network, for "learned".
    """

    name: str
    factor: float
    file: str | None = None
    kind: Kind = "clip"

    def read(self, samples: Samples) -> Clips:
        """Clips (n,), each uint8 (t, h, w)."""
        way = find_magnifier(self.name, **({} if self.file is None else {"file": self.file}))
        return boxed([_levels(way.magnify(clip, self.factor)) for clip in samples.x])


@dataclass(frozen=True)
class Lengthened:
    """Clips brought to one length.

    Attributes:
        way: "linear" or "tim".
        frames: Length.
    """

    way: Way
    frames: int
    kind: Kind = "clip"

    def read(self, samples: Samples) -> Clips:
        """Clips (n,), each float32 (frames, h, w)."""
        return boxed([bring_to_length(clip, self.frames, self.way) for clip in samples.x])


@dataclass(frozen=True)
class SummedUp:
    """One picture for a whole clip, from its first frame to its apex: dynamic image or active image.

    Attributes:
        name: Which.
    """

    name: Literal["dynamic", "active"]
    kind: Kind = "clip"

    def read(self, samples: Samples) -> Clips:
        """Pictures (n,), each float32 (h, w)."""
        return boxed([self._one(np.asarray(clip, np.float32)) for clip in samples.x])

    def _one(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        rising = clip[: apex_of(clip) + 1]
        return dynamic_image(rising) if self.name == "dynamic" else active_image(rising)


@dataclass(frozen=True, eq=False)
class Parted:
    """A clip and its regions.

    Attributes:
        clip: Grey levels, (t, h, w).
        masks: Bool (regions, h, w).
    """

    clip: NDArray[np.number]
    masks: NDArray[np.bool_]


@dataclass(frozen=True)
class InRegions:
    """Clips with the regions of a face; landmarks are those of a usual face, since clips are aligned and keep none.

    Attributes:
        name: Of `divisions.base.DIVISIONS`.
        most: Regions of a division whose number differs from clip to clip; those missing are empty.
    """

    name: str
    most: int = 3
    kind: Kind = "clip"

    def read(self, samples: Samples) -> Clips:
        """`Parted` (n,)."""
        settings: dict[str, Any] = {"most": self.most} if self.name == "difference" else {}
        division = find_division(self.name, **settings)
        eyes = samples.attributes.get(EYES_COLUMN, np.full(len(samples), ""))
        out = []
        for clip, words in zip(samples.x, eyes, strict=True):
            across, down, apart = place_of(str(words))
            points = usual_points(clip.shape[1:], (across, down), apart)
            masks = division.divide(clip, points).masks
            if self.name == "difference":
                masks = np.concatenate([masks, np.zeros((self.most - len(masks), *clip.shape[1:]), bool)])
            out.append(Parted(clip, masks))
        return boxed(out)


@dataclass(frozen=True)
class PerRegion:
    """A descriptor pooled over regions instead of the cells of a grid.

    Attributes:
        descriptor: Of clips; its grid is left unused.
    """

    descriptor: ClipDescriptor

    def describe(self, samples: Clips) -> Features:
        """A vector for each `Parted`, region by region, float32 (n, d); zeros for an empty region."""
        return np.stack([self._one(one) for one in samples])

    def _one(self, one: Parted) -> NDArray[np.float32]:
        described = self.descriptor
        parts = described.parts(bring_to_length(one.clip, described.frames, described.way))
        rim = described.margin[1]
        inner = one.masks[:, rim : one.masks.shape[1] - rim, rim : one.masks.shape[2] - rim]
        return np.concatenate([_counted(part, mask) for mask in inner for part in parts])


@dataclass(frozen=True)
class PictureShape:
    """Histograms of oriented gradients of single pictures in cells (Dalal & Triggs 2005), cells of length 1.

    Attributes:
        grid: Cells a side.
        directions: Over a half turn.
    """

    grid: int = 5
    directions: int = 9

    def describe(self, samples: Clips) -> Features:
        """A vector for each picture, float32 (n, grid * grid * directions)."""
        return np.stack([self._one(np.asarray(one, np.float64)) for one in samples])

    def _one(self, picture: NDArray[np.float64]) -> NDArray[np.float32]:
        down, right = np.gradient(picture)
        size = np.hypot(down, right)
        turn = np.floor(np.mod(np.arctan2(down, right), np.pi) / np.pi * self.directions).astype(np.int64)
        codes = np.minimum(turn, self.directions - 1)[None]
        return Codes(codes, self.directions, size[None]).pool(self.grid, 1).ravel()


def place_of(words: str) -> tuple[float, float, float]:
    """Where a face lies in its clip: eyes across and down, and their distance, shares of the picture.

    Args:
        words: Of the column `EYES_COLUMN`; empty for the aligned pictures of the face path.

    Raises:
        InvalidValueError: no three numbers.
    """
    if not words:
        return _ALIGNED
    try:
        across, down, apart = (float(one) for one in words.split())
    except ValueError as error:
        raise InvalidValueError(
            f"the column '{EYES_COLUMN}' does not say where a face lies", got=words, expected="such as 0.5 0.38 0.36"
        ) from error
    return across, down, apart


def boxed(items: list[Any]) -> Clips:
    """Any things as an object array (n,)."""
    out = np.empty(len(items), object)
    for at, one in enumerate(items):
        out[at] = one
    return out


def _levels(clip: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.rint(clip).clip(0, 255).astype(np.uint8)


def _counted(part: Any, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Histogram of what lies in a mask, of sum 1."""
    if not isinstance(part, Codes):
        raise InvalidValueError("only descriptors that count patterns can be pooled over regions", got=type(part))
    inside = part.codes[:, mask]
    weights = None if part.weights is None else part.weights[:, mask].ravel()
    counts = np.bincount(inside.ravel(), weights, part.labels)
    return np.asarray(counts / max(float(counts.sum()), 1e-12), np.float32)
