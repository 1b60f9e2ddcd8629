"""Fingers of drawn hands of known bend: how often a hand is seen, on which side, and how far its openness is right.

`python -m benchmarks.body_hands` prints the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modalities.body.hand_model import load_hand_model
from modalities.body.hands import bends_of, openness_of
from modalities.body.skeleton import FloatArray
from pipeline.simulate.body_figure import capsule

SIDE_PX = 320
ROOTS = ((-0.028, 0.032, 0.01), (-0.024, 0.088, 0.0), (-0.004, 0.092, 0.0), (0.015, 0.086, 0.0), (0.032, 0.075, 0.0))
"""Where thumb and fingers begin, metres from the wrist: across, along, to the palm's side; a left hand's palm."""
BONES = (
    (0.036, 0.032, 0.026),
    (0.042, 0.026, 0.021),
    (0.046, 0.029, 0.022),
    (0.042, 0.027, 0.022),
    (0.033, 0.02, 0.019),
)
SPREAD = (-0.75, -0.12, -0.02, 0.08, 0.2)
"""Direction of each against the hand, radians."""
SKIN = np.array((206.0, 158.0, 132.0))


def measure_hands(each: int) -> dict[str, float]:
    """Hands of ten degrees of openness, each from several views.

    Args:
        each: Views of each degree and side.

    Returns:
        `hands_seen` (share), `hands_side_right` (share of those seen), `openness_r` (correlation with the truth),
        `openness_off` (median error, 0..1).
    """
    seen = right = total = 0
    truth, found = [], []
    for left in (True, False):
        for openness in np.linspace(0.0, 1.0, 10):
            for view in range(each):
                rng = np.random.default_rng([view, int(100 * openness), int(left)])
                joints, picture = draw_hand(openness, left, rng)
                hand = load_hand_model().find(picture, joints[0], (2 * joints[5] + joints[17]) / 3)
                total += 1
                if hand is None:
                    continue
                seen += 1
                right += (hand.left > 0.5) == left
                truth.append(openness)
                found.append(float(openness_of(bends_of(hand))))
    if seen < 3:
        return {"hands_seen": seen / max(1, total)}
    return {
        "hands_seen": seen / max(1, total),
        "hands_side_right": right / seen,
        "openness_r": float(np.corrcoef(truth, found)[0, 1]),
        "openness_off": float(np.median(np.abs(np.array(truth) - found))),
    }


def draw_hand(openness: float, left: bool, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.uint8]]:
    """A hand with its forearm: joints (21, 2), px, and the picture, uint8 (320, 320, 3)."""
    joints = _joints(openness)
    if not left:
        joints = joints * (-1, 1, 1)
    turned = joints @ _view(rng).T
    scale = rng.uniform(900, 1200)
    points = np.array((SIDE_PX / 2, 0.62 * SIDE_PX)) + scale * turned[:, :2] * (1, -1)
    elbow = points[0] + scale * 0.16 * _down(turned)
    layer = np.full((SIDE_PX, SIDE_PX, 3), 1.0, np.float32) * np.array((196.0, 199.0, 193.0), np.float32)
    layer += rng.normal(0, 1.5, layer.shape).astype(np.float32)
    limbs = [(0.1, elbow, points[0], 0.03, 0.026)]
    for root in (1, 5, 9, 13, 17):
        limbs.append((turned[[0, root], 2].mean(), points[0], points[root], 0.021, 0.0135))
        for at in range(root, root + 3):
            radii = (0.011, 0.0095) if root == 1 else (0.0098 - 0.0008 * (at - root), 0.009 - 0.0008 * (at - root))
            limbs.append((turned[[at, at + 1], 2].mean(), points[at], points[at + 1], *radii))
    for a, b in ((1, 5), (5, 9), (9, 13), (13, 17)):
        limbs.append(
            (turned[[0, a, b], 2].mean(), (points[0] + points[a]) / 2, (points[a] + points[b]) / 2, 0.016, 0.012)
        )
    for _, begin, end, wide, narrow in sorted(limbs, key=lambda limb: limb[0]):
        capsule(layer, begin, end, (float(scale * wide), float(scale * narrow)), SKIN, 0.35)
    return points, np.clip(np.rint(layer), 0, 255).astype(np.uint8)


def _joints(openness: float) -> FloatArray:
    """21 joints of a left hand with its palm to the camera, fingers up, metres: right in the picture, up, to it."""
    out = np.zeros((21, 3))
    for finger, (root, bones, spread) in enumerate(zip(ROOTS, BONES, SPREAD, strict=True)):
        bend = (150.0 - 135.0 * openness) / 2
        share = 0.35 if finger == 0 else 1.0
        angle = np.radians(0.6 * bend * share)
        at, first = np.array(root), 1 + 4 * finger
        out[first] = at
        for bone, length in enumerate(bones):
            angle = angle if bone == 0 else angle + np.radians(bend * share)
            way = np.array((np.sin(spread) * np.cos(angle), np.cos(spread) * np.cos(angle), np.sin(angle)))
            at = at + length * way
            out[first + bone + 1] = at
    return out


def _view(rng: np.random.Generator) -> FloatArray:
    """Palm or back to the camera, turned by up to 40 degrees, and in the picture by up to 60."""
    turn = rng.uniform(-0.7, 0.7) + (np.pi if rng.random() < 0.5 else 0.0)
    tilt, roll = rng.uniform(-0.5, 0.5), rng.uniform(-1, 1)
    return np.asarray(_about(2, roll) @ _about(0, tilt) @ _about(1, turn))


def _about(axis: int, angle: float) -> FloatArray:
    a, b = [at for at in range(3) if at != axis]
    out = np.eye(3)
    out[a, a] = out[b, b] = np.cos(angle)
    out[a, b], out[b, a] = -np.sin(angle), np.sin(angle)
    return out


def _down(turned: FloatArray) -> FloatArray:
    """Direction of the forearm in the picture."""
    way = -(turned[9, :2] - turned[0, :2]) * (1, -1)
    return np.asarray(way / max(float(np.linalg.norm(way)), 1e-6))


if __name__ == "__main__":
    for name, value in measure_hands(24).items():
        print(f"{name:20} {value:.3f}")
