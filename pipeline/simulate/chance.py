"""Random numbers: one seed for a session, an independent generator for each part of it."""

from __future__ import annotations

import zlib

import numpy as np

from data_schemas.errors import InvalidValueError


def generator(seed: int, part: str) -> np.random.Generator:
    """Generator of one part of a session; what another part draws never changes it.

    Args:
        seed: Seed of the session, >= 0.
        part: Name of the part ("script", "clocks", "ecg noise").

    Raises:
        InvalidValueError: a negative seed.
    """
    if seed < 0:
        raise InvalidValueError("a seed cannot be negative", got=seed)
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(part.encode("ascii"))]))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """One uniform draw from [low, high)."""
    return float(rng.uniform(low, high))
