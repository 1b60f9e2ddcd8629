"""Recognition systems: me models, bench, evaluate."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.terminal import progress, say, show_object, show_table

_DATA = "Folder of flow maps: npz with x, y, subject, dataset, clip; perhaps labels.csv."
_JOBS = "Processes of one thread each."
_RESUME = "Folder of finished folds; the same command goes on from it."
_JSON = "Print one JSON object."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Recognition of micro-expressions: systems, and how well they really do.\n\n"
        "Example: telltale me bench --data flow_maps --models ststnet,kernel-ridge",
    )
    app.add_typer(group, name="me")

    @group.command(help="The systems and their parts: input, block, architecture, strategy, loss.")
    def models(as_json: bool = typer.Option(False, "--json", help=_JSON)) -> None:
        from modalities.face.recognition.systems import SYSTEMS

        rows = [one.row() for one in SYSTEMS.values()]
        columns = None if as_json else ("model", "takes", "loss", "source")
        show_table(rows, "Recognition systems (all parts with --json)", as_json, columns)

    @group.command(
        help="Systems under one protocol: trained on some persons, tested on others.\n\n"
        "Whatever is chosen is chosen inside training folds. One system is nominated by its inner folds before any "
        "test is opened: only its row counts, the others are there to compare.\n\n"
        "Example: telltale me bench --data flow_maps --seeds 3 -j 2 --resume bench_folds"
    )
    def bench(
        data: Path = typer.Option(..., "--data", metavar="DIR", help=_DATA),
        models: str = typer.Option("", "--models", metavar="A,B", help="Names; by default all that take such data."),
        protocol: str = typer.Option("loso", "--protocol", help="loso, lovo, kfold, cde, hde, type1 or type2."),
        seeds: int = typer.Option(1, "--seeds", min=1, metavar="N", help="Runs with different seeds."),
        oracle: bool = typer.Option(
            False, "--oracle", help="Also the dishonest figure: the best setting or epoch for each test subject."
        ),
        shuffle: bool = typer.Option(
            False, "--shuffle-labels", help="Control: shuffled training labels; gives chance."
        ),
        jobs: int = typer.Option(1, "-j", "--jobs", min=1, metavar="N", help=_JOBS),
        resume: Path | None = typer.Option(None, "--resume", metavar="DIR", help=_RESUME),
        as_json: bool = typer.Option(False, "--json", help=_JSON),
    ) -> None:
        from modalities.face.recognition.flow_set import read_flow_set
        from modalities.face.recognition.protocols import find_protocol
        from modalities.face.recognition.systems import find_system, systems_for
        from pipeline import recognition_bench as tables

        names = [name.strip() for name in models.split(",") if name.strip()]
        asked, how = [find_system(name) for name in dict.fromkeys(names)], find_protocol(protocol)
        samples = read_flow_set(data)
        with progress() as hook:
            done = tables.run_recognition_bench(
                samples, asked or systems_for(samples.kind), how, seeds=seeds, workers=jobs, oracle=oracle,
                shuffled=shuffle, keep=resume, hook=hook,
            )  # fmt: skip
        found = {
            "rows": tables.score_rows(done),
            "means": tables.mean_rows(done),
            "details": tables.detail_rows(done),
            "differences": tables.difference_rows(done),
            "oracle": tables.oracle_rows(done),
            "subgroups": tables.subgroup_rows(done),
        }
        if as_json:
            show_object(
                {**found, "nominated": done.nominated, "control": "shuffled labels" if shuffle else None,
                 "refused": done.refused}
            )  # fmt: skip
        else:
            titles = {
                "rows": f"Scores ({how.about})" + (", labels shuffled in training" if shuffle else ""),
                "means": "Over the seeds; only the row of the nominated system counts",
                "details": "Intervals of UF1 over persons (95 %)",
                "differences": "Nominated system against the others",
                "oracle": "DISHONEST beside honest: the best setting or epoch for each test subject, by its truth",
                "subgroups": "Subgroups, nominated system",
            }
            shown = {"details": ("model", "seed", "n", "subjects", "uf1", "uf1_low", "uf1_high", "uar", "war", "f1")}
            for name, title in titles.items():
                if found[name]:
                    show_table(found[name], title, columns=shown.get(name))
        for name, why in done.refused.items():
            say(f"{name}: {why}", "yellow")
        raise typer.Exit(1 if done.refused else 0)

    @group.command(
        help="One system on a folder of samples; a system without shipped weights leaves one subject out at a time.\n\n"
        "Example: telltale me evaluate --model kernel-ridge --data flow_maps"
    )
    def evaluate(
        model: str = typer.Option(..., "--model", help="Name; see telltale me models."),
        data: Path = typer.Option(..., "--data", metavar="DIR", help=_DATA),
        jobs: int = typer.Option(1, "-j", "--jobs", min=1, metavar="N", help=_JOBS),
        resume: Path | None = typer.Option(None, "--resume", metavar="DIR", help=_RESUME),
        as_json: bool = typer.Option(False, "--json", help=_JSON),
    ) -> None:
        from modalities.face.recognition.flow_set import read_flow_set
        from modalities.face.recognition.protocols import find_protocol
        from modalities.face.recognition.systems import find_system
        from pipeline.recognition_bench import evaluation, run_recognition_bench, score_rows

        system, samples = find_system(model), read_flow_set(data)
        system.check(samples)
        with progress() as hook:
            done = run_recognition_bench(
                samples, [system], find_protocol("loso"), workers=jobs, keep=resume, hook=hook
            )  # fmt: skip
        if as_json:
            show_object(evaluation(done))
        else:
            show_table(score_rows(done), "Leave one subject out")
