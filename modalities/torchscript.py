"""A user's own network as TorchScript: the one place where such a file is loaded, and what is looked at before.

What a TorchScript archive (`torch.jit.save`) contains: a zip with the network's methods as source text of the
TorchScript language (`code/**/*.py`, a small typed subset that looks like Python), the raw numbers of its tensors
(`data/*`, `constants/*`), a version, debug tables, and two files in the form of pickles, `data.pkl` (the attributes)
and `constants.pkl`. These two are not read by Python's unpickler: torch reads them in C++ by a reader of its own, which
imports no module and calls no function of Python; it knows numbers, texts, containers, tensors and the classes that
the archive's own code defines. So no pickle runs. What could run is that code: `forward` when it is called, and a
`__setstate__` while the file is loaded. TorchScript's operators include some that touch files, and custom ones of other
libraries; code with any of these is refused before torch sees the file.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from data_schemas.errors import MissingFileError, UnreadableFileError

if TYPE_CHECKING:
    import torch

MOST_BYTES = 2_000_000_000
MOST_CODE_BYTES = 50_000_000
"""Of one source text, unpacked; large networks have less than a megabyte."""
_FOREIGN = re.compile(r"\bfrom_file\b|\btorch\.(?:save|load)\b|\bops\.(?!prim\b|aten\b|quantized\b)\w+|__setstate__")
"""Words of the stored code that can touch files, call libraries or run while loading."""


def load_torchscript(file: Path, expected: str, device: str = "cpu", mend: str | None = None) -> torch.nn.Module:
    """A network, looked into and then loaded, in evaluation mode.

    Args:
        file: Written by `torch.jit.save`.
        expected: What such a file must hold, for messages.
        device: Of torch.
        mend: What a user does whose file is no TorchScript.

    Raises:
        MissingFileError: no such file.
        UnreadableFileError: no TorchScript, or code that does more than compute.
    """
    import torch

    check_torchscript(file, expected, mend)
    try:
        network: torch.nn.Module = torch.jit.load(str(file), map_location=device)
    except (RuntimeError, ValueError, OSError) as error:
        got = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _no_torchscript(file, got, expected, mend) from error
    return network.eval()


def check_torchscript(file: Path, expected: str, mend: str | None = None) -> None:
    """Look into a file before torch does: only an archive of code and tensors, whose code only computes.

    A pickle, as `torch.save` writes it, can run anything while it is loaded; TorchScript is a language of its own,
    and what of it reaches beyond tensors is refused.

    Args:
        file: To look into.
        expected: What such a file must hold, for messages.
        mend: What a user does whose file is no TorchScript.

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
            code = [one for one in held.infolist() if "/code/" in one.filename and one.filename.endswith(".py")]
            if not code or not any(name.endswith("/constants.pkl") for name in names):
                raise _no_torchscript(file, "an archive without code", expected, mend)
            for entry in code:
                if entry.file_size > MOST_CODE_BYTES:
                    raise UnreadableFileError("the network's code is too large", file=file, got=entry.file_size)
                foreign = _FOREIGN.search(held.read(entry).decode("utf-8", "replace"))
                if foreign:
                    raise UnreadableFileError(
                        "the network's code does more than compute", file=file, got=foreign.group(),
                        mend="Save it again with nothing but tensor operations in its forward.",
                    )  # fmt: skip
    except zipfile.BadZipFile as error:
        raise _no_torchscript(file, "no archive", expected, mend) from error


def _no_torchscript(file: Path, got: str, expected: str, mend: str | None) -> UnreadableFileError:
    return UnreadableFileError("the file is no TorchScript", file=file, got=got, expected=expected, mend=mend)
