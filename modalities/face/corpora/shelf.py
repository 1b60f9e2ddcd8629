"""The files of a corpus folder: tables found and read once, pictures and videos found by name."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import MissingFileError, TelltaleError, UnreadableFileError
from modalities.face.corpora.xls import read_xls
from modalities.face.corpora.xlsx import Grid, read_xlsx

TABLES = (".xlsx", ".xls", ".csv", ".tsv")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".mpg", ".wmv")
DEEPEST = 7
MOST_FOLDERS = 50_000
MOST_TABLE_BYTES = 50_000_000
_ENOUGH_PICTURES = 8
"""After so many pictures a folder is taken as one of frames, and no more of it is listed."""


@dataclass(frozen=True)
class Table:
    """One sheet: its file, its name within the file (empty for CSV), its cells as text."""

    file: Path
    sheet: str
    grid: Grid

    @property
    def label(self) -> str:
        """File name, and the sheet where the file has named ones."""
        return f"{self.file.name}!{self.sheet}" if self.sheet else self.file.name


class Shelf:
    """A corpus folder, or one table file of it."""

    def __init__(self, folder: Path) -> None:
        """Walk the folder; folders of frames are not listed to their end.

        Args:
            folder: Or one table file: no other table then counts, but pictures and videos beside it are found.

        Raises:
            MissingFileError: no such folder or file.
        """
        if not folder.exists():
            raise MissingFileError("no such folder", file=folder, mend="Give the folder that holds the coding sheet.")
        self.asked = folder
        self.folder = folder if folder.is_dir() else folder.parent
        self.files: list[Path] = []
        self.frames: list[Path] = []
        self.unreadable: list[str] = []
        self._named: dict[str, list[Path]] = {}
        self._tables: list[Table] | None = None
        self._found: dict[str, Path | None] = {}
        self._walk()
        if not folder.is_dir():
            self.files, self.frames, self.unreadable = [folder], [], []

    def _walk(self) -> None:
        waiting, seen = [(self.folder, 0)], 0
        while waiting and seen < MOST_FOLDERS:
            folder, depth = waiting.pop(0)
            seen += 1
            pictures = 0
            below: list[Path] = []
            try:
                entries = os.scandir(folder)
            except OSError:
                self.unreadable.append(f"{folder.name}: cannot be opened")
                continue
            with entries:
                for entry in entries:
                    if entry.name.startswith((".", "~$")):
                        continue
                    suffix = Path(entry.name).suffix.lower()
                    if suffix in PICTURES:
                        pictures += 1
                        if pictures >= _ENOUGH_PICTURES and not below:
                            break
                    elif entry.is_dir():
                        below.append(folder / entry.name)
                    elif suffix in TABLES:
                        self.files.append(folder / entry.name)
                    elif suffix in VIDEOS:
                        self._named.setdefault(Path(entry.name).stem.lower(), []).append(folder / entry.name)
            if pictures:
                self.frames.append(folder)
            if depth:
                self._named.setdefault(folder.name.lower(), []).append(folder)
            if depth < DEEPEST:
                waiting += [(one, depth + 1) for one in sorted(below)]
        self.files.sort()

    def tables(self) -> list[Table]:
        """All sheets with a cell in them, read at the first call; what cannot be read is named in `unreadable`."""
        if self._tables is None:
            self._tables = []
            for file in self.files:
                try:
                    sheets = read_table(file)
                except TelltaleError as error:
                    if len(self.files) == 1:
                        raise
                    self.unreadable.append(f"{file.name}: {error.what}")
                    continue
                self._tables += [Table(file, name, grid) for name, grid in sheets.items() if grid]
        return self._tables

    def media(self, *tails: str) -> Path | None:
        """Folder of frames or video whose path ends in one of these, the first that is there.

        Args:
            tails: Paths such as "sub01/clip", the suffix of a video left out, in the order of preference; an ending
                "*" lets the name go on. Upper and lower case are one. Of several, one whose path speaks of raw
                pictures comes first, since aligned or cropped ones have lost the head's movement.
        """
        for tail in tails:
            if tail not in self._found:
                self._found[tail] = self._look(tail.lower())
            if (path := self._found[tail]) is not None:
                return path
        return None

    def _look(self, tail: str) -> Path | None:
        *above, name = tail.split("/")
        if name.endswith("*"):
            found = [path for key, paths in self._named.items() if key.startswith(name[:-1]) for path in paths]
        else:
            found = self._named.get(name, [])
        fits = []
        for path in found:
            parts = [part.lower() for part in path.relative_to(self.folder).parts]
            if parts[:-1][len(parts) - 1 - len(above) :] == above:
                fits.append((all("raw" not in part for part in parts), parts, path))
        return min(fits)[2] if fits else None

    def describe(self, most: int = 4) -> str:
        """The first files and columns, for messages."""
        said = [f"{table.label}: {', '.join(_header(table.grid)) or 'no cells'}" for table in self.tables()[:most]]
        if len(self.tables()) > most:
            said.append(f"and {len(self.tables()) - most} more sheets")
        said += self.unreadable[:2]
        if not said:
            names = sorted(entry.name for entry in self.folder.iterdir() if not entry.name.startswith("."))
            said = [f"no table; {', '.join(names[:6]) or 'an empty folder'}{' ...' if len(names) > 6 else ''}"]
        return "; ".join(said)


def _header(grid: Grid, most: int = 9) -> list[str]:
    """The first row that has at least half as many cells as the fullest of the first 20."""
    filled = [[cell for cell in row if cell] for row in grid[:20]]
    widest = max((len(row) for row in filled), default=0)
    row = next((row for row in filled if row and len(row) >= widest / 2), [])
    return [cell[:24] for cell in row[:most]] + (["..."] if len(row) > most else [])


def read_table(file: Path) -> dict[str, Grid]:
    """The sheets of a table file by name; a CSV has one, with the empty name.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: it is not what its ending says.
    """
    if not file.is_file():
        raise MissingFileError("no such table", file=file)
    if file.stat().st_size > MOST_TABLE_BYTES:
        raise UnreadableFileError("the table is too large for a coding sheet", file=file)
    readers = {".xlsx": read_xlsx, ".xls": read_xls}
    try:
        return readers.get(file.suffix.lower(), _read_text)(file)
    except OSError as error:
        if isinstance(error, TelltaleError):
            raise
        raise UnreadableFileError("the table cannot be read", file=file, got=error.strerror) from error


def _read_text(file: Path) -> dict[str, Grid]:
    data = file.read_bytes()
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if "\x00" in text:
        raise UnreadableFileError("the table is no text", file=file)
    head = "\n".join(text.splitlines()[:60])
    delimiter = max(("\t", ";", ","), key=head.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=delimiter)]
    except csv.Error as error:
        raise UnreadableFileError("the table is no CSV text", file=file, got=str(error)) from error
    return {"": rows if any(any(row) for row in rows) else []}
