"""Coders' files for fuzzing: small valid ones of every format that `telltale import` reads, and what an import does."""

from __future__ import annotations

import random
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fuzz_exercise import UNSOUND
from benchmarks.fuzz_seeds import Seed, read_back
from data_schemas.errors import TelltaleError

if TYPE_CHECKING:
    from data_schemas.event import Event
    from pipeline.coding.layers import Layer

LAYER = "coded_layer"
CODERS = ("coded_elan", "coded_praat", "coded_table", "coded_boris", LAYER)
"""Names among the readers: ELAN, TextGrid, tables of Telltale and of BORIS, and a coder's layer in a result."""
_PLAIN = "time_s,person\n0.0,ada\n0.04,ada\n"
_BORIS = (
    "Observation id\tMedia file\tSubject\tBehavior\tBehavioral category\tModifier #1\tStart (s)\tStop (s)\n"
    "o1\tC:\\videos\\face.mp4\tada\tmicro\tface\tAU4\t1.25\t1.5\no1\tface.mp4\tNo focal subject\tcue\t\t\t2\tNA\n"
)
_OWN = (
    "person,channel,kind,onset_s,offset_s,apex_s,score,label,details,comment\n"
    'ada,face,micro,1.25,1.5,1.3,0.8,AU4,"{""a"": 1}",unsure\n,context,cue,2,2.5,,,question 1,,\n'
)
_PRAAT = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n8\n<exists>\n2\n'
    '"IntervalTier"\n"face.micro@ada"\n0\n8\n3\n0\n1.25\n""\n1.25\n1.5\n"AU4"\n1.5\n8\n""\n'
    '"TextTier"\n"blink"\n0\n8\n1\n2.5\n"say ""now"""\n'
)


@cache
def result() -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """A made-up result to import into, and the folder that it lies in, which goes with the process that made it."""
    from pipeline.export.sample import write_sample

    folder = tempfile.TemporaryDirectory(prefix="fuzz-coding-")
    return write_sample(Path(folder.name)), folder


def coded_seeds(reader: str, folder: Path) -> list[Seed]:
    """Coders' files of one format, as Telltale exports them and as other programs write them.

    Args:
        reader: One of `CODERS`.
        folder: Empty folder to write into.
    """
    return _MADE[reader](folder)


def _exported(folder: Path, to: str, name: str, **options: str) -> Seed:
    from pipeline.export.run import export_result

    export_result(result()[0], to, folder / "exported" / name, options=options)
    names = (name, f"{Path(name).stem}_events.csv") if to == "csv" else (name,)
    made = read_back(folder / "exported", names[-1], ())
    shutil.rmtree(folder / "exported")
    return made


def _elan(folder: Path) -> list[Seed]:
    import pympi

    eaf = pympi.Eaf(author="anna")
    eaf.remove_tier("default")
    eaf.add_linked_file("file:///home/anna/face.mp4", mimetype="video/mp4", time_origin=250)
    for tier, end in (("micro", 3200), ("face.macro@ada", 6500)):
        eaf.add_tier(tier)
        eaf.add_annotation(tier, end - 200, end, "AU4 <&>")
    eaf.to_file(str(folder / "own.eaf"))
    own = (folder / "own.eaf").read_bytes()
    bare = re.sub(rb' xsi:noNamespaceSchemaLocation="[^"]*"', b"", own)
    return [
        _exported(folder, "eaf", "a.eaf"),
        _exported(folder, "eaf", "b.eaf", zero="overlap"),
        Seed("own.eaf", {"own.eaf": own}),
        Seed("bare.eaf", {"bare.eaf": bare}),
    ]


def _praat(folder: Path) -> list[Seed]:
    return [
        _exported(folder, "textgrid", "a.TextGrid"),
        _exported(folder, "textgrid", "b.TextGrid", clock="face"),
        Seed("short.TextGrid", {"short.TextGrid": _PRAAT.encode()}),
        Seed("wide.TextGrid", {"wide.TextGrid": _PRAAT.encode("utf-16")}),
    ]


