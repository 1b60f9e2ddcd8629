"""How strongly feelings show in a simulated session, drawn anew for each from priors that say where they come from.

Sourced (`fusion/evidence/effect_sizes.csv`): what instructed suppression does to the body (Tyra et al. 2024; Gross &
Levenson 1993), in sessions of that design alone. The table's other rows are not used: those of concealed-information
tests belong to another statement (a response to an item, not an emotion), those of interviews compare lies with truths,
which says nothing about felt and shown emotion. Everything else has no sourced size and gets a wide prior:

- centred on zero: rate and family of micro-expressions while something is hidden, the cheek raiser of put-on smiles,
  and everything that voice and body do differently while something is hidden;
- positive on average, zero included: skin conductance and heart rate responses to what is felt, shown or not (that
  arousal moves them is textbook: Bradley et al. 2001; the size in a given lab is not known), and arousal of voice and
  body by what is SHOWN (a display is what face, voice and body show together).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fusion

TABLE = Path(fusion.__file__).resolve().parent / "evidence" / "effect_sizes.csv"
NO_EFFECT_SHARE = 0.12
"""Share of sessions in which nothing that is felt leaves any trace, and cues say nothing of it."""
VOICE_EFFECTS = 7
BODY_EFFECTS = 4

ASSUMPTIONS: tuple[str, ...] = (
    "A display is made of facial action units by definition: they follow the shown emotion (EMFACS prototypes).",
    "Micro-expressions: rate ratio and family odds ratio while something is hidden are exp(N(0, 1)): "
    "centred on no effect.",
    "Put-on smiles: the cheek raiser (AU6) differs from that of felt smiles by a factor exp(N(0, 0.7)).",
    "Voice and body while something is hidden: N(0, 0.4) standard deviations per feature; "
    "hand-to-face rate ratio exp(N(0, 0.8)).",
    "Voice and body during a shown emotion: arousal |N(0, 0.4)| standard deviations, other features N(0, 0.25).",
    "A felt emotion adds a skin conductance response with a probability of Beta(2.2, 1.4), 1 to 3 s after its onset, "
    "shown or not; one person in twelve has none at all; 0.5 to 6 spontaneous, smaller ones a minute.",
    "A felt emotion moves heart rate by N(0.6, 0.6) standard deviations, shown or not, "
    "differently by emotion (N(0, 0.3)).",
    "In sessions of the suppression design (15 %): reactivity of the suppressed trials is raised by the pooled g of "
    "the table (drawn within its interval); heart rate and movement fall, blinking and skin conductance rise, by "
    "half-normal amounts, because the table gives directions alone.",
    "Cues: with a reliability of Beta(2, 1.5) per session the felt emotion is the one that the cue was meant to evoke, "
    "else it is drawn from base rates; a quarter of the sessions have cues without a stated emotion.",
    f"In {100 * NO_EFFECT_SHARE:.0f} % of the sessions nothing felt leaves any trace and cues say nothing of it.",
    "How often emotions are hidden differs by session (Beta(0.8, 1.2); never, in 15 %); two thirds are hidden behind a "
    "neutral face, one third behind another emotion, mostly a smile.",
    "Encoders miss, mistake and invent as they do on rendered sessions (`pipeline/simulate/measurement.json`), spread "
    "out from lab to lab; every face also makes 0.05 to 6 movements a minute that mean nothing, three times as many "
    "while it talks; 0.1 to 8 micro-expressions a minute whatever is felt; gaps, missing features, missing channels.",
)
"""What the simulator assumes, in sentences; copied into the model card."""


@dataclass(frozen=True)
class Effects:
    """Strength of every effect in one session; all zero (and `follows` False) is a session without any.

    Attributes:
        design: "viewing", "interview" or "suppression".
        follows: Whether what is shown has to do with what is felt at all; False draws the two courses independently,
            and the cues independently of both.
        reliability: Probability that a cue's emotion is the one felt, beyond base rates; 0..1.
        micro_rate: Log ratio of the rate of micro-expressions while something is hidden.
        micro_family: Log odds ratio that such a micro-expression belongs to the felt emotion.
        put_on_smile: Log ratio of AU6 in smiles that are not felt.
        scr: Added probability of a skin conductance response to a felt emotion; 0..1.
        heart_rate: Change of heart rate by felt emotion: (negative, positive, surprise), standard deviations.
        voice_shown: Change of the 7 voice features during a shown emotion, standard deviations.
        voice_hidden: The same while felt differs from shown.
        body_shown: Change of (movement, hand speed, lean, openness) during a shown emotion, standard deviations.
        body_hidden: The same while felt differs from shown.
        hand_to_face: Log ratio of the rate of hand-to-face movements while something is hidden.
        suppressed_reactivity: Hedges g of the response size in suppressed trials; suppression design only.
        suppressed_heart_rate: Shift in standard deviations while suppressing, at most 0.
        suppressed_movement: The same for movement, at most 0.
        suppressed_blinks: Log ratio of the blink rate, at least 0.
        suppressed_skin: Shift of phasic skin conductance in standard deviations, at least 0.
    """

    design: str = "viewing"
    follows: bool = False
    reliability: float = 0.0
    micro_rate: float = 0.0
    micro_family: float = 0.0
    put_on_smile: float = 0.0
    scr: float = 0.0
    heart_rate: tuple[float, ...] = (0.0,) * 3
    voice_shown: tuple[float, ...] = (0.0,) * VOICE_EFFECTS
    voice_hidden: tuple[float, ...] = (0.0,) * VOICE_EFFECTS
    body_shown: tuple[float, ...] = (0.0,) * BODY_EFFECTS
    body_hidden: tuple[float, ...] = (0.0,) * BODY_EFFECTS
    hand_to_face: float = 0.0
    suppressed_reactivity: float = 0.0
    suppressed_heart_rate: float = 0.0
    suppressed_movement: float = 0.0
    suppressed_blinks: float = 0.0
    suppressed_skin: float = 0.0


NO_EFFECTS = Effects()
"""Nothing has to do with anything: what is felt cannot be told from any channel."""


def scaled(effects: Effects, by: float) -> Effects:
    """The same with every size of an effect multiplied; design and whether displays follow feelings stay."""
    sizes = {name: value for name, value in vars(effects).items() if name not in ("design", "follows")}
    changed: dict[str, Any] = {
        name: tuple(by * one for one in value) if isinstance(value, tuple) else by * value
        for name, value in sizes.items()
    }
    return replace(effects, **changed)


def draw_effects(rng: np.random.Generator) -> Effects:
    """Effects of one session from the priors above."""
    design = str(rng.choice(["viewing", "interview", "suppression"], p=[0.45, 0.4, 0.15]))
    voice_shown = rng.normal(0, 0.25, VOICE_EFFECTS)
    voice_shown[:2] = np.abs(rng.normal(0, 0.4, 2))
    body_shown = rng.normal(0, 0.25, BODY_EFFECTS)
    body_shown[:2] = np.abs(rng.normal(0, 0.4, 2))
    shown = Effects(follows=True, voice_shown=_floats(voice_shown), body_shown=_floats(body_shown))
    if rng.random() < NO_EFFECT_SHARE:
        return shown
    heart = rng.normal(0.6, 0.6) + rng.normal(0, 0.3, 3)
    leaking = replace(
        shown,
        design=design,
        reliability=float(rng.beta(2, 1.5)),
        micro_rate=float(rng.normal(0, 1)),
        micro_family=float(rng.normal(0, 1)),
        put_on_smile=float(rng.normal(0, 0.7)),
        scr=float(rng.beta(2.2, 1.4)),
        heart_rate=_floats(heart),
        voice_hidden=_floats(rng.normal(0, 0.4, VOICE_EFFECTS)),
        body_hidden=_floats(rng.normal(0, 0.4, BODY_EFFECTS)),
        hand_to_face=float(rng.normal(0, 0.8)),
    )
    if design != "suppression":
        return leaking
    size, error = pooled_suppression()
    return replace(
        leaking,
        suppressed_reactivity=float(rng.normal(size, error)),
        suppressed_heart_rate=-abs(float(rng.normal(0, 0.4))),
        suppressed_movement=-abs(float(rng.normal(0, 0.4))),
        suppressed_blinks=abs(float(rng.normal(0, 0.4))),
        suppressed_skin=abs(float(rng.normal(0, 0.3))),
    )


@cache
def pooled_suppression() -> tuple[float, float]:
    """Pooled effect of instructed suppression on physiological reactivity and its standard error, from the table.

    The interval of the source (0.08 to 0.33) is read as 95 %, so that the error is a 3.92nd of its width.
    """
    with TABLE.open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["source"].startswith("Tyra") and row["magnitude"])
    words = row["note"].split("CI ")[1].split(",")[0].split(" to ")
    return float(row["magnitude"]), (float(words[1]) - float(words[0])) / 3.92


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
