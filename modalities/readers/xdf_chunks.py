"""The chunks of an XDF file, walked over: what streams there are, what of a damaged file is still whole.

The format: Kothe, "XDF file format specification 1.0" (2014).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from data_schemas.errors import UnreadableFileError
from data_schemas.plain_xml import parse_xml
from modalities.readers.xdf_salvage import Loss, Part, next_boundary, open_bytes, whole_samples

HEADER, STREAM, SAMPLES, OFFSET, BOUNDARY, FOOTER = 1, 2, 3, 4, 5, 6
_TAGS = (HEADER, STREAM, SAMPLES, OFFSET, BOUNDARY, FOOTER)
_OF_A_STREAM = (STREAM, SAMPLES, OFFSET, FOOTER)
_WIDTHS = {1: "<B", 4: "<I", 8: "<Q"}
ITEM_BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8, "string": 0}
"""Bytes of one value of each channel format; 0 for text, whose length is stored."""


@dataclass
class XdfStream:
    """One stream by its header, and what its chunks say.

    Attributes:
        number: Stream id.
        name: Its name.
        type: Its content type ("ECG", "Markers").
        format: Channel format; "string" for text markers.
        rate_hz: Nominal rate, 0 for irregular.
        labels: Channel labels; numbered where the header has none.
        units: Unit of each channel as the header has it, "" for none.
        uid: Of the outlet: two streams of one uid are one outlet; "" for none.
        source_id: Of the device: stays when its outlet is opened anew; "" for none.
        host: Computer that sent it.
        may_drop: The header says that samples may be dropped, as cameras do.
        n: Whole samples in the file.
        first_s: First time stamp as recorded by its own clock; None where it cannot be told.
        last_s: Last time stamp by its own clock, deduced ones included.
        clock_times: When clock offsets were measured, seconds of its own clock.
        clock_values: The offsets; added to its own time they give LSL time of the recording computer.
        promised: Samples that its footer promises; None without a footer.
    """

    number: int
    name: str
    type: str
    format: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    uid: str = ""
    source_id: str = ""
    host: str = ""
    may_drop: bool = False
    n: int = 0
    first_s: float | None = None
    last_s: float | None = None
    clock_times: list[float] = field(default_factory=list)
    clock_values: list[float] = field(default_factory=list)
    promised: int | None = None

    @property
    def offset_s(self) -> float | None:
        """First clock offset; None without any."""
        return self.clock_values[0] if self.clock_values else None


@dataclass
class XdfContents:
    """What the chunks of a file say.

    Attributes:
        streams: By stream id, in order of appearance.
        started: Date and time of the recording, as text; "" for none.
        size: Bytes in the file, unpacked.
        parts: What is well formed, in order: together a readable XDF file.
        losses: What is not.
        footers: The file has at least one footer.
    """

    streams: dict[int, XdfStream] = field(default_factory=dict)
    started: str = ""
    size: int = 0
    parts: list[Part] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    footers: bool = False

    @property
    def broken(self) -> str:
        """What is wrong first of all; "" where nothing is."""
        if not self.losses:
            return ""
        return f"broken at byte {self.losses[0].at} of {self.size}: {self.losses[0].why}"


class _BrokenError(Exception):
    """A chunk contradicts the file; its text says how."""


_FAULTS = (_BrokenError, struct.error, ElementTree.ParseError, ValueError, LookupError, OverflowError)


def scan(path: Path) -> XdfContents:
    """Walk over the chunks; behind damage, go on where chunks begin again.

    Remembered for as long as the file does not change, as its streams are opened one by one.

    Raises:
        UnreadableFileError: no XDF file, no stream can be told in it, or a header declares a document type.
    """
    state = path.stat()
    return _scan(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _scan(path: Path, _size: int, _changed_ns: int) -> XdfContents:
    out = XdfContents()
    with open_bytes(path) as handle:
        if handle.read(4) != b"XDF:":
            raise UnreadableFileError("not an XDF file: it does not begin with 'XDF:'", file=path)
        out.size = handle.seek(0, 2)
        at = 4
        while at < out.size:
            at = _step(handle, at, out)
    if not out.streams:
        raise UnreadableFileError(
            "the XDF file holds no stream",
            file=path,
            got=out.broken or f"{out.size} bytes",
            mend="Copy the recording again.",
        )
    return out


def _step(handle: IO[bytes], at: int, out: XdfContents) -> int:
    """Take the chunk at this byte; where the next one begins."""
    handle.seek(at)
    stream: int | None = None
    end = 0
    try:
        length = _varlen(handle)
        start = handle.tell()
        end = start + length
        (tag,) = struct.unpack("<H", handle.read(2))
        if length < 2:
            raise _BrokenError(f"a chunk claims {length} bytes")
        if tag not in _TAGS:
            raise _BrokenError(f"a chunk has the unknown tag {tag}")
        if tag in _OF_A_STREAM:
            if length < 6:
                raise _BrokenError(f"a chunk claims {length} bytes, too few for its stream id")
            (stream,) = struct.unpack("<I", handle.read(4))
        if tag == SAMPLES and stream in out.streams:
            return _take_samples(handle, at, end, out, out.streams[stream])
        if end > out.size:
            raise _BrokenError(f"a chunk claims {length} bytes, {out.size - start} are left")
        if tag not in (HEADER, STREAM, BOUNDARY) and stream not in out.streams:
            raise _BrokenError(f"a chunk is of stream {stream}, whose header is missing")
        _take(tag, stream, handle.read(end - handle.tell()), out)
    except _FAULTS as error:
        if at < end < out.size and _begins_chunk(handle, end, out):
            out.losses.append(Loss(at, end - at, str(error), stream))
            return end
        why = "it is cut off within the head of a chunk" if at + 11 > out.size else str(error)
        return _lose(handle, at, at, why, stream, out)
    out.parts.append(Part(at, end - at))
    return end


def _lose(handle: IO[bytes], chunk: int, at: int, why: str, stream: int | None, out: XdfContents) -> int:
    """Give up from byte `at` of a chunk to the next boundary; where that ends."""
    there = next_boundary(handle, max(at, chunk + 1), out.size)
    out.losses.append(Loss(at, there - at, why, stream))
    return there


def _take(tag: int, number: int | None, content: bytes, out: XdfContents) -> None:
    if tag == HEADER:
        out.started = (parse_xml(content).findtext("datetime") or "").strip()
    elif tag == STREAM and number is not None:
        if number in out.streams:
            raise _BrokenError(f"stream {number} begins twice")
        out.streams[number] = _stream(number, content)
    elif tag == OFFSET and number is not None:
        when, value = struct.unpack("<dd", content[:16])
        if not (abs(when) < 1e10 and abs(value) < 1e10):
            raise _BrokenError("a clock offset is no number")
        out.streams[number].clock_times.append(when)
        out.streams[number].clock_values.append(value)
    elif tag == FOOTER and number is not None:
        count = parse_xml(content.decode("utf-8", "replace")).findtext("sample_count")
        out.streams[number].promised = int(count) if count else None
        out.footers = True


def _take_samples(handle: IO[bytes], at: int, claimed: int, out: XdfContents, stream: XdfStream) -> int:
    """Take the whole samples of a chunk; where the next chunk begins, its length or count being wrong or not."""
    try:
        count = _varlen(handle)
    except _FAULTS as error:
        return _lose(handle, at, at, str(error), stream.number, out)
    first = handle.tell()
    width = ITEM_BYTES[stream.format] * len(stream.labels)
    found = whole_samples(handle, count, width, len(stream.labels), min(claimed, out.size))
    if found.whole < count and claimed < out.size:
        longer = whole_samples(handle, count, width, len(stream.labels), out.size, first)
        if longer.whole == count and _begins_chunk(handle, longer.end, out):
            found = longer
    perfect = found.whole == count and found.end == claimed
    if found.whole:
        stream.n += found.whole
        if stream.first_s is None:
            stream.first_s = found.first_s
        period = 1 / stream.rate_hz if stream.rate_hz > 0 else 0.0
        base = stream.last_s if found.last_s is None else found.last_s
        stream.last_s = None if base is None else base + found.since_last * period
    if perfect:
        out.parts.append(Part(at, claimed - at))
        return claimed
    if found.whole:
        content = struct.pack("<HI", SAMPLES, stream.number) + b"\x04" + struct.pack("<I", found.whole)
        head = b"\x08" + struct.pack("<Q", len(content) + found.end - first) + content
        out.parts += [Part(0, len(head), head), Part(first, found.end - first)]
    short = count - found.whole
    if claimed > out.size and next_boundary(handle, found.end, out.size) == out.size:
        why = f"it is cut off within a chunk of stream '{stream.name}'"
    else:
        why = f"a chunk of {claimed - at} bytes of stream '{stream.name}' does not hold the {count} samples it claims"
    for there in (found.end if not short else claimed, claimed):
        if there < out.size and _begins_chunk(handle, there, out) and there >= found.end:
            out.losses.append(Loss(found.end, there - found.end, why, stream.number))
            return there
    return _lose(handle, at, found.end, why, stream.number, out)


def _begins_chunk(handle: IO[bytes], at: int, out: XdfContents) -> bool:
    handle.seek(at)
    try:
        length = _varlen(handle)
        start = handle.tell()
        tag, number = struct.unpack("<HI", handle.read(6))
    except _FAULTS:
        return False
    known = tag in (HEADER, BOUNDARY, STREAM) or (tag in _OF_A_STREAM and number in out.streams)
    return known and length >= 2 and start + length <= out.size


def _varlen(handle: IO[bytes]) -> int:
    width = handle.read(1)
    if not width or width[0] not in _WIDTHS:
        raise _BrokenError(f"a length field has {width[0] if width else 0} bytes")
    return int(struct.unpack(_WIDTHS[width[0]], handle.read(width[0]))[0])


def _stream(number: int, text: bytes) -> XdfStream:
    root = parse_xml(text.decode("utf-8", "replace"))
    count = int(root.findtext("channel_count") or 0)
    if not 0 < count <= 100_000:
        raise _BrokenError(f"a stream claims {count} channels")
    form = (root.findtext("channel_format") or "").strip()
    if form not in ITEM_BYTES:
        raise _BrokenError(f"a stream has the unknown format '{form}'")
    rate = float(root.findtext("nominal_srate") or 0)
    if not 0 <= rate < 1e9:
        raise _BrokenError(f"a stream claims {rate} samples per second")
    described = root.findall("desc/channels/channel")
    labels = [(one.findtext("label") or one.findtext("name") or "").strip() for one in described]
    units = [(one.findtext("unit") or "").strip() for one in described]
    if len(labels) != count or not all(labels) or len(set(labels)) < count:
        labels = [f"channel_{at + 1}" for at in range(count)]

    def word(name: str) -> str:
        return (root.findtext(name) or "").strip()

    return XdfStream(
        number=number,
        name=word("name") or f"stream {number}",
        type=word("type"),
        format=form,
        rate_hz=rate,
        labels=tuple(labels),
        units=tuple(units) if len(units) == count else ("",) * count,
        uid=word("uid"),
        source_id=word("source_id"),
        host=word("hostname"),
        may_drop=word("desc/synchronization/can_drop_samples").lower() == "true",
    )
