"""A prefix of a bucket that holds ``<dataset>/<file>``, as a folder source does: loose, or in a zip.

The version of a dataset is made of what the bucket lists of its files, so that a schedule or sensor notices new ones
without downloading them. An object ``_SUCCESS`` beside several files, as Spark and Hadoop write it, ends their upload:
where it is there, a file that is newer says that the upload goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.exceptions

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import NequiLakeError, SourceError, StorageError, TransientError, UsageError
from nequi_lake.formats import RawFile
from nequi_lake.lake.raw_file import RawPart, content_version, sha256_of
from nequi_lake.lake.storage.aws import access, translate_error
from nequi_lake.progress import bar
from nequi_lake.sources.base import loose_names, no_file, select, zip_names
from nequi_lake.sources.delivery import account_for, require_all_parts
from nequi_lake.sources.unzip import Limits, unzip

COMPLETE = "_SUCCESS"
"""The object that ends an upload."""


@dataclass(frozen=True, kw_only=True)
class _Object:
    key: str
    etag: str
    size_bytes: int
    modified_at: datetime


class BucketSource:
    """Datasets in a bucket of S3, or of a server that speaks its protocol.

    Args:
        uri: ``s3://bucket`` or ``s3://bucket/prefix``, which holds one folder per dataset.
        zip_max_bytes: what a zip may unpack to at most.
        zip_max_ratio: how many times its size a zip may unpack to.
    """

    def __init__(self, uri: str, *, zip_max_bytes: int, zip_max_ratio: float) -> None:
        self._uri = uri
        self._bucket, _, self._prefix = uri.removeprefix("s3://").partition("/")
        self._limits = Limits(max_bytes=zip_max_bytes, max_ratio=zip_max_ratio)
        self._said: dict[str, Mapping[str, _Object]] = {}

    @cached_property
    def _client(self) -> Any:
        return access().client("s3")

    is_sample = False

    def describe(self) -> str:
        """The source, human-readable."""
        return f"bucket {self._uri}"

    def account(self) -> str:
        """Where it is.

        Raises:
            SourceError: the bucket does not exist, or may not be listed.
            TransientError: it could not be asked now.
            UsageError: there are no credentials.
        """
        with self._explained():
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        return self.describe()

    def offers(self, dataset: Dataset) -> bool:
        """Whether there is an object below the dataset's prefix."""
        with self._explained():
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._key(dataset, ""), MaxKeys=1)
        return bool(page["KeyCount"])

    def version(self, dataset: Dataset, /) -> str | None:
        """A hash of the names and entity tags of the dataset's files.

        Raises:
            SourceError: a file is not there, or the bucket may not be read.
            TransientError: the upload is not complete, or the bucket could not be asked now.
        """
        self._said[dataset.name] = listed = self._list(dataset)
        return self._version(dataset, listed)

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Download the dataset's files into ``into``, all as they were when ``version`` was asked last.

        A file is looked for under its name and its aliases, in one piece or in parts, then in ``<file>.zip``, then in
        ``<slug>.zip``.

        Raises:
            SourceError: a file is not there, or its zip is damaged or unsafe, or the bucket may not be read.
            TransientError: the upload is not complete, a file was replaced meanwhile, or the bucket broke off.
        """
        listed = self._said.pop(dataset.name, None) or self._list(dataset)
        version = self._version(dataset, listed)
        archives = into / ".archives"
        archives.mkdir()
        self._account_for(dataset, listed)
        try:
            return [
                part
                for file in dataset.files
                for part in self._fetch_one(dataset, file, listed, version, into, archives)
            ]
        finally:
            shutil.rmtree(archives)

    def _account_for(self, dataset: Dataset, listed: Mapping[str, _Object]) -> None:
        where, used = self._where(dataset), set[str]()
        for file in dataset.files:
            loose = select(file, loose_names(listed), where)
            own_zips = {f"{name}.zip" for name in (file.name, *file.aliases)} & set(listed)
            if loose and own_zips:
                raise SourceError(
                    f"{file.name} is there twice, loose and in {min(own_zips)}: which one is meant?",
                    where=where,
                    fix="Leave one of them there.",
                )
            require_all_parts(file, loose.values(), where)
            used |= {*loose, *own_zips, *zip_names(dataset, file)}
        account_for(dataset, listed, used, where)

    def _fetch_one(
        self,
        dataset: Dataset,
        file: RawFile,
        listed: Mapping[str, _Object],
        version: str,
        into: Path,
        archives: Path,
    ) -> list[RawPart]:
        where = self._where(dataset)
        if found := select(file, loose_names(listed), where):
            for name, part in found.items():
                self._download(listed[name], into / part)
            return [
                RawPart(
                    file=file.name,
                    name=part,
                    source=f"{where}/{name if part == file.name else name.rpartition('/')[0]}",
                    source_version=version,
                )
                for name, part in found.items()
            ]
        for name in zip_names(dataset, file):
            if name not in listed:
                continue
            archive = archives / name
            if not archive.exists():
                self._download(listed[name], archive)
            try:
                unpacked = unzip(archive, file, into, self._limits)
            except SourceError as error:
                # Not where the copy is, which goes with the error.
                raise SourceError(error.what, where=f"{where}/{name}", fix=error.fix) from error
            if unpacked:
                digest, source = sha256_of(archive), f"{where}/{name}"
                return [
                    RawPart(file=file.name, name=part, source=source, source_version=version, zip_sha256=digest)
                    for part in unpacked
                ]
        if file.is_optional:
            return []
        raise no_file(dataset, file, where)

    def _download(self, found: _Object, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        with self._explained(), bar(f"downloading {target.name}", found.size_bytes, "B") as progress:
            self._client.download_file(self._bucket, found.key, str(target), Callback=progress.update)
            now = self._client.head_object(Bucket=self._bucket, Key=found.key)
        if now["ETag"] != found.etag or target.stat().st_size != found.size_bytes:
            raise TransientError(
                "The file was replaced while the lake fetched it.",
                where=f"s3://{self._bucket}/{found.key}",
                fix=f"Run it again once the upload is complete. An object {COMPLETE} after the last file says so.",
            )

    def _list(self, dataset: Dataset) -> Mapping[str, _Object]:
        """The objects below the dataset's prefix, by their name in it.

        Raises:
            TransientError: the upload is not complete.
        """
        prefix = self._key(dataset, "")
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            listed = {
                found["Key"].removeprefix(prefix): _Object(
                    key=found["Key"], etag=found["ETag"], size_bytes=found["Size"], modified_at=found["LastModified"]
                )
                for page in pages
                for found in page.get("Contents", ())
                # What consoles make for a folder.
                if not found["Key"].endswith("/")
            }
        complete = listed.pop(COMPLETE, None)
        late = [name for name, found in listed.items() if complete and found.modified_at > complete.modified_at]
        if late:
            raise TransientError(
                f"{late[0]} is newer than {COMPLETE}, so the upload of {dataset.name} goes on.",
                where=self._where(dataset),
                fix=f"Write {COMPLETE} after the last file, or remove it.",
            )
        return listed

    def _version(self, dataset: Dataset, listed: Mapping[str, _Object]) -> str:
        used: dict[str, str] = {}
        for file in dataset.files:
            names = select(file, loose_names(listed), self._where(dataset)) or [
                name for name in zip_names(dataset, file) if name in listed
            ]
            if not names and not file.is_optional:
                raise no_file(dataset, file, self._where(dataset))
            used |= {name: listed[name].etag for name in names}
        return content_version(used)

    def _key(self, dataset: Dataset, name: str) -> str:
        return "/".join([*([self._prefix] if self._prefix else []), dataset.name, name])

    def _where(self, dataset: Dataset) -> str:
        return f"{self._uri}/{dataset.name}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> NequiLakeError:
        code = error.response["Error"]["Code"] if isinstance(error, botocore.exceptions.ClientError) else ""
        if code == "NoSuchBucket":
            return SourceError(
                f"There is no bucket {self._bucket}.", where=self._uri, fix="Is NEQUI_LAKE_SOURCE right?"
            )
        if code in ("NoSuchKey", "404", "PreconditionFailed", "412"):
            return TransientError(
                "A file was removed or replaced while the lake fetched it.",
                where=self._uri,
                fix="Run it again once the upload is complete.",
            )
        translated = translate_error(error, self._uri)
        if translated is None or isinstance(translated, StorageError):
            return SourceError(
                translated.what if translated else f"The bucket cannot be read: {error}",
                where=self._uri,
                fix="Let the role of the runs list and read it: SourceBucket and SourcePrefix of the lake's stack.",
            )
        return translated if isinstance(translated, TransientError | UsageError) else SourceError(str(translated))
