"""How a batch shows how it goes: one display over all sessions on a terminal, one line per session elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.batch.course import Course
from pipeline.batch.layout import State
from pipeline.batch.plan import Entry
from pipeline.batch.run import Display
from pipeline.cli.terminal import messages, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_COLOURS = {"failed": "red", "skipped": "yellow"}


_MOST = 4
_STEP_EVERY_S = 60.0
_LEAST_SHARE = 0.05
"""Of the sessions at work; before, a rate would be a guess."""


class Pace:
    """How fast it goes, and for how long still, by the size of the recordings and by how far each session is."""

    def __init__(self, entries: Sequence[Entry], now: Callable[[], float] = time.monotonic) -> None:
        run = [one for one in entries if one.todo == "run"]
        self._sizes = {one.place.name: max(1, one.bytes) for one in run}
        self._courses = {one.place.name: Course(one.stages, len(one.state.people)) for one in run}
        self.total, self.done, self._bytes = len(self._sizes), 0, 0
        self._now, self._started = now, now()

    def note(self, session: str, step: str, completed: int, total: int | None) -> bool:
        """A session has come so far; False if it has ended already."""
        if session not in self._courses:
            return False
        self._courses[session].note(step, completed, total)
        return True

    def share(self, session: str) -> float:
        """Of a session's work that is done, roughly."""
        return self._courses[session].share if session in self._courses else 0.0

    def count(self, session: str) -> None:
        """One more is done."""
        self.done += 1
        self._bytes += self._sizes.get(session, 0)
        self._courses.pop(session, None)

    @property
    def words(self) -> str:
        """Rate and remaining time, once there is one; "about" until the first session has ended."""
        took = max(1e-3, self._now() - self._started)
        at_work = {name: one.share for name, one in self._courses.items() if one.share > 0}
        done = self._bytes + sum(self._sizes[name] * share for name, share in at_work.items())
        whole, begun = sum(self._sizes.values()), sum(self._sizes[name] for name in at_work)
        if not self.done and (not begun or done < _LEAST_SHARE * begun):
            return ""
        left = took * (whole - done) / max(1e-9, done)
        rate = 3600 * (self.done + sum(at_work.values())) / took
        about = "" if self.done else "about "
        return f"{about}{rate:.0f} sessions/h, {clock(left) + ' left' if self.done < self.total else 'all'}"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def _say_waits(scheduler: str, sessions: int) -> None:
    if sessions:
        wait = "1 session waits" if sessions == 1 else f"{sessions} sessions wait"
        say(f"waiting for workers of {scheduler} ({wait}); Ctrl-C stops, and what is finished is kept", "yellow")
    else:
        say(f"workers of {scheduler} are there")


class Lines:
    """One line when a session ends and, at most once a minute, what is at work: for logs.

    Args:
        now: Seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._pace = now, Pace((), now)
        self._said = now()
        self._steps: dict[str, str] = {}
        self._lock = threading.Lock()

    def begin(self, entries: Sequence[Entry]) -> None:
        """Say how much there is to do."""
        self._pace, self._said = Pace(entries, self._now), self._now()
        kept = sum(entry.todo == "keep" and entry.state.status == "done" for entry in entries)
        say(f"{len(entries)} sessions: {self._pace.total} to run, {kept} done before")

    def step(self, session: str, step: str, completed: int, total: int | None) -> None:
        """Say at most once a minute what sessions are at."""
        with self._lock:
            if not self._pace.note(session, step, completed, total):
                return
            self._steps[session] = step
            if self._now() - self._said < _STEP_EVERY_S:
                return
            self._said = self._now()
            some = [f"{name}: {at} ({self._pace.share(name):.0%})" for name, at in list(self._steps.items())[:_MOST]]
            more = f"; and {len(self._steps) - _MOST} more" if len(self._steps) > _MOST else ""
            words = self._pace.words
        say(f"at work: {'; '.join(some)}{more}" + (f"; {words}" if words else ""))

    def waits(self, scheduler: str, sessions: int) -> None:
        """Say that nobody does the work."""
        _say_waits(scheduler, sessions)

    def ended(self, state: State) -> None:
        """Name the session and what became of it."""
        with self._lock:
            self._steps.pop(state.session, None)
            self._pace.count(state.session)
            text = f"[{self._pace.done}/{self._pace.total}] {state.session}: {state.status} in {state.took_s:.1f} s"
            text += f"; {self._pace.words}"
        say(text + (f": {state.reason}" if state.reason else ""), _COLOURS.get(state.status, ""))


class Bars:
    """One bar over all and a line for each session at work.

    Args:
        bars: A `rich.progress.Progress` with the field `what`.
        now: Seconds that only grow.
    """

    def __init__(self, bars: Any, now: Callable[[], float] = time.monotonic) -> None:
        self._bars, self._now, self._pace = bars, now, Pace((), now)
        self._all: Any = None
        self._tasks: dict[str, Any] = {}
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, entries: Sequence[Entry]) -> None:
        """Show the bar over all."""
        self._pace = Pace(entries, self._now)
        self._all = self._bars.add_task("all sessions", total=self._pace.total, what="")

    def step(self, session: str, step: str, completed: int, total: int | None) -> None:
        """Show what a session is at."""
        with self._lock:
            if session in self._ended:
                return
            if session not in self._tasks:
                self._tasks[session] = self._bars.add_task(session, total=total, what=step)
            self._bars.update(self._tasks[session], completed=completed, total=total, what=step)
            self._pace.note(session, step, completed, total)
            self._bars.update(self._all, what=self._pace.words)

    def waits(self, scheduler: str, sessions: int) -> None:
        """Say above the bars that nobody does the work."""
        _say_waits(scheduler, sessions)

    def ended(self, state: State) -> None:
        """Take its line away; say what failed."""
        with self._lock:
            self._ended.add(state.session)
            if state.session in self._tasks:
                self._bars.remove_task(self._tasks.pop(state.session))
            self._pace.count(state.session)
            self._bars.update(self._all, completed=self._pace.done, what=self._pace.words)
        if state.status == "failed":
            say(f"{state.session}: {state.reason}", "red")


@contextmanager
def display() -> Iterator[Display]:
    """The display that fits where stderr goes."""
    if not messages.is_terminal:
        yield Lines()
        return
    with bars_on(messages) as bars:
        yield Bars(bars)


def bars_on(console: Console) -> Progress:
    """Bars of name, share and what it is at, on a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description:<20.40}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[what]}"),
        console=console,
    )
