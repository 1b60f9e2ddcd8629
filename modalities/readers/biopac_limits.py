"""What must hold of an .acq file before bioread may read it: bioread believes every count that a header states.

A wrong byte can make it look for types over 32,767 channels (an hour), read 2 billion markers that lie nowhere, or ask
for memory that no machine has. Layout as in `bioread.headers`.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError

MOST_CHANNELS = 512
"""MP units have 16 analogue, 8 or 16 digital and 16 calculated channels; several units can be joined."""
MOST_PADDINGS = 64
MOST_CYCLE = 1_000_000
"""Base samples after which the pattern of the channels' rates begins anew."""
FREE_BYTES, BYTES_PER_BYTE = 64 << 20, 50
"""A file may promise so many bytes more than it holds (it is cut off, or packed)."""
_SCANNED, _PATIENCE = 4096, 30_000
_MARKER_BYTES = 10


def check_headers(path: Path) -> None:
    """Return if the headers are believable.

    Raises:
        UnreadableFileError: they are not; the message says what.
        Exception: what bioread throws at a broken header.
    """
    from bioread import headers
    from bioread.header_reader import GraphHeaderReader, HeaderReader

    size = path.stat().st_size
    with path.open("rb") as handle:
        graph = GraphHeaderReader.bootstrap(handle)
        n, padded = int(graph.channel_count), int(graph.expected_padding_headers)
        _require(path, "channels", n, 1, MOST_CHANNELS)
        _require(path, "padding headers", padded, 0, MOST_PADDINGS)
        _require(path, "ms per sample", graph.sample_time, 1e-6, 1e9)
        reader = HeaderReader(handle, graph.byte_order_char, graph.file_revision, graph.encoding)
        at = graph.effective_len_bytes
        at += sum(one.effective_len_bytes for one in reader.multi_headers(padded, at, headers.UnknownPaddingHeader))
        channels = reader.multi_headers(n, at, headers.ChannelHeader)
        points = [int(one.point_count) for one in channels]
        for count in points:
            _require(path, "samples of a channel", count, 0, 2**31)
        dividers = [int(one.frequency_divider) for one in channels]
        _require(path, "the least divider of a rate", min(dividers), 1, MOST_CYCLE)
        _require(path, "samples of a cycle of rates", math.lcm(*dividers), 1, MOST_CYCLE)
        at += n * channels[0].effective_len_bytes
        at += reader.single_header(at, headers.ForeignHeader).effective_len_bytes
        _require(path, "bytes before the data", at, 0, size)
        widths, data_at = _types(path, handle, at, n, graph.byte_order_char)
        promised = sum(count * width for count, width in zip(points, widths, strict=True))
        _require(path, "bytes of samples", promised, 0, FREE_BYTES + BYTES_PER_BYTE * size)
        markers_at = data_at + (0 if graph.compressed else promised)
        if markers_at < size:
            count = reader.single_header(markers_at, headers.MarkerHeader).marker_count
            _require(path, "markers", count, -1, (size - markers_at) // _MARKER_BYTES + 1)


def _types(path: Path, handle: IO[bytes], at: int, n: int, order: str) -> tuple[list[int], int]:
    """Bytes of a value of each channel, and where the data begin; bioread looks for them in the same way.

    Raises:
        UnreadableFileError: they are not there.
    """
    handle.seek(at)
    data = np.frombuffer(handle.read(_SCANNED + 4 * n), np.uint8)
    last = len(data) - 4 * n
    if last >= 0:
        words = data[:-1].astype(np.int32), data[1:].astype(np.int32)
        pairs = words[0] + 256 * words[1] if order == "<" else 256 * words[0] + words[1]
        width, kind = pairs[:-2], pairs[2:]
        fits = ((kind == 2) & (width == 2)) | (((kind == 0) | (kind == 1)) & (width == 8))
        found = _first_run(fits, n, min(last + 1, _SCANNED))
        if found is not None and found * n <= _PATIENCE:
            return [int(width[found + 4 * one]) for one in range(n)], at + found + 4 * n
    raise UnreadableFileError("the types of the channels are not where the header says", file=path)


def _first_run(fits: NDArray[np.bool_], n: int, until: int) -> int | None:
    """The first place from which on every fourth of `n` places fits."""
    good = fits[:until].copy()
    for one in range(1, n):
        good &= fits[4 * one : 4 * one + until]
    places = np.flatnonzero(good)
    return int(places[0]) if len(places) else None


def check_packed(path: Path, file: Any, picked: list[int]) -> None:
    """Return if the packed channels unpack to no more than their headers state.

    Raises:
        UnreadableFileError: one unpacks to more.
    """
    for at in picked if getattr(file, "is_compressed", False) else []:
        head, channel = file.channel_compression_headers[at], file.channels[at]
        stated = int(channel.point_count) * channel.dtype.itemsize
        with path.open("rb") as handle:
            handle.seek(head.compressed_data_offset)
            packed = handle.read(max(0, int(head.compressed_data_len)))
        if len(zlib.decompressobj().decompress(packed, stated + 1)) > stated:
            raise UnreadableFileError("a packed channel holds more than its header states", file=path)


def _require(path: Path, what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UnreadableFileError(f"the header states an impossible number of {what}", file=path, got=f"{value:g}")
