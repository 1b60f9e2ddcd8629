"""Probabilities of negative, positive and surprise from flow maps, by weights that never saw a real face."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.weights import require_usable
from modalities.face.recognition.default.measures import (
    FEATURES,
    LEAST_PERCENT,
    LEVELS,
    check_maps,
    describe,
    moved_percent,
    stretch,
    structure,
)
from modalities.face.recognition.samples import CLASSES

WEIGHTS = Path(__file__).with_name("recogniser.safetensors")
UNSURE = "unsure"
_ARRAYS = ("scale", "hidden_weight", "hidden_offset", "class_weight", "class_offset")
_KEYS = ("temperature", "unsure_below", "least_structure", "classes")

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DefaultRecogniser:
    """A few small networks of one hidden layer, their mean, and what makes their answers probabilities.

    Attributes:
        arrays: `scale` (features,), `hidden_weight` (members, features, hidden), `hidden_offset` (members, hidden),
            `class_weight` (members, hidden, 3), `class_offset` (members, 3).
        card: Where the weights come from and how they were calibrated.
    """

    arrays: dict[str, NDArray[np.float32]]
    card: dict[str, Any]

    def __post_init__(self) -> None:
        missing = [name for name in _ARRAYS if name not in self.arrays] + [one for one in _KEYS if one not in self.card]
        if missing:
            raise InvalidValueError("the weights of the recogniser lack a part", got=f"no {', '.join(missing)}")
        members, hidden = (
            self.arrays["hidden_weight"].shape[at] if self.arrays["hidden_weight"].ndim == 3 else 0 for at in (0, 2)
        )
        shapes = ((FEATURES,), (members, FEATURES, hidden), (members, hidden), (members, hidden, 3), (members, 3))
        if members < 1 or any(self.arrays[name].shape != shape for name, shape in zip(_ARRAYS, shapes, strict=True)):
            raise InvalidValueError(
                "the weights do not fit the recogniser",
                got=", ".join(f"{name} {self.arrays[name].shape}" for name in _ARRAYS),
                expected=f"{FEATURES} features and {len(CLASSES)} classes",
            )
        if tuple(self.card["classes"]) != CLASSES:
            raise InvalidValueError("the weights are of other classes", got=self.card["classes"], expected=CLASSES)
        numbers = [self.card[name] for name in _KEYS[:3]]
        if not all(isinstance(one, int | float) and np.isfinite(one) for one in numbers) or numbers[0] <= 0:
            raise InvalidValueError(
                "the calibration of the weights is no number, or its temperature not above 0", got=numbers
            )

    @classmethod
    def load(cls, path: Path | None = None) -> DefaultRecogniser:
        """Weights and their card.

        Args:
            path: safetensors file with a JSON file of the same name beside it; the shipped ones by default.

        Raises:
            MissingFileError: one of them is not there.
            UnreadableFileError: they are no such files.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = WEIGHTS if path is None else Path(path)
        for one in (file, file.with_suffix(".json")):
            if not one.is_file():
                raise MissingFileError(
                    "the weights of the recogniser are not there",
                    file=one,
                    mend="`python -m pipeline.simulate.recogniser_model -o FILE` makes both files.",
                )
        require_usable(file)
        try:
            card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
            if not isinstance(card, dict):
                raise UnreadableFileError("the card of the weights is no JSON object", file=file.with_suffix(".json"))
            return cls(load_file(file), card)
        except (SafetensorError, InvalidValueError, ValueError, OSError) as error:
            if isinstance(error, UnreadableFileError):
                raise
            raise UnreadableFileError("not the weights of a recogniser", file=file, got=str(error)) from error

    def save(self, path: Path) -> None:
        """Write weights and card.

        Raises:
            InvalidValueError: see `check_weights_file`.
        """
        from safetensors.numpy import save

        check_weights_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(save({name: np.ascontiguousarray(value) for name, value in self.arrays.items()}))
        path.with_suffix(".json").write_text(json.dumps(self.card, indent=1) + "\n", encoding="utf-8")

    def recognise(self, maps: NDArray[np.generic], *, iod_px: float | Sequence[float] | None = None) -> Numbers:
        """Calibrated probabilities of negative, positive, surprise.

        Every map gets an answer, also one that shows nothing; `label` says where that is so.

        Args:
            maps: u (right), v (down), strain, (n, 28, 28, 3): stretched over 0..255, or displacements in pixels. The
                answer is the same for both.
            iod_px: Only checked here; see `label`.

        Returns:
            (n, 3), rows sum to 1.

        Raises:
            InvalidValueError: what are no flow maps.
        """
        from scipy.special import softmax

        given = check_maps(maps)
        if iod_px is not None:
            moved_percent(given, iod_px)
        logits = self.logits(given) / float(self.card["temperature"])
        return softmax(logits, axis=-1)

    def logits(self, maps: NDArray[np.floating]) -> Numbers:
        """Mean log probabilities over networks, levels and both sides of the mirror, before calibration, (n, 3)."""
        from scipy.special import softmax

        flat = stretch(maps)
        total = np.zeros((len(maps), len(CLASSES)))
        for level in LEVELS:
            for mirror in (False, True):
                x = (describe(flat, level, mirror=mirror) / self.arrays["scale"]).astype(np.float64)
                hidden = np.einsum("nf,mfh->mnh", x, self.arrays["hidden_weight"], optimize=True)
                hidden = np.maximum(hidden + self.arrays["hidden_offset"][:, None], 0)
                out = np.einsum("mnh,mhc->mnc", hidden, self.arrays["class_weight"], optimize=True)
                total += softmax(out + self.arrays["class_offset"][:, None], axis=-1).mean(axis=0)
        return np.log(np.maximum(total / (2 * len(LEVELS)), 1e-9))

    def shows_something(
        self, maps: NDArray[np.generic], *, iod_px: float | Sequence[float] | None = None
    ) -> NDArray[np.bool_]:
        """The magnitude test: whether there is anything to recognise, (n,).

        Args:
            maps: As in `recognise`.
            iod_px: Inter-ocular distance in the pixels of live maps: the face must have moved by `LEAST_PERCENT` of it.
                None for stretched maps, whose size is lost. Both must move in one piece.
        """
        given = check_maps(maps)
        one_piece = structure(given) >= float(self.card["least_structure"])
        return one_piece if iod_px is None else one_piece & (moved_percent(given, iod_px) >= LEAST_PERCENT)

    def label(
        self, maps: NDArray[np.generic], *, iod_px: float | Sequence[float] | None = None, force: bool = False
    ) -> list[str]:
        """The class of each map, or "unsure".

        Unsure are maps that fail the magnitude test, and those whose greatest probability is below the threshold that
        was fixed on simulated faces.

        Args:
            maps: As in `recognise`.
            iod_px: As in `shows_something`.
            force: Never unsure, as the published protocols demand.
        """
        probabilities = self.recognise(maps, iod_px=iod_px)
        sure = probabilities.max(axis=1) >= float(self.card["unsure_below"])
        sure &= self.shows_something(maps, iod_px=iod_px)
        names = [CLASSES[at] for at in probabilities.argmax(axis=1)]
        return [name if force or known else UNSURE for name, known in zip(names, sure.tolist(), strict=True)]


def check_weights_file(path: Path) -> None:
    """Refuse a place where weights cannot be written, before hours are spent on them.

    Raises:
        InvalidValueError: the name does not end in .safetensors, is that of a folder, or lies in what is a file.
    """
    if path.suffix != ".safetensors" or path.is_dir():
        raise InvalidValueError("weights go into a safetensors file", got=path, expected="FILE.safetensors")
    above = next(one for one in (path.parent, *path.parent.parents) if one.exists())
    if not above.is_dir():
        raise InvalidValueError("weights cannot lie inside of a file", got=above)
