"""How far a planted movement has got at each moment: named time profiles from onset over apex to offset.

Training and measuring use different ones, so that a spotter cannot learn the planter's own curve: "raised_cosine" is
symmetric around each flank, "skewed" rises fast and relaxes slowly, as muscle does (Schmidt, Cohn & Tian 2003).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

Curve = NDArray[np.float64]
Shape = Callable[[Curve], Curve]


def _cosine(share: Curve) -> Curve:
    """Flank 0 to 1 without a corner at either end."""
    return 0.5 - 0.5 * np.cos(np.pi * share)


def _fast(share: Curve) -> Curve:
    """A gamma-like rise: steepest after a quarter of the way, slow arrival."""
    return 1 - (1 - share**1.5) ** 3


def _slow(share: Curve) -> Curve:
    """A relaxation that lingers before it goes; 0 to 1."""
    return share**1.5 * (2 - share**1.5)


PROFILES: dict[str, tuple[Shape, Shape]] = {"raised_cosine": (_cosine, _cosine), "skewed": (_fast, _slow)}
"""Name -> (rise, fall), each taking a share 0..1 of the flank to the movement 0..1."""


def course(name: str, nodes_s: tuple[float, float, float, float], times_s: Curve) -> Curve:
    """Movement 0..1 at times; exactly 0 up to the onset and from the offset on, 1 from apex to release.

    Args:
        name: One of `PROFILES`.
        nodes_s: Onset, apex, release, offset, seconds; release may equal the apex.
        times_s: Shape (n,).

    Raises:
        InvalidValueError: unknown name, or nodes out of order.
    """
    if name not in PROFILES:
        raise InvalidValueError("unknown time profile", got=name, expected=" or ".join(PROFILES))
    onset, apex, release, offset = nodes_s
    if not onset < apex <= release < offset:
        raise InvalidValueError("a movement needs onset < apex <= release < offset", time_s=onset, got=nodes_s)
    rise, fall = PROFILES[name]
    times = np.asarray(times_s, dtype=np.float64)
    up = rise(np.clip((times - onset) / (apex - onset), 0, 1))
    down = fall(np.clip((offset - times) / (offset - release), 0, 1))
    return np.minimum(up, down)
