"""Descriptors as plain loops over voxels, written from the formulas alone: what the fast ones are checked against.

Slow on purpose. `plain(name, descriptor, sample)` gives the vector that the descriptor should give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

Votes = Iterable[tuple[int, float]]
"""Labels of a voxel, each with how much it counts."""
SLACK = 1e-4
PLANES = (("x", "y"), ("x", "t"), ("y", "t"))


def look(clip: np.ndarray, t: float, y: float, x: float) -> float:
    """Value between voxels."""
    total = 0.0
    t, y, x = round(t, 9), round(y, 9), round(x, 9)
    for dt in (0, 1):
        for dy in (0, 1):
            for dx in (0, 1):
                t0, y0, x0 = math.floor(t), math.floor(y), math.floor(x)
                share = abs(1 - dt - (t - t0)) * abs(1 - dy - (y - y0)) * abs(1 - dx - (x - x0))
                if share > 0:
                    total += share * float(clip[t0 + dt, y0 + dy, x0 + dx])
    return total


def lengthened(clip: np.ndarray, frames: int) -> np.ndarray:
    """A clip brought to one length, linearly."""
    out = np.zeros((frames, *clip.shape[1:]))
    for at in range(frames):
        place = at * (len(clip) - 1) / (frames - 1)
        low = min(int(place), len(clip) - 2)
        out[at] = (1 - (place - low)) * clip[low] + (place - low) * clip[low + 1]
    return out


def histograms(
    size: tuple[int, int, int], grid: int, grid_t: int, labels: int, votes: Callable[[int, int, int], Votes],
    scale: str = "sum",
) -> list[list[float]]:  # fmt: skip
    """A histogram for each cell of a grid."""
    frames, height, width = size
    cells = [[0.0] * labels for _ in range(grid_t * grid * grid)]
    for t in range(frames):
        for y in range(height):
            for x in range(width):
                cell = (t * grid_t // frames * grid + y * grid // height) * grid + x * grid // width
                for label, weight in votes(t, y, x):
                    cells[cell][label] += weight
    for values in cells:
        total = sum(values) if scale == "sum" else math.sqrt(sum(value * value for value in values))
        for label in range(labels):
            values[label] /= total or 1.0
    return cells


def side_by_side(parts: Sequence[list[list[float]]]) -> list[float]:
    """Cell by cell, in each the parts one after the other."""
    return [value for cell in zip(*parts, strict=True) for part in cell for value in part]


def around(plane: tuple[str, str], radius: dict[str, float], count: int = 8) -> list[tuple[float, float, float]]:
    """Steps (t, y, x) to the neighbours on a circle."""
    steps = []
    for k in range(count):
        step = {"t": 0.0, "y": 0.0, "x": 0.0}
        step[plane[0]] = radius[plane[0]] * math.cos(2 * math.pi * k / count)
        step[plane[1]] = radius[plane[1]] * math.sin(2 * math.pi * k / count)
        steps.append((step["t"], step["y"], step["x"]))
    return steps


def uniform_labels() -> dict[int, int]:
    """Labels of the patterns with two changes at most; all others have 58."""
    out: dict[int, int] = {}
    for code in range(256):
        bits = [(code >> bit) & 1 for bit in range(8)]
        if sum(bits[bit] != bits[bit - 1] for bit in range(8)) <= 2:
            out[code] = len(out)
    return out


UNIFORM = uniform_labels()


def binary(
    clip: np.ndarray, margin: tuple[int, int], grid: int, grid_t: int, labels: int,
    bits: Callable[[int, int, int], Sequence[bool]],
) -> list[list[float]]:  # fmt: skip
    """Histograms of the number that the bits of each inner voxel make."""
    mt, m = margin
    size = (clip.shape[0] - 2 * mt, clip.shape[1] - 2 * m, clip.shape[2] - 2 * m)

    def votes(t: int, y: int, x: int) -> Votes:
        code = sum(bit << at for at, bit in enumerate(bits(t + mt, y + m, x + m)))
        return [(UNIFORM.get(code, 58) if labels == 59 else code, 1.0)]

    return histograms(size, grid, grid_t, labels, votes)


def on_planes(
    how: Any, clip: np.ndarray, grid: int, bits_of: Callable[[Any, np.ndarray, tuple[str, str]], Any], labels: int = 59
) -> list[list[list[float]]]:
    """One part for each plane."""
    return [binary(clip, how.margin, grid, how.grid_t, labels, bits_of(how, clip, plane)) for plane in PLANES]


def radii(how: Any, share: float = 1.0) -> dict[str, float]:
    """By axis."""
    return {"t": share * how.radius_t, "y": share * how.radius, "x": share * how.radius}


def _lbp_bits(how: Any, clip: np.ndarray, plane: tuple[str, str]) -> Any:
    steps = around(plane, radii(how))
    return lambda t, y, x: [look(clip, t + a, y + b, x + c) >= clip[t, y, x] - SLACK for a, b, c in steps]


def _angular_bits(how: Any, clip: np.ndarray, plane: tuple[str, str]) -> Any:
    steps = around(plane, radii(how))

    def bits(t: int, y: int, x: int) -> list[bool]:
        values = [look(clip, t + a, y + b, x + c) for a, b, c in steps]
        return [values[k] >= values[(k + 1) % 8] - SLACK for k in range(8)]

    return bits


def _radial_bits(how: Any, clip: np.ndarray, plane: tuple[str, str]) -> Any:
    pairs = list(zip(around(plane, radii(how)), around(plane, radii(how, 0.5)), strict=True))
    return lambda t, y, x: [
        look(clip, t + a, y + b, x + c) >= look(clip, t + d, y + e, x + f) - SLACK for (a, b, c), (d, e, f) in pairs
    ]


def _second_order_bits(how: Any, clip: np.ndarray, plane: tuple[str, str]) -> Any:
    pairs = list(zip(around(plane, radii(how)), around(plane, radii(how, 0.5)), strict=True))

    def bits(t: int, y: int, x: int) -> list[bool]:
        out = []
        for (a, b, c), (d, e, f) in pairs:
            middle = look(clip, t + d, y + e, x + f)
            out.append(look(clip, t + a, y + b, x + c) - middle >= middle - clip[t, y, x] - SLACK)
        return out

    return bits


def _lbp_top(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    return on_planes(how, clip, grid, _lbp_bits)


def _elbp_top(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    return [part for bits in (_lbp_bits, _radial_bits, _angular_bits) for part in on_planes(how, clip, grid, bits)]


def _lbp_sip(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    r, rt = int(how.radius), int(how.radius_t)

    def space(t: int, y: int, x: int) -> list[bool]:
        return [clip[t, y + b, x + c] >= clip[t, y, x] for b, c in ((0, r), (r, 0), (0, -r), (-r, 0))]

    def time(t: int, y: int, x: int) -> list[bool]:
        return [clip[t + step, y, x] >= clip[t, y, x] for step in (-rt, rt)]

    return [binary(clip, how.margin, grid, how.grid_t, labels, bits) for labels, bits in ((16, space), (4, time))]


def _dcp_top(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    parts = []
    for plane in PLANES:
        far, near = around(plane, radii(how)), around(plane, radii(how, 0.5))
        for cross in ((0, 2, 4, 6), (1, 3, 5, 7)):

            def bits(t: int, y: int, x: int, far: Any = far, near: Any = near, cross: Any = cross) -> list[bool]:
                out = []
                for k in cross:
                    inner = look(clip, t + near[k][0], y + near[k][1], x + near[k][2])
                    outer = look(clip, t + far[k][0], y + far[k][1], x + far[k][2])
                    out += [outer >= inner - SLACK, inner >= clip[t, y, x] - SLACK]
                return out

            parts.append(binary(clip, how.margin, grid, how.grid_t, 256, bits))
    return parts


def _lcbp(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    steps = around(("x", "y"), {"t": 1.0, "y": how.radius, "x": how.radius})

    def values(t: int, y: int, x: int) -> list[list[float]]:
        return [[look(clip, t + late, y + b, x + c) for _, b, c in steps] for late in (-1, 0, 1)]

    def direction(t: int, y: int, x: int) -> list[bool]:
        return [(a - n) * (n - b) >= -SLACK for b, n, a in zip(*values(t, y, x), strict=True)]

    def amplitude(t: int, y: int, x: int) -> list[bool]:
        before, _, after = values(t, y, x)
        size = [abs(a - b) for b, a in zip(before, after, strict=True)]
        return [one >= sum(size) / 8 - SLACK for one in size]

    def spatial(t: int, y: int, x: int) -> list[bool]:
        own = sum(float(clip[t + late, y, x]) for late in (-1, 0, 1))
        return [b + n + a >= own - SLACK for b, n, a in zip(*values(t, y, x), strict=True)]

    return [binary(clip, (1, how.margin[1]), grid, how.grid_t, 59, bits) for bits in (direction, amplitude, spatial)]


def _stlbp_ip(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    change = np.array([clip[t + 1] - clip[t] for t in range(len(clip) - 1)])
    frames, half = len(change), how.mask // 2
    parts = []
    for kind in ("shape", "motion"):
        for turned in (False, True):
            pictures = change.transpose(0, 2, 1) if turned else change
            height, width = pictures.shape[1:]
            labels = 2**how.mask if kind == "shape" else 59
            cells = [[0.0] * labels for _ in range(grid * grid)]
            for strip in range(grid):
                rows = [y for y in range(height) if y * grid // height == strip]
                profile = [
                    [sum(float(pictures[t, y, x]) for y in rows) / len(rows) for x in range(width)]
                    for t in range(frames)
                ]
                if kind == "shape":
                    for t in range(frames):
                        for x in range(half, width - half):
                            near = [profile[t][x + k] for k in range(-half, half + 1) if k]
                            code = sum((v >= profile[t][x] - SLACK) << at for at, v in enumerate(near))
                            place = (x - half) * grid // (width - 2 * half)
                            cells[place * grid + strip if turned else strip * grid + place][code] += 1
                    continue
                ring = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
                for t in range(1, frames - 1):
                    for x in range(1, width - 1):
                        near = [profile[t + a][x + b] for a, b in ring]
                        code = sum((v >= profile[t][x] - SLACK) << at for at, v in enumerate(near))
                        place = (x - 1) * grid // (width - 2)
                        cells[place * grid + strip if turned else strip * grid + place][UNIFORM.get(code, 58)] += 1
            parts.append([[value / (sum(cell) or 1) for value in cell] for cell in cells])
    return parts


OF_PATTERNS: dict[str, Callable[[Any, np.ndarray, int], list[list[list[float]]]]] = {
    "lbp-top": _lbp_top,
    "lbp-top-hierarchical": _lbp_top,
    "lbp-sip": _lbp_sip,
    "adlbp-top": lambda how, clip, grid: on_planes(how, clip, grid, _angular_bits),
    "rdlbp-top": lambda how, clip, grid: on_planes(how, clip, grid, _radial_bits),
    "elbp-top": _elbp_top,
    "ltogp": lambda how, clip, grid: on_planes(how, clip, grid, _second_order_bits),
    "dcp-top": _dcp_top,
    "lcbp": _lcbp,
    "stlbp-ip": _stlbp_ip,
}


def plain(name: str, how: Any, sample: np.ndarray) -> list[float]:
    """The vector of one sample by plain loops.

    Args:
        name: Of `modalities.face.descriptors.registry.DESCRIPTORS`.
        how: The descriptor, for its settings; its length of clips must be linear.
        sample: Clip (t, h, w), or map (h, w, 3) for descriptors of flow.
    """
    from benchmarks.descriptor_references_dense import OF_CLIPS, OF_MAPS

    if name in OF_MAPS:
        return OF_MAPS[name](how, sample)
    clip = lengthened(sample, how.frames)
    parts_of = {**OF_PATTERNS, **OF_CLIPS}[name]
    grids = (how.grid,) if isinstance(how.grid, int) else how.grid
    return [value for grid in grids for value in side_by_side(parts_of(how, clip, grid))]
