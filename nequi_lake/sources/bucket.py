"""A prefix of a bucket that holds ``<dataset>/<file>``, as a folder source does: loose, or in a zip.

The version of a dataset is made of what the bucket lists of its files, so that a schedule or sensor notices new ones
without downloading them. An object ``_SUCCESS`` beside several files, as Spark and Hadoop write it, ends their upload:
where it is there, a file that is newer says that the upload goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.exceptions

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import NequiLakeError, SourceError, StorageError, TransientError, UsageError
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw_file import RawPart, content_version, sha256_of
from nequi_lake.lake.storage.aws import access, translate_error
from nequi_lake.progress import bar
from nequi_lake.sources.base import no_file
from nequi_lake.sources.delivery import COMPLETE, Contents, Pick, look_at, plan
from nequi_lake.sources.unzip import members, unzip


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
        limits: of what a zip may unpack to.
    """

    def __init__(self, uri: str, *, limits: UnpackLimits) -> None:
        self._uri = uri
        self._bucket, _, self._prefix = uri.removeprefix("s3://").partition("/")
        self._limits = limits
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
        """A hash of the names and entity tags of the dataset's files, and of the zips that may hold them.

        Raises:
            SourceError: a file is not there, is there twice, something else could be meant as data, or the bucket may
                not be read.
            TransientError: the upload is not complete, or the bucket could not be asked now.
        """
        self._said[dataset.name] = listed = self._list(dataset)
        return self._version(dataset, listed, self._look_at(dataset, listed))

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Download the dataset's files into ``into``, all as they were when ``version`` was asked last.

        A file is there under its name or an alias, in one piece or in parts, loose or in a zip.

        Raises:
            SourceError: a file is not there, is there twice, its zip is damaged or unsafe, something else could be
                meant as data, or the bucket may not be read.
            TransientError: the upload is not complete, a file was replaced meanwhile, or the bucket broke off.
        """
        listed = self._said.pop(dataset.name, None) or self._list(dataset)
        place = self._look_at(dataset, listed)
        version = self._version(dataset, listed, place)
        archives = into / ".archives"
        archives.mkdir()
        try:
            for name in place.archives:
                self._download(listed[name], archives / name)
            zips = {name: self._look_into(dataset, archives / name) for name in place.archives}
            picks = plan(dataset, place, zips)
            return [
                replace(part, source_version=version)
                for pick in picks
                for part in self._fetch_one(dataset, pick, listed, into, archives)
            ]
        finally:
            shutil.rmtree(archives)

    def _look_at(self, dataset: Dataset, listed: Mapping[str, _Object]) -> Contents:
        return look_at(dataset, listed, self._where(dataset), is_folder=True)

    def _look_into(self, dataset: Dataset, archive: Path) -> Contents:
        where = f"{self._where(dataset)}/{archive.name}"
        with _located(where):
            return look_at(dataset, members(archive, self._limits), where)

    def _fetch_one(
        self, dataset: Dataset, pick: Pick, listed: Mapping[str, _Object], into: Path, archives: Path
    ) -> list[RawPart]:
        file, where = pick.file, self._where(dataset)
        if pick.archive is None:
            for name, part in pick.parts.items():
                self._download(listed[name], into / part)
            return [
                RawPart(
                    file=file.name,
                    name=part,
                    source=f"{where}/{name if part == file.name else name.rpartition('/')[0]}",
                )
                for name, part in pick.parts.items()
            ]
        archive, source = archives / pick.archive, f"{where}/{pick.archive}"
        with _located(source):
            unpacked = unzip(archive, file, into, self._limits)
        digest = sha256_of(archive)
        return [RawPart(file=file.name, name=part, source=source, zip_sha256=digest) for part in unpacked]

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
        complete = listed.get(COMPLETE)
        late = [name for name, found in listed.items() if complete and found.modified_at > complete.modified_at]
        if late:
            raise TransientError(
                f"{late[0]} is newer than {COMPLETE}, so the upload of {dataset.name} goes on.",
                where=self._where(dataset),
                fix=f"Write {COMPLETE} after the last file, or remove it.",
            )
        return listed

    def _version(self, dataset: Dataset, listed: Mapping[str, _Object], place: Contents) -> str:
        for file in dataset.files:
            if not place.files[file.name] and not place.archives and not file.is_optional:
                raise no_file(dataset, file, place.where)
        return content_version({name: listed[name].etag for name in place.used})

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


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Say of an error where the zip is in the bucket, and not where the copy is, which goes with the error."""
    try:
        yield
    except SourceError as error:
        raise SourceError(error.what, where=where, fix=error.fix) from error
