"""Memory that was freed and that the C library keeps for itself."""

from __future__ import annotations


def give_back() -> None:
    """Hand what was freed back to the system; nothing where the C library is not glibc.

    glibc keeps freed arrays of up to 32 MB, and a few small objects between them are enough to hold on to hundreds of
    megabytes after a channel of a long session is done.
    """
    import ctypes
    import sys

    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
