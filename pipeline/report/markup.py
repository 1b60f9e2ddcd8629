"""Tables, figures and data as HTML; whatever comes from a recording, a label or a file name is escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

_VERDICTS = {"pass": "pass", "agrees": "pass", "warn": "warn", "contradicts": "warn", "fail": "fail"}
_HERE = Path(__file__).parent


def inline(text: str) -> str:
    """JSON that is safe inside a script element."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def clean(value: Any) -> Any:
    """The same value as JSON can say it: null for numbers that are none."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [clean(one) for one in value]
    return value


def data_element(name: str, text: str) -> str:
    """JSON in an element that a script reads by its id; browsers don't run it."""
    return f'<script type="application/json" id="{escape(name)}">{inline(text)}</script>'


def as_figure(name: str, figure: go.Figure, caption: str) -> str:
    """A plotly figure that the page draws when it comes into view.

    Args:
        name: Id, of letters and digits.
        figure: What to draw.
        caption: For screen readers.
    """
    height = int(figure.layout.height or 260)
    about = f'role="img" aria-label="{escape(caption)}" style="min-height:{height}px"'
    return f'<div class="figure" id="{name}" {about}></div>{data_element(f"{name}-data", figure.to_json() or "{}")}'


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


def script_text(*names: str) -> str:
    """The scripts of this folder of these names, one after the other."""
    return "\n".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def style_text() -> str:
    """The style of all pages."""
    return (_HERE / "page.css").read_text(encoding="utf-8")


def policy(*scripts: str, files: bool = False, connect: str = "'none'") -> str:
    """A content security policy: only these scripts are run, nothing is loaded from a network.

    Args:
        scripts: Texts of the inline scripts, exactly as they stand in the page.
        files: Whether scripts beside the page are run too.
        connect: Whom the page may ask.
    """
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts]
    beside = ["'self'", "file:"] if files else []
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join([*hashes, *beside]) or chr(39) + 'none' + chr(39)}",
            "style-src 'unsafe-inline'",
            "img-src data: blob: 'self' file:",
            "media-src 'self' file: blob: data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def render(template: str, **values: Any) -> str:
    """A template of this folder filled in; values are escaped unless they are `markupsafe.Markup`."""
    from jinja2 import Environment, StrictUndefined

    source = (_HERE / template).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(source).render(**values)
