"""CASME and CASME II."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus
from modalities.face.corpora.sample import Sample
from modalities.face.corpora.sheet import Columns, Row, whole


class Casme(SheetCorpus):
    """CASME (Yan, Wu, Liu, Wang and Fu 2013, "CASME database: a dataset of spontaneous micro-expressions").

    Written from the published description - 195 micro-expressions at 60 fps, the columns of the shared coding sheet
    as public loaders name them - and not tested on the real files. ApexF2, the last frame of the apex, stays in
    `Sample.more`; missing cells are written with a backslash.
    """

    name = "casme"
    title = "CASME"
    expected = (
        "a sheet with Subject, Filename, OnsetF, ApexF1, ApexF2, OffsetF, AU, Emotion; frames in sub<nn>/<Filename>"
    )
    fps = 60.0
    columns: ClassVar[Columns] = {
        "subject": ("subject",),
        "clip": ("filename",),
        "onset": ("onsetf",),
        "apex": ("apexf1", "apexf"),
        "offset": ("offsetf",),
        "aus": ("au", "aus", "actionunits"),
        "emotion": ("emotion", "estimatedemotion"),
    }
    required: ClassVar[Sequence[str]] = ("subject", "clip", "onset", "apex", "offset", "emotion")

    def tails(self, sample: Sample) -> Sequence[str]:
        """Frames in sub01/<clip>, whether the sheet writes 1 or 01."""
        return (f"sub{padded(sample.subject, 2)}/{sample.clip}", f"sub{sample.subject}/{sample.clip}")

    def subject(self, row: Row) -> str:
        """Two digits, as the folders have it: some sheets store a number, others text."""
        return padded(row.get("subject"), 2)


class CasmeII(Casme):
    """CASME II (Yan, Li, Wang, Zhao, Liu, Chen and Fu 2014, PLoS ONE 9(1): e86041), 255 rows at 200 fps.

    Frames are img<number>.jpg, by the numbers of the sheet, in sub<subject>/<clip>.
    """

    name = "casme2"
    title = "CASME II"
    expected = (
        "a sheet with Subject, Filename (EP..), OnsetFrame, ApexFrame, OffsetFrame, Action Units, "
        "Estimated Emotion (CASME2-coding-*.xlsx); frames in sub<nn>/<Filename>"
    )
    fps = 200.0
    columns: ClassVar[Columns] = {
        "subject": ("subject",),
        "clip": ("filename",),
        "onset": ("onsetframe",),
        "apex": ("apexframe",),
        "offset": ("offsetframe",),
        "aus": ("actionunits", "actionunit", "au"),
        "emotion": ("estimatedemotion", "emotion"),
    }
    required = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion")
    forbidden = ("remarks", "inducementcode", "dataset")
    clip_form = r"EP\d+"


def padded(name: str, digits: int) -> str:
    """A number with leading zeros; other names as they are."""
    number = whole(name)
    return name if number is None or number < 0 else f"{number:0{digits}d}"
