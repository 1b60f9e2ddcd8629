"""Items of a concealed information test and what the body did after each: from cues and reactions to one contrast.

Each measure is standardised within the person (Ben-Shakhar 1985, Psychophysiology 22:292): the difference of probe and
irrelevant items, habituation over the test taken out, in standard deviations of the person's own presentations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.features import Encoding

ROLES = ("probe", "irrelevant", "target")
ROLE_COLUMNS = ("cit", "condition", "cond")
"""Columns of a cue that may say its role, the first one first."""
NAME_COLUMNS = ("item", "item_id", "stimulus_id")
ITEM_KINDS = ("question", "stimulus")
LEAST_IRRELEVANT, LEAST_PROBE = 5, 2
"""Presentations below which a measure says nothing of a person."""
ITEM_SHARE = 0.04
"""Share of the variance of a presentation that comes from differences of items which mean nothing (assumed)."""
ROOM = 1.05
"""Factor on the error of a score for what least squares does not see, tails and odd courses over the test: without it
the errors of simulated examinees are that much too small (benchmarks/cit.py)."""
_FURTHEST = 5.0
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of the reaction to an item.

    Attributes:
        name: Short name.
        words: For people.
        key: In the details of a `reaction` event.
        sign: +1 where a response to the concealed item raises it.
        scale: "root", "plain" or "log": what brings it nearer to a normal distribution; none depends on its unit.
        row: `measured_by` in the table of effects.
    """

    name: str
    words: str
    key: str
    sign: int
    scale: str
    row: str

    def scaled(self, value: float) -> float:
        """A value on the measure's scale, positive for a response."""
        if self.scale == "root":
            value = float(np.sqrt(max(value, 0.0)))
        elif self.scale == "log":
            value = float(np.log(max(value, 1e-3)))
        return self.sign * value


