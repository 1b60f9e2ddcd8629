"""The server of `telltale view`: this computer only, a random word in every address, nothing that another page may ask.

Every address begins with a word that is drawn anew at each start; a request without it, with another host's name, or
from another origin is refused. There are no cookies, so that nothing is granted to whoever merely shares the browser.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

from data_schemas.errors import InvalidValueError, TelltaleError
from pipeline.view.coding import Desk, StaleError
from pipeline.view.pages import Shown

HOST = "127.0.0.1"
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Served:
    """What the handlers share.

    Attributes:
        shown: The page and what belongs to it.
        desk: Where edits go.
        token: First part of every address.
    """

    shown: Shown
    desk: Desk
    token: str


class _Guarded(RequestHandler):
    """Refuses whoever does not come from the page itself."""

    served: Served

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self) -> None:
        self.served = self.application.settings["served"]
        host = self.request.host
        port = self.application.settings["port"]()
        if host not in (f"{HOST}:{port}", f"localhost:{port}"):
            raise HTTPError(403, reason="Wrong host")
        given = self.path_args[0] if self.path_args else ""
        if not hmac.compare_digest(str(given).encode(), self.served.token.encode()):
            raise HTTPError(403, reason="Wrong address")
        origin = self.request.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise HTTPError(403, reason="Wrong origin")
        if self.request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise HTTPError(403, reason="Wrong origin")
        if self.request.method not in ("GET", "HEAD"):
            kind = self.request.headers.get("Content-Type", "").split(";")[0].strip()
            if origin is None or kind != "application/json":
                raise HTTPError(403, reason="Wrong origin")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps({"error": self._reason}))

    def answer(self, ask: Callable[[], dict[str, Any]]) -> None:
        """Send what `ask` gives as JSON; an error as its sentence."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        try:
            self.write(json.dumps(ask(), ensure_ascii=False))
        except StaleError as error:
            self.set_status(409)
            self.write(json.dumps({"error": str(error)}))
        except (TelltaleError, OSError) as error:
            self.set_status(400)
            self.write(json.dumps({"error": str(error)}))


class _Page(_Guarded):
    def get(self, token: str) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.write(self.served.shown.text)


class _Script(_Guarded):
    def get(self, token: str, name: str) -> None:
        text = self.served.shown.scripts.get(name)
        if text is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.write(text)


class _Layer(_Guarded):
    def get(self, token: str) -> None:
        self.answer(lambda: self.served.desk.state(self.get_query_argument("coder", "")))


class _Edit(_Guarded):
    def post(self, token: str) -> None:
        self.answer(lambda: self.served.desk.apply(self._asked()))

    def _asked(self) -> dict[str, Any]:
        try:
            asked = json.loads(self.request.body)
        except ValueError as error:
            raise InvalidValueError("the request is no JSON") from error
        if not isinstance(asked, dict):
            raise InvalidValueError("the request is no object")
        return asked


class _Medium(_Guarded, StaticFileHandler):
    """One video, in ranges, so that it can be searched."""

    async def get(self, token: str, number: str, include_body: bool = True) -> None:  # type: ignore[override]
        if not 0 <= int(number) < len(self.served.shown.media):
            raise HTTPError(404)
        await super().get(number, include_body)

    async def head(self, token: str, number: str) -> None:  # type: ignore[override]
        await self.get(token, number, include_body=False)

    def parse_url_path(self, url_path: str) -> str:
        return url_path

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        return path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        file = self.served.shown.media[int(absolute_path)]
        if not file.is_file():
            raise HTTPError(404)
        return str(file)

    def compute_etag(self) -> str | None:
        return None  # the base class would read the whole video to make one

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-store")


def application(served: Served, port: Callable[[], int]) -> Application:
    """The application; `port` gives the port that it listens at."""
    return Application(
        [
            (r"/([\w-]+)/", _Page),
            (r"/([\w-]+)/(plotly\.min\.js|data/[\w-]+\.js)", _Script),
            (r"/([\w-]+)/media/(\d+)", _Medium, {"path": "/"}),
            (r"/([\w-]+)/layer", _Layer),
            (r"/([\w-]+)/edit", _Edit),
        ],
        default_handler_class=_Nothing,
        served=served,
        port=port,
        log_function=lambda handler: None,
    )


class _Nothing(_Guarded):
    def prepare(self) -> None:
        raise HTTPError(404)


async def serve(shown: Shown, desk: Desk, port: int, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Args:
        shown: The page.
        desk: Where edits go.
        port: To listen at; 0 takes any free one.
        ready: Told the address once it can be opened.
        stop: Ends it.

    Raises:
        OSError: the port is taken.
    """
    sockets = bind_sockets(port, address=HOST)
    taken = int(sockets[0].getsockname()[1])
    token = secrets.token_urlsafe(24)
    server = HTTPServer(application(Served(shown, desk, token), lambda: taken), max_body_size=_MOST_BYTES)
    server.add_sockets(sockets)
    try:
        ready(f"http://{HOST}:{taken}/{token}/")
        await stop.wait()
    finally:
        server.stop()
        await server.close_all_connections()
