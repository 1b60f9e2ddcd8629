"""A user's own speech model as a feature extractor: a TorchScript file, or weights of one of torchaudio's models.

Nothing is shipped or fetched. What a TorchScript file contains, and what is looked at before it is loaded, stands in
`modalities.torchscript`. Weights alone (a state dict, as safetensors: never a pickle) need the name of the torchaudio
factory that builds their architecture, such as "wav2vec2_base" (Baevski et al. 2020) or "hubert_base" (Hsu et al.
2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.features import FeatureSpec
from data_schemas.hook import Hook, silent
from data_schemas.stream import Audio
from data_schemas.time import Int64Array
from modalities.torchscript import load_torchscript
from modalities.voice.blocks import CONTEXT, HOP, RATE_HZ, Sound, as_far_as_read

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

WINDOW_S = 10.0
MARGIN_S = 1.0
"""What the model hears before and after the part of its answer that is kept."""
MOST_COLUMNS = 4096
_EXPECTED = "a TorchScript file: forward(sound) -> vectors, sound float32 (1, samples) at 16 kHz"
_WEIGHTS_ALONE = "For weights alone, name the factory in torchaudio.models with embedding_architecture."
_CONVERT = (
    "Weights that torch.save wrote are pickles, which can run anything: convert them once, where you trust them, with "
    "safetensors.torch.save_file(torch.load('model.pt', weights_only=True), 'model.safetensors')."
)


@dataclass(frozen=True)
class SpeechModel:
    """A loaded model: takes float32 (1, samples) at 16 kHz.

    Attributes:
        module: The torch module.
        name: Name of its file.
        architecture: Factory in `torchaudio.models`; "" for TorchScript.
    """

    module: torch.nn.Module
    name: str
    architecture: str = ""


@dataclass(frozen=True)
class Embedding:
    """Vectors over time.

    Attributes:
        times_ns: Middles of what each vector describes, on the stream's clock (m,).
        vectors: float32 (m, d).
    """

    times_ns: Int64Array
    vectors: Floats

    def on_grid(self, times_ns: Int64Array) -> tuple[Floats, Flags]:
        """Vectors nearest to some times (n, d), and where one is near enough: half the distance of two vectors (n,)."""
        if not len(self.times_ns):
            return np.zeros((len(times_ns), self.vectors.shape[1]), np.float32), np.zeros(len(times_ns), bool)
        right = np.clip(np.searchsorted(self.times_ns, times_ns), 0, len(self.times_ns) - 1)
        left = np.maximum(right - 1, 0)
        closer = np.abs(self.times_ns[left] - times_ns) <= np.abs(self.times_ns[right] - times_ns)
        at = np.where(closer, left, right)
        step = int(np.median(np.diff(self.times_ns))) if len(self.times_ns) > 1 else round(WINDOW_S * 1e9)
        return self.vectors[at], np.abs(self.times_ns[at] - times_ns) <= step


def load_speech_model(path: str | Path, architecture: str | None = None) -> SpeechModel:
    """Load a model from a file.

    Args:
        path: TorchScript archive (`torch.jit.save`), or a state dict (`safetensors.torch.save_file`).
        architecture: For a state dict: name of a factory in `torchaudio.models` that needs no argument.

    Raises:
        MissingFileError: there is no such file.
        InvalidValueError: torchaudio has no such factory, or the weights do not fit it.
        UnreadableFileError: the file is neither, or holds code that does more than compute.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from modalities.voice.torchaudio_import import load_torchaudio

    file = Path(path)
    if not file.is_file():
        raise MissingFileError("no such speech model", file=file)
    if architecture is None:
        return SpeechModel(load_torchscript(file, _EXPECTED, mend=_WEIGHTS_ALONE), file.name)
    factory = getattr(load_torchaudio().models, architecture, None)
    if factory is None or not callable(factory) or not architecture[:1].islower():
        raise InvalidValueError(
            "torchaudio.models has no such factory", got=architecture, expected="e.g. wav2vec2_base, hubert_base"
        )
    try:
        weights = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise UnreadableFileError(
            "the file holds no weights",
            file=file,
            got=str(error).splitlines()[0],
            expected="safetensors",
            mend=_CONVERT,
        ) from error
    try:
        module = factory()
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        what = f"the weights do not fit torchaudio.models.{architecture}"
        raise InvalidValueError(what, file=file, got=str(error).splitlines()[0]) from error
    return SpeechModel(module.eval(), file.name, architecture)


