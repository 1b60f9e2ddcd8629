"""One reader per format of coders' files: annotations by tier, in the file's own time."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree

from data_schemas.errors import MissingTrackError, UnreadableFileError
from data_schemas.plain_xml import parse_xml
from pipeline.coding.files import Note, RawFile, at_ns, ms_at_ns, parse_json, parse_values
from pipeline.coding.layers import Scope
from pipeline.export.boris import NOBODY, parse_comment
from pipeline.export.clock import FileClock
from pipeline.export.content import Content
from pipeline.export.elan import PROPERTY, SCHEMA
from pipeline.export.textgrid import ABOUT, read_textgrid
from pipeline.export.tiers import CHANNELS, VALUES

NAMED_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
OWN = ("channel", "kind", "onset_s", "offset_s")
BORIS = ("Behavior", "Start (s)", "Stop (s)")


def read_eaf(path: Path, content: Content) -> RawFile:
    """Tiers of an ELAN file.

    Raises:
        UnreadableFileError: it is no EAF, declares a document type, or refers to what is not there.
    """
    try:
        eaf = _open_eaf(path)
        tiers: dict[str, list[Note]] = {}
        skipped = []
        for name, (aligned, _, _, _) in eaf.tiers.items():
            if name.endswith(VALUES) and name.removesuffix(VALUES) in eaf.tiers:
                continue
            dependent = eaf.tiers.get(name + VALUES, ({}, {}, {}, 0))[1]
            values = {parent: parse_values(text) for parent, text, *_ in dependent.values()}
            notes = []
            for annotation, (first, last, text, _) in aligned.items():
                start, end = eaf.timeslots[first], eaf.timeslots[last]
                if start is not None and end is not None:
                    notes.append(Note(ms_at_ns(start), ms_at_ns(end), text or "", values.get(annotation, {})))
            if len(notes) < len(aligned):
                skipped.append(f"{name}: {len(aligned) - len(notes)} annotations (no time of their own)")
            if aligned or not _depends(eaf, name):
                tiers[name] = notes
        about = _json(next((text for name, text in eaf.properties if name == PROPERTY), None))
        clock = _media_clock(eaf, content)
    except ElementTree.ParseError as error:
        raise UnreadableFileError("the ELAN file is damaged", file=path, got=str(error)) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFileError(
            "the ELAN file lacks what it refers to, or has something else there", file=path, got=str(error)
        ) from error
    return RawFile(tiers, about, clock, skipped=tuple(skipped))


def _open_eaf(path: Path) -> Any:
    """The file as pympi reads it, which wants every file to name its schema; other programs leave that out."""
    import pympi

    root = parse_xml(path.read_bytes(), path)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise UnreadableFileError("this is no ELAN file", file=path, expected="an ANNOTATION_DOCUMENT")
    if NAMED_SCHEMA in root.attrib and "VERSION" in root.attrib:
        return pympi.Eaf(str(path), suppress_version_warning=True)
    root.attrib.setdefault(NAMED_SCHEMA, SCHEMA)
    root.attrib.setdefault("VERSION", "3.0")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "named.eaf"
        ElementTree.ElementTree(root).write(copy, encoding="UTF-8", xml_declaration=True)
        return pympi.Eaf(str(copy), suppress_version_warning=True)


def _depends(eaf: Any, name: str) -> bool:
    return eaf.tiers[name][2].get("PARENT_REF") is not None


def _media_clock(eaf: Any, content: Content) -> FileClock | None:
    """The clock by the first linked recording that is one of the session's."""
    for linked in eaf.media_descriptors:
        name = Path(unquote(urlparse(linked.get("MEDIA_URL", "")).path)).name
        for medium in content.media:
            if medium.file is not None and medium.file.name == name:
                own = FileClock(medium.stream, medium.start_ns, medium.drift_ppm)
                origin = ms_at_ns(linked.get("TIME_ORIGIN", 0) or 0)
                return FileClock(medium.stream, int(own.to_session(origin)), medium.drift_ppm)
    return None


def read_praat(path: Path, content: Content) -> RawFile:
    """Tiers of a TextGrid; the values of an interval are those of the values interval that it overlaps most.

    Raises:
        UnreadableFileError: it is no TextGrid, or a time in it is none.
    """
    read = {tier.name: tier.intervals for tier in read_textgrid(path)}
    about = _json(read[ABOUT][0][2]) if read.get(ABOUT) else {}
    tiers = {}
    for name, intervals in read.items():
        if name == ABOUT or (name.endswith(VALUES) and name.removesuffix(VALUES) in read):
            continue
        values = read.get(name + VALUES, [])
        notes = []
        for start, end, text in intervals:
            shared = [min(end, b) - max(start, a) for a, b, _ in values]
            best = max(range(len(shared)), key=shared.__getitem__) if shared and max(shared) > 0 else None
            said = parse_values(values[best][2]) if best is not None else {}
            try:
                notes.append(Note(at_ns(start), at_ns(end), text, said))
            except ValueError as error:
                raise UnreadableFileError(f"tier '{name}' has an impossible time", file=path, got=str(error)) from error
        tiers[name] = notes
    return RawFile(tiers, about)


