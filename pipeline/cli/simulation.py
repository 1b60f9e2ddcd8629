"""Commands that make sessions with known truth: demo, simulate."""

from __future__ import annotations

from pathlib import Path

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli.terminal import progress, say, show_table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(help="Simulate a session with known truth, analyse it, and compare.\n\nExample: telltale demo -o demo")
    def demo(
        out: Path = typer.Option(Path("demo"), "-o", "--out", metavar="OUT", help="Folder for session and result."),
        seconds: float = typer.Option(60.0, "--seconds", help="Length of the session."),
        seed: int = typer.Option(0, "--seed", help="Another seed makes another session."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.cli.analyze import tell_problems
        from pipeline.compare import compare, expression_rows
        from pipeline.demo import run_demo

        with progress() as hook:
            made = run_demo(out, seconds=seconds, seed=seed, hook=hook)
        if not as_json:
            show_table(expression_rows(made.truth, made.result), "Expressions, planted beside found")
        show_table(compare(made.truth, made.result), "Planted beside found", as_json)
        tell_problems(made.result)
        say(f"Session:  {made.session}")
        say(f"Timeline: {made.saved / 'timeline.parquet'}")
        say(f"Report:   {made.saved / 'report.html'}")
        raise typer.Exit(made.result.exit_status)

    @app.command(help="Write sessions with known truth.\n\nExample: telltale simulate --sessions 3 --seconds 60 -o sim")
    def simulate(
        out: Path = typer.Option(..., "-o", "--out", metavar="DIR", help="Folder for the session folders."),
        sessions: int = typer.Option(1, "--sessions", min=1, help="How many."),
        seconds: float = typer.Option(60.0, "--seconds", help="Length of each session."),
        seed: int = typer.Option(0, "--seed", help="Seed of the first session."),
        fidelity: str = typer.Option("rendered", "--fidelity", help="signal (no videos, fast) or rendered."),
        people: int = typer.Option(1, "--people", min=1, max=2, help="1, or 2 who talk to each other."),
        mimicry: str | None = typer.Option(
            None,
            "--mimicry",
            metavar="NAME=S,...",
            help="What the second person takes over, seconds later: smile, gesture, heart_rate; or none (drawn).",
        ),
        cameras: str = typer.Option(
            "rgb", "--cameras", metavar="NAME,...", help="Of each face: rgb, nir, depth, some or all of them."
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.simulate.partner import read_mimicry
        from pipeline.simulate.session import simulate_study

        if fidelity not in ("signal", "rendered"):
            raise InvalidValueError("unknown fidelity", got=fidelity, expected="signal or rendered")
        planted = None if mimicry is None else read_mimicry(mimicry)
        with progress() as hook:
            made = simulate_study(
                out, sessions, seconds=seconds, seed=seed, fidelity=fidelity, people=people, mimicry=planted,
                cameras=[name.strip() for name in cameras.split(",") if name.strip()], hook=hook,
            )  # fmt: skip
        show_table([{"session": str(folder)} for folder in made], f"Simulated, {fidelity} level", as_json)
