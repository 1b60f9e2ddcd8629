"""Frames of one track of a media file, packet by packet; what is broken is passed over, what breaks off ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalities.readers.faults import require_disk

if TYPE_CHECKING:
    from av.container import InputContainer


def decode_packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Decoded frames in the order of their packets.

    A packet that cannot be decoded is passed over; where the file says nothing readable any further the frames end.

    Raises:
        UnreadableFileError: the disk does not read the file any further.
    """
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            require_disk(Path(container.name), error)
            packet = None
        if packet is None:
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        yield from frames
