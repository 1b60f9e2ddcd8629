"""A declaration with where it was published and how near it is to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from modalities.face.recognition.system import System

Nearness = Literal["as published", "reduced", "kind of"]
"""Same layers and widths; the same layers with fewer channels or smaller pictures; the idea on this input."""


@dataclass(frozen=True)
class Published(System):
    """A system that somebody published.

    Attributes:
        loss: Words of `schedule.train`, or an objective of `schedule_losses`.
        paper: Authors and title, or where the idea is from.
        year: Of the paper.
        status: How near to it, see `Nearness`.
        stated: Parameters that the paper states; None where it states none, or is not built as published.
    """

    loss: Any
    paper: str = ""
    year: int = 0
    status: Nearness = "kind of"
    stated: int | None = None
