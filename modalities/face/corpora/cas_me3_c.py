"""CAS(ME)3, part C: mock crime, 31 people, with depth, voice and physiology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modalities.face.corpora.adapter import SheetCorpus, note_repeats
from modalities.face.corpora.sample import Corpus, Kind, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, find_header, rows_of, whole
from modalities.face.corpora.shelf import Shelf, Table

_ALL: Columns = {
    "subject": ("subject",),
    "onset": ("onset",),
    "offset": ("offset",),
    "length": ("diff",),
    "code": ("exptype",),
    "risk": ("risk",),
}
_MICRO: Columns = {
    "subject": ("sub", "subject"),
    "clip": ("count",),
    "onset": ("onset",),
    "offset": ("offset",),
    "aus": ("au", "aus"),
    "emotion": ("emotion",),
}


class CasMe3PartC(SheetCorpus):
    """CAS(ME)3, part C (Li et al. 2022, doi 10.1109/TPAMI.2022.3174895), one long video of each person, 30 fps.

    Two sheets without apexes: all expressions (463, with Exp_type and risk), and micro-expressions with action units
    and emotions (165). Exp_type 1 is read as micro and 0 as macro: the data set does not say so, but every
    micro-expression of the second sheet that the first one has is of type 1. The two are joined by subject and
    frames, so that an event which both have is one sample; what only one has is kept and listed. The union has 166
    micro-expressions, the number that the authors give. `clip` is empty in the first sheet, which counts frames of
    the person's only video; it is set to "video".
    """

    name = "cas_me3_c"
    title = "CAS(ME)3, part C"
    expected = (
        "a sheet with Subject, Onset, Offset, diff, Exp_type, risk (CAS(ME)3_part_C.xls), or one with "
        "sub, count, onset, offset, au, emotion (CAS(ME)3_part_C_ME.xlsx)"
    )
    fps = 30.0
    columns = _ALL
    required = tuple(_ALL)
    one_event = False

    def find(self, shelf: Shelf) -> bool:
        """Whether one of the two sheets is there."""
        return bool(_sheets(shelf, _ALL) or _sheets(shelf, _MICRO))

    def read(self, shelf: Shelf) -> Corpus:
        """The union of the two sheets."""
        odd, counts = Oddities(), {}

        def read(table: Table, header: Header) -> list[tuple[Row, Sample]]:
            rows = list(rows_of(table, header, odd))
            counts[table.label] = len(rows)
            made = [self.sample(row, shelf) for row in rows]
            note_repeats(rows, made, one_event=False)
            return list(zip(rows, made, strict=True))

        everything = [pair for sheet in _sheets(shelf, _ALL) for pair in read(*sheet)]
        micro = [pair for sheet in _sheets(shelf, _MICRO) for pair in read(*sheet)]
        samples = _union(everything, micro)
        notes = []
        if not everything:
            notes.append("the sheet of all expressions is not there: no macro-expression was read")
        if not micro:
            notes.append("the sheet of micro-expressions is not there: no action units, no emotions")
        return Corpus(self.name, shelf.folder, tuple(samples), tuple(odd.found), counts, tuple(notes))

    def sample(self, row: Row, shelf: Shelf) -> Sample:
        """The event of one row of either sheet."""
        if row.has("length"):
            onset, offset, length = whole(row.get("onset")), whole(row.get("offset")), whole(row.get("length"))
            if onset is not None and offset is not None and length != offset - onset:
                row.note("length", "length_disagrees", f"offset less onset is {offset - onset}: that counts")
        filled = row if row.get("clip") else replace(row, cells=(*_wide(row), "video"), header=_with_clip(row.header))
        made = super().sample(filled, shelf)
        if row.has("clip"):
            return replace(made, clip="video", more={**made.more, "count": row.get("clip")})
        return made

    def kind(self, row: Row) -> Kind:
        """By Exp_type; the sheet with action units holds micro-expressions only."""
        if not row.has("code"):
            return "micro"
        code = row.get("code")
        if code not in ("0", "1"):
            row.note("code", "unknown_kind")
            return "other"
        return "micro" if code == "1" else "macro"

    def tails(self, sample: Sample) -> Sequence[str]:
        """Colour pictures below a folder of the person, as it may be called."""
        names = (f"spNO.{sample.subject}", f"sub{sample.subject}", sample.subject, sample.subject.zfill(2))
        return tuple(f"{name}/color" for name in names) + tuple(f"{name}/*color*" for name in names)


def _wide(row: Row) -> tuple[str, ...]:
    return tuple(row.cells) + ("",) * (len(row.header.names) - len(row.cells))


def _with_clip(header: Header) -> Header:
    at = {field: place for field, place in header.at.items() if field != "clip"}
    return Header(header.row, {**at, "clip": len(header.names)}, (*header.names, "clip"))


def _sheets(shelf: Shelf, columns: Columns) -> list[tuple[Table, Header]]:
    found = [(table, find_header(table, columns, tuple(columns))) for table in shelf.tables()]
    return [(table, header) for table, header in found if header is not None]


def _union(everything: list[tuple[Row, Sample]], micro: list[tuple[Row, Sample]]) -> list[Sample]:
    out = [sample for _, sample in everything]
    at = {(sample.subject, sample.onset, sample.offset): number for number, sample in enumerate(out)}
    joined = set()
    for row, sample in micro:
        number = at.get((sample.subject, sample.onset, sample.offset))
        if number is None or number in joined:
            out.append(sample)
            if everything:
                row.note("onset", "only_in_one_sheet", got=f"{sample.onset} to {sample.offset}")
            continue
        joined.add(number)
        first = out[number]
        if first.kind != "micro":
            everything[number][0].note("code", "sheets_disagree", f"{sample.source[0]} has it as micro: that is kept")
        out[number] = replace(
            sample, source=first.source + sample.source, more={**first.more, **sample.more}, path=first.path
        )  # fmt: skip
    if micro:
        for number, (row, sample) in enumerate(everything):
            if sample.kind == "micro" and number not in joined:
                row.note("onset", "only_in_one_sheet", got=f"{sample.onset} to {sample.offset}")
    return out
