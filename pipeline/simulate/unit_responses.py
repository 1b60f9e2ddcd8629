"""What the face path measures when one muscle moves: many faces, each action unit planted alone, seen as any video is.

The displacement of an action unit is that of the "train" family, turned, stretched and thinned at random, because no
two people contract alike: what is learnt must hold for fields that nobody here has drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from data_schemas.hook import Hook, silent
from data_schemas.threads import end_with_parent
from data_schemas.time import NS_PER_S
from modalities.face.action_units import AU_NAMES
from modalities.face.synthesis.action_units import (
    LIDS,
    POINTS,
    ActionUnit,
    find_row,
    peak_point,
    planted_displacement,
)
from modalities.face.synthesis.families import family, table_field
from modalities.face.synthesis.fields import lid_field, unit_fields
from modalities.face.synthesis.mesh import FaceMesh, Field
from modalities.face.synthesis.planting import warp_face
from pipeline.simulate.chance import generator
from pipeline.simulate.spotter_backgrounds import FAMILY

SIZE, FACE_WIDTH_PX = (360, 300), (150.0, 230.0)
RATE_HZ = 15.0
"""Pictures of one stay a second, so that each is compared with the one before it."""
INTENSITY = (0.35, 1.1)
TURN_DEG, STRETCH, UNEVEN, LOST, CORE = 10.0, 1.5, 0.4, 0.3, 0.2
"""Spread of a field's direction, of its width (a factor), of the log of its local strength; the probability with which
a point of the table does not move, and with which none does but the one that moves farthest."""
UNCUT = 0.3
"""Share of the fields that take no notice of the line between the lips: lips stick together."""
_HOLD = 2
"""Pictures with a movement, and between two."""


@dataclass(frozen=True, eq=False)
class Responses:
    """What was planted into one face and what was measured.

    Attributes:
        identity: Number of the face.
        unit: Index into `AU_NAMES`, int (n,).
        intensity: 0..1.1, (n,).
        motion: Movement of the regions, percent of the inter-ocular distance, (n, regions, 2).
        lids: Of the heights of the lids, (n, 2, 2).
        mouth: Of the gap between the lips, (n,).
    """

    identity: int
    unit: NDArray[np.int64]
    intensity: NDArray[np.float64]
    motion: NDArray[np.float64]
    lids: NDArray[np.float64]
    mouth: NDArray[np.float64]


def observe_responses(identity: int, count: int) -> Responses:
    """Plant action units into one face, one after the other, and measure.

    Args:
        identity: Number of the face, from 1.
        count: How many of `AU_NAMES`, drawn at random.
    """
    from modalities.face.models import borrowed_models
    from modalities.face.observation import FaceObserver
    from modalities.face.trajectory import trace_regions
    from pipeline.simulate.face_portrait import MARGIN_PX, prepare_portrait

    rng = generator(identity, "unit responses")
    width = float(rng.uniform(*FACE_WIDTH_PX))
    portrait = prepare_portrait(family(FAMILY).photograph, SIZE, width, identity, identity)
    inner = portrait.person[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX].astype(np.float32)
    still = portrait.background + inner[..., 3:] / 255 * (inner[..., :3] - portrait.background)
    still = np.clip(np.rint(still), 0, 255).astype(np.uint8)
    mesh = portrait.mesh.moved(1.0, np.array([-MARGIN_PX, -MARGIN_PX]))
    order = rng.permutation(len(AU_NAMES))[:count]
    intensity = rng.uniform(*INTENSITY, len(order))
    number, noise = 0, float(rng.uniform(0.5, 2.0))
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for unit, size in zip(order.tolist(), intensity.tolist(), strict=True):
            moved = warp_face(still, mesh, vary_field(mesh, AU_NAMES[unit], size, rng))
            for picture in (*[still] * _HOLD, *[moved] * _HOLD):
                grain = noise * rng.standard_normal(picture.shape, dtype=np.float32)
                seen = np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
                observer.add(seen, round(number * NS_PER_S / RATE_HZ))
                number += 1
        rows = observer.rows()
    traced = trace_regions(rows).reshape(len(rows), -1)
    measured = np.column_stack([traced, rows["lids"].reshape(len(rows), -1), rows["mouth"]])
    steps = measured.reshape(len(order), 2 * _HOLD, -1)
    rise = steps[:, _HOLD:].mean(axis=1) - steps[:, :_HOLD].mean(axis=1)
    seen_all = rows["found"].reshape(len(order), -1).all(axis=1)
    rise, order, intensity = rise[seen_all], order[seen_all], intensity[seen_all]
    motion, lids = rise[:, :-5].reshape(len(rise), -1, 2), rise[:, -5:-1].reshape(-1, 2, 2)
    return Responses(identity, order, intensity, motion, lids, rise[:, -1])


def vary_field(
    mesh: FaceMesh, unit: str, intensity: float, rng: np.random.Generator
) -> Callable[[NDArray[np.floating]], Field]:
    """The field of an action unit as one person might have it; its greatest displacement is that of the intensity.

    Args:
        mesh: The face.
        unit: One of `AU_NAMES`.
        intensity: 1 is the displacement of the table (`planted_displacement`).
        rng: Source of chance.
    """
    row = vary_row(unit, rng)
    side = unit.partition("_")[2]
    centre = mesh.points[POINTS[peak_point(unit)][1 if side == "left" else 0][0]]
    if not side:
        centre = np.array([mesh.points[[33, 263], 0].mean(), centre[1]])
    wider = float(np.exp(rng.uniform(-1, 1) * np.log(STRETCH)))
    waves = rng.standard_normal((4, 2)) * 2.0 / mesh.iod
    phases = rng.uniform(0, 2 * np.pi, 4)
    uncut = int(rng.integers(2)) if rng.random() < UNCUT else None

    def field(at: NDArray[np.floating]) -> Field:
        near = centre + (at - centre) / wider
        if uncut is None:
            plain = table_field(mesh, unit, near, row)
        else:
            plain = unit_fields(mesh, unit, near, row)[uncut] + lid_field(mesh, unit, near, row)
        uneven = np.exp(UNEVEN * np.sqrt(0.5) * np.sin(at @ waves.T + phases).sum(axis=-1))
        out = plain * uneven[..., None]
        peak = float(np.linalg.norm(out, axis=-1).max())
        return np.asarray(out * (intensity * planted_displacement(unit) * mesh.iod / max(peak, 1e-9)), np.float32)

    return field


def vary_row(unit: str, rng: np.random.Generator) -> ActionUnit:
    """The row of the table as one person might have it: some points do not move, the others each in their own way."""
    row = find_row(unit)[0]
    peak = peak_point(unit)
    angle = np.radians(TURN_DEG) * rng.standard_normal()
    moves = {}
    lost = 1.0 if rng.random() < CORE else LOST
    for point, (out, up) in row.moves.items():
        if point != peak and point not in LIDS and rng.random() < lost:
            continue
        own = angle + np.radians(TURN_DEG / 2) * rng.standard_normal()
        size = float(np.exp(0.3 * rng.standard_normal()))
        midline = POINTS[point][0] == POINTS[point][1]
        turned = (out * np.cos(own) - up * np.sin(own), out * np.sin(own) + up * np.cos(own))
        moves[point] = (0.0, size * up) if midline else (size * turned[0], size * turned[1])
    held = tuple(point for point in row.holds if rng.random() > LOST / 2)
    return replace(row, moves=moves, holds=held, reach=row.reach * float(np.exp(rng.uniform(-1, 1) * np.log(STRETCH))))


def observe_many(identities: Sequence[int], count: int, workers: int, hook: Hook = silent) -> Iterator[Responses]:
    """Many faces, in their order, by worker processes."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        for done, one in enumerate(pool.map(partial(observe_responses, count=count), identities, chunksize=4), start=1):
            hook("faces", done, len(identities))
            yield one
