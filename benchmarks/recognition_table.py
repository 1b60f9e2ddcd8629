"""One table of all recognition systems on all data given: honest and dishonest figures side by side.

    python -m benchmarks.recognition_table --data FOLDER [--data FOLDER ...] [--seeds 3] [-j 2] [--resume DIR] -o OUT

Folders hold flow maps or a corpus, as for `telltale me bench`. Without any, those of TELLTALE_DATA are taken where they
are there. Systems that take clips are measured on simulated people, and so are all others with `--simulated`. Leaves
`recognition.csv` and `recognition.html` in OUT. Each system is trained on some persons and tested on others (leave one
subject out; five folds of persons for simulated ones); intervals resample persons. The dishonest column picks, for each
person tested, the moment of training or the setting that is right most often there: that is what a figure "at the best
epoch" means.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modalities.face.recognition.networks_assembled import Assembled
from modalities.face.recognition.protocols import Protocol, find_protocol
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.schedule import Schedule
from modalities.face.recognition.schedule_losses import Beside as LabelBeside
from modalities.face.recognition.schedule_losses import CapsuleMargin
from modalities.face.recognition.scores import Answers, interval, score, uf1_of
from modalities.face.recognition.side_labels import side_labels
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.system import System
from modalities.face.recognition.systems import SYSTEMS, find_system, systems_for
from modalities.face.recognition.zoo.catalogue import catalogue_rows
from modalities.face.recognition.zoo.printed import printed_figures
from pipeline.cli.terminal import progress
from pipeline.recognition_bench import RecognitionBench, Result, run_recognition_bench
from pipeline.recognition_clips import read_clips
from pipeline.recognition_data import read_samples

COLUMNS = (
    "data", "rank", "model", "nominated", "uf1", "uf1_low", "uf1_high", "uf1_sd", "uar", "accuracy", "inner_uf1",
    "dishonest_uf1", "dishonest_low", "dishonest_high", "dishonest_rank", "gain_by_peeking", "compared_with", "gain",
    "gain_low", "gain_high", "verdict", "printed_uf1", "printed_source", "n", "subjects", "seeds", "year", "parameters",
    "status", "loss", "takes", "paper", "source", "ms_per_sample",
)  # fmt: skip
PEOPLE = 20
"""Simulated people of each kind, 8 samples of each."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Recognition systems under one protocol</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1c2430; background: #fff }
table { border-collapse: collapse; margin: 0 0 2.5rem } caption { text-align: left; font-weight: 600; padding: .4rem 0 }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #e3e7ec; white-space: nowrap }
th:nth-child(2), td:nth-child(2), td.words, th.words { text-align: left }
td.words { white-space: normal; max-width: 34rem }
tr.nominated { background: #eef6ee; font-weight: 600 } td.peeked { color: #9a3412; background: #fdf3ec }
.line { position: relative; width: 160px; height: 12px; background: #f1f3f6 }
.line i { position: absolute; top: 5px; height: 2px; background: #64748b }
.line b { position: absolute; top: 2px; width: 4px; height: 8px; margin-left: -2px; background: #0f4c81 }
.line u { position: absolute; top: 2px; width: 4px; height: 8px; margin-left: -2px; background: #c2571b }
</style>
<h1>Recognition systems under one protocol</h1>
<p>Honest: trained on some persons, tested on others, nothing chosen by looking at a test. Dishonest: for each person
tested the best of the moments of training (or settings), chosen by that person's truth. Intervals: 95&nbsp;%, persons
resampled. The nominated system was chosen by folds inside training sets before any test was opened: only its row is a
claim. In the line: blue honest with its interval, orange dishonest, from 0 to 1. Gain: over the same network with the
same loss, but without the strategy, the drawn samples or the further loss; it raises or lowers only where the interval
leaves 0 out. Printed: what a paper prints for the 442 samples of MEGC 2019.</p>
{% for data, rows in parts %}<table><caption>{{ data }}: {{ rows[0].n }} samples of {{ rows[0].subjects }} persons,
{{ rows[0].seeds }} seed{{ "s" if rows[0].seeds > 1 }}{% if agree(rows) is not none %}; the dishonest ranking agrees
with the honest one by {{ agree(rows) }} (Spearman){% endif %}</caption>
<tr><th>rank</th><th>model</th><th>UF1</th><th>95 %</th><th>UAR</th><th></th><th>dishonest UF1</th>
<th>rank there</th><th>gain</th><th>inner UF1</th><th class="words">gain over</th><th class="words">verdict</th>
<th>printed UF1</th>
<th>year</th><th>parameters</th><th class="words">status</th>
<th class="words">paper; what differs</th></tr>
{% for row in rows %}<tr{% if row.nominated %} class="nominated"{% endif %}><td>{{ row.rank }}</td><td>{{ row.model }}
</td><td>{{ three(row.uf1) }}</td><td>{{ three(row.uf1_low) }} to {{ three(row.uf1_high) }}</td><td>{{ three(row.uar) }}
</td><td><div class="line"><i style="left:{{ 100 * row.uf1_low }}%;width:{{ 100 * (row.uf1_high - row.uf1_low) }}%"></i>
<b style="left:{{ 100 * row.uf1 }}%"></b>{% if row.dishonest_uf1 is not none %}<u style="left:{{ 100 * row.dishonest_uf1
}}%"></u>{% endif %}</div></td><td class="peeked">{{ three(row.dishonest_uf1) }}</td><td class="peeked">
{{ row.dishonest_rank if row.dishonest_rank is not none }}</td><td class="peeked">{{ three(row.gain_by_peeking) }}</td>
<td>{{ three(row.inner_uf1) }}</td><td class="words">{% if row.compared_with %}{{ row.compared_with }}:
{{ three(row.gain) }} ({{ three(row.gain_low) }} to {{ three(row.gain_high) }}){% endif %}</td>
<td class="words">{{ row.verdict or "" }}</td>
<td title="{{ row.printed_source or "" }}">{{ three(row.printed_uf1) }}</td>
<td>{{ row.year or "" }}</td><td>{{ row.parameters or "" }}</td><td class="words">
{{ row.status }}</td><td class="words">{{ row.paper }}; {{ row.source }}</td></tr>
{% endfor %}</table>{% if printed(rows) is not none %}<p>{{ data }}: over the {{ printed(rows).systems }} systems
with a printed figure, the printed ranking agrees with the honest one by {{ printed(rows).spearman }}
(Spearman).</p>{% endif %}
{% endfor %}</html>
"""


def measured(
    name: str, samples: Samples, systems: Sequence[System], how: Protocol | None = None, **bench: Any
) -> list[dict[str, Any]]:
    """Rows of systems on one set of samples.

    Args:
        name: Of the data.
        samples: Labelled samples.
        systems: What is measured.
        how: The protocol; by default one subject out, five folds of persons for data named "simulated ...".
        **bench: For `run_recognition_bench`: seeds, workers, oracle, keep, hook.
    """
    how = how or find_protocol("kfold" if name.startswith("simulated") else "loso")
    return table_rows(name, run_recognition_bench(samples, systems, how, **bench))


def table_rows(data: str, bench: RecognitionBench) -> list[dict[str, Any]]:
    """A row for each system, the best honest UF1 first, columns `COLUMNS`."""
    classes = bench.samples.classes
    about = {row["model"]: row for row in catalogue_rows([find_system(one.system) for one in bench.results])}
    rows = []
    for name in dict.fromkeys(one.system for one in bench.results):
        mine = [one for one in bench.results if one.system == name]
        scored = [score(one.answers, classes) for one in mine]
        mean = {key: round(float(np.mean([one[key] for one in scored])), 4) for key in ("uf1", "uar", "accuracy")}
        low, high = interval(_together([one.answers for one in mine]), len(classes))
        peeked = [one.dishonest for one in mine if one.dishonest is not None]
        best = round(float(np.mean([score(one, classes)["uf1"] for one in peeked])), 4) if peeked else None
        bounds = interval(_together(peeked), len(classes)) if peeked else (None, None)
        against = compared_with(find_system(name))
        base = [one.answers for one in bench.results if one.system == against]
        gain, gain_low, gain_high = _gain([one.answers for one in mine], base, len(classes))
        kept = {key: about[name][key] for key in ("year", "parameters", "status", "loss", "takes", "paper", "source")}
        lacking = missing_label(find_system(name), bench.samples)
        kept["source"] += f"; no {lacking} in these samples" if lacking else ""
        printed = printed_figures().get(name)
        rows.append(
            {
                "data": data, "model": name, "nominated": name == bench.nominated, **mean, "uf1_low": low,
                "uf1_high": high, "ms_per_sample": _time_of(mine),
                "uf1_sd": round(float(np.std([one["uf1"] for one in scored], ddof=1)), 4) if len(mine) > 1 else None,
                "inner_uf1": bench.inner.get(name), "dishonest_uf1": best, "dishonest_low": bounds[0],
                "dishonest_high": bounds[1], "gain_by_peeking": None if best is None else round(best - mean["uf1"], 4),
                "compared_with": against if base else None, "gain": gain, "gain_low": gain_low, "gain_high": gain_high,
                "verdict": verdict(gain_low, gain_high), "printed_uf1": printed.uf1 if printed else None,
                "printed_source": printed.source if printed else None, "n": scored[0]["n"],
                "subjects": scored[0]["subjects"], "seeds": len(mine), **kept,
            }
        )  # fmt: skip
    for at, key in (("rank", "uf1"), ("dishonest_rank", "dishonest_uf1")):
        order = sorted((row for row in rows if row[key] is not None), key=lambda row: -row[key])
        places = {row["model"]: place for place, row in enumerate(order, start=1)}
        for row in rows:
            row[at] = places.get(row["model"])
    return [{name: row[name] for name in COLUMNS} for row in sorted(rows, key=lambda row: row["rank"])]


def compared_with(system: System) -> str | None:
    """What a system is without its strategy, drawn samples or further loss; None where there is no such system.

    The same layers from the same input, trained by a plain schedule with the same cross entropy: strategies and losses
    that have a cross entropy of their own within have the unweighted one. Adaptive focal loss weighs classes as the
    balanced cross entropy does, and that one is compared with the unweighted.
    """
    parts = _layers(system)
    if parts is None:
        return None
    inner = _cross_entropy(system)
    plain = isinstance(system.strategy, Schedule) and isinstance(system.loss, str)
    if plain:
        inner = "cross_entropy" if inner == "balanced_cross_entropy" else None
    for other in SYSTEMS.values():
        is_plain = isinstance(other.strategy, Schedule) and other.loss == inner
        if is_plain and other.name != system.name and _layers(other) == parts:
            return other.name
    return None


def _cross_entropy(system: System) -> str | None:
    """Which cross entropy a system's training contains; None for none."""
    loss: Any = system.loss
    if isinstance(loss, str):
        return loss
    if isinstance(loss, CapsuleMargin):
        return None
    return "balanced_cross_entropy" if getattr(loss, "adaptive", False) else "cross_entropy"


def _layers(system: System) -> tuple[Any, ...] | None:
    """Input and layers of an assembled network; the same for networks that compute the same by the same layers."""
    architecture = system.architecture
    if not isinstance(architecture, Assembled):
        return None
    chains = tuple((one.channels, *one.first, *(one.parts or system.block)) for one in architecture.streams)
    tail: tuple[Any, ...] = architecture.tail
    if len(chains) == 1:
        chains, tail = ((chains[0][0],),), (*chains[0][1:], *tail)
    return system.input, architecture.join, architecture.shared, chains, tail, architecture.head


def verdict(low: float | None, high: float | None) -> str | None:
    """What the 95 % interval of a gain says: "raises", "lowers" or "no evidence"; None where nothing was compared."""
    if low is None or high is None:
        return None
    return "raises" if low > 0 else "lowers" if high < 0 else "no evidence"


def missing_label(system: System, samples: Samples) -> str | None:
    """The label that a system learns beside the class and that no sample has, in words; None where there is one."""
    loss: Any = system.loss
    if not isinstance(loss, LabelBeside):
        return None
    known: Any = side_labels(samples)[loss.label]
    if (known >= 0).any():
        return None
    return {"units": "action units"}.get(loss.label, loss.label)


def _gain(
    mine: Sequence[Answers], base: Sequence[Answers], classes: int
) -> tuple[float | None, float | None, float | None]:
    """UF1 over that of what it is compared with, and its interval, the same persons drawn for both."""
    if len(base) != len(mine):
        return None, None, None
    ours, plain = _together(mine), _together(base)
    low, high = interval(ours, classes, other=plain)
    gap = uf1_of(ours.truth, ours.said, classes) - uf1_of(plain.truth, plain.said, classes)
    return round(gap, 4), low, high


def _time_of(results: Sequence[Result]) -> float | None:
    """Milliseconds for each sample, prepared and answered."""
    known = [one.ms_per_sample for one in results if one.ms_per_sample is not None]
    return round(float(np.mean(known)), 3) if known else None


def _together(answers: Sequence[Answers]) -> Answers:
    """Answers of several seeds as one; each person's stay together."""
    columns = ("rows", "truth", "said", "person", "group")
    return Answers(*(np.concatenate([getattr(one, name) for one in answers]) for name in columns))


def rank_agreement(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Spearman's correlation of the honest with the dishonest ranking; None for fewer than three systems."""
    from scipy.stats import spearmanr

    pairs = [(row["uf1"], row["dishonest_uf1"]) for row in rows if row["dishonest_uf1"] is not None]
    return round(float(spearmanr(np.array(pairs)).statistic), 3) if len(pairs) > 2 else None


def printed_agreement(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Spearman's correlation of the honest with the printed ranking: {systems, spearman}.

    None for fewer than three systems with a printed figure, and for simulated people, of whom nothing is printed.
    """
    from scipy.stats import spearmanr

    pairs = [(row["uf1"], row["printed_uf1"]) for row in rows if row["printed_uf1"] is not None]
    if len(pairs) < 3 or str(rows[0]["data"]).startswith("simulated"):
        return None
    return {"systems": len(pairs), "spearman": round(float(spearmanr(np.array(pairs)).statistic), 3)}


def write_table(rows: Sequence[Mapping[str, Any]], out: Path) -> None:
    """`recognition.csv` and `recognition.html` in a folder."""
    from jinja2 import Environment

    out.mkdir(parents=True, exist_ok=True)
    with (out / "recognition.csv").open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    parts = [
        (name, [row for row in rows if row["data"] == name]) for name in dict.fromkeys(row["data"] for row in rows)
    ]
    page = Environment(autoescape=True).from_string(_PAGE)
    text = page.render(
        parts=parts, agree=rank_agreement, printed=printed_agreement,
        three=lambda value: "" if value is None else f"{value:.3f}",
    )  # fmt: skip
    (out / "recognition.html").write_text(text, encoding="utf-8")


def all_data(
    folders: Sequence[Path], simulated: bool, workers: int, keep: Path | None, clips_too: bool = True
) -> dict[str, Samples]:
    """What is measured on, by name; simulated clips only where a system takes clips."""
    shared = os.environ.get("TELLTALE_DATA")
    if not folders and shared and (Path(shared) / "me_flow").is_dir():
        folders = [Path(shared) / "me_flow"]
    maps, clips = (None if keep is None else keep / name for name in ("maps", "clips"))
    found = {}
    for folder in folders:
        found[folder.name] = read_samples(folder, workers=workers, keep=maps)
        if not any(folder.glob("*.npz")):
            found[f"{folder.name}, clips"] = read_clips(folder, workers=workers, keep=clips).samples
    if clips_too:
        found["simulated clips"] = simulate_clip_set(PEOPLE, 8, seed=71)
    if simulated or not folders:
        found["simulated maps"] = simulate_flow_set(PEOPLE, 8, seed=71, units=True)
    return found


def _asked(names: str, samples: Samples) -> list[System]:
    if not names:
        return systems_for(samples.kind)
    asked = [find_system(name.strip()) for name in names.split(",")]
    return [one for one in asked if one.input.kind == samples.kind]


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and write the table."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--data", type=Path, action="append", default=[], metavar="FOLDER")
    reader.add_argument("--models", default="", metavar="A,B", help="by default all that take the data")
    reader.add_argument("--seeds", type=int, default=1)
    reader.add_argument("-j", "--jobs", type=int, default=1)
    reader.add_argument("--resume", type=Path, metavar="DIR", help="folder of finished folds")
    reader.add_argument("--honest-only", action="store_true", help="half the time: no dishonest column")
    reader.add_argument("--simulated", action="store_true", help="maps of simulated people too")
    reader.add_argument("-o", "--out", type=Path, required=True, metavar="OUT")
    asked = reader.parse_args(words)
    rows: list[dict[str, Any]] = []
    named = [find_system(name.strip()) for name in asked.models.split(",") if name.strip()]
    clips_too = not named or any(one.input.kind == "clip" for one in named)
    for name, samples in all_data(asked.data, asked.simulated, asked.jobs, asked.resume, clips_too).items():
        systems = _asked(asked.models, samples)
        if not systems:
            continue
        with progress() as hook:
            rows += measured(
                name, samples, systems, seeds=asked.seeds, workers=asked.jobs, oracle=not asked.honest_only,
                keep=asked.resume, hook=hook,
            )  # fmt: skip
        write_table(rows, asked.out)
    print(f"{len(rows)} rows: {asked.out / 'recognition.csv'}, {asked.out / 'recognition.html'}")


if __name__ == "__main__":
    main()
