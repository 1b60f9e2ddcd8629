"""torchaudio comes in with or without its native extension, and its mel statistics are those of librosa."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from modalities.voice.spectrum import FFT, LOWEST_HZ, MELS, WINDOW, SpectrumMeter, without_offset
from modalities.voice.torchaudio_import import load_torchaudio

ROOT = Path(__file__).resolve().parents[1]


def run_beside(tmp_path: Path, package: dict[str, str], code: str) -> str:
    """Run code in a fresh interpreter that finds a torchaudio made of these files first."""
    for name, text in package.items():
        file = tmp_path / "torchaudio" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    start = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


BREAKING = {
    "__init__.py": "from . import _extension\nfrom . import functional\n",
    "_extension/__init__.py": "from .loader import load\nload()\n",
    "_extension/loader.py": (
        "def load():\n"
        "    try:\n"
        "        raise OSError('libsomething.so: cannot open shared object file')\n"
        "    except OSError as error:\n"
        "        raise OSError('Could not load this library: x.so') from error\n"
    ),
    "functional.py": (
        "from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align\n"
        "@fail_if_no_align\ndef align(): return 1\n"
    ),
}
LOAD = "from modalities.voice.torchaudio_import import load_torchaudio as load\n"


def test_transforms_work_on_this_machine() -> None:
    import torch

    transform = load_torchaudio().transforms.MelSpectrogram(16000, n_fft=512, n_mels=40)
    assert transform(torch.zeros(1600)).shape[0] == 40
    assert load_torchaudio() is load_torchaudio()


def test_stand_in_where_the_extension_fails(tmp_path: Path) -> None:
    code = LOAD + (
        "t = load(); assert load() is t\n"
        "print(t._extension._IS_TORCHAUDIO_EXT_AVAILABLE, t.functional._IS_TORCHAUDIO_EXT_AVAILABLE)\n"
        "try:\n    t.functional.align()\nexcept ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    out = run_beside(tmp_path, BREAKING, code)
    assert out.startswith("False False\nMissingExtraError torchaudio's align needs its native extension"), out


def test_a_working_extension_is_left_alone(tmp_path: Path) -> None:
    whole = {"__init__.py": "from . import _extension\n", "_extension/__init__.py": "MINE = 1\n"}
    assert run_beside(tmp_path, whole, LOAD + "print(load()._extension.MINE)").strip() == "1"


def test_other_failures_are_not_hidden(tmp_path: Path) -> None:
    broken = {"__init__.py": "raise OSError('the disk is on fire')\n"}
    code = LOAD + "try:\n    load()\nexcept OSError as error:\n    print(type(error).__name__, error)\n"
    assert run_beside(tmp_path, broken, code).strip() == "OSError the disk is on fire"


def test_a_package_broken_beyond_the_extension_says_so(tmp_path: Path) -> None:
    worse = {**BREAKING, "functional.py": "import nothing_of_this_name\n"}
    code = LOAD + "try:\n    load()\nexcept ImportError as error:\n    print(type(error).__name__, error)\n"
    out = run_beside(tmp_path, worse, code)
    assert out.startswith("MissingExtraError torchaudio cannot be imported") and "constraints.txt" in out, out


def test_mel_statistics_agree_with_librosa() -> None:
    import librosa

    rng = np.random.default_rng(3)
    t = np.arange(16000) / 16000
    sound = (0.2 * np.sin(2 * np.pi * (200 + 300 * t) * t) + 0.02 * rng.standard_normal(16000)).astype(np.float32)
    frames = 90
    spectra = SpectrumMeter(16000, 160).measure(sound, 512, frames)
    cut = without_offset(sound)[512 - FFT // 2 :][: (frames - 1) * 160 + FFT]
    mel = librosa.feature.melspectrogram(
        y=cut, sr=16000, n_fft=FFT, win_length=WINDOW, hop_length=160, n_mels=MELS, fmin=LOWEST_HZ,
        fmax=8000, center=False, htk=True, norm=None, power=2.0,
    )  # fmt: skip
    window = librosa.filters.get_window("hann", WINDOW)
    level = 10 * np.log10(np.maximum(mel * 4 / (np.sum(window**2) * FFT), 1e-10))
    np.testing.assert_allclose(spectra.mel_mean_db, level.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(spectra.mel_std_db, level.std(axis=0), atol=0.05)


def test_levels_tilt_and_centroid_of_known_sounds() -> None:
    meter = SpectrumMeter(16000, 160)
    t = np.arange(16000) / 16000
    tone = meter.measure(np.sin(2 * np.pi * 1000 * t).astype(np.float32), 512, 90)
    np.testing.assert_allclose(tone.centroid_hz, 1000, rtol=0.01)
    np.testing.assert_allclose(10 * np.log10(np.sum(10 ** (tone.bands_db / 10), axis=1)), 0, atol=0.3)
    white = np.random.default_rng(0).standard_normal(160000).astype(np.float32) * 0.1
    noise = meter.measure(white, 512, 900)
    assert abs(noise.tilt_db.mean()) < 0.6
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(np.fft.rfftfreq(160000), 1e-4)), 160000)
    pinker = meter.measure(pink.astype(np.float32), 512, 900).tilt_db.mean() - noise.tilt_db.mean()
    assert abs(pinker + 3.0) < 0.3
    offset = meter.measure((0.01 * white + 0.5).astype(np.float32), 512, 90)
    assert offset.bands_db.max() < -55
