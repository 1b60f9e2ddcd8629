"""CAS(ME)3, part A: long videos of 100 people with macro- and micro-expressions and blinks, 30 fps, with depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from modalities.face.corpora.adapter import SheetCorpus, note_repeats, read_kind
from modalities.face.corpora.sample import Corpus, Kind, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, bare, find_header, rows_of
from modalities.face.corpora.shelf import Shelf, Table

_KINDS: dict[str, Kind] = {"micro": "micro", "macro": "macro"}
_EVENT: Columns = {
    "subject": ("subject",),
    "clip": ("filename",),
    "onset": ("onset",),
    "apex": ("apex",),
    "offset": ("offset",),
    "aus": ("au", "aus"),
    "kind": ("expressiontype",),
    "objective": ("objectiveclass",),
    "emotion": ("emotion",),
}


class CasMe3PartA(SheetCorpus):
    """CAS(ME)3, part A (Li, Dong, Lu, Wang, Yan, Ma, Liu, Huang and Fu 2022, doi 10.1109/TPAMI.2022.3174895).

    Three sheets: all expressions with action units (3,346 macro and 860 micro), blinks (841), and the
    micro-expressions once more with emotions. The last is joined to the first by subject, clip and frames; where the
    two differ in one frame the first counts, and the row is listed. Frames are <number>.jpg in <subject>/<clip>/color.
    """

    name = "cas_me3_a"
    title = "CAS(ME)3, part A"
    expected = (
        "sheets with Subject, Filename, Onset, Apex, Offset, AU, Expression type, Objective class "
        "(CAS(ME)3_part_A_v2.xls, with the sheet 'eye blink'), or ... Objective class, emotion "
        "(cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx); frames in <Subject>/<Filename>/color"
    )
    fps = 30.0
    columns = _EVENT
    required = ("subject", "clip", "onset", "apex", "offset", "aus", "objective", "kind|emotion")
    one_event = False

    def find(self, shelf: Shelf) -> bool:
        """Whether one of the sheets of expressions is there."""
        found = _sheets(shelf)
        return bool(found.all or found.emotions)

    def read(self, shelf: Shelf) -> Corpus:
        """Expressions with the emotions joined, then blinks."""
        odd, counts = Oddities(), {}
        found = _sheets(shelf)

        def read(table: Table, header: Header) -> list[tuple[Row, Sample]]:
            rows = list(rows_of(table, header, odd))
            counts[table.label] = len(rows)
            made = [self.sample(row, shelf) for row in rows]
            note_repeats(rows, made, one_event=False)
            return list(zip(rows, made, strict=True))

        samples = [sample for sheet in found.all for _, sample in read(*sheet)]
        for sheet in found.emotions:
            samples = _joined(samples, read(*sheet), bool(found.all))
        blinks = [sample for sheet in found.blinks for _, sample in read(*sheet)]
        notes = []
        if not found.emotions:
            notes.append("the sheet of micro-expressions with emotions is not there: no sample has an emotion")
        if not found.blinks:
            notes.append("the sheet of blinks is not there")
        if not found.all:
            notes.append("the sheet of all expressions is not there: no macro-expression was read")
        return Corpus(self.name, shelf.folder, (*samples, *blinks), tuple(odd.found), counts, tuple(notes))

    def kind(self, row: Row) -> Kind:
        """As the sheet says: the one of emotions holds micro-expressions only, the one of blinks blinks."""
        if row.has("kind"):
            return read_kind(row, _KINDS)
        return "micro" if row.has("emotion") else "blink"

    def tails(self, sample: Sample) -> Sequence[str]:
        """The colour pictures of the long video."""
        return (f"{sample.subject}/{sample.clip}/color", f"{sample.subject}/{sample.clip}")


@dataclass(frozen=True)
class _Found:
    all: list[tuple[Table, Header]]
    blinks: list[tuple[Table, Header]]
    emotions: list[tuple[Table, Header]]


def _sheets(shelf: Shelf) -> _Found:
    found = _Found([], [], [])
    frames = ("subject", "clip", "onset", "offset")
    for table in shelf.tables():
        header = find_header(table, _EVENT, frames)
        if header is None:
            continue
        if {"objective", "kind", "aus"} <= header.at.keys():
            found.all.append((table, header))
        elif {"objective", "emotion", "aus"} <= header.at.keys():
            found.emotions.append((table, header))
        elif len(header.at) == len(frames) and "blink" in bare(f"{table.sheet} {table.file.stem}"):
            found.blinks.append((table, header))
    return found


def _joined(samples: list[Sample], more: list[tuple[Row, Sample]], both: bool) -> list[Sample]:
    """The samples with emotions from the second sheet; its rows without a partner follow at the end."""
    out = list(samples)
    free: dict[tuple[str, str], list[int]] = {}
    for at, sample in enumerate(out):
        if sample.kind == "micro":
            free.setdefault((sample.subject, sample.clip), []).append(at)
    late: list[tuple[Row, Sample]] = []
    for least in (3, 2):
        waiting, late = (more if least == 3 else late), []
        for row, sample in waiting:
            near = free.get((sample.subject, sample.clip), [])
            at = max(near, key=lambda k: _agreeing(out[k], sample), default=-1)
            if at < 0 or _agreeing(out[at], sample) < least:
                late.append((row, sample))
                continue
            near.remove(at)
            _note_difference(row, out[at], sample)
            out[at] = replace(
                out[at],
                emotion=sample.emotion,
                composite=sample.composite,
                source=out[at].source + sample.source,
                more={**sample.more, **out[at].more},
            )
    for row, sample in late:
        if both:
            row.note("onset", "only_in_one_sheet", got=f"{sample.onset}, {sample.apex}, {sample.offset}")
        out.append(sample)
    return out


def _agreeing(one: Sample, two: Sample) -> int:
    return sum(getattr(one, name) == getattr(two, name) for name in ("onset", "apex", "offset"))


def _note_difference(row: Row, kept: Sample, other: Sample) -> None:
    for name in ("onset", "apex", "offset"):
        if getattr(kept, name) != getattr(other, name):
            row.note(name, "sheets_disagree", f"{kept.source[0]} has {getattr(kept, name)}: that is kept")
    if kept.aus_written != other.aus_written:
        row.note("aus", "sheets_disagree", f"{kept.source[0]} has {kept.aus_written}: that is kept")
