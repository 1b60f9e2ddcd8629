"""The table of descriptors: name, paper, what they take, how long their vector is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from data_schemas.errors import InvalidValueError
from modalities.face.descriptors.base import Descriptor
from modalities.face.descriptors.cells import HIERARCHY


@dataclass(frozen=True)
class Entry:
    """One descriptor.

    Attributes:
        name: In tables and systems.
        where: "module:Class" within this package.
        paper: Who published it.
        year: When.
        takes: "clip" or "flow_map".
        settings: Other than the class's own.
        ours: What here differs from the paper or is not told there; empty where nothing does.
    """

    name: str
    where: str
    paper: str
    year: int
    takes: str = "clip"
    settings: tuple[tuple[str, Any], ...] = ()
    ours: str = ""

    def make(self, **settings: Any) -> Descriptor:
        """The descriptor.

        Args:
            settings: Fields of its class, in place of those of the table.
        """
        module, _, name = self.where.partition(":")
        made: Callable[..., Descriptor] = getattr(import_module(f"modalities.face.descriptors.{module}"), name)
        return made(**{**dict(self.settings), **settings})

    def of_clips(self) -> Descriptor:
        """The descriptor, taking clips also where it is one of flow."""
        from modalities.face.descriptors.clip_flow import OfClipFlow

        return self.make() if self.takes == "clip" else OfClipFlow(self.make())

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {
            "name": self.name, "paper": self.paper, "year": self.year, "takes": self.takes,
            "dimension": self.make().dimension, "ours": self.ours,
        }  # fmt: skip


_LIST = (
    Entry("lbp-top", "lbp_top:LbpTop", "Zhao & Pietikainen", 2007),
    Entry("lbp-sip", "lbp_top:LbpSip", "Wang, See, Phan & Oh", 2014),
    Entry("lpq-top", "phase:LpqTop", "Jiang, Valstar, Martinez & Pantic", 2014),
    Entry("hog-top", "gradients:HogTop", "Li et al.", 2018, ours="hard votes of central differences"),
    Entry("higo-top", "gradients:HigoTop", "Li et al.", 2018, ours="hard votes of central differences"),
    Entry(
        "3dhog", "gradients:Hog3d", "Klaser, Marszalek & Schmid", 2008,
        ours="their HOG3D, not Polikovsky's; gradients of voxels, no mean blocks",
    ),
    Entry("hoof", "flow:Hoof", "Chaudhry et al.", 2009, "flow_map", ours="left and right apart; one flow"),
    Entry("fhofo", "flow:Fhofo", "Happy & Routray", 2019, "flow_map", ours="cells, spread, threshold ours; one flow"),
    Entry("bi-woof", "flow:BiWoof", "Liong, See, Wong & Phan", 2018, "flow_map", ours="soft votes; one flow"),
    Entry("mdmo", "flow:Mdmo", "Liu et al.", 2016, "flow_map", ours="6 x 6 cells; angle over pi; one flow"),
    Entry("sttm", "texture_map:Sttm", "Kamarol et al.", 2016, ours="bins are ours"),
    Entry("stlbp-ip", "projection:StlbpIp", "Huang, Wang, Zhao & Pietikainen", 2015, ours="strips; plain differences"),
    Entry(
        "cgbp-top", "gabor:CgbpTop", "Hu et al.", 2019, settings=(("grid", 3),),
        ours="2 x 4 filters for 5 x 8; signs for thresholds",
    ),
    Entry("adlbp-top", "extended:AdlbpTop", "Guo et al.", 2019),
    Entry("rdlbp-top", "extended:RdlbpTop", "Guo et al.", 2019),
    Entry("elbp-top", "extended:ElbpTop", "Guo et al.", 2019, ours="no whitened principal components"),
    Entry("lcbp", "cubes:Lcbp", "Yu, Guo, Yu, Wang & Cen", 2019, ours="our reading of its three parts; no energy map"),
    Entry("ltogp", "extended:Ltogp", "Niu, Li, Tao & Wang", 2018, ours="our reading, on three planes"),
    Entry("dcp-top", "extended:DcpTop", "Ding, Choi, Tao & Davis 2016; Ben et al.", 2018),
    Entry(
        "st-gabor", "gabor:SpatioTemporalGabor", "Petkov & Subramanian 2007; Lin et al.", 2018, ours="symmetric in time"
    ),
    Entry(
        "lbp-top-hierarchical", "lbp_top:LbpTop", "Zong, Huang, Zheng, Cui & Zhao", 2018,
        settings=(("grid", HIERARCHY),), ours="no group-sparse selection of blocks",
    ),
)  # fmt: skip

DESCRIPTORS: dict[str, Entry] = {one.name: one for one in _LIST}
"""Descriptors by name."""


def find_descriptor(name: str) -> Entry:
    """The entry of this name.

    Raises:
        InvalidValueError: no such descriptor.
    """
    if name not in DESCRIPTORS:
        raise InvalidValueError(f"no descriptor '{name}'", expected=f"one of {', '.join(DESCRIPTORS)}")
    return DESCRIPTORS[name]
