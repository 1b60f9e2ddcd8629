"""Small recordings on several clocks, for tests of synchronisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_schemas.recording import Recording
from data_schemas.session import Manifest
from data_schemas.stream import Mark, Marks, Signal, Stream, StreamInfo
from data_schemas.time import NS_PER_S, Regular

S = NS_PER_S


def ns(seconds: np.ndarray | float) -> np.ndarray:
    return np.rint(np.asarray(seconds) * S).astype(np.int64)


def signal(name: str, clock: str, seconds: float = 100.0, start_s: float = 0.0, kind: str = "ecg") -> Signal:
    axis = Regular.from_rate(50, round(seconds * 50), int(ns(start_s)))
    return Signal(
        info=StreamInfo(name, kind, clock), axis=axis, values=np.zeros((axis.n, 1)), columns=("a",), units=("mV",)
    )


def table(name: str, clock: str, times_s: np.ndarray, labels: list[str] | None = None) -> Marks:
    labels = labels or [""] * len(times_s)
    rows = [Mark(int(t), 0, label) for t, label in zip(ns(times_s), labels, strict=True)]
    return Marks.of(StreamInfo(name, "markers", clock), rows)


def ttl(name: str, clock: str, times_s: np.ndarray, end_s: float, start_s: float = 0.0) -> Signal:
    axis = Regular.from_rate(1000, round((end_s - start_s) * 1000), int(ns(start_s)))
    t = axis.times_ns / S
    x = np.random.default_rng(0).normal(0, 0.05, axis.n)
    for onset in times_s:
        x[(t >= onset) & (t < onset + 0.05)] += 5
    return Signal(info=StreamInfo(name, "pulse", clock), axis=axis, values=x[:, None], columns=("v",), units=("V",))


def recording(
    clocks: dict, *streams: Stream, unread: tuple[tuple[str, str], ...] = (), evidence: list | None = None
) -> Recording:
    entries = [
        {"name": s.info.name, "kind": s.info.kind, "clock": s.info.clock, "file": f"{s.info.name}.csv"} for s in streams
    ]
    entries += [{"name": name, "kind": "markers", "clock": clock, "file": f"{name}.csv"} for name, clock in unread]
    manifest = Manifest.model_validate(
        {"name": "s", "people": [{"id": "p"}], "clocks": clocks, "streams": entries, "evidence": evidence or []}
    )
    return Recording(manifest, Path("somewhere"), {s.info.name: s for s in streams})


def row(report: object, name: str) -> object:
    return next(one for one in report.streams if one.stream == name)
