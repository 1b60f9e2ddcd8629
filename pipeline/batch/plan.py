"""What a batch has to do: each session is to be run, is done already, or is skipped for a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from data_schemas.errors import ConsentError, MissingFileError, TelltaleError
from pipeline.batch.content import fingerprint
from pipeline.batch.course import stages_of
from pipeline.batch.discovery import Place
from pipeline.batch.failures import words
from pipeline.batch.layout import Layout, State
from pipeline.config import Config
from pipeline.manifest import load_manifest, require_consent
from pipeline.privacy.consent import WithdrawnError, require_nobody_withdrawn

Todo = Literal["run", "keep"]


@dataclass(frozen=True)
class Entry:
    """One session and what is to be done about it.

    Attributes:
        place: Where it lies.
        todo: "run", or "keep" for what stays as `state` says.
        state: What is known, or will be if it is kept.
        bytes: Size of its recordings, for the remaining time.
        why: Why it is run, for people.
        stages: Rough shares of its work, of `course.stages_of`.
        unnamed: Somebody in it has withdrawn: nothing is written down of it.
    """

    place: Place
    todo: Todo
    state: State
    bytes: int = 0
    why: str = ""
    unnamed: bool = False
    stages: Mapping[str, float] = field(default_factory=dict)


def plan(
    places: Sequence[Place],
    layout: Layout,
    config: Config,
    root: Path,
    *,
    retry: bool = False,
) -> list[Entry]:
    """What is to be done about each session.

    A session is kept if its result, or its failure, is of the same manifest, recordings, settings and program. One that
    failed, or is done in part, for a reason that lies in the machine (no space, no right, no memory, a disk that does
    not read, a worker that died) is run again; for another, with `retry`. One without consent, or without a manifest,
    is skipped.

    Args:
        places: The sessions.
        layout: The folder of the batch; need not exist.
        config: Settings of the run.
        root: Folder of the study, for who has withdrawn from it.
        retry: Run sessions again that failed or are done in part.
    """
    before = layout.states()
    settings = config.model_dump_json()
    return [_entry(place, layout, before, settings, root, retry) for place in places]


def _entry(
    place: Place,
    layout: Layout,
    before: Mapping[str, State],
    settings: str,
    root: Path,
    retry: bool,
) -> Entry:
    state = State(place.name, "skipped", source=str(place.manifest))
    try:
        manifest = load_manifest(place.manifest)
        state = State(place.name, "done", people=tuple(one.id for one in manifest.people), source=str(place.manifest))
        require_consent(manifest, "analyse", place.manifest)
        require_nobody_withdrawn(manifest, place.manifest, root)
        files = [path for entry in manifest.streams if entry.kind != "ignore" for path in entry.paths]
        mark = fingerprint(place.manifest, files, settings)
    except WithdrawnError as error:
        known = before.get(place.name)
        if known is not None and known.status == "done" and layout.is_done(place.name):  # what is left of the others
            return Entry(place, "keep", known)
        return Entry(place, "keep", _ended(state, "skipped", error), unnamed=True)
    except (ConsentError, MissingFileError) as error:
        return Entry(place, "keep", _ended(state, "skipped", error))
    except (TelltaleError, OSError) as error:
        return Entry(place, "keep", _ended(state, "failed", error))
    size = sum(_size(place.manifest.parent / path) for path in files)
    run = State(**{**vars(state), "fingerprint": mark})
    known = before.get(place.name)
    if known is None or known.fingerprint != mark:
        changed = "changed since" if known is not None and known.fingerprint else "new"
        return Entry(place, "run", run, size, changed, stages=stages_of(manifest))
    if known.status == "failed" and known.cause != "machine" and not retry:
        reason = known.reason if known.reason.endswith(_AGAIN) else f"{known.reason} {_AGAIN}".strip()
        return Entry(place, "keep", State(**{**vars(known), "reason": reason}), size)
    whole = layout.is_done(place.name)
    if known.status == "done" and whole and known.cause != "machine" and not (retry and known.exit_status):
        return Entry(place, "keep", known, size)
    why = "failed before" if known.status == "failed" else "done in part before" if whole else "its result is gone"
    return Entry(place, "run", run, size, why, stages=stages_of(manifest))


_AGAIN = "(failed before; --retry runs it again)"


def _ended(state: State, status: Literal["failed", "skipped"], error: BaseException) -> State:
    return State(state.session, status, words(error), exit_status=2, people=state.people, source=state.source)


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def only(places: Sequence[Place], patterns: str) -> list[Place]:
    """The sessions whose name fits one of the patterns, comma-separated: "p01", "sub-0*".

    Raises:
        MissingFileError: none does; the message lists some names.
    """
    wanted = [word.strip() for word in patterns.split(",") if word.strip()]
    found = [place for place in places if any(fnmatchcase(place.name, word) for word in wanted)]
    if not found:
        names = ", ".join(place.name for place in places[:8]) + (", ..." if len(places) > 8 else "")
        raise MissingFileError("no session fits --only", got=patterns, expected=f"of {names}")
    return found
