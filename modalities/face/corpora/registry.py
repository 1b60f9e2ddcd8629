"""The table of corpora: name -> "module:Class", and finding out which one a folder is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from data_schemas.errors import UnreadableFileError
from data_schemas.named import find_named
from modalities.face.corpora.adapter import Adapter
from modalities.face.corpora.sample import Corpus
from modalities.face.corpora.shelf import Shelf

CORPORA: dict[str, str] = {
    "casme": "modalities.face.corpora.casme:Casme",
    "casme2": "modalities.face.corpora.casme:CasmeII",
    "cas_me2": "modalities.face.corpora.cas_me2:CasMe2",
    "cas_me3_a": "modalities.face.corpora.cas_me3:CasMe3PartA",
    "cas_me3_c": "modalities.face.corpora.cas_me3_c:CasMe3PartC",
    "samm": "modalities.face.corpora.samm:Samm",
    "samm_long": "modalities.face.corpora.samm:SammLong",
    "smic_hs": "modalities.face.corpora.smic:SmicHs",
    "smic_vis": "modalities.face.corpora.smic:SmicVis",
    "smic_nir": "modalities.face.corpora.smic:SmicNir",
    "smic_hs_e": "modalities.face.corpora.smic_e:SmicHsLong",
    "smic_vis_e": "modalities.face.corpora.smic_e:SmicVisLong",
    "smic_nir_e": "modalities.face.corpora.smic_e:SmicNirLong",
    "mmew": "modalities.face.corpora.others:Mmew",
    "meview": "modalities.face.corpora.others:Meview",
    "cmed": "modalities.face.corpora.others:Cmed",
    "megc2019": "modalities.face.corpora.megc2019:Megc2019",
    "plain": "modalities.face.corpora.plain:Plain",
}
"""Name -> "module:Class", imported only when used. The last, a plain table, is tried when no other fits."""


def load_adapter(name: str) -> Adapter:
    """The adapter of this name.

    Raises:
        InvalidValueError: unknown name; the message lists the known ones.
    """
    return cast(Adapter, find_named(CORPORA, name, "corpus")())


def find_corpora(folder: Path) -> list[str]:
    """Names of the corpora that a folder (or one table file) is, by its sheets and their columns.

    Raises:
        MissingFileError: no such folder.
    """
    return [adapter.name for adapter in _fitting(Shelf(folder))]


def open_corpus(folder: Path, name: str | None = None) -> Corpus:
    """Read a corpus.

    Args:
        folder: Where it lies, with its coding sheet; or the sheet itself.
        name: One of `CORPORA`; None finds out which.

    Raises:
        MissingFileError: no such folder.
        InvalidValueError: unknown name.
        UnreadableFileError: the folder is none of the corpora, not the one that was named, or several; the message
            shows what was expected and what was found. Odd cells never raise: see `Corpus.odd`.
    """
    adapter = None if name is None else load_adapter(name)
    shelf = Shelf(folder)
    if adapter is not None:
        if not adapter.find(shelf):
            share, lacking = adapter.lacks(shelf)
            near = f"; of these columns the nearest sheet lacks {', '.join(lacking)}" if share and lacking else ""
            raise UnreadableFileError(
                f"the folder is not laid out as {adapter.title}",
                file=folder,
                got=shelf.describe(),
                expected=adapter.expected + near,
                mend="Give the folder that holds the coding sheet, or leave the name out to find out what it is.",
            )
        return adapter.read(shelf)
    fitting = _some_fitting(shelf)
    if len(fitting) > 1:
        raise _several(shelf, fitting)
    return fitting[0].read(shelf)


def open_corpora(folder: Path) -> list[Corpus]:
    """Read everything a folder holds: one corpus, or several side by side, such as the cameras of SMIC.

    A folder with the list of MEGC 2019 is that composite alone, since it is completed from its members.

    Args:
        folder: Where they lie, with their coding sheets; or one sheet.

    Raises:
        MissingFileError: no such folder.
        UnreadableFileError: the folder is none of the corpora, or one row of a sheet fits several of them.
    """
    shelf = Shelf(folder)
    fitting = _some_fitting(shelf)
    fitting = [one for one in fitting if one.name == "megc2019"] or fitting
    read = [one.read(shelf) for one in fitting]
    events = Counter(
        event for corpus in read for event in {(*one.source[:1], one.clip, one.onset) for one in corpus.samples}
    )
    if len(read) > 1 and max(events.values(), default=0) > 1:
        raise _several(shelf, fitting)
    return read


def _some_fitting(shelf: Shelf) -> list[Adapter]:
    """The corpora that a folder is, at least one."""
    fitting = _fitting(shelf)
    if not fitting:
        raise UnreadableFileError(
            "the folder is none of the corpora that are known",
            file=shelf.asked,
            got=shelf.describe(),
            expected=_nearest(shelf),
            mend="Give the folder that holds the coding sheet, or write a plain table.",
        )
    return fitting


def _several(shelf: Shelf, fitting: Sequence[Adapter]) -> UnreadableFileError:
    return UnreadableFileError(
        "the folder holds several corpora",
        file=shelf.asked,
        got=", ".join(one.name for one in fitting),
        expected="one of them, by its name",
        mend="Say which, or give the sheet instead of the folder.",
    )


def _nearest(shelf: Shelf, most: int = 2) -> str:
    """The corpora that the folder is nearest to, and the names of all."""
    ranked = sorted(
        ((*adapter.lacks(shelf), adapter) for adapter in map(load_adapter, CORPORA)), key=lambda one: -one[0]
    )
    near = [
        f"{adapter.name}: {adapter.expected}" + (f" (lacking here: {', '.join(lacking)})" if lacking else "")
        for share, lacking, adapter in ranked[:most]
        if share >= 0.5
    ]
    return "; ".join([*near, f"one of {', '.join(CORPORA)}"])


def _fitting(shelf: Shelf) -> list[Adapter]:
    found = [adapter for name in CORPORA if name != "plain" and (adapter := load_adapter(name)).find(shelf)]
    if not found and (plain := load_adapter("plain")).find(shelf):
        found = [plain]
    return found
