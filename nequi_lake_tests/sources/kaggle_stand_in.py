"""A stand-in for Kaggle's server, for its real client.

Another process reaches it through the environment alone: ``environment()`` sets ``HTTP_PROXY`` to the stand-in.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from zipfile import ZIP_DEFLATED, ZipFile

TOKEN = "KGAT_stand_in_secret"
KEY = "stand_in_key_secret"
USER = "ana"


@dataclass(frozen=True)
class Failure:
    """An answer other than the right one."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class KaggleStandIn:
    """The server; a context manager.

    Attributes:
        datasets: slug → version → path → content.
        licence: what every dataset has.
        failures: what the next calls answer, in this order.
        cut_after: the connections of the next downloads break after so many bytes each, in this order.
        unanswered: how many of the next downloads are not answered at all.
        failed_downloads: what the next downloads answer, in this order; None for the right answer.
        zipped: whether downloads come as ``<file>.zip``.
        lists_zips: whether the listing has the sizes of the zips.
        damaged: whether the zips lack their end.
        spoiled: whether downloads come with other bytes than those listed.
        requests: method or ``GET``, and body or headers, of each request.
    """

    datasets: dict[str, dict[int, dict[str, bytes]]] = field(default_factory=dict)
    licence: str = "CC0-1.0"
    failures: list[Failure] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)
    unanswered: int = 0
    failed_downloads: list[Failure | None] = field(default_factory=list)
    zipped: bool = False
    lists_zips: bool = False
    damaged: bool = False
    spoiled: bool = False
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __enter__(self) -> KaggleStandIn:
        stand_in = self

        class Handler(_Handler):
            kaggle = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self) -> dict[str, str]:
        """The variables that point Kaggle's client, in any process, to the server, with good credentials."""
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HTTP_PROXY": self.url,
            "http_proxy": self.url,
            "NO_PROXY": "",
            "no_proxy": "",
            "KAGGLE_API_TOKEN": TOKEN,
        }

    def content(self, slug: str, version: int, name: str) -> bytes:
        """What a download gives."""
        raw = self.datasets[slug][version][name]
        if self.spoiled:
            raw = raw[:-1]
        if not self.zipped:
            return raw
        buffer = io.BytesIO()
        with ZipFile(buffer, "w", ZIP_DEFLATED) as opened:
            opened.writestr(name.rsplit("/", 1)[-1], raw)
        return buffer.getvalue()[: -30 if self.damaged else None]


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleStandIn

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """A call of the interface."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        method = urlsplit(self.path).path.rsplit("/", 1)[-1]
        self.kaggle.requests.append((method, body))
        basic = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if self.headers["Authorization"] not in (f"Bearer {TOKEN}", basic):
            return self._answer(401)
        if self.kaggle.failures:
            failure = self.kaggle.failures.pop(0)
            return self._answer(failure.status, b"", **failure.headers)
        if method == "IntrospectToken":
            return self._json({"active": True, "username": USER})
        if method == "ListDatasets":
            return self._json({"datasets": []})
        slug = f"{body['ownerSlug']}/{body['datasetSlug']}"
        versions = self.kaggle.datasets.get(slug)
        if not versions:
            return self._answer(404)
        version = body.get("datasetVersionNumber") or max(versions)
        if method == "GetDataset":
            return self._json({"ref": slug, "licenseName": self.kaggle.licence, "currentVersionNumber": max(versions)})
        if method == "ListDatasetFiles":
            sizes = {name: len(content) for name, content in versions[version].items()}
            if self.kaggle.lists_zips:
                sizes = {name: len(self.kaggle.content(slug, version, name)) for name in sizes}
            files = [{"name": name, "totalBytes": size} for name, size in sizes.items()]
            return self._json({"datasetFiles": files})
        query = urlencode({"slug": slug, "version": version, "name": body["fileName"]})
        return self._answer(302, Location=f"http://storage.test/download?{query}")

    def _json(self, answer: dict[str, Any]) -> None:
        self._answer(200, json.dumps(answer).encode(), Content_Type="application/json")

    def do_GET(self) -> None:
        """A download."""
        self.kaggle.requests.append(("GET", dict(self.headers)))
        if self.kaggle.unanswered:
            self.kaggle.unanswered -= 1
            self.close_connection = True
            return None
        if self.kaggle.failed_downloads and (failure := self.kaggle.failed_downloads.pop(0)):
            return self._answer(failure.status, b"", **failure.headers)
        query = parse_qs(urlsplit(self.path).query)
        content = self.kaggle.content(query["slug"][0], int(query["version"][0]), query["name"][0])
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = 0
        if self.headers["Range"] and self.headers["If-Range"] == etag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", etag)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        end = start + self.kaggle.cut_after.pop(0) if self.kaggle.cut_after else len(content)
        self.wfile.write(content[start:end])
        self.close_connection = True
        return None
