"""Glasses: a dark frame that moves with the head alone, and the lamp's image in the lenses.

A lens is taken for a piece of a sphere: the lamp shows where its normal halves the angle between lamp and camera, so
the spot wanders when the head turns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modalities.face.synthesis.mesh import Field, look_up
from pipeline.simulate.face import Puppet, turn_of
from pipeline.simulate.face_surface import Points, Surface
from pipeline.simulate.motion import FaceMotion

FRAME = 0.03
"""Reflectance of the frame."""
LENS_MM = 110.0
"""Radius of a lens's outer face: about 5 dioptres of base curve."""
SPOT_MM = 1.6
VERTEX_MM = 13.0
"""Between lens and eye."""
_HALF_WIDTH, _HALF_HEIGHT, _THICK, _BELOW = 0.40, 0.30, 0.035, 0.06
"""Of a lens and its rim, and how far its middle lies below the eye's, in IOD."""
_OUTSIDE = 0.04
"""How much farther apart than the eyes the lenses' middles are, in IOD."""


class Glasses:
    """Glasses on one face.

    Args:
        surface: The head.
    """

    def __init__(self, surface: Surface) -> None:
        mesh = surface.fields.mesh
        shape = surface.relief.shape
        x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
        self.centres = mesh.eyes - _BELOW * mesh.iod * mesh.upwards
        self.centres = self.centres + np.outer((-1, 1), _OUTSIDE / 2 * mesh.iod * mesh.across)
        frame, lenses = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for centre in self.centres:
            away = np.stack([x, y], axis=-1) - centre
            along, up = away @ mesh.across / mesh.iod, away @ mesh.upwards / mesh.iod
            rounded = ((np.abs(along) / _HALF_WIDTH) ** 3 + (np.abs(up) / _HALF_HEIGHT) ** 3) ** (1 / 3)
            edge = (rounded - 1) * _HALF_HEIGHT
            soft = 1.0 / mesh.iod
            lenses = np.maximum(lenses, np.clip(0.5 - edge / soft, 0, 1))
            frame = np.maximum(frame, np.clip(0.5 - (np.abs(edge) - _THICK / 2) / soft, 0, 1))
        middle = np.stack([x, y], axis=-1) - self.centres.mean(axis=0)
        along, up = middle @ mesh.across / mesh.iod, middle @ mesh.upwards / mesh.iod
        bridge = (np.abs(up - 0.08) < _THICK / 2) & (np.abs(along) < 0.5 + _OUTSIDE / 2 - _HALF_WIDTH)
        temples = (np.abs(up - 0.1) < _THICK / 2) & (np.abs(along) > 0.5 + _HALF_WIDTH) & (np.abs(along) < 1.12)
        self._layers: Field = np.dstack([np.maximum(frame, np.maximum(bridge, temples)), lenses]).astype(np.float32)

    def draw(self, puppet: Puppet, motion: FaceMotion, i: int, lamp_mm: NDArray[np.float64]) -> tuple[Field, Field]:
        """What the glasses cover in frame `i`, 0..1, and how bright they are there, float32 (h, w) each.

        Args:
            puppet: Before the camera.
            motion: What the face does; only its head counts.
            i: Frame.
            lamp_mm: Of the camera's axes.
        """
        stiff = replace(motion, aus={}, mouth_open=None, blink=None, outward_mm={})
        trace = puppet.trace(stiff, i)
        cover, lens = np.moveaxis(look_up(self._layers, trace.place), -1, 0)
        colour = np.full(cover.shape, FRAME, np.float32)
        spots = self._spots(puppet, stiff, i, lamp_mm)
        x, y = np.meshgrid(np.arange(cover.shape[1], dtype=np.float32), np.arange(cover.shape[0], dtype=np.float32))
        for (column, row), size in spots:
            spot = lens * (1 - cover) * np.exp(-(((x - column) ** 2 + (y - row) ** 2) / size**2))
            cover, colour = np.maximum(cover, spot), np.where(spot > 0.02, np.float32(2.0), colour)
        return cover, colour

    def _spots(
        self, puppet: Puppet, motion: FaceMotion, i: int, lamp_mm: NDArray[np.float64]
    ) -> list[tuple[Points, float]]:
        """Where in the picture the lamp shows in each lens, px, and how wide."""
        sight = puppet.sight
        if sight is None:
            return []
        straight = sight.camera.pose.rotation.T @ turn_of(motion, i) @ np.array([0.0, 0.0, -1.0])
        out = []
        for middle in puppet.points_mm(motion, i, self.centres) + VERTEX_MM * straight:
            half = _unit(_unit(lamp_mm - middle) + _unit(-middle))
            spot = middle + LENS_MM * (half - straight)
            out.append((sight.camera.project(spot[None])[0], SPOT_MM * sight.camera.fx / float(middle[2])))
        return out


def _unit(vector: Points) -> Points:
    return np.asarray(vector / np.linalg.norm(vector))
