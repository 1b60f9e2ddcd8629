"""How the real encoders measure: noise, cross-talk, misses and false alarms, as estimated from rendered sessions.

`measurement.json` is written by `python -m pipeline.simulate.measurement_estimate`, which renders sessions, runs the
encoders on the files and compares with what was planted. The token simulator draws from it, so that it speaks the
encoders' language; labs and people differ more than two rendered faces do, so every number is spread out when drawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import UnreadableFileError

FILE = Path(__file__).with_name("measurement.json")
LEVELS: tuple[float, ...] = (0.001, 0.01, *(round(0.05 * at, 2) for at in range(1, 20)), 0.99, 0.999)
"""Probabilities at which the quantiles of a column are kept."""
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ColumnModel:
    """One column of a channel's track when nothing is shown, as deviation from its median in a still face or voice.

    Attributes:
        still: Quantiles at `LEVELS` while nothing is said or shown, in the column's unit.
        talking: The same while the person speaks.
        keep: Correlation of neighbouring samples, 4 a second, after Gaussian ranks; 0..1.
        spread: Standard deviation of the logarithm of its scale from session to session.
        seen_still: Share of the samples that are valid while nothing is said, 0..1.
        seen_talking: The same while the person speaks.
        base: Median of the still median over sessions, in the column's unit.
    """

    still: tuple[float, ...]
    talking: tuple[float, ...]
    keep: float
    spread: float
    seen_still: float
    seen_talking: float
    base: float


@dataclass(frozen=True)
class Found:
    """How often planted events of one kind are found, as counts.

    Attributes:
        planted: How many were planted.
        found: How many of them were found.
        alarms: How many were found that nobody planted.
        minutes: In how much time.
        jitter_s: Standard deviation of the onset's error, seconds.
    """

    planted: int
    found: int
    alarms: int
    minutes: float
    jitter_s: float

    def recall(self, rng: np.random.Generator, weight: float = 0.25) -> float:
        """A lab's recall: Beta around the measured one, as if only this share of the counts had been seen."""
        hits, misses = weight * self.found, weight * (self.planted - self.found)
        return float(rng.beta(hits + 1, misses + 1))

    def alarms_per_minute(self, rng: np.random.Generator, weight: float = 0.25) -> float:
        """A lab's rate of false alarms: Gamma around the measured one, likewise."""
        return float(rng.gamma(weight * self.alarms + 0.5) / (weight * self.minutes + 0.5))


@dataclass(frozen=True)
class Measurement:
    """The measurement model of all encoders.

    Attributes:
        columns: Channel -> column -> its model.
        responses: Planted facial action unit at intensity 1 -> column of the face -> change in the column's unit.
        events: Kind of event -> how often it is found.
        unit_missed: Chance that an expression's action unit is missing from its label, 0..1.
        unit_mistaken: Chance that an expression's label holds an action unit that was not shown, 0..1.
        as_other_kind: Chance that a found macro-expression is called micro, and the reverse.
        about: Where it comes from.
    """

    columns: Mapping[str, Mapping[str, ColumnModel]]
    responses: Mapping[str, Mapping[str, float]]
    events: Mapping[str, Found]
    unit_missed: float
    unit_mistaken: float
    as_other_kind: tuple[float, float]
    about: Mapping[str, Any]

    def draw(
        self, rng: np.random.Generator, channel: str, n: int, talking: Mask, names: Sequence[str] | None = None
    ) -> tuple[dict[str, Floats], dict[str, Mask]]:
        """Columns of a channel while nothing is shown, 4 samples a second.

        Args:
            rng: Chance.
            channel: Whose columns.
            n: Number of samples.
            talking: Where the person speaks, (n,).
            names: Which columns; all by default.

        Returns:
            Values (n,) and validity (n,) by column.
        """
        models = self.columns[channel]
        wanted = [name for name in (names or models) if name in models]
        values, valid = {}, {}
        common = wandering(rng, n, 0.9)
        for name in wanted:
            model = models[name]
            own = wandering(rng, n, float(np.clip(model.keep + rng.normal(0, 0.05), 0, 0.995)))
            rank = _uniform(0.9 * own + np.sqrt(1 - 0.81) * common)
            quiet, speaking = (np.interp(rank, LEVELS, quantiles) for quantiles in (model.still, model.talking))
            scale = float(np.exp(rng.normal(0, max(0.3, model.spread))))
            values[name] = model.base + scale * np.where(talking, speaking, quiet)
            share = np.where(talking, model.seen_talking, model.seen_still)
            valid[name] = _uniform(wandering(rng, n, 0.8)) < share
        return values, valid

    def respond(self, rng: np.random.Generator, units: Mapping[str, Floats]) -> dict[str, Floats]:
        """What the columns of the face do when action units are shown.

        Args:
            rng: Chance: each response has its own gain, log-normal with a standard deviation of 0.35.
            units: Intensity 0..1 by action unit, (n,) each.

        Returns:
            Change by column.
        """
        out: dict[str, Floats] = {}
        for unit, course in units.items():
            for name, gain in self.responses.get(unit, {}).items():
                change = gain * float(np.exp(0.35 * rng.standard_normal())) * course
                out[name] = out[name] + change if name in out else change
        return out

    def save(self, path: Path = FILE) -> None:
        """Write it as JSON."""
        content = {
            "about": dict(self.about),
            "levels": list(LEVELS),
            "unit_missed": self.unit_missed,
            "unit_mistaken": self.unit_mistaken,
            "as_other_kind": list(self.as_other_kind),
            "events": {kind: vars(one) for kind, one in self.events.items()},
            "responses": {unit: dict(row) for unit, row in self.responses.items()},
            "columns": {c: {name: vars(model) for name, model in rows.items()} for c, rows in self.columns.items()},
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")


@cache
def load_measurement(path: Path = FILE) -> Measurement:
    """The measurement model of a file, the shipped one by default.

    Raises:
        UnreadableFileError: the file is no measurement model, or was made for other quantiles.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if tuple(content["levels"]) != LEVELS:
            raise ValueError("other quantiles")
        columns = {
            channel: {
                name: ColumnModel(**{**model, "still": tuple(model["still"]), "talking": tuple(model["talking"])})
                for name, model in rows.items()
            }
            for channel, rows in content["columns"].items()
        }
        return Measurement(
            columns=columns,
            responses=content["responses"],
            events={kind: Found(**one) for kind, one in content["events"].items()},
            unit_missed=float(content["unit_missed"]),
            unit_mistaken=float(content["unit_mistaken"]),
            as_other_kind=(float(content["as_other_kind"][0]), float(content["as_other_kind"][1])),
            about=content["about"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UnreadableFileError(
            "this is no measurement model",
            file=path,
            got=str(error),
            mend="Estimate one: python -m pipeline.simulate.measurement_estimate.",
        ) from error


def wandering(rng: np.random.Generator, n: int, keep: float) -> Floats:
    """Gaussian noise of unit variance whose neighbours correlate by `keep`, (n,)."""
    from scipy.signal import lfilter

    steps = rng.standard_normal(n) * np.sqrt(1 - keep**2)
    if n:
        steps[0] = rng.standard_normal()
    return np.asarray(lfilter([1.0], [1.0, -keep], steps), dtype=np.float64)


def _uniform(normal: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(normal), dtype=np.float64)
