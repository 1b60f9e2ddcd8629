"""Flow maps of faces that nobody has: action units planted into meshes, for the default recogniser.

A face is the mesh of a public-domain photograph with other proportions. Its action units are displacement fields over
skin (`synthesis.families`); a class is a set of their combinations. What else is in a real map is drawn too: stray
units, blinks and wandering eyes, what is left of the head's motion, a weaker side, people who do not move as the table
says, textureless skin where flow is borrowed from its surroundings, noise, flattening by total variation, the crop, and
the stretch over 0..255. No map of a real face has a part in this.

Combinations follow FACS and EMFACS (Ekman, Friesen & Hager 2002; Friesen & Ekman 1983): happiness 12 and 6 + 12;
surprise 1 + 2, 5, 26 and their parts; negative are disgust (9, 10, 4 + 7), anger (4, 7, 23, 24), sadness (1 + 4, 15,
17), contempt (14), and the units by which people hold an expression down (14, 15, 17, 24; Ekman 2003).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modalities.face.recognition.samples import CLASSES, SIDE, Labels
from modalities.face.synthesis.families import family
from modalities.face.synthesis.identity import draw_shape
from modalities.face.synthesis.mesh import OVAL, FaceMesh, displacement_field, find_mesh, look_up
from pipeline.simulate.chance import generator

Values = NDArray[np.float64]
Maps = NDArray[np.float32]

SHOWN: dict[str, tuple[tuple[float, tuple[str, ...]], ...]] = {
    "negative": (
        (4, ("au04",)), (3, ("au04", "au07")), (1, ("au07",)), (1, ("au09",)), (2, ("au04", "au09")),
        (1, ("au04", "au07", "au09")), (1, ("au10",)), (1, ("au04", "au10")), (2, ("au14",)), (2, ("au15",)),
        (1, ("au15", "au17")), (2, ("au17",)), (1, ("au14", "au17")), (1, ("au04", "au15")), (1, ("au01", "au04")),
        (0.5, ("au01", "au04", "au15")), (0.5, ("au24",)), (0.5, ("au04", "au24")), (0.5, ("au23",)),
        (0.5, ("au04", "au20")), (0.5, ("au04", "au14")),
    ),
    "positive": (
        (5, ("au12",)), (5, ("au06", "au12")), (1, ("au12", "au25")), (1, ("au06", "au12", "au25")),
        (1, ("au12", "au14")), (0.7, ("au06",)), (1, ("au06", "au07", "au12")), (0.5, ("au12", "au24")),
    ),
    "surprise": (
        (5, ("au01", "au02")), (2, ("au02",)), (1, ("au01",)), (3, ("au01", "au02", "au05")), (1, ("au05",)),
        (1, ("au01", "au02", "au25")), (1, ("au01", "au02", "au26")), (1, ("au01", "au02", "au05", "au26")),
        (0.5, ("au05", "au26")), (0.5, ("au25",)), (0.5, ("au26",)),
    ),
}  # fmt: skip
"""Combinations of units by class, each with how often it is drawn relative to the others."""
UNITS = ("au01", "au02", "au04", "au05", "au06", "au07", "au09", "au10", "au12", "au14", "au15", "au17", "au20", "au23",
         "au24", "au25", "au26")  # fmt: skip

PRIOR = (0.4, 0.3, 0.3)
"""How often each class is drawn: negative holds four emotions and their holding down, the others are one each."""
_GRID = 48
"""Points a side of the square over the face on which fields are kept."""
_SPAN, _MIDDLE = 3.4, 0.6
"""Side of that square, and how far below the eyes its middle lies, in inter-ocular distances (IOD)."""
_PLACES = (np.arange(_GRID) + 0.5) / _GRID * _SPAN - _SPAN / 2
_TEXTURED = (105, 334, 55, 285, 70, 300, 33, 133, 362, 263, 159, 386, 129, 358, 2, 61, 291, 0, 17, 13, 206, 426)
"""Brows, eyes, nostrils, lips and folds: where skin has a pattern that flow can follow."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How much of what is not the class there is; 0 for none of it.

    Attributes:
        stray: Probability of each of up to two units that do not belong to the class.
        lids: Probability of a blink or of lids on the move.
        head: Rigid motion, relative to the strength of the expression.
        lop: Greatest loss of the weaker side.
        departure: Spread of a person's own way of moving.
        noise: Smooth errors of the flow, relative to the strength of the expression.
        flatten: Greatest weight of the total variation that flow methods keep small.
        own_crop: Share of maps with the crop of this project's own face path.
    """

    stray: float = 0.4
    lids: float = 0.3
    head: float = 0.15
    lop: float = 0.8
    departure: float = 0.5
    noise: float = 0.06
    flatten: float = 0.3
    own_crop: float = 0.2


USUAL = Disturbance()


@dataclass(frozen=True, eq=False)
class Drawn:
    """n flow maps with known classes.

    Attributes:
        maps: Displacement right and down in percent of the inter-ocular distance, and strain, float32 (n, 28, 28, 3).
        y: Class number; -1 where nothing is expressed.
        face: Number of the face.
    """

    maps: Maps
    y: Labels
    face: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Ground:
    """One face: fields of its units (units, g, g, 2) in IOD, depth, texture, oval (g, g) and where its parts lie."""

    fields: NDArray[np.float32]
    depth: Values
    texture: Values
    inside: Values
    brow: float
    chin: float
    half: float
    lids: Values
    eyes: Values


def draw_examples(
    faces: Sequence[int], each: int, *, seed: int = 0, name: str = "train", how: Disturbance = USUAL, idle: float = 0.0
) -> Drawn:
    """Flow maps of many faces, classes as often as `PRIOR` says.

    Args:
        faces: Numbers of faces; another number is another face.
        each: Maps of each.
        seed: Of all but the faces.
        name: Family of displacement fields and photographs (`synthesis.families`).
        how: Strength of the disturbances.
        idle: Share of maps with nothing but disturbances.
    """
    parts = list(_by_face(faces, each, seed, name, how, idle))
    maps, y = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    return Drawn(maps, y, np.repeat(np.asarray(list(faces), np.int64), each))


def _by_face(
    faces: Sequence[int], each: int, seed: int, name: str, how: Disturbance, idle: float
) -> Iterator[tuple[Maps, Labels]]:
    for face in faces:
        ground = _prepare(face, name)
        rng = np.random.default_rng(np.random.SeedSequence([seed, face, 28]))
        y = np.where(rng.random(each) < idle, -1, rng.choice(len(CLASSES), size=each, p=PRIOR))
        yield _draw(ground, y, how, rng), y.astype(np.int64)


@lru_cache(maxsize=4)
def _photographed(photograph: str) -> FaceMesh:
    """The mesh of a photograph, upright, the inter-ocular distance 100, the middle between the eyes at 0."""
    from pipeline.simulate.face_portrait import load_photograph

    mesh = find_mesh(load_photograph(photograph))
    away = (mesh.points - mesh.eyes.mean(axis=0)) * (100 / mesh.iod)
    return FaceMesh(np.stack([away @ mesh.across, -(away @ mesh.upwards)], axis=1), mesh.depth * (100 / mesh.iod))


def _prepare(face: int, name: str) -> _Ground:
    """Fields of one face."""
    kind = family(name)
    rng = generator(face, "recognition face")
    base = _photographed(kind.photograph)
    moves = draw_shape(base, rng)
    points = base.points + displacement_field(base, moves, base.iod, base.points)
    mesh = FaceMesh(points, base.depth)
    middle, iod = mesh.eyes.mean(axis=0), mesh.iod
    x, y = np.meshgrid(_PLACES, _PLACES + _MIDDLE)
    at = np.stack([x, y], axis=-1) * iod + middle
    fields = np.stack([kind.field(mesh, unit, at) for unit in UNITS]) / np.float32(iod)
    peaks = np.linalg.norm(fields, axis=-1).max(axis=(1, 2))
    places = (mesh.points - middle) / iod
    away = np.min([np.hypot(x - a, y - b) for a, b in places[list(_TEXTURED)]], axis=0)
    return _Ground(
        (fields / peaks[:, None, None, None]).astype(np.float32),
        _depth_map(places, mesh.depth / iod, x, y),
        np.exp(-((away / 0.18) ** 2) / 2),
        _oval_map(places[list(OVAL)]),
        float(places[[52, 282], 1].min()),
        float(places[152, 1]),
        float(np.ptp(places[list(OVAL), 0]) / 2),
        _near(x, y, places[[159, 386]], 0.2, 0.06),
        _near(x, y, places[[468, 473]], 0.12, 0.06),
    )


def _near(x: Values, y: Values, centres: Values, wide: float, high: float) -> Values:
    """Soft blobs around each of the centres, (centres, g, g)."""
    return np.stack([np.exp(-(((x - a) / wide) ** 2 + ((y - b) / high) ** 2) / 2) for a, b in centres])


def _depth_map(places: Values, depth: Values, x: Values, y: Values) -> Values:
    """Depth of the surface, IOD, around its mean, (g, g): weighted mean of the landmarks nearby."""
    weight = np.exp(-((x[..., None] - places[:468, 0]) ** 2 + (y[..., None] - places[:468, 1]) ** 2) / (2 * 0.1**2))
    out = (weight @ depth[:468] + 1e-6 * depth[:468].min()) / (weight.sum(axis=-1) + 1e-6)
    return np.asarray(out - out.mean())


def _oval_map(outline: Values) -> Values:
    """1 inside of the face, 0 outside, soft edge, (g, g)."""
    import cv2

    mask = np.zeros((_GRID, _GRID), np.uint8)
    pixels = (outline - (0, _MIDDLE) + _SPAN / 2) * (_GRID / _SPAN) - 0.5
    cv2.fillPoly(mask, [np.rint(pixels).astype(np.int32)], 1)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float64), (0, 0), 1.0))


def _draw(ground: _Ground, y: Labels, how: Disturbance, rng: np.random.Generator) -> Maps:
    """Maps of one face with these classes."""
    n = len(y)
    strength = np.stack([_strengths(int(kind), how, rng) for kind in y])
    size = rng.uniform(1.0, 8.0, n)
    fields = np.tensordot(strength[:, :, 0].astype(np.float32), ground.fields, axes=1)
    weaker = np.tensordot(strength[:, :, 1].astype(np.float32), ground.fields, axes=1)
    side = 1 / (1 + np.exp(-_PLACES / 0.08))
    share = np.where(rng.random(n)[:, None] < 0.5, side, side[::-1])[:, None, :, None]
    flow = share * fields + (1 - share) * weaker
    flow = _depart(flow, how, rng)
    flow += _lids(ground, n, how, rng)
    flow = _borrow(ground, flow, rng)
    flow += _head(ground, n, how, rng)
    flow += _noise(n, how, rng)
    cut = np.stack([_crop(ground, one, how, rng) for one in flow])
    cut = _flattened(cut, rng.uniform(0, how.flatten, n) * (rng.random(n) < 0.7))
    return _with_strain(cut * size.astype(np.float32)[:, None, None, None])


def _strengths(kind: int, how: Disturbance, rng: np.random.Generator) -> Values:
    """Strength of each unit on the stronger and on the weaker side, (units, 2)."""
    out = np.zeros((len(UNITS), 2))
    if kind >= 0:
        listed = SHOWN[CLASSES[kind]]
        odds = np.array([odd for odd, _ in listed])
        _, units = listed[int(rng.choice(len(listed), p=odds / odds.sum()))]
        weaker = 1 - how.lop * rng.random() ** 2
        for unit in units:
            out[UNITS.index(unit)] += rng.uniform(0.4, 1.0) * np.array([1.0, weaker])
        out /= max(out.max(), 1e-9)
    for _ in range(2):
        if rng.random() < how.stray:
            out[int(rng.integers(len(UNITS)))] += rng.uniform(0.1, 0.5) * np.array([1.0, rng.random()])
    return out


def _depart(flow: Values, how: Disturbance, rng: np.random.Generator) -> Values:
    """People who do not move as the table says: places, strengths and directions bent smoothly."""
    gain = np.exp(how.departure * _smooth(flow.shape[:3], 6.0, rng))
    turn = how.departure * _smooth(flow.shape[:3], 8.0, rng)
    u, v = gain * flow[..., 0], gain * flow[..., 1]
    turned = np.stack([np.cos(turn) * u - np.sin(turn) * v, np.sin(turn) * u + np.cos(turn) * v], axis=-1)
    grid = np.stack(np.meshgrid(np.arange(_GRID), np.arange(_GRID)), axis=-1)
    bend = how.departure * 4 * np.stack([_smooth(flow.shape[:3], 8.0, rng) for _ in range(2)], axis=-1)
    return np.stack([look_up(one.astype(np.float32), grid + shift) for one, shift in zip(turned, bend, strict=True)])


def _lids(ground: _Ground, n: int, how: Disturbance, rng: np.random.Generator) -> Values:
    """Blinks, lids on the move, gaze: vertical at the lids, any direction at the eyes."""
    out = np.zeros((n, _GRID, _GRID, 2))
    blink = (rng.random(n) < how.lids) * rng.normal(0.3, 0.6, n)
    even = np.stack([np.ones(n), rng.uniform(0.5, 1.0, n)], axis=1)
    out[..., 1] += np.einsum("n,ne,eyx->nyx", blink, even, ground.lids)
    gaze = (rng.random((n, 1)) < how.lids) * rng.normal(0, 0.4, (n, 2))
    out += np.einsum("nc,yx->nyxc", gaze, ground.eyes.sum(axis=0))
    return out


def _borrow(ground: _Ground, flow: Values, rng: np.random.Generator) -> Values:
    """Flow where skin is plain is that of the textured skin around it."""
    out = np.empty_like(flow)
    for at, one in enumerate(flow):
        trust = rng.uniform(0.05, 1.0)
        weight = trust + (1 - trust) * ground.texture
        width = rng.uniform(0.5, 3.0)
        out[at] = _blur(weight[..., None] * one, width) / _blur(weight, width)[..., None]
    return out


def _blur(values: Values, width: float) -> Values:
    import cv2

    return np.asarray(cv2.GaussianBlur(values, (0, 0), width, borderType=cv2.BORDER_REPLICATE))


def _head(ground: _Ground, n: int, how: Disturbance, rng: np.random.Generator) -> Values:
    """What is left of a rigid motion: shift, turn in the picture, size, yaw and pitch by depth."""
    x, y = np.meshgrid(_PLACES, _PLACES + _MIDDLE - 0.6)
    amount = how.head * rng.exponential(1.0, n)
    shift, tilt, zoom, yaw, pitch = np.split(rng.normal(0, (1.0, 1.0, 0.5, 0.5, 1.0, 1.0), (n, 6)), (2, 3, 4, 5), 1)
    u = shift[:, :1, None] - tilt[..., None] * y + zoom[..., None] * x + yaw[..., None] * ground.depth
    v = shift[:, 1:, None] + tilt[..., None] * x + zoom[..., None] * y + pitch[..., None] * ground.depth
    moved = amount[:, None, None, None] * np.stack([u, v], axis=-1)
    still = rng.random(n) < 0.5  # the background of the crop stays behind
    return np.asarray(np.where(still[:, None, None, None], ground.inside[None, ..., None], 1.0) * moved)


def _noise(n: int, how: Disturbance, rng: np.random.Generator) -> Values:
    """Errors of the flow, coarse and fine."""
    shape = (n, _GRID, _GRID)
    coarse, fine = (np.stack([_smooth(shape, width, rng) for _ in range(2)], axis=-1) for width in (5.0, 1.5))
    amount = how.noise * rng.exponential(1.0, (2, n, 1, 1, 1))
    return np.asarray(amount[0] * coarse + 0.7 * amount[1] * fine)


def _smooth(shape: tuple[int, ...], width: float, rng: np.random.Generator) -> Values:
    """Smooth random pictures of spread 1, (n, g, g)."""
    import cv2

    raw = rng.standard_normal(shape, dtype=np.float32)
    out = np.stack([cv2.GaussianBlur(one, (0, 0), width, borderType=cv2.BORDER_REFLECT) for one in raw])
    return np.asarray(out / max(float(out.std()), 1e-9), np.float64)


def _crop(ground: _Ground, flow: Values, how: Disturbance, rng: np.random.Generator) -> NDArray[np.float32]:
    """What a crop of 28 x 28 shows of a face: this project's own, or a box around brows, chin and cheeks."""
    import cv2

    if rng.random() < how.own_crop:
        wide = high = 160 / 60 * rng.uniform(0.95, 1.05)
        left, top = -wide / 2 + rng.normal(0, 0.03), -44 / 60 * high / (160 / 60) + rng.normal(0, 0.03)
    else:
        top = ground.brow - rng.uniform(0.0, 0.45)
        bottom = ground.chin + rng.uniform(-0.2, 0.15)
        high = bottom - top
        wide = 2 * ground.half * rng.uniform(0.7, 1.0)
        left = -wide / 2 + rng.normal(0, 0.06)
    fine = 2 * SIDE
    x = left + wide * (np.arange(fine) + 0.5) / fine
    y = top + high * (np.arange(fine) + 0.5) / fine
    tilt = rng.normal(0, 0.03)
    columns, rows = np.meshgrid(x, y)
    columns, rows = columns - tilt * rows, rows + tilt * columns
    place = (np.stack([columns, rows - _MIDDLE], axis=-1) + _SPAN / 2) * (_GRID / _SPAN) - 0.5
    seen = look_up(flow.astype(np.float32), place)
    return np.asarray(cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _flattened(flow: NDArray[np.float32], weight: Values, rounds: int = 25) -> NDArray[np.float32]:
    """Flow with less total variation (Chambolle 2004), as methods of the kind of TV-L1 find it: flat patches, steps.

    Args:
        flow: (n, h, w, 2).
        weight: How much, (n,).
        rounds: Steps of the dual descent.
    """
    w = np.maximum(weight, 1e-4).astype(np.float32)[:, None, None, None]
    p = np.zeros((2, *flow.shape), np.float32)
    out = flow
    for _ in range(rounds):
        g = np.zeros_like(p)
        g[0][:, :-1] = np.diff(out, axis=1)
        g[1][:, :, :-1] = np.diff(out, axis=2)
        norm = np.sqrt((g**2).sum(axis=0))
        p = (p - 0.25 * g) / (1 + 0.25 * norm / w)
        d = -p.sum(axis=0)
        d[:, 1:] += p[0][:, :-1]
        d[:, :, 1:] += p[1][:, :, :-1]
        out = flow + d
    return out


def _with_strain(flow: NDArray[np.float32]) -> Maps:
    """u, v and the magnitude of strain (Shreve et al. 2011), (n, h, w, 3)."""
    down, right = (np.asarray(np.gradient(flow, axis=axis)) for axis in (1, 2))
    shear = (right[..., 1] + down[..., 0]) / 2
    strain = np.sqrt(right[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2)
    return np.concatenate([flow, strain[..., None]], axis=-1).astype(np.float32)
