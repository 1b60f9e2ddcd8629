"""The command around privacy: forget."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.terminal import say, show_table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(help="Withdraw a person from a study: all that was derived from them is removed, and listed.\n\n"
                 "Example: telltale forget p07 sessions --dry-run")  # fmt: skip
    def forget(
        person: str = typer.Argument(..., metavar="PERSON", help="As the manifests name them."),
        study: Path = typer.Argument(..., metavar="STUDY", help="The study, a session of it, or results of these."),
        results: list[Path] = typer.Option([], "--results", help="A further folder of results; may be repeated."),
        dry_run: bool = typer.Option(False, "--dry-run", help="List what would be done; change nothing."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.privacy.forget import forget as withdraw

        report = withdraw(person, study, results, dry_run)
        show_table([vars(line) for line in report.lines], f"{person} in {study}", as_json)
        if dry_run:
            say("Nothing was changed.")
            return
        if report.models:
            say(f"{report.models} models must be trained again; until then they are refused.", "yellow")
        if report.remaining:
            say(f"{report.remaining} traces are still there: look at them.", "red")
        else:
            say(
                "Searched all results and reports: nothing names the person any more. "
                "Recordings and manifests are yours to mend."
            )
        raise typer.Exit(1 if report.remaining else 0)
