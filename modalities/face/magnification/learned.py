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

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from modalities.face.magnification.base import Clip, checked, cut

if TYPE_CHECKING:
    import torch

BATCH = 8
MULTIPLE = 32
MOST_BYTES = 2_000_000_000
_EXPECTED = "a TorchScript file: forward(first, now, factor) -> picture, see modalities/face/magnification/learned.py"
_FOREIGN = re.compile(r"\bfrom_file\b|\btorch\.(?:save|load)\b|\bops\.(?!prim\b|aten\b|quantized\b)\w+|__setstate__")
"""Words of the stored code that can touch files, call libraries or run while loading."""


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

        check_torchscript(self.file)
        try:
            network = torch.jit.load(str(self.file), map_location=self._device)
        except (RuntimeError, ValueError, OSError) as error:
            raise UnreadableFileError(
                "the file is no TorchScript", file=self.file, got=str(error).strip().splitlines()[0], expected=_EXPECTED
            ) from error
        self._network = network.eval()
        probe = torch.full((1, 1, MULTIPLE, MULTIPLE), 0.5, device=self._device)
        try:
            with torch.inference_mode():
                self._run(probe, probe, 2.0)
        except InvalidValueError as error:
            raise UnreadableFileError(
                "the network has another form", file=self.file, got=error.got, expected=_EXPECTED
            ) from error
        return self._network


def check_torchscript(file: Path) -> None:
    """Look into a file before torch does: only an archive of code and tensors, whose code only computes.

    A pickle, as `torch.save` writes it, can run anything while it is loaded; TorchScript is a language of its own,
    and what of it reaches beyond tensors is refused.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: anything else.
    """
    if not file.is_file():
        raise MissingFileError("no such network", file=file)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UnreadableFileError("the network is too large", file=file, expected="2 GB at most")
        with zipfile.ZipFile(file) as held:
            names = held.namelist()
            code = [name for name in names if "/code/" in name and name.endswith(".py")]
            if not code or not any(name.endswith("/constants.pkl") for name in names):
                raise UnreadableFileError(
                    "the file is no TorchScript", file=file, got="an archive without code", expected=_EXPECTED
                )
            for name in code:
                foreign = _FOREIGN.search(held.read(name).decode("utf-8", "replace"))
                if foreign:
                    raise UnreadableFileError(
                        "the network's code does more than compute", file=file, got=foreign.group(),
                        mend="Save it again with nothing but tensor operations in its forward.",
                    )  # fmt: skip
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(
            "the file is no TorchScript", file=file, got="no archive", expected=_EXPECTED
        ) from error
