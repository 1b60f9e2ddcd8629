"""How a session is run: `Analyzer` and `load_config` are the front door.

Nothing heavy is imported until one of the two is asked for.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from data_schemas.weights import guard

__version__ = "0.1.0"
__all__ = ["Analyzer", "__version__", "load_config"]

_HOMES = {"Analyzer": "pipeline.analyzer", "load_config": "pipeline.config"}


def _refuse_withdrawn(weights: Path) -> None:
    from pipeline.privacy.consent import require_usable

    require_usable(weights)


guard(_refuse_withdrawn)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
