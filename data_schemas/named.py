"""Tables of names: what is listed as "module:Class" is imported only when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from data_schemas.errors import InvalidValueError


def find_named(table: Mapping[str, str], name: str, what: str) -> Any:
    """The class or function that a table lists under a name.

    Args:
        table: Name -> "module:Class".
        name: Asked for.
        what: What the table holds, in the singular, for the message.

    Raises:
        InvalidValueError: unknown name; the message lists the known ones.
    """
    if name not in table:
        raise InvalidValueError(f"no {what} '{name}'", expected=f"one of {', '.join(table)}")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
