"""Sessions of the token simulator rendered to files and read by the real encoders, with the truth beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval
from data_schemas.threads import end_with_parent
from pipeline.simulate.script_of_course import filmed, script_of
from pipeline.simulate.tokens import TokenSession, simulate_tokens
from pipeline.simulate.tokens_effects import Effects
from pipeline.simulate.truth import Truth


@dataclass(frozen=True, eq=False)
class Filmed:
    """One rendered session: what was planted and what the encoders said.

    Attributes:
        truth: What was planted.
        encodings: One per channel.
        extent: Of the recording.
        drawn: The same session at token fidelity, all channels, with the effects that a rendered one can have.
    """

    truth: Truth
    encodings: Mapping[str, Encoding]
    extent: Interval
    drawn: TokenSession

    @property
    def minutes(self) -> float:
        """Length."""
        return self.truth.seconds / 60

    def events(self, *kinds: str) -> list[Event]:
        """What was found of some kinds."""
        return [event for one in self.encodings.values() for event in one.events if event.kind in kinds]


def film(seed: int, seconds: float, effects: Effects | None = None) -> Filmed:
    """Draw a session, render it, run the encoders on its files.

    Args:
        seed: Everything follows from it.
        seconds: Length, at least 12.
        effects: Strength of every effect before `filmed`; drawn from the priors if None.
    """
    import cv2
    import torch

    from pipeline import steps
    from pipeline.config import Config
    from pipeline.manifest import load_manifest
    from pipeline.simulate.session import simulate_session

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    strength = filmed(simulate_tokens(seed, seconds).effects if effects is None else effects)
    drawn = simulate_tokens(seed, seconds, strength, ("face", "voice", "body", "physiology", "context"))
    script = script_of(drawn.course, strength, seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "session"
        truth = simulate_session(folder, seed=seed, script=script)
        session = steps.synchronize(steps.read(load_manifest(folder), folder))
        encodings, _ = steps.encode(session, Config())
    return Filmed(truth, {one.spec.channel: one for one in encodings}, session.extent, drawn)


def film_all(
    seeds: Sequence[int], seconds: float, effects: Effects | None = None, jobs: int = 1, hook: Hook = silent
) -> Iterator[Filmed]:
    """`film` for several seeds, in order, in worker processes if `jobs` is more than 1.

    Args:
        seeds: One per session.
        seconds: Length of each.
        effects: As `film`.
        jobs: Processes.
        hook: Progress in sessions.
    """
    work = partial(film, seconds=seconds, effects=effects)
    hook("film", 0, len(seeds))
    if jobs <= 1:
        for done, seed in enumerate(seeds, 1):
            yield work(seed)
            hook("film", done, len(seeds))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        for done, one in enumerate(pool.map(work, seeds), 1):
            yield one
            hook("film", done, len(seeds))
