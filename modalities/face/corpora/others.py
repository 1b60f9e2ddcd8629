"""MMEW, MEVIEW and CMED: sheets of one event a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus
from modalities.face.corpora.emotions import composite_of, is_known
from modalities.face.corpora.sample import Composite, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, bare, rows_of
from modalities.face.corpora.shelf import Shelf, Table

COMPOUNDS: dict[str, Composite | None] = {
    "PS": None,
    "NS": None,
    "PN": None,
    "NN": "negative",
    "N": "negative",
    "P": "positive",
    "S": "surprise",
}
"""Classes of CMED -> composite class. Positively and negatively surprised and positively negative belong to two
classes at once, so to none; negatively negative is made of two negative ones."""
_COMPOUND_WORDS = {
    "positivelysurprised": "PS",
    "negativelysurprised": "NS",
    "positivelynegative": "PN",
    "negativelynegative": "NN",
    "negative": "N",
    "positive": "P",
    "surprise": "S",
    "surprised": "S",
}


class Mmew(SheetCorpus):
    """MMEW (Ben, Ren, Zhang, Wang, Kpalma, Meng and Liu 2022, IEEE TPAMI 44(9)), 300 micro-expressions, 90 fps.

    Written from the published description and the columns as public loaders name them, and not tested on the real
    files. The macro-expressions of MMEW are single pictures by emotion without a sheet; they are not read.
    """

    name = "mmew"
    title = "MMEW"
    expected = (
        "a sheet with Subject, Filename (S<nn>-<nn>-<nnn>), OnsetFrame, ApexFrame, OffsetFrame, Action Units, "
        "Estimated Emotion, remarks (MMEW_Micro_Exp.xlsx); frames in Micro_Expression/<emotion>/<clip>"
    )
    fps = 90.0
    columns: ClassVar[Columns] = {
        "subject": ("subject",),
        "clip": ("filename",),
        "onset": ("onsetframe",),
        "apex": ("apexframe",),
        "offset": ("offsetframe",),
        "aus": ("actionunits", "actionunit", "aus", "au"),
        "emotion": ("estimatedemotion", "emotion"),
        "remarks": ("remarks",),
    }
    required = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion")
    forbidden = ("inducementcode", "dataset")

    def match(self, table: Table, shelf: Shelf) -> Header | None:
        """As CASME II, but by the column of remarks, the name of the file, or the names of the clips."""
        header = super().match(table, shelf)
        if header is None or header.at.keys() & {"remarks"} or "mmew" in bare(table.file.stem):
            return header
        clips = [row.get("clip") for row in rows_of(table, header, Oddities())][:40]
        return header if 2 * sum(bool(re.match(r"S?\d+-\d+-\d+", clip)) for clip in clips) > len(clips) else None

    def tails(self, sample: Sample) -> Sequence[str]:
        """Frames below the emotion."""
        return (f"{sample.emotion}/{sample.clip}", f"{sample.subject}/{sample.clip}", sample.clip)


class Meview(SheetCorpus):
    """MEVIEW (Husak, Cech and Matas 2017, "Spotting facial micro-expressions 'in the wild'", CVWW): poker, interviews.

    Written from the published description - 31 videos of 16 people with onset and offset frame, FACS coding and
    emotion of each micro-expression - and not tested on the real files: the names of the columns are not published,
    so several are understood, and the file or folder must be called MEVIEW. The frame rate differs between videos;
    take it from them.
    """

    name = "meview"
    title = "MEVIEW"
    expected = (
        "a table with video, person, onset, offset, FACS, emotion whose file or folder is called MEVIEW; videos beside"
    )
    needs_units = False
    columns: ClassVar[Columns] = {
        "subject": ("subject", "person", "player", "individual", "identity", "sub", "id"),
        "clip": ("video", "filename", "file", "clip", "name", "videoname"),
        "onset": ("onset", "onsetframe", "onsetf", "start", "startframe"),
        "apex": ("apex", "apexframe", "apexf"),
        "offset": ("offset", "offsetframe", "offsetf", "end", "endframe"),
        "aus": ("facs", "au", "aus", "actionunits", "actionunit", "facscode"),
        "emotion": ("emotion", "estimatedemotion", "label"),
    }
    required = ("clip", "onset", "offset", "emotion")
    file_words = ("meview",)
    one_event = False

    def subject(self, row: Row) -> str:
        """The person; the video where the table names nobody."""
        return row.get("subject") or row.get("clip")

    def tails(self, sample: Sample) -> Sequence[str]:
        """The video."""
        stem = re.sub(r"\.[A-Za-z0-9]{3,4}$", "", sample.clip)
        return (f"{sample.subject}/{stem}", stem)


class Cmed(SheetCorpus):
    """CMED (Zhao and Xu 2019, "A convolutional neural network for compound micro-expression ...", Sensors 19, 5553).

    Compounds made from pairs of micro-expressions of CASME, CASME II, CAS(ME)2, SMIC and SAMM: positively surprised
    (PS), negatively surprised (NS), positively negative (PN), negatively negative (NN), beside the simple classes.
    Written from the published description and not tested on real files: no sheet is published, so several names of
    columns are understood. `emotion` is the compound as written; see `COMPOUNDS` for the composite class.
    """

    name = "cmed"
    title = "CMED compounds"
    expected = (
        "a table with subject, filename and compound class (PS, NS, PN, NN, or in words), perhaps source data set"
    )
    columns: ClassVar[Columns] = {
        "source": ("dataset", "database", "source", "corpus"),
        "subject": ("subject", "sub", "person"),
        "clip": ("filename", "clip", "sample", "video", "name"),
        "onset": ("onset", "onsetframe", "onsetf"),
        "apex": ("apex", "apexframe", "apexf"),
        "offset": ("offset", "offsetframe", "offsetf"),
        "aus": ("aus", "au", "actionunits"),
        "emotion": ("compound", "compoundemotion", "compoundclass", "class", "label", "emotion", "category"),
    }
    required = ("subject", "clip", "emotion")
    needs_units = False

    def match(self, table: Table, shelf: Shelf) -> Header | None:
        """By the classes: some are compounds, and most are ones of CMED."""
        header = super().match(table, shelf)
        if header is None:
            return None
        words = [compound_of(row.get("emotion")) for row in rows_of(table, header, Oddities())]
        compounds = sum(word in ("PS", "NS", "PN", "NN") for word in words)
        return header if compounds and 2 * sum(word is not None for word in words) > len(words) else None

    def composite(self, row: Row) -> Composite | None:
        """By the table of compounds."""
        word = compound_of(row.get("emotion"))
        if word is None:
            if not is_known(row.get("emotion")):
                row.note("emotion", "unknown_emotion")
            return composite_of(row.get("emotion"))
        return COMPOUNDS[word]

    def tails(self, sample: Sample) -> Sequence[str]:
        """Frames below the compound or the person."""
        return (
            f"{sample.emotion}/{sample.clip}",
            f"{sample.subject}/{sample.clip}",
            f"sub{sample.subject}/{sample.clip}",
        )


def compound_of(text: str) -> str | None:
    """Short name of a class of CMED as written short or in words; None for anything else."""
    short = text.strip().upper()
    return short if short in COMPOUNDS else _COMPOUND_WORDS.get(bare(text))
