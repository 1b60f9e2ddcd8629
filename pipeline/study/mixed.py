"""Mixed models with random people and items, one per cue, by statsmodels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from pipeline.study.contrast import Floats
from pipeline.study.design import Design
from pipeline.study.table import Codes


@dataclass(frozen=True, slots=True)
class MixedEffect:
    """The label's effect in one cue's model, in standard deviations of the cue.

    Attributes:
        estimate, low, high: Coefficient of the label and its interval (Wald).
        p: Wald's p; too small with few people or items, so it decides nothing here.
        person_share, item_share: Share of the variance between people, between items.
        note: Why there is no model, or what is wrong with it; empty otherwise.
    """

    estimate: float
    low: float
    high: float
    p: float
    person_share: float
    item_share: float
    note: str = ""


_NONE = float("nan")
LEAST_ROWS = 20
SEARCHES = ("powell", "nm")
"""Ways of searching for the greatest likelihood, in turn until one converges. They need no gradient: variances near 0,
which are common, stop those that do short of it."""


def fit_mixed(values: Floats, label: Codes, design: Design, alpha: float) -> MixedEffect:
    """Fit cue ~ label + (1 | person) + (1 | item) by restricted maximum likelihood.

    Items enter where people share them (Clark 1973; Baayen, Davidson & Bates 2008), people where they have several
    rows.

    Args:
        values: One cue, shape (n,), NaN where missing.
        label: 0 or 1, shape (n,).
        design: Who has which labels.
        alpha: The interval covers 1 - alpha.
    """
    import pandas as pd
    from scipy.stats import norm
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    known = np.isfinite(values)
    y, x = values[known], label[known].astype(np.float64)
    person, item = design.person[known], design.item[known]
    spread = float(y.std()) if len(y) else 0.0
    if len(y) < LEAST_ROWS or spread == 0 or len(set(x)) < 2:
        return _without("too few values")
    parts = {}
    if len(set(person)) < len(person):
        parts["person"] = "0 + C(person)"
    if design.items_repeat:
        parts["item"] = "0 + C(item)"
    if not parts:
        return _without("one row per person: no random effect to estimate")
    frame = pd.DataFrame({"y": (y - y.mean()) / spread, "x": x, "person": person, "item": item, "all": 1})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = MixedLM.from_formula("y ~ x", groups="all", vc_formula=parts, re_formula="0", data=frame)
            fitted = model.fit(reml=True, method=list(SEARCHES))
        except (np.linalg.LinAlgError, ValueError) as failure:
            return _without(f"not fitted: {failure}")
    estimate, error = float(fitted.params["x"]), float(fitted.bse["x"])
    if not np.isfinite(error) or error <= 0:
        return _without("not identified")
    variances = dict(zip(model.exog_vc.names, np.asarray(fitted.vcomp, dtype=float), strict=True))
    whole = sum(variances.values()) + float(fitted.scale)
    half = float(norm.ppf(1 - alpha / 2)) * error
    slow = not fitted.converged and any(issubclass(one.category, ConvergenceWarning) for one in caught)
    return MixedEffect(
        estimate,
        estimate - half,
        estimate + half,
        float(2 * norm.sf(abs(estimate) / error)),
        variances.get("person", 0.0) / whole,
        variances.get("item", 0.0) / whole,
        "did not converge" if slow else "",
    )


def _without(why: str) -> MixedEffect:
    return MixedEffect(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, why)
