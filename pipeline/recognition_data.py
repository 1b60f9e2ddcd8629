"""What `telltale me` is given: a folder of flow maps, or a corpus whose maps are computed from its pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import InvalidValueError, NothingUsableError, UnreadableFileError
from data_schemas.hook import Hook, silent
from pipeline.recognition_maps import REASONS, MadeMap, MapError, MapTask, make_map, plan_map, recall

if TYPE_CHECKING:
    from modalities.face.corpora.sample import Corpus, Sample
    from modalities.face.recognition.samples import Samples

NO_TASK = ("other_kind", "no_class")
"""Reasons that are none to complain of: the event is no micro-expression in one of the classes."""
STEP = "flow maps"


@dataclass(frozen=True)
class LeftOut:
    """An event that is no sample.

    Attributes:
        dataset: Name of its corpus.
        subject: Person.
        clip: Clip or video.
        source: Row of the sheet, or folder.
        reason: One of `recognition_maps.REASONS`.
        detail: What exactly, or empty.
    """

    dataset: str
    subject: str
    clip: str
    source: str
    reason: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether it should have been a sample: something is missing or unreadable."""
        return self.reason not in NO_TASK


@dataclass(frozen=True, eq=False)
class RecognitionData:
    """Samples as read.

    Attributes:
        samples: Flow maps in the form of `flow_set.read_flow_set`; of a corpus with the further columns emotion, au,
            onset, apex_frame, offset and apex ("coded" or "guessed").
        left_out: Events that are none.
        notes: What else should be known of the corpora.
    """

    samples: Samples
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


def read_samples(folder: Path, *, workers: int = 1, keep: Path | None = None, hook: Hook = silent) -> Samples:
    """Only the samples of `read_data`, with the same arguments and errors."""
    return read_data(folder, workers=workers, keep=keep, hook=hook).samples


def read_data(folder: Path, *, workers: int = 1, keep: Path | None = None, hook: Hook = silent) -> RecognitionData:
    """Samples to train on or to test.

    A folder with npz files is one of flow maps, or of clips (`clip_set`). Any other is a corpus of
    `corpora.registry`, or several side by side: its micro-expressions with a composite class become maps from onset to
    apex, computed as `flow_map.flow_maps` does.
    Where no apex is coded, it is the frame up to the offset with the greatest energy of motion
    (`recognition_maps.find_apex`).

    Args:
        folder: Flow maps, or a corpus with its coding sheet and its pictures or videos; or the sheet itself.
        workers: Processes.
        keep: Folder of finished maps, by the files' names, sizes and times, the frames and the code; what is there is
            not computed again. None keeps nothing.
        hook: Told how many maps are done.

    Raises:
        MissingFileError: no such folder.
        UnreadableFileError: the folder is no corpus (the message shows what was expected and what was found), or a
            file is no set of flow maps.
        NothingUsableError: not one event could be made a sample; the message says why.
        InvalidValueError: no process.
    """
    from modalities.face.corpora.registry import open_corpora
    from modalities.face.recognition.clip_set import holds_clips, read_clip_set
    from modalities.face.recognition.flow_set import read_flow_set

    if workers < 1:
        raise InvalidValueError("the work needs a process", got=f"{workers} processes")
    if folder.is_dir() and any(folder.glob("*.npz")):
        return RecognitionData(read_clip_set(folder) if holds_clips(folder) else read_flow_set(folder))
    if keep is not None:
        _make_folder(keep)
    corpora = open_corpora(folder)
    mark = code() if keep is not None else ""
    planned, left_out = plan_events(corpora, lambda sample: plan_event(sample, keep, mark))
    made = _compute([task for _, task in planned], workers, hook)
    done = [(sample, task, one) for (sample, task), one in zip(planned, made, strict=True)]
    left_out += [leave_out(sample, one.reason, one.detail) for sample, _, one in done if one.reason]
    done = [one for one in done if not one[2].reason]
    if not done:
        raise nothing_usable(folder, corpora, left_out)
    notes = tuple(f"{corpus.name}: {note}" for corpus in corpora for note in corpus.notes)
    return RecognitionData(_samples(done), tuple(left_out), notes)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnreadableFileError(
            "the folder of finished maps cannot be made", file=folder, got=error.strerror, mend="Give another folder."
        ) from error


def plan_events(
    corpora: Sequence[Corpus], plan: Callable[[Sample], MapTask]
) -> tuple[list[tuple[Sample, MapTask]], list[LeftOut]]:
    """What is to be done for each event of corpora, and those that are left out because `plan` raises `MapError`."""
    planned: list[tuple[Sample, MapTask]] = []
    left_out: list[LeftOut] = []
    for sample in (one for corpus in corpora for one in corpus.samples):
        try:
            planned.append((sample, plan(sample)))
        except MapError as error:
            left_out.append(leave_out(sample, error.reason, error.detail))
    return planned, left_out


