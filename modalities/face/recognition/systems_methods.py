"""Systems of the classical methods: magnification, interpolation, regions, one picture for a clip.

Each method is combined with one cheap descriptor and a linear support vector machine, always the same, so that what
differs between the rows is the method. Compare with `lbp-top-linear`, which has none of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from modalities.face.descriptors.lbp_top import LbpTop
from modalities.face.divisions.base import DIVISIONS
from modalities.face.interpolation.length import WAYS
from modalities.face.magnification.base import MAGNIFIERS
from modalities.face.recognition.inputs_methods import (
    InRegions,
    Lengthened,
    Magnified,
    PerRegion,
    PictureShape,
    SummedUp,
)
from modalities.face.recognition.kernel_machine import Choose, KernelMachine
from modalities.face.recognition.system import Input, System

FACTOR = 4.0
FRAMES = 20
"""Clips are brought to so many frames, more than a simulated clip has."""
_TEXTURE, _REGION = LbpTop(grid=5), PerRegion(LbpTop(grid=1))
_MAGNIFICATION = {
    "eulerian": "Wu et al. 2012, linear Eulerian magnification",
    "riesz": "Wadhwa et al. 2014, Riesz pyramids",
    "lagrangian": "Le Ngo et al. 2018, global Lagrangian magnification",
}
_INTERPOLATION = {
    "linear": "Telltale; linear interpolation between neighbouring pictures",
    "tim": "Zhou, Zhao & Pietikainen 2011, temporal interpolation model",
}
_REGIONS = {
    "blocks": "Zhao & Pietikainen 2007, equal blocks",
    "facs": "Davison, Merghani & Yap 2018, regions by muscles",
    "eye-cheek-mask": "Shreve et al. 2011, eyes and cheeks hidden",
    "eye-mouth": "Liong, See, Phan & Wong 2018, eyes and mouth",
    "difference": "Yu, Guo, Yu, Wang & Cen 2019, regions that change most",
    "patches": "Telltale; squares around landmarks",
}
_PICTURES = {
    "dynamic": "Bilen et al. 2016, dynamic image by approximate rank pooling",
    "active": "Verma, Vipparthi & Singh 2020, active image",
}


def _system(name: str, takes: Input, block: Any, source: str) -> System:
    return System(name, takes, block, KernelMachine("linear"), Choose((0.1, 1.0, 10.0, 100.0)), "hinge", source)


def magnified_by(file: Path) -> System:
    """The row of a user's own network for magnification.

    Args:
        file: TorchScript, see `modalities.face.magnification.learned`.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: it is no network that magnifies.
    """
    from modalities.face.magnification.base import find_magnifier

    find_magnifier("learned", file=file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    source = f"Telltale; {FACTOR:g} times by the user's network {digest}, then LBP-TOP"
    return _system("magnified-learned", Magnified("learned", FACTOR, str(file)), _TEXTURE, source)


METHOD_LIST: list[System] = [
    *(
        _system(
            f"magnified-{name}", Magnified(name, FACTOR), _TEXTURE,
            f"{_MAGNIFICATION[name]}; {FACTOR:g} times, then LBP-TOP",
        )
        for name in MAGNIFIERS
        if name != "learned"
    ),
    *(
        _system(
            f"length-{way}", Lengthened(way, FRAMES), LbpTop(grid=5, frames=FRAMES),
            f"{_INTERPOLATION[way]}; {FRAMES} pictures, then LBP-TOP",
        )
        for way in WAYS
    ),
    *(
        _system(
            f"regions-{name}", InRegions(name), _REGION,
            f"{_REGIONS[name]}; LBP-TOP of each region, landmarks of a usual face",
        )
        for name in DIVISIONS
    ),
    *(
        _system(
            f"{name}-image", SummedUp(name), PictureShape(),  # type: ignore[arg-type]
            f"{words}; first picture to apex, then histograms of gradients in 5 x 5 cells",
        )
        for name, words in _PICTURES.items()
    ),
]  # fmt: skip
"""All of them; "learned" magnification needs a file (`magnified_by`)."""
