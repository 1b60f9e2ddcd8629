"""The apex by a small convolutional network.

After Zhang, Chen, Meng, Liu & Fu, "SMEConvNet: a convolutional neural network for spotting spontaneous facial
micro-expression from long videos" (2018): a network learns to tell pictures at the apex from neutral ones; its
features of all pictures of a stretch make a matrix, and the apex is where they differ most from those of the
stretch's ends.

What differs: the network is `picture_network`, and it learns from pairs of pictures of one person how far an expression
moved the face from one to the other, so that the difference of the features and not the person decides.
"""

from __future__ import annotations

import numpy as np

from data_schemas.time import Int64Array
from modalities.face.models import FloatArray, Picture
from modalities.face.spotting.learned import load_learned
from modalities.face.spotting.picture_network import embed, small_face

NAME = "apex-cnn"


class CnnApex:
    """Greatest difference of the features from those of the ends."""

    name = "cnn"
    intervals_s = (0.5, 2.0)

    def describe(self, face: Picture) -> FloatArray:
        """See `apex.ApexFinder`: the embedding, float32 (16,)."""
        return embed(NAME, small_face(face))

    def curve(self, described: FloatArray, times_ns: Int64Array) -> FloatArray:
        """See `apex.ApexFinder`: weighted difference of the features from the first and the last picture's, >= 0."""
        weights = load_learned(NAME).tables["weights"]
        away = [np.abs(described - described[end]) @ weights for end in (0, -1)]
        return np.asarray(np.minimum(*away), np.float64)

    def apex(self, described: FloatArray, times_ns: Int64Array) -> int:
        """See `apex.ApexFinder`: where the mean of three neighbours of the curve is greatest."""
        padded = np.pad(self.curve(described, times_ns), 1, mode="edge")
        return int((padded[:-2] + padded[1:-1] + padded[2:]).argmax())
