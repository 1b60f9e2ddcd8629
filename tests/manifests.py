"""Heads of manifests, for tests that write the streams themselves."""

from __future__ import annotations


def head(name: str, *people: str) -> str:
    """Name, consent to analyse and people of a session, as TOML."""
    listed = "".join(f'[[people]]\nid = "{person}"\n' for person in people)
    return f'name = "{name}"\npurpose = "test"\n[consent]\nscope = ["analyse"]\ndate = 2026-01-02\n{listed}'
