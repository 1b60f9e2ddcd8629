"""Magnification by a network of the user's own: a TorchScript file, read without running anything but tensors.

What the file must hold (any training code that ends in `torch.jit.script` or `torch.jit.trace` can write it):

    forward(first, now, factor) -> picture
        first   float32 (n, 1, h, w), 0..1: the first picture of the clip, n times
        now     float32 (n, 1, h, w), 0..1: pictures of the clip
        factor  float32 (n, 1, 1, 1): how many times as large motion is to become (1 leaves it as it is)
        picture float32 (n, 1, h, w), 0..1: `now` with its motion from `first` so much larger

That is the "static" mode of learning-based magnification (Oh et al. 2018). Pictures come in batches, padded to a
multiple of 32 pixels by repeating the rim.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, UnreadableFileError
from modalities.face.magnification.base import Clip, checked, cut
from modalities.torchscript import load_torchscript

if TYPE_CHECKING:
    import torch

BATCH = 8
MULTIPLE = 32
_EXPECTED = "a TorchScript file: forward(first, now, factor) -> picture, see modalities/face/magnification/learned.py"


class LearnedMagnifier:
    """Magnifies by a TorchScript network.

    Args:
        file: Written by `torch.jit.save`; see above.
        device: Of torch.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: no TorchScript, code that does more than compute, or a network of another form.
    """

    def __init__(self, file: Path | str, device: str = "cpu") -> None:
        self.file = Path(file)
        self._device = device
        self._network = self._read()

    def magnify(self, clip: NDArray[np.number], factor: float) -> Clip:
        """See `base.Magnifier`; the network's own range of factors may be smaller.

        Raises:
            InvalidValueError: see there; or the network gives another size, or values that are not finite.
        """
        import torch

        real = checked(clip, factor)
        h, w = real.shape[1:]
        rim = ((0, 0), (0, -h % MULTIPLE), (0, -w % MULTIPLE))
        pictures = torch.from_numpy(np.pad(real, rim, mode="edge")[:, None] / np.float32(255)).to(self._device)
        out = []
        with torch.inference_mode():
            for now in pictures.split(BATCH):
                out.append(self._run(pictures[:1].expand_as(now).contiguous(), now, factor).float().cpu().numpy())
        return cut(np.concatenate(out)[:, 0, :h, :w] * np.float32(255))

    def _run(self, first: torch.Tensor, now: torch.Tensor, factor: float) -> torch.Tensor:
        import torch

        scale = torch.full((len(now), 1, 1, 1), factor, dtype=torch.float32, device=now.device)
        try:
            found = self._network(first, now, scale)
        except (RuntimeError, TypeError) as error:
            raise InvalidValueError(
                "the network failed", file=self.file, got=str(error).strip().splitlines()[-1], expected=_EXPECTED
            ) from error
        if not isinstance(found, torch.Tensor) or found.shape != now.shape or not bool(torch.isfinite(found).all()):
            got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise InvalidValueError(
                "the network gives no pictures", file=self.file, got=got, expected=f"finite values {tuple(now.shape)}"
            )
        return found

    def _read(self) -> Any:
        import torch

        self._network = load_torchscript(self.file, _EXPECTED, self._device)
        probe = torch.full((1, 1, MULTIPLE, MULTIPLE), 0.5, device=self._device)
        try:
            with torch.inference_mode():
                self._run(probe, probe, 2.0)
        except InvalidValueError as error:
            raise UnreadableFileError(
                "the network has another form", file=self.file, got=error.got, expected=_EXPECTED
            ) from error
        return self._network
