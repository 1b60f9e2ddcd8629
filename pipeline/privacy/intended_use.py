"""The intended-use statement: printed once per study, and recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.privacy import audit, keys

STATEMENT = (
    "Intended use: research with people who agreed to it. Telltale says where felt and shown emotion may differ. It "
    "does not detect lies, its fused statements have not been validated on people, and nothing it says is a ground "
    "for a decision about a person - in hiring, policing, border control, courts, insurance, school or care. In the "
    "EU, inferring emotions at work and in education is prohibited (Regulation 2024/1689, Article 5(1)(f))."
)


def remind(root: Path, say: Callable[[str], None]) -> None:
    """Say the statement the first time that a study is analysed, and note in the audit log that it was said.

    Args:
        root: Folder of the study.
        say: Where to.

    Raises:
        OSError: it cannot be noted; it has been said nevertheless.
    """
    try:
        first = keys.say_once(root, STATEMENT)
    except OSError:
        say(STATEMENT)
        raise
    if first:
        say(STATEMENT)
        audit.record("intended use said", root)
