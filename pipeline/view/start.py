"""Starting the server of one result, and ending it."""

from __future__ import annotations

import asyncio
import signal
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from pipeline.view.coding import Desk
from pipeline.view.pages import Shown, make_page


@dataclass(frozen=True)
class View:
    """A result ready to be served.

    Attributes:
        shown: The page.
        desk: Where edits go.
    """

    shown: Shown
    desk: Desk

    def run(self, port: int, ready: Callable[[str], None], browser: bool) -> None:
        """Serve until the user ends it.

        Args:
            port: To listen at; 0 takes any free one.
            ready: Told the address.
            browser: Whether to open it in the user's browser.

        Raises:
            InvalidValueError: the port is taken.
        """
        try:
            asyncio.run(self._serve(port, ready, browser))
        except KeyboardInterrupt:
            return
        except OSError as error:
            raise InvalidValueError(
                "nothing can be served at this port", got=f"{port}: {error}", mend="Name another with --port."
            ) from error

    async def _serve(self, port: int, ready: Callable[[str], None], browser: bool) -> None:
        from pipeline.view.server import serve

        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: its event loop takes no signals; Ctrl-C raises there
                asyncio.get_running_loop().add_signal_handler(number, stop.set)

        def told(address: str) -> None:
            ready(address)
            sys.stdout.flush()
            if browser:
                webbrowser.open(address)

        await serve(self.shown, self.desk, port, told, stop)


def view_result(
    folder: Path, *, coder: str = "", faces: bool = True, session: Path | None = None, hook: Hook = silent
) -> View:
    """Make the page of a result ready.

    Args:
        folder: What `telltale analyze` left.
        coder: Name that the page proposes.
        faces: Show videos and pictures of faces.
        session: The session folder, where the recordings are not found beside the result.
        hook: Progress.

    Raises:
        TelltaleError: the result cannot be read, or `coder` is no name.
    """
    from pipeline.coding.layers import Layer
    from pipeline.export.content import read_content

    content = read_content(folder, session)
    if coder:
        Layer.open(folder, coder)
    shown = make_page(content, faces=faces, coder=coder, hook=hook)
    return View(shown, Desk(folder, content.events, content.people))
