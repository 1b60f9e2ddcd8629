"""What may be learnt beside the class: who is seen, from which data set, which action units are coded."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.layers_graph import UNITS
from modalities.face.recognition.samples import Names, Samples

_CODE = re.compile(r"^[LRlr]?(\d+)[A-Ea-e]?$")


def side_labels(samples: Samples) -> dict[str, NDArray[np.generic]]:
    """Further labels of each sample.

    Returns:
        "person" and "dataset": numbers from 0, (n,); "units": action units of `layers_graph.UNITS`, float32
        (n, units), -1 in the whole row where none are coded; "gender": 0 or 1, -1 where unknown, (n,).
    """
    person, dataset = (
        np.unique(one, return_inverse=True)[1].astype(np.int64) for one in (samples.person, samples.dataset)
    )
    n = len(samples)
    coded = samples.attributes.get("au", np.full(n, "", dtype=np.str_))
    gender = samples.attributes.get("gender", np.full(n, "", dtype=np.str_))
    return {"person": person, "dataset": dataset, "units": _units(coded), "gender": _gender(gender)}


def _units(column: Names) -> NDArray[np.float32]:
    """From words like "4+L10" or "1, 2"."""
    out = np.full((len(column), len(UNITS)), -1, np.float32)
    for at, text in enumerate(column.tolist()):
        found = [_CODE.match(word.strip().removeprefix("AU").removeprefix("au")) for word in re.split(r"[+,; ]+", text)]
        numbers = {int(one.group(1)) for one in found if one}
        if numbers:
            out[at] = [float(unit in numbers) for unit in UNITS]
    return out


def _gender(column: Names) -> NDArray[np.int64]:
    words = {"f": 0, "female": 0, "m": 1, "male": 1}
    return np.array([words.get(text.strip().lower(), -1) for text in column.tolist()], np.int64)
