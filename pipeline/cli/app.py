"""Assembly of the commands, and the one place where errors become messages and exit statuses."""

from __future__ import annotations

import os
import sys
import warnings
from typing import NoReturn

import typer

from data_schemas.errors import TelltaleError, WorkerDiedError
from pipeline import __version__
from pipeline.cli import (
    analyze,
    batch,
    bench,
    channels,
    clocks,
    coding,
    evaluate,
    export,
    gestures,
    me,
    privacy,
    report,
    session,
    simulation,
    study,
    train,
)
from pipeline.cli.terminal import say, show_object, silence_native_libraries

app = typer.Typer(
    name="telltale",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From a lab recording session to one synchronised, fused timeline of concealed-emotion evidence.\n\n"
    "For consented research. Concealed emotion means that felt and shown emotion differ; it is not lying.",
)
for part in (
    simulation,
    session,
    clocks,
    analyze,
    channels,
    evaluate,
    bench,
    me,
    gestures,
    batch,
    privacy,
    study,
    export,
    report,
    coding,
    train,
):
    part.register(app)


@app.callback(invoke_without_command=True)
def _common(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        sys.stdout.write(f"telltale {__version__}\n")
        raise typer.Exit(0)


def run() -> None:
    """Run the command line: 0 done, 1 done but something failed or was missing, 2 the call or its input was wrong."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    silence_native_libraries()
    warnings.filterwarnings("ignore", module=r"google\.protobuf")
    try:
        app()
    except WorkerDiedError as error:
        _fail(str(error), 1)
    except TelltaleError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        say("telltale: stopped by the user; nothing half-written was left", "red")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        _fail(f"the system refused: {error}")


def _fail(text: str, status: int = 2) -> NoReturn:
    """Say why the call went wrong and end with a status; with `--json` also as an object on stdout."""
    say(f"telltale: {text}", "red")
    if "--json" in sys.argv:
        show_object({"error": text})
    sys.exit(status)
