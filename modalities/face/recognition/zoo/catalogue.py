"""What `telltale me models` says of each system: paper, year, input, parameters, how near to the paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modalities.face.recognition.default.system import Shipped
from modalities.face.recognition.networks import Network, count_parameters
from modalities.face.recognition.networks_assembled import untrained
from modalities.face.recognition.system import System
from modalities.face.recognition.zoo.published import Published


@dataclass(frozen=True)
class Stated:
    """Parameters of a network as a paper states them.

    Attributes:
        count: How many.
        rounding: Of the last digit that is printed.
        differs: Why ours has another number; empty where ours rounds to it.
    """

    count: int
    rounding: int
    differs: str = ""


STATED = {
    "dual-inception": Stated(6_450_000, 10_000),
    "ststnet": Stated(
        1_670, 10, "the paper states 0.00167 million parameters: 1651 are those of layers, 1683 with scales and "
        "offsets of batch normalisation, 1667 with one of the two",
    ),
    "off-apexnet": Stated(
        2_770_000, 10_000, "2.77 million parameters by the table of Liong et al. 2019; from the layers as described, 6 "
        "and 16 channels of 5 x 5 and twice 1024 units on 1568 features, come 2.66 million",
    ),
}  # fmt: skip
"""Parameters that papers state of plain declarations."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def catalogue_rows(systems: Iterable[System]) -> list[dict[str, Any]]:
    """Rows {model, paper, year, input, parameters, stated, status} and the parts {takes, block, architecture, ...}.

    `parameters` are those of the network for three classes, None for what is none; `stated` those that the paper
    states, "not stated" where it states none or the network is not built as published; where the two differ, `source`
    says why. `status`: "as published", "reduced" (its layers; fewer channels, smaller pictures), "kind of" (its idea on
    this input), "own", "with weights".
    """
    return [_row(one) for one in systems]


def _row(system: System) -> dict[str, Any]:
    paper, year, status, stated = _origin(system)
    kept = {name: value for name, value in system.row().items() if name not in ("model", "input")}
    if system.name in STATED and STATED[system.name].differs:
        kept["source"] += f"; {STATED[system.name].differs}"
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
    stated = STATED.get(system.name)
    paper, _, differs = system.source.partition(";")
    found = _YEAR.search(paper)
    if isinstance(system.architecture, Shipped):
        status = "with weights"
    elif paper.startswith("Telltale"):
        status = "own"
    else:
        status = "as published" if isinstance(system.architecture, Network) or not differs else "kind of"
    return paper, int(found.group()) if found else None, status, stated.count if stated else None


def parameters_of(system: System) -> int | None:
    """Numbers that training changes, for three classes; None for systems that are no networks. Nothing is computed."""
    import torch

    if not isinstance(system.architecture, Network):
        return None
    with torch.device("meta"):
        return count_parameters(untrained(system))