MEASURES = (
    Measure("scr", "skin conductance response", "scr_amplitude_us", 1, "root", "physiology.scr_amplitude"),
    Measure("heart_rate", "heart rate deceleration", "heart_rate_change_bpm", -1, "plain", "physiology.heart_rate_bpm"),
    Measure(
        "line_length", "shorter respiration line", "line_length_ratio", -1, "log", "physiology.respiration_line_length"
    ),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One presentation.

    Attributes:
        onset_ns: When.
        role: One of `ROLES`.
        name: Which item; presentations of the same item share it.
    """

    onset_ns: int
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """Probe against irrelevant items in one measure of one person.

    Attributes:
        measure: Which one.
        score: Difference in standard deviations of one presentation, positive for a response.
        error: Standard error of the score without any response, same unit; chance differences of items included.
        freedom: Degrees of freedom of the standard deviation.
        probes: Presentations with a value.
        irrelevants: The same of irrelevant items.
    """

    measure: Measure
    score: float
    error: float
    freedom: int
    probes: int
    irrelevants: int


def items_of(encodings: Sequence[Encoding]) -> tuple[Item, ...]:
    """The presentations of a concealed information test among the cues of one person, in order; empty without one.

    An item is a cue of kind question or stimulus whose column `cit`, or else its condition, is "probe", "irrelevant"
    or "target". Conditions alone make a test only if both probe and irrelevant occur. Cues listed twice count once.
    """
    found: dict[tuple[int, str], Item] = {}
    stated = False
    for encoding in encodings:
        if encoding.spec.channel != "context":
            continue
        for cue in encoding.events:
            role, column = _role(cue)
            if cue.kind == "cue" and role and cue.details.get("kind") in ITEM_KINDS:
                stated |= column == "cit"
                found.setdefault((cue.onset_ns, role), Item(cue.onset_ns, role, _name(cue)))
    roles = {item.role for item in found.values()}
    if not stated and not {"probe", "irrelevant"} <= roles:
        return ()
    return tuple(sorted(found.values(), key=lambda item: item.onset_ns))


def contrasts_of(encodings: Sequence[Encoding], items: Sequence[Item]) -> tuple[list[Contrast], dict[str, str]]:
    """Probe against irrelevant items in each measure that allows it.

    Args:
        encodings: Of one person; reactions come from the physiology channel.
        items: From `items_of`.

    Returns:
        The contrasts, and for each measure without one the reason in words.
    """
    reactions = {
        event.onset_ns: event.details
        for encoding in encodings
        if encoding.spec.channel == "physiology"
        for event in encoding.events
        if event.kind == "reaction"
    }
    shown = [item for item in items if item.role != "target"]
    found: list[Contrast] = []
    missing: dict[str, str] = {}
    for measure in MEASURES:
        known = [
            (place, item, measure.scaled(float(value)))
            for place, item in enumerate(shown, 1)
            if (value := reactions.get(item.onset_ns, {}).get(measure.key)) is not None
        ]
        probes = sum(item.role == "probe" for _, item, _ in known)
        irrelevants = len(known) - probes
        if not known:
            missing[measure.name] = "not measured"
        elif irrelevants < LEAST_IRRELEVANT or probes < LEAST_PROBE:
            missing[measure.name] = (
                f"{probes} probe and {irrelevants} irrelevant presentations with a value; "
                f"at least {LEAST_PROBE} and {LEAST_IRRELEVANT} are needed"
            )
        else:
            places, kept, values = zip(*known, strict=True)
            one = compare(measure, np.array(values), kept, np.array(places, np.float64))
            if one is None:
                missing[measure.name] = "does not vary: this person shows no such reaction at all"
            else:
                found.append(one)
    return found, missing


def compare(
    measure: Measure, values: NDArray[np.float64], items: Sequence[Item], places: NDArray[np.float64]
) -> Contrast | None:
    """The contrast of one measure by least squares: role, and the logarithm of the place in the test.

    Its score is freed of the bias of small tests as Hedges (1981, J. Educ. Stat. 6:107) does.

    Args:
        measure: Which one.
        values: On the measure's scale, shape (n,).
        items: Probe and irrelevant presentations, n.
        places: Their places in the test from 1, shape (n,).

    Returns:
        None where the values do not vary.
    """
    probe = np.array([item.role == "probe" for item in items])
    middle = float(np.median(values))
    spread = _MAD_TO_SD * float(np.median(np.abs(values - middle)))
    if spread > 0:
        values = np.clip(values, middle - _FURTHEST * spread, middle + _FURTHEST * spread)
    design = np.column_stack([np.ones(len(values)), np.log(places), probe])
    inverse = np.linalg.pinv(design.T @ design)
    weights = inverse @ design.T @ values
    freedom = len(values) - design.shape[1]
    rest = values - design @ weights
    sd = float(np.sqrt(rest @ rest / freedom))
    if sd <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return None
    names = np.array([item.name for item in items])
    chance = ITEM_SHARE * (_repeats(names[probe]) + _repeats(names[~probe]))
    error = float(np.sqrt((1 - ITEM_SHARE) * inverse[2, 2] + chance))
    irrelevants = int(np.count_nonzero(~probe))
    small = 1 - 3 / (4 * freedom - 1)
    return Contrast(
        measure, small * float(weights[2]) / sd, ROOM * small * error, freedom, len(values) - irrelevants, irrelevants
    )


def _repeats(names: NDArray[np.str_]) -> float:
    """Sum of the squared shares of the items: 1 over their number where each was shown equally often."""
    counts = np.unique(names, return_counts=True)[1]
    return float(((counts / counts.sum()) ** 2).sum())


def _role(cue: Event) -> tuple[str, str]:
    """The role that a cue states, and in which column; ("", "") without one."""
    lower = {str(name).strip().lower(): value for name, value in cue.details.items()}
    for column in ROLE_COLUMNS:
        word = str(lower.get(column, "")).strip().lower()
        if word in ROLES:
            return word, column
    return "", ""


def _name(cue: Event) -> str:
    lower = {str(name).strip().lower(): value for name, value in cue.details.items()}
    return next((str(lower[column]) for column in NAME_COLUMNS if lower.get(column) not in (None, "")), cue.label)
