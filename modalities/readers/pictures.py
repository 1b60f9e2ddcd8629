"""Decoded frames as arrays: colour or mono, bit exact where the file is, cut to a region, turned upright."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera, Pose
from data_schemas.errors import ManifestError
from data_schemas.session import StreamEntry

if TYPE_CHECKING:
    from av import VideoFrame

Picture = NDArray[np.generic]
MOST_PIXELS = 1 << 26
"""Larger pictures (8K has half as many) are refused: a small file can claim a size that no memory holds."""


UNSCALED = "depth_scale_m is not stated: depth is in the sensor's units, not metres"


def mono_depth(pixel_format: str) -> int | None:
    """Bits per pixel of a mono format ("gray" 8, "gray16le" 16); None for colour."""
    if not pixel_format.startswith("gray"):
        return None
    digits = pixel_format.removeprefix("gray").removesuffix("le").removesuffix("be")
    if digits == "":
        return 8
    return int(digits) if digits.isdigit() else None


def mode_for(entry: StreamEntry, path: Path, bits: int | None, stored: str) -> str:
    """How to hand out the pictures of a track for an entry: "rgb", "gray" or "gray16".

    Args:
        entry: The manifest's entry, of a video kind.
        path: The file, for messages.
        bits: Bits per pixel of a mono picture; None for colour.
        stored: The stored pixel format in words.

    Raises:
        ManifestError: depth that is not 16-bit mono, or 16-bit mono declared as colour.
    """
    if entry.kind == "face_depth":
        if bits is None or bits <= 8:
            raise ManifestError(
                "a depth video needs 16-bit mono pictures",
                file=path,
                got=f"{stored}, {'colour' if bits is None else '8 bit'}",
                expected="16-bit gray, for example FFV1 gray16 or 16-bit PNG",
                mend="A colour-mapped depth video is a picture of depth and holds no metres; export the raw depth.",
            )
        return "gray16"
    if entry.kind == "face_nir":
        return "gray16" if bits is not None and bits > 8 else "gray"
    if bits is not None and bits > 8:
        raise ManifestError(
            f"kind = '{entry.kind}' needs colour pictures",
            file=path,
            got=f"{stored}, 16-bit mono",
            mend="Write kind = 'face_depth' or 'face_nir'.",
        )
    return "rgb"


@dataclass(frozen=True)
class Framing:
    """Which part of the stored picture is handed out, and how it is turned.

    Attributes:
        region: (x, y, width, height) in the stored picture before rotation; None for all of it.
        quarter_turns: Counter-clockwise quarter turns, 0..3.
    """

    region: tuple[int, int, int, int] | None = None
    quarter_turns: int = 0

    @classmethod
    def of(cls, entry: StreamEntry, path: Path, width: int, height: int, stored_turns: int) -> Framing:
        """The framing that an entry asks for.

        Args:
            entry: Its region, and its rotation where it overrules the file.
            path: For messages.
            width: Stored width, px.
            height: Stored height, px.
            stored_turns: Counter-clockwise quarter turns that the file asks for.

        Raises:
            ManifestError: the region does not lie inside the picture.
        """
        turns = stored_turns if entry.rotation is None else -entry.rotation // 90
        if entry.region is None:
            return cls(None, turns % 4)
        box = entry.region
        if box.x + box.width > width or box.y + box.height > height:
            raise ManifestError(
                "the region does not lie inside the picture",
                file=path,
                got=f"x {box.x}..{box.x + box.width}, y {box.y}..{box.y + box.height}",
                expected=f"inside {width}x{height} px, the stored picture before rotation",
            )
        return cls((box.x, box.y, box.width, box.height), turns % 4)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what is handed out."""
        if self.region is not None:
            width, height = self.region[2:]
        return (height, width) if self.quarter_turns % 2 else (width, height)

    def camera(self, stored: Camera, width: int, height: int) -> Camera:
        """The camera of what is handed out.

        Args:
            stored: Camera of the stored picture.
            width: Stored width, px.
            height: Stored height, px.
        """
        if self.region is not None:
            x, y, width, height = self.region
            stored = replace(stored, cx=stored.cx - x, cy=stored.cy - y)
        for _ in range(self.quarter_turns):
            stored = _turned(stored, width)
            width, height = height, width
        return stored

    def __call__(self, picture: Picture) -> Picture:
        """Cut and turn one picture."""
        if self.region is not None:
            x, y, width, height = self.region
            picture = picture[y : y + height, x : x + width]
        if self.quarter_turns:
            picture = np.rot90(picture, self.quarter_turns)
        return np.ascontiguousarray(picture)


def _turned(camera: Camera, width: int) -> Camera:
    """The camera of a picture of this width after a quarter turn counter-clockwise."""
    k1, k2, p1, p2, *more = camera.distortion or (0.0, 0.0, 0.0, 0.0)
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return Camera(
        camera.fy, camera.fx, camera.cy, width - 1 - camera.cx,
        (k1, k2, -p2, p1, *more) if camera.distortion else (),
        Pose(camera.pose.rotation @ turn.T, camera.pose.translation_mm),
    )  # fmt: skip


def camera_of(entry: StreamEntry, framing: Framing, width: int, height: int) -> tuple[Camera | None, list[str]]:
    """The camera of the pictures that a stream hands out, None where the manifest has none; and notes.

    Args:
        entry: Its intrinsics, distortion and extrinsics.
        framing: Region and rotation of what is handed out.
        width: Stored width, px.
        height: Stored height, px.
    """
    notes = []
    if entry.kind == "face_depth" and entry.depth_scale_m is None:
        notes.append(UNSCALED)
    stored = entry.camera
    if stored is None:
        return None, notes
    if not (0 <= stored.cx < width and 0 <= stored.cy < height):
        notes.append(
            f"intrinsics: the optical axis ({stored.cx:g}, {stored.cy:g}) lies outside the stored picture of "
            f"{width}x{height} px; are they those of another resolution?"
        )
    shift = np.abs(stored.pose.translation_mm)
    if 0 < shift.max() < 1:
        notes.append(
            f"extrinsics: the shift of {np.linalg.norm(shift):.3g} is taken as millimetres; if it is metres, write "
            "it times 1000"
        )
    return framing.camera(stored, width, height), notes


def to_array(frame: VideoFrame, mode: str) -> Picture:
    """One decoded frame: uint8 (h, w, 3) for "rgb", uint8 (h, w) for "gray", uint16 (h, w) for "gray16".

    Mono frames are taken from memory as they are; nothing is scaled.
    """
    if mode == "rgb":
        return frame.to_ndarray(format="rgb24")
    bits = mono_depth(frame.format.name)
    if bits is None:
        return frame.to_ndarray(format="gray")
    plane = frame.planes[0]
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype(">u2" if frame.format.name.endswith("be") else "<u2")
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, abs(plane.line_size))[: frame.height]
    out = rows[:, : frame.width * kind.itemsize].copy().view(kind)
    return out.astype(kind.newbyteorder("="), copy=False)
