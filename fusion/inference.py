"""The fused statement of one person: from encodings to an emotion track, incongruence events and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS, EmotionTrack
from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import Interval, grid
from data_schemas.time import NS_PER_S, Int64Array
from fusion.attribution import joint_and_change, present_in, share_out
from fusion.checkpoint import Checkpoint, load_checkpoint
from fusion.cit import examine
from fusion.cit_model import PRIOR
from fusion.ensemble import uncertainties
from fusion.incongruence import find_incongruences
from fusion.posterior import concealed_of, felt_of, shown_of, uncertainty_of
from fusion.tokens import HOP_NS, Tokens, tokens_of
from fusion.windows import Joint, window_starts

SPEAKING = tuple(channel for channel in CHANNELS if channel != "context")
"""Channels that come from the person; context alone never allows a statement."""
SHOWING = ("face", "voice", "body")
"""Channels in which anything can be shown. Without them what the model says of the display is what displays are like in
general, and so is the difference to what is felt."""


def fuse(
    encodings: Sequence[Encoding],
    extent: Interval,
    grid_hz: float = 25.0,
    weights: Path | None = None,
    device: str = "auto",
    hook: Hook = silent,
    cit_prior: float = PRIOR,
) -> tuple[EmotionTrack, tuple[Event, ...], dict[str, Any]]:
    """Join all channels of one person.

    Memory is flat in the length of the session: the network sees windows of 20 s, half overlapping and cross-faded, a
    few at a time. The same input gives the same values.

    Args:
        encodings: Of one person, any channels; a channel without an encoding is simply absent.
        extent: What to cover, session clock.
        grid_hz: Rows per second, > 0; grid times are the multiples of the period that lie in the extent.
        weights: A .safetensors file with its .json beside it; the shipped weights by default.
        device: "auto" (CUDA where there is one, else the CPU), "cpu", "cuda" or "mps".
        hook: Progress.
        cit_prior: Probability, before the test, that this person responds to the concealed item; between 0 and 1. Only
            of weight where the session holds a concealed information test.

    Returns:
        The track (`valid` False where no channel has anything; `cannot_say` 1 where face, voice and body are absent, or
        where the uncertainty is above the threshold found in training), incongruence events, and a record of how it
        was made. Where the cues make a concealed information test, the track has its columns (`track.cit`) and one of
        the events is its `cit_response`; the model has no part in it.

    Raises:
        InvalidValueError: encodings of different people, a bad grid rate or prior, a device that is not there.
        MissingFileError, UnreadableFileError: the weights are not there or are no fusion weights.
    """
    times = grid(extent, grid_hz)
    model = load_checkpoint(weights)
    where = pick_device(device)
    tokens = tokens_of(encodings, extent)
    network = model.network.to(where)
    joint, change = joint_and_change(network, tokens, model.decisions.temperature, where, hook)
    shares = share_out(change, present_in(tokens))
    valid, silenced = judge(tokens, joint, model.decisions.cannot_say_above)
    parts = uncertainties(network, tokens, model.decisions.temperature, where)
    track = _track(tokens, joint, np.column_stack([shares, *parts]), valid, silenced, times)
    own = [event for encoding in encodings for event in encoding.events]
    events = find_incongruences(
        tokens.person, tokens.times_ns, joint, valid & ~silenced, change, model.decisions, own
    )  # fmt: skip
    test = examine(encodings, extent, cit_prior)
    if test is not None:
        track, events = replace(track, cit=test.columns(times)), (*events, test.event())
    return track, events, _record(model, tokens, where)


def judge(tokens: Tokens, joint: Joint, cannot_say_above: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where any channel has anything, and where no statement can be made; bool (n,) each."""
    valid = np.any([tokens.present(channel) for channel in CHANNELS], axis=0)
    seen = np.any([tokens.present(channel) for channel in SHOWING], axis=0)
    return valid, ~seen | (uncertainty_of(joint) > cannot_say_above)


def pick_device(name: str) -> str:
    """The torch device for a name.

    Raises:
        InvalidValueError: unknown, or not on this machine.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there.get(name, False):
        usable = ", ".join(["auto", *(device for device, usable in there.items() if usable)])
        raise InvalidValueError("this device cannot be used here", got=name, expected=usable)
    return name


def _track(
    tokens: Tokens,
    joint: Joint,
    more: NDArray[np.float64],
    valid: NDArray[np.bool_],
    silenced: NDArray[np.bool_],
    times_ns: Int64Array,
) -> EmotionTrack:
    """Bring the statements from the steps of 0.5 s to the grid: linear between valid neighbours, never across a gap."""
    uncertainty, concealed = uncertainty_of(joint), concealed_of(joint)
    steps = np.column_stack([felt_of(joint), shown_of(joint), concealed, uncertainty, silenced, more])
    place = (times_ns - tokens.times_ns[0]) / HOP_NS
    left = np.clip(np.floor(place).astype(int), 0, len(tokens) - 1)
    right = np.clip(left + 1, 0, len(tokens) - 1)
    nearest = np.clip(np.rint(place).astype(int), 0, len(tokens) - 1)
    fraction = np.where(valid[left] & valid[right], np.clip(place - left, 0.0, 1.0), (nearest != left).astype(float))
    values = (1 - fraction[:, None]) * steps[left] + fraction[:, None] * steps[right]
    values[:, 10] = steps[nearest, 10]
    return EmotionTrack(tokens.person, times_ns, values.astype(np.float32), valid[nearest])


def _record(model: Checkpoint, tokens: Tokens, device: str) -> dict[str, Any]:
    return {
        "model": model.name,
        "trained_on": model.training.get("data", "unknown"),
        "decisions": asdict(model.decisions),
        "channels": list(tokens.channels),
        "windows": len(window_starts(len(tokens), model.shape.steps)),
        "window_s": model.shape.steps * HOP_NS / NS_PER_S,
        "unread_features": list(tokens.unread),
        "device": device,
        "shares": "leave one channel out, Jensen-Shannon divergence of the joint felt x shown probability",
    }
