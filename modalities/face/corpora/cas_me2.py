"""CAS(ME)2: long videos with macro- and micro-expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus, read_kind
from modalities.face.corpora.emotions import is_known
from modalities.face.corpora.sample import Composite, Corpus, Kind, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, find_header, fixed_header, rows_of, whole
from modalities.face.corpora.shelf import Shelf, Table

_FIELDS = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion", "kind", "self-report")
_KINDS: dict[str, Kind] = {"micro": "micro", "macro": "macro"}


class CasMe2(SheetCorpus):
    """CAS(ME)2 (Qu, Wang, Yan, Li, Wu and Fu 2018, IEEE Trans. Affective Computing 9(4)), 300 macro, 57 micro, 30 fps.

    The sheet has no header. `clip` is the name with the count of the expression as written (<emotion><n>_<count>);
    the long video it is from (s<number>_<code>) comes from the two sheets of naming rules and stands in
    `Sample.more` as "video". `emotion` is the estimated class (negative, positive, surprise, others), the person's own
    report stands in `more` as "self-report". Many macro-expressions have the offset 0: they last beyond what was coded.
    """

    name = "cas_me2"
    title = "CAS(ME)2"
    expected = (
        "a sheet of 9 columns without header: subject, name_count, onset, apex, offset, action units, class, "
        "macro-expression or micro-expression, reported emotion (CAS(ME)^2code_final.xlsx, CASME_sq_gt.xlsx)"
    )
    fps = 30.0
    columns: ClassVar[Columns] = {
        "subject": ("subject", "participant"),
        "clip": ("filename", "videoname", "video", "expression"),
        "onset": ("onset", "onsetframe"),
        "apex": ("apex", "apexframe"),
        "offset": ("offset", "offsetframe"),
        "aus": ("aus", "au", "actionunits"),
        "emotion": ("estimatedemotion", "emotion", "estimatedemotions"),
        "kind": ("expressiontype", "type"),
        "self-report": ("selfreportedemotion", "selfreport"),
    }
    required = ("subject", "clip", "onset", "offset", "emotion", "kind", "self-report")
    used = _FIELDS[:-1]

    def match(self, table: Table, shelf: Shelf) -> Header | None:
        """By the eighth column of a sheet without header, or by the names of one with."""
        header = find_header(table, self.columns, self.required)
        if header is not None:
            return header
        rows = [row for row in table.grid if any(row)][:20]
        if not rows or len(table.grid[0]) < len(_FIELDS):
            return None
        fits = [
            len(row) >= len(_FIELDS) and row[7].lower().startswith(("macro", "micro")) and whole(row[2]) is not None
            for row in rows
        ]
        return fixed_header(_FIELDS) if 2 * sum(fits) > len(rows) else None

    def read(self, shelf: Shelf) -> Corpus:
        """All rows; videos and folders named by the sheets of naming rules where they are there."""
        corpus = super().read(shelf)
        folders, codes = _naming(shelf)
        samples = []
        for sample in corpus.samples:
            folder = folders.get(sample.subject, "")
            code = codes.get(re.sub(r"_\d+$", "", sample.clip), "")
            video = f"{folder}_{code}" if folder and code else ""
            number = folder.lstrip("s")
            tails = (f"{folder}/{number}_{code}*", f"{number}_{code}*", f"{folder}/{sample.clip}") if video else ()
            more = {**sample.more, **({"video": video} if video else {})}
            samples.append(replace(sample, more=more, path=shelf.media(*tails) or sample.path))
        notes = () if folders and codes else ("the sheets of naming rules are not there: long videos are not named",)
        return replace(corpus, samples=tuple(samples), notes=notes)

    def kind(self, row: Row) -> Kind:
        """As the sheet says; never by duration."""
        return read_kind(row, _KINDS)

    def composite(self, row: Row) -> Composite | None:
        """By the estimated class; the report is only checked for words that are not known."""
        if row.has("self-report") and not is_known(row.get("self-report")):
            row.note("self-report", "unknown_emotion")
        return super().composite(row)

    def tails(self, sample: Sample) -> Sequence[str]:
        """Cut-out clips; long videos are found once the naming rules are read."""
        return ()


def _naming(shelf: Shelf) -> tuple[dict[str, str], dict[str, str]]:
    """Number of the subject -> folder, and name of the video -> its code."""
    folders, codes = {}, {}
    for table in shelf.tables():
        rows = [row.cells for row in rows_of(table, fixed_header(()), Oddities())]
        if all(len(row) == 3 and re.fullmatch(r"s\d+", row[1]) and whole(row[2]) is not None for row in rows):
            folders.update({row[2]: row[1] for row in rows})
        elif all(len(row) == 2 and re.fullmatch(r"\d{3,4}", row[0]) for row in rows):
            codes.update({row[1]: row[0].zfill(4) for row in rows})
    return folders, codes
