"""Simulated sessions of the designs that have sourced effects, at the unit of their source, and what they assume.

`designs_cit`: one score per person over all items. `designs_interview`: statements. `designs_suppression`: sessions.
No effect of one design enters another, and none enters at a finer unit than that of its source.
"""

from __future__ import annotations

from fusion.cit_model import KNOWING, LAB_CV, LAB_R, PERSON_CV, PERSON_R, REFERENCE
from fusion.cit_model import NO_EFFECT as CIT_NO_EFFECT
from fusion.evidence_ratio import BETWEEN_LABS, HALF_NORMAL, NO_EFFECT, PERSON_SHARE, UNSOURCED
from pipeline.simulate.designs_cit import CitSession, simulate_cit
from pipeline.simulate.designs_interview import BETWEEN_PEOPLE, InterviewSession, simulate_interview
from pipeline.simulate.designs_suppression import SuppressionSession, simulate_suppression

Session = CitSession | InterviewSession | SuppressionSession

ASSUMPTIONS: tuple[str, ...] = (
    f"d* of a concealed information test belongs to a person's score over {REFERENCE[0]} probe and {REFERENCE[1]} "
    "irrelevant presentations; other sizes follow from the noise of single presentations.",
    f"Effects of a test differ between labs by {100 * LAB_CV:.0f} % and between people of a lab by "
    f"{100 * PERSON_CV:.0f} % of their mean; their logarithms correlate {LAB_R:g} and {PERSON_R:g} between measures.",
    f"{100 * KNOWING:.0f} % of the examinees know the item; in {100 * CIT_NO_EFFECT:.0f} % of those nothing shows.",
    f"Effects of statements differ between labs by {BETWEEN_LABS:g} and between people by {BETWEEN_PEOPLE:g} standard "
    f"deviations; {100 * PERSON_SHARE:.0f} % of the variance of statements is the person's own level.",
    f"Where the source states a direction alone the size is half-normal with scale {HALF_NORMAL:g}.",
    f"Cues without a source have an effect of N(0, {UNSOURCED:g}) in the evidence model and none in these sessions.",
    f"In {100 * NO_EFFECT:.0f} % of the interviews and suppression sessions nothing shows.",
)
"""What these simulators assume, in sentences, for the model card."""

__all__ = ["ASSUMPTIONS", "Session", "simulate_cit", "simulate_interview", "simulate_suppression"]
