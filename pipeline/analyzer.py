"""The main job as one object: a session folder in, a result out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import NothingUsableError, TelltaleError
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.intervals import IntervalSet, grid
from data_schemas.recording import Session
from data_schemas.result import ChannelSummary, Problem, ResultRecord
from data_schemas.threads import sums_in_order
from modalities.registry import load_encoder
from pipeline import __version__, steps
from pipeline.config import Config
from pipeline.joining import baseline_of
from pipeline.journal import Journal
from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent
from pipeline.memory import give_back, keep_large_apart
from pipeline.outcome import Result, has_failed
from pipeline.privacy.consent import require_nobody_withdrawn, require_usable, weights_named
from pipeline.proving import prove

if TYPE_CHECKING:
    import pyarrow as pa

    from data_schemas.emotion import EmotionTrack
    from fusion.label_inference import LabelTrack
    from pipeline.batch.cache import StepCache
    from pipeline.timeline import ChannelGrid

CAVEATS = [
    "Concealed emotion means that felt and shown emotion differ. It is not lying, and no number here detects lies.",
    "An incongruence event is a place to look at, not a finding: the model card says how many are true in simulation.",
    "The shipped fusion weights were trained on simulated sessions alone; they have not been validated on people.",
    "For use in consented research only; not for decisions about a person.",
]


class Analyzer:
    """Runs sessions with one configuration.

    Args:
        config: Settings.
        cache: Finished steps of the one session that will be run; without one every step is done.

    Example:
        `result = Analyzer(load_config()).run("sessions/p01")`
    """

    def __init__(self, config: Config | None = None, cache: StepCache | None = None) -> None:
        self.config = config or Config()
        self._synchronize = steps.synchronize if cache is None else cache.synchronize
        self._load = load_encoder if cache is None else cache.load_encoder

    def run(self, folder: str | Path, hook: Hook = silent) -> Result:
        """Analyse one session folder.

        Args:
            folder: Folder with a `session.toml`.
            hook: Progress.

        Raises:
            ManifestError, MissingFileError: the manifest is missing or wrong.
            ConsentError: no consent to analyse.
            NothingUsableError: not one stream gave anything; the message lists why.
            TelltaleError: any first problem, when the configuration is strict.
        """
        keep_large_apart()
        with sums_in_order():
            return self._run(folder, hook)

    def _run(self, folder: str | Path, hook: Hook) -> Result:
        root = Path(folder)
        manifest = load_manifest(root)
        root = root.parent if root.suffix == ".toml" else root
        require_consent(manifest, "analyse", root / MANIFEST_NAME)
        require_nobody_withdrawn(manifest, Path(folder) if Path(folder).suffix == ".toml" else root / MANIFEST_NAME)
        for weights in weights_named(self.config):
            require_usable(weights)
        journal = Journal(hook)
        journal.note("run started", session=manifest.name, version=__version__, purpose=manifest.purpose)

        recording = steps.read(manifest, root, journal)
        self._stop_if_strict(recording.problems)
        if not recording.streams:
            raise _nothing(root, recording.problems)
        session = self._synchronize(recording, journal)
        self._stop_if_strict(session.problems)
        encodings, failed = steps.encode(session, self.config, journal, self._load)
        self._stop_if_strict(failed)
        session, doubts = prove(session, encodings)
        interaction = steps.relate(session, encodings, journal)
        tracks, incongruences, unfused = steps.fuse(session, encodings, self.config, journal)
        self._stop_if_strict(unfused)

        labels, unlabelled = steps.label(session, encodings, self.config, journal)
        self._stop_if_strict(unlabelled)

        events = [event for encoding in encodings for event in encoding.events] + incongruences
        timeline, channels, told = self._tabulate(session, encodings, tracks, events, labels)
        give_back()
        provenance, unread = _trace(recording, encodings, self.config)
        self._stop_if_strict(unread)
        problems = list(dict.fromkeys([*session.problems, *failed, *doubts, *unfused, *unlabelled, *told, *unread]))
        if not any(encoding.track.valid.any() for encoding in encodings):
            sparse = [p for p in problems if p.severity == "error"]
            if not any(encoding.spec.channel != "context" for encoding in encodings):
                raise _nothing(root, sparse)
        for problem in problems:
            journal.problem(problem)
        record = ResultRecord(
            telltale_version=__version__,
            session=manifest.name,
            purpose=manifest.purpose,
            people=[person.id for person in manifest.people],
            grid_hz=self.config.grid_hz,
            duration_s=session.extent.duration_ns / 1e9,
            recordings=str(root.resolve()),
            exit_status=1 if has_failed(problems, session.sync) else 0,
            channels=channels,
            problems=problems,
            provenance=provenance,
            caveats=CAVEATS,
        )
        journal.note("run done", exit_status=record.exit_status)
        ordered = tuple(sorted(events, key=lambda event: (event.onset_ns, event.channel, event.kind)))
        return Result(record, timeline, ordered, session.sync, session, journal, self.config.faces, interaction)

    def _stop_if_strict(self, problems: Sequence[Problem]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        if self.config.strict and errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise TelltaleError(f"stopped, because --strict was given: {errors[0].what}{more}")

    def _tabulate(
        self,
        session: Session,
        encodings: Sequence[Encoding],
        tracks: Sequence[EmotionTrack],
        events: Sequence[Event],
        labels: Sequence[LabelTrack],
    ) -> tuple[pa.Table, list[ChannelSummary], list[Problem]]:
        from pipeline import timeline

        grid_ns = grid(session.extent, self.config.grid_hz)
        specs = {channel: load_encoder(name).spec for channel, name in self.config.encoders.items()}
        people: list[tuple[str, list[ChannelGrid]]] = []
        summaries: list[ChannelSummary] = []
        told: list[Problem] = []
        for person in session.manifest.people:
            own = {encoding.spec.channel: encoding for encoding in encodings if encoding.person == person.id}
            baseline = baseline_of(person.id, encodings)
            relative: dict[str, dict[str, int]] = {}
            grids = []
            for channel, spec in specs.items():
                if channel not in own:
                    tried = any(
                        s.info.kind in spec.inputs
                        and (person.id in s.info.people or (not s.info.people and s.info.person in (person.id, None)))
                        for s in session.streams.values()
                    )
                    one = timeline.absent(spec, grid_ns, "encoder_failed" if tried else "no_stream")
                else:
                    support = steps.support_of(session, own[channel].streams)
                    whole = IntervalSet([session.extent])
                    one = timeline.joined(own[channel], grid_ns, whole if channel == "context" else support)
                if channel != "context":
                    one, relative[channel], said = timeline.with_relative(one, grid_ns, baseline)
                    told += [Problem(severity="note", what=f"{person.id}: {words}") for words in said]
                grids.append(one)
            fused = next((track for track in tracks if track.person == person.id), None)
            grids.append(timeline.with_label(timeline.fused(fused, grid_ns), labels, person.id, grid_ns))
            people.append((person.id, grids))
            found = [event for event in events if event.person in (person.id, None)]
            summaries += [
                _summary(person.id, one, own.get(one.channel), found, relative.get(one.channel, {})) for one in grids
            ]
        about = {
            "telltale_version": __version__,
            "session": session.manifest.name,
            "clock": "session",
            "grid_hz": self.config.grid_hz,
            "caveats": CAVEATS,
        }
        return timeline.as_table(people, grid_ns, about), summaries, told


def _summary(
    person: str, one: ChannelGrid, encoding: Encoding | None, events: Sequence[Event], relative: Mapping[str, int]
) -> ChannelSummary:
    n = max(1, len(one.reason))
    words = [str(word) for word in one.reason if word]
    kinds = [event.kind for event in events if event.channel == one.channel]
    quality: Mapping[str, Any] = encoding.quality if encoding is not None else {}
    if relative:
        quality = {**quality, "z_relative_to": relative}
    names = [feature.name for feature in one.features]
    if one.channel == "fused" and len(one.reason):
        quality = {"cannot_say": round(float((one.values[:, names.index("cannot_say")] > 0.5).mean()), 4)}
    return ChannelSummary(
        person=person,
        channel=one.channel,
        valid_share=round(float(one.valid.any(axis=1).mean()) if len(one.reason) else 0.0, 4),
        reasons={word: round(words.count(word) / n, 4) for word in sorted(set(words))},
        events={kind: kinds.count(kind) for kind in sorted(set(kinds))},
        quality=flatten(quality),
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots: {"ecg": {"beats": 44}} becomes {"ecg.beats": 44}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _nothing(root: Path, problems: Sequence[Problem]) -> NothingUsableError:
    listed = "; ".join(problem.what for problem in problems if problem.severity == "error")
    return NothingUsableError(
        "not one stream of the session could be used", file=root, got=listed or None, mend=f"See telltale check {root}."
    )


def _trace(recording: Any, encodings: Sequence[Encoding], config: Config) -> tuple[list[Any], list[Problem]]:
    from pipeline.provenance import trace

    return trace(recording, encodings, config)
