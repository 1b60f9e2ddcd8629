"""What a command notes before it works on people's data: the intended use is said, the audit log gets its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data_schemas.errors import InvalidValueError, TelltaleError
from pipeline.privacy import audit, intended_use, keys
from pipeline.privacy.home import home


def begin(
    what: str, root: Path, sessions: Mapping[str, Sequence[str]], out: Path | None, say: Callable[[str], None]
) -> None:
    """Say the intended use, once per study; remember where results will lie; add a line to the audit log.

    A home that cannot be written stops nobody's work: that is said instead.

    Args:
        what: The command.
        root: Folder of the study.
        sessions: Sessions concerned, each with its people.
        out: Where results will lie, if anywhere.
        say: Messages to the user.

    Raises:
        InvalidValueError: the user's own folder lies in the results.
    """
    if out is not None and home().resolve().is_relative_to(out.resolve()):
        raise InvalidValueError(
            "the keys of pseudonyms would lie in the results that they protect", file=home(),
            mend="Set TELLTALE_HOME to a folder elsewhere.",
        )  # fmt: skip
    try:
        intended_use.remind(root, say)
        if out is not None:
            keys.note_place(root, "results", out)
        audit.record(what, root, sessions)
    except (OSError, TelltaleError) as error:
        say(f"nothing could be noted in the audit log: {error}")


def end(what: str, root: Path, **figures: object) -> None:
    """Add a line on how it ended; a home that cannot be written has been told of before."""
    try:
        audit.record(f"{what} ended", root, None, **figures)
    except (OSError, TelltaleError):
        return
