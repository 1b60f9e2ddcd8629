"""The lab's own label over a session: probability, both uncertainties, cannot_say and each channel's share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError
from data_schemas.features import Encoding, FeatureSpec
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval, grid
from data_schemas.time import Int64Array
from fusion.attribution import share_out
from fusion.inference import SPEAKING, pick_device
from fusion.label_head import Answer
from fusion.label_model import LabelModel, LabelSpec, load_label_model
from fusion.label_steps import pool, sliding, steps_from
from fusion.posterior import divergence
from fusion.tokens import HOP_NS, Tokens, tokens_of

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelTrack:
    """The lab's label for one person on a regular grid of n times.

    Attributes:
        person: Whom it concerns.
        times_ns: int64 (n,), session clock.
        features: The f columns; see `label_features`.
        values: float32 (n, f).
        valid: bool (n,): False where no channel had anything to say.
    """

    person: str
    times_ns: Int64Array
    features: tuple[FeatureSpec, ...]
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = (len(self.times_ns), len(self.features))
        if self.values.shape != expected or self.valid.shape != expected[:1]:
            raise InvalidValueError("the label's values do not fit the grid", got=self.values.shape, expected=expected)

    def column(self, name: str) -> NDArray[np.float32]:
        """One column by name, shape (n,)."""
        return self.values[:, [feature.name for feature in self.features].index(name)]


def label_features(spec: LabelSpec) -> tuple[FeatureSpec, ...]:
    """Columns of a label: NAME for two classes, NAME_CLASS for each of more, then NAME_uncertainty_data,
    NAME_uncertainty_model, NAME_cannot_say and NAME_share_CHANNEL.
    """
    around = f"in the {spec.length_s:g} s around, by the lab's own training"
    if spec.positive is not None:
        said = [FeatureSpec(spec.name, "1", f"probability of '{spec.classes[spec.positive]}' {around}", 0, 1)]
    else:
        said = [
            FeatureSpec(f"{spec.name}_{_word(one, at)}", "1", f"probability of '{one}' {around}", 0, 1)
            for at, one in enumerate(spec.classes)
        ]
    return (
        *said,
        FeatureSpec(
            f"{spec.name}_uncertainty_data", "1", "uncertainty that more training would not remove, 0 to 1", 0, 1
        ),
        FeatureSpec(f"{spec.name}_uncertainty_model", "1", "uncertainty that more training would remove, 0 to 1", 0, 1),
        FeatureSpec(f"{spec.name}_cannot_say", "1", "1 where nothing can be said of the label", 0, 1, "nearest"),
        *(FeatureSpec(f"{spec.name}_share_{c}", "1", f"share of the {c} channel in it", 0, 1) for c in CHANNELS),
    )


def fuse_label(
    encodings: Sequence[Encoding],
    extent: Interval,
    weights: Path,
    grid_hz: float = 25.0,
    device: str = "auto",
    hook: Hook = silent,
) -> LabelTrack:
    """What a lab's model says of one person.

    Args:
        encodings: Of one person, any channels.
        extent: What to cover, session clock.
        weights: What `telltale train` wrote.
        grid_hz: Rows per second, > 0.
        device: "auto", "cpu", "cuda" or "mps".
        hook: Progress.

    Raises:
        InvalidValueError: encodings of different people, a bad grid rate, weights without a label.
        MissingFileError, UnreadableFileError: the weights are not there or are none.
    """
    model = load_label_model(weights)
    return track_label(model, tokens_of(encodings, extent), grid(extent, grid_hz), pick_device(device), hook)


def track_label(
    model: LabelModel, tokens: Tokens, times_ns: Int64Array, device: str = "cpu", hook: Hook = silent
) -> LabelTrack:
    """The label at grid times: linear between valid steps of 0.5 s, never across a gap."""
    answer, shares = answer_and_shares(model, tokens, device, hook)
    spec = model.spec
    valid = np.any([tokens.present(channel) for channel in CHANNELS], axis=0)
    spoken = np.any([tokens.present(channel) for channel in SPEAKING], axis=0)
    silenced = ~spoken | (answer.uncertainty > spec.cannot_say_above) | (not spec.usable)
    said = answer.probability if spec.positive is None else answer.probability[:, [spec.positive]]
    steps = np.column_stack([said, answer.data, answer.epistemic, silenced, shares])
    place = (times_ns - tokens.times_ns[0]) / HOP_NS
    left = np.clip(np.floor(place).astype(int), 0, len(tokens) - 1)
    right = np.clip(left + 1, 0, len(tokens) - 1)
    nearest = np.clip(np.rint(place).astype(int), 0, len(tokens) - 1)
    fraction = np.where(valid[left] & valid[right], np.clip(place - left, 0.0, 1.0), (nearest != left).astype(float))
    values = (1 - fraction[:, None]) * steps[left] + fraction[:, None] * steps[right]
    at = said.shape[1] + 2
    values[:, at] = steps[nearest, at]
    return LabelTrack(tokens.person, times_ns, label_features(spec), values.astype(np.float32), valid[nearest])


def answer_and_shares(
    model: LabelModel, tokens: Tokens, device: str = "cpu", hook: Hook = silent
) -> tuple[Answer, Array]:
    """The answer around each step, and each channel's share (n, 5): how much leaving it out changes the answer."""
    network = model.network.to(device)
    present = tokens.channels
    runs = 1 + (len(present) if len(present) > 1 else 0)
    around = sliding(tokens.times_ns, model.spec.length_ns)

    def said(shown: Tokens) -> Answer:
        return model.head.answer(pool(steps_from(network, shown, device), *around))

    hook("label", 0, runs)
    answer = said(tokens)
    hook("label", 1, runs)
    change = np.zeros((len(tokens), len(CHANNELS)))
    if len(present) == 1:
        change[:, CHANNELS.index(present[0])] = 1.0
        return answer, change
    for done, channel in enumerate(present, 2):
        without = said(tokens.only([c for c in CHANNELS if c != channel]))
        change[:, CHANNELS.index(channel)] = divergence(answer.probability, without.probability)
        hook("label", done, runs)
    return answer, share_out(change, np.array([channel in present for channel in CHANNELS]))


def _word(text: str, at: int) -> str:
    plain = "".join(letter if letter.isalnum() else "_" for letter in text.lower()).strip("_")
    return plain if plain.isascii() and plain else f"class_{at}"
