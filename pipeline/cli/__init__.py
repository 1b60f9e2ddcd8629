"""The `telltale` command; see the table of commands in the README."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `telltale` command."""
    from pipeline.cli.app import run

    run()
