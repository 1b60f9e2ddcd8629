"""A user's own speech model from a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.voice_sounds import as_audio
from data_schemas.errors import InvalidValueError, MissingFileError, TelltaleError, UnreadableFileError
from data_schemas.intervals import Interval
from modalities.base import Task
from modalities.voice.embedding import SpeechModel, embed, load_speech_model
from modalities.voice.encoder import VoiceEncoder

RAMP = np.arange(16000 * 25, dtype=np.float32) / (16000 * 25)


class Frames(torch.nn.Module):
    """Mean and spread of every 20 ms: (1, n) -> (1, n // 320, 2)."""

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        cut = wave[:, : wave.shape[1] // 320 * 320].reshape(1, -1, 320)
        return torch.stack([cut.mean(2), cut.std(2)], 2)


class Whole(torch.nn.Module):
    """One vector for all it hears."""

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        return wave.mean(1, keepdim=True).expand(1, 3)


def saved(module: torch.nn.Module, folder: Path) -> Path:
    torch.jit.script(module).save(str(folder / "model.pt"))
    return folder / "model.pt"


def test_vectors_lie_where_their_sound_lies(tmp_path: Path) -> None:
    found = embed(as_audio(RAMP), load_speech_model(saved(Frames(), tmp_path)))
    assert found.vectors.shape[1] == 2 and abs(len(found.vectors) - 1250) <= 2
    assert np.all(np.diff(found.times_ns) > 0)
    np.testing.assert_allclose(found.vectors[:, 0], found.times_ns / 25e9, atol=0.001)


def test_one_vector_per_window(tmp_path: Path) -> None:
    found = embed(as_audio(RAMP), load_speech_model(saved(Whole(), tmp_path)))
    assert found.vectors.shape == (3, 3)


def test_in_the_encoder(tmp_path: Path) -> None:
    wishes = {"embedding": str(saved(Frames(), tmp_path))}
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, 32000)
    encoding = VoiceEncoder().encode(Task("p", {"voice": as_audio(sound)}, Interval(0, 10**12), wishes)).check()
    values, valid = encoding.track.column("embedding_1")
    assert valid.all() and np.median(values) == pytest.approx(0.2 / np.sqrt(12), rel=0.05)


def test_weights_of_a_torchaudio_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modalities.voice.torchaudio_import import load_torchaudio

    models = load_torchaudio().models

    def small() -> torch.nn.Module:
        return models.wav2vec2_model(
            extractor_mode="group_norm", extractor_conv_layer_config=[(8, 10, 5), (8, 8, 64)],
            extractor_conv_bias=False, encoder_embed_dim=16, encoder_projection_dropout=0.0,
            encoder_pos_conv_kernel=8, encoder_pos_conv_groups=4,
            encoder_num_layers=1, encoder_num_heads=2, encoder_attention_dropout=0.0, encoder_ff_interm_features=16,
            encoder_ff_interm_dropout=0.0, encoder_dropout=0.0, encoder_layer_norm_first=False, encoder_layer_drop=0.0,
            aux_num_out=None,
        )  # fmt: skip

    monkeypatch.setattr(models, "small", small, raising=False)
    torch.manual_seed(0)
    save_file(small().state_dict(), tmp_path / "weights.safetensors")
    model = load_speech_model(tmp_path / "weights.safetensors", "small")
    found = embed(as_audio(np.random.default_rng(0).uniform(-0.5, 0.5, 16000)), model)
    assert found.vectors.shape[1] == 16 and np.isfinite(found.vectors).all() and len(found.vectors) > 30
    with pytest.raises(InvalidValueError, match="do not fit"):
        save_file({"other": torch.zeros(1)}, tmp_path / "wrong.safetensors")
        load_speech_model(tmp_path / "wrong.safetensors", "small")
    torch.save(small().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(UnreadableFileError, match="save_file"):
        load_speech_model(tmp_path / "weights.pt", "small")


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no model")
    with pytest.raises(MissingFileError):
        load_speech_model(tmp_path / "none.pt")
    with pytest.raises(UnreadableFileError):
        load_speech_model(tmp_path / "text.pt")
    with pytest.raises(TelltaleError):
        load_speech_model(tmp_path / "text.pt", "wav2vec2_base")
    with pytest.raises(InvalidValueError, match="no such factory"):
        load_speech_model(tmp_path / "text.pt", "no_such_model")


@pytest.mark.parametrize("foreign", ["torch.from_file('x')", "ops.image.read_file('x')", "def __setstate__(self): 0"])
def test_code_that_does_more_than_compute_is_refused_before_it_is_loaded(tmp_path: Path, foreign: str) -> None:
    bad = tmp_path / "bad.pt"
    with zipfile.ZipFile(saved(Frames(), tmp_path)) as held, zipfile.ZipFile(bad, "w") as out:
        for name in held.namelist():
            more = f"\n# {foreign}\n".encode() if name.endswith(".py") else b""
            out.writestr(name, held.read(name) + more)
    with pytest.raises(UnreadableFileError, match="more than compute"):
        load_speech_model(bad)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, name: str) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    torch.save({"weights": Bomb()}, tmp_path / name)
    for architecture in (None, "wav2vec2_base"):
        with pytest.raises(UnreadableFileError):
            load_speech_model(tmp_path / name, architecture)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("module", [torch.nn.Linear(3, 3), torch.nn.Flatten(0), torch.nn.Unflatten(1, (1, 1, -1))])
def test_models_that_do_not_fit(module: torch.nn.Module) -> None:
    with pytest.raises(InvalidValueError, match="speech model"):
        embed(as_audio(RAMP[:16000]), SpeechModel(module, "odd"))
