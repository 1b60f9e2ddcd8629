"""Make docs/physiology.md from the spec of the encoder and the docstrings: `python -m docs.physiology_page`."""

from __future__ import annotations

import inspect
from pathlib import Path

from data_schemas.features import FeatureSpec
from modalities.physiology.features import SPEC
from modalities.physiology.reactions import reactions

FILE = Path(__file__).with_name("physiology.md")

_TEXT = """# Physiology

Heart, skin, breath and temperature, from `ecg`, `eda`, `respiration`, `ppg` and `temperature` streams. One track at
10 Hz; a window is always the time before the sample. `telltale physio FILE... -o OUT` does it for a plain file.

## Features

| column | unit | range | what it is, and over which window | source |
|---|---|---|---|---|
{features}

## Events

- `r_peak`: one per beat that can be trusted. `score` is the quality index of the beat (0..1, how sure it is a beat
  and in its place), `label` is `ectopic` or `extra` where the beat does not belong to the sinus rhythm,
  `details.likeness` its correlation with the typical beat.
- `scr`: a skin conductance response from onset over peak to half recovery. `details`: `amplitude_us`,
  `rise_time_s`, `recovery_time_s` (None where the response was cut off).
- `reaction`: what happened in the 15 s after a cue (see below).

## Reactions

{reactions}

## How it is done

- **Beats.** Energy from 5 to 30 Hz gives candidates, their median shape a matched filter, dynamic programming the
  chain that fits best (`detector.py`); each beat then moves to its R summit (`beats.py`). The quality index is a
  logistic function of shape, rivals and rhythm, fitted to simulated ECG (`beat_index.py`); beats above 0.7 are
  kept.
- **Rhythm.** Missed beats are put in, extra ones taken out, ectopic ones with a pause moved to the middle
  (`correction.py`, after Lipponen & Tarvainen 2019). The heart rate and the spectrum use the corrected series;
  RMSSD, SDNN and pNN50 only intervals that needed no correction. An irregular heart (atrial fibrillation) is left
  as it is.
- **Skin.** Loss of contact, noise and motion (`skin.find_jolts`) are masked with a reason. Short artefacts are
  bridged for filters, never shown, and a level that differs after one is no response. Works from 4 Hz on; responses
  from 2 Hz.
- **What cannot be judged** is null, with the reason `electrode_off`, `noise`, `too_short` or `gap`.

How good it is: `python -m benchmarks.physiology --full`.
"""


def page() -> str:
    """The whole page."""
    listed = inspect.cleandoc(reactions.__doc__ or "")
    return _TEXT.format(features="\n".join(map(_row, SPEC.features)), reactions=_as_list(listed))


def _row(feature: FeatureSpec) -> str:
    ends = ["" if end is None else f"{end:g}" for end in (feature.low, feature.high)]
    reach = " to ".join(ends) if all(ends) else f"from {ends[0]}" if ends[0] else "any"
    return f"| `{feature.name}` | {feature.unit} | {reach} | {feature.description} | {feature.source} |"


def _as_list(docstring: str) -> str:
    """The docstring with its list of details as a list in Markdown."""
    lines: list[str] = []
    for line in docstring.splitlines():
        if line.startswith("        "):
            lines[-1] += " " + line.strip()
        elif line.startswith("    "):
            name, _, what = line.strip().partition(": ")
            lines.append(f"- `{name.replace(', ', '`, `')}`: {what}")
        else:
            lines += ["", line] if lines and lines[-1].startswith("- ") and line else [line]
            if line.endswith(":"):
                lines.append("")
    return "\n".join(lines).strip()


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
