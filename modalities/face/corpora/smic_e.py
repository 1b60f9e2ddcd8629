"""SMIC-E: the long clips of SMIC by its three cameras, each with one to three movements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from modalities.face.corpora.adapter import SheetCorpus, note_repeats
from modalities.face.corpora.sample import Corpus, Sample
from modalities.face.corpora.sheet import Columns, Header, Oddities, Row, bare, rows_of
from modalities.face.corpora.shelf import Shelf, Table

CAMERAS = ("hs", "vis", "nir")


class SmicLong(SheetCorpus):
    """SMIC-E (Li, Hong, Moilanen, Huang, Pfister, Zhao and Pietikainen 2018, IEEE Trans. Affective Computing 9(4)).

    157 clips of the high-speed camera (100 fps), 71 of each other (25 fps), on sheets named HS, VIS and NIR. Frames are
    the camera's own running numbers; FirstF, LastF and the lengths stand in `Sample.more`. There are no apexes. A
    second or third movement becomes a sample of its own, of the same clip, with "movement" 2 or 3 in `more`, if it is
    an interval within the clip that the row has not named before; else it is only listed, with its cells.
    """

    camera: ClassVar[str] = "hs"
    columns: ClassVar[Columns] = {
        "subject": ("subject",),
        "clip": ("filename",),
        "onset": ("onsetf", "onset1f"),
        "offset": ("offsetf", "offset1f"),
        "onset2": ("onset2f",),
        "offset2": ("offset2f",),
        "onset3": ("onset3f",),
        "offset3": ("offset3f",),
        "first": ("firstf",),
        "last": ("lastf",),
        "total1": ("totalmf1", "totalmf"),
        "total2": ("totalmf2",),
        "total3": ("totalmf3",),
        "length": ("totalvl",),
        "emotion": ("emotion",),
    }
    required = ("subject", "clip", "onset", "offset", "first", "emotion")
    one_event = True

    def match(self, table: Table, shelf: Shelf) -> Header | None:
        """By the columns, and the camera in the name of the sheet or else of the file."""
        names = (bare(table.sheet), bare(table.file.stem))
        said = [next((one for one in CAMERAS if one in name), None) for name in names]
        camera = next((one for one in said if one is not None), None)
        return super().match(table, shelf) if camera == self.camera else None

    def read(self, shelf: Shelf) -> Corpus:
        """All movements of all rows."""
        odd, samples, counts = Oddities(), [], {}
        for table, header in self.sheets(shelf):
            rows = list(rows_of(table, header, odd))
            firsts = [self.sample(row, shelf) for row in rows]
            note_repeats(rows, firsts, self.one_event)
            for row, first in zip(rows, firsts, strict=True):
                samples += [first, *_further(row, first)]
            counts[table.label] = len(rows)
        return Corpus(self.name, shelf.folder, tuple(samples), tuple(odd.found), counts)

    def sample(self, row: Row, shelf: Shelf) -> Sample:
        """The first movement of a row, its lengths checked."""
        made = super().sample(row, shelf)
        clip = _clip_of(row)
        if not clip.holds(made.onset, made.offset):
            row.note("onset", "outside_clip", got=f"{made.onset} to {made.offset}, clip {clip.first} to {clip.last}")
        _check_length(row, "total1", made.onset, made.offset)
        if row.has("last"):
            _check_length(row, "length", clip.first, clip.last)
        return made

    def tails(self, sample: Sample) -> Sequence[str]:
        """Frames in a folder named as the clip, below the camera's or the person's."""
        person = (f"s{sample.subject}", f"s{sample.subject.zfill(2)}", sample.subject)
        return tuple(f"{self.camera}/{name}/{sample.clip}" for name in person) + tuple(
            f"{name}/{sample.clip}" for name in person
        )


class SmicHsLong(SmicLong):
    """SMIC-E-HS: high-speed camera."""

    name = "smic_hs_e"
    title = "SMIC-E, high speed"
    expected = (
        "a sheet 'HS' with Subject, Filename (s<n>_ne_<n>), OnsetF, OffsetF, Onset2F, ..., FirstF, LastF, TotalVL, "
        "Emotion (SMIC-HS-E_annotation.xlsx)"
    )
    fps = 100.0


class SmicVisLong(SmicLong):
    """SMIC-E-VIS: ordinary camera."""

    name = "smic_vis_e"
    title = "SMIC-E, visible light"
    expected = "a sheet 'VIS' with Subject, Filename, OnsetF, OffsetF, Onset2F, Offset2F, FirstF, TotalVL, Emotion"
    fps = 25.0
    camera = "vis"


class SmicNirLong(SmicLong):
    """SMIC-E-NIR: near-infrared camera; written as VIS is, and not tested on the real file."""

    name = "smic_nir_e"
    title = "SMIC-E, near infrared"
    expected = "a sheet 'NIR' with Subject, Filename, OnsetF, OffsetF, Onset2F, Offset2F, FirstF, TotalVL, Emotion"
    fps = 25.0
    camera = "nir"


@dataclass(frozen=True)
class _Clip:
    first: int | None
    last: int | None

    def holds(self, onset: int | None, offset: int | None) -> bool:
        early = onset is not None and self.first is not None and onset < self.first
        late = offset is not None and self.last is not None and offset > self.last
        return not (early or late)


def _clip_of(row: Row) -> _Clip:
    first, last, length = (row.frame(field, needed=False) for field in ("first", "last", "length"))
    if last is None and first is not None and length is not None:
        last = first + length - 1
    return _Clip(first, last)


def _check_length(row: Row, field: str, start: int | None, end: int | None) -> None:
    said = row.frame(field, needed=False)
    if said is None or start is None or end is None or said == end - start + 1:
        return
    row.note(field, "length_disagrees", f"{start} to {end} are {end - start + 1} frames: the frames count")


def _further(row: Row, first: Sample) -> list[Sample]:
    out: list[Sample] = []
    clip = _clip_of(row)
    known = [(first.onset, first.offset)]
    for number in (2, 3):
        on_cell, off_cell = row.get(f"onset{number}"), row.get(f"offset{number}")
        if not on_cell and not off_cell:
            continue
        onset = row.frame(f"onset{number}")
        offset = row.frame(f"offset{number}")
        wrong = ""
        if onset is None or offset is None:
            wrong = "one of its ends is not coded"
        elif (onset, offset) in known:
            wrong = "it repeats another movement of the row"
        elif not clip.holds(onset, onset) or not clip.holds(offset, offset):
            wrong = f"it leaves the clip, {clip.first} to {clip.last}"
        elif offset <= onset:
            wrong = "its offset is not after its onset"
        got = f"{on_cell} to {off_cell}"
        if wrong:
            row.note(f"onset{number}", "malformed_onset", f"{wrong}: not read as a sample", got=got)
            continue
        before = first.onset is not None and onset is not None and onset < first.onset
        row.note(
            f"onset{number}",
            "further_onset",
            f"movement {number} of the clip{', before the first' if before else ''}: a sample of its own",
            got=got,
        )
        _check_length(row, f"total{number}", onset, offset)
        known.append((onset, offset))
        out.append(replace(first, onset=onset, offset=offset, more={**first.more, "movement": str(number)}))
    return out
