"""MediaPipe's hand landmarks for a hand whose place is known from the pose, loaded once per process.

The bundled models alone: one that finds the hand within the part of the picture where the pose has it, and one for its
21 landmarks (Zhang et al. 2020, "MediaPipe Hands", arXiv:2006.10214). No palm is searched for, and nothing is carried
from picture to picture, so one model serves all hands of all people.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.native_log import without_chatter
from data_schemas.threads import import_apart
from modalities.body.pictures import as_picture
from modalities.body.skeleton import FloatArray

TIPS = (4, 8, 12, 16, 20)
"""Fingertips, thumb first."""
ROI = 5.4
"""Side of the square in which the hand is looked for, in lengths from the wrist to the middle knuckle: twice the length
for the hand, times 2.7, as in MediaPipe Holistic."""
AHEAD = 1.2
"""Its middle lies this many of these lengths from the wrist."""
SIDE_PX = 448
"""The part of the picture around a hand is shrunk to this."""
_GRAPH = """
input_stream: "image"
input_stream: "place"
input_side_packet: "model_complexity"
output_stream: "landmarks"
output_stream: "world"
output_stream: "handedness"
node {
  calculator: "HandRecropByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:place"
  output_stream: "HAND_ROI_FROM_RECROP:hand"
}
node {
  calculator: "HandLandmarkCpu"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_stream: "IMAGE:image"
  input_stream: "ROI:hand"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "WORLD_LANDMARKS:world"
  output_stream: "HANDEDNESS:handedness"
}
"""


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand in one picture.

    Attributes:
        points: (21, 2), px of the picture: wrist, then four joints of each finger from the thumb, the tip last.
        world: (21, 3), metres from the middle of the hand.
        left: Probability that it is a left hand, in a picture that is not mirrored, 0..1.
    """

    points: FloatArray
    world: FloatArray
    left: float


class HandModel:
    """Looks at hands. Get it from `load_hand_model`."""

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_minloglevel", "2")
        warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)
        with without_chatter():
            from google.protobuf import text_format

            import_apart("mediapipe")
            from mediapipe.framework import calculator_pb2
            from mediapipe.framework.formats import rect_pb2
            from mediapipe.python.solution_base import SolutionBase
            from mediapipe.python.solutions import hands as _registers_calculators  # noqa: F401

            graph = text_format.Parse(_GRAPH, calculator_pb2.CalculatorGraphConfig())
            self._rect: Any = rect_pb2.NormalizedRect
            self._solution: Any = SolutionBase(
                graph_config=graph, side_inputs={"model_complexity": 1}, outputs=["landmarks", "world", "handedness"]
            )
            self._solution._graph.wait_until_idle()

    def find(self, picture: NDArray[np.generic], wrist: FloatArray, knuckle: FloatArray) -> Hand | None:
        """The hand at a place.

        Args:
            picture: Any frame: uint8 (h, w, 3) RGB, uint8 or uint16 (h, w).
            wrist: (2,), px.
            knuckle: The middle finger's, (2,), px.

        Returns:
            None where no hand is seen there.
        """
        along = knuckle - wrist
        length = max(float(np.hypot(*along)), 1e-6)
        centre, side = wrist + AHEAD * along, ROI * length
        height, width = picture.shape[:2]
        left, top = np.clip(np.floor(centre - side), 0, (width - 2, height - 2)).astype(int).tolist()
        right, bottom = np.clip(np.ceil(centre + side), (left + 2, top + 2), (width, height)).astype(int).tolist()
        size = np.array((right - left, bottom - top), dtype=np.float64)
        middle = (centre - (left, top)) / size
        place = self._rect(
            x_center=float(middle[0]),
            y_center=float(middle[1]),
            width=side / float(size[0]),
            height=side / float(size[1]),
            rotation=float(np.arctan2(along[1], along[0]) + np.pi / 2),
        )
        found = self._solution.process({
            "image": as_picture(picture[top:bottom, left:right], SIDE_PX), "place": place
        })  # fmt: skip
        if found.landmarks is None or found.world is None or found.handedness is None:
            return None
        points = np.array([(mark.x, mark.y) for mark in found.landmarks.landmark]) * size + (left, top)
        world = np.array([(mark.x, mark.y, mark.z) for mark in found.world.landmark])
        # MediaPipe names hands as in a mirrored picture.
        said = found.handedness.classification[0]
        return Hand(points, world, float(said.score if said.label == "Right" else 1 - said.score))


@lru_cache(maxsize=1)
def load_hand_model() -> HandModel:
    """The one model of this process."""
    return HandModel()
