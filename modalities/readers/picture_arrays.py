"""Pictures in one NumPy file (.npy): depth, near-infrared or grey, read one by one and never unpickled."""

from __future__ import annotations

import os
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import Explicit, to_s
from modalities.readers.info import VIDEO_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.picture_times import read_stamps, times_of_pictures
from modalities.readers.pictures import MOST_PIXELS, Framing, Picture, camera_of, mode_for
from modalities.readers.selection import unfit

FINE_M = 1e-4
"""Distances in metres are handed out in this unit: 6.55 m fit into 16 bits, and no camera is finer."""
FAR_M = 20.0
"""Nobody's face is farther away: such numbers are no metres."""
_ODD_HEADER = (ValueError, TypeError, SyntaxError, EOFError, RecursionError, MemoryError, tokenize.TokenError)
_EXPECTED = "(pictures, height, width) of uint16 or uint8, or of float32 or float64 for depth in metres"
_MEND = "Save it again with numpy.save: numpy.ascontiguousarray(pictures), of one of these types."


@dataclass(frozen=True)
class Layout:
    """Where the pictures of a file lie.

    Attributes:
        dtype: Of a pixel.
        n: Whole pictures that are there.
        height: Stored height, px.
        width: Stored width, px.
        start: Byte of the first.
        notes: What was odd.
    """

    dtype: np.dtype
    n: int
    height: int
    width: int
    start: int
    notes: tuple[str, ...] = ()

    @property
    def metres(self) -> bool:
        """Whether the numbers are distances with a fraction."""
        return self.dtype.kind == "f"

    @property
    def bits(self) -> int:
        """Bits per pixel of what is handed out."""
        return 16 if self.metres else 8 * self.dtype.itemsize


def read_layout(path: Path) -> Layout:
    """The header of a NumPy file of pictures.

    Raises:
        UnreadableFileError: it is no such file, holds something else, or not one whole picture.
    """
    form = np.lib.format
    with path.open("rb") as handle:
        try:
            version = form.read_magic(handle)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"version {version[0]}.{version[1]}")
            read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
            shape, fortran, dtype = read(handle)
        except _ODD_HEADER as error:
            raise UnreadableFileError(
                "not a NumPy file that can be read", file=path, got=" ".join(str(error).split())[:200], mend=_MEND
            ) from error
        start = handle.tell()
        there = os.fstat(handle.fileno()).st_size - start
    known = dtype.newbyteorder("=") in (np.uint8, np.uint16) or (dtype.kind == "f" and dtype.itemsize in (4, 8))
    if len(shape) != 3 or not known or fortran:
        order = ", in Fortran order" if fortran else ""
        raise UnreadableFileError(
            "the NumPy file holds no pictures", file=path, got=f"{shape} of {dtype}{order}"[:200], expected=_EXPECTED,
            mend="Save signals as CSV, colour as video." if len(shape) != 3 else _MEND,
        )  # fmt: skip
    n, height, width = (int(side) for side in shape)
    if min(n, height, width) < 1 or height * width > MOST_PIXELS:
        raise UnreadableFileError("the NumPy file has pictures of no believable size", file=path, got=shape)
    whole = there // (height * width * dtype.itemsize)
    if whole < 1:
        raise UnreadableFileError("the NumPy file is cut off before the end of its first picture", file=path)
    if whole >= n:
        return Layout(dtype, n, height, width, start)
    note = f"the file is cut off: {whole} of its {n} pictures are there"
    return Layout(dtype, whole, height, width, start, (note,))


@dataclass(frozen=True)
class PictureArray:
    """Reads the pictures one by one: yields (index, picture). One is in memory at a time.

    Attributes:
        path: The file.
        layout: Where they lie.
        framing: Region and rotation.
        scale_m: Metres per unit of pictures with a fraction; they are handed out in units of `FINE_M`, what is no
            distance or too far as 0. None for whole numbers.
    """

    path: Path
    layout: Layout
    framing: Framing
    scale_m: float | None = None

    def __call__(self) -> Iterator[tuple[int, Picture]]:
        """All pictures from the start.

        Raises:
            UnreadableFileError: the file is shorter than it was, or cannot be read.
        """
        return self._read(range(self.layout.n))

    def pick(self, wanted: frozenset[int]) -> Iterator[tuple[int, Picture]]:
        """The pictures of some indices; raises as a call does."""
        return self._read([at for at in sorted(wanted) if 0 <= at < self.layout.n])

    def stored(self, at: int) -> NDArray[np.generic]:
        """One picture as the file has it, (height, width).

        Raises:
            UnreadableFileError: as a call.
        """
        try:
            with self.path.open("rb") as handle:
                return self._stored(handle.fileno(), at)
        except OSError as error:
            raise UnreadableFileError("a picture cannot be read", file=self.path, got=error.strerror) from error

    def _read(self, indices: range | list[int]) -> Iterator[tuple[int, Picture]]:
        try:
            with self.path.open("rb") as handle:
                for at in indices:
                    yield at, self.framing(self._handed_out(self._stored(handle.fileno(), at)))
        except OSError as error:
            raise UnreadableFileError("the pictures cannot be read", file=self.path, got=error.strerror) from error

    def _stored(self, handle: int, at: int) -> NDArray[np.generic]:
        one = self.layout
        size = one.height * one.width * one.dtype.itemsize
        os.lseek(handle, one.start + at * size, os.SEEK_SET)
        data = bytearray()
        while len(data) < size and (more := os.read(handle, size - len(data))):
            data += more
        if len(data) < size:
            raise UnreadableFileError("the file is shorter than it was", file=self.path)
        return np.frombuffer(data, one.dtype).reshape(one.height, one.width)

    def _handed_out(self, picture: NDArray[np.generic]) -> Picture:
        if self.scale_m is None:
            return picture.astype(picture.dtype.newbyteorder("="), copy=False)
        with np.errstate(invalid="ignore", over="ignore"):
            units = np.rint(picture.astype(np.float64) * (self.scale_m / FINE_M))
            return np.where((units >= 1) & (units <= np.iinfo(np.uint16).max), units, 0).astype(np.uint16)


