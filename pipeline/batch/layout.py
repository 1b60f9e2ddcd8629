"""Where things lie in the folder of a batch, and how results come to lie there: whole or not at all.

OUT/<session>/           the result of one session, as `analyze` leaves it
OUT/study.parquet        all timelines
OUT/study.duckdb         the catalogue: sessions, people, events, labels
OUT/.telltale/lock       held by the one run that writes here
OUT/.telltale/study.json which study this is
OUT/.telltale/state/     one file per session: done, failed or skipped, and why
OUT/.telltale/cache/     finished steps, one folder per session
OUT/.telltale/work/      results that are being written
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from data_schemas.errors import InvalidValueError
from data_schemas.whole_file import settle_folder, write_whole
from pipeline.batch.failures import Cause
from pipeline.batch.lock import held
from pipeline.interaction_files import NAMES as OF_SEVERAL
from pipeline.outcome import FILES, refuse_overwriting

OURS = (*FILES, *OF_SEVERAL, "report")
"""What Telltale itself leaves in the folder of a result; all else there is the user's."""

TABLES = ("timeline.parquet", "events.parquet")
"""What a result cannot do without."""

Status = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class State:
    """What is known of one session.

    Attributes:
        session: Its name in the study.
        status: "done", "failed" or "skipped".
        reason: Why it failed or was skipped, or what of a done one is missing; one line.
        fingerprint: What the result depends on.
        exit_status: 0 or 1, as `analyze` gives it; 2 where it failed.
        took_s: Seconds of work.
        people: Whom it shows.
        source: The manifest.
        cause: What it lies in that it failed or is done in part; only for what lies in the session `--retry` is needed.
    """

    session: str
    status: Status
    reason: str = ""
    fingerprint: str = ""
    exit_status: int = 0
    took_s: float = 0.0
    people: tuple[str, ...] = ()
    source: str = ""
    cause: Cause = ""


@dataclass(frozen=True)
class Layout:
    """The folder of a batch.

    Attributes:
        root: OUT.
    """

    root: Path
    inner: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", self.root / ".telltale")

    def make(self, study: Path) -> None:
        """Make the folders, private to the user.

        Raises:
            InvalidValueError: OUT is a file, a session folder, or the study itself.
            OSError: it cannot be made or written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InvalidValueError(
                "the place for the results is a file", file=self.root, mend="Name a folder with -o."
            )
        refuse_overwriting(self.root, study if study.is_dir() else study.parent)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("", "state", "cache", "work"):
            (self.inner / name).mkdir(mode=0o700, exist_ok=True)

    def note_study(self, study: Path) -> None:
        """Write down which study this is.

        Raises:
            InvalidValueError: the folder holds the results of another one.
        """
        file = self.inner / "study.json"
        before = read_json(file).get("study")
        if before is not None and Path(before) != study.resolve():
            raise InvalidValueError(
                "the folder holds the results of another study",
                file=self.root,
                got=before,
                expected=study.resolve(),
                mend="Name another folder with -o.",
            )
        write_json(file, {"study": str(study.resolve())})

    @property
    def study(self) -> Path | None:
        """The study whose results lie here, as it was given; None where that is not known."""
        found = read_json(self.inner / "study.json").get("study")
        return None if found is None else Path(found)

    def cache_of(self, session: str) -> Path:
        """Folder of a session's finished steps."""
        return self.inner / "cache" / session

    def states(self) -> dict[str, State]:
        """What is known of each session; a file that cannot be read is as if it were not there."""
        found = {}
        for path in sorted((self.inner / "state").glob("*.json")):
            values = read_json(path)
            try:
                state = State(**{**values, "people": tuple(values.get("people", ()))})
            except TypeError:
                continue
            found[state.session] = state
        return found

    def note(self, state: State) -> None:
        """Keep what is known of a session."""
        write_json(self.inner / "state" / f"{state.session}.json", asdict(state))

    def drop(self, session: str) -> None:
        """Know nothing of a session any more."""
        (self.inner / "state" / f"{session}.json").unlink(missing_ok=True)

    def is_done(self, session: str) -> bool:
        """Whether a whole result lies there: its record can be read, and its tables go to their ends."""
        folder = self.root / session
        return "session" in read_json(folder / "result.json") and all(_is_whole(folder / name) for name in TABLES)

    def draft(self, session: str) -> Path:
        """A new private folder to write a result into."""
        return Path(tempfile.mkdtemp(dir=self.inner / "work", prefix=f"{session[:60]}-"))

    def land(self, draft: Path, session: str) -> Path:
        """Put a written result in its place, in one step; what users put beside a former one is kept.

        Raises:
            InvalidValueError: a folder of that name holds something else.
        """
        target = self.root / session
        if target.exists():
            refuse_overwriting(target, draft)
        with held(self.inner / "landing", wait=True):
            if target.exists():
                old = draft.with_name(f"{draft.name}.old")
                write_json(old.with_name(f"{old.name}.json"), {"session": session})
                target.rename(old)
                draft.rename(target)
                settle_folder(self.root)
                _give_back(old, target)
            else:
                draft.rename(target)
                settle_folder(self.root)
        return target

    def clean(self) -> None:
        """Clear away what an interrupted run left half-done; a result that it had set aside comes back."""
        for note in (self.inner / "work").glob("*.old.json"):
            old = note.with_name(note.name.removesuffix(".json"))
            session = read_json(note).get("session")
            if session and old.is_dir():
                target = self.root / session
                if target.exists():
                    _give_back(old, target)
                else:
                    old.rename(target)
            note.unlink(missing_ok=True)
        for path in (self.inner / "work").iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _give_back(old: Path, target: Path) -> None:
    """Move what is not Telltale's from a former result into the new one, and delete the rest."""
    for path in old.iterdir():
        if path.name not in OURS and not (target / path.name).exists():
            shutil.move(path, target / path.name)
    shutil.rmtree(old)
    old.with_name(f"{old.name}.json").unlink(missing_ok=True)


def _is_whole(path: Path) -> bool:
    """Whether a parquet file has its beginning, and at its end a footer that fits in it."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(max(0, size - 8))
            tail = file.read(8)
    except OSError:
        return False
    return head == tail[4:] == b"PAR1" and int.from_bytes(tail[:4], "little") + 12 <= size


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is none or it is not one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, values: dict[str, Any], mode: int = 0o600) -> None:
    """Write a JSON object, whole or not at all, readable by the user alone."""
    write_whole(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode(), mode)
