"""A whole batch: plan, analyse wherever the engine is, keep what is known of each session, build the catalogue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.batch.content import program_version
from pipeline.batch.discovery import find_sessions
from pipeline.batch.engine import died
from pipeline.batch.failures import Cause, NoSpaceError, cause_of, is_no_space, words
from pipeline.batch.layout import Layout, State
from pipeline.batch.lock import held
from pipeline.batch.plan import Entry, only, plan
from pipeline.batch.waiting import waiting_told
from pipeline.batch.worker import TOPIC, run_session
from pipeline.config import Config

if TYPE_CHECKING:
    from distributed import Client, Future

Engine = Callable[[int], AbstractContextManager["Client"]]
"""Given how many sessions there are to run, a cluster to run them on."""


class Display(Protocol):
    """Who is told how it goes."""

    def begin(self, entries: Sequence[Entry]) -> None:
        """What is to be run."""

    def step(self, session: str, step: str, completed: int, total: int | None) -> None:
        """Progress within a session; may come from another thread."""

    def waits(self, scheduler: str, sessions: int) -> None:
        """So many sessions wait, for the scheduler there has no worker; 0 once it has; from another thread."""

    def ended(self, state: State) -> None:
        """A session is done or has failed."""


@dataclass(frozen=True)
class Outcome:
    """What became of a batch.

    Attributes:
        states: One per session, in order.
        taken: Finished steps that were found in the cache, over all sessions.
        made: Steps that were done.
        spoilt: Damaged files in the cache, done anew.
    """

    states: tuple[State, ...]
    taken: int = 0
    made: int = 0
    spoilt: int = 0

    @property
    def exit_status(self) -> int:
        """0 where every session is done whole; 2 where not one is done; else 1."""
        if not any(state.status == "done" for state in self.states):
            return 2
        return 1 if any(state.status != "done" or state.exit_status for state in self.states) else 0


def base_of(study: Path) -> Path:
    """The folder of a study: itself, or where its table lies."""
    return study if study.is_dir() else study.absolute().parent


def look(study: Path, out: Path, config: Config, *, patterns: str = "", retry: bool = False) -> tuple[list[Entry], int]:
    """What a batch would do, without doing anything.

    Returns:
        One entry per session, and how many sessions `patterns` leaves out.
    """
    places = find_sessions(study, out, with_undescribed=True)
    picked = only(places, patterns) if patterns else places
    entries = plan(picked, Layout(out), config, base_of(study), retry=retry)
    return entries, len(places) - len(picked)


def run_batch(
    study: Path,
    out: Path,
    config: Config,
    engine: Engine,
    display: Display,
    *,
    patterns: str = "",
    retry: bool = False,
    ours: bool = True,
    begun: Callable[[Sequence[Entry]], None] = lambda entries: None,
) -> Outcome:
    """Analyse all sessions of a study that are not done yet.

    Interrupted at any point, even by a power cut, the same call goes on where it stopped: finished sessions and
    finished steps of others are kept, and the tables are the same, byte for byte, as without the interruption.

    Args:
        study: Folder or table.
        out: Folder for the results.
        config: Settings.
        engine: Where the work is done.
        display: Who is told.
        patterns: Names of sessions to run, e.g. "p0*,p11"; all by default.
        retry: Run sessions again that failed before.
        ours: The worker processes belong to this run alone.
        begun: Told what will be run, before it is.

    Raises:
        BusyError: another run writes into `out`.
        NoSpaceError: there is no room for what is known of the sessions, or for the catalogue.
        MissingFileError, ManifestError, NothingUsableError: there is no study, or no session in it.
        TelltaleError: `out` is not a place for results.
        OSError: it cannot be written.
    """
    from pipeline.catalogue.build import build_catalogue

    places = find_sessions(study, out, with_undescribed=True)  # before anything is made
    layout = Layout(out)
    layout.make(study)
    with held(layout.inner / "lock"), _space_told(out):
        layout.note_study(study)
        layout.clean()
        picked = only(places, patterns) if patterns else places
        entries = plan(picked, layout, config, base_of(study), retry=retry)
        for entry in entries:
            if entry.unnamed:
                layout.drop(entry.place.name)
            elif entry.todo == "keep" and not entry.state.fingerprint:  # found out just now
                layout.note(entry.state)
        begun(entries)
        display.begin(entries)
        states = {entry.place.name: entry.state for entry in entries}
        waiting = [entry for entry in entries if entry.todo == "run"]
        counts = {"taken": 0, "made": 0, "spoilt": 0}
        if waiting:
            with engine(len(waiting)) as client:
                for entry, answer in _analyse(client, waiting, layout, config, ours, display):
                    state = _state(entry, answer)
                    for name in counts:
                        counts[name] += len(answer.get(name, ()))
                    layout.note(state)
                    states[state.session] = state
                    display.ended(state)
        if any(state.status == "done" for state in states.values()):
            known = layout.states()
            build_catalogue(layout, {place.name: place.labels for place in places if place.name in known})
    return Outcome(tuple(states[entry.place.name] for entry in entries), **counts)


def _analyse(
    client: Client, waiting: Sequence[Entry], layout: Layout, config: Config, ours: bool, display: Display
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Each session with what became of it, as they end."""
    from distributed import as_completed

    program = program_version()
    stamp = time.time_ns()
    by_key: dict[str, Entry] = {}
    futures: list[Future] = []
    ended = 0

    def tell(scheduler: str, none: bool) -> None:
        display.waits(scheduler, len(waiting) - ended if none else 0)

    with _listening(client, display), waiting_told(client, tell):
        for number, entry in enumerate(waiting):
            job = {
                "session": entry.place.name,
                "manifest": str(entry.place.manifest.absolute()),
                "out": str(layout.root.absolute()),
                "config": config.model_dump_json(),
                "program": program,
                "quiet": ours,
            }
            key = f"telltale-{stamp}-{number}"
            by_key[key] = entry
            futures.append(client.submit(run_session, job, key=key, pure=False, priority=-number))
        try:
            for future in as_completed(futures, loop=client.loop):
                ended += 1
                yield by_key[str(future.key)], _answer(future)
                future.release()
        finally:
            client.cancel(futures, force=True)


