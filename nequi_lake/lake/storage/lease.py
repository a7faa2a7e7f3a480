"""A lock in a bucket: a small object that its owner renews while it works.

Conditional writes decide who has it. Its age is measured by the server's own clock alone, so that no machine's clock
matters. The owner renews it while it works; one that was killed stops doing so, and the next run takes it over.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.exceptions
import botocore.parsers
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from nequi_lake.errors import LockLostError, NequiLakeError
from nequi_lake.lake.storage.base import Lock
from nequi_lake.redaction import redact

log = logging.getLogger(__name__)

STALE_S = 120.0
"""Seconds after which a lease that was not kept fresh is free to take."""
_LOOK_S = 1.0
_LOST = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_GONE = {"NoSuchKey", "404"}
_TRIES = 4
_BROKEN = (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError, ValueError)
"""An answer that did not come, or only in part: what was asked may have been done."""


@contextmanager
def lease(
    client: Any, bucket: str, key: str, name: str, wait_s: float, write_arguments: dict[str, str]
) -> Iterator[Lock]:
    """Hold ``key`` for the time of the block; wait while another run holds it.

    Args:
        client: a boto3 client of S3.
        bucket, key: the lease's object.
        name: what it keeps apart, for messages.
        wait_s: seconds to wait at most.
        write_arguments: what each write says, such as of its encryption.

    Raises:
        NequiLakeError: another run still had it after ``wait_s``.
        LockLostError: it was lost while the block ran, as the machine slept or the server was away for too long.
    """
    held = _Lease(client, bucket, key, write_arguments)
    deadline = time.monotonic() + wait_s
    reported = False
    while not held.acquire():
        if not reported:
            log.info("%s: another run is at work on it (%s); waiting for it to end", name, held.owner())
            reported = True
        if time.monotonic() > deadline:
            raise NequiLakeError(
                f"Another run has been at work on {name} for more than {wait_s} s.",
                where=f"s3://{bucket}/{key}",
                fix="Wait for it, or end it, and run this one again.",
            )
        time.sleep(_LOOK_S)

    def check() -> None:
        if not held.is_ours():
            raise LockLostError(
                f"The lock of {name} was lost while this run was at work, so another run may be at work too.",
                where=f"s3://{bucket}/{key}",
                fix="What was published is complete. Run it again.",
            )

    with held.kept_fresh():
        yield Lock(name, check)
        if held.lost:
            check()


_again_where_broken = retry(
    retry=retry_if_exception_type(_BROKEN),
    stop=stop_after_attempt(_TRIES),
    wait=wait_exponential_jitter(multiplier=0.1, max=2),
    reraise=True,
)
"""Tries of what does no harm when it is done twice. The client itself asks again, but not where half an answer came."""


class _Lease:
    """A lease of one run. Its nonce stays the same for its whole life, by which it recognises its own writes."""

    def __init__(self, client: Any, bucket: str, key: str, write_arguments: dict[str, str]) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._write_arguments = write_arguments
        self._nonce = uuid.uuid4().hex
        self._etag = ""
        self._fresh_until = 0.0
        self.lost = False

    def acquire(self) -> bool:
        """Whether it is ours now."""
        if self._write(IfNoneMatch="*"):
            return True
        found = self._head()
        if found is None:
            return False
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        stale = (now - found["LastModified"]).total_seconds() > STALE_S
        return stale and self._write(IfMatch=_bare(found["ETag"]))

    def owner(self) -> str:
        """Who has it, human-readable."""
        found = self._stored()
        if not found:
            return "one that has just ended"
        return f"process {found.get('process')} on {found.get('host')}"

    def is_ours(self) -> bool:
        """Whether the server still has our lease, and it was kept fresh."""
        return not self.lost and time.monotonic() < self._fresh_until and self._stored().get("nonce") == self._nonce

    @contextmanager
    def kept_fresh(self) -> Iterator[None]:
        """Renew the lease while the block runs, and delete it at the end."""
        ended = threading.Event()
        thread = threading.Thread(target=self._keep_fresh, args=(ended,), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if self.is_ours():
                # Not another run's, which may have taken it over while this machine slept.
                self._delete()

    def _keep_fresh(self, ended: threading.Event) -> None:
        while not ended.wait(STALE_S / 4):
            try:
                self.lost = not self._write(IfMatch=self._etag)
            except Exception as error:
                # The next try may get through before the lease is stale.
                log.warning("The lease %s could not be kept fresh: %s", self._object["Key"], redact(str(error)))
            if self.lost:
                return

    def _stored(self) -> dict[str, Any]:
        """What the server has; empty where there is none, or it cannot be read."""
        try:
            return self._get()
        except (botocore.exceptions.ClientError, *_BROKEN):
            return {}

    @_again_where_broken
    def _get(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._client.get_object(**self._object)["Body"].read())
        return found

    @_again_where_broken
    def _head(self) -> dict[str, Any] | None:
        """What the server says of it; None where there is none."""
        try:
            found: dict[str, Any] = self._client.head_object(**self._object)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        return found

    def _delete(self) -> None:
        try:
            _again_where_broken(self._client.delete_object)(**self._object)
        except (botocore.exceptions.ClientError, *_BROKEN) as error:
            log.warning(
                "The lease %s could not be removed, and is free in %.0f s: %s",
                self._object["Key"],
                STALE_S,
                redact(str(error)),
            )

    def _write(self, **condition: str) -> bool:
        owner = {"host": socket.gethostname(), "process": os.getpid(), "nonce": self._nonce}
        began = time.monotonic()
        try:
            answer = self._client.put_object(
                **self._object, Body=json.dumps(owner).encode(), **condition, **self._write_arguments
            )
        except (botocore.exceptions.ClientError, *_BROKEN) as error:
            # A write whose answer was lost is sent again, and refused because of its own first try; or its loss is
            # all that is known of it.
            if self._stored().get("nonce") == self._nonce and (written := self._head()):
                answer = written
            elif _code(error) in _LOST | _GONE:
                return False
            else:
                raise
        self._etag = _bare(answer["ETag"])
        self._fresh_until = began + STALE_S
        return True


def _code(error: Exception) -> str:
    """S3's word for why it refuses; empty where it did not answer."""
    return str(error.response["Error"]["Code"]) if isinstance(error, botocore.exceptions.ClientError) else ""


def _bare(etag: str) -> str:
    """An entity tag without its quotes: AWS takes it with and without, other servers only without."""
    return etag.strip('"')
