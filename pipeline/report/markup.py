"""Tables and data as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_VERDICTS = {"pass": "pass", "agrees": "pass", "warn": "warn", "contradicts": "warn", "fail": "fail"}


def inline(text: str) -> str:
    """JSON that is safe inside a script element."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same keys as an HTML table; numbers and verdicts get their class."""
    if not rows:
        return "<p>None.</p>"
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{_class(value)}">{escape(as_text(value))}</td>' for value in row.values())
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(value: Any) -> str:
    if isinstance(value, int | float):
        return "number"
    return _VERDICTS.get(str(value), "")


def as_text(value: Any) -> str:
    """A cell in words: a dash for None, four digits of a float."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
