"""Frames of one track of a media file, packet by packet; what is broken is passed over, what breaks off ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer


def decode_packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Decoded frames in the order of their packets.

    A packet that cannot be decoded is passed over; where the file cannot be read any further the frames end.
    """
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            packet = None
        if packet is None:
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        yield from frames
