"""A plain table: anybody's own samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus, read_kind
from modalities.face.corpora.megc2019 import class_of
from modalities.face.corpora.sample import Composite, Kind, Sample
from modalities.face.corpora.sheet import Columns, Row
from modalities.face.corpora.shelf import Shelf

_KINDS: dict[str, Kind] = {"micro": "micro", "macro": "macro", "blink": "blink", "other": "other"}


class Plain(SheetCorpus):
    """A CSV (or .xlsx, .xls, TSV) with a header.

    Columns: subject, clip, and at least one of onset, emotion, class; perhaps apex, offset, fps, aus, emotion, kind
    (micro, macro, blink; micro where there is none), class (negative, positive, surprise, or 0 to 2), dataset, path
    (of frames or video, below the folder). Other columns stay in `Sample.more`. A frame is the number at the end of a
    picture's name; those of a video are counted from 1.
    """

    name = "plain"
    title = "plain table"
    expected = (
        "a CSV with the columns subject, clip and onset, emotion or class; perhaps apex, offset, fps, aus, kind, path"
    )
    columns: ClassVar[Columns] = {
        "subject": ("subject", "person", "participant", "sub"),
        "clip": ("clip", "video", "filename", "file", "name"),
        "onset": ("onset", "onsetframe", "start", "startframe"),
        "apex": ("apex", "apexframe"),
        "offset": ("offset", "offsetframe", "end", "endframe"),
        "fps": ("fps", "framerate", "ratehz"),
        "aus": ("aus", "au", "actionunits"),
        "emotion": ("emotion", "estimatedemotion"),
        "class": ("class", "label", "composite"),
        "kind": ("kind", "type", "expressiontype"),
        "dataset": ("dataset", "corpus", "database"),
        "path": ("path", "folder"),
    }
    required = ("subject", "clip", "onset|emotion|class")
    one_event = False
    needs_units = False
    used = (*SheetCorpus.used, "fps", "class", "dataset", "path")

    def sample(self, row: Row, shelf: Shelf) -> Sample:
        """The event of one row."""
        made = super().sample(row, shelf)
        fps = None
        if row.get("fps"):
            try:
                fps = float(row.get("fps"))
            except ValueError:
                row.note("fps", "unknown_code", "no number: read as None")
            if fps is not None and not 0 < fps < 1e6:
                row.note("fps", "unknown_code", "no frame rate: read as None")
                fps = None
        path = made.path
        if row.get("path"):
            path = shelf.folder / row.get("path")
            if not path.exists():
                row.note("path", "unknown_code", "no such file or folder below the corpus: read as None")
                path = None
        return replace(made, corpus=row.get("dataset") or self.name, fps=fps, path=path)

    def kind(self, row: Row) -> Kind:
        """As the table says; micro where it does not."""
        return read_kind(row, _KINDS) if row.get("kind") else "micro"

    def composite(self, row: Row) -> Composite | None:
        """The class where there is one, else that of the emotion."""
        if not row.get("class"):
            return super().composite(row) if row.get("emotion") else None
        said = class_of(row.get("class"))
        if said is None:
            row.note("class", "unknown_class")
        return said

    def tails(self, sample: Sample) -> Sequence[str]:
        """A folder or a video called as the clip."""
        stem = sample.clip.rsplit(".", 1)[0] if "." in sample.clip else sample.clip
        return (f"{sample.subject}/{stem}", stem)
