"""How a batch shows how it goes: one display over all sessions on a terminal, one line per session elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pipeline.batch.layout import State
from pipeline.batch.plan import Entry
from pipeline.batch.run import Display
from pipeline.cli.terminal import messages, say

_COLOURS = {"failed": "red", "skipped": "yellow"}


class Pace:
    """How fast it goes, and for how long still, by the size of the recordings."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._sizes = {one.place.name: max(1, one.bytes) for one in entries if one.todo == "run"}
        self.total, self.done, self._bytes = len(self._sizes), 0, 0
        self._started = time.monotonic()

    def count(self, session: str) -> None:
        """One more is done."""
        self.done += 1
        self._bytes += self._sizes.get(session, 0)

    @property
    def words(self) -> str:
        """Rate and remaining time, once there is one."""
        took = max(1e-3, time.monotonic() - self._started)
        if not self.done:
            return ""
        left = took * (sum(self._sizes.values()) - self._bytes) / max(1, self._bytes)
        return f"{3600 * self.done / took:.0f} sessions/h, {clock(left) + ' left' if self.done < self.total else 'all'}"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


class Lines:
    """One line when a session ends, for logs."""

    def __init__(self) -> None:
        self._pace = Pace(())

    def begin(self, entries: Sequence[Entry]) -> None:
        """Say how much there is to do."""
        self._pace = Pace(entries)
        kept = sum(entry.todo == "keep" and entry.state.status == "done" for entry in entries)
        say(f"{len(entries)} sessions: {self._pace.total} to run, {kept} done before")

    def step(self, session: str, step: str, completed: int, total: int | None) -> None:
        """Nothing: logs hold what ended."""

    def ended(self, state: State) -> None:
        """Name the session and what became of it."""
        self._pace.count(state.session)
        text = f"[{self._pace.done}/{self._pace.total}] {state.session}: {state.status} in {state.took_s:.1f} s"
        say(
            f"{text}; {self._pace.words}" + (f": {state.reason}" if state.reason else ""),
            _COLOURS.get(state.status, ""),
        )


class Bars:
    """One bar over all and a line for each session at work."""

    def __init__(self, bars: Any) -> None:
        self._bars, self._pace = bars, Pace(())
        self._all: Any = None
        self._tasks: dict[str, Any] = {}
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, entries: Sequence[Entry]) -> None:
        """Show the bar over all."""
        self._pace = Pace(entries)
        self._all = self._bars.add_task("all sessions", total=self._pace.total, what="")

    def step(self, session: str, step: str, completed: int, total: int | None) -> None:
        """Show what a session is at."""
        with self._lock:
            if session in self._ended:
                return
            if session not in self._tasks:
                self._tasks[session] = self._bars.add_task(session, total=total, what=step)
            self._bars.update(self._tasks[session], completed=completed, total=total, what=step)

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
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description:<20.40}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.what}"),
    )
    with Progress(*columns, console=messages) as bars:
        yield Bars(bars)
