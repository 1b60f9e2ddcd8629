"""What a command notes before it works on people's data: the intended use is said, the audit log gets its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from data_schemas.errors import InvalidValueError, TelltaleError
from pipeline.batch.layout import Layout, read_json
from pipeline.privacy import audit, derived, intended_use, keys
from pipeline.privacy.home import home
from pipeline.privacy.scope import place_of, recorded_at


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


def begin_with_results(what: str, folder: Path, say: Callable[[str], None]) -> None:
    """As `begin`, for a command that works on what `analyze` or `batch` left; nothing is noted where nothing is there.

    The folder of a table becomes no study by it: what else lies there may be of others.

    Args:
        what: The command.
        folder: A result, a folder of results, or a table, of whose people nothing is known.
        say: Messages to the user.
    """
    try:
        found = {folder.absolute().parent: {}} if folder.is_file() else sessions_of(folder)
    except (OSError, TelltaleError) as error:
        say(f"nothing could be noted in the audit log: {error}")
        return
    for root, sessions in found.items():
        begin(what, root, sessions, None, say)


def note_export(folder: Path, *written: Path) -> None:
    """Remember what was written of results to be given away: `forget` points at it. A home that fails was told of."""
    with suppress(OSError, TelltaleError):
        for root in sessions_of(folder):
            for path in written:
                keys.note_place(root, "exports", path)


def end_with_results(what: str, folder: Path, **figures: object) -> None:
    """As `end`, for a command that works on what `analyze` or `batch` left."""
    with suppress(OSError, TelltaleError):
        for root in sessions_of(folder):
            end(what, root, **figures)


def note_report(results: Path, subjects: Iterable[str], folder: Path) -> dict[str, Any]:
    """Remember the report of a study before it is written; a home that fails was told of.

    Args:
        results: A result, a folder of results, or a table of cues, which stands for itself.
        subjects: The people of the table, by the names in it.
        folder: Of the report.

    Returns:
        What the report says of whose data it is made of; empty where nothing could be noted.
    """
    with suppress(OSError, TelltaleError):
        found = {} if results.is_file() else sessions_of(results)
        people = {root: [one for own in sessions.values() for one in own] for root, sessions in found.items()}
        return derived.note_report(people or {results.absolute(): list(subjects)}, folder)
    return {}


def note_clocks(manifest: Path, report: Path) -> None:
    """Remember the clock report of a session; a home that fails was told of.

    Args:
        manifest: Of the session.
        report: Its JSON; the page lies beside it.
    """
    with suppress(OSError, TelltaleError):
        keys.note_place(place_of(manifest), derived.CLOCKS, report)


def sessions_of(folder: Path) -> dict[Path, dict[str, list[str]]]:
    """Study -> session -> people, of a result or a folder of results.

    Raises:
        UnreadableFileError: the key store is damaged.
    """
    found: dict[Path, dict[str, list[str]]] = {}
    alone = (folder / "result.json").is_file()
    of_batch = Layout(folder.absolute().parent if alone else folder).study
    files = [folder / "result.json"] if alone else sorted(folder.glob("*/result.json"))
    for file in files:
        record = read_json(file)
        if of_batch is not None:
            root = of_batch if of_batch.is_dir() else of_batch.parent
        else:
            place = recorded_at(file.parent)
            root = folder.absolute() if place is None else keys.study_root(place)
        name = file.parent.name if of_batch is not None else str(record.get("session", file.parent.name))
        found.setdefault(root, {})[name] = [str(one) for one in record.get("people", [])]
    return found


def end(what: str, root: Path, **figures: object) -> None:
    """Add a line on how it ended; a home that cannot be written has been told of before."""
    try:
        audit.record(f"{what} ended", root, None, **figures)
    except (OSError, TelltaleError):
        return
