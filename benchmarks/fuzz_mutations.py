"""Ways to spoil a recording: bytes, numbers, lines, lengths, packing."""

from __future__ import annotations

import gzip
import random
import re
import zlib
from collections.abc import Callable, Sequence

MOST_BYTES = 200_000
"""No spoilt file is longer: what a reader makes of a small file is in question, not how it reads a long one."""
_NUMBERS = (
    "0", "-0", "-1", "1e308", "-1e308", "1e-320", "nan", "inf", "-inf", "9223372036854775807", "-9223372036854775808",
    "18446744073709551616", "99999999999999999999999", "4294967295", "65536", "1e9", "1e12", "0.0000001", "1,5", "0x10",
    "１２", "1_000", "--5", "1.2.3", "", " ", "3.5e", "31536000000", "1e18", "5000000",
)  # fmt: skip
_WORDS = (
    "\0", "\ufeff", "\u2028", "ß", "\U0001f600", "\r", "\n\n", "\t\t\t", ";;;", '"', "'", "#", "=", "%", "(", "[", "{",
    "NaN", "None", "true", "../../etc/passwd", "A" * 300, "é" * 50, ",", "__class__", "1970-01-01 00:00:00",
    "9999-12-31 23:59:59", "0001-01-01", "2024-02-30", "25:61:61", "00:00", "lambda: 0", "\\", "/",
)  # fmt: skip
_INTEGERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63))
_NUMBER = re.compile(rb"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def mutate(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A spoilt copy; one to four changes, the first ones likelier.

    Args:
        data: The content of a file.
        rng: Of all choices.
        others: Contents that pieces may be taken from; not empty.
    """
    if data[:2] == b"\x1f\x8b" and rng.random() < 0.7:
        return _repacked(data, rng, others)
    text = b"\0" not in data[:512] or data[:2] in (b"\xff\xfe", b"\xfe\xff")
    ways = _OF_TEXT if text else _OF_BYTES
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(ways)(data, rng, others)[:MOST_BYTES]
    return data


def _repacked(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    try:
        inner = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return _flipped(data, rng, others)
    return gzip.compress(mutate(inner, rng, [inner]), 1)


def _place(data: bytes, rng: random.Random) -> int:
    """A place in the file: every other time within its first 512 bytes, where headers are."""
    return rng.randrange(min(len(data), 512) if rng.random() < 0.5 else len(data)) if data else 0


def _flipped(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if out:
            out[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _set(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return (
        data[:at] + bytes([rng.choice((0, 1, 9, 10, 13, 32, 48, 127, 128, 255, rng.randrange(256)))]) + data[at + 1 :]
    )


def _integer(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    at, width = _place(data, rng), rng.choice((2, 4, 4, 8))
    value = rng.choice(_INTEGERS) & ((1 << 8 * width) - 1)
    return data[:at] + value.to_bytes(width, rng.choice(("little", "big"))) + data[at + width :]


def _cut(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _removed(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 4, 16, 100)) :]


def _doubled(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at : at + rng.choice((1, 4, 16, 200))] * rng.choice((2, 2, 50)) + data[at:]


def _spliced(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    at, there = _place(data, rng), _place(other, rng)
    length = rng.choice((8, 64, 512, len(other)))
    return data[:at] + other[there : there + length] + (data[at:] if rng.random() < 0.5 else data[at + length :])


def _zeroed(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    at, length = _place(data, rng), rng.choice((4, 64, 1000))
    return data[:at] + bytes([rng.choice((0, 255))]) * min(length, len(data) - at) + data[at + length :]


def _number(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Another number where one stands as text; in a header of fixed width it keeps its width."""
    found = list(_NUMBER.finditer(data[:4096] if rng.random() < 0.6 else data))
    if not found:
        return _flipped(data, rng, others)
    one = rng.choice(found)
    new = rng.choice(_NUMBERS).encode()
    if b"\0" in data[:4096] and rng.random() < 0.8:
        width = one.end() - one.start()
        while one.start() + width < len(data) and data[one.start() + width] == 32 and width < len(new):
            width += 1
        new = new[:width].ljust(width)
        return data[: one.start()] + new + data[one.start() + width :]
    return data[: one.start()] + new + data[one.end() :]


def _word(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    at, word = _place(data, rng), rng.choice(_WORDS)
    raw = (
        word.encode("utf-16-le")
        if data[:2] == b"\xff\xfe"
        else word.encode(rng.choice(("utf-8", "utf-8", "latin-1")), "replace")
    )
    return data[:at] + raw + data[at + rng.choice((0, 0, len(raw))) :]


def _lines(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    at, there = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(5)
    if how == 0:
        lines[at], lines[there] = lines[there], lines[at]
    elif how == 1:
        del lines[at]
    elif how == 2:
        lines[at:at] = [lines[there]] * rng.choice((1, 3, 200))
    elif how == 3:
        lines[at] = lines[at] + lines[there]
    else:
        lines[at] = lines[at][: len(lines[at]) // 2]
    return b"\n".join(lines)


def _cells(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A cell taken out, doubled, or exchanged; or another delimiter throughout."""
    mark = rng.choice((b",", b"\t", b";", b" ", b":", b"="))
    if rng.random() < 0.2:
        return data.replace(mark, rng.choice((b",", b"\t", b";", b"|", b" ", b"")))
    cells = data.split(mark)
    at, there = rng.randrange(len(cells)), rng.randrange(len(cells))
    how = rng.randrange(3)
    if how == 0:
        del cells[at]
    elif how == 1:
        cells.insert(at, cells[there])
    else:
        cells[at], cells[there] = cells[there], cells[at]
    return mark.join(cells)


Way = Callable[[bytes, random.Random, Sequence[bytes]], bytes]
_OF_BYTES: tuple[Way, ...] = (
    _flipped, _flipped, _set, _integer, _integer, _integer, _cut, _removed, _doubled, _spliced, _zeroed, _number,
)  # fmt: skip
_OF_TEXT: tuple[Way, ...] = (
    _flipped,
    _set,
    _cut,
    _removed,
    _doubled,
    _spliced,
    _number,
    _number,
    _number,
    _word,
    _lines,
    _cells,
)
