"""Movement of a noisy camera, settled to what is likely: faces move as muscles pull, noise moves region by region.

The best linear estimate of movement x + noise is S (S + N)^-1 (x + noise), where S is the covariance of movement and N
that of noise (Wiener 1949). S is known: action units of some intensity, each of which moves the regions as it does on
average (`UnitNetwork.atoms`), with departures of its own on every face. N is seen: how far each measurement scatters
while the face is at rest, which is most of the time. What is measured well stays as it is.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modalities.face.action_units import load_units
from modalities.face.models import FloatArray

INTENSITY = 0.35
"""Standard deviation of the intensity of each action unit."""
DEPARTURE = 0.25
"""That of what it does to one measurement on one face, as a share of what it does on average; a little more than
`pipeline.simulate.unit_model` trains with."""
OTHER = 0.15
"""That of movement which no action unit explains, percent of the inter-ocular distance."""


def settle(moved: NDArray[np.float32], judged: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Movement as it most likely was.

    Args:
        moved: Away from neutral, percent of the inter-ocular distance, (frames, 2 * regions + 5), as
            `action_units.stack_measurements` has it.
        judged: Which frames can be used, (frames,).

    Returns:
        Same shape, float32; unchanged where not judged.

    Raises:
        MissingFileError: the network of the action units is not there.
    """
    if not judged.any():
        return moved
    seen = moved[judged].astype(np.float64)
    scatter = 1.4826 * np.median(np.abs(seen - np.median(seen, axis=0)), axis=0)
    likely = likely_movement()
    # The gain is S (S + N)^-1; both are symmetric, so that solving gives its transpose.
    gain = np.linalg.solve(likely + np.diag(scatter**2), likely)
    out = moved.copy()
    out[judged] = seen @ gain
    return out


@lru_cache(maxsize=1)
def likely_movement() -> FloatArray:
    """Covariance of movement, percent of the inter-ocular distance squared, (measurements, measurements)."""
    atoms = load_units().atoms.astype(np.float64)
    own = np.diag((DEPARTURE**2 * atoms**2).sum(axis=0))
    return INTENSITY**2 * (atoms.T @ atoms + own) + OTHER**2 * np.eye(atoms.shape[1])
