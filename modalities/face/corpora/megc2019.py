"""The composite of MEGC 2019: a list of clips of CASME II, SMIC and SAMM in three classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus, note_repeats
from modalities.face.corpora.casme import CasmeII
from modalities.face.corpora.emotions import COMPOSITE, composite_of
from modalities.face.corpora.samm import Samm
from modalities.face.corpora.sample import Composite, Corpus, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, bare, find_header, fixed_header, rows_of
from modalities.face.corpora.shelf import Shelf, Table
from modalities.face.corpora.smic import SmicHs
from modalities.face.corpora.smic_e import SmicHsLong

NUMBERS: dict[str, Composite] = {"0": "negative", "1": "positive", "2": "surprise"}
_FIELDS = ("dataset", "subject", "clip", "class")
_MEMBERS = {"casme2": "casme2", "casmeii": "casme2", "smic": "smic_hs", "smichs": "smic_hs", "samm": "samm"}
_FPS = {"casme2": 200.0, "samm": 200.0, "smic_hs": 100.0}


class Megc2019(SheetCorpus):
    """MEGC 2019 (See, Yap, Li, Hong and Wang 2019): 145 clips of CASME II, 164 of SMIC-HS and 133 of SAMM.

    Its list (combined_3class_gt.csv) has no header: data set, subject, clip, class 0 to 2. A table of the same with
    header, and perhaps with frames, action units and emotion, is read too. `Sample.corpus` is the data set that the
    clip is from (casme2, smic_hs, samm). Where the sheets of CASME II and SAMM, or the folders of SMIC, lie below the
    same folder, frames, action units, emotions and paths are taken from them. The list without header was written
    from the published layout and not tested on the real file.
    """

    name = "megc2019"
    title = "MEGC 2019 composite"
    expected = (
        "combined_3class_gt.csv without header: data set (casme2, smic, samm), subject, clip, class 0 to 2; or a table "
        "with the columns dataset, subject, clip, label"
    )
    columns: ClassVar[Columns] = {
        "dataset": ("dataset", "database"),
        "subject": ("subject",),
        "clip": ("clip", "filename"),
        "class": ("label", "class", "y"),
        "onset": ("onset", "onsetframe"),
        "apex": ("apex", "apexframe"),
        "offset": ("offset", "offsetframe"),
        "aus": ("au", "aus", "actionunits"),
        "emotion": ("emotion", "estimatedemotion"),
    }
    required = _FIELDS
    needs_units = False
    used = (*SheetCorpus.used, "class", "dataset")

    def match(self, table: Table, shelf: Shelf) -> Header | None:
        """By the names of the data sets, with a header or without."""
        header = find_header(table, self.columns, self.required)
        if header is None:
            rows = [row for row in table.grid if any(row)]
            if any(len(row) < 4 or any(row[4:]) for row in rows[:20]):
                return None
            header = fixed_header(_FIELDS)
        some = list(rows_of(table, header, Oddities()))[:40]
        fits = [bare(row.get("dataset")) in _MEMBERS and class_of(row.get("class")) is not None for row in some]
        return header if some and 2 * sum(fits) > len(some) else None

    def read(self, shelf: Shelf) -> Corpus:
        """The list, completed from the sheets of its members where they are there."""
        odd, counts = Oddities(), {}
        members, notes = _members(shelf)
        samples: list[Sample] = []
        for table, header in self.sheets(shelf):
            rows = list(rows_of(table, header, odd))
            counts[table.label] = len(rows)
            made = [_completed(row, self.sample(row, shelf), members) for row in rows]
            for corpus in sorted({sample.corpus for sample in made}):
                pairs = [pair for pair in zip(rows, made, strict=True) if pair[1].corpus == corpus]
                note_repeats([row for row, _ in pairs], [sample for _, sample in pairs], self.one_event)
            samples += made
        return Corpus(self.name, shelf.folder, tuple(samples), tuple(odd.found), counts, notes)

    def sample(self, row: Row, shelf: Shelf) -> Sample:
        """One line of the list."""
        made = super().sample(row, shelf)
        corpus = _MEMBERS.get(bare(row.get("dataset")))
        if corpus is None:
            row.note("dataset", "unknown_code")
        corpus = corpus or row.get("dataset")
        return replace(made, corpus=corpus, fps=_FPS.get(corpus), more={**made.more, "dataset": row.get("dataset")})

    def composite(self, row: Row) -> Composite | None:
        """The class that the list gives; another one by the emotion is put down."""
        said = class_of(row.get("class"))
        if said is None:
            row.note("class", "unknown_class")
        felt = super().composite(row) if row.get("emotion") else None
        if felt is not None and said is not None and felt != said:
            row.note("emotion", "class_disagrees", f"the list has {said}: that counts")
        return said

    def tails(self, sample: Sample) -> Sequence[str]:
        """Frames as the members keep them."""
        return (f"{sample.subject}/{sample.clip}",)


def class_of(text: str) -> Composite | None:
    """Class by number or by word."""
    number = NUMBERS.get(re.sub(r"\.0*$", "", text.strip()))
    word = COMPOSITE.get(text.strip().casefold())
    return number or (word if word == text.strip().casefold() else None)


def _members(shelf: Shelf) -> tuple[dict[tuple[str, str, str], Sample], tuple[str, ...]]:
    found: dict[tuple[str, str, str], Sample] = {}
    notes = []
    for name, adapters in (("casme2", (CasmeII(),)), ("samm", (Samm(),)), ("smic_hs", (SmicHs(), SmicHsLong()))):
        adapter = next((one for one in adapters if one.find(shelf)), None)
        if adapter is None:
            notes.append(f"{name} itself is not in the folder: its frames and action units are as the list has them")
            continue
        for sample in adapter.read(shelf).samples:
            found.setdefault((name, *_key(sample)), sample)
    return found, tuple(notes)


def _key(sample: Sample) -> tuple[str, str]:
    """Subject and clip as compared: leading zeros, and words before the number of a subject, do not count."""
    number = re.sub(r"^\D*0*(?=\d)", "", sample.subject)
    return number, re.sub(r"(?<!\d)0+(?=\d)", "", sample.clip.casefold())


def _completed(row: Row, sample: Sample, members: dict[tuple[str, str, str], Sample]) -> Sample:
    member = members.get((sample.corpus, *_key(sample)))
    if member is None:
        return sample
    felt = composite_of(member.emotion)
    if not sample.emotion and felt is not None and sample.composite is not None and felt != sample.composite:
        reason = f"{member.source[0]} has {member.emotion}: the list counts"
        row.note("class", "class_disagrees", reason)
    return replace(
        member,
        corpus=sample.corpus,
        subject=sample.subject,
        clip=sample.clip,
        fps=sample.fps,
        composite=sample.composite,
        onset=member.onset if sample.onset is None else sample.onset,
        apex=member.apex if sample.apex is None else sample.apex,
        offset=member.offset if sample.offset is None else sample.offset,
        aus=sample.aus or member.aus,
        aus_written=sample.aus_written or member.aus_written,
        emotion=sample.emotion or member.emotion,
        path=sample.path or member.path,
        source=sample.source + member.source,
        more={**member.more, **sample.more},
    )
