"""Transformer, evidence model and simple baselines side by side, and the transformer without each channel.

`python -m benchmarks.fusion_comparison [--full] [--json]`. On simulated sessions, of three kinds that are never mixed:
moments (does felt differ from shown?), whole sessions of a suppression design (is expression suppressed?) and
statements of an interview (are they deceptive?). The transformer was trained for the first alone, and the evidence
model knows a published effect for the other two alone. On a lab's own labels `telltale train STUDY --ablation` prints
the same table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.ranking import auc_of
from data_schemas.time import to_ns
from fusion.calibration import calibration_error
from fusion.checkpoint import Checkpoint, load_checkpoint
from fusion.evaluation import auc_behind_neutral
from fusion.evidence_cues import values_of
from fusion.evidence_model import evidence
from fusion.label_steps import Steps, pool
from fusion.posterior import concealed_of, felt_of, uncertainty_of
from fusion.tokens import token_times, tokens_of
from fusion.windows import session_joint
from pipeline.simulate import designs_interview, designs_suppression
from pipeline.simulate.designs import simulate_interview, simulate_suppression
from pipeline.simulate.designs_figures import statement_answers, suppression_answers
from pipeline.simulate.tokens import TokenSession, simulate_tokens

Floats = NDArray[np.float64]
Row = dict[str, str | float]
FIRST = 50_000
"""Of the seeds; sessions to learn from come first, sessions to judge after."""
EVERY = 4
"""Of the steps of 0.5 s one in so many is a moment."""
AROUND_NS = to_ns(1.0)
STRENGTH = 0.01
"""C of the logistic regressions: no choice, so that nothing is tuned."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of some sessions, n in all.

    Attributes:
        blocks: Channel -> its tokens around and after each moment, (n, columns).
        circumstances: Place in the session, its length, channels there: no channel's content, (n, 7).
        hidden: Whether felt differs from shown, (n,).
        session: Number of the session, (n,).
    """

    blocks: dict[str, Floats]
    circumstances: Floats
    hidden: NDArray[np.bool_]
    session: NDArray[np.int64]


def measure(full: bool) -> dict[str, float]:
    """The AUC of every system, "question: system", and "without channel" of the ablation.

    Args:
        full: 160 sessions to learn from and 160 to judge instead of 60 and 30.
    """
    rows, ablation = compare(*((160, 160) if full else (60, 30)))
    return {f"{row['question']}: {row['system']}": float(row["auc"]) for row in rows} | {
        f"without {row['without']}": float(row["auc"]) for row in ablation
    }


def compare(learn: int, judge: int) -> tuple[list[Row], list[Row]]:
    """The rows of the comparison and those of the ablation.

    Args:
        learn: Sessions that the logistic regressions are fitted to.
        judge: Sessions that all systems are asked about.
    """
    model = load_checkpoint()
    told = [simulate_tokens(seed) for seed in range(FIRST + learn, FIRST + learn + judge)]
    ablation = without_channels(model, told)
    rows = of_moments(model, [simulate_tokens(seed) for seed in range(FIRST, FIRST + learn)], told)
    rows += of_suppression(model, range(FIRST, FIRST + learn), range(FIRST + learn, FIRST + learn + judge))
    rows += of_statements(model, range(FIRST, FIRST + learn), range(FIRST + learn, FIRST + learn + judge))
    return rows, ablation


def of_moments(model: Checkpoint, learn: Sequence[TokenSession], judge: Sequence[TokenSession]) -> list[Row]:
    """Does felt differ from shown at this moment?"""
    known, asked = moments_of(learn), moments_of(judge)
    rate = float(known.hidden.mean())
    said: dict[str, Floats] = {
        "base rate": np.full(len(asked.hidden), rate),
        "identity only": _own_rate(asked, rate),
        "nuisance only": logistic(known.circumstances, known.hidden, asked.circumstances),
    }
    for channel in CHANNELS:
        said[f"{channel} alone"] = logistic(known.blocks[channel], known.hidden, asked.blocks[channel])
    every = [np.concatenate([one.blocks[c] for c in CHANNELS], axis=1) for one in (known, asked)]
    said["early fusion"] = logistic(every[0], known.hidden, every[1])
    said["evidence model"] = np.concatenate(
        [
            evidence(one.encodings, one.extent, "viewing", prior=rate).at(token_times(one.extent)[::EVERY])
            for one in judge
        ]
    )
    joints = [_joint(model, one.encodings, one.extent) for one in judge]
    said["transformer"] = np.concatenate([concealed_of(joint)[::EVERY] for joint in joints])
    return _rows("concealed at a moment", said, asked.hidden)


def of_suppression(model: Checkpoint, learn: range, judge: range) -> list[Row]:
    """Is expression suppressed in this session?"""
    known, asked = [[simulate_suppression(seed) for seed in seeds] for seeds in (learn, judge)]
    cues = tuple(designs_suppression.SCALES)
    columns = [
        np.array([[_value(one.encodings, cue, one.extent) for cue in cues] for one in sessions])
        for sessions in (known, asked)
    ]
    truth = np.array([one.suppressed for one in known])
    told, hidden = suppression_answers(judge)
    said = {
        "base rate": np.full(len(hidden), truth.mean()),
        "logistic regression": logistic(columns[0], truth, columns[1], 1.0),
        "evidence model": told,
        "transformer": np.array([concealed_of(_joint(model, one.encodings, one.extent)).mean() for one in asked]),
    }
    return _rows("suppressed session", said, hidden)


def of_statements(model: Checkpoint, learn: range, judge: range) -> list[Row]:
    """Is this statement deceptive? Another question than that of the transformer."""
    known, asked = [[simulate_interview(seed) for seed in seeds] for seeds in (learn, judge)]
    cues = tuple(designs_interview.SCALES)

    def against_own(one: designs_interview.InterviewSession) -> Floats:
        found = np.stack([_values(one.encodings, cue, one.statements) for cue in cues], axis=1)
        return np.asarray((found - np.nanmean(found, axis=0)) / np.maximum(np.nanstd(found, axis=0), 1e-9))

    columns = [np.concatenate([against_own(one) for one in sessions]) for sessions in (known, asked)]
    truth = np.concatenate([one.deceptive for one in known])
    told, lies = statement_answers(judge)
    said = {
        "base rate": np.full(len(lies), truth.mean()),
        "logistic regression": logistic(columns[0], truth, columns[1], 1.0),
        "evidence model": told,
        "transformer": np.concatenate([_within(model, one) for one in asked]),
    }
    return _rows("deceptive statement", said, lies)


def without_channels(model: Checkpoint, sessions: Sequence[TokenSession]) -> list[Row]:
    """The transformer with all channels, and without each: what is lost."""
    examples = [one.example() for one in sessions]
    truths = [one.truth for one in examples]
    felt, hidden = (
        np.concatenate([one.felt for one in truths]),
        np.concatenate([one.felt != one.shown for one in truths]),
    )
    rows: list[Row] = []
    for channel in (None, *CHANNELS):
        joints = [
            session_joint(model.network, one.tokens, model.decisions.temperature, without=channel) for one in examples
        ]
        joint = np.concatenate(joints)
        row: Row = {
            "without": channel or "nothing",
            "auc": auc_of(concealed_of(joint), hidden),
            "behind neutral": auc_behind_neutral(joints, truths),
            "felt accuracy": float(np.mean(felt_of(joint).argmax(-1) == felt)),
            "uncertainty": float(uncertainty_of(joint).mean()),
        }
        rows.append({**row, "lost": float(rows[0]["auc"]) - float(row["auc"]) if rows else 0.0})
    return rows


def moments_of(sessions: Sequence[TokenSession]) -> Moments:
    """Every fourth step of sessions, with what there is to read around it."""
    blocks: dict[str, list[Floats]] = {channel: [] for channel in CHANNELS}
    circumstances, hidden, number = [], [], []
    for at, one in enumerate(sessions):
        example = one.example()
        tokens, times = example.tokens, example.tokens.times_ns[::EVERY]
        nothing = np.zeros((len(tokens), 0), np.float32)
        found = pool(
            Steps(tokens.times_ns, nothing, nothing, tokens.values, tokens.shares), times - AROUND_NS, times + AROUND_NS
        )
        for channel in CHANNELS:
            blocks[channel].append(found[channel].astype(np.float64))
        there = [float(channel in tokens.channels) for channel in CHANNELS]
        seconds = times / 1e9
        circumstances.append(
            np.column_stack([seconds, np.full(len(times), one.course.seconds), np.tile(there, (len(times), 1))])
        )
        hidden.append((example.truth.felt != example.truth.shown)[::EVERY])
        number.append(np.full(len(times), at))
    return Moments(
        {channel: np.concatenate(parts) for channel, parts in blocks.items()},
        np.concatenate(circumstances),
        np.concatenate(hidden),
        np.concatenate(number),
    )


def logistic(x: Floats, y: NDArray[np.bool_], asked: Floats, strength: float = STRENGTH) -> Floats:
    """Probabilities by logistic regression; missing values count as the column's mean."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(C=strength, max_iter=300)
    )
    return np.asarray(model.fit(x, y).predict_proba(asked)[:, 1])


