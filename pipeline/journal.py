"""The run's diary: one JSON object per line, kept in memory and written to `log.jsonl`."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

from data_schemas.hook import Hook
from data_schemas.result import Problem


class Journal:
    """Collects what happened, in order, and passes progress on.

    Args:
        hook: Listener that also gets every progress report.
    """

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._started: dict[str, float] = {}
        self.entries: list[dict[str, Any]] = []

    def __call__(self, step: str, completed: int, total: int | None) -> None:
        """Progress: passed on; the first and the last report of a step are noted with the time taken."""
        now = time.monotonic()
        if step not in self._started:
            self._started[step] = now
            self.note("step started", step=step)
        if total is not None and completed >= total and self._started[step] >= 0:
            self.note("step done", step=step, took_s=round(now - self._started[step], 3), units=completed)
            self._started[step] = -1.0
        self._hook(step, completed, total)

    def note(self, message: str, **fields: Any) -> None:
        """Add one entry; values must be JSON-serialisable."""
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        self.entries.append({"time": stamp, "message": message, **fields})

    def problem(self, problem: Problem) -> None:
        """Add a problem."""
        self.note("problem", **problem.model_dump(exclude_none=True))

    def write(self, path: Path) -> None:
        """Write all entries, one JSON object per line."""
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in self.entries)
        path.write_text(text, encoding="utf-8")