def plan_event(sample: Sample, keep: Path | None, mark: str) -> MapTask:
    """What is to be done for a micro-expression with a composite class.

    Args:
        sample: The event.
        keep: Folder of what is finished; None keeps nothing.
        mark: Of the code that makes it.

    Raises:
        MapError: it is of another kind or without a class, or its pictures cannot be read.
    """
    if sample.kind != "micro":
        raise MapError("other_kind", sample.kind)
    if sample.composite is None:
        raise MapError("no_class", sample.emotion)
    try:
        return plan_map(sample, keep, mark)
    except OSError as error:
        raise MapError("unreadable", str(error)) from error


@lru_cache(maxsize=1)
def code() -> str:
    """Hash of the source of all that computes maps, and of the libraries' versions."""
    from importlib.metadata import version

    import cv2

    from pipeline.bench_cache import code_version

    libraries = (version(name) for name in ("numpy", "mediapipe", "av"))
    return " ".join((code_version(["pipeline.recognition_maps"]), cv2.__version__, *libraries))


def _compute(tasks: Sequence[MapTask], workers: int, hook: Hook) -> list[MadeMap]:
    from pipeline.bench_workers import share_out

    found = [recall(task.keep) for task in tasks]
    todo = [at for at, one in enumerate(found) if one is None]
    before = len(tasks) - len(todo)
    hook(STEP, before, len(tasks))
    if todo:
        answers = share_out(
            make_map, [tasks[at] for at in todo], workers, lambda done: hook(STEP, before + done, len(tasks))
        )
        for at, answer in zip(todo, answers, strict=True):
            found[at] = MadeMap(None, reason="failed", detail=answer) if isinstance(answer, str) else answer
    return [one for one in found if one is not None]


def leave_out(sample: Sample, reason: str, detail: str) -> LeftOut:
    """The event in the list of those that are left out."""
    return LeftOut(sample.corpus, sample.subject, sample.clip, " ".join(sample.source), reason, detail)


def _samples(done: Sequence[tuple[Sample, MapTask, MadeMap]]) -> Samples:
    from modalities.face.recognition.samples import CLASSES, Samples

    def column(words: Sequence[object]) -> Any:
        return np.array(["" if word is None else str(word) for word in words], dtype=np.str_)

    events = [sample for sample, _, _ in done]
    attributes: dict[str, list[Any]] = {
        "emotion": [one.emotion for one in events],
        "au": ["+".join(map(str, one.aus)) for one in events],
        "onset": [one.onset for one in events],
        "apex_frame": [made.apex for _, _, made in done],
        "offset": [one.offset for one in events],
        "apex": ["guessed" if task.apex is None else "coded" for _, task, _ in done],
    }
    return Samples(
        "flow_map",
        np.stack([np.asarray(made.picture, np.float32) for _, _, made in done]),
        np.array([CLASSES.index(str(one.composite)) for one in events], np.int64),
        column([one.subject for one in events]),
        column([one.corpus for one in events]),
        column([one.clip for one in events]),
        CLASSES,
        {name: column(words) for name, words in attributes.items()},
    )


def nothing_usable(folder: Path, corpora: Sequence[Corpus], left_out: Sequence[LeftOut]) -> NothingUsableError:
    """The error of a corpus none of whose events can be used."""
    from modalities.face.corpora.registry import load_adapter

    first = next((one for one in left_out if one.failed), None)
    example = f", as {first.clip or first.source}: {first.detail}" if first and first.detail else ""
    return NothingUsableError(
        "not one micro-expression of the corpus can be used",
        file=folder,
        got=(why(left_out) or "a sheet without rows") + example,
        expected="; ".join(f"{one.name}: {load_adapter(one.name).expected}" for one in corpora),
        mend="Give the folder that holds both the coding sheet and the pictures or videos.",
    )


def why(left_out: Sequence[LeftOut]) -> str:
    """Reasons and how often each, the most frequent first: "3 its onset is not coded; ...". Empty for none."""
    counts = Counter(one.reason for one in left_out)
    return "; ".join(f"{n} {REASONS[reason]}" for reason, n in counts.most_common())


def describe_samples(samples: Samples, left_out: Sequence[LeftOut] = ()) -> list[dict[str, Any]]:
    """What was read, a row for each data set.

    Args:
        samples: From `read_data` or a folder of flow maps.
        left_out: From the same.

    Returns:
        Rows {dataset, samples, subjects, one column for each class, apexes_guessed, left_out, failed, why}; `failed`
        counts those left out that should have been samples.
    """
    rows = []
    for name in dict.fromkeys([*samples.dataset.tolist(), *(one.dataset for one in left_out)]):
        here = samples.dataset == name
        gone = [one for one in left_out if one.dataset == name]
        apex = samples.attributes.get("apex")
        rows.append(
            {
                "dataset": name,
                "samples": int(here.sum()),
                "subjects": len(set(samples.subject[here].tolist())),
                **{word: int((samples.y[here] == at).sum()) for at, word in enumerate(samples.classes)},
                "apexes_guessed": 0 if apex is None else int((apex[here] == "guessed").sum()),
                "left_out": len(gone),
                "failed": sum(one.failed for one in gone),
                "why": why(gone),
            }
        )
    return rows
