"""The small convolutional network that `time_contrast` and `apex_cnn` look at pictures with, weights of their own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.threads import one_thread
from modalities.face.models import Picture
from modalities.face.spotting.learned import load_learned, part_of

if TYPE_CHECKING:
    from torch import nn

SIDE = 64
CHANNELS = (8, 16, 24, 32)
EMBEDDING = 16


def build_network() -> nn.Module:
    """The network without its weights: (n, 1, 64, 64) to (n, `EMBEDDING`), about 30 000 numbers."""
    from torch import nn

    layers: list[nn.Module] = []
    before = 1
    for at, width in enumerate(CHANNELS):
        layers += [nn.Conv2d(before, width, 5 if at == 0 else 3, stride=2, padding=2 if at == 0 else 1), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1] * (SIDE // 16) ** 2, EMBEDDING))


def small_face(face: Picture) -> NDArray[np.float32]:
    """A picture of the face as the network takes it: 64 x 64, mean 0, spread 1, float32.

    Args:
        face: Aligned grey picture, uint8 (h, w).
    """
    import cv2

    small = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray((small - small.mean()) / max(1.0, float(small.std())), np.float32)


@lru_cache(maxsize=2)
def load_network(name: str) -> nn.Module:
    """The network of a spotter, from its tables "pictures.*"; errors as of `learned.load_learned`."""
    import torch

    network = build_network()
    tables = part_of(load_learned(name), "pictures.")
    network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in tables.items()})
    return network.eval()


def embed(name: str, face: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network of a spotter makes of a picture of `small_face`, float32 (`EMBEDDING`,)."""
    import torch

    with torch.inference_mode(), one_thread():
        return np.asarray(load_network(name)(torch.from_numpy(face)[None, None])[0].numpy())
