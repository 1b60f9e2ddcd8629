"""The page that is served: that of the report, with the editor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_schemas.hook import Hook, silent
from pipeline.export.content import Content
from pipeline.interaction_files import read_interaction
from pipeline.report.content import Material, page_data
from pipeline.report.footage import footage_of_result
from pipeline.report.page import ASSETS, SCRIPTS, Extras, assemble
from pipeline.report.run import make_extras
from pipeline.report.sounds import sounds_of_result

_DATA = re.compile(r'<script type="application/json" id="page">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A page and what it loads.

    Attributes:
        text: HTML.
        scripts: Name -> text of the scripts beside it.
        media: Videos, in the order of the page.
        notes: What could not be shown.
    """

    text: str
    scripts: Mapping[str, str]
    media: Sequence[Path]
    notes: Sequence[str] = ()


def make_page(content: Content, *, faces: bool = True, coder: str = "", hook: Hook = silent) -> Shown:
    """The page of a result with the editor; copies of videos that no browser plays go to `report/media` in the result.

    Args:
        content: The result, with the machine's events.
        faces: Show videos and pictures of faces.
        coder: Name that the page proposes.
        hook: Progress.

    Raises:
        TelltaleError: the manifest is wrong, or the folder `report` in the result holds something else.
    """
    from plotly.offline import get_plotlyjs

    from pipeline.coding.layers import coders_of

    extras = _extras(content, faces, hook)
    material = Material.of(content.record, content.timeline, content.events)
    addresses = [[f"media/{number}"] for number in range(len(extras.files))]
    edit = {"coder": coder, "coders": coders_of(content.folder)}
    data = page_data(material, extras, addresses, edit)
    scripts = {"plotly.min.js": get_plotlyjs()}
    for name, columns in material.chunks():
        scripts[f"data/{name}.js"] = f"T.chunk({json.dumps(name)}, {json.dumps(columns)});\n"
    text = assemble(
        content.record, content.events, content.sync, extras, data, {}, True,
        scripts=(*SCRIPTS[:-1], "edit", SCRIPTS[-1]), connect="'self'",
    )  # fmt: skip
    return Shown(text, scripts, extras.files, extras.notes)


def _extras(content: Content, faces: bool, hook: Hook) -> Extras:
    told = read_interaction(content.folder)
    if not faces:
        return Extras(faces="left out", interaction=told)
    if content.session is None:
        lost = "the recordings are not at hand, so there is no video; name their folder with --session"
        return Extras(faces="", interaction=told, notes=(lost,))
    footage, notes = footage_of_result(content.session, content.sync)
    sounds = sounds_of_result(content.session, content.sync, [one.file for one in footage if one.file is not None])
    pictures = known_pictures(content.folder)
    assets = content.folder / ASSETS
    return make_extras(
        content.events, footage, assets, "shown",
        sounds=sounds, interaction=told, notes=notes, pictures=pictures, hook=hook,
    )  # fmt: skip


def known_pictures(result: Path) -> dict[str, list[str]] | None:
    """The pictures of faces that the result's own page holds; None where it shows none."""
    for page in (result / ASSETS / "index.html", result / "report.html"):
        try:
            found = _DATA.search(page.read_text(encoding="utf-8"))
            said: Any = json.loads(found[1]) if found else {}
        except (OSError, ValueError):
            continue
        if said.get("pictures"):
            return {str(name): [str(one) for one in pair] for name, pair in said["pictures"].items()}
    return None
