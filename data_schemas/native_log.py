"""What native libraries log to file descriptor 2: the chatter of MediaPipe and TensorFlow Lite, and all else.

Neither can be told to be silent: they log before any setting of theirs is read. So while one of their models is loaded
the descriptor leads to a temporary file; what is known to be chatter is dropped, every other line is passed on.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

KEEP = "TELLTALE_NATIVE_LOG"
"""Environment variable: with anything in it nothing is dropped."""
_STDERR = 2
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|INFO: (Created TensorFlow Lite|Initialized TensorFlow Lite)"
    rb"|[IW]\d{4}(\d{4})? [\d:. ]+\d+ [\w./-]+\.(cc|mm|h|cpp):\d+\] "
)
"""Beginning of a line that says nothing to a user: information and warnings of abseil and TensorFlow Lite. Errors (E)
and fatal ones (F) are none."""
_lock = threading.RLock()
_open = 0


@contextmanager
def without_chatter() -> Iterator[None]:
    """Within, native libraries do not chatter on stderr; errors and what anybody else writes come after.

    One model is loaded at a time. Where there is no descriptor 2, nothing is done.
    """
    global _open
    with _lock:
        kept = None if os.environ.get(KEEP) or _open else _copy_of_stderr()
        if kept is None:
            yield
            return
        _open += 1
        try:
            with tempfile.TemporaryFile() as held:
                _flush()
                os.dup2(held.fileno(), _STDERR)
                try:
                    yield
                finally:
                    _flush()
                    os.dup2(kept, _STDERR)
                    held.seek(0)
                    for line in held:
                        if not _CHATTER.match(line):
                            os.write(_STDERR, line)
        finally:
            _open -= 1
            os.close(kept)


def _copy_of_stderr() -> int | None:
    try:
        return os.dup(_STDERR)
    except OSError:
        return None


def _flush() -> None:
    """Python's own stderr, so that nothing of it is written to the wrong place; it may be closed or missing."""
    try:
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return
