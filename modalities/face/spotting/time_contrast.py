"""Reference spotter: time-contrasted features with a memory.

After Nag, Bhunia, Konwer & Roy, "Facial micro-expression spotting and recognition using time contrasted feature with
visual memory" (2019): a convolutional network describes each picture; what counts is the contrast of a picture's
features with those some time before and after, which takes off the person and leaves what moves; a recurrent memory
reads the contrasts and says where the expression is.

What differs: the network is small (`picture_network`) and learns from pairs of pictures how far an expression moved the
face from one to the other, before the memory, an LSTM that labels every moment (`recurrent`), is trained on its
contrasts; the time apart is 0.16 s and 0.64 s, half the windows of feature difference analysis (`lbp`), for micro- and
macro-expressions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.base import Reducer
from modalities.face.spotting.differences import FACE_BOX
from modalities.face.spotting.picture_network import EMBEDDING, embed, small_face
from modalities.face.spotting.recurrent import RATE_HZ, RecurrentSpotter, unusual

APART_S = (0.16, 0.64)
LEAST_STEP_S = 0.0305


class TimeContrastSpotter(RecurrentSpotter):
    """Contrasts of embeddings and an LSTM."""

    name = "time-contrast"
    columns = EMBEDDING + 1

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return EmbeddingReducer(self.name)

    def features(self, values: FloatArray) -> FloatArray:
        """See `RecurrentSpotter`."""
        return unusual(contrasts(values))


def contrasts(embedded: FloatArray) -> FloatArray:
    """Embeddings less those each time apart before, and less those after, (m, 4 * `EMBEDDING`).

    Args:
        embedded: At `recurrent.RATE_HZ`, (m, `EMBEDDING`); the ends are taken to last on.
    """
    at = np.arange(len(embedded))
    out = []
    for apart_s in APART_S:
        lag = round(apart_s * RATE_HZ)
        for other in (np.maximum(at - lag, 0), np.minimum(at + lag, len(at) - 1)):
            out.append(embedded - embedded[other])
    return np.concatenate(out, axis=1)


class EmbeddingReducer:
    """Keeps the embedding of each picture.

    Args:
        name: Whose network.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._last_ns: int | None = None
        self._rows: list[tuple[int, NDArray[np.float32]]] = []

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if self._last_ns is not None and t_ns - self._last_ns < LEAST_STEP_S * NS_PER_S:
            return
        self._last_ns = t_ns
        left, top, right, bottom = FACE_BOX
        self._rows.append((number, embed(self._name, small_face(patch[top:bottom, left:right]))))

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: embedding, and whether there is one, (n, 17)."""
        out = np.zeros((n, EMBEDDING + 1), np.float32)
        for number, values in self._rows:
            out[number, :-1] = values
            out[number, -1] = 1
        return out
