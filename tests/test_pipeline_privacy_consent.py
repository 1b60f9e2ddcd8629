"""Consent: scope, expiry, withdrawal, and models that were trained with somebody who has withdrawn."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_schemas.errors import ConsentError
from fusion.checkpoint import DEFAULT
from pipeline.analyzer import Analyzer
from pipeline.check import check_session
from pipeline.config import Config
from pipeline.manifest import load_manifest, require_consent
from pipeline.privacy import consent, keys
from pipeline.simulate.session import simulate_session


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))


@pytest.fixture
def session(tmp_path: Path) -> Path:
    simulate_session(tmp_path / "study" / "sim", seconds=10, seed=2, fidelity="signal")
    return tmp_path / "study" / "sim" / "session.toml"


@pytest.mark.parametrize("scope", ["analyse", "share", "train"])
def test_each_scope_is_asked_for_by_itself(session: Path, scope: str) -> None:
    text = session.read_text()
    require_consent(load_manifest(session), scope, session)
    session.write_text(text.replace(f'"{scope}"', "").replace("[, ", "[").replace(", ,", ",").replace(", ]", "]"))
    with pytest.raises(ConsentError, match=f"no consent to {scope}"):
        require_consent(load_manifest(session), scope, session)


def test_consent_ends_on_the_day_that_it_says(session: Path) -> None:
    session.write_text(session.read_text().replace("date = 2025-01-01", "date = 2025-01-01\nexpires = 2025-06-01"))
    manifest = load_manifest(session)
    require_consent(manifest, "analyse", session, today=dt.date(2025, 5, 31))
    with pytest.raises(ConsentError, match="expired on 2025-06-01"):
        require_consent(manifest, "analyse", session, today=dt.date(2025, 6, 1))
    with pytest.raises(ConsentError, match="expired"):
        Analyzer().run(session)


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        ("date = 2025-01-01\nexpires = 9999-12-31", "expires: 9999-12-31 is more than 100 years ahead"),
        ("date = 2025-01-01\nexpires = 0001-01-01", "expires: 0001-01-01 is not after the day of consent, 2025-01-01"),
        ("expires = 0001-01-01", "expires: 0001-01-01 is before there were such recordings"),
        ("date = 0001-01-01", "date: 0001-01-01 is before there were such recordings"),
        ("date = 2035-01-01", "consent is said to be given on 2035-01-01, which is to come"),
        ("date = 2025-01-01\nexpires = 2060-01-01", ""),
    ],
)
def test_dates_of_consent_that_are_slips_of_the_pen_are_told(session: Path, dates: str, told: str) -> None:
    session.write_text(session.read_text().replace("date = 2025-01-01", dates))
    found = check_session(session.parent, today=dt.date(2026, 3, 1))
    warnings = [one.what for one in found if one.where == "consent" and one.severity == "warning" and ":" in one.what]
    warnings = [what for what in warnings if "no date" not in what]
    assert len(warnings) == bool(told)
    assert all(told in what and "correct it under [consent]" in what for what in warnings)


def test_who_has_withdrawn_is_not_analysed_whatever_the_manifest_says(session: Path) -> None:
    keys.withdraw(session.parent.parent, "p01")
    for place in (session, session.parent):
        with pytest.raises(consent.WithdrawnError, match="p01 has withdrawn"):
            Analyzer().run(place)
    other = session.parent.parent.parent / "elsewhere" / "sim"
    shutil.copytree(session.parent, other)
    consent.require_nobody_withdrawn(load_manifest(other), other / "session.toml")


def model(folder: Path, card: dict) -> Path:
    folder.mkdir(parents=True)
    weights = Path(shutil.copy(DEFAULT, folder / "lab.safetensors"))
    own = json.loads(DEFAULT.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps({**own, "training": {**own["training"], **card}}))
    return weights


def test_a_model_trained_with_somebody_who_withdrew_is_found_marked_and_refused(session: Path, tmp_path: Path) -> None:
    study = session.parent.parent
    told = consent.trained_on(study, ["p01", "p02"])
    mine = model(tmp_path / "models" / "mine", {"trained_on": told})
    copy = Path(shutil.copytree(mine.parent, tmp_path / "copy")) / mine.name
    other = model(tmp_path / "models" / "other", {"trained_on": consent.trained_on(study, ["p03"])})
    assert "p01" not in mine.with_suffix(".json").read_text()
    name = keys.known_pseudonym(study, "p01")
    assert name is not None
    found = list(consent.cards_with(name, [tmp_path / "models"], [mine]))
    assert found == [mine.with_suffix(".json")]
    for weights in (mine, copy, other):
        consent.require_usable(weights)
    consent.mark(found[0])
    keys.withdraw(study, "p01")
    for weights in (mine, copy):
        with pytest.raises(ConsentError, match="Train it again"):
            consent.require_usable(weights)
    consent.require_usable(other)
    simulate_session(tmp_path / "two" / "sim", seconds=10, seed=3, fidelity="signal")
    with pytest.raises(ConsentError, match="has withdrawn"):
        Analyzer(Config(fusion_weights=mine)).run(tmp_path / "two" / "sim")


def loaders() -> dict[str, tuple[Callable[[Path], object], Path | None]]:
    """Everything that loads weights which a user can name, and shipped weights of that kind."""
    from fusion.checkpoint import load_checkpoint
    from fusion.label_model import fusion_state
    from modalities.body.gestures.learned import load_gestures
    from modalities.face.recognition.default.recogniser import WEIGHTS, DefaultRecogniser
    from modalities.face.spotting.temporal_network import DEFAULT as SPOTTER
    from modalities.face.spotting.temporal_network import load_network

    return {
        "fusion": (load_checkpoint, DEFAULT),
        "label": (fusion_state, DEFAULT),
        "recogniser": (DefaultRecogniser.load, WEIGHTS),
        "spotter": (load_network, SPOTTER),
        "gestures": (load_gestures, None),
    }


@pytest.mark.parametrize("kind", ["fusion", "label", "recogniser", "spotter", "gestures"])
@pytest.mark.parametrize("how", ["marked", "a copy that nobody marked"])
def test_withdrawn_weights_are_refused_wherever_they_are_loaded(tmp_path: Path, kind: str, how: str) -> None:
    load, shipped = loaders()[kind]
    weights = tmp_path / "own.safetensors"
    if shipped is None:
        from modalities.body.gestures.learned import save_gestures
        from modalities.body.gestures.network import GestureNet
        from modalities.body.gestures.training import Trained

        save_gestures(Trained(GestureNet(2), ("a", "b"), 16, 1.0, {}, {}), weights)
    else:
        shutil.copy(shipped, weights)
        shutil.copy(shipped.with_suffix(".json"), weights.with_suffix(".json"))
    card = json.loads(weights.with_suffix(".json").read_text())
    study = tmp_path / "study"
    told = {"trained_on": consent.trained_on(study, ["p01"])}
    weights.with_suffix(".json").write_text(json.dumps({**card, **told}))
    assert load(weights) is not None
    if how == "marked":
        consent.mark(weights.with_suffix(".json"))
    else:
        keys.withdraw(study, "p01")
    again = Path(shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-copy")) / weights.name
    with pytest.raises(ConsentError, match="Train it again"):
        load(again)


def test_settings_that_name_withdrawn_weights_stop_the_run_at_once(session: Path, tmp_path: Path) -> None:
    weights = model(tmp_path / "models", {"trained_on": {"people": []}})
    consent.mark(weights.with_suffix(".json"))
    for settings in ({"body": {"gesture_model": str(weights)}}, {"face": {"recogniser": str(weights)}}):
        with pytest.raises(ConsentError, match="has withdrawn"):
            Analyzer(Config(settings=settings)).run(session)


def test_a_damaged_key_store_does_not_stop_weights_that_name_nobody(tmp_path: Path) -> None:
    keys.pseudonym(tmp_path, "p01")
    (keys.home() / keys.NAME).write_text("{")
    consent.require_usable(DEFAULT)
