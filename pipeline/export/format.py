"""What a format is, and the table of those that Telltale writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

from data_schemas.errors import InvalidValueError, MissingTrackError
from pipeline.export.content import Content

FORMATS: dict[str, str] = {
    "parquet": "pipeline.export.arrow_files:Parquet",
    "feather": "pipeline.export.arrow_files:Feather",
    "csv": "pipeline.export.tables:Csv",
    "boris": "pipeline.export.boris:Boris",
    "eaf": "pipeline.export.elan:Elan",
    "textgrid": "pipeline.export.textgrid:TextGrid",
    "webvtt": "pipeline.export.subtitles:WebVtt",
    "netcdf": "pipeline.export.netcdf:NetCdf",
    "nwb": "pipeline.export.nwb:Nwb",
    "bids": "pipeline.export.bids:Bids",
    "megc": "pipeline.export.megc:Megc",
    "rrd": "pipeline.export.rerun_file:Rerun",
    "media": "pipeline.export.media_copies:Media",
    "retraining": "pipeline.coding.retraining:RetrainingSet",
}
"""Name -> "module:Class"; a lab's own format is given to `--to` in the same way."""


class LeftOut(str):
    """A note that says what is missing from the file; the command then ends with status 1."""


@runtime_checkable
class Format(Protocol):
    """One way to write a result.

    Attributes:
        suffix: Ending of the file's name; "" for a folder.
        options: What `--option NAME=VALUE` may set, each with a line that says what it does.

    One that takes long may have an attribute `hook`, which is set to what it reports its progress to.
    """

    suffix: str
    options: Mapping[str, str]

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> Sequence[str]:
        """Write the file or folder `target`, which is not there yet; further files may be put beside it.

        Returns:
            What the user should know, in plain sentences.
        """


def load_format(name: str) -> Format:
    """A format by its name in `FORMATS`, or "module:Class" of the user's own.

    Raises:
        MissingTrackError: no such format; the message lists those there are.
        InvalidValueError: the class is not there, or lacks a part of the protocol.
    """
    place = name if ":" in name else FORMATS.get(name)
    if place is None:
        raise MissingTrackError(f"no format '{name}'", expected=", ".join(FORMATS) + ', or "module:Class" of your own')
    module, _, cls = place.partition(":")
    try:
        made = getattr(import_module(module), cls)()
    except (ImportError, AttributeError) as error:
        raise InvalidValueError(f"the format '{name}' cannot be loaded", got=str(error)) from error
    if not isinstance(made, Format):
        raise InvalidValueError(
            f"'{name}' is no format", expected="suffix, options and write(content, target, options)"
        )
    return made


def check_options(form: Format, given: Mapping[str, str]) -> None:
    """Return if the format knows every option.

    Raises:
        InvalidValueError: it does not; the message lists those that it has.
    """
    odd = sorted(set(given) - set(form.options))
    if odd:
        known = "; ".join(f"{name}: {what}" for name, what in form.options.items()) or "none"
        raise InvalidValueError(f"the format has no option {', '.join(odd)}", expected=known)


def is_on(options: Mapping[str, str], name: str) -> bool:
    """Whether an option that is either on or off was switched on.

    Raises:
        InvalidValueError: it is neither yes nor no.
    """
    word = options.get(name, "no").lower()
    if word not in ("yes", "no", "true", "false", "1", "0"):
        raise InvalidValueError(f"option {name}", got=options[name], expected="yes or no")
    return word in ("yes", "true", "1")


def one_of(options: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """The value of an option among a few; the first one by default.

    Raises:
        InvalidValueError: another value.
    """
    value = options.get(name, choices[0])
    if value not in choices:
        raise InvalidValueError(f"option {name}", got=value, expected=" or ".join(choices))
    return value
