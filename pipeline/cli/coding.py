"""Commands for coders: their events in, and how well they agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from pipeline.cli.terminal import say, show_object, show_table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(
        "import",
        help="Bring a coder's events in as a layer of their own; nothing is overwritten.\n\n"
        "Reads ELAN .eaf, Praat .TextGrid, and CSV of Telltale or BORIS. A file that telltale export wrote says itself "
        "what its times count from.\n\n"
        "Example: telltale import results/p01 p01_anna.eaf --coder anna",
    )
    def import_(
        result: Path = typer.Argument(..., metavar="OUT", help="The result that was coded."),
        file: Path = typer.Argument(..., metavar="FILE", help="The coder's file."),
        coder: str = typer.Option(..., "--coder", metavar="NAME", help="Who coded it."),
        clock: str | None = typer.Option(
            None, "--clock", metavar="NAME", help="What times count from: session, or the stream that was coded."
        ),
        tier: list[str] = typer.Option(
            [], "--tier", metavar="NAME=MEANING", help="What a tier means, e.g. Smile=face.macro@p01."
        ),
        session: Path | None = typer.Option(None, "--session", metavar="DIR", help="Session folder, for its media."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.coding.importing import import_coding
        from pipeline.privacy import records

        records.begin_with_results("import", result, say)
        done = import_coding(result, file, coder, clock=clock, tiers=_meanings(tier), session=session)
        for text in done.left_out:
            say(f"left out: {text}", "yellow")
        if as_json:
            said: dict[str, Any] = {
                "coder": coder,
                "layer": str(done.layer.file),
                "clock": done.clock,
                "edits": sum(one.action != "scope" for one in done.edits),
                "rows": list(done.rows),
                "left_out": list(done.left_out),
            }
            show_object(said)
        else:
            show_table(done.rows, f"{file.name}, coded by {coder}, on the clock of {done.clock}")
        say(f"Layer: {done.layer.file}" if done.edits else "Nothing new in the file.")
        raise typer.Exit(1 if done.left_out else 0)

    @app.command(
        help="Agreement of coders with each other and with the machine.\n\n"
        "F1 of events paired by overlap; Cohen's kappa and Krippendorff's alpha over steps of time.\n\n"
        "Example: telltale agreement results/p01"
    )
    def agreement(
        result: Path = typer.Argument(..., metavar="OUT", help="A result with coders' layers."),
        iou: float = typer.Option(0.5, "--iou", help="Least intersection over union of paired events."),
        step_s: float = typer.Option(0.04, "--step", metavar="SECONDS", help="Step of time for kappa and alpha."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.coding.agreement import agreement as measure
        from pipeline.export.content import read_content
        from pipeline.privacy import records

        records.begin_with_results("agreement", result, say)
        rows = measure(read_content(result), iou=iou, step_s=step_s)
        show_table(rows, f"IoU >= {iou:g}, steps of {step_s:g} s", as_json)


def _meanings(given: list[str]) -> dict[str, str]:
    from data_schemas.errors import InvalidValueError

    out = {}
    for word in given:
        name, equals, meaning = word.rpartition("=")
        if not equals or not name.strip():
            raise InvalidValueError("a tier's meaning is NAME=MEANING", got=word, expected="Smile=face.macro@p01")
        out[name.strip()] = meaning.strip()
    return out