def embed(audio: Audio, model: SpeechModel, channel: int | None = None, hook: Hook = silent) -> Embedding:
    """Run a model over a whole recording, 10 s at a time with 1 s of context on either side.

    Args:
        audio: The stream.
        model: From `load_speech_model`; may answer with (1, frames, d), (1, d) or (frames, d), alone or as the first of
            several. A model of torchaudio answers with its last layer of features.
        channel: Which channel; None for the mean of all.
        hook: Progress, as step "voice: embedding".

    Raises:
        InvalidValueError: the model cannot take the sound, or answers with something else.
    Where the file breaks the vectors end.
    """
    sound = Sound(audio, channel)
    times: list[NDArray[np.float64]] = []
    vectors: list[Floats] = []
    margin = round(MARGIN_S * RATE_HZ / HOP) * HOP
    held, origin = np.zeros(0, np.float32), 0
    window = round(WINDOW_S * RATE_HZ / HOP) * HOP
    kept_to = 0
    for block in as_far_as_read(sound.blocks(WINDOW_S)):
        hook("voice: embedding", block.first, sound.frames)
        new = block.sound[CONTEXT : CONTEXT + HOP * block.frames]
        held = np.concatenate([held, new])
        while origin + len(held) >= kept_to + window + margin:
            stop = kept_to + window
            _answer(model, held, origin, kept_to, stop, margin, times, vectors)
            kept_to = stop
            drop = max(0, kept_to - margin - origin)
            held, origin = held[drop:], origin + drop
    if origin + len(held) > kept_to:
        _answer(model, held, origin, kept_to, origin + len(held), margin, times, vectors)
    hook("voice: embedding", sound.frames, sound.frames)
    if not vectors:
        return Embedding(np.zeros(0, np.int64), np.zeros((0, 1), np.float32))
    native = np.concatenate(times) / HOP
    return Embedding(sound.times_at(native), np.concatenate(vectors))


def embedding_features(columns: int, model: SpeechModel) -> tuple[FeatureSpec, ...]:
    """Specs of the columns of an embedding."""
    source = f"user's model {model.name}" + (f" ({model.architecture})" if model.architecture else "")
    return tuple(
        FeatureSpec(f"embedding_{at}", "1", f"column {at} of the speech embedding", None, None, "nearest", source)
        for at in range(columns)
    )


def _answer(
    model: SpeechModel,
    held: Floats,
    origin: int,
    first: int,
    stop: int,
    margin: int,
    times: list[NDArray[np.float64]],
    vectors: list[Floats],
) -> None:
    """Run the model on samples `first` to `stop` with their context, keep the vectors whose middles lie within."""
    begin, end = max(origin, first - margin), min(origin + len(held), stop + margin)
    cut = held[begin - origin : end - origin]
    if len(cut) < RATE_HZ // 10:
        cut = np.pad(cut, (0, RATE_HZ // 10 - len(cut)))
    found = _run(model, cut)
    middles = begin + (np.arange(len(found)) + 0.5) * (end - begin) / len(found)
    if len(found) == 1:
        middles[:] = (first + stop) / 2
    inside = (middles >= first) & (middles < stop)
    times.append(middles[inside])
    vectors.append(found[inside])


def _run(model: SpeechModel, cut: Floats) -> Floats:
    import torch

    from data_schemas.threads import one_thread

    wave = torch.from_numpy(np.ascontiguousarray(cut))[None]
    try:
        with torch.inference_mode(), one_thread():
            extract = getattr(model.module, "extract_features", None) if model.architecture else None
            answer: Any = model.module(wave) if extract is None else extract(wave)[0][-1]
    except (RuntimeError, TypeError, IndexError) as error:
        raise InvalidValueError(
            "the speech model cannot take the sound",
            file=model.name,
            got=str(error).strip().splitlines()[-1],
            expected="a model of float32 (1, samples) at 16 kHz",
        ) from error
    while isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    if not isinstance(answer, torch.Tensor) or answer.ndim not in (2, 3) or (answer.ndim == 3 and len(answer) != 1):
        shape = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise InvalidValueError(
            "the speech model answers with something else",
            file=model.name,
            got=shape,
            expected="(1, frames, d), (1, d) or (frames, d)",
        )
    found = answer[0] if answer.ndim == 3 else answer
    if not len(found) or not 0 < found.shape[1] <= MOST_COLUMNS:
        raise InvalidValueError("the speech model answers with something else", file=model.name, got=tuple(found.shape))
    return found.to(torch.float32).numpy().copy()
