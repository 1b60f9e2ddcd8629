"""Kept steps: given back value for value, and never believed when damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.errors import UnreadableFileError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from pipeline.analyzer import Analyzer
from pipeline.batch.cache import StepCache
from pipeline.batch.content import digest_of_streams, fingerprint
from pipeline.batch.encoding_file import digest, pack, unpack
from pipeline.config import Config
from pipeline.export.events import as_rows
from pipeline.manifest import load_manifest
from pipeline.simulate.session import simulate_session


def encoding(n: int, seed: int) -> Encoding:
    rng = np.random.default_rng(seed)
    features = (FeatureSpec("a", "1", "one", 0, 1), FeatureSpec("b", "Hz", "other", None, None, "hold"))
    spec = EncoderSpec("some", "3", "body", ("body_video",), features, ("gesture",))
    times = np.cumsum(rng.integers(1, 1000, n)).astype(np.int64)
    valid = rng.random((n, 2)) > 0.3
    reason = np.array([rng.choice(["", "gap", "no_body"]) for _ in range(n)], dtype=object).reshape(n)
    track = Track(times, ("a", "b"), rng.random((n, 2)).astype(np.float32), valid, reason)
    events = (
        Event("body", "gesture", 5, 50, 9, "p01", 0.1 + 0.2, "wave", {"x": [1, None], "y": {"z": np.float32(2)}}),
    )
    return Encoding(spec, "p01", track, events, {"found": 1 / 3}, ("cam",), {"k": 2}, ("dark",))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "sim"
    simulate_session(folder, seconds=10, seed=4, fidelity="signal")
    return folder / "session.toml"


def analyse(session: Path, folder: Path, config: Config | None = None) -> tuple[list, StepCache]:
    cache = StepCache(folder, load_manifest(session))
    result = Analyzer(config, cache).run(session)
    return [result.timeline, as_rows(result.events), result.sync, result.record], cache


@given(st.integers(0, 30), st.integers(0, 5), st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_encodings_come_back_value_for_value(n: int, other: int, seed: int) -> None:
    made = [encoding(n, seed), encoding(other, seed + 1)]
    back = unpack(pack(made))
    assert [digest(one) for one in back] == [digest(one) for one in made]
    assert back[0].spec == made[0].spec and back[0].events[0].score == 0.1 + 0.2
    assert (back[0].track.reason == made[0].track.reason).all()
    assert pack(back) == pack(unpack(pack(back)))


def test_a_step_is_done_once_and_says_the_same(session: Path, tmp_path: Path) -> None:
    plain = Analyzer().run(session)
    first, made = analyse(session, tmp_path / "c")
    second, taken = analyse(session, tmp_path / "c")
    assert made.made and not made.taken
    assert taken.taken == made.made and not taken.made
    assert first == second
    assert first[0].equals(plain.timeline, check_metadata=True) and first[1] == as_rows(plain.events)


@pytest.fixture(scope="module")
def kept(session: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    """A folder of finished steps that tests copy, and what they say."""
    folder = tmp_path_factory.mktemp("kept") / "c"
    return folder, analyse(session, folder)[0]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_step_is_done_anew(
    session: Path, kept: tuple[Path, list], tmp_path: Path, data: st.DataObject
) -> None:
    folder, whole = tmp_path / "c", kept[1]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept[0], folder)
    files = sorted(folder.iterdir())
    victim = data.draw(st.sampled_from(files))
    bytes_ = victim.read_bytes()
    at = data.draw(st.integers(0, len(bytes_) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "empty", "other"]))
    spoilt = {
        "flip": bytes_[:at] + bytes([bytes_[at] ^ 0x55]) + bytes_[at + 1 :],
        "cut": bytes_[:at],
        "empty": b"",
        "other": b"PAR1 this is no table PAR1",
    }[how]
    victim.write_bytes(spoilt)
    again, cache = analyse(session, folder)
    assert again == whole
    assert cache.spoilt == [victim.name] and len(cache.made) == 1
    assert sorted(folder.iterdir()) == files


def test_bytes_that_are_no_encoding_are_refused() -> None:
    good = pack([encoding(5, 0)])
    for bad in (b"", b"PAR1", good[:-5], good[: len(good) // 2], b"{}"):
        with pytest.raises(UnreadableFileError):
            unpack(bad)


def test_what_a_step_depends_on_is_in_its_name(session: Path, tmp_path: Path) -> None:
    _, first = analyse(session, tmp_path / "c")
    other = Config(settings={"voice": {"unused": 1}})
    _, second = analyse(session, tmp_path / "c", other)
    assert set(second.made) == {"voice"}, "only the step whose settings changed is done anew"
    kept = {path.name for path in (tmp_path / "c").iterdir()}
    second.drop_unused()
    assert len(kept) - len(list((tmp_path / "c").iterdir())) == 1, "the former step of the voice goes"
    assert first.made == ["synchronize", *[one for one in first.made if one != "synchronize"]]


def test_hashes_see_a_changed_sample_and_a_changed_file(session: Path, tmp_path: Path) -> None:
    from pipeline import steps
    from pipeline.batch.content import FileHashes

    def hashed(folder: Path) -> str:
        manifest = load_manifest(folder)
        return digest_of_streams(steps.read(manifest, folder).streams, manifest, FileHashes())

    copy = Path(shutil.copytree(session.parent, tmp_path / "copy"))
    assert hashed(copy) == hashed(session.parent), "where a study lies does not matter"
    before = fingerprint(copy / "session.toml", ["physio.csv"], "")
    text = (copy / "physio.csv").read_text().splitlines()
    cells = text[100].split(",")
    cells[1] = str(float(cells[1]) + 1)
    (copy / "physio.csv").write_text("\n".join([*text[:100], ",".join(cells), *text[101:]]) + "\n")
    assert hashed(copy) != hashed(session.parent)
    assert fingerprint(copy / "session.toml", ["physio.csv"], "") != before
