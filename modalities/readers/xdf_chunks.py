"""The chunks of an XDF file, walked over without parsing samples: what streams there are, where it breaks off."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from data_schemas.errors import UnreadableFileError

_HEADER, _STREAM, _SAMPLES, _OFFSET, _BOUNDARY, _FOOTER = 1, 2, 3, 4, 5, 6
_WIDTHS = {1: "<B", 4: "<I", 8: "<Q"}


@dataclass
class XdfStream:
    """One stream by its header.

    Attributes:
        number: Stream id.
        name: Its name.
        type: Its content type ("ECG", "Markers").
        format: Channel format; "string" for text markers.
        rate_hz: Nominal rate, 0 for irregular.
        labels: Channel labels; numbered where the header has none.
        units: Unit of each channel as the header has it, "" for none.
        n: Samples in the file.
        first_s: First time stamp as recorded by its own clock; None where it cannot be told.
        offset_s: First clock offset; added to `first_s` it gives LSL time of the recording computer.
    """

    number: int
    name: str
    type: str
    format: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    n: int = 0
    first_s: float | None = None
    offset_s: float | None = None


@dataclass
class XdfContents:
    """What the chunks of a file say.

    Attributes:
        streams: By stream id, in order of appearance.
        started: Date and time of the recording, as text; "" for none.
        good_bytes: Length of the part that is well formed.
        broken: What is wrong behind that part; "" where nothing is.
    """

    streams: dict[int, XdfStream] = field(default_factory=dict)
    started: str = ""
    good_bytes: int = 4
    broken: str = ""


class _BrokenError(Exception):
    """A chunk contradicts the file; its text says how."""


def open_bytes(path: Path) -> IO[bytes]:
    """The file, unpacked where it is gzipped."""
    zipped = path.suffix.lower() == ".xdfz" or path.name.lower().endswith(".xdf.gz")
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def scan(path: Path) -> XdfContents:
    """Walk over the chunks.

    Raises:
        UnreadableFileError: no XDF file, or broken before the first stream.
    """
    out = XdfContents()
    with open_bytes(path) as handle:
        if handle.read(4) != b"XDF:":
            raise UnreadableFileError("not an XDF file: it does not begin with 'XDF:'", file=path)
        handle.seek(0, 2)
        size = handle.tell()
        handle.seek(4)
        while handle.tell() < size:
            try:
                _take_chunk(handle, size, out)
            except (
                _BrokenError,
                struct.error,
                ElementTree.ParseError,
                ValueError,
                LookupError,
                OverflowError,
            ) as error:
                out.broken = f"broken at byte {out.good_bytes} of {size}: {error}"
                break
            out.good_bytes = handle.tell()
    if not out.streams:
        raise UnreadableFileError(
            "the XDF file holds no stream",
            file=path,
            got=out.broken or f"{size} bytes",
            mend="Copy the recording again.",
        )
    return out


def _varlen(handle: IO[bytes]) -> int:
    width = handle.read(1)
    if not width or width[0] not in _WIDTHS:
        raise _BrokenError(f"a length field has {width[0] if width else 0} bytes")
    return int(struct.unpack(_WIDTHS[width[0]], handle.read(width[0]))[0])


def _take_chunk(handle: IO[bytes], size: int, out: XdfContents) -> None:
    length = _varlen(handle)
    start = handle.tell()
    if length < 2 or start + length > size:
        raise _BrokenError(f"a chunk claims {length} bytes, {size - start} are left")
    (tag,) = struct.unpack("<H", handle.read(2))
    if tag not in (_HEADER, _STREAM, _SAMPLES, _OFFSET, _BOUNDARY, _FOOTER):
        raise _BrokenError(f"a chunk has the unknown tag {tag}")
    if tag == _HEADER:
        root = ElementTree.fromstring(handle.read(length - 2))
        out.started = (root.findtext("datetime") or "").strip()
    elif tag != _BOUNDARY:
        if length < 6:
            raise _BrokenError(f"a chunk claims {length} bytes, too few for its stream id")
        (number,) = struct.unpack("<I", handle.read(4))
        if tag == _STREAM:
            out.streams[number] = _stream(number, handle.read(length - 6))
        elif number in out.streams:
            _take_content(handle, tag, length, out.streams[number])
    handle.seek(start + length)


def _take_content(handle: IO[bytes], tag: int, length: int, stream: XdfStream) -> None:
    if tag == _OFFSET and stream.offset_s is None:
        _, stream.offset_s = struct.unpack("<dd", handle.read(16))
    if tag == _SAMPLES:
        count = _varlen(handle)
        if count > length:
            raise _BrokenError(f"a chunk of {length} bytes claims {count} samples")
        if stream.first_s is None and count and handle.read(1) == b"\x08":
            (stream.first_s,) = struct.unpack("<d", handle.read(8))
        stream.n += count


def _stream(number: int, text: bytes) -> XdfStream:
    root = ElementTree.fromstring(text.decode("utf-8", "replace"))
    count = int(root.findtext("channel_count") or 0)
    if not 0 < count <= 100_000:
        raise _BrokenError(f"a stream claims {count} channels")
    described = root.findall("desc/channels/channel")
    labels = [(one.findtext("label") or one.findtext("name") or "").strip() for one in described]
    units = [(one.findtext("unit") or "").strip() for one in described]
    if len(labels) != count or not all(labels) or len(set(labels)) < count:
        labels = [f"channel_{at + 1}" for at in range(count)]
    return XdfStream(
        number=number,
        name=(root.findtext("name") or f"stream {number}").strip(),
        type=(root.findtext("type") or "").strip(),
        format=(root.findtext("channel_format") or "").strip(),
        rate_hz=float(root.findtext("nominal_srate") or 0),
        labels=tuple(labels),
        units=tuple(units) if len(units) == count else ("",) * count,
    )
