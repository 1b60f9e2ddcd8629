"""How commands speak: tables to stdout, progress and messages to stderr, `--json` as one object and nothing else."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data_schemas.hook import Hook
from data_schemas.native_log import KEEP

messages = Console(stderr=True, highlight=False, soft_wrap=True)


def silence_native_libraries() -> None:
    """Send what native libraries write to file descriptor 2 nowhere; Python's own stderr stays as it is.

    MediaPipe and TensorFlow Lite log to the descriptor itself, whatever their settings. TELLTALE_NATIVE_LOG=1 keeps it.
    """
    if os.environ.get(KEEP) or sys.stderr.fileno() != 2:
        return
    kept = os.dup(2)
    sys.stderr = open(kept, "w", encoding="utf-8", errors="replace", buffering=1)  # noqa: SIM115
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def say(text: str, style: str = "") -> None:
    """One message to stderr."""
    messages.print(escape(text), style=style or None)


def quoted(path: Path) -> str:
    """A path as it can be pasted into a command line."""
    text = str(path)
    return f'"{text}"' if re.search(r"[\s'&;()]", text) else text


_PADDING = 2
_FOLDED = 16
"""A cell longer than this may be folded to make room for further columns."""


def only_given(**options: Any) -> dict[str, Any]:
    """The options that are not None: what was not given must not override a configuration file."""
    return {name: value for name, value in options.items() if value is not None}


def counted(number: int, thing: str) -> str:
    """A number with its noun: "1 row", "2 rows"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def show_table(
    rows: Sequence[Mapping[str, Any]],
    title: str = "",
    as_json: bool = False,
    columns: Sequence[str] | None = None,
    *,
    as_named: bool = False,
    mend: str = "--json shows them",
) -> None:
    """Print rows to stdout, as a table for people or as `{"rows": [...]}`.

    As many columns as fit are printed; those that do not are named on stderr.

    Args:
        rows: One mapping per row with the same keys.
        title: Printed above the table.
        as_json: One JSON object instead.
        columns: Column order; by default the keys of the first row.
        as_named: Column names stay as they are; else underscores become spaces.
        mend: How the columns that did not fit can be seen.
    """
    if as_json:
        sys.stdout.write(json.dumps({"rows": [dict(row) for row in rows]}, ensure_ascii=False, default=str) + "\n")
        return
    names = list(columns or (rows[0] if rows else []))
    output = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=140)
    heads = {name: name if as_named else name.replace("_", " ") for name in names}
    shown = names[: _fitting([_least_width(rows, name, heads[name]) for name in names], output.width)]
    table = Table(title=title or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in shown:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(escape(heads[name]), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_cell(row.get(name)) for name in shown])
    output.print(table)
    left = names[len(shown) :]
    if left:
        some = ", ".join(left[:3]) + (" ..." if len(left) > 3 else "")
        say(f"{len(left)} of {counted(len(names), 'column')} do not fit here: {some}; {mend}", "yellow")


def _least_width(rows: Sequence[Mapping[str, Any]], name: str, head: str) -> int:
    """Characters that a column needs: its longest word of the head, its longest cell up to where cells are folded."""
    cells = max((len(_text(row.get(name))) for row in rows), default=0)
    return max(min(cells, _FOLDED), *(len(word) for word in head.split() or [""]), 1)


def _fitting(widths: Sequence[int], room: int) -> int:
    """How many of these columns stand beside each other; at least one."""
    used, fitting = -_PADDING, 0
    for width in widths:
        used += width + _PADDING
        if used > room:
            break
        fitting += 1
    return max(fitting, min(1, len(widths)))


def show_object(value: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.3g}"
    return str(value)


def _cell(value: Any) -> str:
    text = _text(value)
    colour = {"error": "red", "fail": "red", "warning": "yellow", "warn": "yellow", "ok": "green", "pass": "green"}
    return f"[{colour[text]}]{text}[/]" if text in colour else escape(text)


@contextmanager
def progress() -> Iterator[Hook]:
    """One bar per step on stderr; a line per finished step where stderr is no terminal."""
    if not messages.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.fields[shown]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages) as bars:
        tasks: dict[str, Any] = {}

        def hook(step: str, completed: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total, shown="?")
            bars.update(tasks[step], completed=completed, total=total, shown="?" if total is None else total)

        yield hook


class _Lines:
    """Progress where there is no terminal: each step is named once when it is done."""

    def __init__(self) -> None:
        self._done: set[str] = set()

    def __call__(self, step: str, completed: int, total: int | None) -> None:
        if total is not None and completed >= total and step not in self._done:
            self._done.add(step)
            say(f"{step}: done ({completed})")
