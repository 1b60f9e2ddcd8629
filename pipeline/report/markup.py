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
    """Rows of the same keys as an HTML table; numbers, verdicts and reasons (column `why`) get their class."""
    if not rows:
        return "<p>None.</p>"
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{_class(name, value)}">{escape(as_text(value))}</td>' for name, value in row.items())
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(column: str, value: Any) -> str:
    if column == "why":
        return "why"
    if isinstance(value, int | float):
        return "number"
    return _VERDICTS.get(str(value), "")


def as_text(value: Any) -> str:
    """A cell in words: a dash for None, four digits of a float, more where they stand before the point."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def in_words(key: str) -> str:
    """A key of a result as people read it: "speech_turn" becomes "speech turn", "ecg" "ECG"."""
    return " ".join(word.upper() if word in _LETTERS else word for word in key.split("_"))


_LETTERS = ("ecg", "eda", "ppg", "scr", "snr", "hnr", "fps")
_UNITS = {"hz": "Hz", "s": "s", "ms": "ms", "db": "dB", "px": "px", "ppm": "ppm"}
_SHARES = ("face_found", "body_found", "judged", "hands_judged", "cannot_say")
"""Measures that are shares of time without saying so in their names."""


def measures_in_words(values: Mapping[str, Any]) -> str:
    """Measures as a sentence: "ECG: beats 66, usable 99 %; pulse: 1.04 Hz".

    Args:
        values: Flat; a part before a dot names what a measure is of, the end of a key its unit. What is None or empty
            is left out; arrays are listed.
    """
    groups: dict[str, list[str]] = {}
    for key, value in values.items():
        plain = value.tolist() if hasattr(value, "tolist") else value
        if plain is not None and plain not in ([], (), ""):
            of, _, name = key.rpartition(".")
            groups.setdefault(of, []).append(_measure(name, plain))
    return "; ".join(f"{in_words(of)}: {', '.join(said)}" if of else ", ".join(said) for of, said in groups.items())


def _measure(key: str, value: Any) -> str:
    words = key.split("_")
    name, end = in_words("_".join(words[:-1])), words[-1]
    if isinstance(value, bool):
        return f"{in_words(key)}: {'yes' if value else 'no'}"
    if isinstance(value, list | tuple):
        return f"{in_words(key)} {', '.join(map(as_text, value))}"
    if isinstance(value, int | float) and words[-2:-1] != ["per"]:
        if end == "share" or key in _SHARES:
            return f"{name if end == 'share' else in_words(key)} {value:.0%}"
        if end in _UNITS:
            return f"{name} {as_text(value)}\u00a0{_UNITS[end]}".strip()
    return f"{in_words(key)} {as_text(value)}"


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
