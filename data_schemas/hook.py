"""The one protocol by which long work reports: progress bars, timing and artifacts all listen to it."""

from __future__ import annotations

from typing import Protocol


class Hook(Protocol):
    """Called as `hook(step, completed, total)`; `total` is None while it is not known."""

    def __call__(self, step: str, completed: int, total: int | None) -> None:
        """Take note that `completed` of `total` units of `step` are done."""


def silent(step: str, completed: int, total: int | None) -> None:
    """Ignore the report: the default where nobody listens."""
