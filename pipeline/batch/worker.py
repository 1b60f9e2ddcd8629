"""What a worker does: analyse one session, keeping each finished step, and put the result in its place."""

from __future__ import annotations

import os
import shutil
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.threads import ONE_THREAD, share_the_cores
from pipeline.batch.failures import Cause, OtherProgramError, cause_of, words
from pipeline.batch.layout import Layout

if TYPE_CHECKING:
    from pipeline.outcome import Result

TOPIC = "telltale-progress"
_EVERY_S = 0.5


def run_session(job: dict[str, Any]) -> dict[str, Any]:
    """Analyse one session.

    Args:
        job: `session` (name), `manifest` (path), `out` (folder of the batch), `config` (JSON), `program` (version of
            the program that started the batch), `quiet` (bool: this process is ours, its native libraries may be
            silenced). Plain values, for they travel between machines.

    Returns:
        `status` ("done" or "failed"), `reason`, `cause` of what failed or is done in part, `exit_status`, `took_s`, and
        the steps `taken` from the cache, `made` anew, and found `spoilt`.
    """
    from pipeline.analyzer import Analyzer
    from pipeline.batch.cache import StepCache
    from pipeline.batch.content import program_version
    from pipeline.config import Config
    from pipeline.manifest import load_manifest

    started = time.monotonic()
    if job["quiet"]:
        _be_quiet()
    take_one_thread()
    layout = Layout(Path(job["out"]))
    manifest, session = Path(job["manifest"]), str(job["session"])
    answer: dict[str, Any] = {"status": "failed", "reason": "", "cause": "", "exit_status": 2}
    answer |= {"taken": [], "made": [], "spoilt": []}
    draft = None
    try:
        if job["program"] != program_version():
            raise OtherProgramError(
                "the worker runs another version of Telltale, or of its libraries, than the batch",
                mend="Install the same on all machines.",
            )
        steps = StepCache(layout.cache_of(session), load_manifest(manifest))
        answer |= {"taken": steps.taken, "made": steps.made, "spoilt": steps.spoilt}
        result = Analyzer(Config.model_validate_json(job["config"]), steps).run(manifest, _reporter(session))
        draft = layout.draft(session)
        result.save(draft, final=layout.root / session)
        layout.land(draft, session)
        steps.drop_unused()
        answer |= {"status": "done", **_shortcomings(result)}
    except (TelltaleError, OSError, MemoryError) as error:
        answer |= {"reason": words(error), "cause": cause_of(error)}
    finally:
        if draft is not None and draft.exists():
            shutil.rmtree(draft, ignore_errors=True)
    return {**answer, "took_s": round(time.monotonic() - started, 3)}


def _shortcomings(result: Result) -> dict[str, Any]:
    """Of a session that is done: its `exit_status`, what makes it 1 as `reason` (one line), and the `cause` of that."""
    if not result.exit_status:
        return {"exit_status": 0, "reason": "", "cause": ""}
    serious = [one for one in result.record.problems if one.severity == "error"]
    serious.sort(key=lambda one: not one.machine)  # the reason to run it again first
    found = serious or [one for one in result.record.problems if one.severity == "warning"]
    what = " ".join(found[0].what.split()) if found else "see sync.json"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    cause: Cause = "machine" if any(one.machine for one in serious) else "session"
    return {"exit_status": 1, "reason": f"in part: {what}{more}", "cause": cause}


def _reporter(session: str) -> Hook:
    """A hook that tells the process that started the batch, at most twice a second."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # not within a worker: nobody to tell
        return silent
    last, known = 0.0, ""

    def hook(step: str, completed: int, total: int | None) -> None:
        nonlocal last, known
        now = time.monotonic()
        if step != known or now - last >= _EVERY_S:
            last, known = now, step
            worker.log_event(TOPIC, {"session": session, "step": step, "completed": completed, "total": total})

    return hook


@cache
def _be_quiet() -> None:
    """Silence native libraries, once per process."""
    import sys

    from pipeline.cli.terminal import silence_native_libraries

    if sys.stderr is not None:
        silence_native_libraries()


def take_one_thread() -> None:
    """Give the numerical libraries of this process one thread, those that are loaded and those that will be.

    Workers share the cores of a machine already; and sums are taken in the same order on every machine.
    """
    os.environ |= ONE_THREAD
    import cv2
    import torch
    from threadpoolctl import threadpool_limits

    share_the_cores()
    threadpool_limits(limits=1)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
