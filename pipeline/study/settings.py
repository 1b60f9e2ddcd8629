"""What can be chosen in the analysis of a study, frozen by `telltale study plan`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from data_schemas.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of one analysis.

    Attributes:
        alpha: Level of every test, and of the audit's alarms all together.
        permutations: Of the tests of the cues and of the audit.
        prediction_permutations: Of the test of the prediction.
        bootstraps: Draws of the intervals.
        repeats: Different ways to cut people and items into folds, averaged.
        prior_scale: Width of the Cauchy prior of the Bayes factors (Rouder et al. 2009; 0.707 since Morey & Rouder).
        power: At which the least detectable effect and the sample sizes are told.
        seed: Of all random numbers.
        allow_leakage: Whether folds may share people or items; then every output says so.
    """

    alpha: float = 0.05
    permutations: int = 5000
    prediction_permutations: int = 1000
    bootstraps: int = 2000
    repeats: int = 5
    prior_scale: float = 0.707
    power: float = 0.8
    seed: int = 1
    allow_leakage: bool = False

    def __post_init__(self) -> None:
        for name, least in (
            ("permutations", 99),
            ("prediction_permutations", 99),
            ("bootstraps", 200),
            ("repeats", 1),
        ):
            if getattr(self, name) < least:
                raise InvalidValueError(f"too few {name}", got=getattr(self, name), expected=f"at least {least}")
        if not 0 < self.alpha < 0.5 or not 0.5 <= self.power < 1 or not self.prior_scale > 0:
            raise InvalidValueError(
                "settings out of range",
                got=f"alpha {self.alpha}, power {self.power}, prior_scale {self.prior_scale}",
                expected="0 < alpha < 0.5 <= power < 1, prior_scale > 0",
            )

    def as_dict(self) -> dict[str, Any]:
        """All parameters by name."""
        return asdict(self)
