"""What of a truncated or damaged XDF file is whole: samples one by one, and a file made of the well-formed parts."""

from __future__ import annotations

import gzip
import io
import struct
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from modalities.readers.packed import Unpacked

if TYPE_CHECKING:
    from modalities.readers.xdf_chunks import XdfContents, XdfStream

_SIGNATURE = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
"""Content of every boundary chunk."""
_BLOCK = 1 << 20
_IN_MEMORY = 1 << 26


@dataclass(frozen=True, slots=True)
class Part:
    """Well-formed bytes: a range of the file, or bytes made anew.

    Attributes:
        at: First byte in the file; of no meaning where `made` is given.
        length: Number of bytes.
        made: A chunk header whose count was corrected.
    """

    at: int
    length: int
    made: bytes | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes that nothing can be made of.

    Attributes:
        at: First lost byte.
        length: How many were lost.
        why: What is wrong there.
        stream: Stream id, where it can be told.
    """

    at: int
    length: int
    why: str
    stream: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Whole samples in a chunk.

    Attributes:
        whole: How many.
        end: Byte behind the last of them.
        first_s: Time stamp of the first sample, None where it is deduced.
        last_s: Last time stamp that is written out, None for none.
        since_last: Samples with deduced stamps behind that one.
    """

    whole: int
    end: int
    first_s: float | None
    last_s: float | None
    since_last: int


def open_bytes(path: Path) -> IO[bytes]:
    """The file, unpacked where it is gzipped; of a packed file that is cut off, what can be unpacked."""
    if path.suffix.lower() != ".xdfz" and not path.name.lower().endswith(".xdf.gz"):
        return path.open("rb")
    out = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
    with Unpacked(path) as packed:
        try:
            while block := packed.read1(_BLOCK):
                out.write(block)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            if not out.tell():
                out.close()
                raise
    out.seek(0)
    return out


def next_boundary(handle: IO[bytes], at: int, size: int) -> int:
    """The byte behind the next boundary chunk from byte `at` on; the size of the file where there is none."""
    while at < size:
        handle.seek(at)
        block = handle.read(_BLOCK + len(_SIGNATURE))
        found = block.find(_SIGNATURE)
        if found >= 0:
            return at + found + len(_SIGNATURE)
        at += _BLOCK
    return size


def whole_samples(
    handle: IO[bytes], count: int, width: int, channels: int, limit: int, first: int | None = None
) -> Found:
    """How many of the samples that a chunk claims are really there.

    Args:
        handle: The file, at the first sample unless `first` says where that is.
        count: Samples that the chunk claims.
        width: Bytes of the values of one sample; 0 for text.
        channels: Values of one sample.
        limit: Byte at which the chunk or the file ends.
        first: Byte of the first sample.
    """
    start = handle.tell() if first is None else first
    handle.seek(start)
    if width:
        content = handle.read(max(0, min(limit - start, count * (9 + width))))
        quick = _uniform(content, count, width, start)
        return _walk(content, count, width, 0, start) if quick is None else quick
    return _walk(handle.read(max(0, limit - start)), count, 0, channels, start)


def _uniform(content: bytes, count: int, width: int, start: int) -> Found | None:
    """Chunks in which every sample has a stamp, or only the first has; None for others."""
    if not count or len(content) < count * (1 + width):
        return None
    data = np.frombuffer(content, np.uint8)
    if len(data) >= count * (9 + width) and np.all(data[: count * (9 + width) : 9 + width] == 8):
        last = struct.unpack_from("<d", content, (count - 1) * (9 + width) + 1)[0]
        return Found(count, start + count * (9 + width), struct.unpack_from("<d", content, 1)[0], last, 0)
    lead = 9 + width if data[0] == 8 else 0
    rest = count - 1 if lead else count
    if len(data) < lead + rest * (1 + width) or np.any(data[lead : lead + rest * (1 + width) : 1 + width] != 0):
        return None
    stamp = struct.unpack_from("<d", content, 1)[0] if lead else None
    return Found(count, start + lead + rest * (1 + width), stamp, stamp, rest)


