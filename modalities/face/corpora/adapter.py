"""What an adapter is, and the one that reads a sheet of one event a row; most data sets are a declaration of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

from modalities.face.corpora.emotions import composite_of, is_known
from modalities.face.corpora.sample import Composite, Corpus, Kind, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, bare, find_header, rows_of
from modalities.face.corpora.shelf import Shelf, Table
from modalities.face.corpora.units import CodedUnit, parse_units

LONGEST_S = 4.0
"""Longest expression of all (Ekman 2003; the spotters use the same)."""


class Adapter(Protocol):
    """Reads one data set.

    Attributes:
        name: As in `registry.CORPORA`.
        title: The data set's own name.
        expected: In words: files and columns that make it this data set.
    """

    name: str
    title: str
    expected: str

    def find(self, shelf: Shelf) -> bool:
        """Whether the folder is this data set."""

    def read(self, shelf: Shelf) -> Corpus:
        """The corpus; called only where `find` said yes."""

    def lacks(self, shelf: Shelf) -> tuple[float, tuple[str, ...]]:
        """How near the best table comes, 0..1, and the required columns that it lacks, for messages."""


class SheetCorpus:
    """A data set with one event in each row of one sheet, or of several alike.

    Attributes:
        fps: Frame rate that the data set publishes.
        columns: Names of the columns, by field: subject, clip, onset, apex, offset, aus, emotion.
        required: Fields without which a table is not this sheet.
        forbidden: Names of columns (as `sheet.bare` gives them) that only other data sets have.
        file_words: One of these must occur in the name of the file or of the folder; empty: any name will do.
        clip_form: What most names of clips look like; None: anything.
        one_event: Each clip has one event, so that a name that comes twice is odd.
        needs_units: A cell without action units is odd; else only one that says so.
        used: Fields that have a place of their own in `Sample`; other columns go to `Sample.more`.
    """

    name: str = ""
    title: str = ""
    expected: str = ""
    fps: ClassVar[float | None] = None
    columns: ClassVar[Columns] = {}
    required: ClassVar[Sequence[str]] = ("subject", "clip", "onset")
    forbidden: ClassVar[Sequence[str]] = ()
    file_words: ClassVar[Sequence[str]] = ()
    clip_form: ClassVar[str | None] = None
    one_event: ClassVar[bool] = True
    needs_units: ClassVar[bool] = True
    used: ClassVar[Sequence[str]] = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion", "kind")

    def find(self, shelf: Shelf) -> bool:
        """Whether one of the tables is a sheet of this data set."""
        return bool(self.sheets(shelf))

    def sheets(self, shelf: Shelf) -> list[tuple[Table, Header]]:
        """The sheets of this data set."""
        found = [(table, self.match(table, shelf)) for table in shelf.tables()]
        return [(table, header) for table, header in found if header is not None]

    def match(self, table: Table, shelf: Shelf) -> Header | None:
        """The header of a table that is a sheet of this data set; None for others."""
        header = find_header(table, self.columns, self.required)
        if header is None or any(bare(name) in self.forbidden for name in header.names):
            return None
        if self.file_words:
            names = f"{bare(table.file.stem)} {bare(table.sheet)} {bare(shelf.folder.name)}"
            if not any(word in names for word in self.file_words):
                return None
        if self.clip_form is not None:
            clips = [row.get("clip") for row in rows_of(table, header, Oddities())][:40]
            if 2 * sum(bool(re.match(self.clip_form, clip)) for clip in clips) <= len(clips):
                return None
        return header

    def lacks(self, shelf: Shelf) -> tuple[float, tuple[str, ...]]:
        """How near the best table comes, 0..1, and the required columns that it lacks."""
        best: tuple[float, tuple[str, ...]] = (0.0, tuple(self.required))
        for table in shelf.tables():
            for row in table.grid[:30]:
                names = {bare(cell) for cell in row}
                lacking = tuple(
                    field
                    for field in self.required
                    if not any(names & set(self.columns.get(one, ())) for one in field.split("|"))
                )
                share = 1 - len(lacking) / max(1, len(self.required))
                best = max(best, (share, lacking), key=lambda found: found[0])
        return best

    def read(self, shelf: Shelf) -> Corpus:
        """All rows of all sheets."""
        odd, samples, counts = Oddities(), [], {}
        for table, header in self.sheets(shelf):
            rows = list(rows_of(table, header, odd))
            made = [self.sample(row, shelf) for row in rows]
            note_repeats(rows, made, self.one_event)
            samples += made
            counts[table.label] = len(rows)
        return Corpus(self.name, shelf.folder, tuple(samples), tuple(odd.found), counts)

    def sample(self, row: Row, shelf: Shelf) -> Sample:
        """The event of one row."""
        onset, apex, offset = row.frames()
        units, written = read_units(row, self.needs_units)
        emotion = row.get("emotion")
        made = Sample(
            corpus=self.name,
            subject=self.subject(row),
            clip=row.get("clip"),
            kind=self.kind(row),
            onset=onset,
            apex=apex,
            offset=offset,
            fps=self.fps,
            aus=units,
            aus_written=written,
            emotion=emotion,
            composite=self.composite(row),
            source=(row.source,),
            more=row.rest(self.used),
        )
        if not made.subject or not made.clip:
            row.note("clip" if made.subject else "subject", "missing_name")
        _check_length(row, made)
        return replace(made, path=shelf.media(*self.tails(made)))

    def subject(self, row: Row) -> str:
        """Name of the person."""
        return row.get("subject")

    def kind(self, row: Row) -> Kind:
        """Micro, where the data set has nothing else."""
        return "micro"

    def composite(self, row: Row) -> Composite | None:
        """Class of the emotion; a word that is not known is put down."""
        return read_emotion(row)

    def tails(self, sample: Sample) -> Sequence[str]:
        """Ends of paths where the frames may lie, for `Shelf.media`."""
        return (f"{sample.subject}/{sample.clip}",)


def _check_length(row: Row, made: Sample) -> None:
    if made.kind == "micro" and made.fps and made.onset is not None and made.offset is not None:
        length_s = (made.offset - made.onset + 1) / made.fps
        if length_s > LONGEST_S:
            got = f"{made.onset} to {made.offset}"
            row.note("offset", "long_micro", f"{length_s:.1f} s, longer than any expression: kept as written", got=got)


def read_units(row: Row, needed: bool) -> tuple[tuple[CodedUnit, ...], str]:
    """Action units of a row, parsed and as written; what is odd is put down, an empty cell only where it is needed."""
    written = row.get("aus")
    if not row.has("aus") or not (written or needed):
        return (), ""
    units, odd = parse_units(written)
    for fault in odd:
        row.note("aus", fault)
    return units, written


def read_emotion(row: Row) -> Composite | None:
    """Composite class of a row's emotion; a word that is not known is put down."""
    if not row.has("emotion"):
        return None
    if not is_known(row.get("emotion")):
        row.note("emotion", "unknown_emotion")
    return composite_of(row.get("emotion"))


