"""The table of a study: cues, label, subject, item, nuisances, one row per person and item (or trial)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, NothingUsableError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.study.sessions import Course

Words = NDArray[np.object_]
Codes = NDArray[np.int64]

MISSING_MOST = 0.5
"""A cue with a greater share of missing cells is described, but not used to predict: most of it would be invented."""


@dataclass(frozen=True, repr=False)
class StudyTable:
    """Rows of a study, checked.

    Attributes:
        cues: Numeric columns, shape (n, k); NaN where missing. None is constant.
        label: 0 or 1, shape (n,).
        label_name: Column of the label.
        label_values: Its value for 0 and for 1.
        subject: Who, as text, shape (n,).
        item: Question, stimulus or video, as text; None where there is none.
        version: The item as the identifier writes it, where that is finer than `item`; None where it is not.
        nuisance: Sex, order, length, device ... (n, m), numbers or text.
        identifiers: Columns of text that are neither, with the whole identifiers; looked through for the label.
        folds: The author's own folds, as text; None where there are none.
        notes: What was left out or assumed, in sentences.
        missing: Something is missing or was left out that the exit status should tell.
        inputs: File name to SHA-256.
        courses: Time courses around the windows, from analysed sessions.
    """

    cues: pd.DataFrame
    label: Codes
    label_name: str
    label_values: tuple[str, str]
    subject: Words
    item: Words | None = None
    version: Words | None = None
    nuisance: pd.DataFrame = field(default_factory=lambda: _empty())
    identifiers: pd.DataFrame = field(default_factory=lambda: _empty())
    folds: Words | None = None
    notes: tuple[str, ...] = ()
    missing: bool = False
    inputs: dict[str, str] = field(default_factory=dict)
    courses: tuple[Course, ...] = ()

    def __repr__(self) -> str:
        return f"StudyTable({len(self)} rows, {self.cues.shape[1]} cues, {len(set(self.subject))} people)"

    def __len__(self) -> int:
        return len(self.label)

    @property
    def values(self) -> NDArray[np.float64]:
        """Cues as numbers, shape (n, k), NaN where missing."""
        return self.cues.to_numpy(dtype=np.float64)

    @property
    def names(self) -> list[str]:
        """Names of the cues."""
        return [str(name) for name in self.cues.columns]

    @property
    def finest_item(self) -> Words | None:
        """The item as finely as it is known."""
        return self.version if self.version is not None else self.item

    @property
    def usable(self) -> list[str]:
        """Cues with few enough missing cells to predict from."""
        return [str(name) for name in self.cues.columns if self.cues[name].isna().mean() <= MISSING_MOST]


def codes_of(words: Words) -> tuple[Codes, list[str]]:
    """Codes from 0 in the order of the sorted words, and the words."""
    names, codes = np.unique(words.astype(str), return_inverse=True)
    return codes.astype(np.int64), [str(name) for name in names]


def check_people(subject: Words, column: str, file: object = None) -> None:
    """Return if there is more than one person.

    Raises:
        NothingUsableError: there is one single person, or none.
    """
    people = sorted(set(map(str, subject)))
    if len(people) < 2:
        raise NothingUsableError(
            f"the table has one single subject in column '{column}', so nothing can be said about other people",
            file=file,
            got=", ".join(people) or "no row",
            expected="two people at the very least, twenty or more to learn anything",
            mend="Name the column of the people with --subject, or add the other people's rows.",
        )


def check_label(values: Sequence[str], column: str, contrast: Sequence[str] = (), file: object = None) -> None:
    """Return if a label has two values.

    Raises:
        InvalidValueError: it has one, or more than two, or not those of the contrast.
    """
    found = list(dict.fromkeys(values))
    if contrast:
        absent = [value for value in contrast if value not in found]
        if absent or len(contrast) != 2:
            raise InvalidValueError(
                f"the label '{column}' cannot be contrasted so",
                file=file,
                got=",".join(contrast),
                expected=f"two of {', '.join(sorted(found)[:12])}",
            )
        return
    if len(found) == 1:
        raise InvalidValueError(
            f"the label '{column}' has one single value, so there is nothing to compare", file=file, got=found[0]
        )
    if len(found) > 2:
        shown = ", ".join(sorted(found)[:8]) + (" ..." if len(found) > 8 else "")
        raise InvalidValueError(
            f"the label '{column}' has {len(found)} values",
            file=file,
            got=shown,
            expected="two",
            mend="Choose two of them with --contrast A,B (B counts as positive), or name another column with --label.",
        )


def _empty() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()
