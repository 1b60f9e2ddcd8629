"""Folders of numbered pictures: colour, near-infrared or depth, bit exact."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.causes import lies_in_machine
from data_schemas.errors import ManifestError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Pictured, StreamInfo, Video
from data_schemas.time import Explicit, to_s
from modalities.readers.faults import refuse
from modalities.readers.info import VIDEO_KINDS, AnyStream, FileInfo, TrackInfo
from modalities.readers.picture_times import read_stamps, times_of_pictures
from modalities.readers.pictures import MOST_PIXELS, Framing, Picture, camera_of, mode_for
from modalities.readers.registry import PICTURE_SUFFIXES
from modalities.readers.selection import missing, unfit

_LEAST = 3
"""Fewer numbered pictures are no sequence."""


def numbered_pictures(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """Sequences of pictures in a folder: prefix -> (number, file) by number; empty where there is none."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.iterdir():
        match = re.match(r"^(.*?)(\d+)$", path.stem)
        if match and path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("."):
            found.setdefault(match.group(1).rstrip("_-. "), []).append((int(match.group(2)), path))
    return {prefix: sorted(found[prefix]) for prefix in sorted(found) if len(found[prefix]) >= _LEAST}


@dataclass(frozen=True)
class PictureFiles:
    """Reads the pictures one by one: yields (index, picture); one that cannot be read is left out.

    Attributes:
        paths: The files in order.
        mode: "rgb", "gray" or "gray16".
        framing: Region and rotation.
        size: (height, width) of the stored pictures; one of another size is left out.
    """

    paths: tuple[Path, ...]
    mode: str
    framing: Framing
    size: tuple[int, int]

    def __call__(self) -> Iterator[tuple[int, Picture]]:
        """All pictures from the start.

        Raises:
            UnreadableFileError: not one could be read; or, after the last one, the disk did not read some.
        """
        for at, picture in self._stored():
            yield at, self.framing(_in_mode(picture, self.mode))

    def beside(self, other: Video) -> Callable[[], Iterator[Pictured]] | None:
        """What opens these pictures and another video's, each read once; None where its pictures are others."""
        theirs = other.source
        if not isinstance(theirs, PictureFiles) or replace(theirs, mode=self.mode, framing=self.framing) != self:
            return None
        return partial(self._both, theirs)

    def _both(self, theirs: PictureFiles) -> Iterator[Pictured]:
        for at, picture in self._stored():
            yield at, self.framing(_in_mode(picture, self.mode)), theirs.framing(_in_mode(picture, theirs.mode))

    def _stored(self) -> Iterator[tuple[int, Picture]]:
        read, failed = 0, None
        for at, path in enumerate(self.paths):
            try:
                picture = self._read(path)
            except UnreadableFileError as error:
                failed = failed or error.with_traceback(None)
                continue
            if picture is not None:
                read += 1
                yield at, picture
        if failed is not None:
            raise failed
        if not read:
            raise UnreadableFileError("no picture of the sequence can be read", file=self.paths[0].parent)

    def pick(self, wanted: frozenset[int]) -> Iterator[tuple[int, Picture]]:
        """The pictures of some indices; the others are not opened."""
        for at in sorted(wanted):
            picture = None
            with suppress(UnreadableFileError):  # told by the pass over all of them
                picture = self._read(self.paths[at]) if at < len(self.paths) else None
            if picture is not None:
                yield at, self.framing(_in_mode(picture, self.mode))

    def _read(self, path: Path) -> Picture | None:
        picture = read_picture(path)
        return picture if picture is not None and picture.shape[:2] == self.size else None


def read_picture(path: Path) -> Picture | None:
    """The stored picture, uint8 or uint16, (h, w) or RGB (h, w, 3); None if it is gone or cannot be decoded.

    Raises:
        UnreadableFileError: the disk does not read it, or the user has no right to.
    """
    import cv2

    try:
        data = path.read_bytes()
    except OSError as error:
        if lies_in_machine(error):
            refuse("the picture cannot be read", path, error)
        return None
    try:
        sound = data and _is_sound(data)
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if sound else None
    except cv2.error:
        return None
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        return None
    return picture if picture.ndim == 2 else np.ascontiguousarray(picture[:, :, 2::-1])


def _is_sound(data: bytes) -> bool:
    """Whether a stored picture may be decoded: no larger than `MOST_PIXELS` by its header, and a PNG by its checksums.

    On some damaged PNG files OpenCV's decoder never ends. Of TIFF, Pillow knows fewer kinds than OpenCV.
    """
    import io
    import struct
    import warnings
    import zlib

    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as picture:
            fits = picture.width * picture.height <= MOST_PIXELS
            if fits and picture.format == "PNG":
                picture.verify()
            return fits
    except Image.DecompressionBombError:
        return False
    except (OSError, ValueError, SyntaxError, KeyError, OverflowError, MemoryError, zlib.error, struct.error):
        return data[:4] in (b"II*\0", b"MM\0*")


