"""Import torchaudio where its native extension cannot be loaded.

The torchaudio wheel ships a compiled extension that is linked against CUDA libraries. Beside a CPU-only torch these
are missing, and `import torchaudio` fails with an OSError ("Could not load this library", caused by a missing
libc10_cuda.so) that is raised while `torchaudio._extension` is imported. Nothing that Telltale uses of torchaudio -
spectrograms, mel filter banks, resampling - needs the extension: it is pure Python on top of torch. So where, and only
where, the import fails for that reason, a small stand-in takes the place of `torchaudio._extension`; it says that no
extension is available, which is a state that torchaudio itself knows (wheels built without it) and has paths for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import Any

from data_schemas.errors import MissingExtraError

_EXTENSION = "torchaudio._extension"
_lock = Lock()


def load_torchaudio() -> ModuleType:
    """The torchaudio package, its submodules `transforms` and `functional` ready for use.

    Raises:
        MissingExtraError: torchaudio is not installed, or fails to import even without its extension.
        OSError: the import failed for a reason that has nothing to do with the extension.
    """
    with _lock:
        try:
            return import_module("torchaudio")
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        except OSError as error:
            if not _from_extension(error):
                raise
        return _import_without_extension()


def _import_without_extension() -> ModuleType:
    _forget()
    sys.modules[_EXTENSION] = _stand_in()
    try:
        package = import_module("torchaudio")
    except (ImportError, OSError, AttributeError) as error:
        _forget()
        raise _missing(error) from error
    package._extension = sys.modules[_EXTENSION]  # type: ignore[attr-defined]
    return package


def _forget() -> None:
    """Remove what a failed import left behind, so that the next one starts anew."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]


def _missing(error: BaseException) -> MissingExtraError:
    return MissingExtraError(
        "torchaudio cannot be imported",
        got=str(error),
        expected="torchaudio of the version that fits the installed torch",
        mend="Install both anew: python -m pip install -c constraints.txt torch torchaudio",
    )


def _from_extension(error: BaseException) -> bool:
    """True if this error, its cause or its context was raised while `torchaudio._extension` was imported."""
    return any(name.startswith(_EXTENSION) for one in _chain(error) for name in _modules_of(one))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]


def _modules_of(error: BaseException) -> Iterator[str]:
    """Names of the modules through which this error passed."""
    step = error.__traceback__
    while step is not None:
        yield str(step.tb_frame.f_globals.get("__name__", ""))
        step = step.tb_next


def _stand_in() -> ModuleType:
    """A module with the names that torchaudio's Python code takes from its extension, saying that there is none."""
    module = ModuleType(_EXTENSION, "Stand-in: the native extension of torchaudio could not be loaded.")
    module.__path__ = []
    module._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    module._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    module._load_lib = lambda name: False  # type: ignore[attr-defined]
    module._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    module.fail_if_no_align = _refusing  # type: ignore[attr-defined]
    return module


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for functions that need the extension: they exist, and say why they do not work."""

    def refuse(*_: object, **__: object) -> None:
        raise MissingExtraError(
            f"torchaudio's {function.__name__} needs its native extension, which could not be loaded here",
            mend="Install a torch build that fits torchaudio's (with CUDA).",
        )

    return refuse
