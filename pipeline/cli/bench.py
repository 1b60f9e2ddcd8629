"""Measurements that a user can repeat: bench spotting."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.terminal import progress, say, show_object, show_table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Measure on material with known truth.\n\nExample: telltale bench spotting --videos my_videos",
    )
    app.add_typer(group, name="bench")

    @group.callback()
    def _group() -> None:
        """Keep `spotting` a word of its own, also while it is the only one."""

    @group.command(
        help="Every spotter on the planted benchmark: simulated faces, and your own videos.\n\n"
        "Expressions of known size, side and time are planted at 5 a minute into rendered faces and into each video of "
        "DIR; whatever a face does by itself counts as a false alarm there. What is found in the unplanted copies is "
        "listed apart.\n\n"
        "Cases are split into a training and a test half, by a fixed rule: which spotter wins on the training half is "
        "said, with what it is worth on the other.\n\n"
        "Faces are told apart by their own movement over 0.25 s: calm below 0.6 % of the inter-ocular distance, lively "
        "from 2 % on.\n\n"
        "Example: telltale bench spotting --videos my_videos --minutes 60"
    )
    def spotting(
        spotters: str = typer.Option("", "--spotters", metavar="A,B", help="Names; by default all."),
        videos: Path | None = typer.Option(None, "--videos", metavar="DIR", help="Folder of face videos."),
        minutes: float = typer.Option(4.0, "--minutes", help="Planted length in all; 60 is the full size."),
        jobs: int = typer.Option(0, "-j", "--jobs", min=0, metavar="N", help="Worker processes; by default all cores."),
        cache: Path | None = typer.Option(
            None, "--cache", metavar="DIR", help="Keep what is seen of each copy here, for the next spotter."
        ),
        seed: int = typer.Option(0, "--seed", min=0, help="Another seed plants and disturbs otherwise."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from modalities.face.encoder import SETTINGS
        from modalities.face.spotting.base import SPOTTERS
        from pipeline.bench_bands import band_rows, calibration_rows, threshold_rows
        from pipeline.bench_halves import half_rows, winner_row
        from pipeline.bench_printing import LEGEND, lay_out
        from pipeline.bench_scores import natural_rows, score_rows
        from pipeline.bench_spotting import run_bench
        from pipeline.bench_workers import usable_cores

        names = [name.strip() for name in spotters.split(",") if name.strip()] or list(SPOTTERS)
        with progress() as hook:
            bench = run_bench(
                names, videos, minutes=minutes, seed=seed, jobs=jobs or usable_cores(), cache=cache, hook=hook
            )
        tables = {
            "rows": score_rows(bench.outcomes),
            "bands": band_rows(bench.outcomes),
            "thresholds": threshold_rows(bench.outcomes),
            "calibration": calibration_rows(bench.outcomes),
            "natural": natural_rows(bench.outcomes),
            "halves": half_rows(bench.outcomes),
        }
        winner = winner_row(bench.outcomes, SETTINGS["spotter"])
        if as_json:
            show_object({**tables, "winner": winner, "refused": bench.refused})
        else:
            for sheet in lay_out(tables):
                show_table(sheet.rows, sheet.title)
            show_table([winner], "Greatest F1 (micro and macro) on the training half")
            say(LEGEND)
        for name, why in bench.refused.items():
            say(f"{name}: {why}", "yellow")
        raise typer.Exit(1 if bench.refused else 0)
