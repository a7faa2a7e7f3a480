"""The way into AWS: credentials of the standard chain, region, endpoint and retries, decided here for every library."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
import botocore.parsers
from botocore.config import Config

from nequi_lake.errors import NequiLakeError, StorageError, TransientError, UsageError

MAX_ATTEMPTS = 6
"""Attempts of a call before its failure is reported; the SDKs wait longer before each."""
_CONNECT_S, _READ_S = 10, 60

_LOGIN = "Give AWS credentials: aws configure, aws sso login, or the AWS_ variables; nequi-lake doctor looks at them."


@dataclass(frozen=True)
class Access:
    """How to reach AWS, or a server that speaks its protocol, for each library that does.

    Attributes:
        encryption: ``AES256``, ``none``, or the ARN of a KMS key; how every object that is written is encrypted.
    """

    encryption: str = "AES256"

    @cached_property
    def session(self) -> Any:
        """A boto3 session. It takes ``AWS_REGION`` too, which boto3 alone does not."""
        return boto3.Session(region_name=os.environ.get("AWS_REGION"))

    @cached_property
    def region(self) -> str:
        """The region.

        Raises:
            UsageError: nothing says which.
        """
        if self.session.region_name:
            return str(self.session.region_name)
        raise UsageError(
            "Nothing says which AWS region the lake is in.",
            where="AWS_REGION",
            fix="Set it, such as AWS_REGION=us-east-1.",
        )

    @cached_property
    def endpoint(self) -> str | None:
        """The URL of an S3 server that is not AWS; None where it is."""
        url = str(self.session.client("s3", region_name=self.region).meta.endpoint_url)
        return None if re.search(r"\.amazonaws\.com(\.cn)?$", urlsplit(url).hostname or "") else url

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return self.session.client(service, region_name=self.region, config=Config(**self._config(service)))

    def credentials(self) -> Mapping[str, str | None]:
        """The credentials of this moment: access_key, secret_key, token.

        Raises:
            UsageError: there are none.
        """
        found = self.session.get_credentials()
        if found is None:
            raise UsageError("There are no AWS credentials.", where="the standard chain of AWS", fix=_LOGIN)
        return dict(found.get_frozen_credentials()._asdict())

    def write_arguments(self) -> dict[str, str]:
        """What each boto3 call that writes an object says of its encryption."""
        if self.encryption == "none":
            return {}
        if self.encryption == "AES256":
            return {"ServerSideEncryption": "AES256"}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.encryption}

    def for_fsspec(self) -> dict[str, Any]:
        """Arguments of an ``s3fs.S3FileSystem``.

        Raises:
            UsageError: there are no credentials. A filesystem without them would be kept by fsspec, and never get any.
        """
        self.credentials()
        return {
            "endpoint_url": self.endpoint,
            "client_kwargs": {"region_name": self.region},
            "config_kwargs": self._config("s3"),
            "s3_additional_kwargs": self.write_arguments(),
            # Other processes write too, so what was listed a moment ago may be wrong.
            "use_listings_cache": False,
        }

    def for_polars(self, purpose: Literal["scan", "sink"]) -> dict[str, Any]:
        """Keyword arguments of a Polars scan or sink."""
        options: dict[str, Any] = {"aws_region": self.region, "max_retries": MAX_ATTEMPTS - 1}
        if self.endpoint:
            options |= {"aws_endpoint_url": self.endpoint}
            options |= {"aws_allow_http": "true"} if self.endpoint.startswith("http:") else {}
        if purpose == "sink" and self.encryption != "none":
            is_key = self.encryption != "AES256"
            options |= {"aws_server_side_encryption": "aws:kms" if is_key else "AES256"}
            options |= {"aws_sse_kms_key_id": self.encryption} if is_key else {}
        return {"storage_options": options, "credential_provider": self._polars_credentials}

    def for_arrow(self) -> dict[str, Any]:
        """Arguments of a ``pyarrow.fs.S3FileSystem``."""
        credentials = self.credentials()
        url = urlsplit(self.endpoint or "")
        return {
            "access_key": credentials["access_key"],
            "secret_key": credentials["secret_key"],
            "session_token": credentials["token"],
            "region": self.region,
            **({"scheme": url.scheme, "endpoint_override": url.netloc} if self.endpoint else {}),
        }

    def _polars_credentials(self) -> tuple[dict[str, str | None], int | None]:
        credentials = self.credentials()
        expires = getattr(self.session.get_credentials(), "_expiry_time", None)
        return (
            {
                "aws_access_key_id": credentials["access_key"],
                "aws_secret_access_key": credentials["secret_key"],
                **({"aws_session_token": credentials["token"]} if credentials["token"] else {}),
            },
            int(expires.timestamp()) if expires else None,
        )

    def _config(self, service: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "retries": {"mode": "standard", "max_attempts": MAX_ATTEMPTS},
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
        }
        if service == "s3" and self.endpoint:
            # Other servers are reached by name or address, and few know AWS's newer checksums.
            config |= {
                "s3": {"addressing_style": "path"},
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            }
        return config


def access(encryption: str = "AES256") -> Access:
    """The access of this process, made once for each state of the ``AWS_`` variables: clients are slow to make."""
    return _access(encryption, tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))))


@cache
def _access(encryption: str, _variables: tuple[tuple[str, str], ...]) -> Access:
    return Access(encryption)


_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_WRONG_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "UnrecognizedClientException"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation", "403"}
_BUSY = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "503",
}
_UNREACHED = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.IncompleteReadError,
)
_NO_LOGIN = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.ProfileNotFound,
)


def translate_error(error: BaseException, where: str) -> NequiLakeError | None:
    """What a failure of AWS means, human-readable, and whether asking again may help; None where it is not one.

    Args:
        error: what was raised; its causes are looked at too.
        where: what was asked for, for the case that the error does not say it.
    """
    for link in _chain(error):
        if isinstance(link, NequiLakeError):
            return link
        translated = _explain_one(link, where)
        if translated:
            return translated
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its cause, the cause of that, and so on; a chain may lead back to where it has been."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _explain_one(error: BaseException, where: str) -> NequiLakeError | None:
    if isinstance(error, botocore.exceptions.ClientError):
        return _explain_answer(error, where)
    if isinstance(error, botocore.parsers.ResponseParserError):
        return _explain_unreadable(error, where)
    if isinstance(error, _NO_LOGIN):
        return UsageError(f"There are no AWS credentials that can be used: {error}", where=where, fix=_LOGIN)
    if isinstance(error, botocore.exceptions.SSOError | botocore.exceptions.TokenRetrievalError):
        return UsageError(f"The AWS login has ended: {error}", where=where, fix="aws sso login")
    if _is_led_in_circles(error):
        return _no_store(where)
    if isinstance(error, _UNREACHED):
        return TransientError(
            f"AWS could not be reached: {error}",
            where=where,
            fix="Is there a network, and is AWS_ENDPOINT_URL right if it is set? Then run it again.",
        )
    # Polars and Arrow reach the store through libraries of their own, which report only in words.
    if any(words in str(error).lower() for words in ("s3 error", "aws error", "object store")):
        return _explain_words(str(error), where)
    return None


def _is_led_in_circles(error: BaseException) -> bool:
    """Whether botocore was sent elsewhere, asked where the bucket is, and was sent elsewhere again, without an end."""
    if isinstance(error, botocore.exceptions.HTTPClientError):
        return "maximum recursion depth" in str(error)
    frames = traceback.walk_tb(error.__traceback__) if isinstance(error, RecursionError) else ()
    return any("botocore" in frame.f_code.co_filename for frame, _ in frames)


def _explain_answer(error: botocore.exceptions.ClientError, where: str) -> NequiLakeError | None:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _EXPIRED:
        return UsageError("The AWS credentials have expired.", where=where, fix=_LOGIN)
    if code in _WRONG_KEY:
        return UsageError(f"AWS does not accept the credentials: {code}.", where=where, fix=_LOGIN)
    if code == "RequestTimeTooSkewed":
        return UsageError(
            f"The clock of this machine is wrong: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. AWS answers no request of "
            "another time.",
            where=where,
            fix="Set it, such as by timedatectl set-ntp true; in a container or virtual machine, that of its host.",
        )
    # S3 says why in words of its own, but to HEAD.
    if 300 <= status < 400 or (code in ("", "403") and not error.operation_name.startswith("Head")):
        return _no_store(where)
    if code == "400":
        # The answer to a HEAD has no words.
        return UsageError(
            f"AWS refuses {error.operation_name} and does not say why; credentials that have expired are refused so.",
            where=where,
            fix=_LOGIN,
        )
    if code in _DENIED:
        return StorageError(
            f"AWS does not allow {error.operation_name} to whom these credentials belong.",
            where=where,
            fix="Use the pipeline's role, or the reader's for reading (outputs of the stack), or widen the policy.",
        )
    if code == "NoSuchBucket":
        return UsageError(
            "The bucket does not exist.",
            where=where,
            fix="Is NEQUI_LAKE_URI right? Deploying the stack makes the bucket: docs/infrastructure.md",
        )
    if code in ("NotImplemented", "InvalidArgument", "InvalidRequest", "InvalidEncryptionAlgorithmError"):
        return StorageError(
            f"The server refuses {error.operation_name}: {error.response['Error'].get('Message') or code}.",
            where=where,
            fix="If it does not encrypt by itself, set NEQUI_LAKE_ENCRYPTION=none.",
        )
    if code in _BUSY or status == 503:
        return TransientError(f"AWS was too busy for {error.operation_name}: {code}.", where=where, fix="Run it again.")
    if code.isdecimal() and int(code) >= 500:
        # An answer without S3's own words: botocore takes one that was cut short for that of a server that failed.
        return TransientError(
            f"The answer of AWS to {error.operation_name} was cut short, or a server on the way failed: {code}.",
            where=where,
            fix="Run it again.",
        )
    if code in ("InternalError", "InternalServiceException") or status >= 500:
        return TransientError(f"AWS failed at {error.operation_name}: {code}.", where=where, fix="Run it again.")
    return None


def _no_store(where: str) -> StorageError:
    return StorageError(
        "What answers is no object store: it sends a web page, or sends elsewhere.",
        where=where,
        fix="Is AWS_ENDPOINT_URL right where it is set? Is a proxy (HTTPS_PROXY) or the login page of a network in "
        "between? Open any page in a browser, log in, and run it again.",
    )


def _explain_unreadable(error: botocore.parsers.ResponseParserError, where: str) -> NequiLakeError:
    """What an answer is that cannot be read: a page for people, or one that was cut short."""
    if re.search(r"<!doctype|<html", str(error), re.IGNORECASE):
        return _no_store(where)
    return TransientError(
        "The answer of AWS was cut short, or damaged on its way.",
        where=where,
        fix="Run it again. If it stays so: is a proxy in between, and is AWS_ENDPOINT_URL right where it is set?",
    )


def _explain_words(text: str, where: str) -> NequiLakeError:
    shown = " ".join(text.split())[:300]
    if re.search(r"AccessDenied|403|permission|privilege", text):
        return StorageError(
            f"AWS does not allow what was asked: {shown}",
            where=where,
            fix="Use the pipeline's role, or widen its policy.",
        )
    if re.search(
        r"retries|timed? ?out|50\d|error sending request|connection|SlowDown|flush response", text, re.IGNORECASE
    ):
        return TransientError(f"AWS could not be reached, or broke off: {shown}", where=where, fix="Run it again.")
    return StorageError(f"The object store refuses: {shown}", where=where, fix="nequi-lake doctor looks at the bucket.")
