"""Whether weights may be loaded: every loader asks here first, so that withdrawn models are refused in one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from data_schemas.errors import ConsentError

_guards: list[Callable[[Path], None]] = []


def guard(check: Callable[[Path], None]) -> None:
    """Let `check` refuse weights too, by raising `ConsentError`; `pipeline` knows who has withdrawn."""
    if check not in _guards:
        _guards.append(check)


def require_usable(weights: Path) -> None:
    """Return if weights may be used: their card does not say that somebody they were trained with has withdrawn.

    Args:
        weights: The weights; their card is the .json beside them.

    Raises:
        ConsentError: it says so, or a guard refuses them.
    """
    try:
        card = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # whoever loads the weights says what is wrong with their card
        card = {}
    if isinstance(card, dict) and card.get("withdrawn"):
        raise withdrawn(weights)
    for check in _guards:
        check(weights)


def withdrawn(weights: Path) -> ConsentError:
    """The refusal of a model that was trained with data of somebody who has withdrawn."""
    return ConsentError(
        "the model was trained with data of somebody who has withdrawn",
        file=weights,
        mend="Train it again without them; until then it is not used.",
    )