def _walk(content: bytes, count: int, width: int, channels: int, start: int) -> Found:
    at, whole, since = 0, 0, 0
    first_s = last_s = None
    while whole < count and at < len(content):
        stamped = content[at] == 8
        if content[at] not in (0, 8):
            break
        values = at + (9 if stamped else 1)
        end = values + width if width else _behind_words(content, values, channels)
        if end is None or end > len(content):
            break
        if stamped:
            (last_s,) = struct.unpack_from("<d", content, at + 1)
            since = 0
            first_s = last_s if whole == 0 else first_s
        else:
            since += 1
        whole, at = whole + 1, end
    return Found(whole, start + at, first_s, last_s, since)


def _behind_words(content: bytes, at: int, channels: int) -> int | None:
    """The byte behind this many words, None where they do not fit."""
    for _ in range(channels):
        if at >= len(content):
            return None
        form = {1: "<B", 4: "<I", 8: "<Q"}.get(content[at])
        if form is None or at + 1 + content[at] > len(content):
            return None
        (length,) = struct.unpack_from(form, content, at + 1)
        at += 1 + content[at] + length
    return at


class _Spliced(io.RawIOBase):
    """Reads parts of a file as one file."""

    def __init__(self, handle: IO[bytes], parts: Sequence[Part]) -> None:
        self._handle, self._parts = handle, parts
        self._ends = np.cumsum([part.length for part in parts], dtype=np.int64)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        total = int(self._ends[-1]) if len(self._ends) else 0
        self._at = offset + (0, self._at, total)[whence]
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        which = int(np.searchsorted(self._ends, self._at, side="right"))
        if which == len(self._parts) or not len(view):
            return 0
        part = self._parts[which]
        inside = self._at - (int(self._ends[which]) - part.length)
        wanted = min(len(view), part.length - inside)
        if part.made is not None:
            data = part.made[inside : inside + wanted]
        else:
            self._handle.seek(part.at + inside)
            data = self._handle.read(wanted)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._handle.close()
        super().close()


def open_whole(path: Path, contents: XdfContents) -> io.BufferedReader:
    """The file as if it held its well-formed parts alone; nothing is copied."""
    parts = [Part(0, 4, b"XDF:")]
    for part in contents.parts:
        last = parts[-1]
        if part.made is None and last.made is None and last.at + last.length == part.at:
            parts[-1] = Part(last.at, last.length + part.length)
        else:
            parts.append(part)
    return io.BufferedReader(_Spliced(open_bytes(path), parts), _BLOCK)


def report_losses(contents: XdfContents) -> list[str]:
    """What was lost of a file, one sentence each: where, how many bytes, what of which streams was saved."""
    said = []
    if contents.losses:
        lost = sum(one.length for one in contents.losses)
        places = len(contents.losses)
        behind = "" if places == 1 else f", and in {places - 1} other place{'s' if places > 2 else ''}"
        said.append(f"{contents.broken}{behind}; {lost} bytes were lost, all whole samples were saved")
    elif not contents.footers and any(stream.n for stream in contents.streams.values()):
        said.append("the recording was not closed: it has no footers, so its end may be missing")
    said += [f"stream '{one.name}': {text}" for one in contents.streams.values() if (text := shortfall(one, contents))]
    return said


def shortfall(stream: XdfStream, contents: XdfContents) -> str:
    """What was saved of one stream of a damaged file, and until when; "" where nothing is known to be missing."""
    promised, n = stream.promised, stream.n
    short = promised is not None and promised > n
    if not short and (not contents.losses or promised is not None):
        return ""
    text = f"{n} of {promised} samples were saved" if short else f"{n} samples were saved"
    if n and stream.first_s is not None and stream.last_s is not None:
        text += f", until {_length_s(stream):.3f} s after its first"
    return text


def _length_s(stream: XdfStream) -> float:
    """From the first to the last time stamp, across resets of its clock."""
    from modalities.readers.xdf_clock import clock_lines

    first, last = float(stream.first_s or 0.0), float(stream.last_s or 0.0)
    lines = clock_lines(stream.clock_times, stream.clock_values)
    if len(lines) < 2:
        return last - first
    ends = np.array([first, last])
    return float((last + lines[-1].offset_at(ends)[1]) - (first + lines[0].offset_at(ends)[0]))