def _own_rate(asked: Moments, rate: float) -> Floats:
    """The share of hidden moments in the other half of the same session, drawn towards the rate by five moments."""
    out = np.full(len(asked.hidden), rate)
    for number in np.unique(asked.session):
        rows = np.flatnonzero(asked.session == number)
        first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        for part, other in ((first, second), (second, first)):
            out[part] = (asked.hidden[other].sum() + 5 * rate) / (len(other) + 5)
    return out


def _joint(model: Checkpoint, encodings: Sequence[Encoding], extent: Interval) -> Floats:
    return session_joint(model.network, tokens_of(encodings, extent), model.decisions.temperature)


def _within(model: Checkpoint, one: designs_interview.InterviewSession) -> Floats:
    """Mean of concealed within each statement."""
    tokens = tokens_of(one.encodings, one.extent)
    said = concealed_of(session_joint(model.network, tokens, model.decisions.temperature))
    inside = [(tokens.times_ns >= s.start_ns) & (tokens.times_ns < s.end_ns) for s in one.statements]
    return np.array([said[where].mean() for where in inside])


def _values(encodings: Sequence[Encoding], cue: str, segments: Sequence[Interval]) -> Floats:
    found = values_of(encodings, cue, segments)
    return np.full(len(segments), np.nan) if found is None else found


def _value(encodings: Sequence[Encoding], cue: str, extent: Interval) -> float:
    return float(_values(encodings, cue, (extent,))[0])


def _rows(question: str, said: dict[str, Floats], truth: NDArray[np.bool_]) -> list[Row]:
    return [
        {
            "question": question,
            "system": system,
            "auc": auc_of(probability, truth),
            "ece": calibration_error(probability, truth, 10),
            "log loss": float(-np.log(np.clip(np.where(truth, probability, 1 - probability), 1e-6, 1)).mean()),
            "cases": float(len(truth)),
        }
        for system, probability in said.items()
    ]


def _printed(rows: Sequence[Row]) -> str:
    lines = [" | ".join(f"{name:>22}" for name in rows[0])]
    for row in rows:
        cells = [f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row.values()]
        lines.append(" | ".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    comparison, ablated = compare(*((160, 160) if "--full" in sys.argv else (60, 30)))
    if "--json" in sys.argv:
        print(json.dumps({"rows": comparison, "ablation": ablated}))
    else:
        print(f"{_printed(comparison)}\n\n{_printed(ablated)}")