class PictureArrayReader:
    """Reads pictures from a NumPy file."""

    def probe(self, path: Path) -> FileInfo:
        """Number, size and type of the pictures; times where a table of time stamps lies beside them."""
        from modalities.readers.media import kind_of_pictures

        layout = read_layout(path)
        notes = list(layout.notes)
        try:
            stamps = read_stamps(path.parent, path.stem, layout.n)
        except UnreadableFileError as error:
            stamps = None
            notes.append(error.what)
        rate = None
        if stamps is not None and len(stamps) > 1 and stamps[-1] > stamps[0]:
            rate = (len(stamps) - 1) / to_s(int(stamps[-1] - stamps[0]))
        when = f"{rate:.2f} fps" if rate else "no time stamps: rate_hz is needed"
        track = TrackInfo(
            kind="face_depth" if layout.metres else kind_of_pictures(layout.bits, path.stem),
            rate_hz=rate,
            n=layout.n,
            start_s=to_s(int(stamps[0])) if stamps is not None and len(stamps) else 0.0,
            duration_s=layout.n / rate if rate else None,
            detail=f"{layout.width}x{layout.height} NumPy pictures, {layout.dtype.name}, {when}",
        )
        return FileInfo(path, "arrays", (track,), None, tuple(notes))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Pictures with the times of NAME_timestamps.csv or timestamps.csv beside them, else at `rate_hz`."""
        if entry.kind not in VIDEO_KINDS:
            raise unfit(entry, path, "a NumPy file holds pictures", VIDEO_KINDS)
        layout = read_layout(path)
        mode = mode_for(entry, path, layout.bits, f"NumPy {layout.dtype.name}")
        if layout.metres and entry.kind != "face_depth":
            raise ManifestError(
                f"kind = '{entry.kind}' needs whole numbers", file=path, got=f"NumPy {layout.dtype.name}",
                expected="uint8 or uint16; numbers with a fraction are depth in metres",
            )  # fmt: skip
        if mode == "rgb":
            raise unfit(entry, path, "a NumPy file holds grey pictures", ("face_nir", "face_depth"))
        framing = Framing.of(entry, path, layout.width, layout.height, 0)
        times, notes = times_of_pictures(entry, path, path.parent, path.stem, range(layout.n))
        source = PictureArray(path, layout, framing, (entry.depth_scale_m or 1.0) if layout.metres else None)
        if layout.metres:
            notes += self._of_metres(source)
        scale_m = FINE_M if layout.metres else entry.depth_scale_m
        stated = entry.model_copy(update={"depth_scale_m": scale_m})
        camera, seen = camera_of(stated, framing, layout.width, layout.height)
        width, height = framing.size(layout.width, layout.height)
        origin = f"NumPy array of {layout.n} pictures"
        return Video(
            info=replace(info, notes=(*info.notes, *layout.notes, *notes, *seen), origin=origin),
            axis=Explicit(times),
            source=source,
            picker=source.pick,
            width=width,
            height=height,
            depth_scale_m=scale_m if entry.kind == "face_depth" else None,
            camera=camera,
        )

    def _of_metres(self, source: PictureArray) -> list[str]:
        """What a user should know of distances with a fraction, by the picture in the middle of the recording."""
        picture = source.stored(source.layout.n // 2).astype(np.float64) * float(source.scale_m or 1)
        known = picture[np.isfinite(picture) & (picture > 0)]
        notes = [f"distances are handed on in units of {FINE_M:g} m; none, or more than {65535 * FINE_M:.2f} m, as 0"]
        if known.size and float(np.median(known)) > FAR_M:
            notes.append(
                f"a distance of {float(np.median(known)):.4g} m is none of a face: if the file holds millimetres, "
                "write depth_scale_m = 0.001"
            )
        return notes
