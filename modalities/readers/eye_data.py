"""What every eye tracker's file comes down to: gaze and pupil of each eye, valid or not, and the messages."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.stream import Mark
from data_schemas.time import Int64Array

EYES = ("left", "right")


@dataclass(frozen=True, eq=False)
class EyeData:
    """One recording of an eye tracker.

    Attributes:
        times_ns: As the file has them, int64 ns, shape (n,), in the order of the file.
        values: Columns by name ("gaze_x", "pupil_left"), each float64 (n,).
        masks: Validity of each column, bool (n,).
        units: Unit of each column.
        step_ns: Step to which the times were rounded.
        rate_hz: Rate that the file states.
        marks: Messages, blinks and stimuli, on the same clock.
        notes: What was odd.
        maker: Whose file it is, for messages.
    """

    times_ns: Int64Array
    values: dict[str, NDArray[np.float64]]
    masks: dict[str, NDArray[np.bool_]]
    units: dict[str, str]
    step_ns: float = 0.0
    rate_hz: float | None = None
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    maker: str = ""


def both_eyes(data: EyeData) -> EyeData:
    """The recording with "gaze_x" and "gaze_y" where it has them for each eye only: their mean, or the one eye that is
    valid.
    """
    values, masks, units = dict(data.values), dict(data.masks), dict(data.units)
    for name in ("gaze_x", "gaze_y"):
        eyes = [f"{name}_{eye}" for eye in EYES if f"{name}_{eye}" in values]
        if name in values or not eyes:
            continue
        good = np.stack([masks[eye] for eye in eyes])
        total = np.stack([np.where(masks[eye], values[eye], 0.0) for eye in eyes]).sum(axis=0)
        values[name], masks[name] = total / np.maximum(good.sum(axis=0), 1), np.asarray(good.any(axis=0))
        units[name] = units[eyes[0]]
    order = sorted(values, key=lambda name: (not name.startswith("gaze"), name))
    return replace(data, values={name: values[name] for name in order}, masks=masks, units=units)