def _table(folder: Path) -> list[Seed]:
    return [
        _exported(folder, "csv", "a.csv"),
        _exported(folder, "csv", "b.csv", units_row="yes"),
        Seed("own.csv", {"own.csv": _OWN.encode()}),
        Seed("own.tsv", {"own.tsv": b"\xef\xbb\xbf" + _OWN.replace(",", "\t").encode()}),
        Seed("timeline.csv", {"timeline.csv": _PLAIN.encode(), "timeline_events.csv": _OWN.encode()}),
    ]


def _boris(folder: Path) -> list[Seed]:
    return [
        _exported(folder, "boris", "a.csv"),
        _exported(folder, "boris", "b.csv", clock="face"),
        Seed("own.tsv", {"own.tsv": _BORIS.encode()}),
    ]


def _layer(folder: Path) -> list[Seed]:
    """The layer that an import leaves, with a remark, a deletion and an undo behind it; and one made by hand."""
    from pipeline.coding.importing import import_coding
    from pipeline.coding.layers import Layer
    from pipeline.export.content import read_content

    place = folder / "copy"
    shutil.copytree(result()[0].parent, place)
    machine = read_content(place / "result").events
    (place / "own.csv").write_text(_OWN, encoding="utf-8")
    layer = import_coding(place / "result", place / "own.csv", "anna").layer
    first = layer.coded(machine)[0]
    layer.comment(first.identity, "unsure", machine)
    layer.delete(first.identity, machine)
    layer.undo()
    byhand = Layer.open(place / "result", "hand")
    byhand.add(machine[0], "seen")
    byhand.change(first.identity, machine[0], machine)
    made = [Seed("anna.jsonl", {"anna.jsonl": one.file.read_bytes()}) for one in (layer, byhand)]
    shutil.rmtree(place)
    return made


_MADE: dict[str, Callable[[Path], list[Seed]]] = {
    "coded_elan": _elan,
    "coded_praat": _praat,
    "coded_table": _table,
    "coded_boris": _boris,
    LAYER: _layer,
}


def exercise_coding(
    reader: str, root: Path, seed: Seed, rng: random.Random, refused: Callable[[TelltaleError], None]
) -> bool:
    """Import a spoilt file, and read back what stands in the layer then; or use a spoilt layer.

    Args:
        reader: One of `CODERS`.
        root: Folder that the file lies in.
        seed: What it was made from.
        rng: Of the options of the import.
        refused: Told of a refusal.

    Returns:
        Whether it was accepted.

    Raises:
        BaseException: whatever comes through that is no `TelltaleError`: a fault of the reader.
    """
    from pipeline.coding.importing import import_coding
    from pipeline.coding.layers import FOLDER, Layer
    from pipeline.export.content import read_content

    place = result()[0]
    shutil.rmtree(place / FOLDER, ignore_errors=True)
    machine = read_content(place).events
    try:
        if reader == LAYER:
            (place / FOLDER).mkdir()
            shutil.copyfile(root / seed.name, place / FOLDER / seed.name)
            _look_through(Layer.open(place, "anna"), machine)
            return True
        clock = rng.choice((None, "session", "session", "face"))
        tiers = {"blink": "face.macro@ada", "Smile": "face.macro@ada"} if rng.random() < 0.2 else None
        done = import_coding(place, root / seed.name, "anna", clock=clock, tiers=tiers)
        again = Layer.open(place, "anna")
        if repr(again.edits) != repr(done.layer.edits):
            raise ValueError(f"{UNSOUND}the layer reads otherwise than it was written")
        _look_through(again, machine)
    except TelltaleError as error:
        refused(error)
        return False
    return True


def _look_through(layer: Layer, machine: Sequence[Event]) -> None:
    """What an export, an agreement and a page ask of a layer; and take the last edit back."""
    layer.coded(machine)
    layer.rejected(machine)
    layer.scopes()
    if layer.alive():
        layer.undo()
