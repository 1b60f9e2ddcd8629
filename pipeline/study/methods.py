"""The methods paragraph, with versions and parameters, and what the study cannot tell."""

from __future__ import annotations

import platform
from importlib.metadata import version

from pipeline import __version__
from pipeline.study.analysis import StudyResult
from pipeline.study.plan import plan_in_words

LIBRARIES = ("numpy", "scipy", "statsmodels", "pandas", "matplotlib")

REFERENCES = (
    "Benjamini & Hochberg 1995, J R Stat Soc B 57:289 (false discovery rate)",
    "Clark 1973, J Verb Learn Verb Behav 12:335; Baayen, Davidson & Bates 2008, J Mem Lang 59:390 (random items)",
    "Efron 1987, J Am Stat Assoc 82:171; Hesterberg 2015, Am Stat 69:371 (bootstrap intervals)",
    "Hedges 1981, J Educ Stat 6:107; Lakens 2013, Front Psychol 4:863 (effect sizes)",
    "Owen 2007, Ann Appl Stat 1:386 (bootstrap over people and items)",
    "Platt 1999, Advances in Large Margin Classifiers, 61 (calibration)",
    "Rouder, Speckman, Sun, Morey & Iverson 2009, Psychon Bull Rev 16:225 (Bayes factors)",
    "Vickers & Elkin 2006, Med Decis Making 26:565 (decision curves)",
    "Westfall & Young 1993, Resampling-Based Multiple Testing (max-T)",
)


def write_methods(result: StudyResult) -> str:
    """One paragraph that can go into a paper."""
    design, one, settings = result.design, result.prediction.summary, result.settings
    cover = f"{100 - 100 * settings.alpha:g} %"
    where = {
        "trial": "labels were exchanged within people",
        "person": "labels were exchanged between people",
        "item": "labels were exchanged between items"
        if design.stratum is None
        else "labels were swapped between the versions of each item",
    }[design.unit]
    exchanged = where if design.unit == "item" or not design.paired else "signs of people's differences were flipped"
    units = " and items" if design.unit == "item" else ""
    paired = "within people" if design.paired else "between groups of people"
    scale = "the average standard deviation of both" if design.paired else "the pooled standard deviation"
    items = f" and {design.items} items" if design.items else ""
    text = (
        f"{len(result.table)} rows of {design.people} people ({design.both} with both labels){items} were analysed "
        f"with Telltale {__version__}. Each of {len(result.table.names)} cues was compared {paired} by Hedges' g on "
        f"people's means under each label ({scale} as standardiser), with {cover} intervals by bootstrap over "
        f"people{units} ({settings.bootstraps} draws). p values are two-sided and come from {settings.permutations} "
        f"permutations in which {exchanged} ({result.effects.units}), adjusted over cues by max-T and by Benjamini and "
        f"Hochberg. JZS Bayes factors used a Cauchy prior of width {settings.prior_scale:g}. Mixed models (restricted "
        f"maximum likelihood) had a random intercept of people{' and items' if design.items_repeat else ''}. "
    )
    if one["refused"]:
        text += f"No prediction was made: {one['refused']}. "
    else:
        text += (
            f"The label was predicted by ridge regression on {one['cues']} standardised cues (penalty equal to their "
            f"number, nothing tuned; gaps filled with the training mean) with {one['groups']}, averaged over "
            f"{settings.repeats} ways to cut folds; its AUC was compared with {one['permutations']} permutations in "
            f"which {where}. "
        )
        if result.prediction.leaks:
            text += f"LEAKY: folds share {result.prediction.leaks}, which makes the figures too good. "
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        text
        + f"Seed {settings.seed}; level {settings.alpha:g}. {plan_in_words(result.plan)} Python "
        + f"{platform.python_version()}, {libraries}."
    )


def write_limits(result: StudyResult) -> list[str]:
    """What must not be read into the figures."""
    design = result.design
    one_cue, all_cues = result.effects.least_detectable
    limits = [
        "A cue that differs between labels is no detector of lies: prediction of new people is what would count, and "
        "nothing here may be used to judge anybody.",
        f"Effects are of people's means over their rows (about {len(result.table) / design.people:.0f} each), not of "
        "single events.",
        f"With {result.effects.units}, an effect below d = {one_cue:.2f} (one cue) or {all_cues:.2f} (all cues) would "
        "mostly be missed: no effect found is not no effect.",
        "Wald intervals of the mixed models are too narrow with few people or items; the tests are the permutations.",
        "A confound that nobody wrote down cannot be found by the audit.",
    ]
    if design.unit == "item":
        limits.append(
            f"The label belongs to items: only {design.items} labels are independent, however many people saw them."
        )
    if design.unit == "person":
        limits.append(
            "Each person has one label: whatever else distinguishes the two groups of people may be the cause."
        )
    return limits
