"""Plain loops of the descriptors that are no binary patterns: phase, gradients, filters, flow."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.descriptor_references import PLANES, Votes, around, histograms, look

AXES = {"t": 0, "y": 1, "x": 2}


def _lpq_top(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    sides = {"t": how.window_t, "y": how.window, "x": how.window}
    mt, m = how.window_t // 2, how.window // 2
    size = (clip.shape[0] - 2 * mt, clip.shape[1] - 2 * m, clip.shape[2] - 2 * m)
    parts = []
    for first, second in PLANES:
        reach = [(a, b) for a in _window(sides[first]) for b in _window(sides[second])]
        waves = [
            [cmath.exp(-2j * math.pi * (u * a / sides[first] + v * b / sides[second])) for a, b in reach]
            for u, v in ((1, 0), (0, 1), (1, 1), (1, -1))
        ]
        basis = [[part(one) for one in wave] for wave in waves for part in (lambda z: z.real, lambda z: z.imag)]
        turn = _decorrelation(basis, reach) if how.decorrelate else np.eye(8)
        kernels = np.array(turn) @ np.array(basis)

        def votes(
            t: int, y: int, x: int, reach: Any = reach, kernels: Any = kernels, first: str = first, second: str = second
        ) -> Votes:
            code = 0
            for bit in range(8):
                total = 0.0
                for (a, b), weight in zip(reach, kernels[bit], strict=True):
                    place = [t + mt, y + m, x + m]
                    place[AXES[first]] += a
                    place[AXES[second]] += b
                    total += weight * float(clip[tuple(place)])
                code |= int(total >= 0) << bit
            return [(code, 1.0)]

        parts.append(histograms(size, grid, how.grid_t, 256, votes))
    return parts


def _window(side: int) -> range:
    return range(-(side // 2), side // 2 + 1)


def _decorrelation(basis: list[list[float]], reach: list[tuple[int, int]]) -> np.ndarray:
    n = len(reach)
    likeness = [[0.9 ** math.dist(reach[i], reach[j]) for j in range(n)] for i in range(n)]
    spread = np.zeros((8, 8))
    for a in range(8):
        for b in range(8):
            spread[a, b] = sum(basis[a][i] * likeness[i][j] * basis[b][j] for i in range(n) for j in range(n))
            spread[a, b] *= (1 + 1e-6 * (8 - a)) * (1 + 1e-6 * (8 - b))
    _, vectors = np.linalg.eigh(spread)
    rows = []
    for column in range(7, -1, -1):
        vector = vectors[:, column]
        rows.append(vector * math.copysign(1, vector[int(np.argmax(np.abs(vector)))]))
    return np.array(rows)


def _slopes(clip: np.ndarray, t: int, y: int, x: int) -> dict[str, float]:
    t, y, x = t + 1, y + 1, x + 1
    return {
        "t": float(clip[t + 1, y, x] - clip[t - 1, y, x]) / 2,
        "y": float(clip[t, y + 1, x] - clip[t, y - 1, x]) / 2,
        "x": float(clip[t, y, x + 1] - clip[t, y, x - 1]) / 2,
    }


def _core(clip: np.ndarray) -> tuple[int, int, int]:
    return clip.shape[0] - 2, clip.shape[1] - 2, clip.shape[2] - 2


def _hog_top(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    parts = []
    for first, second in PLANES:

        def votes(t: int, y: int, x: int, first: str = first, second: str = second) -> Votes:
            slopes = _slopes(clip, t, y, x)
            size = math.hypot(slopes[first], slopes[second])
            place = math.atan2(slopes[second], slopes[first]) / (2 * math.pi) * how.bins
            return [(math.floor(place + 1e-6) % how.bins, size if how.weighted else float(size > 0))]

        parts.append(histograms(_core(clip), grid, how.grid_t, how.bins, votes))
    return parts


def _hog3d(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    golden = (1 + math.sqrt(5)) / 2
    axes: list[tuple[float, float, float]] = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    for a in (-1 / golden, 1 / golden):
        for b in (-golden, golden):
            axes += [(0, a, b), (a, b, 0), (b, 0, a)]
    order = [_unit(one) for one in _in_order(axes)]

    def votes(t: int, y: int, x: int) -> Votes:
        slopes = _slopes(clip, t, y, x)
        gradient = (slopes["x"], slopes["y"], slopes["t"])
        size = math.hypot(*gradient)
        if size < 1e-9:
            return []
        kept = [
            max(sum(g * n for g, n in zip(gradient, one, strict=True)) / size - math.sqrt(5) / 3, 0) for one in order
        ]
        length = math.sqrt(sum(value * value for value in kept))
        return [(at, value / length * size) for at, value in enumerate(kept)] if length > 1e-9 else []

    counts = [[[0.0] * 20 for _ in range(grid * grid)] for _ in range(how.grid_t)]
    voxels = [[0] * (grid * grid) for _ in range(how.grid_t)]
    frames, height, width = _core(clip)
    for t in range(frames):
        for y in range(height):
            for x in range(width):
                when, where = t * how.grid_t // frames, y * grid // height * grid + x * grid // width
                voxels[when][where] += 1
                for label, weight in votes(t, y, x):
                    counts[when][where][label] += weight
    cells = [cell for when in counts for cell in when]
    return [[[value / (math.sqrt(sum(v * v for v in cell)) or 1) for value in cell] for cell in cells]]


def _unit(axis: tuple[float, float, float]) -> tuple[float, float, float]:
    length = math.hypot(*axis)
    return axis[0] / length, axis[1] / length, axis[2] / length


def _in_order(axes: list[Any]) -> list[Any]:
    """The same axes in the order of the descriptor, which is free."""
    from modalities.face.descriptors.gradients import icosahedron

    theirs, _ = icosahedron()
    mine = [_unit(one) for one in axes]
    return [min(mine, key=lambda one: math.dist(one, other)) for other in theirs.tolist()]


def _sttm(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    frames, height, width = _core(clip)
    slopes = {(t, y, x): _slopes(clip, t, y, x) for t in range(frames) for y in range(height) for x in range(width)}
    weights = [math.exp(-(k * k) / 2) for k in (-2, -1, 0, 1, 2)]
    weights = [one / sum(weights) for one in weights]
    found = {}
    for t, y, x in slopes:
        moment = dict.fromkeys(("xx", "yy", "tt", "xy", "xt", "yt"), 0.0)
        for a in range(5):
            for b in range(5):
                for c in range(5):
                    place = (
                        min(max(t + a - 2, 0), frames - 1), min(max(y + b - 2, 0), height - 1),
                        min(max(x + c - 2, 0), width - 1),
                    )  # fmt: skip
                    near = slopes[place]
                    for pair in moment:
                        moment[pair] += weights[a] * weights[b] * weights[c] * near[pair[0]] * near[pair[1]]
        matrix = np.array(
            [[moment["xx"], moment["xy"], moment["xt"]], [moment["xy"], moment["yy"], moment["yt"]],
             [moment["xt"], moment["yt"], moment["tt"]]]
        )  # fmt: skip
        answer = float(np.linalg.det(matrix)) - 0.005 * float(np.trace(matrix)) ** 3
        found[t, y, x] = math.copysign(abs(answer) ** (1 / 3), answer)
    whole = float(np.percentile([abs(value) for value in found.values()], 99))

    def votes(t: int, y: int, x: int) -> Votes:
        place = math.floor((found[t, y, x] / whole + 1) / 2 * how.bins + 1e-6)
        return [(min(max(place, 0), how.bins - 1), 1.0)]

    return [histograms((frames, height, width), grid, how.grid_t, how.bins, votes)]


def _cgbp_top(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    parts = []
    for wavelength in (4.0, 8.0):
        for turn in range(4):
            size = _gabor_size(clip, wavelength, math.pi * turn / 4)
            for plane in PLANES:
                steps = around(plane, {"t": how.radius_t, "y": how.radius, "x": how.radius})

                def votes(t: int, y: int, x: int, size: Any = size, steps: Any = steps) -> Votes:
                    t, y, x = t + how.margin[0], y + how.margin[1], x + how.margin[1]
                    near = [look(size, t + a, y + b, x + c) for a, b, c in steps]
                    bits = [near[k] >= near[k + 4] - 1e-3 for k in range(4)]
                    bits.append(size[t, y, x] >= (sum(near) + size[t, y, x]) / 9 - 1e-3)
                    return [(sum(bit << at for at, bit in enumerate(bits)), 1.0)]

                rim = (2 * how.margin[0], 2 * how.margin[1], 2 * how.margin[1])
                inner = tuple(n - m for n, m in zip(clip.shape, rim, strict=True))
                parts.append(histograms((inner[0], inner[1], inner[2]), grid, how.grid_t, 32, votes))
    return parts


def _gabor_size(clip: np.ndarray, wavelength: float, angle: float) -> np.ndarray:
    spread = 0.56 * wavelength
    half = math.ceil(1.5 * spread)
    window = {
        (b, a): math.exp(-(a * a + b * b) / (2 * spread**2))
        for b in range(-half, half + 1) for a in range(-half, half + 1)
    }  # fmt: skip
    total = sum(window.values())
    wave = {
        (b, a): w / total * cmath.exp(2j * math.pi * (a * math.cos(angle) + b * math.sin(angle)) / wavelength)
        for (b, a), w in window.items()
    }
    mean = sum(wave.values())
    kernel = {place: value - window[place] / total * mean for place, value in wave.items()}
    frames, height, width = clip.shape
    out = np.zeros(clip.shape)
    for t in range(frames):
        for y in range(height):
            for x in range(width):
                answer = 0j
                for (b, a), factor in kernel.items():
                    answer += factor * float(clip[t, _mirrored(y + b, height), _mirrored(x + a, width)])
                out[t, y, x] = abs(answer)
    return out


def _mirrored(at: int, size: int) -> int:
    at %= 2 * size
    return at if at < size else 2 * size - 1 - at


def _st_gabor(how: Any, clip: np.ndarray, grid: int) -> list[list[list[float]]]:
    filters = []
    for speed in (0.5, 1.0):
        length = 2 * math.sqrt(1 + speed * speed)
        spread = 0.56 * length
        half = math.ceil(1.5 * 0.56 * 2 * math.sqrt(2))
        for turn in range(8):
            angle = 2 * math.pi * turn / 8
            window, wave = {}, {}
            for t in (-2, -1, 0, 1, 2):
                for y in range(-half, half + 1):
                    for x in range(-half, half + 1):
                        along = x * math.cos(angle) + y * math.sin(angle) - speed * t
                        across = -x * math.sin(angle) + y * math.cos(angle)
                        far = (along**2 + (0.5 * across) ** 2) / (2 * spread**2) + t * t / (2 * 1.5**2)
                        window[t, y, x] = math.exp(-far)
                        wave[t, y, x] = cmath.exp(2j * math.pi * along / length)
            total = sum(window.values())
            mean = sum(window[place] / total * wave[place] for place in window)
            filters.append({place: window[place] / total * (wave[place] - mean) for place in window})
    size = (clip.shape[0] - 4, clip.shape[1] - 2 * half, clip.shape[2] - 2 * half)

    def votes(t: int, y: int, x: int) -> Votes:
        for at, one in enumerate(filters):
            answer = sum(
                factor.conjugate() * float(clip[t + 2 + a, y + half + b, x + half + c])
                for (a, b, c), factor in one.items()
            )
            yield at, abs(answer)

    return [histograms(size, grid, how.grid_t, len(filters), votes)]


def _cells(sample: np.ndarray, grid: int) -> list[list[tuple[float, float, float, float]]]:
    """Of each cell the share of each pixel that lies in it, with u, v and strain."""
    height, width = sample.shape[:2]
    out = []
    for row in range(grid):
        for column in range(grid):
            here = []
            for y in range(height):
                inside = min((row + 1) * height / grid, y + 1) - max(row * height / grid, y)
                for x in range(width):
                    beside = min((column + 1) * width / grid, x + 1) - max(column * width / grid, x)
                    if inside > 0 and beside > 0:
                        share = inside * beside * grid * grid / height / width
                        here.append((share, *(float(value) for value in sample[y, x])))
            out.append(here)
    return out


def _oriented(sample: np.ndarray, grid: int, bins: int) -> list[list[float]]:
    out = []
    for cell in _cells(sample, grid):
        counts = [0.0] * bins
        for share, u, v, _ in cell:
            place = math.atan2(v, u) / (2 * math.pi) * bins % bins
            low = math.floor(place)
            counts[low % bins] += share * math.hypot(u, v) * (1 - place + low)
            counts[(low + 1) % bins] += share * math.hypot(u, v) * (place - low)
        out.append(counts)
    return out


def _hoof(how: Any, sample: np.ndarray) -> list[float]:
    cells = _oriented(sample, how.grid, how.bins)
    return [value / max(sum(cell), 1e-9) for cell in cells for value in cell]


def _bi_woof(how: Any, sample: np.ndarray) -> list[float]:
    strains = [sum(share * strain for share, _, _, strain in cell) for cell in _cells(sample, how.grid)]
    cells = _oriented(sample, how.grid, how.bins)
    weighted = [value * strain for cell, strain in zip(cells, strains, strict=True) for value in cell]
    return [value / max(sum(weighted), 1e-9) for value in weighted]


def _mdmo(how: Any, sample: np.ndarray) -> list[float]:
    means = []
    for cell in _cells(sample, how.grid):
        sums = [[0.0, 0.0, 0.0] for _ in range(how.bins)]
        for share, u, v, _ in cell:
            one = sums[round(math.atan2(v, u) / (2 * math.pi) * how.bins) % how.bins]
            one[0], one[1], one[2] = one[0] + share, one[1] + share * u, one[2] + share * v
        count, u, v = max(sums, key=lambda one: one[0])
        means.append((u / count, v / count))
    most = max(math.hypot(u, v) for u, v in means)
    parts = [(how.alpha * math.hypot(u, v) / most, (1 - how.alpha) * math.atan2(v, u) / math.pi) for u, v in means]
    return [value for part in parts for value in part]


def _fhofo(how: Any, sample: np.ndarray) -> list[float]:
    sizes = [math.hypot(float(u), float(v)) for u, v in sample[..., :2].reshape(-1, 2)]
    least = how.least * float(np.percentile(sizes, 98))
    out = []
    for cell in _cells(sample, how.grid):
        counts = [0.0] * how.bins
        for share, u, v, _ in cell:
            if math.hypot(u, v) <= least:
                continue
            degrees = []
            for k in range(how.bins):
                away = abs(math.atan2(v, u) - 2 * math.pi * k / how.bins) % (2 * math.pi)
                away = min(away, 2 * math.pi - away)
                degrees.append(math.exp(-(away**2) / (2 * (math.pi / how.bins) ** 2)))
            for k in range(how.bins):
                counts[k] += share * degrees[k] / sum(degrees)
        out += [value / (sum(counts) or 1) for value in counts]
    return out


OF_CLIPS: dict[str, Callable[[Any, np.ndarray, int], list[list[list[float]]]]] = {
    "lpq-top": _lpq_top,
    "hog-top": _hog_top,
    "higo-top": _hog_top,
    "3dhog": _hog3d,
    "sttm": _sttm,
    "cgbp-top": _cgbp_top,
    "st-gabor": _st_gabor,
}
OF_MAPS: dict[str, Callable[[Any, np.ndarray], list[float]]] = {
    "hoof": _hoof, "bi-woof": _bi_woof, "mdmo": _mdmo, "fhofo": _fhofo,
}  # fmt: skip
