"""Each expression as a card: a drawn face shaded where the decision came from, its units in words, the alternatives.

The drawing is never the person's picture, so that the cards can be shared; pictures stand beside it only where a page
shows faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from data_schemas.event import Event
from data_schemas.time import to_s

MOST = 60
"""So many cards; the table of events has the rest."""

_BACKGROUND = "M0,-118 C70,-118 104,-60 100,10 C96,85 55,140 0,146 C-55,140 -96,85 -100,10 C-104,-60 -70,-118 0,-118Z"
_LINES = (
    "M-74,-36 Q-50,-54 -22,-38", "M74,-36 Q50,-54 22,-38",
    "M-70,-4 Q-50,-20 -28,-4 Q-50,8 -70,-4Z", "M70,-4 Q50,-20 28,-4 Q50,8 70,-4Z",
    "M0,-8 L-8,36 Q0,46 14,38", "M-36,84 Q-12,74 0,80 Q12,74 36,84 Q0,104 -36,84Z", "M-34,84 Q0,88 34,84",
)  # fmt: skip
"""Outline, brows, eyes, nose and mouth; 100 units are the distance of the eyes' middles."""

_PLACES: dict[str, tuple[float, float]] = {
    "brow_inner": (24, -42), "brow_middle": (50, -49), "brow_outer": (74, -38), "cheek_high": (52, 28),
    "cheek_bone": (78, 34), "cheek_low": (56, 62), "nose": (17, 34), "fold": (38, 56), "lip_corner": (38, 84),
    "upper_lip": (18, 75), "lower_lip": (18, 98), "eyelid_upper": (50, -14), "eyelid_lower": (50, 4),
    "under_eye": (50, 15), "beside_mouth": (56, 88),
    "brow_between": (0, -42), "upper_lip_middle": (0, 74), "lower_lip_middle": (0, 101), "chin": (0, 122),
}  # fmt: skip
"""Where a region lies on the drawing, on the side to the viewer's right, which is the person's left."""


def expressions_section(
    events: Sequence[Event], words: Mapping[str, str], pictures: Mapping[int, Sequence[str]] | None = None
) -> str:
    """HTML cards of the expressions of one person, the surest first shown in order of time; "" without any.

    Args:
        events: Events of the person; only micro and macro ones are shown.
        words: Action unit -> what it does ("au12": "lip corner puller").
        pictures: `id` of an event -> data addresses of the face at its onset and its height.
    """
    shown = [event for event in events if event.kind in ("micro", "macro")]
    if not shown:
        return ""
    surest = sorted(shown, key=lambda event: -(event.score or 0.0))[:MOST]
    faces = pictures or {}
    cards = "".join(
        _card(event, words, faces.get(id(event), ())) for event in sorted(surest, key=lambda event: event.onset_ns)
    )
    more = f" The surest {MOST} of {len(shown)}." if len(shown) > MOST else ""
    return (
        f'<p class="hint">Shaded: the regions whose movement from onset to apex decided for the class.{more}</p>'
        f'<div class="cards">{cards}</div>'
    )


def _card(event: Event, words: Mapping[str, str], faces: Sequence[str]) -> str:
    details = event.details
    emotion: Mapping[str, Any] = details.get("emotion") or {}
    title = f"{to_s(event.onset_ns):.2f} s {event.kind}: {emotion.get('class', 'not recognised')}"
    rows = [("units", _units(details.get("aus") or {}, words))]
    if emotion:
        chances = sorted(emotion["probability"].items(), key=lambda one: -one[1])
        rows.append(("classes", ", ".join(f"{name} {chance:.0%}" for name, chance in chances)))
        because = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in emotion["because"].items())
        rows.append(("moved by", because or "no single region"))
    apex_s = "?" if event.apex_ns is None else f"{to_s(event.apex_ns):.3f}"
    rows.append(("times", f"onset {to_s(event.onset_ns):.3f}, apex {apex_s}, offset {to_s(event.offset_ns):.3f} s"))
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    shown = "".join(
        f'<figure><img src="{escape(face)}" alt="Face at the {name}"><figcaption>{name}</figcaption></figure>'
        for face, name in zip(faces, ("onset", "height"), strict=False)
    )
    strip = f'<div class="faces">{shown}</div>' if shown else ""
    return (
        f'<article class="card">{face_drawing(emotion.get("because") or {}, title)}'
        f"<div><b>{escape(title)}</b>{strip}<dl>{lines}</dl></div></article>"
    )


def face_drawing(shares: Mapping[str, float], title: str) -> str:
    """A drawn face as SVG, its regions shaded by their share.

    Args:
        shares: Region name (`modalities.face.regions.NAMES`) -> 0..1.
        title: For screen readers.
    """
    spots = []
    for name, share in shares.items():
        base, _, side = name.rpartition("_")
        known = _PLACES.get(base) if side in ("left", "right") else None
        x, y = known or _PLACES.get(name, (0.0, 0.0))
        x = -x if side == "right" else x
        spots.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="20" class="spot" opacity="{min(1, 0.25 + share):.2f}"/>')
    lines = "".join(f'<path d="{path}"/>' for path in _LINES)
    return (
        f'<svg viewBox="-110 -125 220 280" role="img" aria-label="{escape(title)}"><path class="skin" '
        f'd="{_BACKGROUND}"/>{"".join(spots)}<g class="ink">{lines}</g></svg>'
    )


def _units(aus: Mapping[str, float], words: Mapping[str, str]) -> str:
    if not aus:
        return "none for sure"
    told = []
    for name, intensity in sorted(aus.items(), key=lambda one: -one[1]):
        base, _, side = name.partition("_")
        number = base.removeprefix("au").lstrip("0")
        word = words.get(base, "").partition(";")[0]
        told.append(f"AU{number}{' ' + side if side else ''} {word} ({intensity:.2f})".replace("  ", " "))
    return "; ".join(told)
