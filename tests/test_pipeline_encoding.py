"""From a session to encodings: what the context channel may see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import UnreadableFileError
from data_schemas.intervals import Interval
from data_schemas.recording import Session
from data_schemas.result import SyncReport
from data_schemas.session import Manifest, Person, StreamEntry
from data_schemas.stream import Audio, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from pipeline.config import Config
from pipeline.encoding import encode
from sync.clock import ClockMap

RATE = 8_000


def session_with(broken: bool) -> Session:
    """One sound with a pulse of 0.5 s every 3 s, in which no clock is interested."""

    def read(first: int, count: int) -> np.ndarray:
        if broken:
            raise UnreadableFileError("the sound breaks off", file=Path("s.wav"))
        at = np.arange(first, min(first + count, 20 * RATE)) / RATE
        return ((at % 3 >= 1) & (at % 3 < 1.5)).astype(np.float32)[:, None]

    entry = StreamEntry(name="tones", kind="pulse", file="s.wav", columns=["1"])
    manifest = Manifest(name="s", people=[Person(id="p")], streams=[entry])
    axis = Regular.from_rate(RATE, 20 * RATE)
    sound = Audio(info=StreamInfo("tones", "pulse", "rec", "p"), axis=axis, source=read, channels=1)
    report = SyncReport(streams=[], session_start_s=0, session_end_s=20)
    streams = {"tones": sound.on(ClockMap.affine(), "session")}
    return Session(manifest, Path(), streams, Interval(0, 20 * NS_PER_S), report)


def test_pulses_of_a_sound_become_cues() -> None:
    encodings, problems = encode(session_with(broken=False), Config())
    (context,) = encodings
    cues = [event.onset_ns / NS_PER_S for event in context.events if event.kind == "cue"]
    assert cues == pytest.approx([1, 4, 7, 10, 13, 16, 19], abs=1 / RATE)
    assert not [problem for problem in problems if problem.severity == "error"]


def test_a_sound_that_breaks_off_costs_its_pulses_and_nothing_else() -> None:
    encodings, problems = encode(session_with(broken=True), Config())
    assert not encodings
    (error,) = [problem for problem in problems if problem.severity == "error"]
    assert error.stream == "tones" and "breaks off" in error.what
