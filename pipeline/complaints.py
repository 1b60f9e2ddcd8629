"""What pydantic found wrong, in a sentence with the line, the place and the nearest valid word."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_LONGEST = 120
_WORDS = {
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "string_type": "text in quotes",
}
"""How pydantic's kinds of faults begin -> what the value should be."""


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
        expected = str(fault["ctx"]["expected"])
        allowed = re.findall(r"'([^']*)'", expected) or [expected]  # numbers stand without quotes
        near = difflib.get_close_matches(str(given), allowed, n=1)
        known = f"{'one of' if len(allowed) > 1 else 'known is'} {', '.join(allowed)}"
        hint = f"; did you mean '{near[0]}'?" if near else f"; {known}"
        return f"{where} = {_shown(given)} is not known{_line(text, str(given))}{hint}"
    wanted = _wanted(kind, key, given)
    if wanted:
        name = ".".join(str(part) for part in place)
        number = _line(text, next((str(part) for part in reversed(place) if isinstance(part, str)), name))
        return f"{where} = {_shown(given)} is not right{number}; write {wanted}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" + ("" if isinstance(given, dict | list) or not where else f" (got {_shown(given)})")


def _wanted(kind: str, key: str, given: object) -> str:
    """What a value should look like, by the kind of pydantic's fault; "" where its own words say it."""
    if kind in ("tuple_type", "list_type"):
        inside = json.dumps(given, ensure_ascii=False) if isinstance(given, str | int | float) else "..."
        return f"a list: {key} = [{inside}]"
    if kind.startswith("date_"):
        return f"a date as YYYY-MM-DD: {key} = 2026-01-31"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "a table: keys with values, { key = value }"
    return next((words for start, words in _WORDS.items() if kind.startswith(start)), "")


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
