"""What `telltale me models` says of each system: paper, year, input, parameters, how near to the paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from modalities.face.recognition.default.system import Shipped
from modalities.face.recognition.networks import Network, count_parameters
from modalities.face.recognition.networks_assembled import untrained
from modalities.face.recognition.system import System
from modalities.face.recognition.zoo.published import Published

_STATED = {"dual-inception": 6_450_000}
"""Parameters that the papers of plain declarations state."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def catalogue_rows(systems: Iterable[System]) -> list[dict[str, Any]]:
    """Rows {model, paper, year, input, parameters, stated, status} and the parts {takes, block, architecture, ...}.

    `parameters` are those of the network for three classes, None for what is none; `stated` those that the paper
    states, "not stated" where it states none or the network is not built as published. `status`: "as published",
    "reduced" (its layers; fewer channels, smaller pictures), "kind of" (its idea on this input), "own", "with weights".
    """
    return [_row(one) for one in systems]


def _row(system: System) -> dict[str, Any]:
    paper, year, status, stated = _origin(system)
    kept = {name: value for name, value in system.row().items() if name not in ("model", "input")}
    return {
        "model": system.name,
        "paper": paper,
        "year": year,
        "input": repr(system.input),
        "parameters": parameters_of(system),
        "stated": "not stated" if stated is None else stated,
        "status": status,
        **kept,
        "loss": system.loss if isinstance(system.loss, str) else repr(system.loss),
    }


def _origin(system: System) -> tuple[str, int | None, str, int | None]:
    """Paper, year, status, stated parameters; a plain declaration has them in `source`: "paper; what differs"."""
    if isinstance(system, Published):
        return system.paper, system.year, system.status, system.stated
    paper, _, differs = system.source.partition(";")
    found = _YEAR.search(paper)
    if isinstance(system.architecture, Shipped):
        status = "with weights"
    elif paper.startswith("Telltale"):
        status = "own"
    else:
        status = "as published" if isinstance(system.architecture, Network) or not differs else "kind of"
    return paper, int(found.group()) if found else None, status, _STATED.get(system.name)


def parameters_of(system: System) -> int | None:
    """Numbers that training changes, for three classes; None for systems that are no networks. Nothing is computed."""
    import torch

    if not isinstance(system.architecture, Network):
        return None
    with torch.device("meta"):
        return count_parameters(untrained(system))
