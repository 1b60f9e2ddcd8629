"""Detection tables of the MEGC spotting challenges: tables read and written, logs read.

Two forms are in use, both with frames counted from 1 and both ends belonging to the interval:

- Tables of 2022 on: CSV with the columns `vid, pred_onset, pred_offset, type`, where `type` is "me" for a
  micro-expression and "mae" for a macro-expression, as teams of MEGC 2022 published them with their code (Liong, See
  & Chan's MTSN among them). Where recognition takes part there is an `emotion` besides, as in the spot-then-recognise
  metric of Liong, See & Chan 2023.
- The log of 2019 and 2020: text, one line per interval, `video true_onset true_offset onset offset TP|FP|FN`, a dash
  for what there is not, and before the lines of each data set its number alone (log that the MEGC 2020 baseline
  published: He, Wang, Li & Yap 2020, FG 2020). It does not say whether an interval is micro or macro; with both frames
  and frame rate known its duration does.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from data_schemas.errors import InvalidValueError, UnreadableFileError
from modalities.face.spotting.evaluation import Spotted

COLUMNS = ("vid", "pred_onset", "pred_offset", "type")
TYPES = {"micro": "me", "macro": "mae"}
_KINDS = {"me": "micro", "mae": "macro", "micro": "micro", "macro": "macro"}
_VERDICTS = ("TP", "FP", "FN")


def is_table(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns is such a table."""
    return set(COLUMNS) <= set(columns)


def write_table(found: Iterable[Spotted]) -> str:
    """A CSV of 2022 on, by video, onset and offset; with a column `emotion` if any has one.

    Args:
        found: Detections, frames counted from 1.
    """
    rows = sorted(found, key=lambda one: (one.video, one.onset, one.offset, one.kind))
    emotions = any(one.emotion for one in rows)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *(["emotion"] if emotions else [])])
    for one in rows:
        writer.writerow(
            [one.video, one.onset, one.offset, TYPES[one.kind], *([one.emotion] if emotions else [])]
        )  # fmt: skip
    return out.getvalue()


def read_table(text: str) -> list[Spotted]:
    """Detections of a CSV of 2022 on.

    Raises:
        UnreadableFileError: a column is missing, a type is unknown or a frame is no number; the message names the line.
        InvalidValueError: an interval ends before it begins.
    """
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff")))
    if not is_table(reader.fieldnames or []):
        raise UnreadableFileError(
            "this is no MEGC table", got=", ".join(reader.fieldnames or []) or "nothing", expected=", ".join(COLUMNS)
        )
    return [_spotted(row, reader.line_num) for row in reader]


def _spotted(row: dict[str, str], line: int) -> Spotted:
    kind = _KINDS.get((row["type"] or "").strip().lower())
    if kind is None:
        raise UnreadableFileError(f"line {line} has an unknown type", got=repr(row["type"]), expected="me or mae")
    try:
        onset, offset = (round(float(row[name])) for name in COLUMNS[1:3])
    except (TypeError, ValueError) as error:
        got = f"{row['pred_onset']!r}, {row['pred_offset']!r}"
        raise UnreadableFileError(f"line {line} has no frame numbers", got=got) from error
    return Spotted(row["vid"].strip(), kind, onset, offset, emotion=(row.get("emotion") or "").strip())


def read_log(text: str, longest_micro_frames: int) -> tuple[list[Spotted], list[Spotted]]:
    """True intervals and detections of a log as of 2019 and 2020.

    Args:
        text: The log.
        longest_micro_frames: Longest micro-expression, frames (half a second: 15 at 30 fps, 100 at 200 fps); the
            challenge's baseline counted 16 at 30 fps. Each interval is told micro from macro by its own length.

    Raises:
        UnreadableFileError: a line is neither a number nor an interval with its verdict; the message names it.
        InvalidValueError: the length is not positive, or an interval ends before it begins.
    """
    if longest_micro_frames < 1:
        raise InvalidValueError("the longest micro-expression needs a length", got=longest_micro_frames)
    truth: dict[Spotted, None] = {}
    found: dict[Spotted, None] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        words = line.split()
        if len(words) < 2:
            continue
        video, *frames = words[:5]
        if len(words) != 6 or words[5] not in _VERDICTS or not all(w == "-" or w.isdigit() for w in frames):
            raise UnreadableFileError(
                f"line {number} is no interval of a MEGC log",
                got=line.strip(),
                expected="video, true onset and offset, onset and offset found, TP or FP or FN",
            )
        for table, (onset, offset) in ((truth, frames[:2]), (found, frames[2:])):
            if onset != "-" and offset != "-":
                length = int(offset) - int(onset) + 1
                kind = "micro" if length <= longest_micro_frames else "macro"
                table[Spotted(video, kind, int(onset), int(offset))] = None
    return list(truth), list(found)