def read_kind(row: Row, words: Mapping[str, Kind]) -> Kind:
    """Kind by the beginning of the cell; what begins otherwise is put down."""
    text = row.get("kind").strip().casefold()
    for word, kind in words.items():
        if text.startswith(word):
            return kind
    row.note("kind", "unknown_kind")
    return "other"


def note_repeats(rows: Sequence[Row], samples: Sequence[Sample], one_event: bool) -> None:
    """Put down events that stand twice, clips that come twice where each has one event, and names that differ by case.

    Args:
        rows: Rows of one sheet.
        samples: Of these rows.
        one_event: Each clip has one event.
    """
    usual = Counter(sample.clip for sample in samples)
    spelt: dict[str, str] = {}
    for name, _ in usual.most_common():
        spelt.setdefault(name.casefold(), name)
    clips: dict[tuple[str, str], int] = {}
    events: dict[tuple[object, ...], int] = {}
    for row, sample in zip(rows, samples, strict=True):
        if (common := spelt[sample.clip.casefold()]) != sample.clip:
            row.note("clip", "other_case", f"elsewhere written '{common}': kept as written")
        clip = (sample.subject, sample.clip)
        event = (*clip, sample.onset, sample.offset, sample.kind)
        if event in events:
            row.note("clip", "repeated_event", f"as row {events[event]}: kept", got=" ".join(map(str, event)))
        elif one_event and clip in clips and sample.clip:
            row.note("clip", "repeated_name", f"as row {clips[clip]}, though each clip has one event: kept")
        events.setdefault(event, row.number)
        clips.setdefault(clip, row.number)
