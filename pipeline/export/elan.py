"""ELAN: an annotation file with tiers per person, channel and kind, vocabularies and the recordings linked.

The format: EAF 3.0, "ELAN Annotation Format", The Language Archive, MPI for Psycholinguistics, Nijmegen. Times there
are whole milliseconds from 0 on, so the file's 0 is the start of the session, which is below 0 on many session clocks.
"""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_schemas.event import EVENT_KINDS
from pipeline.export.clock import FileClock
from pipeline.export.content import Content
from pipeline.export.format import LeftOut, one_of
from pipeline.export.media import Medium
from pipeline.export.tiers import MS, VALUES, Tier, as_tiers, empty_tiers, text_of, values_of, vocabulary_of

PROPERTY = "telltale"
LANGUAGE = "und"
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"


class Elan:
    """`.eaf`: annotations hold the label, a dependent tier apex, score and details as JSON."""

    suffix = ".eaf"
    options: Mapping[str, str] = {
        "zero": "session (default): the file starts with the first recording, media that start later get a negative "
        "TIME_ORIGIN; overlap: it starts where all media run, and earlier events are left out"
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        import pympi

        media = [medium for medium in content.media if medium.file is not None]
        start = content.start_ns
        notes: list[str] = []
        events = content.events
        if one_of(options, "zero", ("session", "overlap")) == "overlap" and media:
            start = max(medium.start_ns for medium in media)
            events = tuple(event for event in content.events if event.onset_ns >= start)
            if len(events) < len(content.events):
                notes.append(LeftOut(f"{len(content.events) - len(events)} events before all media run are left out"))
        clock = FileClock("session", start // MS * MS)
        tiers = as_tiers(events, clock, empty_tiers(content))

        eaf = pympi.Eaf(author=content.coder or "Telltale")
        eaf.adocument.update({"VERSION": "3.0", "FORMAT": "3.0", "xsi:noNamespaceSchemaLocation": SCHEMA})
        eaf.header.update({"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
        eaf.remove_tier("default")
        eaf.linguistic_types.clear()
        eaf.add_language(LANGUAGE, "http://cdb.iso.org/lg/CDB-00130975-001", "undetermined (und)")
        for at, (channel, kind) in enumerate(sorted({(tier.name.channel, tier.name.kind) for tier in tiers})):
            _describe(eaf, at, channel, kind, vocabulary_of(channel, kind, events))
        eaf.linguistic_types[VALUES.strip()] = {
            "LINGUISTIC_TYPE_ID": VALUES.strip(),
            "TIME_ALIGNABLE": "false",
            "GRAPHIC_REFERENCES": "false",
            "CONSTRAINTS": "Symbolic_Association",
        }
        last = _fill(eaf, tiers, content.coder)
        for medium in media:
            _link(eaf, medium, clock, content.end_ns, target)
        about = {**content.about(clock), "media": [_said(medium) for medium in media]}
        eaf.properties[:] = [(PROPERTY, json.dumps(about, ensure_ascii=False)), ("lastUsedAnnotationId", last)]
        eaf.to_file(str(target))
        if not media and not content.deidentified:
            notes.append("no recording was found, so none is linked; name the session folder with --session")
        return notes


def _fill(eaf: Any, tiers: list[Tier], coder: str | None) -> int:
    """Put slots, tiers and annotations in, slots in order of time; gives the number of the last annotation."""
    times = sorted({time for tier in tiers for start, end, _ in tier.spans for time in (start, end)})
    slots = {time: f"ts{number}" for number, time in enumerate(times, 1)}
    eaf.timeslots.update({name: time for time, name in slots.items()})
    eaf.maxts = len(times) + 1
    number = 0
    for tier in tiers:
        name = str(tier.name)
        who = {"part": tier.name.person or None, "ann": coder or "Telltale", "language": LANGUAGE}
        eaf.add_tier(name, ling=f"{tier.name.channel}.{tier.name.kind}", **who)
        own, _, _, _ = eaf.tiers[name]
        said = {}
        for start, end, event in tier.spans:
            number += 1
            own[f"a{number}"] = (slots[start], slots[end], text_of(event), None)
            said[f"a{number}"] = values_of(event)
        eaf.add_tier(name + VALUES, ling=VALUES.strip(), parent=name, **who)
        _, dependent, _, _ = eaf.tiers[name + VALUES]
        for annotation, text in said.items():
            if text:
                number += 1
                dependent[f"a{number}"] = (annotation, text, None, None)
    return number


def _describe(eaf: Any, at: int, channel: str, kind: str, words: Mapping[str, str]) -> None:
    """A linguistic type of this channel and kind with its vocabulary."""
    name = f"{channel}.{kind}"
    eaf.linguistic_types[name] = {
        "LINGUISTIC_TYPE_ID": name,
        "TIME_ALIGNABLE": "true",
        "GRAPHIC_REFERENCES": "false",
        "CONTROLLED_VOCABULARY_REF": name,
    }
    eaf.add_controlled_vocabulary(name)
    eaf.add_cv_description(name, LANGUAGE, EVENT_KINDS.get(kind, kind))
    for number, (word, meaning) in enumerate(words.items()):
        eaf.add_cv_entry(name, f"cve{at}_{number}", [(word, LANGUAGE, meaning or None)])


def _link(eaf: Any, medium: Medium, clock: FileClock, end_ns: int, target: Path) -> None:
    """Link a recording; TIME_ORIGIN is its playing time, ms, where the file's time is 0.

    ELAN knows offsets and no drift: the one written is right in the middle of the session, which halves the error.
    """
    if medium.file is None:
        return
    middle = (clock.zero_ns + end_ns) // 2
    own = FileClock(medium.stream, medium.start_ns, medium.drift_ppm)
    origin = round((int(own.of_session(middle)) - int(clock.of_session(middle))) / MS)
    path = medium.file.resolve()
    mime = mimetypes.guess_type(path.name)[0] or ("video/*" if medium.is_video else "audio/*")
    eaf.media_descriptors.append(
        {
            "MEDIA_URL": path.as_uri(),
            "RELATIVE_MEDIA_URL": relative_url(path, target),
            "MIME_TYPE": "audio/x-wav" if path.suffix.lower() == ".wav" else mime,
            "TIME_ORIGIN": str(origin),
        }
    )


def relative_url(path: Path, target: Path) -> str:
    """The way from the folder that `target` will lie in (one above the scratch folder) to a file, as ELAN writes it."""
    from urllib.parse import quote

    home = target.resolve().parent
    home = home.parent if home.name.startswith(".writing-") else home
    try:
        return quote("./" + Path(os.path.relpath(path, home)).as_posix())
    except ValueError:
        return path.as_uri()


def _said(medium: Medium) -> dict[str, Any]:
    return {
        "stream": medium.stream,
        "file": medium.file.name if medium.file else None,
        "zero_s": medium.start_ns / 1e9,
        "drift_ppm": medium.drift_ppm,
    }
