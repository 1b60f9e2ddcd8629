"""Commands around the manifest: init, check, doctor."""

from __future__ import annotations

from pathlib import Path

import typer

from data_schemas.errors import ManifestError
from pipeline.cli.terminal import counted, progress, quoted, say, show_table

_SCOPES = ("analyse", "share", "train")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(help="Look at the files of a session and write a commented session.toml.\n\n"
                 "Example: telltale init sessions/p01 --consent analyse")  # fmt: skip
    def init(
        folder: Path = typer.Argument(..., metavar="DIR", help="Folder with the recordings of one session."),
        consent: str = typer.Option(
            "", "--consent", help="What the recorded people agreed to: analyse, share, train; comma-separated."
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.inspect import write_manifest

        scopes = [word.strip() for word in consent.split(",") if word.strip()]
        unknown = [word for word in scopes if word not in _SCOPES]
        if unknown:
            raise ManifestError("unknown consent scope", got=", ".join(unknown), expected=", ".join(_SCOPES))
        with progress() as hook:
            path, guesses, broken = write_manifest(folder, scopes, hook)
        rows = [
            {
                "stream": guess.values["name"],
                "kind": guess.values["kind"],
                "file": guess.values["file"],
                "columns": ", ".join(guess.values.get("columns", [])),
                "remarks": "; ".join(guess.remarks),
            }
            for guess in guesses
        ]
        show_table(rows, f"Streams found, written to {path}", as_json)
        for error in broken:
            say(f"not readable: {error}", "yellow")
        if not scopes:
            say("Consent is empty: fill in [consent] in the manifest before you analyse.", "yellow")
        say(f"Read {path} through and correct it. Next: telltale check {quoted(folder)}")
        raise typer.Exit(1 if broken else 0)

    @app.command(help="Validate manifest, files, consent and clocks.\n\nExample: telltale check sessions/p01")
    def check(
        folder: Path = typer.Argument(..., metavar="DIR", help="Session folder."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.check import check_session

        with progress() as hook:
            findings = check_session(folder, hook)
        show_table([finding.row() for finding in findings], f"Findings for {folder}", as_json)
        errors = sum(finding.severity == "error" for finding in findings)
        if errors:
            say(f"{counted(errors, 'error')}: analyze would refuse or leave channels out.", "red")
        else:
            out = Path("results") / folder.resolve().name
            say(f"Nothing stands in the way. Next: telltale analyze {quoted(folder)} -o {quoted(out)}")
        raise typer.Exit(1 if errors else 0)

    @app.command(help="Versions, models, system libraries, and what is missing.\n\nExample: telltale doctor")
    def doctor(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
        from pipeline.doctor import diagnose

        rows = diagnose()
        show_table(rows, "This installation", as_json)
        raise typer.Exit(1 if any(row["status"] == "missing" for row in rows) else 0)
