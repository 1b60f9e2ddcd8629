"""The small temporal network behind the default spotter: where an expression is, of which kind, from when to when.

Dilated convolutions over about five seconds (van den Oord et al. 2016; Bai, Kolter & Koltun 2018) see the features of
`temporal_features` and give, for every sample and kind, how likely the middle of an expression is here, and how far
its onset, apex and offset lie - the centre-point way of detection (Zhou, Wang & Kraehenbuehl 2019) in one dimension.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.threads import one_thread
from data_schemas.weights import require_usable
from modalities.face.models import FloatArray
from modalities.face.spotting.temporal_features import CHANNELS

if TYPE_CHECKING:
    from torch import nn

KINDS = ("micro", "macro")
WIDTH = 48
DILATIONS = (1, 2, 4, 8, 16, 32)
OUTPUTS = 4
"""Per kind: logit of the middle, log distance in seconds of onset and of offset, place of the apex between them."""
_PART, _MARGIN = 20_000, 200
"""Samples taken at a time, and how many more on either side are seen."""
DEFAULT = Path(__file__).parent / "weights" / "temporal.safetensors"


def build_network() -> nn.Module:
    """The network without its weights: (batch, `CHANNELS`, samples) to (batch, 2 * `OUTPUTS`, samples)."""
    from torch import nn

    class Block(nn.Module):
        """A dilated convolution beside the identity."""

        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.conv = nn.Conv1d(WIDTH, WIDTH, 5, padding=2 * dilation, dilation=dilation)
            self.mix = nn.Conv1d(WIDTH, WIDTH, 1)
            self.drop = nn.Dropout(0.1)

        def forward(self, x: Any) -> Any:
            """Same shape."""
            return x + self.drop(self.mix(nn.functional.gelu(self.conv(x))))

    return nn.Sequential(
        nn.Conv1d(CHANNELS, WIDTH, 1),
        *(Block(dilation) for dilation in DILATIONS),
        nn.Conv1d(WIDTH, len(KINDS) * OUTPUTS, 1),
    )


@lru_cache(maxsize=2)
def load_network(path: Path = DEFAULT) -> tuple[nn.Module, dict[str, Any]]:
    """Network and its card (scaling of the inputs, calibration, figures).

    Args:
        path: safetensors file with a JSON file of the same name beside it.

    Raises:
        MissingFileError: one of them is not there.
        UnreadableFileError: they are not such files.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    card_path = path.with_suffix(".json")
    for file in (path, card_path):
        if not file.is_file():
            raise MissingFileError("the weights of the spotter are not there", file=file)
    require_usable(path)
    network = build_network()
    try:
        network.load_state_dict(load_file(path))
        card = json.loads(card_path.read_text(encoding="utf-8"))
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise UnreadableFileError("not the weights of a temporal spotter", file=path, got=str(error)) from error
    return network.eval(), card


def predict(network: nn.Module, card: dict[str, Any], features: NDArray[np.float32]) -> FloatArray:
    """What the network says of one run.

    Args:
        network: From `load_network`.
        card: Its card.
        features: (m, `CHANNELS`).

    Returns:
        float32 (m, 2 kinds, `OUTPUTS`).

    Raises:
        InvalidValueError: features of another width.
    """
    import torch

    if features.ndim != 2 or features.shape[1] != CHANNELS:
        raise InvalidValueError("features of another width", got=features.shape, expected=f"(samples, {CHANNELS})")
    scaled = (features - np.asarray(card["mean"], np.float32)) / np.asarray(card["spread"], np.float32)
    out = np.zeros((len(features), len(KINDS) * OUTPUTS), np.float32)
    with torch.inference_mode(), one_thread():
        for first in range(0, len(scaled), _PART):
            low, high = max(0, first - _MARGIN), min(len(scaled), first + _PART + _MARGIN)
            said = network(torch.from_numpy(scaled[low:high].T[None].copy()))[0].numpy().T
            out[first : first + _PART] = said[first - low : first - low + _PART]
    return out.reshape(len(features), len(KINDS), OUTPUTS)