def _in_mode(picture: Any, mode: str) -> Picture:
    import cv2

    if mode == "rgb":
        if picture.dtype == np.uint16:
            picture = (picture >> 8).astype(np.uint8)
        return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


class ImageSequenceReader:
    """Reads folders of numbered pictures."""

    def probe(self, path: Path) -> FileInfo:
        """Size and depth of the first picture of each sequence; times where a table of time stamps lies beside them."""
        from modalities.readers.media import kind_of_pictures

        tracks, notes = [], []
        sequences = numbered_pictures(path)
        for prefix, members in sequences.items():
            first = _first_picture(members, path)
            bits = None if first.ndim == 3 else first.dtype.itemsize * 8
            try:
                stamps = read_stamps(path, prefix, len(members), [file.name for _, file in members])
            except UnreadableFileError as error:
                stamps = None
                notes.append(error.what)
            text = f"{first.shape[1]}x{first.shape[0]} {members[0][1].suffix[1:].lower()} pictures"
            rate = None
            if stamps is not None and len(stamps) > 1 and stamps[-1] > stamps[0]:
                rate = (len(stamps) - 1) / to_s(int(stamps[-1] - stamps[0]))
                text += f", {rate:.2f} fps"
            else:
                text += "; no time stamps: rate_hz is needed"
            if bits:
                text += f", mono {bits} bit"
            track = TrackInfo(
                track=prefix if len(sequences) > 1 else None,
                kind=kind_of_pictures(bits, f"{prefix} {path.name}"),
                rate_hz=rate,
                n=len(members),
                start_s=to_s(int(stamps[0])) if stamps is not None and len(stamps) else 0.0,
                duration_s=len(members) / rate if rate else None,
                detail=text,
            )
            tracks.append(track)
        if not tracks:
            raise UnreadableFileError("no numbered pictures in the folder", file=path)
        return FileInfo(path, "images", tuple(tracks), None, tuple(notes))

    def open(self, entry: StreamEntry, path: Path, info: StreamInfo) -> AnyStream:
        """Pictures with the times of `timestamps.csv` or `.txt` beside them, else at `rate_hz`.

        With a rate, the numbers of the pictures count: a number that is missing is a gap.
        """
        if entry.kind not in VIDEO_KINDS:
            raise unfit(entry, path, "a folder of pictures holds a video", VIDEO_KINDS)
        sequences = numbered_pictures(path)
        prefix = _which(entry, path, list(sequences))
        members = sequences[prefix]
        files = tuple(file for _, file in members)
        first = _first_picture(members, path)
        bits = None if first.ndim == 3 else first.dtype.itemsize * 8
        mode = mode_for(entry, path, bits, f"{first.dtype} {files[0].suffix[1:]}")
        height, width = first.shape[:2]
        framing = Framing.of(entry, path, width, height, 0)
        times, notes = times_of_pictures(
            entry, path, path, prefix, [number for number, _ in members], [file.name for file in files]
        )
        width, height = framing.size(width, height)
        camera, seen = camera_of(entry, framing, first.shape[1], first.shape[0])
        notes += seen
        source = PictureFiles(files, mode, framing, (first.shape[0], first.shape[1]))
        return Video(
            info=replace(info, notes=(*info.notes, *notes), origin=f"{len(files)} pictures {files[0].name} ..."),
            axis=Explicit(times),
            source=source,
            picker=source.pick,
            beside=source.beside,
            width=width,
            height=height,
            depth_scale_m=entry.depth_scale_m if entry.kind == "face_depth" else None,
            camera=camera,
        )


def _first_picture(members: list[tuple[int, Path]], folder: Path) -> Picture:
    for _, file in members[:10]:
        picture = read_picture(file)
        if picture is not None:
            return picture
    raise UnreadableFileError("the first pictures of the sequence cannot be read", file=folder)


def _which(entry: StreamEntry, path: Path, prefixes: list[str]) -> str:
    if entry.track is not None:
        wanted = str(entry.track).rstrip("_-. ")
        if wanted in prefixes:
            return wanted
        raise missing("sequence", entry.track, prefixes, entry, path)
    if len(prefixes) != 1:
        raise ManifestError(
            "the folder holds several sequences",
            file=path,
            stream=entry.name,
            expected=f"track = one of {', '.join(prefixes)}",
        )
    return prefixes[0]
