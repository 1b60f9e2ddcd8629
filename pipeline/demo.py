"""`telltale demo`: simulate a session, analyse it like any other, and put planted beside found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent

if TYPE_CHECKING:
    from pipeline.outcome import Result
    from pipeline.simulate.truth import Truth


@dataclass(frozen=True)
class Demo:
    """One simulated session and what the analysis made of it.

    Attributes:
        truth: What was planted.
        result: What was found.
        session: Folder of the simulated session.
        saved: Folder of the result.
    """

    truth: Truth
    result: Result
    session: Path
    saved: Path


def run_demo(out: Path, *, seconds: float = 60.0, seed: int = 0, hook: Hook = silent) -> Demo:
    """Simulate and analyse one session.

    Args:
        out: Folder for the result; the session goes to `out/session`. A session that an earlier demo left there is
            replaced, nothing else is.
        seconds: Length of the session.
        seed: Another seed makes another session.
        hook: Progress.

    Raises:
        InvalidValueError: `out/session` is there and no demo made it.
    """
    from pipeline import Analyzer, load_config
    from pipeline.simulate.session import simulate_session

    session = out / "session"
    if session.exists():
        if not (session / "truth").is_dir():
            raise InvalidValueError("the folder exists and holds no simulated session", file=session)
        shutil.rmtree(session)
    out.mkdir(parents=True, exist_ok=True)
    truth = simulate_session(session, seconds=seconds, seed=seed, fidelity="rendered", name="demo", hook=hook)
    result = Analyzer(load_config()).run(session, hook)
    return Demo(truth, result, session, result.save(out))
