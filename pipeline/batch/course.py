"""How far one session is, by the steps that it comes through: what is shown before the first session has ended."""

from __future__ import annotations

from collections.abc import Mapping

from data_schemas.session import Manifest

_VIDEO = 25.0
"""Work on a face or a body, where any other step is 1: each takes 27 s of a minute's session, no other above 1 s."""


def stages_of(manifest: Manifest) -> dict[str, float]:
    """The stages of a session, each with its rough share of the work, in any unit.

    A stage is the first word of a step's name: "face" of "face of p01".
    """
    kinds = {entry.kind for entry in manifest.streams}
    stages = dict.fromkeys(("read", "synchronize", "context", "voice", "physiology", "fuse", "pictures"), 1.0)
    for stage, begins in (("face", "face_"), ("body", "body_")):
        if any(kind.startswith(begins) for kind in kinds):
            stages[stage] = _VIDEO
    return stages


class Course:
    """The share of a session's work that is done; it never goes back.

    Args:
        stages: Of `stages_of`.
        people: How many the session shows; a stage comes once for each.
    """

    def __init__(self, stages: Mapping[str, float], people: int) -> None:
        self._stages, self._people = stages, max(1, people)
        self._steps: dict[str, float] = {}
        self.share = 0.0
        """From 0 to 1."""

    def note(self, step: str, completed: int, total: int | None) -> None:
        """A step has come so far; all that came before it is through."""
        for former in self._steps:
            self._steps[former] = 1.0
        self._steps[step] = min(1.0, completed / total) if total else 0.0
        done = sum(self._weight(name) * share for name, share in self._steps.items())
        self.share = min(1.0, max(self.share, done / max(1e-9, sum(self._stages.values()))))

    def _weight(self, step: str) -> float:
        """Of one step: its stage's, shared out among the people whom it does not name."""
        stage, _, whom = step.partition(" ")
        return self._stages.get(stage, 0.0) * ((whom.count(",") + 1) / self._people if whom else 1.0)
