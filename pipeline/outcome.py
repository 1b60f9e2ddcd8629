"""The result of one run: in memory as an object, on disk as a folder."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.event import Event
from data_schemas.recording import Session
from data_schemas.result import ResultRecord, SyncReport
from pipeline.journal import Journal

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
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
    """

    record: ResultRecord
    timeline: pa.Table
    events: tuple[Event, ...]
    sync: SyncReport
    session: Session
    journal: Journal
    faces: bool = True

    @property
    def exit_status(self) -> int:
        """0 when everything worked, 1 when something failed, was missing or was refused."""
        return self.record.exit_status

    def save(self, folder: str | Path) -> Path:
        """Write all files of the result into a folder; each appears whole or not at all, `result.json` last.

        Args:
            folder: Made if absent. Files of an earlier run are replaced.

        Raises:
            OSError: the folder cannot be written.
        """
        import pyarrow.parquet as pq

        from pipeline.export.events import as_arrow, as_csv, as_rows
        from pipeline.report.page import write_report

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        (target / "result.json").unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".writing-") as scratch:
            draft = Path(scratch)
            pq.write_table(self.timeline, draft / "timeline.parquet", compression="zstd")
            pq.write_table(as_arrow(self.events), draft / "events.parquet")
            (draft / "events.csv").write_text(as_csv(as_rows(self.events)), encoding="utf-8", newline="")
            (draft / "sync.json").write_text(self.sync.model_dump_json(indent=2) + "\n", encoding="utf-8")
            write_report(self.record, self.timeline, self.events, self.sync, draft / "report.html")
            self.journal.write(draft / "log.jsonl")
            (draft / "result.json").write_text(self.record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            names = ["timeline.parquet", "events.parquet", "events.csv", "sync.json", "report.html", "log.jsonl"]
            for name in [*names, "result.json"]:
                shutil.move(draft / name, target / name)
        return target
