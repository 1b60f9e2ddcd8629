"""Which lines of a package ran after which: what tells the fuzzer that an input reached something new."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

Edges = set[int]


@contextmanager
def watched(packages: tuple[str, ...], edges: Edges) -> Iterator[None]:
    """Collect pairs of lines that ran one after the other within files whose path holds one of some words.

    Args:
        packages: Parts of paths, such as "/modalities/readers/".
        edges: Hashes of the pairs are added to it.
    """
    wanted: dict[CodeType, bool] = {}

    def calls(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code not in wanted:
            wanted[code] = any(part in code.co_filename for part in packages)
        if not wanted[code]:
            return None
        number, before = id(code), 0

        def lines(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            if event == "line":
                edges.add(hash((number, before, frame.f_lineno)))
                before = frame.f_lineno
            elif event == "exception":
                edges.add(hash((number, before, argument[0].__name__)))
            return lines

        return lines

    old = sys.gettrace()
    sys.settrace(calls)
    try:
        yield
    finally:
        sys.settrace(old)
