"""What systems for clips look at: the apex, a dynamic image, some frames, or flow between frames. Nothing learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.interpolation.length import bring_to_length
from modalities.face.interpolation.summary import dynamic_image, rank_weights
from modalities.face.recognition.samples import Kind, Samples

Pictures = NDArray[np.float32]
Channel = Literal["apex", "change", "u", "v", "strain", "dynamic", "weber"]
_SMOOTH = 3
"""Frames over which motion is averaged before its greatest is taken as the apex."""
_RIM = 6
"""Pixels added around pictures before flow is measured: at the rim the method finds motion where there is none."""


@dataclass(frozen=True)
class ClipPicture:
    """Pictures that stand for a whole clip, one on the other.

    Attributes:
        channels: "apex": the frame that differs most from the first; "change": apex less first; "u", "v", "strain":
            flow from the first to the apex; "dynamic": frames up to the apex summed with rising weights (approximate
            rank pooling; Bilen et al. 2016; over a movement that comes and goes it would give nothing);
            "weber": change of what a pixel differs by from its surroundings (Weber local descriptor; Chen et al. 2010).
        side: Of the picture, pixels.
    """

    channels: tuple[Channel, ...]
    side: int = 32
    kind: Kind = "clip"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return len(self.channels), self.side, self.side

    def read(self, samples: Samples) -> Pictures:
        """Pictures (n, channels, side, side)."""
        return np.stack([self._one(sized(clip, self.side)) for clip in samples.x])

    def _one(self, clip: Pictures) -> Pictures:
        at = apex_of(clip)
        apex = clip[at]
        flow = flow_between(clip[0], apex) if {"u", "v", "strain"} & set(self.channels) else np.zeros((3, 1, 1))
        made = {"apex": lambda: apex - 0.5, "change": lambda: 5 * (apex - clip[0]), "u": lambda: flow[0],
                "v": lambda: flow[1], "strain": lambda: flow[2], "dynamic": lambda: _dynamic(clip[: at + 1]),
                "weber": lambda: weber(apex) - weber(clip[0])}  # fmt: skip
        return np.stack([made[name]() for name in self.channels]).astype(np.float32)


@dataclass(frozen=True)
class ClipFrames:
    """A clip brought to one length, perhaps with flow.

    Attributes:
        frames: Length.
        side: Of the pictures, pixels.
        channels: "grey": pictures less their mean over time, five times; "flow": u and v from the first frame;
            "strain" of that flow; "apex": the frame that differs most from the first, less the mean over time, five
            times, the same at each time; "apex_flow": flow from the first frame to that one, the same at each time.
    """

    frames: int = 8
    side: int = 24
    channels: tuple[Literal["grey", "flow", "strain", "apex", "apex_flow"], ...] = ("grey",)
    kind: Kind = "clip"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        count = sum(2 if "flow" in name else 1 for name in self.channels)
        return count, self.frames, self.side, self.side

    def read(self, samples: Samples) -> Pictures:
        """Clips (n, channels, frames, side, side)."""
        return np.stack([self._one(bring_to_length(sized(clip, self.side), self.frames)) for clip in samples.x])

    def _one(self, clip: Pictures) -> Pictures:
        grey, at = 5 * (clip - clip.mean(axis=0))[None], apex_of(clip)
        every = np.arange(len(clip))
        wants_flow = {"flow", "strain"} & set(self.channels)
        seen = every if wants_flow else np.array([at])
        wanted = wants_flow or "apex_flow" in self.channels
        flows = {int(one): flow_between(clip[0], clip[one]) for one in seen} if wanted else {}

        def made(name: str) -> Pictures:
            if name in ("grey", "apex"):
                return grey if name == "grey" else grey[:, np.full(len(clip), at)]
            times = np.full(len(clip), at) if name == "apex_flow" else every
            rows = slice(2, 3) if name == "strain" else slice(0, 2)
            return np.stack([flows[int(one)][rows] for one in times], axis=1)

        return np.concatenate([made(name) for name in self.channels]).astype(np.float32)


def sized(clip: NDArray[np.uint8], side: int) -> Pictures:
    """Pictures over 0..1 with another side, (t, side, side).

    Raises:
        InvalidValueError: a clip of a single picture.
    """
    import cv2

    if len(clip) < 2:
        raise InvalidValueError("a clip is too short for a movement", got=f"{len(clip)} pictures", expected="2 or more")
    made = [one if one.shape == (side, side) else cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA)
            for one in np.asarray(clip)]  # fmt: skip
    return np.asarray(np.stack(made), np.float32) / np.float32(255)


def apex_of(clip: Pictures) -> int:
    """Number of the frame that differs most from the first, differences averaged over three frames."""
    from scipy.ndimage import uniform_filter1d

    apart = np.abs(clip - clip[0]).mean(axis=(1, 2))
    return max(1, int(uniform_filter1d(apart, _SMOOTH, mode="nearest").argmax()))


def flow_between(before: Pictures, after: Pictures) -> Pictures:
    """u, v in pixels and strain, (3, h, w); flow by polynomial expansion (Farnebaeck 2003), for small pictures."""
    import cv2

    pad = _RIM
    one, other = (np.pad(np.rint(p * 255).astype(np.uint8), pad, mode="reflect") for p in (before, after))
    start = np.zeros((*one.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(one, other, start, 0.5, 2, 7, 3, 5, 1.1, 0)[pad:-pad, pad:-pad]
    down, right = (np.asarray(np.gradient(flow, axis=axis)) for axis in (0, 1))
    shear = (right[..., 1] + down[..., 0]) / 2
    strain = np.sqrt(right[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2)
    return np.stack([flow[..., 0], flow[..., 1], strain]).astype(np.float32)


def _dynamic(clip: Pictures) -> Pictures:
    """Dynamic image whose weights have a total size of 10."""
    return dynamic_image(clip) * np.float32(10 / np.abs(rank_weights(len(clip))).sum())


def weber(picture: Pictures) -> Pictures:
    """Differential excitation: arctangent of what the eight neighbours differ by, relative to the pixel; -1.6..1.6."""
    from scipy.ndimage import uniform_filter

    around = 9 * (uniform_filter(picture, 3, mode="nearest") - picture)
    return np.asarray(np.arctan(around / np.maximum(picture, 1e-2)), np.float32)