def read_table(path: Path, content: Content) -> RawFile:
    """Events of a CSV or TSV: the columns of `events.csv`, or those that BORIS exports for aggregated events.

    Raises:
        MissingTrackError: it has neither; the message lists the columns.
        UnreadableFileError: a row cannot be understood; the message names the line.
    """
    text = path.read_text(encoding="utf-8-sig")
    reader = _rows(text)
    try:
        return _as_table(path, text, reader, content)
    except csv.Error as error:
        raise UnreadableFileError(
            "the table is damaged", file=path, got=f"{error} (before line {reader.line_num + 1})"
        ) from error


def _rows(text: str) -> csv.DictReader[str]:
    """Rows of a table, by tabs where its first line has any; cells that a row lacks are empty."""
    tab = "\t" in text.partition("\n")[0]
    return csv.DictReader(StringIO(text, newline=""), delimiter="\t" if tab else ",", restval="")


def _as_table(path: Path, text: str, reader: csv.DictReader[str], content: Content) -> RawFile:
    columns = reader.fieldnames or []
    about = _sidecar(path)
    coded = _coded(about, path)
    tiers: dict[str, list[Note]] = {}
    own = set(OWN) <= set(columns)
    if not own and columns[:2] in (["person", "time_s"], ["time_s", "person"]):
        events = path.with_name(f"{path.stem}_events{path.suffix}")
        raise MissingTrackError(
            f"this is the timeline; the events are in {events.name}",
            file=path,
            mend=f"Import {events.name}." if events.is_file() else "Export again with --to csv: both are written.",
        )
    if not own and not set(BORIS) <= set(columns):
        raise MissingTrackError(
            "the table is neither one of Telltale nor one of BORIS",
            file=path,
            got=", ".join(columns) or "an empty file",
            expected=f"{', '.join(OWN)}; or {', '.join(BORIS)}",
        )
    for row in reader:
        if own and row["onset_s"] == "s":
            continue
        try:
            name, note = _own_row(row) if own else _boris_row(row)
        except (TypeError, ValueError) as error:
            raise UnreadableFileError(f"line {reader.line_num} makes no event", file=path, got=str(error)) from error
        tiers.setdefault(name, []).append(note)
    return RawFile(tiers, about, FileClock() if own else _boris_clock(text, columns, content), coded)


def _coded(about: Mapping[str, Any], path: Path) -> tuple[Scope, ...]:
    """Person, channel and kind of which the file beside the table says that all events are in it."""
    try:
        scopes = tuple((person, str(channel), str(kind)) for person, channel, kind in about.get("coded", ()))
        if not all(person is None or isinstance(person, str) for person, _, _ in scopes):
            raise TypeError("a person is no name")
    except (TypeError, ValueError) as error:
        raise UnreadableFileError(
            "the .json beside the table has something else under 'coded' than persons, channels and kinds",
            file=path,
            got=str(error),
            mend="Export again, or take the .json away.",
        ) from error
    return scopes


def _own_row(row: Mapping[str, str]) -> tuple[str, Note]:
    values: dict[str, Any] = {}
    for name in ("apex_s", "score"):
        if name in row:
            values[name] = float(row[name]) if row[name] else None
    if row.get("details"):
        values["details"] = parse_json(row["details"])
    person = f"@{row['person']}" if row.get("person") else ""
    note = Note(_ns(row["onset_s"]), _ns(row["offset_s"]), row.get("label") or "", values, row.get("comment") or "")
    return f"{row['channel']}.{row['kind']}{person}", note


def _boris_row(row: Mapping[str, str]) -> tuple[str, Note]:
    kind, channel = row["Behavior"].strip(), (row.get("Behavioral category") or "").strip()
    subject = (row.get("Subject") or "").strip()
    person = f"@{subject}" if subject and subject != NOBODY else ""
    said = parse_comment(row.get("Comment start") or "")
    label = (row.get("Modifiers") or row.get("Modifier #1") or "").strip()
    start = _ns(row["Start (s)"])
    end = _ns(row["Stop (s)"]) if (row["Stop (s)"] or "").strip() not in ("", "NA") else start
    values: dict[str, Any] = {key: said[key] for key in ("apex_s", "score", "details") if key in said}
    known = channel in CHANNELS or not channel
    channel = channel or next((one for one, kinds in CHANNELS.items() if kind.lower() in kinds), "")
    name = f"{channel}.{kind}{person}" if known and channel else kind
    return name, Note(start, end, label, values, str(said.get("comment", "")))


def _boris_clock(text: str, columns: Any, content: Content) -> FileClock | None:
    """The clock of the one recording of the session that all rows name."""
    column = next((name for name in ("Media file", "Media file name", "Source") if name in columns), None)
    if column is None:
        return None
    names = {Path(row[column].replace("\\", "/")).name for row in _rows(text)}
    media = [one for one in content.media if one.file is not None and names == {one.file.name}]
    return content.clock(media[0].stream) if media else None


def _sidecar(path: Path) -> dict[str, Any]:
    """What an export put beside the table."""
    for name in (path.stem, path.stem.removesuffix("_events")):
        file = path.with_name(f"{name}.json")
        if file.is_file():
            said = _json(file.read_text(encoding="utf-8"))
            if "session_clock" in said:
                return said
    return {}


def _json(text: str | None) -> dict[str, Any]:
    try:
        said = parse_json(text or "")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _ns(text: str) -> int:
    return at_ns(float(text))
