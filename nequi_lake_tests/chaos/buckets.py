"""A bucket for lakes whose runs are killed: of the server that the environment names, or of moto in another process.

What it does with the bucket is done in child processes, since this one forks.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from nequi_lake.lake.storage import lease
from nequi_lake_tests.chaos.forks import answer_of, fork
from nequi_lake_tests.flaky import in_front_of
from nequi_lake_tests.servers import free_port

STALE_S = 2.0
"""A killed run's lease is free so soon here, or most of the time would be spent waiting for it."""


STORM_SHARE = 0.02
"""The share of the requests that fail in a storm."""
_STORM_KINDS = ("busy", "broken", "cut", "half", "busy", "cut", "expired")


@contextmanager
def a_bucket(storm: Path | None = None) -> Iterator[str]:
    """The name of a new bucket that this process's environment leads to; it is removed at the end.

    Args:
        storm: while a file is there, some requests to the server fail; None where it never fails.
    """
    lease.STALE_S, lease._LOOK_S = STALE_S, 0.1
    with _server(), _weather(storm) if storm else nullcontext():
        name = f"chaos-{uuid.uuid4().hex[:12]}"
        answer_of(lambda: _make(name))
        yield name
        answer_of(lambda: _remove(name))


@contextmanager
def _weather(storm: Path) -> Iterator[None]:
    """Put a server in front of the bucket's that fails while the file is there."""
    behind, parent = os.environ["AWS_ENDPOINT_URL"], os.getpid()

    def serve(say: Callable[[str], None]) -> None:
        with in_front_of(behind) as (url, flaky):
            flaky.share, flaky.kinds, flaky.is_on = STORM_SHARE, _STORM_KINDS, storm.exists
            say(url)
            while os.getppid() == parent:
                time.sleep(0.2)

    server = fork(serve)
    try:
        server.listen(stop=lambda _: True)
        os.environ["AWS_ENDPOINT_URL"] = server.phase
        yield
    finally:
        os.environ["AWS_ENDPOINT_URL"] = behind
        server.kill()
        server.wait()


@contextmanager
def _server() -> Iterator[None]:
    if os.environ.get("NEQUI_TEST_BUCKET_SERVER"):
        yield
        return
    port = free_port()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield
        finally:
            server.kill()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("moto does not start")


def _make(name: str) -> str:
    from nequi_lake.lake.storage.aws import access

    access().client("s3").create_bucket(Bucket=name)
    return name


def _remove(name: str) -> str:
    from nequi_lake.lake.storage.aws import access

    client = access().client("s3")
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=found["Key"])
    client.delete_bucket(Bucket=name)
    return name
