"""Which column of a table is what, as the call says or as its name tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

NUISANCE_NAMES = (
    "sex", "gender", "age", "age_group", "order", "trial", "trial_order", "trial_number", "position", "block",
    "session", "duration", "duration_s", "length", "length_s", "recording_length", "recording_length_s", "n_frames",
    "frames", "fps", "device", "camera", "site", "room", "experimenter", "culture",
)  # fmt: skip
"""Columns that are nuisances by their name, also where --nuisance does not name them."""
IDENTIFIER_NAMES = ("id", "row", "index", "file", "filename", "file_name", "path", "video", "clip", "recording", "name")
MANY_MISSING = 0.1
"""Share of missing cells from which a note tells of them."""
FOLD_NAMES = ("fold", "folds", "split", "partition", "cv_fold")
POSITIVE_WORDS = ("lie", "lying", "deceptive", "deception", "deceptive_answer", "concealed", "conceal", "guilty",
                  "false", "dishonest", "suppress", "suppression", "yes")  # fmt: skip
"""Words for a label's value that is the positive one, whatever the alphabet says."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column is what.

    Attributes:
        label: Column of the label.
        subject: Column of the people; may come from `parse`.
        item: Column of the item; may come from `parse`.
        nuisance: Columns of nuisances.
        parse: "COLUMN=REGEX" whose named groups are subject, item, label, or a nuisance of that name.
        folds: Column with the author's own folds.
        contrast: Two values of the label; the second is the positive one.
    """

    label: str | None = None
    subject: str | None = None
    item: str | None = None
    nuisance: tuple[str, ...] = ()
    parse: str | None = None
    folds: str | None = None
    contrast: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Roles:
        """Roles as a plan keeps them."""
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**plain)

    def as_dict(self) -> dict[str, Any]:
        """All roles by name."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def order_values(words: Sequence[str]) -> tuple[str, str]:
    """The two values of a label, the positive one last: 1, true words for deceiving, else by the alphabet."""
    first, second = sorted(set(words))
    if first.lower() in POSITIVE_WORDS and second.lower() not in POSITIVE_WORDS:
        return second, first
    return first, second
