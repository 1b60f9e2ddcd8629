"""What pydantic found wrong, in a sentence with the line, the place and the nearest valid word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_LONGEST = 120


def explain(error: ValidationError, model: type[BaseModel], text: str = "") -> str:
    """One line per fault, at most five.

    Args:
        error: What pydantic raised.
        model: The model that was validated, for the names it knows.
        text: The TOML source, to name line numbers.
    """
    faults = error.errors()
    lines = [_explain_one(dict(fault), model, text) for fault in faults[:5]]
    if len(faults) > 5:
        lines.append(f"and {len(faults) - 5} more")
    return "; ".join(lines)


def _explain_one(fault: dict[str, Any], model: type[BaseModel], text: str) -> str:
    place: Sequence[int | str] = fault["loc"]
    key = str(place[-1]) if place else ""
    where = _place(place)
    kind, given = fault["type"], fault.get("input")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key, _known_keys(model, place[:-1]), n=1, cutoff=0.5)
        return f"unknown key '{key}' in {_place(place[:-1])}{_line(text, key)}" + (
            f"; did you mean '{near[0]}'?" if near else ""
        )
    if kind == "missing":
        return f"'{key}' is missing in {_place(place[:-1])}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(fault["ctx"]["expected"]))
        near = difflib.get_close_matches(str(given), allowed, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; one of {', '.join(allowed)}"
        return f"{where} = {_shown(given)} is not known{_line(text, str(given))}{hint}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" + ("" if isinstance(given, dict | list) or not where else f" (got {_shown(given)})")


def _shown(given: object) -> str:
    """A value as it was written, its beginning where it is long."""
    text = repr(given)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _place(place: Sequence[int | str]) -> str:
    out = ""
    for part in place:
        out += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if out else str(part))
    return out or "the top level"


def _line(text: str, word: str) -> str:
    pattern = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
    found = [n for n, line in enumerate(text.splitlines(), 1) if word and re.search(pattern, line.split("#")[0])]
    return f" (line {found[0]})" if len(found) == 1 else ""


def _known_keys(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    current: Any = model
    for part in place:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = _inner_model(field.annotation) if field is not None else current
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None
