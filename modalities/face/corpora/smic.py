"""SMIC: short clips in folders by camera, person and emotion, without a coding sheet."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

from modalities.face.corpora.emotions import composite_of
from modalities.face.corpora.sample import Corpus, Sample
from modalities.face.corpora.sheet import Oddities
from modalities.face.corpora.shelf import PICTURES, Shelf

_EMOTIONS = ("negative", "positive", "surprise")
_CLIP = re.compile(r"^s(\d+)_(ne|po|sur)_\d+$", re.IGNORECASE)
_SHORT = {"ne": "negative", "po": "positive", "sur": "surprise"}


class SmicClips:
    """SMIC (Li, Pfister, Huang, Zhao and Pietikainen 2013, FG): 164 clips by the high-speed camera, 71 by each other.

    Written from the published description and layout - HS/s<n>/micro/<emotion>/<clip>/<frames> - and not tested on the
    real files. A clip runs from onset to offset, which are the first and last number of its pictures; there is no apex.
    Where raw and cropped pictures are both there, raw ones are taken. Clips without micro-expression (non_micro) are
    not events; their number is in the notes.
    """

    camera: ClassVar[str] = "hs"
    name: str = "smic_hs"
    title: str = "SMIC, high speed"
    expected: str = "folders HS/s<n>/micro/<emotion>/<clip> with pictures (negative, positive, surprise)"
    fps: ClassVar[float] = 100.0

    def find(self, shelf: Shelf) -> bool:
        """Whether there are such folders below one of the camera's name."""
        return bool(self._clips(shelf))

    def lacks(self, shelf: Shelf) -> tuple[float, tuple[str, ...]]:
        """Folders are there or not."""
        return 0.0, ("folders of clips",)

    def read(self, shelf: Shelf) -> Corpus:
        """All clips of the camera."""
        odd, samples = Oddities(), []
        for folder in self._clips(shelf):
            match = _CLIP.match(folder.name)
            emotion = folder.parent.name.lower()
            subject = match.group(1) if match else folder.parent.parent.parent.name
            name = folder.relative_to(shelf.folder).as_posix()
            if match and _SHORT[match.group(2).lower()] != emotion:
                odd.note(name, 0, "folder", emotion, "class_disagrees", f"the clip is named {folder.name}: folder kept")
            numbers = _numbers(folder)
            if not numbers:
                odd.note(name, 0, "pictures", "", "missing_frame", "no picture of the folder has a number")
            samples.append(
                Sample(
                    corpus=self.name,
                    subject=subject,
                    clip=folder.name,
                    kind="micro",
                    onset=min(numbers, default=None),
                    offset=max(numbers, default=None),
                    fps=self.fps,
                    emotion=emotion,
                    composite=composite_of(emotion),
                    path=folder,
                    source=(name,),
                )
            )
        for clip, n in Counter((sample.subject, sample.clip) for sample in samples).items():
            if n > 1:
                odd.note(clip[1], 0, "folder", clip[1], "repeated_name", f"{n} folders of this name: all kept")
        other = sum(_camera(path, shelf) == self.camera and "non" in path.parent.name.lower() for path in shelf.frames)
        notes = (f"{other} clips without micro-expression were left out",) if other else ()
        return Corpus(self.name, shelf.folder, tuple(samples), tuple(odd.found), {"folders": len(samples)}, notes)

    def _clips(self, shelf: Shelf) -> list[Path]:
        found = [
            path
            for path in shelf.frames
            if path.parent.name.lower() in _EMOTIONS
            and _camera(path, shelf) == self.camera
            and (_CLIP.match(path.name) or path.parent.parent.name.lower() == "micro")
        ]
        raw = [path for path in found if "raw" in str(path.relative_to(shelf.folder)).lower()]
        return sorted(raw or found)


class SmicHs(SmicClips):
    """SMIC-HS: high-speed camera, 100 fps."""


class SmicVis(SmicClips):
    """SMIC-VIS: ordinary camera, 25 fps."""

    camera = "vis"
    name = "smic_vis"
    title = "SMIC, visible light"
    expected = "folders VIS/s<n>/micro/<emotion>/<clip> with pictures (negative, positive, surprise)"
    fps = 25.0


class SmicNir(SmicClips):
    """SMIC-NIR: near-infrared camera, 25 fps."""

    camera = "nir"
    name = "smic_nir"
    title = "SMIC, near infrared"
    expected = "folders NIR/s<n>/micro/<emotion>/<clip> with pictures (negative, positive, surprise)"
    fps = 25.0


def _camera(path: Path, shelf: Shelf) -> str | None:
    """Camera in the path, the innermost folder first; the corpus folder itself counts too."""
    parts = [shelf.folder.resolve().name, *path.relative_to(shelf.folder).parts]
    for part in reversed(parts):
        words = re.split(r"[^a-z]+", part.lower())
        for camera in ("hs", "vis", "nir"):
            if camera in words:
                return camera
    return None


def _numbers(folder: Path) -> list[int]:
    found = [
        re.search(r"(\d+)$", path.stem)
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    ]
    return [int(match.group(1)) for match in found if match]