def _answer(future: Future) -> dict[str, Any]:
    """What a task returned; where it broke, why."""
    error = future.exception()
    if error is None:
        answer: dict[str, Any] = future.result()
        return answer
    cause: Cause = "machine"
    if died(error):
        reason = "the worker process died over it, again and again; perhaps the memory was not enough (-j 1 needs less)"
    elif future.cancelled():
        reason = "the cluster dropped it. Run again to go on"
    else:
        reason, cause = words(error), cause_of(error)
    return {"status": "failed", "reason": reason, "cause": cause, "exit_status": 2, "took_s": 0.0}


def _state(entry: Entry, answer: dict[str, Any]) -> State:
    known = {**vars(entry.state), **{name: answer[name] for name in ("status", "reason", "cause")}}
    return State(**{**known, "exit_status": answer["exit_status"], "took_s": answer["took_s"]})


@contextmanager
def _space_told(out: Path) -> Iterator[None]:
    """What this process itself cannot write for want of space, in words with the mend."""
    import duckdb

    mend = "Make room and run again: finished sessions and steps are kept."
    try:
        yield
    except OSError as error:
        if not is_no_space(error):
            raise
        raise NoSpaceError("no space is left to write", file=error.filename or out, mend=mend) from error
    except duckdb.IOException as error:
        said = str(error).splitlines()[0]
        raise NoSpaceError("the catalogue cannot be written", file=out, got=said, mend=mend) from error


@contextmanager
def _listening(client: Client, display: Display) -> Iterator[None]:
    def told(event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        display.step(message["session"], message["step"], message["completed"], message["total"])

    client.subscribe_topic(TOPIC, told)
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            client.unsubscribe_topic(TOPIC)
