"""Progress of one encoder, told under the name of its channel and person."""

from __future__ import annotations

from data_schemas.hook import Hook


class Renamed:
    """Progress of one encoder under the name of its channel and person, whatever it calls its own steps."""

    def __init__(self, hook: Hook, name: str) -> None:
        self._hook, self._name, self._done = hook, name, 0
        hook(name, 0, None)

    def __call__(self, step: str, completed: int, total: int | None) -> None:
        """Pass a step on."""
        self._done = completed
        self._hook(self._name, completed, total)

    def finish(self) -> None:
        """Report the end, for encoders that leave it open."""
        units = max(1, self._done)
        self._hook(self._name, units, units)
