"""``nequi-lake serve``: the reports over http on this machine, for browsers that open no ``file://`` link."""

from __future__ import annotations

import mimetypes
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import typer

from nequi_lake.cli.show import say
from nequi_lake.errors import UsageError

if TYPE_CHECKING:
    from nequi_lake.lake.storage import StorageBackend

HOST, PORT = "127.0.0.1", 3001
_OWN_NAMES = ("localhost", HOST)
_ENDINGS = (".html", ".json", ".csv")
_NONE_YET = "There is no such report. Reports are written by: nequi-lake run\n"


def serve(
    port: Annotated[int, typer.Option(help="Port of this machine; 0 for a free one.", min=0, max=65535)] = PORT,
) -> None:
    """Serve the reports to browsers of this machine, until Ctrl-C."""
    from nequi_lake.lake.settings import Settings
    from nequi_lake.lake.storage import open_storage

    settings = Settings.from_env()
    with reports_server(open_storage(settings), port) as server:
        say(f"Reports of {settings.uri}: http://localhost:{server.server_port}/")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def reports_server(storage: StorageBackend, port: int) -> ThreadingHTTPServer:
    """A server of a lake's reports, on this machine alone.

    Raises:
        UsageError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(*_answer(storage, self.headers.get("Host", ""), self.path))

        def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

    try:
        return ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise UsageError(
            f"The reports cannot be served: {error.strerror}.",
            where=f"port {port}",
            fix="Name another one: nequi-lake serve --port 3002, or make dev REPORTS_PORT=3002.",
        ) from error


def _answer(storage: StorageBackend, host: str, address: str) -> tuple[HTTPStatus, str, bytes]:
    """Status, content type and content for a request."""
    # A page of the web can point a name of its own at this machine. Its requests carry that name.
    if urlsplit(f"//{host}").hostname not in _OWN_NAMES:
        return HTTPStatus.FORBIDDEN, "text/plain", b"Only for this machine.\n"
    from nequi_lake.lake.layout import REPORTS
    from nequi_lake.lake.storage.faults import translate_error

    parts = unquote(urlsplit(address).path).strip("/").split("/")
    if parts == [""]:
        parts = ["index.html"]
    path = storage.path(REPORTS, *parts)
    if ".." in parts or not parts[-1].endswith(_ENDINGS) or parts[-1].startswith("."):
        return HTTPStatus.NOT_FOUND, "text/plain", _NONE_YET.encode()
    try:
        if not storage.exists(path):
            return HTTPStatus.NOT_FOUND, "text/plain", _NONE_YET.encode()
        content = storage.read(path)
    except Exception as error:
        fault = translate_error(error, path)
        if fault is None:
            raise
        return HTTPStatus.BAD_GATEWAY, "text/plain; charset=utf-8", f"{fault}\n".encode()
    kind = mimetypes.guess_type(parts[-1])[0] or "text/plain"
    return HTTPStatus.OK, f"{kind}; charset=utf-8", content
