"""The same stream recorded twice: by two inlets, by two recorders, or again after its outlet was opened anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import nearest
from modalities.readers.xdf_chunks import XdfContents, XdfStream

Floats = NDArray[np.float64]
Load = Callable[[int], tuple[Floats, Any]]

_SAME_STAMP_S = 1e-6
_LEAST, _MOST = 10, 20_000
_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Twins:
    """Two streams that are one.

    Attributes:
        numbers: Their stream ids.
        name: Their name.
        sort: "twice": the same samples are in both; "resumed": the second goes on after the first broke off.
        shared: Samples that both have, equal in time and value.
        samples: Of each.
        gap_s: Seconds between the end of the first and the start of the second by their own stamps; None for "twice".
    """

    numbers: tuple[int, int]
    name: str
    sort: Literal["twice", "resumed"]
    shared: int
    samples: tuple[int, int]
    gap_s: float | None = None

    @property
    def sentence(self) -> str:
        """For the report."""
        one, other = self.numbers
        if self.sort == "twice":
            longer = one if self.samples[0] >= self.samples[1] else other
            return (
                f"stream '{self.name}' was recorded twice, as {one} and {other}: {self.shared} samples are in both; "
                f"use {longer}, which is not the shorter one"
            )
        return (
            f"stream '{self.name}' broke off and was resumed: {other} goes on {self.gap_s:.1f} s after the end of {one}"
        )


def find_twins_in(contents: XdfContents, load: Load) -> list[Twins]:
    """Streams of one file that are the same; only what looks alike by its header is read.

    Args:
        contents: Of the file.
        load: Reads time stamps and values of a stream by its id.
    """
    loaded: dict[int, tuple[Floats, Any]] = {}

    def once(number: int) -> tuple[Floats, Any]:
        if number not in loaded:
            loaded[number] = load(number)
        return loaded[number]

    pairs = combinations(contents.streams.values(), 2)
    return [found for one, other in pairs if (found := _compare(one, other, once)) is not None]


def _compare(one: XdfStream, other: XdfStream, load: Load) -> Twins | None:
    same = (one.name, one.type, one.format, len(one.labels)) == (
        other.name, other.type, other.format, len(other.labels)
    )  # fmt: skip
    if not same or not one.n or not other.n:
        return None
    if one.source_id and other.source_id and one.source_id != other.source_id:
        return None
    named = bool((one.uid and one.uid == other.uid) or (one.source_id and one.source_id == other.source_id))
    spans = (one.first_s, one.last_s, other.first_s, other.last_s)
    if None not in spans and (spans[1] < spans[2] or spans[3] < spans[0]):  # type: ignore[operator]
        a, b = (one, other) if spans[0] < spans[2] else (other, one)  # type: ignore[operator]
        gap = float(b.first_s) - float(a.last_s)  # type: ignore[arg-type]
        return Twins((a.number, b.number), one.name, "resumed", 0, (a.n, b.n), gap) if named else None
    shared, met, varied = _shared(load(one.number), load(other.number))
    enough = min(_LEAST, one.n, other.n)
    if shared >= max(1, enough) and shared >= _SHARE * met and (varied or named):
        return Twins((one.number, other.number), one.name, "twice", shared, (one.n, other.n))
    return None


def _shared(one: tuple[Floats, Any], other: tuple[Floats, Any]) -> tuple[int, int, bool]:
    """Samples equal in time and value, samples equal in time, and whether the equal ones differ among themselves."""
    (times, values), (against, theirs) = one, other
    order = np.argsort(against, kind="stable")
    near = nearest(against[order], times)
    met = np.flatnonzero(np.abs(against[order][near] - times) <= _SAME_STAMP_S)
    if len(met) > _MOST:
        met = met[:: len(met) // _MOST + 1]
    pairs = [(np.asarray(values[i]), np.asarray(theirs[order[near[i]]])) for i in met.tolist()]
    equal = [bool(np.array_equal(a, b)) for a, b in pairs]
    seen = {
        a.tobytes() if a.dtype != object else str(a.tolist()) for (a, _), same in zip(pairs, equal, strict=True) if same
    }
    return sum(equal), len(met), len(seen) > 1
