"""Expressions as rows of frame numbers, as the MEGC spotting challenges write them."""

from __future__ import annotations

import numpy as np

from data_schemas.event import Event
from data_schemas.time import Int64Array


def frame_indices(event: Event, times_ns: Int64Array) -> dict[str, int]:
    """Onset, apex and offset as the nearest frames.

    Args:
        event: Any event; without an apex its middle is taken.
        times_ns: Times of the video's frames, int64 (n,), n >= 1, increasing.

    Returns:
        `onset_frame`, `apex_frame`, `offset_frame`, counted from 0, onset <= apex <= offset.
    """
    middle = (event.onset_ns + event.offset_ns) // 2
    onset, apex, offset = (
        nearest_frame(t, times_ns)
        for t in (event.onset_ns, middle if event.apex_ns is None else event.apex_ns, event.offset_ns)
    )
    return {"onset_frame": onset, "apex_frame": apex, "offset_frame": offset}


def nearest_frame(t_ns: int, times_ns: Int64Array) -> int:
    """Index of the frame whose time is nearest; the earlier one of two equally near."""
    at = int(np.clip(np.searchsorted(times_ns, t_ns), 1, max(1, len(times_ns) - 1)))
    if len(times_ns) < 2:
        return 0
    return at - 1 if t_ns - int(times_ns[at - 1]) <= int(times_ns[at]) - t_ns else at
