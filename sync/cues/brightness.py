"""Brightness of the parts of a video over time, small enough to keep for hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.session import Region
from data_schemas.stream import Video
from data_schemas.time import Int64Array

Floats = NDArray[np.float64]

ROWS, COLUMNS = 18, 24
_FINER = 4
_QUANTA = 256
"""Steps per grey level in which block means are kept."""


@dataclass(frozen=True, eq=False)
class Brightness:
    """Mean grey levels by frame.

    Attributes:
        times_ns: Times of the frames, int64 (n,).
        blocks: uint16 (n, 18 * 24): mean of each block in 1/256 grey levels of 8 bits, row by row.
        region: float64 (n,): mean of the region asked for in grey levels; None where none was.
        size: Width and height of the picture, px.
    """

    times_ns: Int64Array
    blocks: NDArray[np.uint16]
    region: Floats | None
    size: tuple[int, int]

    def gain(self) -> Floats:
        """What all blocks share, 1 on average, shape (n,): exposure and lamps, not movement in some of the blocks."""
        usual = np.median(self.blocks[:: max(1, len(self.blocks) // 2000)], axis=0)
        lit = usual >= 4 * _QUANTA
        if lit.sum() < 12:
            return np.ones(len(self.blocks))
        out = np.empty(len(self.blocks))
        for first in range(0, len(out), 4096):
            rows = slice(first, first + 4096)
            out[rows] = np.median(self.blocks[rows][:, lit] / usual[lit], axis=1)
        return np.maximum(out, 0.05)

    def levels(self, block: int) -> Floats:
        """Grey levels of one block, shape (n,)."""
        return self.blocks[:, block].astype(np.float64) / _QUANTA

    def region_of(self, block: int) -> Region:
        """The pixels that a block covers."""
        width, height = self.size
        row, column = divmod(block, COLUMNS)
        x, y = column * width // COLUMNS, row * height // ROWS
        return Region(
            x=x,
            y=y,
            width=max(1, (column + 1) * width // COLUMNS - x),
            height=max(1, (row + 1) * height // ROWS - y),
        )


def measure_brightness(video: Video, region: Region | None = None) -> Brightness:
    """Read a video once and keep the mean brightness of its blocks.

    Args:
        video: Colour, near-infrared or depth pictures of 8 or 16 bit.
        region: Part of the picture that is measured beside the blocks.

    Raises:
        ClockError: the region lies outside the picture, or no frame can be decoded.
        UnreadableFileError: the file breaks before its last indexed frame.
    """
    if region is not None and (region.x >= video.width or region.y >= video.height):
        raise ClockError(
            "the region lies outside the picture",
            stream=video.info.name,
            got=f"{region.x}, {region.y}",
            expected=f"within {video.width} x {video.height} px",
        )
    times: list[int] = []
    blocks: list[NDArray[np.uint16]] = []
    inside: list[float] = []
    for frame in video.frames():
        unit = 1 / 257 if frame.image.dtype == np.uint16 else 1.0
        times.append(frame.t_ns)
        blocks.append(np.rint(_block_means(frame.image) * (unit * _QUANTA)).astype(np.uint16))
        if region is not None:
            part = frame.image[region.y : region.y + region.height, region.x : region.x + region.width]
            inside.append(float(part.mean()) * unit)
    if not times:
        raise ClockError("no frame of the video can be decoded", stream=video.info.name)
    return Brightness(
        np.array(times, np.int64),
        np.array(blocks, np.uint16),
        np.array(inside) if region is not None else None,
        (video.width, video.height),
    )


def _block_means(image: NDArray[np.generic]) -> Floats:
    """Mean of each block, in the picture's unit, shape (ROWS * COLUMNS,)."""
    import cv2

    rows, columns = image.shape[:2]
    picture = np.ascontiguousarray(image)
    fine_size = (_FINER * COLUMNS, _FINER * ROWS)
    if columns > fine_size[0] and rows > fine_size[1]:
        picture = cv2.resize(picture, fine_size, interpolation=cv2.INTER_AREA)
    grey = picture.astype(np.float32)
    grey = grey.mean(axis=2) if grey.ndim == 3 else grey
    small = cv2.resize(grey, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return small.ravel().astype(np.float64)
