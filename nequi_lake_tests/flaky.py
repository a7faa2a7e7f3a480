"""A server in front of another one, which fails now and then as busy servers and bad networks do."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
_BROKEN = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
_ANSWERS = {"busy": (503, _BUSY), "broken": (500, _BROKEN), "expired": (400, _EXPIRED)}


@dataclass
class Flaky:
    """How it fails, and how often it did.

    Attributes:
        share: share of the requests that fail, 0 to 1.
        kinds: what may happen to such a request: ``busy`` (503), ``broken`` (500), ``cut`` (no answer), ``half`` (half
            of the answer), ``expired`` (the credentials are no longer valid).
        only: the beginning of the paths that it happens to.
        is_on: whether requests may fail now.
        happened: kind → how often.
    """

    behind: str
    share: float = 0.0
    kinds: tuple[str, ...] = ("busy", "broken", "cut", "half")
    only: str = "/"
    is_on: Callable[[], bool] = lambda: True
    happened: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def fate(self, path: str) -> str:
        """What happens to the next request."""
        if self.is_on() and path.startswith(self.only) and self.chance.random() < self.share:
            kind = self.chance.choice(self.kinds)
            self.happened[kind] += 1
            return kind
        return "well"


@contextmanager
def in_front_of(url: str) -> Iterator[tuple[str, Flaky]]:
    """The URL of a server that hands all requests on to ``url``, and what makes it fail."""
    flaky = Flaky(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

        def handle(self) -> None:
            # Whoever asked may have been killed.
            with suppress(ConnectionError):
                super().handle()

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fate = flaky.fate(self.path)
            if fate == "cut":
                self.close_connection = True
                return
            if fate in _ANSWERS:
                status, content = _ANSWERS[fate]
                self._answer(status, {}, content)
                return
            onward = http.client.HTTPConnection(urlsplit(flaky.behind).netloc, timeout=30)
            onward.request(self.command, self.path, body, dict(self.headers.items()))
            answer = onward.getresponse()
            content = answer.read()
            onward.close()
            self._answer(answer.status, dict(answer.getheaders()), content, half=fate == "half")

        def _answer(self, status: int, headers: dict[str, str], content: bytes, *, half: bool = False) -> None:
            self.send_response_only(status)
            left_out = ("connection", "transfer-encoding", "content-length")
            for name, value in headers.items():
                if name.lower() not in left_out:
                    self.send_header(name, value)
            length = headers.get("Content-Length", str(len(content)))
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if half else content)
            if half:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", flaky
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
