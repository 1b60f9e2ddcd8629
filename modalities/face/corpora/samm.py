"""SAMM and SAMM long videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus, read_kind
from modalities.face.corpora.casme import padded
from modalities.face.corpora.sample import Kind, Sample
from modalities.face.corpora.sheet import Columns, Row
from modalities.face.corpora.shelf import Shelf

_KINDS: dict[str, Kind] = {"micro": "micro", "macro": "macro"}


class Samm(SheetCorpus):
    """SAMM (Davison, Lansley, Costen, Tan and Yap 2018, IEEE Trans. Affective Computing 9(1)), 159 micro, 200 fps.

    Written from the published description and the columns as public loaders name them - the sheet has 13 lines of
    text before its header - and not tested on the real files. Action units may carry sides, intensities and "or".
    """

    name = "samm"
    title = "SAMM"
    expected = (
        "a sheet with Subject, Filename (<subject>_<n>_<n>), Inducement Code, Onset Frame, Apex Frame, Offset Frame, "
        "Action Units, Estimated Emotion (SAMM_Micro_FACS_Codes_v2.xlsx); frames in <subject>/<Filename>"
    )
    fps = 200.0
    columns: ClassVar[Columns] = {
        "subject": ("subject",),
        "clip": ("filename",),
        "onset": ("onsetframe", "onset"),
        "apex": ("apexframe", "apex"),
        "offset": ("offsetframe", "offset"),
        "aus": ("actionunits", "actionunit"),
        "emotion": ("estimatedemotion", "emotion"),
        "inducement": ("inducementcode",),
    }
    required = ("subject", "clip", "onset", "apex", "offset", "inducement", "emotion")

    def subject(self, row: Row) -> str:
        """Three digits, as the folders have it: a sheet may store a number."""
        return padded(row.get("subject"), 3)


class SammLong(SheetCorpus):
    """SAMM long videos (Yap, Kendrick and Yap 2020, "SAMM long videos"), 343 macro- and 159 micro-expressions, 200 fps.

    Written from the published description and the columns as public loaders name them - ten lines before the header,
    types "Macro" and "Micro - 1/2", the apex -1 where there is none - and not tested on the real files. The long video
    of a clip is named by the first two parts of its name; it stands in `Sample.more` as "video".
    """

    name = "samm_long"
    title = "SAMM long videos"
    expected = (
        "a sheet with Subject, Filename (<subject>_<n>_<n>), Inducement Code, Onset, Apex, Offset, Duration, Type, "
        "Action Units (SAMM_LongVideos_V3_Release.xlsx); frames in SAMM_longvideos/<subject>_<n>"
    )
    fps = 200.0
    columns: ClassVar[Columns] = {
        "subject": ("subject",),
        "clip": ("filename",),
        "onset": ("onset", "onsetframe"),
        "apex": ("apex", "apexframe"),
        "offset": ("offset", "offsetframe"),
        "aus": ("actionunits", "actionunit"),
        "kind": ("type",),
        "inducement": ("inducementcode",),
    }
    required = ("subject", "clip", "onset", "apex", "offset", "inducement", "kind")
    forbidden = ("estimatedemotion",)

    def subject(self, row: Row) -> str:
        """Three digits."""
        return padded(row.get("subject"), 3)

    def kind(self, row: Row) -> Kind:
        """By the type."""
        return read_kind(row, _KINDS)

    def sample(self, row: Row, shelf: Shelf) -> Sample:
        """The event, with the long video that it is from."""
        made = super().sample(row, shelf)
        return replace(made, more={**made.more, "video": video_of(made.clip)})

    def tails(self, sample: Sample) -> Sequence[str]:
        """The long video."""
        return (video_of(sample.clip),)


def video_of(clip: str) -> str:
    """Long video of a clip: the first two parts of its name."""
    return "_".join(clip.split("_")[:2])
