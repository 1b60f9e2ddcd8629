"""How a session is run: `Analyzer` and `load_config` are the front door.

Nothing heavy is imported until one of the two is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Analyzer", "__version__", "load_config"]

_HOMES = {"Analyzer": "pipeline.analyzer", "load_config": "pipeline.config"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
