"""Memory that was freed and that the C library keeps for itself."""

from __future__ import annotations

from collections.abc import Callable

LARGE = 8 << 20
"""Arrays from this size on, bytes, are given back to the system as soon as they are freed."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, malloc.h."""


def keep_large_apart() -> None:
    """From now on, take large arrays from the system one by one; nothing where the C library is not glibc.

    glibc raises the size from which it does so, up to 32 MB, with every large array that is freed. Arrays of a long
    session are of just that size, and what lies between them in its heap holds on to hundreds of megabytes. The end of
    the heap must then be kept by hand as well, as glibc would: without it, every picture is taken anew page by page.
    """
    option = _of_glibc("mallopt")
    if option is not None:
        option(_MMAP_THRESHOLD, LARGE)
        option(_TRIM_THRESHOLD, 2 * LARGE)


def give_back() -> None:
    """Hand what was freed back to the system, as far as it can be asked to.

    glibc keeps freed arrays, and a few small objects between them are enough to hold on to hundreds of megabytes after
    a channel of a long session is done; Arrow keeps freed columns in a pool of its own.
    """
    import sys

    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    import ctypes
    import sys

    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
