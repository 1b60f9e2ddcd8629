"""Training on a lab's own labelled sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli.terminal import progress, quoted, say, show_object, show_table


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command(
        help="Fit fusion to your own labelled sessions: weights, model card, and how well people left out are told.\n\n"
        "STUDY holds results of analyze or batch, or session folders, which are analysed first. Labels stand in "
        "STUDY/labels.csv: session, person, onset_s, offset_s (or question), label. Every session needs consent to "
        "train. Run again to go on after an interruption.\n\n"
        "Example: telltale train results --sessions sessions --labels labels.csv -o model.safetensors"
    )
    def train(
        study: Path = typer.Argument(..., metavar="STUDY", help="Folder of results, or of session folders."),
        out: Path = typer.Option(
            ...,
            "-o",
            "--out",
            metavar="MODEL",
            help="File ending in .safetensors, or a folder; the card goes beside it.",
        ),
        labels: Path | None = typer.Option(None, "--labels", metavar="FILE", help="Table of labels (csv, tsv)."),
        label: str = typer.Option("label", "--label", metavar="COLUMN", help="The label's column in it."),
        positive: str | None = typer.Option(
            None, "--positive", metavar="CLASS", help="Of two classes, the one whose probability is told."
        ),
        name: str = typer.Option("label", "--name", help="Name of the column: fused.NAME."),
        sessions: Path | None = typer.Option(
            None, "--sessions", metavar="DIR", help="Session folders, if not in STUDY: for consent and subgroups."
        ),
        results: Path | None = typer.Option(
            None, "--results", metavar="DIR", help="Results of batch, if not in STUDY."
        ),
        weights: Path | None = typer.Option(
            None, "--weights", metavar="FILE", help="Fusion weights to build on; the shipped ones by default."
        ),
        folds: int = typer.Option(5, "--folds", min=2, max=20, help="People are left out in so many parts."),
        seeds: int = typer.Option(3, "--seeds", min=1, max=20, metavar="N", help="How often they are dealt anew."),
        ablation: bool = typer.Option(False, "--ablation", help="Also train without each channel."),
        jobs: int = typer.Option(1, "-j", "--jobs", min=1, metavar="N", help="Processes of one thread each."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.lab.card import system_cells
        from pipeline.lab.folds import Protocol
        from pipeline.lab.labels import read_labels
        from pipeline.lab.sessions import find_sources
        from pipeline.lab.train import Order, place_of
        from pipeline.lab.train import train as run
        from pipeline.privacy import keys, records

        place = place_of(out)
        if place.resolve().is_relative_to(study.resolve()) and (place.parent / "session.toml").exists():
            raise InvalidValueError("a model is never written into a session folder", file=place)
        table = read_labels(labels or _labels_in(study), label, positive)
        found = find_sources(study, sessions, results)
        for session, why in found.refused.items():
            say(f"{session} is not used: {why}", "yellow")
        for root in {keys.study_root(one.root) for one in found.usable}:
            own = [one for one in found.usable if keys.study_root(one.root) == root]
            people = {one.name: [person.id for person in one.manifest.people] for one in own}
            records.begin("train", root, people, None, say)
        order = Order(name, Protocol(folds, seeds), ablation, weights, jobs=jobs)
        with progress() as hook:
            done = run(found.usable, table, out, order, hook)
        for session, why in done.failed.items():
            say(f"{session} is not used: {why}", "yellow")
        unmatched = int(done.record["label"]["data"]["lines_without_session"])
        if unmatched:
            say(f"{unmatched} lines of the table met no session", "yellow")
        card = done.weights.with_suffix(".md")
        if as_json:
            show_object({
                "weights": str(done.weights), "card": str(card), "headline": done.headline,
                "warnings": list(done.warnings), "data": done.record["label"]["data"], "rows": list(done.rows),
                "differences": list(done.differences), "ablation": list(done.ablation),
                "subgroups": list(done.subgroups), "not_used": {**found.refused, **done.failed},
            })  # fmt: skip
        else:
            for note in done.warnings:
                say(note, "yellow")
            show_table([system_cells(row) for row in done.rows], f"{done.headline} Every line: people left out")
            if done.ablation:
                show_table([_lost(row) for row in done.ablation], "Trained anew without a channel")
            say(f"Weights: {done.weights}   Card: {card}")
            say(f"Use them: telltale analyze SESSION -o OUT --weights {quoted(done.weights)}")
        raise typer.Exit(1 if found.refused or done.failed or unmatched else 0)


def _labels_in(study: Path) -> Path:
    """The table of labels in a study's folder."""
    tsv = study / "labels.tsv"
    return tsv if tsv.is_file() else study / "labels.csv"


def _lost(row: Mapping[str, Any]) -> dict[str, object]:
    band = row["ci95"]
    told = f"{band[0]:.3f} to {band[1]:.3f}" if isinstance(band, tuple | list) else "-"
    return {"without": row["without"], "AUC": row["auc"], "lost": row["auc_difference"], "95 %": told}
