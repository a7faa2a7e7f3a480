"""A lake in a bucket of S3, or of a server that speaks its protocol."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import botocore.exceptions
import pyarrow.fs
from fsspec import AbstractFileSystem
from pyiceberg.io.fsspec import FsspecFileIO
from s3fs import S3FileSystem

from nequi_lake.errors import UsageError
from nequi_lake.lake.retrying import retrying
from nequi_lake.lake.storage.aws import access
from nequi_lake.lake.storage.base import Lock, StorageBackend
from nequi_lake.lake.storage.lease import lease
from nequi_lake.progress import bar

_SCHEME = "s3://"
_ENCRYPTION = "nequi.encryption"


class S3Storage(StorageBackend):
    """A prefix of a bucket.

    Args:
        uri: ``s3://bucket`` or ``s3://bucket/prefix``.
        encryption: ``AES256``, ``none``, or the ARN of a KMS key.
    """

    def __init__(self, uri: str, *, encryption: str) -> None:
        super().__init__(uri, scheme=_SCHEME)
        self.access = access(encryption)

    @cached_property
    def _client(self) -> Any:
        return self.access.client("s3")

    @property
    def filesystem(self) -> AbstractFileSystem:
        # The class keeps one instance for each set of arguments.
        return S3FileSystem(**self.access.for_fsspec())

    def arrow_filesystem(self) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.S3FileSystem(**self.access.for_arrow())

    def polars_scan(self) -> dict[str, Any]:
        return self.access.for_polars("scan")

    def polars_sink(self) -> dict[str, Any]:
        return self.access.for_polars("sink")

    def iceberg_properties(self) -> dict[str, str]:
        return {"py-io-impl": f"{__name__}.{S3FileIO.__name__}", _ENCRYPTION: self.access.encryption}

    def client_arguments(self) -> dict[str, Any] | None:
        return {"region_name": self.access.region, "endpoint_url": self.access.endpoint}

    def exists_root(self) -> bool:
        try:
            # Not by HEAD, whose refusal does not say why.
            self._client.list_objects_v2(Bucket=_bucket_and_key(self.uri)[0], MaxKeys=1)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return False
            raise
        return True

    def check_access(self) -> str:
        bucket = _bucket_and_key(self.uri)[0]
        self.access.credentials()
        who = self.access.endpoint or self.access.client("sts").get_caller_identity()["Arn"]
        if not self.exists_root():
            raise UsageError(
                f"There is no bucket {bucket}.",
                where=self.uri,
                fix="Is NEQUI_LAKE_URI right? Deploying the stack makes the bucket: docs/infrastructure.md",
            )
        return f"bucket {bucket}, {'at' if self.access.endpoint else 'as'} {who}"

    def _check_creatable(self) -> str:
        return self.check_access()

    def link(self, path: str) -> str:
        bucket, key = _bucket_and_key(path)
        if self.access.endpoint:
            return f"{self.access.endpoint}/{bucket}/{quote(key)}"
        return f"https://console.aws.amazon.com/s3/object/{bucket}?region={self.access.region}&prefix={quote(key)}"

    def read(self, path: str) -> bytes:
        # s3fs asks by HEAD first, whose refusal does not say why.
        bucket, key = _bucket_and_key(path)
        try:
            answer = retrying(_is_cut)(self._client.get_object, Bucket=bucket, Key=key)
        except self._client.exceptions.NoSuchKey as missing:
            raise FileNotFoundError(errno.ENOENT, "There is no such object", path) from missing
        return bytes(answer["Body"].read())

    def write(self, path: str, content: bytes) -> None:
        bucket, key = _bucket_and_key(path)
        self._client.put_object(Bucket=bucket, Key=key, Body=content, **self.access.write_arguments())

    def upload(self, local: Path, path: str) -> None:
        """A large file goes in parts, several at a time; an upload that breaks off leaves nothing."""
        bucket, key = _bucket_and_key(path)
        with bar(f"uploading {local.name}", local.stat().st_size, "B") as progress:
            self._client.upload_file(
                str(local), bucket, key, ExtraArgs=self.access.write_arguments(), Callback=progress.update
            )
        local.unlink()

    def temporary_files(self, folder: str) -> list[str]:  # noqa: ARG002
        """None: an object exists once it is complete."""
        return []

    def _prune(self, folder: str) -> None:
        """A bucket has no folders, so there is nothing to do."""

    def scratch_folder(self, name: str) -> Path:
        """A folder of this machine's temporary disk; each lake has its own, and no folder around it that would stay."""
        return Path(tempfile.gettempdir()) / f"nequi_lake-{hashlib.sha256(self.uri.encode()).hexdigest()[:12]}-{name}"

    def _lock(self, name: str, wait_s: float) -> AbstractContextManager[Lock]:
        bucket, key = _bucket_and_key(f"{self.uri}/.locks/{name}.json")
        return lease(self._client, bucket, key, name, wait_s, self.access.write_arguments())


class S3FileIO(FsspecFileIO):
    """PyIceberg's access to the bucket, by the same filesystem, encryption included, that all else is written with."""

    def _get_fs(self, scheme: str, hostname: str | None = None) -> AbstractFileSystem:
        if scheme != "s3":
            return super()._get_fs(scheme, hostname)
        return S3FileSystem(**access(self.properties.get(_ENCRYPTION, "AES256")).for_fsspec())


def _is_cut(error: BaseException) -> bool:
    """Whether all that is left of an answer is that something is not there, as it was cut short."""
    return isinstance(error, botocore.exceptions.ClientError) and error.response["Error"]["Code"] == "404"


def _bucket_and_key(path: str) -> tuple[str, str]:
    bucket, _, key = path.removeprefix(_SCHEME).partition("/")
    return bucket, key
