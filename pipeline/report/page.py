"""`report.html`: pages that open from disk, with no network and no server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.result import ResultRecord, SyncReport
from pipeline import __version__
from pipeline.report.clocks import clocks_section, worst_verdict
from pipeline.report.expressions import expressions_section
from pipeline.report.markup import as_table, in_words, measures_in_words, policy, render, script_text, style_text
from pipeline.report.summary import summary_section
from pipeline.report.together import together_section

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.interaction_table import Interaction
    from pipeline.report.players import Player
    from pipeline.report.sounds import Sound

SCRIPTS = ("store", "lanes", "player", "hands", "inspector", "figures", "main")
ASSETS = "report"
"""Folder beside `report.html`: copies of videos, and the page itself where it is too long for one file."""
MARK = ".telltale-report"
LONG_BYTES = 8_000_000
"""Values that take more than this lie in files beside the page, which are read when somebody looks closer."""


@dataclass(frozen=True)
class Extras:
    """What a page may show beyond the result itself.

    Attributes:
        players: Videos.
        sounds: Recorders, heard with the videos.
        pictures: Identity of an event -> data addresses of the face at its onset and its height.
        faces: What was done with faces, in words; "" says nothing of it.
        up: Address of the study's index, from where `report.html` lies; "" for none.
        notes: What could not be shown.
    """

    players: Sequence[Player] = ()
    sounds: Sequence[Sound] = ()
    pictures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    faces: str = ""
    interaction: Interaction | None = None
    up: str = ""
    notes: Sequence[str] = ()

    @property
    def files(self) -> list[Path]:
        """What is played: videos, then sounds."""
        return [player.file for player in self.players] + [sound.file for sound in self.sounds]


def write_report(
    record: ResultRecord,
    timeline: pa.Table,
    events: Sequence[Event],
    sync: SyncReport,
    path: Path,
    extras: Extras | None = None,
    *,
    final: Path | None = None,
    long: bool | None = None,
    assets: Path | None = None,
) -> None:
    """Write the page of a result.

    A long session's page is `index.html` in a folder, its values in scripts beside it, and `path` leads there.

    Args:
        record: Summary, problems, provenance.
        timeline: The table of `timeline.parquet`.
        events: All events.
        sync: Clock report.
        path: HTML file to write; about 5 MB, most of it the drawing library.
        extras: Videos and pictures.
        final: Where `path` will lie in the end, if it is moved.
        long: Whether the page becomes a folder; by default where the values take more than `LONG_BYTES`.
        assets: That folder; `report` beside the page by default.

    Raises:
        InvalidValueError: the folder is there and no report made it.
        OSError: it cannot be written.
    """
    from pipeline.report.content import Material, page_data
    from pipeline.report.players import addresses

    told = extras or Extras()
    folder = assets or path.parent / ASSETS
    material = Material.of(record, timeline, events)
    spread = material.bytes > LONG_BYTES if long is None else long
    page = folder / "index.html" if spread else path
    lies = None if final is None else (final.parent / ASSETS / "index.html" if spread else final)
    sources = [addresses(file, page, lies) for file in told.files]
    data = page_data(material, told, sources)
    if spread:
        told = replace(told, up=f"../{told.up}" if told.up else "")
        own_folder(folder)
        _write_chunks(material, folder)
    text = assemble(record, events, sync, told, data, {} if spread else dict(material.chunks()), spread)
    page.write_text(text, encoding="utf-8", newline="\n")
    if spread:
        near = f"{folder.name}/index.html"
        signpost = render("signpost.html", title=record.session, address=near, policy=policy())
        path.write_text(signpost, encoding="utf-8", newline="\n")


def own_folder(folder: Path) -> Path:
    """Make the folder beside a page, or take the one that an earlier report made.

    Raises:
        InvalidValueError: it is there and no report made it.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise InvalidValueError(
            "the folder for the page holds something else", file=folder, mend="Move it, or write the page elsewhere."
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    return folder


def drop_folder(folder: Path, keep: Sequence[str] = ()) -> None:
    """Delete the folder beside a page, if a report made it.

    Args:
        folder: Beside the page.
        keep: Names in it that stay.
    """
    if not (folder / MARK).is_file():
        return
    for path in folder.iterdir():
        if path.name not in (*keep, MARK):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if [path.name for path in folder.iterdir()] == [MARK]:
        shutil.rmtree(folder)


def _write_chunks(material: Any, folder: Path) -> None:
    from plotly.offline import get_plotlyjs

    (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8", newline="\n")
    shutil.rmtree(folder / "data", ignore_errors=True)
    (folder / "data").mkdir()
    for name, columns in material.chunks():
        text = f"T.chunk({json.dumps(name)}, {json.dumps(columns)});\n"
        (folder / "data" / f"{name}.js").write_text(text, encoding="utf-8", newline="\n")


def assemble(
    record: ResultRecord,
    events: Sequence[Event],
    sync: SyncReport,
    extras: Extras,
    data: Mapping[str, Any],
    chunks: Mapping[str, Mapping[str, str]],
    spread: bool,
    *,
    scripts: Sequence[str] = SCRIPTS,
    connect: str = "'none'",
) -> str:
    """The text of a page.

    Args:
        record: Summary, problems, provenance.
        events: All events.
        sync: Clock report.
        extras: Pictures, and what else is shown.
        data: Of `page_data`.
        chunks: All values, to stand in the page; empty where they lie beside it.
        spread: Whether scripts lie beside the page.
        scripts: Which of this folder's scripts the page runs, in order.
        connect: Whom the page may ask.
    """
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    from pipeline.report.markup import clean, data_element

    own = script_text(*scripts)
    library = "" if spread else get_plotlyjs()
    parts = [data_element("page", json.dumps(clean(data), ensure_ascii=False))]
    parts += [data_element(f"chunk-{name}", json.dumps(columns)) for name, columns in chunks.items()]
    before = '<script src="plotly.min.js"></script>' if spread else f"<script>{library}</script>"
    loud = [problem for problem in record.problems if problem.severity != "note"]
    quiet = [problem for problem in record.problems if problem.severity == "note"]
    missing = "".join(f"<li>not shown: {escape(text)}</li>" for text in extras.notes)
    verdict = worst_verdict(sync)
    return render(
        "page.html",
        policy=policy(*([own] if spread else [library, own]), files=spread, connect=connect),
        title=record.session,
        duration=f"{record.duration_s:.1f} s",
        people=", ".join(record.people),
        purpose=record.purpose or "not stated",
        version=record.telltale_version,
        faces=extras.faces,
        up=extras.up,
        edit=data.get("edit") is not None,
        caveats=record.caveats,
        clocks_open=verdict != "pass",
        style=Markup(style_text()),
        summary=Markup(summary_section(record, sync)),
        expressions=Markup(_expressions(record, events, extras.pictures)),
        together=Markup(together_section(extras.interaction)),
        channels=Markup(as_table([_channel_row(one.model_dump()) for one in record.channels])),
        clocks=Markup(clocks_section(sync)),
        problems=Markup(_problems(loud) or "<p>None.</p>"),
        notes=Markup((_problems(quiet) + (f"<ul>{missing}</ul>" if missing else "")) or "<p>None.</p>"),
        provenance=Markup(as_table([_step_row(one.model_dump(mode="json")) for one in record.provenance])),
        data=Markup("\n".join(parts)),
        scripts=Markup(f"{before}\n<script>{own}</script>"),
    )


def write_sync_report(name: str, sync: SyncReport, path: Path) -> None:
    """Write a page about the clocks alone.

    Args:
        name: Of the session.
        sync: Clock report.
        path: HTML file to write.
    """
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    own, library = script_text("figures"), get_plotlyjs()
    page = render(
        "sync.html",
        policy=policy(library, own),
        title=name,
        version=__version__,
        verdict=worst_verdict(sync),
        style=Markup(style_text()),
        clocks=Markup(clocks_section(sync)),
        scripts=Markup(f"<script>{library}</script>\n<script>{own}</script>"),
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _expressions(record: ResultRecord, events: Sequence[Event], pictures: Mapping[str, Sequence[str]]) -> str:
    from modalities.face.features import UNIT_WORDS
    from pipeline.coding.identity import identify

    shown = {id(event): pictures[name] for name, event in identify(events).items() if name in pictures}
    parts = []
    for person in record.people:
        own = [event for event in events if event.person in (person, None)]
        cards = expressions_section(own, UNIT_WORDS, {k: v for k, v in shown.items() if v})
        if cards:
            parts.append(f"<h3>{escape(person)}</h3>{cards}" if len(record.people) > 1 else cards)
    return "\n".join(parts) or "<p>None was found.</p>"


def _problems(problems: Sequence[Any]) -> str:
    items = "".join(f'<li class="{p.severity}"><b>{p.severity}</b> {escape(p.what)}</li>' for p in problems)
    return f"<ul>{items}</ul>" if items else ""


def _channel_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "person": one["person"],
        "channel": one["channel"],
        "valid": f"{one['valid_share']:.0%}",
        "null because": ", ".join(f"{in_words(word)} {share:.0%}" for word, share in one["reasons"].items()) or None,
        "events": ", ".join(f"{count} {in_words(kind)}" for kind, count in one["events"].items()) or None,
        "quality": measures_in_words(one["quality"]) or None,
    }


def _step_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "step": one["step"],
        "version": one["version"],
        "parameters": json.dumps(one["parameters"], ensure_ascii=False),
        "inputs (SHA-256)": ", ".join(f"{name} {digest[:12]}" for name, digest in one["inputs"].items()) or None,
    }
