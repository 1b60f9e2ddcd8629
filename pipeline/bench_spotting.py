"""`telltale bench spotting`: every spotter on the planted benchmark.

Spotters see what the face encoder sees: its own pixels-to-signals path runs once over each copy, and every spotter is
asked about the same signals. Scores are those of `modalities.face.spotting.evaluation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from data_schemas.errors import InvalidValueError, NothingUsableError, TelltaleError
from data_schemas.hook import Hook, silent
from pipeline.bench_cache import code_version
from pipeline.bench_plan import MANNERS, CopyPlan, list_videos, materials_of, plan_simulated, plan_video
from pipeline.bench_scores import Outcome, face_of
from pipeline.bench_work import CopyAnswer, CopyTask, FaceTask, follow, own_movement, work
from pipeline.bench_workers import share_out

__all__ = ["Bench", "face_of", "own_movement", "run_bench"]

LOOKING = ("pipeline.bench_material", "modalities.face.observation")
"""Modules whose code, with all that they import, decides what is seen of a copy."""


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        outcomes: One per spotter and copy.
        refused: Videos and copies that could not be used, and why.
    """

    outcomes: tuple[Outcome, ...]
    refused: dict[str, str]


def run_bench(
    spotters: Sequence[str],
    videos: Path | None = None,
    *,
    minutes: float = 4.0,
    seed: int = 0,
    simulated: bool = True,
    jobs: int = 1,
    cache: Path | None = None,
    version: str | None = None,
    hook: Hook = silent,
) -> Bench:
    """Measure spotters.

    Args:
        spotters: Names of `modalities.face.spotting.base.SPOTTERS`.
        videos: Folder of face videos, each used planted and unplanted.
        minutes: Planted length in all, shared evenly by the two simulated manners and the videos.
        seed: Of faces, plans and disturbances.
        simulated: Whether simulated faces take part.
        jobs: Worker processes; 1 does the work in this one. More than one need a main module that can be imported.
        cache: Folder in which what is seen of each copy is kept, and found again by the next run.
        version: Key of the cache for the code that looks; by default a hash of that code.
        hook: Told how many copies are done.

    Raises:
        InvalidValueError: no spotter, an unknown one, or a length or number of jobs that is not positive.
        MissingFileError: the folder is not there.
        NothingUsableError: it holds no video that can be used.
    """
    from modalities.face.spotting.base import load_spotter, reducers_of

    if not (spotters and minutes > 0 and jobs > 0):
        got = (list(spotters), minutes, jobs)
        raise InvalidValueError("the bench needs a spotter, a positive length and at least one job", got=got)
    loaded = [load_spotter(name) for name in spotters]
    files = [] if videos is None else list_videos(videos)
    refused: dict[str, str] = {}
    if cache is not None and version is None:
        reducing = {type(one).__module__ for one in reducers_of(loaded).values()}
        version = code_version([*LOOKING, *reducing])
    with nullcontext(cache) if cache is not None else TemporaryDirectory() as folder:
        faces = Path(folder) / f"v{version or 0}" / "faces"
        plans, kept = _plan_all(files, minutes, seed, simulated, faces, jobs, refused, hook)
        tasks = [
            CopyTask(plan, tuple(spotters), kept.get(plan.material), cache, version or "")
            for plan in plans
            if plan.file is None or plan.material in kept
        ]
        answers = share_out(work, tasks, jobs, lambda done: hook("copies", done, len(tasks)))
    outcomes: list[Outcome] = []
    for task, answer in zip(tasks, answers, strict=True):
        if isinstance(answer, CopyAnswer):
            outcomes += answer.outcomes
        else:
            refused[task.plan.name] = answer
    if not outcomes or (files and not kept.keys() & {one.material for one in outcomes}):
        raise NothingUsableError("no video can be used", file=videos, got="; ".join(refused.values()))
    return Bench(tuple(_as_unplanted(one, outcomes) for one in outcomes), refused)


def _as_unplanted(outcome: Outcome, outcomes: Sequence[Outcome]) -> Outcome:
    """The same with the face's own movement as the unplanted copy of its material shows it, if there is one."""
    plain = next((one for one in outcomes if one.natural and one.material == outcome.material), None)
    return outcome if plain is None else replace(outcome, own_percent=plain.own_percent)


def _plan_all(
    files: Sequence[Path],
    minutes: float,
    seed: int,
    simulated: bool,
    folder: Path,
    jobs: int,
    refused: dict[str, str],
    hook: Hook,
) -> tuple[list[CopyPlan], dict[str, Path]]:
    """Copies of all sources, and where the faces are (`_follow_all`).

    Videos that cannot be used go to `refused`, and the others take over their share of the time.
    """
    usable = []
    for file in files:
        try:
            plan_video(file, minutes, seed)
            usable.append(file)
        except TelltaleError as error:
            refused[file.name] = str(error)
    manners = MANNERS if simulated else ()
    while True:
        share = minutes / max(1, len(manners) + len(usable))
        plans = [plan for manner in manners for plan in plan_simulated(manner, share, seed)]
        plans += [plan for file in usable for plan in plan_video(file, share, seed)]
        kept = _follow_all(plans, folder, jobs, refused, hook)
        if len(kept) == len(usable):
            return plans, kept
        usable = [file for file in usable if file.name in kept]


def _follow_all(
    plans: Sequence[CopyPlan], folder: Path, jobs: int, refused: dict[str, str], hook: Hook
) -> dict[str, Path]:
    """By material of real videos, the file that says where the face is; what fails goes to `refused`."""
    firsts = {plan.material: plan for plan in reversed(plans) if plan.file is not None}
    tasks = []
    for material in materials_of(plans):
        first = firsts.get(material)
        if first is not None and first.file is not None:
            facts = first.file.stat()
            name = f"{first.file.stem}-{first.length_s:.3f}-{facts.st_size}-{facts.st_mtime_ns}.npz"
            tasks.append(FaceTask(first.file, first.length_s, folder / name))
    answers = share_out(follow, tasks, jobs, lambda done: hook("faces of the videos", done, len(tasks)))
    refused |= {task.video.name: answer for task, answer in zip(tasks, answers, strict=True) if isinstance(answer, str)}
    return {t.video.name: t.target for t, answer in zip(tasks, answers, strict=True) if not isinstance(answer, str)}
