"""Protocols: who is trained on and who is tested, as objects. A split that leaks raises before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np

from data_schemas.errors import InvalidValueError
from modalities.face.recognition.samples import Names, Rows, Samples, family


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and test set.

    Attributes:
        name: Who or what is tested.
        train: Rows to train on.
        test: Rows to test on.
        group: What the test rows are reported under: the data set, or source and target.
    """

    name: str
    train: Rows
    test: Rows
    group: Names


@dataclass(frozen=True)
class Protocol:
    """A way of splitting.

    Attributes:
        name: Short name.
        about: What it does, one line.
        split: Gives name, training rows, test rows, and the heading of a cross-database pair, or "".
        whole: What must never be on both sides: "person" or "video".
    """

    name: str
    about: str
    split: Callable[[Samples, int], Iterator[tuple[str, Rows, Rows, str]]] = field(repr=False)
    whole: str = "person"

    def folds(self, samples: Samples, seed: int = 0) -> list[Fold]:
        """All folds, checked.

        Args:
            samples: What to split.
            seed: Of protocols that draw.

        Raises:
            InvalidValueError: the samples do not allow the protocol, a fold has an empty side, or a fold leaks.
        """
        out = []
        for name, train, test, pair in self.split(samples, seed):
            test = np.sort(test)
            group = np.full(len(test), pair) if pair else samples.dataset[test]
            fold = Fold(name, np.sort(train), test, group)
            check(samples, fold, self.whole)
            out.append(fold)
        if not out:
            raise InvalidValueError(f"the protocol '{self.name}' gives no fold", got=f"{len(samples)} samples")
        return out


def check(samples: Samples, fold: Fold, whole: str = "person") -> None:
    """Refuse a fold that leaks.

    Args:
        samples: What was split.
        fold: The split.
        whole: "person": nobody may be on both sides. "video": no clip may.

    Raises:
        InvalidValueError: it leaks or has an empty side.
    """
    if not len(fold.train) or not len(fold.test):
        raise InvalidValueError(
            f"fold '{fold.name}' has nobody to {'test' if len(fold.train) else 'train'} on",
            mend="The protocol needs at least two persons, or two data sets of different persons.",
        )
    names = samples.person if whole == "person" else samples.video
    shared = sorted(set(names[fold.train].tolist()) & set(names[fold.test].tolist()))
    both = np.intersect1d(fold.train, fold.test)
    if shared or len(both):
        listed = ", ".join(shared[:5]) + (" ..." if len(shared) > 5 else "")
        raise InvalidValueError(
            f"fold '{fold.name}' leaks: the same {whole} is trained on and tested",
            got=f"{len(shared)} shared: {listed}" if shared else f"{len(both)} samples on both sides",
            expected=f"training and test sets without a common {whole}",
        )


def _each(names: Names) -> Iterator[tuple[str, Rows, Rows, str]]:
    for one in sorted(set(names.tolist())):
        yield one, np.flatnonzero(names != one), np.flatnonzero(names == one), ""


