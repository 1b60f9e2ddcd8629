"""Action units as coders write them: R12, 4+L10, B28, "4,12", 13?, 12C."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Side = Literal["both", "left", "right"]
Part = Literal["whole", "top", "bottom"]

_TOKEN = re.compile(
    r"^(?:AU)?(?P<mark>[A-Z]?)(?:AU)?0?(?P<unit>\d{1,2})(?P<after>[A-ELR]?)(?P<doubt>(?:\(K\))?\??)$", re.IGNORECASE
)
_USUAL = re.compile(r"^[^+,]*(?:\+[^+,]*)*$|^[^+,]*(?:,[^+,]*)*$")
_FACS = frozenset((*range(1, 3), *range(4, 47), *range(50, 67), *range(68, 75), *range(80, 86), 91, 92, 97, 98))
"""Numbers of action units and descriptors in the manual of 2002 and before it (41 to 44 are the old lid codes)."""
_NOTHING = frozenset(("", "?", "/", "\\", "-", "0", "none", "nan", "n/a"))


@dataclass(frozen=True)
class CodedUnit:
    """One action unit of a coding (Ekman, Friesen and Hager 2002).

    Attributes:
        unit: FACS number.
        side: "left" and "right" are the person's own, written L and R.
        part: "top" or "bottom" where one lip only moves, written T and B.
        intensity: "A" (trace) to "E" (maximum), or empty where it is not coded.
        doubtful: The coder marked it with "?" or offered it as one of several ("or").
        raw: As written.
    """

    unit: int
    side: Side
    part: Part
    intensity: str
    doubtful: bool
    raw: str

    def __str__(self) -> str:
        mark = {"left": "L", "right": "R"}.get(self.side, "") or {"top": "T", "bottom": "B"}.get(self.part, "")
        return f"{mark}{self.unit}{self.intensity}{'?' if self.doubtful else ''}"


def parse_units(text: str) -> tuple[tuple[CodedUnit, ...], dict[str, str]]:
    """Parse one cell of action units.

    Units are joined by "+", a comma or a blank, in half or full width; "or" between them makes both doubtful.

    Args:
        text: The cell.

    Returns:
        The units in the order of the cell, and what is odd about it: fault of `sample.FAULTS` -> the parts concerned.
        A part that is not understood gives no unit, and a fault.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.lower() in _NOTHING:
        return (), {"no_units": plain}
    odd: dict[str, list[str]] = {}
    out: list[CodedUnit] = []
    if plain != text.strip() or not _USUAL.match(plain) or re.search(r"[;/&]|^[+,]|[+,]\s*$|[+,]\s*[+,]", plain):
        odd["strange_separator"] = [text.strip()]
    for choice in re.split(r"[+,;/&]+", re.sub(r"\s*\bor\b\s*", " or ", plain, flags=re.IGNORECASE)):
        words = choice.split()
        either = "or" in (word.lower() for word in words)
        for word in words:
            if word.lower() == "or":
                continue
            match = _TOKEN.match(word)
            if match is None:
                odd.setdefault("unread_units", []).append(word)
                continue
            one = _unit(match, either, word)
            if one.side != "both" or one.part != "whole":
                odd.setdefault("marked_units", []).append(word)
            elif match["mark"]:
                odd.setdefault("unread_units", []).append(word)
            if one.doubtful:
                odd.setdefault("doubtful_units", []).append(word)
            if one.unit not in _FACS:
                odd.setdefault("unknown_unit", []).append(word)
            if any((one.unit, one.side, one.part) == (two.unit, two.side, two.part) for two in out):
                odd.setdefault("repeated_units", []).append(word)
            out.append(one)
    return tuple(out), {fault: ", ".join(parts) for fault, parts in odd.items()}


def _unit(match: re.Match[str], either: bool, raw: str) -> CodedUnit:
    mark, after = match["mark"].upper(), match["after"].upper()
    side: Side = "left" if "L" in (mark, after) else "right" if "R" in (mark, after) else "both"
    part: Part = "top" if mark == "T" else "bottom" if mark == "B" else "whole"
    intensity = after if after and after in "ABCDE" else ""
    return CodedUnit(int(match["unit"]), side, part, intensity, either or bool(match["doubt"]), raw)
