"""The main job as one object: a session folder in, a result out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.errors import NothingUsableError, TelltaleError
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.result import Problem, ResultRecord
from data_schemas.threads import sums_in_order
from modalities.registry import load_encoder
from pipeline import __version__, steps
from pipeline.config import Config
from pipeline.journal import Journal
from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent
from pipeline.memory import give_back, keep_large_apart
from pipeline.outcome import Result, has_failed
from pipeline.privacy.consent import require_nobody_withdrawn, require_usable, weights_named
from pipeline.proving import prove
from pipeline.tabulating import tabulate

if TYPE_CHECKING:
    from pipeline.batch.cache import StepCache

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
        timeline, channels, told = tabulate(
            session, encodings, tracks, events, labels, self.config, {"caveats": CAVEATS}
        )
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


def _nothing(root: Path, problems: Sequence[Problem]) -> NothingUsableError:
    listed = "; ".join(problem.what for problem in problems if problem.severity == "error")
    return NothingUsableError(
        "not one stream of the session could be used", file=root, got=listed or None, mend=f"See telltale check {root}."
    )


def _trace(recording: Any, encodings: Sequence[Encoding], config: Config) -> tuple[list[Any], list[Problem]]:
    from pipeline.provenance import trace

    return trace(recording, encodings, config)
