"""Datasets on Kaggle, through Kaggle's own client.

The client is ``kagglesdk``: importing ``kaggle`` itself would log in, print, and perhaps end the process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import requests
from kagglesdk import KaggleClient
from kagglesdk.datasets.types.dataset_api_service import (
    ApiDownloadDatasetRequest,
    ApiGetDatasetRequest,
    ApiListDatasetFilesRequest,
    ApiListDatasetsRequest,
)
from kagglesdk.datasets.types.dataset_enums import DatasetSelectionGroup
from kagglesdk.kaggle_env import get_endpoint, get_env
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from urllib3 import Retry

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError, TransientError, UsageError
from nequi_lake.formats import OpaqueFile, RawFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw_file import RawPart, sha256_of
from nequi_lake.progress import bar
from nequi_lake.redaction import remember
from nequi_lake.sources.delivery import Contents, log_unread, look_at
from nequi_lake.sources.names import listed
from nequi_lake.sources.unzip import unzip

_BLOCK_BYTES = 2**16
"""What a cut connection loses at most."""
_PAGE_FILES = 200
_CREDENTIALS = (
    "Create a token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY,"
    " or save ~/.kaggle/kaggle.json."
)
_RETRIED_STATUSES = (requests.codes.request_timeout, requests.codes.too_many_requests, *range(500, 600))
_BROKEN_OFF = (ConnectionError, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class _Adapter(HTTPAdapter):
    """Gives every request of the client a timeout; the client sets none."""

    def __init__(self, timeout_s: float, retry: Retry) -> None:
        self._timeout_s = timeout_s
        super().__init__(max_retries=retry)

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        """Send a request under the timeout."""
        return super().send(request, **{**options, "timeout": self._timeout_s})


class KaggleSource:
    """Datasets on Kaggle.

    Args:
        limits: of what a zip may unpack to.
        attempts: how often a request is made before its failure is reported.
        wait_s: the first wait between two attempts; each further one is twice as long.
        max_wait_s: the longest wait between two attempts, also where Kaggle asks for a longer one.
        timeout_s: how long Kaggle may be silent.
    """

    def __init__(
        self,
        *,
        limits: UnpackLimits,
        attempts: int = 5,
        wait_s: float = 1,
        max_wait_s: int = 60,
        timeout_s: float = 60,
    ) -> None:
        self._limits = limits
        self._timeout_s = timeout_s
        self._retry = Retry(
            total=attempts - 1,
            allowed_methods=None,  # Kaggle's API reads by POST.
            status_forcelist=_RETRIED_STATUSES,
            raise_on_status=False,
            backoff_factor=wait_s,
            backoff_jitter=wait_s,
            backoff_max=max_wait_s,
            retry_after_max=max_wait_s,
        )
        self._resume = Retrying(
            retry=retry_if_exception_type(_BROKEN_OFF),
            stop=stop_after_attempt(attempts),
            wait=wait_exponential_jitter(multiplier=wait_s, max=max_wait_s, jitter=wait_s),
            reraise=True,
        )
        self._said: dict[str, Any] = {}

    is_sample = False

    def describe(self) -> str:
        """The source, human-readable."""
        return "Kaggle"

    def offers(self, dataset: Dataset) -> bool:
        """Whether the dataset has a slug; Kaggle is not asked."""
        return bool(dataset.slug)

    def version(self, dataset: Dataset, /) -> str | None:
        """The number of the dataset's current version on Kaggle.

        Raises:
            SourceError: there is no such dataset, or it may not be read.
            TransientError: Kaggle could not be asked now.
            UsageError: there are no credentials.
        """
        with self._client() as client:
            self._said[dataset.slug] = found = self._get(client, dataset)
        return str(found.current_version_number)

    def account(self) -> str:
        """Who the credentials belong to.

        Raises:
            SourceError: Kaggle refuses the credentials.
            TransientError: Kaggle could not be asked now.
            UsageError: there are no credentials.
        """
        with self._client() as client:
            auth = client.http_client()._session.auth
            if isinstance(auth, tuple):
                listing = ApiListDatasetsRequest()
                listing.group = DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY
                self._call("", client.datasets.dataset_api_client.list_datasets, listing)
                return str(auth[0])
            question = IntrospectTokenRequest()
            question.token = auth.token
            answer = self._call("", client.security.oauth_client.introspect_token, question)
            if not answer.active:
                raise _refused()
            return str(answer.username)

    def listing(self, dataset: Dataset) -> list[str]:
        """The names of all files of the dataset's current version, whatever is declared, with the folders they are in.

        Raises:
            SourceError: there is no such dataset, or it may not be read.
            TransientError: Kaggle could not be asked now.
            UsageError: there are no credentials.
        """
        with self._client() as client:
            self._said[dataset.slug] = found = self._get(client, dataset)
            return sorted(self._list(client, dataset, found.current_version_number))

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        """Download the dataset's files into ``into``, all of the version that ``version`` said last.

        Raises:
            SourceError: a file is not there, may not be read, or its zip is damaged or not to be trusted.
            TransientError: Kaggle broke off, or could not be reached.
            UsageError: there are no credentials.
        """
        temporary = into / ".kaggle"
        temporary.mkdir(parents=True, exist_ok=True)
        try:
            with self._client() as client:
                found = self._said.pop(dataset.slug, None) or self._get(client, dataset)
                there = self._list(client, dataset, found.current_version_number)
                contents = look_at(dataset, there, _page(dataset.slug))
                _refuse_missing(dataset, contents, there)
                log_unread(dataset, contents)
                return [
                    self._fetch_one(client, dataset, found, file, name, part, there[name], into)
                    for file in dataset.files
                    for name, part in contents.files[file.name].items()
                ]
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _fetch_one(
        self, client: Any, dataset: Dataset, found: Any, file: RawFile, name: str, part: str, size: int, into: Path
    ) -> RawPart:
        temporary = into / ".kaggle"
        arrived = temporary / "arrived"
        arrived.unlink(missing_ok=True)
        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = dataset.slug.split("/")
        request.dataset_version_number = found.current_version_number
        request.file_name = name
        self._download(client, dataset, request, arrived, part)
        zip_sha256 = None
        sizes = {arrived.stat().st_size}
        if _wraps(arrived, name, size):
            zip_sha256 = sha256_of(arrived)
            try:
                member = OpaqueFile(name=PurePosixPath(name).name, description=file.description)
                unpacked = unzip(arrived, member, temporary, self._limits)
            except SourceError as error:
                # Not where the zip is: the temporary folder goes with the error.
                raise SourceError(error.what, where=f"{name} of {_page(dataset.slug)}", fix=error.fix) from error
            if not unpacked:
                raise SourceError(
                    f"The zip of {name} does not hold it.",
                    where=_page(dataset.slug),
                    fix="Download it by hand, and set NEQUI_LAKE_SOURCE to the folder that holds <dataset>/<file>.",
                )
            (arrived,) = unpacked.values()
            sizes.add(arrived.stat().st_size)
        # Whether the listing has the size of the file or of its zip, Kaggle does not say.
        if size not in sizes:
            raise TransientError(
                f"{name} came with {arrived.stat().st_size:,} bytes; Kaggle lists {size:,}.",
                where=_page(dataset.slug),
                fix="Try again later; the file may be damaged on the way or on Kaggle.",
            )
        target = into / part
        target.parent.mkdir(exist_ok=True)
        arrived.replace(target)
        return RawPart(
            file=file.name,
            name=part,
            source=_page(dataset.slug),
            source_version=str(found.current_version_number),
            zip_sha256=zip_sha256,
            licence=found.license_name or None,
        )

    def _download(self, client: Any, dataset: Dataset, request: Any, into: Path, shown: str) -> None:
        """Download into ``into``; what came before a cut connection is kept, and the rest asked for."""
        etag = ""

        def attempt() -> None:
            nonlocal etag
            have = into.stat().st_size if into.exists() and etag else 0
            response = client.datasets.dataset_api_client.download_dataset(request)
            if have:
                response.close()
                # Without the client's credentials: the address is signed, and of another host.
                ranged = {"Range": f"bytes={have}-", "If-Range": etag, "Accept-Encoding": "identity"}
                with requests.Session() as session:
                    self._mount(session)
                    response = session.get(response.url, headers=ranged, stream=True)
            with response:
                response.raise_for_status()
                etag = response.headers.get("ETag", "")
                have = have if response.status_code == requests.codes.partial_content else 0
                length = response.headers.get("Content-Length")
                total = have + int(length) if length else None
                with into.open("ab" if have else "wb") as stream, bar(f"downloading {shown}", total, "B") as progress:
                    progress.update(have)
                    for block in response.iter_content(_BLOCK_BYTES):
                        stream.write(block)
                        progress.update(len(block))

        self._call(dataset.slug, self._resume, attempt)

    def _get(self, client: Any, dataset: Dataset) -> Any:
        request = ApiGetDatasetRequest()
        if not dataset.slug:
            raise SourceError(
                f"The declaration of {dataset.name} does not say what it is called on Kaggle.",
                where=dataset.name,
                fix="Give it slug=, or another source.",
            )
        request.owner_slug, request.dataset_slug = dataset.slug.split("/")
        return self._call(dataset.slug, client.datasets.dataset_api_client.get_dataset, request)

    def _list(self, client: Any, dataset: Dataset, version: int) -> dict[str, int]:
        """The size in bytes of every file of the version by its name, folder included."""
        request = ApiListDatasetFilesRequest()
        request.owner_slug, request.dataset_slug = dataset.slug.split("/")
        request.dataset_version_number = version
        request.page_size = _PAGE_FILES
        sizes: dict[str, int] = {}
        while True:
            page = self._call(dataset.slug, client.datasets.dataset_api_client.list_dataset_files, request)
            sizes |= {file.name: file.total_bytes for file in page.dataset_files}
            if not page.next_page_token:
                return sizes
            request.page_token = page.next_page_token

    @contextmanager
    def _client(self) -> Iterator[Any]:
        name, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
        with KaggleClient(username=name, password=key, user_agent="nequi_lake") as client:
            session = client.http_client()._session  # The client hands out its session in no public way.
            if not session.auth:
                raise UsageError(
                    "There are no credentials for Kaggle.",
                    where="KAGGLE_API_TOKEN, KAGGLE_USERNAME and KAGGLE_KEY, ~/.kaggle/kaggle.json",
                    fix=_CREDENTIALS,
                )
            remember(session.auth[1] if isinstance(session.auth, tuple) else session.auth.token)
            self._mount(session)
            yield client

    def _mount(self, session: requests.Session) -> None:
        """Give a session its timeout and its retries."""
        # urllib3 logs the address whose connection broke, and those of downloads are signed: `_resume` retries them.
        answers_only = _Adapter(self._timeout_s, self._retry.new(connect=0, read=0, other=0))
        for scheme in ("https://", "http://"):
            session.mount(scheme, answers_only)
        session.mount(f"{get_endpoint(get_env())}/", _Adapter(self._timeout_s, self._retry))

    def _call(self, slug: str, method: Any, *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except requests.HTTPError as error:
            answer = error.response
            assert answer is not None
            answer.close()
            # Not chained: the cause's text holds signed addresses.
            raise _translated(slug, answer.status_code, answer.headers.get("Retry-After")) from None
        except (requests.RequestException, ConnectionError) as error:
            raise TransientError(
                f"Kaggle could not be reached, or broke off ({type(error).__name__}).",
                where=_page(slug),
                fix="Check the network and the proxy, and run it again.",
            ) from None


def _wraps(path: Path, name: str, listed_bytes: int) -> bool:
    """Whether what came for a file is a zip around it, sound or not, and not a file that is a zip by its own format."""
    with path.open("rb") as stream:
        is_zip = stream.read(4) == b"PK\x03\x04"
    is_so_by_format = name.lower().endswith((".zip", ".xlsx"))
    return is_zip and not (is_so_by_format and path.stat().st_size == listed_bytes)


def _page(slug: str) -> str:
    return f"https://www.kaggle.com/datasets/{slug}" if slug else "https://www.kaggle.com"


def _refuse_missing(dataset: Dataset, contents: Contents, listing: Collection[str]) -> None:
    for file in dataset.files:
        if not contents.files[file.name] and not file.is_optional:
            raise SourceError(
                f"{dataset.slug} has no file {file.name}. It has {listed(sorted(listing)) or 'no files'}.",
                where=contents.where,
                fix="If it has another name now, declare that among the file's aliases.",
            )


def _refused() -> SourceError:
    return SourceError(
        "Kaggle refuses the credentials: they are wrong or have expired.",
        where="KAGGLE_API_TOKEN, KAGGLE_USERNAME and KAGGLE_KEY, ~/.kaggle/kaggle.json",
        fix=_CREDENTIALS,
    )


def _translated(slug: str, status: int, retry_after: str | None) -> SourceError | TransientError:
    """The error that an HTTP status stands for."""
    where = _page(slug)
    if status == requests.codes.unauthorized:
        return _refused()
    if status == requests.codes.forbidden:
        return SourceError(
            f"Kaggle does not let this account read {slug or 'it'}: it is private, or its terms are not accepted.",
            where=where,
            fix=f"Open {where} with this account and accept the terms, or ask its owner for access.",
        )
    if status == requests.codes.not_found:
        return SourceError(
            f"Kaggle has no {slug or 'such page'}.",
            where=where,
            fix="Check the slug in the dataset's declaration; the dataset may have been removed.",
        )
    if status == requests.codes.too_many_requests:
        until = f"in {retry_after} seconds" if retry_after and retry_after.isdecimal() else "later"
        return TransientError("Kaggle has had too many requests.", where=where, fix=f"Try again {until}.")
    if status // 100 == 5 or status == requests.codes.request_timeout:
        return TransientError(f"Kaggle fails (HTTP {status}).", where=where, fix="Try again later.")
    return SourceError(f"Kaggle refuses (HTTP {status}).", where=where, fix=f"Open {where} and see if it is there.")
