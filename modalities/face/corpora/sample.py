"""What a corpus is read into: samples, and the odd cells of its sheets, each with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modalities.face.corpora.units import CodedUnit

Kind = Literal["micro", "macro", "blink", "other"]
Composite = Literal["negative", "positive", "surprise"]

FAULTS: dict[str, str] = {
    "missing_frame": "a frame is not coded; read as None",
    "offset_zero": "the offset is 0, before the onset: not coded; read as None",
    "apex_zero": "the apex is 0, before the onset: not coded; read as None",
    "onset_zero": "the onset is frame 0; kept",
    "negative_frame": "a frame number is negative: not coded; read as None",
    "no_number": "a frame is no whole number; read as None",
    "apex_outside": "the apex lies outside onset to offset; kept",
    "offset_not_after_onset": "the offset is not after the onset; kept",
    "marked_units": "action units are marked by side or by lip (R12, 4+L10, B28); kept, and parsed",
    "doubtful_units": "action units are in doubt (?, or, (k)); kept, and parsed",
    "no_units": "no action unit is coded",
    "unread_units": "a part of the action units is not understood; kept as written",
    "repeated_units": "an action unit is named twice; kept",
    "strange_separator": "action units are separated in an unusual way; parsed",
    "unknown_unit": "FACS has no such action unit; kept",
    "unknown_emotion": "the word is no emotion that is known; kept, without composite class",
    "unknown_class": "the class is not one of the composite's; read as None",
    "unknown_kind": "neither micro- nor macro-expression; read as 'other'",
    "unknown_code": "a code of the sheet is not known; kept",
    "long_micro": "a micro-expression lasts longer than any expression; kept, never relabelled",
    "missing_name": "subject or clip is empty; kept",
    "repeated_name": "subject and clip occur twice, though each clip has one event; kept",
    "repeated_event": "the same event stands twice in the sheet; kept",
    "other_case": "the name of the clip differs from others by upper and lower case only; kept",
    "further_onset": "the row marks a second or third movement; read as a sample of its own",
    "malformed_onset": "a second or third movement is no interval within the clip; not read as a sample",
    "outside_clip": "the movement lies outside the frames of the clip; kept",
    "length_disagrees": "a length in the sheet is not that of its frames; the frames count",
    "sheets_disagree": "two sheets of the corpus differ; the one named is kept",
    "only_in_one_sheet": "the event stands in one of two sheets only; kept",
    "class_disagrees": "the class differs from that of the emotion; the class counts",
}
"""What can be odd, by short name."""


@dataclass(frozen=True)
class Sample:
    """One labelled event.

    Attributes:
        corpus: Name of the data set, as in `registry.CORPORA`.
        subject: As the sheet writes it.
        clip: Clip or long video, as the sheet writes it.
        kind: "micro", "macro", "blink" or "other".
        onset: First frame as the sheet counts them; None where it is not coded.
        apex: Frame of the greatest movement, likewise.
        offset: Last frame, inclusive, likewise.
        fps: Frames per second that the data set publishes; None where unknown. For showing durations; read the
            times of the recording itself wherever it has any.
        aus: Action units, parsed.
        aus_written: Action units as written.
        emotion: As written.
        composite: Class of MEGC 2019, or None.
        path: Folder of frames or video file, where it was found.
        source: "file:row" or "file!sheet:row", row as a spreadsheet numbers it, of each row that the sample is from.
        more: Other cells of these rows by column name, as written.
    """

    corpus: str
    subject: str
    clip: str
    kind: Kind
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    fps: float | None = None
    aus: tuple[CodedUnit, ...] = ()
    aus_written: str = ""
    emotion: str = ""
    composite: Composite | None = None
    path: Path | None = None
    source: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OddRow:
    """One odd cell: where it stands, what it holds, why it is odd.

    Attributes:
        file: Name of the file, with "!sheet" where it has several.
        row: Number of the row as a spreadsheet shows it, from 1; 0 for what concerns a folder.
        column: Name of the column.
        got: The cell as written.
        fault: One of `FAULTS`.
        reason: In words, and what was made of it.
    """

    file: str
    row: int
    column: str
    got: str
    fault: str
    reason: str


@dataclass(frozen=True)
class Corpus:
    """A data set as read.

    Attributes:
        name: As in `registry.CORPORA`.
        folder: Where it lies.
        samples: In the order of the sheets.
        odd: Odd cells, in the order of the sheets.
        rows: Rows that were read of each sheet (or clips of each folder), before anything was joined.
        notes: What else should be known.
    """

    name: str
    folder: Path
    samples: tuple[Sample, ...]
    odd: tuple[OddRow, ...]
    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def kinds(self) -> dict[str, int]:
        """Number of samples of each kind."""
        return dict(Counter(sample.kind for sample in self.samples))

    def faults(self) -> dict[str, int]:
        """Number of odd cells of each fault."""
        return dict(Counter(odd.fault for odd in self.odd))
