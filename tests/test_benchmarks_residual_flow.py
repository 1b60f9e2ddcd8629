"""A still face keeps still while its head turns by 10 degrees and moves by 20 px."""

from __future__ import annotations

import numpy as np

from benchmarks.residual_flow import FACE_PX, FPS, STARTS_S, TURNS_S, skin_mask, watch_head
from modalities.face.flow_methods import dense_flow
from modalities.face.head_motion import POINTS, FacePicture, HeadMotion
from modalities.face.regions import averaging


def test_residual_motion_of_a_turning_head_is_a_tenth_of_a_pixel() -> None:
    looks = list(watch_head("hopper", 3))
    assert len(looks) == 120
    scale = FACE_PX / float(np.ptp(looks[0].points[:468, 0]))
    faces = [FacePicture(o.patch, o.points[POINTS], o.depth[POINTS].astype(np.float32), o.t_ns) for o in looks]
    head, flow, mean = HeadMotion(), dense_flow("dis"), averaging(len(POINTS), POINTS)
    left, raw = [], []
    for at in range(round(STARTS_S * FPS), round((STARTS_S + TURNS_S) * FPS) + 1):
        for lag in (2, round(0.25 * FPS), 30):
            left.append(mean @ head.remove(faces[at - lag], faces[at], flow).at_points)
        raw.append(looks[at].points - looks[at - 30].points)
    assert scale * np.sqrt((np.array(left) ** 2).sum(axis=-1).mean()) <= 0.1
    assert scale * np.abs(raw).max() > 3, "the aligned picture does show the turn"
    mask = skin_mask(looks[0])
    assert 0.2 < mask.mean() < 0.5 and not mask[:, :10].any() and not mask[-10:].any()
