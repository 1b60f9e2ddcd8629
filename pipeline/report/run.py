"""Making the page of a result: while it is saved, or later from what was left in its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_schemas.errors import InvalidValueError, TelltaleError
from data_schemas.hook import Hook, silent
from pipeline.report.footage import Footage, footage_of_result, footage_of_run
from pipeline.report.page import ASSETS, MARK, Extras, drop_folder, own_folder, write_report
from pipeline.report.sounds import Sound, sounds_of_result, sounds_of_run

if TYPE_CHECKING:
    from data_schemas.event import Event
    from pipeline.export.content import Content
    from pipeline.interaction_table import Interaction
    from pipeline.outcome import Result

Faces = Literal["shown", "blurred", "left out"]


@dataclass(frozen=True)
class Reported:
    """What was made.

    Attributes:
        page: The page to open.
        faces: What was done with faces.
        videos: How many are on the page.
        notes: What the user should know.
    """

    page: Path
    faces: Faces
    videos: int
    notes: tuple[str, ...]


def report_run(result: Result, path: Path, final: Path, hook: Hook = silent) -> None:
    """Write the page of a result that is being saved.

    Args:
        result: What the run found.
        path: HTML file to write.
        final: Where it will lie in the end.
        hook: Progress.
    """
    from pipeline.export.content import as_events
    from pipeline.export.events import as_rows

    faces: Faces = "shown" if result.faces else "left out"
    footage = footage_of_run(result.session) if result.faces else []
    sounds = sounds_of_run(result.session, _files(footage)) if result.faces else []
    events = result.events
    with suppress(InvalidValueError):
        events = as_events(as_rows(result.events))  # as they will be read, so that they bear the same names
    extras = make_extras(
        events, footage, path.parent / ASSETS, faces, sounds=sounds, interaction=result.interaction, hook=hook
    )
    write_report(result.record, result.timeline, events, result.sync, path, extras=extras, final=final)


def report_result(
    folder: Path,
    out: Path | None = None,
    *,
    faces: Faces | None = None,
    coder: str | None = None,
    deidentify: bool = False,
    session: Path | None = None,
    hook: Hook = silent,
) -> Reported:
    """Write the page of a result anew.

    Args:
        folder: What `telltale analyze` left.
        out: A page to give away: an HTML file, or a folder. Without it the result's own page is written anew.
        faces: What is done with faces; shown in the result's own page, left out of one to give away.
        coder: The events as this coder has them.
        deidentify: Pseudonyms and shifted times; faces are left out.
        session: The session folder, where the recordings are not found beside the result.
        hook: Progress.

    Raises:
        TelltaleError: the result cannot be read, `out` would overwrite something else, or the people did not agree to
            share their faces.
    """
    from pipeline.export.content import read_content
    from pipeline.interaction_files import read_interaction

    content = read_content(folder, session)
    if coder is not None:
        from pipeline.coding.layers import Layer

        content = replace(content, events=Layer.existing(folder, coder).events(content.events), coder=coder)
    shared = out is not None or deidentify
    if deidentify and out is None:
        raise InvalidValueError("a page without names is one to give away", mend="Name it with -o.")
    if deidentify and faces == "shown":
        raise InvalidValueError("faces are names too", mend="Leave --faces out, or --deidentify.")
    what: Faces = faces or ("left out" if shared else "shown")
    page, assets, long = _place(folder, out)
    if shared and what == "shown":
        _require_shared(content.session)
    notes: list[str] = []
    footage: list[Footage] = []
    sounds: list[Sound] = []
    if what != "left out" and content.session is not None:
        footage, notes = footage_of_result(content.session, content.sync)
        if what == "shown" and not shared:  # a voice is no less a name than a face
            sounds = sounds_of_result(content.session, content.sync, _files(footage))
    elif what != "left out":
        notes = ["the recordings are not at hand, so there is no video; name their folder with --session"]
    interaction = None if deidentify else read_interaction(folder)
    drop_folder(assets, keep=() if what == "left out" else ("media",))
    extras = make_extras(
        content.events, footage, assets, what,
        sounds=sounds, interaction=interaction, shared=shared, notes=notes, hook=hook,
    )  # fmt: skip
    if not shared and is_index(folder.resolve().parent / "report.html"):
        extras = replace(extras, up="../report.html")
    if deidentify:
        from pipeline.export.deidentify import Aliases, hide

        content = hide(content, Aliases.of_user(content))
    elif shared:
        content = _without_paths(content)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_report(
        content.record, content.timeline, content.events, content.sync, page, extras=extras, long=long, assets=assets
    )
    where = assets / "index.html" if out is not None and long else page
    return Reported(where, what, len(extras.players), tuple(extras.notes))


def make_extras(
    events: Sequence[Event],
    footage: Sequence[Footage],
    assets: Path,
    faces: Faces,
    *,
    sounds: Sequence[Sound] = (),
    interaction: Interaction | None = None,
    shared: bool = False,
    notes: Sequence[str] = (),
    pictures: Mapping[str, Sequence[str]] | None = None,
    hook: Hook = silent,
) -> Extras:
    """Players and pictures, as far as faces are shown; copies of videos go to `assets/media`.

    Args:
        events: All events.
        footage: The videos.
        assets: Folder beside the page.
        faces: What is done with faces.
        sounds: The sound of recorders.
        interaction: What several people do to each other.
        shared: Whether the page is given away: then every video is a copy that travels with it.
        notes: What could not be shown so far.
        pictures: Pictures of faces that are known already; cut out of the videos where not given.
        hook: Progress.

    Raises:
        InvalidValueError: `assets` is there and no report made it.
    """
    if faces == "left out" or not footage:
        return Extras(sounds=sounds, faces=faces, interaction=interaction, notes=tuple(notes))
    from pipeline.report.pictures import face_pictures
    from pipeline.report.players import make_players

    blur = faces == "blurred"
    if assets.exists():
        own_folder(assets)
    players, lost = make_players(footage, assets / "media", blur, shared, hook)
    if (assets / "media").is_dir():
        (assets / MARK).touch()
    unread: list[str] = []
    if pictures is None:
        pictures, unread = face_pictures(events, footage, blur, hook)
    return Extras(players, sounds, pictures, faces, interaction, notes=(*notes, *lost, *unread))


def _files(footage: Sequence[Footage]) -> list[Path]:
    return [one.file for one in footage if one.file is not None]


def is_index(page: Path) -> bool:
    """Whether a page is the index of a study."""
    return page.is_file() and not (page.parent / "result.json").exists()


def _place(folder: Path, out: Path | None) -> tuple[Path, Path, bool | None]:
    """The page, the folder beside it, and whether it must or must not be spread over a folder."""
    if out is None:
        return folder / "report.html", folder / ASSETS, None
    if out.suffix.lower() in (".html", ".htm"):
        if out.resolve().parent == folder.resolve() and out.name == "report.html":
            raise InvalidValueError("that is the result's own page", file=out, mend="Name another file with -o.")
        return out, out.with_name(f"{out.stem}_files"), False
    if out.exists() and not out.is_dir():
        raise InvalidValueError("the place for the page is a file", file=out, expected="NAME.html, or a folder")
    return out.parent / f"{out.name}.html", out, True


def _require_shared(session: Path | None) -> None:
    from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent

    if session is None:
        raise TelltaleError(
            "whether the people agreed to share their faces is not known, as the session is not at hand",
            mend="Name its folder with --session, or leave --faces out.",
        )
    require_consent(load_manifest(session), "share", session / MANIFEST_NAME)


def _without_paths(content: Content) -> Content:
    """The same without folders of this computer in its sentences."""
    pattern = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][^\\/:*?\"<>|\n;,()]+)+[\\/]")
    problems = [
        one.model_copy(update={"what": pattern.sub("", one.what), "file": one.file and Path(one.file).name})
        for one in content.record.problems
    ]
    return replace(content, record=content.record.model_copy(update={"problems": problems}))
