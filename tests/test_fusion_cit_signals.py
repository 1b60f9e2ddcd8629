"""The concealed information test on signals: through the real encoders of physiology and context, and as a session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_schemas.features import Encoding
from fusion.cit import CitTest, examine
from fusion.cit_items import MEASURES
from modalities.base import Task
from modalities.context.encoder import ContextEncoder
from modalities.physiology.encoder import PhysiologyEncoder
from modalities.physiology.reactions import with_reactions
from pipeline.analyzer import Analyzer
from pipeline.simulate.designs_cit import CitSession, simulate_cit
from pipeline.simulate.designs_signals import cit_streams, write_cit_session

SEEDS = (0, 1, 2)


def draw(seed: int, knows: bool) -> CitSession:
    return simulate_cit(seed, knows, lab=np.ones(len(MEASURES)), no_effect=0.0, presentations=(6, 4, 1), complete=True)


def encode(session: CitSession) -> tuple[Encoding, Encoding]:
    streams = cit_streams(session)
    cues = {"cues": streams["cues"]}
    signals = {name: stream for name, stream in streams.items() if name != "cues"}
    context = ContextEncoder().encode(Task("person", cues, session.extent)).check()
    body = PhysiologyEncoder().encode(Task("person", signals, session.extent)).check()
    return context, with_reactions(body, context.events)


@pytest.fixture(scope="module")
def heard() -> dict[tuple[int, bool], tuple[CitSession, tuple[Encoding, Encoding]]]:
    sessions = {(seed, knows): draw(seed, knows) for seed in SEEDS for knows in (True, False)}
    return {key: (session, encode(session)) for key, session in sessions.items()}


def judged(session: CitSession, encodings: tuple[Encoding, ...]) -> CitTest:
    test = examine(encodings, session.extent)
    assert test is not None and test.posterior is not None
    return test


def test_planted_reactions_are_measured_by_the_encoder(heard) -> None:
    for session, (_, body) in heard.values():
        found = [event.details for event in body.events if event.kind == "reaction"]
        assert len(found) == len(session.roles)
        for measure, least in zip(MEASURES, (0.95, 0.4, 0.75), strict=True):
            pairs = [
                (float(one[measure.key]), planted)
                for one, planted in zip(found, session.values[measure.name], strict=True)
                if one[measure.key] is not None
            ]
            seen, planted = np.array(pairs).T
            assert len(pairs) > 25 and np.corrcoef(seen, planted)[0, 1] > least, measure.name


def test_signals_lead_to_the_answer_that_the_reactions_alone_give(heard) -> None:
    for session, encodings in heard.values():
        through, direct = judged(session, encodings), judged(session, session.encodings())
        assert not through.missing
        assert through.posterior and direct.posterior
        assert through.posterior.probability == pytest.approx(direct.posterior.probability, abs=0.3)


def test_who_knows_is_likelier_to_respond_than_the_same_person_who_does_not(heard) -> None:
    for seed in SEEDS:
        told = [judged(*heard[seed, knows]).posterior for knows in (True, False)]
        assert told[0] and told[1] and told[0].log_ratio > told[1].log_ratio + 1


def test_a_session_folder_is_analysed_to_one_statement(tmp_path: Path) -> None:
    session = simulate_cit(1, True, no_effect=0.0, presentations=(3, 4, 1), complete=True)
    write_cit_session(tmp_path / "cit", session)
    result = Analyzer().run(tmp_path / "cit")
    assert result.exit_status == 0
    (event,) = [one for one in result.events if one.kind == "cit_response"]
    assert event.score is not None and event.details["presentations"]["probe"] == 3
    assert event.onset_ns == session.cues[0].onset_ns
