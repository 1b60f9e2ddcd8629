"""Recognition systems: me models, bench, evaluate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli import me_units
from pipeline.cli.terminal import progress, say, show_object, show_table

if TYPE_CHECKING:
    from modalities.face.recognition.samples import Samples
    from modalities.face.recognition.system import System

_DATA = (
    "Folder of flow maps (npz with x, y, subject, dataset, clip; perhaps labels.csv), or of a corpus as its makers "
    "ship it: CASME II, SMIC, SAMM and others."
)
_JOBS = "Processes of one thread each."
_RESUME = "Folder of finished folds and computed flow maps; the same command goes on from it."
_JSON = "Print one JSON object."
_STUDY = (
    "Study whose manifests name the subjects: only who agreed to train is used, and telltale forget finds the model."
)
_STATUS = {
    "as published": "the same layers and widths as in the paper",
    "reduced": "the same layers with fewer channels, or smaller pictures",
    "kind of": "the idea of the paper on the input at hand; what differs stands in source (--json)",
    "own": "Telltale's, trained anew in every bench",
    "with weights": "Telltale's, answers at once with the weights that come with it",
}
"""What `telltale me models` means by its last column."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Recognition of micro-expressions: systems, and how well they really do.\n\n"
        "Example: telltale me bench --data flow_maps --models ststnet,kernel-ridge",
    )
    app.add_typer(group, name="me")
    me_units.register(group)

    @group.command(
        help="The systems: paper, year, input, parameters, and how near each is to its paper. --json gives all parts: "
        "block, architecture, strategy, loss, what differs.\n\nExample: telltale me models"
    )
    def models(as_json: bool = typer.Option(False, "--json", help=_JSON)) -> None:
        from modalities.face.recognition.systems import SYSTEMS
        from modalities.face.recognition.zoo.catalogue import catalogue_rows

        rows = catalogue_rows(SYSTEMS.values())
        if as_json:
            show_table(rows, as_json=True)
            return
        shown = ("model", "paper", "year", "takes", "parameters", "status")
        plain = [{**row, "paper": _without_year(row["paper"], row["year"])} for row in rows]
        show_table(plain, "Recognition systems (all parts with --json)", columns=shown)
        for status, meaning in _STATUS.items():
            say(f"{status}: {meaning}")

    @group.command(
        help="Systems under one protocol: trained on some persons, tested on others.\n\n"
        "Whatever is chosen is chosen inside training folds. One system is nominated by its inner folds before any "
        "test is opened: only its row counts, the others are there to compare. Where all models named take clips, "
        "those of a corpus are read instead of its maps.\n\n"
        "ms_per_sample: preparing and answering one sample, without training.\n\n"
        "Example: telltale me bench --data flow_maps --seeds 3 -j 2 --resume bench_folds"
    )
    def bench(
        data: Path | None = typer.Option(None, "--data", metavar="DIR", help=_DATA),
        simulated: bool = typer.Option(
            False, "--simulated", help="Simulated people instead: clips, or maps where all models named take maps."
        ),
        magnifier: Path | None = typer.Option(
            None, "--magnifier", metavar="FILE", help="Your own TorchScript network, as a row magnified-learned."
        ),
        models: str = typer.Option(
            "", "--models", metavar="A,B", help="Names, or all; by default the best-known ones."
        ),
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
        from modalities.face.recognition.protocols import find_protocol
        from modalities.face.recognition.systems import core_for, find_system, learns, systems_for
        from modalities.face.recognition.systems_methods import magnified_by
        from pipeline import recognition_bench as tables

        names = [name.strip() for name in models.split(",") if name.strip()]
        everything = names == ["all"]
        asked = [] if everything else [find_system(name) for name in dict.fromkeys(names)]
        learned = [] if magnifier is None else [magnified_by(magnifier)]
        if (data is None) != simulated:
            raise InvalidValueError(
                "the bench needs one source of samples",
                got="two" if simulated else "none",
                expected="--data DIR, or --simulated",
            )
        how = find_protocol(protocol)
        fixed = [one.name for one in asked if not learns(one)]
        if shuffle and fixed:
            raise InvalidValueError(
                f"'{fixed[0]}' learns nothing from the samples, so that shuffled labels show nothing of it",
                mend="Leave it out, or leave out --shuffle-labels.",
            )
        if data is None:
            samples = tables.simulated_samples(
                "flow_map" if asked and not learned and _all(asked, "flow_map") else "clip"
            )
        else:
            samples = _read(data, jobs, resume, bool(asked or learned) and _all([*asked, *learned], "clip"))
        asked = (asked or (systems_for if everything else core_for)(samples.kind)) + learned
        with progress() as hook:
            done = tables.run_recognition_bench(
                samples, asked, how, seeds=seeds, workers=jobs, oracle=oracle,
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
        help="One system on a folder of samples. The default comes with its weights and answers at once, always with a "
        "class; a system without weights leaves one subject out at a time.\n\n"
        "Example: telltale me evaluate --model default --data flow_maps"
    )
    def evaluate(
        model: str = typer.Option("default", "--model", help="Name; see telltale me models."),
        data: Path = typer.Option(..., "--data", metavar="DIR", help=_DATA),
        weights: Path | None = typer.Option(
            None,
            "--weights",
            metavar="FILE",
            help="Your own weights of the default, safetensors with a JSON beside it.",
        ),
        jobs: int = typer.Option(1, "-j", "--jobs", min=1, metavar="N", help=_JOBS),
        resume: Path | None = typer.Option(None, "--resume", metavar="DIR", help=_RESUME),
        as_json: bool = typer.Option(False, "--json", help=_JSON),
    ) -> None:
        from modalities.face.recognition.protocols import find_protocol
        from modalities.face.recognition.systems import find_system, learns
        from pipeline.recognition_bench import evaluation, run_recognition_bench, score_rows

        system = find_system(model)
        samples = _read(data, jobs, resume, system.input.kind == "clip")
        system.check(samples)
        if not learns(system):
            _show_default(samples, weights, as_json)
            return
        if weights is not None:
            raise InvalidValueError(f"'{model}' takes no weights", mend="Leave out --weights, or take --model default.")
        with progress() as hook:
            done = run_recognition_bench(
                samples, [system], find_protocol("loso"), workers=jobs, keep=resume, hook=hook
            )  # fmt: skip
        if as_json:
            show_object(evaluation(done))
        else:
            show_table(score_rows(done), "Leave one subject out")

    @group.command(
        help="Your own weights of the default recogniser, trained on your labelled samples and calibrated on folds of "
        "persons. The file counts as personal data of those persons: their consent must cover it.\n\n"
        "Example: telltale me train --data flow_maps -o own.safetensors"
    )
    def train(
        data: Path = typer.Option(..., "--data", metavar="DIR", help=_DATA),
        out: Path = typer.Option(..., "-o", "--out", metavar="FILE", help="safetensors file; its card goes beside it."),
        model: str = typer.Option("default", "--model", help="Only the default keeps weights of its own."),
        study: Path | None = typer.Option(None, "--study", metavar="DIR", help=_STUDY),
        seed: int = typer.Option(0, "--seed", min=0, help="Of folds and training."),
        jobs: int = typer.Option(1, "-j", "--jobs", min=1, metavar="N", help=_JOBS),
        resume: Path | None = typer.Option(None, "--resume", metavar="DIR", help="Folder of computed flow maps."),
        as_json: bool = typer.Option(False, "--json", help=_JSON),
    ) -> None:
        import numpy as np

        from modalities.face.recognition.default.recogniser import check_weights_file
        from modalities.face.recognition.default.training import train_on
        from modalities.face.recognition.systems import find_system, learns
        from pipeline.lab.trainees import UNKNOWN, begin_training

        if learns(find_system(model)):
            raise InvalidValueError(
                f"'{model}' is trained anew by every bench and keeps no weights",
                expected="--model default",
                mend=f"`telltale me evaluate --model {model} --data DIR` trains and tests it.",
            )
        check_weights_file(out)
        samples = _read(data, jobs, resume)
        who = begin_training("me train", data, map(str, samples.subject), study, say)
        if who is not None:
            samples = samples.take(np.flatnonzero(np.isin(samples.subject, who.people)))
        with progress() as hook:
            done = train_on(samples, seed=seed, hook=hook, told=UNKNOWN if who is None else who.card())
        out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done.save(out)
        if who is not None:
            who.note(out, resume)
        figures = {"weights": str(out), **done.card["out_of_fold_figures"]}
        if as_json:
            show_object(figures)
        else:
            show_table([figures], "Trained; scores are of persons left out of training")
        raise typer.Exit(1 if who is not None and who.refused else 0)


def _all(systems: list[System], kind: str) -> bool:
    return all(one.input.kind == kind for one in systems)


def _read(data: Path, jobs: int, resume: Path | None, clips: bool = False) -> Samples:
    """Samples of a folder, of a corpus its clips or its maps; what was left out of a corpus is said on the way."""
    from pipeline.recognition_clips import read_clips
    from pipeline.recognition_data import describe_samples, read_data

    made = clips and not any(data.glob("*.npz"))
    keep = None if resume is None else resume / ("clips" if made else "maps")
    with progress() as hook:
        read = (read_clips if made else read_data)(data, workers=jobs, keep=keep, hook=hook)
    for row in describe_samples(read.samples, read.left_out):
        if row["failed"] or row["apexes_guessed"]:
            say(
                f"{row['dataset']}: {row['samples']} samples, {row['failed']} failed ({row['why'] or 'none'}), "
                f"{row['apexes_guessed']} apexes guessed", "yellow",
            )  # fmt: skip
    for note in read.notes:
        say(note, "yellow")
    return read.samples


def _without_year(paper: str, year: int | None) -> str:
    """The paper, less its year where that stands in a column of its own; with a second year in it, as it is."""
    years = re.findall(r"\b(?:19|20)\d\d\b", paper)
    return paper.replace(f" {year}", "", 1) if years == [str(year)] else paper


def _show_default(samples: Samples, weights: Path | None, as_json: bool) -> None:
    """Scores of the default recogniser, which is not trained on these samples."""
    from modalities.face.recognition.default.evaluation import evaluate_default
    from modalities.face.recognition.default.recogniser import DefaultRecogniser

    found = evaluate_default(DefaultRecogniser.load(weights), samples)
    if as_json:
        show_object(found)
        return
    names = ("n", "uf1", "uar", "accuracy", "answered", "accuracy_answered")
    parts = {**found["per_dataset"], "all": found}
    rows = [{"dataset": name, **{key: one[key] for key in names}} for name, one in parts.items()]
    show_table(rows, "Default recogniser, trained on simulated faces only; answered: where it is not unsure")