def _one_subject_out(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
    return _each(samples.person)


def _one_video_out(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
    return _each(samples.video)


def _composite(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
    _need_sets(samples, "composite evaluation")
    return _each(samples.person)


def grouped(samples: Samples, rows: Rows, parts: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Training and test rows of k folds, persons kept whole, classes shared out as evenly as that allows.

    Args:
        samples: The set.
        rows: Those of it to split.
        parts: Folds; fewer where there are fewer persons.
        seed: Of the order of persons of equal size.

    Returns:
        Pairs of rows of `samples`.

    Raises:
        InvalidValueError: less than two persons.
    """
    persons = samples.person[rows]
    names, person = np.unique(persons, return_inverse=True)
    parts = min(parts, len(names))
    if parts < 2:
        raise InvalidValueError(
            "inner folds need at least two persons to train on",
            got=", ".join(names.tolist()),
            mend="Bring samples of at least three persons.",
        )
    counts = np.zeros((len(names), len(samples.classes)))
    np.add.at(counts, (person, samples.y[rows]), 1)
    share = counts / np.maximum(counts.sum(axis=0), 1)
    filled = np.zeros((parts, len(samples.classes)))
    chance = np.random.default_rng(seed).random(len(names))
    fold_of = np.zeros(len(names), np.int64)
    for one in np.lexsort((chance, -counts.max(axis=1))):
        unevenness = [
            np.std(filled + share[one] * (np.arange(parts) == at)[:, None], axis=0).mean() for at in range(parts)
        ]
        sizes = filled.sum(axis=1)
        best = min(range(parts), key=lambda at: (round(float(unevenness[at]), 12), sizes[at]))
        fold_of[one] = best
        filled[best] += share[one]
    used = [at for at in range(parts) if (fold_of == at).any()]
    return [(rows[fold_of[person] != at], rows[fold_of[person] == at]) for at in used]


def k_fold(parts: int = 5) -> Protocol:
    """Folds of about equal size, persons kept whole."""

    def split(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
        for at, (train, test) in enumerate(grouped(samples, np.arange(len(samples)), parts, seed), start=1):
            yield f"{at} of {parts}", train, test, ""

    return Protocol("kfold", f"{parts} folds, persons kept whole", split)


def _hold_out(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
    _need_sets(samples, "hold-out evaluation")
    families = np.array([family(name) for name in samples.dataset])
    for one in sorted(set(samples.dataset.tolist())):
        test = np.flatnonzero(samples.dataset == one)
        yield one, np.flatnonzero(families != family(one)), test, ""


def _same_persons(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
    person = samples.person
    for source, target in permutations(sorted(set(samples.dataset.tolist())), 2):
        if family(source) != family(target):
            continue
        for one in sorted(set(person[samples.dataset == target].tolist())):
            test = np.flatnonzero((samples.dataset == target) & (person == one))
            train = np.flatnonzero((samples.dataset == source) & (person != one))
            yield f"{source} to {target}: {one}", train, test, f"{source} to {target}"


def _other_persons(samples: Samples, seed: int) -> Iterator[tuple[str, Rows, Rows, str]]:
    for source, target in permutations(sorted(set(samples.dataset.tolist())), 2):
        if family(source) != family(target):
            name = f"{source} to {target}"
            yield name, np.flatnonzero(samples.dataset == source), np.flatnonzero(samples.dataset == target), name


def _need_sets(samples: Samples, what: str) -> None:
    sets = sorted(set(samples.dataset.tolist()))
    if len({family(name) for name in sets}) < 2:
        raise InvalidValueError(
            f"{what} needs at least two data sets of different persons",
            got=", ".join(sets),
            mend="Use --protocol loso for a single data set.",
        )


PROTOCOLS: dict[str, Protocol] = {
    one.name: one
    for one in (
        Protocol("loso", "leave one subject out, all data sets in one", _one_subject_out),
        Protocol("lovo", "leave one video out; the person tested is trained on too", _one_video_out, "video"),
        k_fold(),
        Protocol("cde", "composite database evaluation of MEGC 2019: LOSO over two or more data sets", _composite),
        Protocol("hde", "hold-out database evaluation of MEGC 2018: each data set tested by the others", _hold_out),
        Protocol("type1", "cross-database TYPE-I (Zong et al. 2018): pairs of cameras that saw the same persons, each "
                 "person tested with a model that never saw them", _same_persons),
        Protocol("type2", "cross-database TYPE-II (Zong et al. 2018): pairs of data sets of different persons",
                 _other_persons),
    )
}  # fmt: skip
"""Protocols by name. TYPE-I as published trains on the very persons that it tests; here they are left out."""


def find_protocol(name: str) -> Protocol:
    """The protocol of this name.

    Raises:
        InvalidValueError: no such protocol.
    """
    if name not in PROTOCOLS:
        listed = "; ".join(f"{one.name}: {one.about}" for one in PROTOCOLS.values())
        raise InvalidValueError("unknown protocol", got=name, expected=listed)
    return PROTOCOLS[name]
