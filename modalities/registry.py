"""The table of encoders: name -> "module:Class", imported only when used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from data_schemas.errors import InvalidValueError
from modalities.base import Encoder

ENCODERS: dict[str, str] = {
    "face": "modalities.face.encoder:FaceEncoder",
    "voice": "modalities.voice.encoder:VoiceEncoder",
    "body": "modalities.body.encoder:BodyEncoder",
    "physiology": "modalities.physiology.encoder:PhysiologyEncoder",
    "context": "modalities.context.encoder:ContextEncoder",
}


def load_encoder(name: str) -> Encoder:
    """The encoder of this name, or of a "module:Class" path given instead.

    Raises:
        InvalidValueError: unknown name; the message lists the known ones.
    """
    path = ENCODERS.get(name, name)
    module, _, attribute = path.partition(":")
    if not attribute:
        raise InvalidValueError(f"no encoder '{name}'", expected=f"one of {', '.join(ENCODERS)} or module:Class")
    try:
        return cast(Encoder, getattr(import_module(module), attribute)())
    except (ModuleNotFoundError, AttributeError) as error:
        raise InvalidValueError(f"encoder '{name}' cannot be loaded", got=str(error)) from error
