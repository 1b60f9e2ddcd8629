"""Gzipped files that may not unpack to more than is believable: a small file can hold terabytes of zeros."""

from __future__ import annotations

import gzip
from pathlib import Path

from data_schemas.errors import UnreadableFileError

FREE_BYTES, TIMES = 32 << 20, 50
"""A packed recording may unpack to 50 times its size and 32 MB; tables of numbers reach 3 to 20 times. What is packed
tighter (a trigger line that rests) is small: half an hour at 5 kHz takes 18 MB."""


class Unpacked(gzip.GzipFile):
    """The bytes of a gzipped file, for reading.

    Args:
        path: The file.

    Raises:
        UnreadableFileError: while it is read, as soon as it unpacks to too much.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path
        self._most = FREE_BYTES + TIMES * path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        """As of any file."""
        whole = size is None or size < 0
        return self._checked(super().read(self._most + 1 if whole else size))

    def read1(self, size: int = -1) -> bytes:
        """As of any file."""
        return self._checked(super().read1(size))

    def readline(self, size: int | None = -1) -> bytes:
        """As of any file."""
        whole = size is None or size < 0
        return self._checked(super().readline(self._most + 1 if whole else size))

    def _checked(self, data: bytes) -> bytes:
        if self.tell() > self._most:
            raise UnreadableFileError(
                f"the packed file unpacks to more than {self._most >> 20} MB, which no recording of its size does",
                file=self._path,
                mend="If it is sound, unpack it.",
            )
        return data
