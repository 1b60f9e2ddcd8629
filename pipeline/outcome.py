"""The result of one run: in memory as an object, on disk as a folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.recording import Session
from data_schemas.result import Problem, ResultRecord, SyncReport
from data_schemas.whole_file import settle, settle_folder
from pipeline.interaction_files import NAMES as OF_SEVERAL
from pipeline.interaction_files import write_interaction
from pipeline.journal import Journal
from pipeline.memory import give_back
from pipeline.report.page import ASSETS, drop_folder

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.interaction_table import Interaction


FILES = ("timeline.parquet", "events.parquet", "events.csv", "sync.json", "report.html", "log.jsonl", "result.json")
"""What a result consists of; the last one says that it is complete."""
OF_PAGE = ASSETS
"""Folder beside them for what the page plays and, of a long session, reads."""


def refuse_overwriting(target: Path, session: Path) -> None:
    """Return if a result may be written to `target` without touching the recordings.

    Raises:
        InvalidValueError: `target` is the session folder, a folder with recordings in it, or no folder at all.
    """
    if target.exists() and not target.is_dir():
        raise InvalidValueError("the place for the result is a file", file=target, mend="Name a folder with -o.")
    ours = (target / "result.json").is_file()
    if target.resolve() == session.resolve() or (target / "session.toml").exists():
        raise InvalidValueError(
            "a result is never written into a session folder", file=target, mend="Name another folder with -o."
        )
    taken = [name for name in FILES if (target / name).exists()]
    if (target / ".telltale").is_dir():
        taken = [name for name in taken if name != "report.html"]  # the index of a study
    if taken and not ours:
        raise InvalidValueError(
            "the folder holds files that are no earlier result of Telltale",
            file=target,
            got=", ".join(taken),
            mend="Name another folder with -o.",
        )


@dataclass(frozen=True, repr=False)
class Result:
    """What one run found.

    Attributes:
        record: Summary, problems, provenance: the content of `result.json`.
        timeline: Arrow table, one row per person and grid time.
        events: All events in order of onset.
        sync: Clock report.
        session: The synchronised session that was analysed.
        journal: What happened, for `log.jsonl`.
        faces: Whether the page may show pictures of faces.
        interaction: What several people do to each other; None for one person.
    """

    record: ResultRecord
    timeline: pa.Table
    events: tuple[Event, ...]
    sync: SyncReport
    session: Session
    journal: Journal
    faces: bool = True
    interaction: Interaction | None = None

    def __repr__(self) -> str:
        channels = ", ".join(f"{one.person} {one.channel} {one.valid_share:.0%}" for one in self.record.channels)
        return f"Result({self.record.session}, {self.record.duration_s:.1f} s, {len(self.events)} events, {channels})"

    @property
    def exit_status(self) -> int:
        """0 when everything worked, 1 when something failed, was missing or was refused."""
        return self.record.exit_status

    def save(self, folder: str | Path, final: Path | None = None) -> Path:
        """Write all files of the result into a folder; each appears whole or not at all, `result.json` last.

        Once this returns they are on the disk, so that a power cut does not take them back.

        Args:
            folder: Made if absent, private to the user. Files of an earlier run are replaced.
            final: Where the folder is moved afterwards; the page finds the recordings from there.

        Raises:
            InvalidValueError: it is the session folder, a file, or would overwrite a recording.
            OSError: the folder cannot be written.
        """
        import pyarrow.parquet as pq

        from pipeline.export.events import as_arrow, as_csv, as_rows
        from pipeline.report.run import report_run

        target = Path(folder)
        refuse_overwriting(target, self.session.root)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        (target / "result.json").unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".writing-") as scratch:
            draft = Path(scratch)
            pq.write_table(self.timeline, draft / "timeline.parquet", compression="zstd")
            give_back()
            pq.write_table(as_arrow(self.events), draft / "events.parquet")
            (draft / "events.csv").write_text(as_csv(as_rows(self.events)), encoding="utf-8", newline="")
            (draft / "sync.json").write_text(self.sync.model_dump_json(indent=2) + "\n", encoding="utf-8")
            report_run(self, draft / "report.html", (final or target) / "report.html", self.journal)
            if self.interaction is not None:
                write_interaction(self.interaction, draft)
            self.journal.write(draft / "log.jsonl")
            (draft / "result.json").write_text(self.record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            settle(draft)
            drop_folder(target / OF_PAGE)
            if (draft / OF_PAGE).is_dir():
                shutil.move(draft / OF_PAGE, target / OF_PAGE)
            for name in (*OF_SEVERAL, *FILES):
                if name == FILES[-1]:
                    settle_folder(target)  # all else is in its place before the file that says so
                (target / name).unlink(missing_ok=True)
                if (draft / name).exists():
                    shutil.move(draft / name, target / name)
        settle_folder(target)
        return target


def has_failed(problems: Sequence[Problem], sync: SyncReport) -> bool:
    """Whether the exit status is 1: whether `why_failed` has any reason for it."""
    return bool(why_failed(problems, sync))


def why_failed(problems: Sequence[Problem], sync: SyncReport) -> tuple[str, ...]:
    """What makes the exit status 1, each thing in words; empty for status 0.

    So it is when something failed, when evidence contradicts the clocks, and when nobody vouches for the clocks of two
    streams of one body and what could prove them is too weak.
    """
    errors = sum(problem.severity == "error" for problem in problems)
    reasons = [f"{errors} {'error' if errors == 1 else 'errors'}"] if errors else []
    reasons += [f"the clock of '{one.stream}' failed" for one in sync.streams if one.verdict == "fail"]
    for one in sync.checks:
        pair = f"the clocks of '{one.own}' and '{one.against}'"
        if one.verdict == "contradicts":
            reasons.append(f"{one.by} contradicts {pair}")
        elif one.verdict == "too_weak" and unvouched(sync, one.own, one.against):
            reasons.append(f"nobody vouches for {pair}, and nothing proves them")
    return tuple(dict.fromkeys(reasons))


def unvouched(sync: SyncReport, own: str, against: str) -> bool:
    """Whether two streams are on different clocks and that of one rests on what is merely assumed, or on headers."""
    rows = [row for row in sync.streams if row.stream in (own, against)]
    return len({row.clock for row in rows}) == 2 and any(
        row.rests_on or row.method in ("assumed", "wall") for row in rows
    )
