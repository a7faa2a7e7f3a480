"""What a person is told when the storage refuses, and whether it is tried again."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import botocore.exceptions
import duckdb
import pytest

from nequi_lake import Lake
from nequi_lake.errors import NequiLakeError, StorageError, TransientError, UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake.lake.storage.faults import translate_error

HERE = "s3://bucket/lake"


def answer(code: str, status: int = 400, message: str = "words of the server") -> Exception:
    """An answer of AWS that refuses."""
    told = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    refusal: Exception = botocore.exceptions.ClientError(told, "PutObject")
    return refusal


REFUSALS = {
    "expired": (answer("ExpiredToken"), UsageError, "have expired"),
    "unknown key": (answer("InvalidAccessKeyId", 403), UsageError, "does not accept the credentials"),
    "wrong secret": (answer("SignatureDoesNotMatch", 403), UsageError, "does not accept the credentials"),
    "denied": (answer("AccessDenied", 403), StorageError, "does not allow PutObject"),
    "no bucket": (answer("NoSuchBucket", 404), UsageError, "Deploying the stack makes the bucket"),
    "slow down": (answer("SlowDown", 503), TransientError, "too busy"),
    "internal": (answer("InternalError", 500), TransientError, "AWS failed at PutObject: InternalError"),
    "an answer without S3's words": (answer("500", 500), TransientError, "was cut short, or a server on the way"),
    "some other 503": (answer("Whatever", 503), TransientError, "too busy"),
    "throttled": (answer("ThrottlingException"), TransientError, "too busy"),
    "no encryption": (answer("NotImplemented", 501), StorageError, "NEQUI_LAKE_ENCRYPTION=none"),
    "refused": (answer("InvalidRequest"), StorageError, "words of the server"),
    "no network": (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"), TransientError, "network"),
    "cut": (botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"), TransientError, "could not be reached"),
    "no credentials": (botocore.exceptions.NoCredentialsError(), UsageError, "aws configure"),
    "no profile": (botocore.exceptions.ProfileNotFound(profile="x"), UsageError, "aws configure"),
    "polars, denied": (OSError("Generic S3 error: 403 AccessDenied"), StorageError, "does not allow"),
    "arrow through duckdb, cut": (
        duckdb.InvalidInputException("AWS Error UNKNOWN during GetObject operation: Failed to flush response stream"),
        TransientError,
        "broke off",
    ),
    "polars, cut": (OSError("Generic S3 error: after 5 retries: error sending request"), TransientError, "broke off"),
    "disk full": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/lake/x"), StorageError, "The disk is full"),
    "read only": (OSError(errno.EROFS, os.strerror(errno.EROFS), "/lake/x"), StorageError, "Read-only"),
}


@pytest.mark.parametrize(("error", "kind", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_what_to_do_and_whether_to_try_again(
    error: Exception, kind: type[NequiLakeError], words: str
) -> None:
    assert "nequi_lake.lake.storage.aws" in sys.modules
    told = translate_error(error, HERE)
    assert type(told) is kind
    assert words in str(told)
    assert told.where
    assert told.fix


def test_the_cause_of_a_wrapped_refusal_is_found() -> None:
    wrapped = PermissionError("Forbidden")
    wrapped.__cause__ = answer("AccessDenied", 403)
    assert "does not allow PutObject" in str(translate_error(wrapped, HERE))


def test_a_chain_of_causes_that_leads_back_has_an_end() -> None:
    outer, inner = OSError("outer"), OSError("inner")
    outer.__cause__, inner.__cause__ = inner, outer
    assert translate_error(outer, HERE) is None


def test_what_is_no_fault_of_the_storage_is_left_alone() -> None:
    assert translate_error(ZeroDivisionError(), HERE) is None
    assert translate_error(KeyError("x"), HERE) is None


def test_without_credentials_a_reader_is_reported_to_log_in(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Exception) as raised:
        Lake(Settings.from_env({"NEQUI_LAKE_URI": HERE})).tables()
    told = translate_error(raised.value, HERE)
    assert isinstance(told, UsageError)
    assert "no AWS credentials" in told.what


def test_without_a_region_the_setting_is_named(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(UsageError, match="AWS_REGION"):
        open_storage(Settings.from_env({"NEQUI_LAKE_URI": HERE})).check_access()


def test_a_server_that_is_not_there_may_come_back(
    bucket_lake: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.lake.storage.aws.MAX_ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    storage = open_storage(Settings.from_env(bucket_lake))
    with pytest.raises(Exception) as raised:
        storage.write(storage.path("x"), b"")
    assert isinstance(translate_error(raised.value, HERE), TransientError)


def test_a_secret_is_in_no_message(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    with pytest.raises(UsageError) as told:
        open_storage(Settings.from_env({"NEQUI_LAKE_URI": HERE})).check_access()
    assert "very-secret" not in str(told.value)


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")
    storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake")}))
    with pytest.raises(OSError) as raised:
        storage.write(storage.path("x"), b"")
    told = translate_error(raised.value, storage.uri)
    assert isinstance(told, StorageError)
    assert str(tmp_path / "lake") in str(told)
