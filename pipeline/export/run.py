"""One export: read the result, take what is wanted of it, write it whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from data_schemas.errors import InvalidValueError, TelltaleError
from data_schemas.hook import Hook, silent
from pipeline.export.content import Content, read_content
from pipeline.export.format import Format, check_options, is_on, load_format
from pipeline.privacy.consent import share_doubt


@dataclass(frozen=True)
class Exported:
    """What an export left.

    Attributes:
        target: The file or folder asked for.
        files: All that was written, target first.
        notes: What the user should know.
        events: How many events of the result were wanted, all kinds; a format may have no room for some.
        people: How many people.
        rows: Of each file its rows, None where it is no table.
        share: Whether the session's manifest records consent to share.
    """

    target: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    events: int
    people: int
    rows: tuple[int | None, ...] = ()
    share: Literal["yes", "no", "unknown"] = "unknown"


def export_result(
    folder: Path,
    to: str,
    target: Path,
    *,
    deidentify: bool = False,
    coder: str | None = None,
    kinds: Sequence[str] = (),
    session: Path | None = None,
    options: Mapping[str, str] | None = None,
    overwrite: bool = False,
    hook: Hook = silent,
) -> Exported:
    """Write a result in another format.

    One's own analysis needs no consent to share, so nothing is refused without it; a note says that it is missing.
    Formats that hold recordings refuse by themselves.

    Args:
        folder: The result, as `analyze` left it.
        to: Name of the format in `pipeline.export.format.FORMATS`, or "module:Class".
        target: File or folder to write.
        deidentify: Pseudonyms, shifted times, no recordings of faces or voices; see `pipeline.export.deidentify`.
        coder: The events as this coder has them, instead of the machine's.
        kinds: Only events of these kinds; all by default.
        session: The session folder, where the recordings are not found beside the result.
        options: Settings of the format.
        overwrite: Replace what is there.
        hook: Progress, of formats that take long.

    Raises:
        TelltaleError: the result, the format or the target cannot be used; the message says why.
    """
    form = load_format(to)
    if hasattr(form, "hook"):
        form.hook = hook
    given = dict(options or {})
    check_options(form, given)
    _refuse(target, folder, overwrite)
    content = read_content(folder, session)
    if coder is not None:
        from pipeline.coding.layers import Layer

        content = replace(content, events=Layer.existing(folder, coder).events(content.events), coder=coder)
    if kinds:
        content = content.only(kinds)
    place = Path(given["session"]) if "session" in given else content.session
    share, doubt = share_doubt(place)
    if deidentify:
        from pipeline.export.deidentify import Aliases, hide

        content = hide(content, Aliases.of_user(content))
    files, notes = write(form, content, target, given, overwrite)
    heads = 2 if given.get("units_row") and is_on(given, "units_row") else 1
    rows = tuple(rows_in(file, heads) for file in files)
    if doubt:
        besides = "; pseudonyms do not replace consent" if deidentify else ""
        notes = [*notes, f"For your own analysis only, not to be handed on: {doubt}{besides}."]
    return Exported(target, files, tuple(notes), len(content.events), len(content.people), rows, share)


def rows_in(file: Path, heads: int = 1) -> int | None:
    """Rows of a CSV, TSV, parquet or feather file, None for any other.

    Args:
        file: Read in blocks.
        heads: Lines above the rows of a CSV or TSV.
    """
    suffix = file.suffix.lower()
    if not file.is_file():
        return None
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(file).num_rows)
    if suffix in (".feather", ".arrow"):
        import pyarrow as pa

        with pa.OSFile(str(file)) as source, pa.ipc.open_file(source) as batches:
            return sum(batches.get_batch(number).num_rows for number in range(batches.num_record_batches))
    if suffix not in (".csv", ".tsv"):
        return None
    lines, within = 0, False
    with file.open("rb") as source:
        while block := source.read(1 << 20):
            for number, piece in enumerate(block.split(b'"')):
                within ^= number > 0
                lines += 0 if within else piece.count(b"\n")
    return max(0, lines - heads)


def write(
    form: Format, content: Content, target: Path, options: Mapping[str, str], overwrite: bool = False
) -> tuple[tuple[Path, ...], Sequence[str]]:
    """Write into a folder of its own, then move all of it to its place; folders that are made are private to the user.

    Returns:
        The files and folders written, and the format's notes.

    Raises:
        InvalidValueError: something that would be replaced is there, and `overwrite` is not set.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as scratch:
        try:
            notes = form.write(content, Path(scratch) / target.name, options)
        except TelltaleError as error:
            if error.file is not None and error.file.startswith(scratch):
                error.file = str(target)
            raise
        made = sorted(Path(scratch).iterdir(), key=lambda path: (path.name != target.name, path.name))
        places = [target.parent / path.name for path in made]
        for place in places:
            _refuse(place, content.folder, overwrite)
        for path, place in zip(made, places, strict=True):
            if place.is_dir():
                shutil.rmtree(place)
            elif place.exists():
                place.unlink()
            shutil.move(path, place)
            if place.is_dir():
                place.chmod(0o700)
    return tuple(places), notes


def _refuse(target: Path, folder: Path, overwrite: bool) -> None:
    from pipeline.outcome import FILES

    inside = target.resolve().parent == folder.resolve()
    if target.resolve() == folder.resolve() or (inside and target.name in (*FILES, "coding", "session")):
        raise InvalidValueError(
            "this would overwrite the result itself", file=target, mend="Name another file with -o."
        )
    if target.exists() and not overwrite:
        raise InvalidValueError(
            "it is there already, and may hold a coder's work",
            file=target,
            mend="Name another with -o, or say --overwrite.",
        )
    if target.is_dir() and overwrite and any(target.iterdir()) and not (target / ".telltale.json").is_file():
        raise InvalidValueError("the folder was not made by an export", file=target, mend="Name another with -o.")
