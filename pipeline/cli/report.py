"""Commands for looking: the page of a result or a study, and the page with editing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli.terminal import progress, say, show_object

if TYPE_CHECKING:
    from pipeline.report.run import Faces


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(
        help="Write the page of a result anew, or the index of a study's results.\n\n"
        "It opens from disk, without network and server. With -o it makes a page to give away: without faces, unless "
        "the people agreed to share and --faces is given.\n\n"
        "Example: telltale report results/p01"
    )
    def report(
        folder: Path = typer.Argument(..., metavar="OUT_OR_STUDY", help="What analyze or batch left."),
        out: Path | None = typer.Option(None, "-o", "--out", metavar="FILE", help="A page to give away, or a folder."),
        no_faces: bool = typer.Option(False, "--no-faces", help="No videos and no pictures of faces."),
        with_faces: bool = typer.Option(False, "--faces", help="Show them in a page to give away too."),
        blur: bool = typer.Option(False, "--blur", help="Videos and pictures in coarse squares."),
        coder: str | None = typer.Option(None, "--coder", metavar="NAME", help="The events as this coder has them."),
        deidentify: bool = typer.Option(False, "--deidentify", help="Pseudonyms and shifted times; needs -o."),
        session: Path | None = typer.Option(None, "--session", metavar="DIR", help="Session folder, for its videos."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.privacy import records
        from pipeline.report.run import report_result
        from pipeline.report.study import is_study, write_index

        records.begin_with_results("report", folder, say)
        if is_study(folder):
            if any((no_faces, with_faces, blur, coder, deidentify, session)):
                raise InvalidValueError(
                    "the index of a study shows no faces and no events",
                    file=folder,
                    mend="Leave the other options out.",
                )
            index = write_index(folder, out)
            for text in index.notes:
                say(text, "yellow")
            if as_json:
                show_object({"page": str(index.page), "sessions": index.sessions, "notes": list(index.notes)})
            say(f"Index of {index.sessions} sessions: {index.page}")
            raise typer.Exit(1 if index.notes else 0)
        with progress() as hook:
            done = report_result(
                folder,
                out,
                faces=_faces(no_faces, with_faces, blur),
                coder=coder,
                deidentify=deidentify,
                session=session,
                hook=hook,
            )
        for note in done.notes:
            say(note, "yellow")
        if as_json:
            show_object({"page": str(done.page), "faces": done.faces, "videos": done.videos, "notes": list(done.notes)})
        if out is not None:
            records.note_export(folder, done.page)
        if out is not None and not deidentify:
            say("Names and labels are on the page as they are; --deidentify replaces the names.", "yellow")
        say(f"Page: {done.page}   Faces: {done.faces}")

    @app.command(
        help="Serve the page of a result on this computer, with editing.\n\n"
        "Every edit is kept with coder and time in a layer of the coder's own; nothing that the machine found is "
        "overwritten. Ctrl+C ends it.\n\n"
        "Example: telltale view results/p01 --coder anna"
    )
    def view(
        folder: Path = typer.Argument(..., metavar="OUT", help="What analyze left."),
        coder: str = typer.Option("", "--coder", metavar="NAME", help="Who codes; the page asks where not given."),
        no_faces: bool = typer.Option(False, "--no-faces", help="No videos and no pictures of faces."),
        session: Path | None = typer.Option(None, "--session", metavar="DIR", help="Session folder, for its videos."),
        port: int = typer.Option(0, "--port", min=0, max=65535, help="To listen at; 0 takes a free one."),
        no_open: bool = typer.Option(False, "--no-open", help="Do not open a browser."),
        rerun: bool = typer.Option(False, "--rerun", help="Open it in the Rerun viewer instead (optional part)."),
        as_json: bool = typer.Option(False, "--json", help="Print the address as one JSON object."),
    ) -> None:
        from pipeline.privacy import records

        records.begin_with_results("view", folder, say)
        if rerun:
            from pipeline.view.rerun_viewer import open_rerun

            with progress() as hook:
                file = open_rerun(folder, session, hook)
            if as_json:
                show_object({"file": str(file)})
            say(f"Rerun shows {file}")
            return
        from pipeline.view.start import view_result

        def ready(address: str) -> None:
            if as_json:
                show_object({"address": address})
            say(f"Open {address}")
            say("Only this computer can reach it, and only with this address. Ctrl+C ends it.")

        with progress() as hook:
            start = view_result(folder, coder=coder, faces=not no_faces, session=session, hook=hook)
        for note in start.shown.notes:
            say(note, "yellow")
        start.run(port, ready, not no_open)


def _faces(no_faces: bool, with_faces: bool, blur: bool) -> Faces | None:
    """What is done with faces; None leaves it to the kind of page.

    Raises:
        InvalidValueError: several of the options were given.
    """
    if sum((no_faces, with_faces, blur)) > 1:
        raise InvalidValueError("--no-faces, --faces and --blur exclude each other", mend="Give one of them.")
    return "left out" if no_faces else "blurred" if blur else "shown" if with_faces else None
