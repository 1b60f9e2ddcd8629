"""`telltale me units`: which action units go with which class, and how well units are read off flow."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.terminal import progress, show_object, show_table


def register(group: typer.Typer) -> None:
    """Add the command to `telltale me`."""

    @group.command(
        help="Action units of a corpus: which go with which class or emotion (odds ratios, intervals over persons), "
        "what a mapping table makes of them, and with --read how well they are read off the flow maps of strangers.\n\n"
        "Example: telltale me units --data casme2 --by emotion"
    )
    def units(
        data: Path = typer.Option(..., "--data", metavar="DIR", help="Flow maps with a column au, or a corpus."),
        by: str = typer.Option("class", "--by", metavar="COLUMN", help="class, emotion, or another column."),
        mapping: Path | None = typer.Option(
            None, "--mapping", metavar="CSV", help="Your own table: emotion, units, class; by default EMFACS."
        ),
        read: bool = typer.Option(False, "--read", help="Also read units off the maps, one person left out at a time."),
        jobs: int = typer.Option(1, "-j", "--jobs", min=1, metavar="N", help="Processes for flow maps of a corpus."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from modalities.face.recognition.association import EMFACS, agreement, associate, read_mapping
        from modalities.face.recognition.flow_units import score_units, unit_rows
        from pipeline.recognition_data import read_samples

        rules = read_mapping(mapping or EMFACS)
        with progress() as hook:
            samples = read_samples(data, workers=jobs, hook=hook)
            told = agreement(samples, rules, "emotion" if by == "emotion" else "class")
            found = {"association": associate(samples, by), "mapping": told}
            if read:
                found["read"] = unit_rows(score_units(samples, hook=hook))
        if as_json:
            show_object(found)
            return
        shown = (
            "unit",
            "group",
            "both",
            "shown",
            "in_group",
            "share",
            "phi",
            "odds_ratio",
            "odds_low",
            "odds_high",
            "q",
        )
        show_table(found["association"], f"Action units by {by}; intervals over persons (95 %)", columns=shown)
        show_table(found["mapping"], f"What {(mapping or EMFACS).name} makes of the coded units")
        if read:
            show_table(
                found["read"], "Read off the flow: area under the ROC curve, against PCA and logistic regression"
            )
