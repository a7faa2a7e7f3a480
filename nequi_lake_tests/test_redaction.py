"""What people see of a secret, whoever writes the message: nothing, in none of the forms in which it may be written."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy import make_url

from nequi_lake.errors import NequiLakeError, UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.faults import translate_error
from nequi_lake.redaction import redact, remember, scrub, show_url

SECRET = "C4n4ry %ö\"'/@?&<x>"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:////lake/catalog.db", "sqlite:////lake/catalog.db"),
        ("sqlite:////me@home:x/catalog.db?timeout=5&key=c4n4ry", "sqlite:////me@home:x/catalog.db?timeout=5&key=***"),
        ("sqlite+pysqlcipher://:c4n4ry@//x.db", "sqlite+pysqlcipher://:***@//x.db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:c4n4ry@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me:c4%2Fn4ry%40@host/db?sslmode=require", "postgresql://me:***@host/db?sslmode=require"),
        ("postgresql://host/db?user=me&password=c4n4ry", "postgresql://host/db?user=me&password=***"),
        ("postgresql://host/db?user=me&pass%77ord=c4n4?ry", "postgresql://host/db?user=me&pass%77ord=***"),
        (
            "postgresql://me:c4n4ry@/db?host=/run/pg&sslpassword=c4n4ry",
            "postgresql://me:***@/db?host=/run/pg&sslpassword=***",
        ),
        ("mssql://host/db?odbc_connect=PWD%3Dc4n4ry", "mssql://host/db?odbc_connect=***"),
        # What should have been encoded.
        ("postgresql://me:c4/n4ry@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:c4@n4ry@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:c4?n4ry@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:c4@n4?ry@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:c4?a=n4ry@host/db", "postgresql://me:***@host/db"),
        ("postgresql://host:5/db?user=me@acme&password=c4n4ry", "postgresql://host:***@acme?password=***"),
        # What is no address.
        ("me:c4n4ry@host/db", "***"),
        ("host=x password=c4n4ry", "***"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert show_url(url) == shown
    settings = Settings(uri="/lake", catalog_uri=url)
    assert settings.catalog_shown == shown
    assert "c4n4ry" not in repr(settings)


@pytest.mark.parametrize(
    "written",
    {
        "as it is": SECRET,
        "encoded": quote(SECRET, safe=""),
        "encoded as a path": quote(SECRET),
        "encoded as a form": quote_plus(SECRET),
        "encoded in small letters": quote(SECRET, safe="").replace("%C3%B6", "%c3%b6").replace("%2F", "%2f"),
        "encoded by SQLAlchemy": str(make_url("x://h").set(password=SECRET, username="me").render_as_string(False)),
        "as Python writes it": repr(SECRET),
        "in JSON": json.dumps({"password": SECRET}),
        "in HTML": html.escape(SECRET),
    }.values(),
)
def test_a_secret_is_hidden_in_every_form(written: str) -> None:
    remember(SECRET)
    assert "4n4ry" in written
    said = redact(f"it was {written}, and was refused")
    assert "4n4ry" not in said.lower()
    assert said.startswith("it was ")
    assert said.endswith(", and was refused")


@pytest.mark.parametrize(
    "name",
    [
        "PGPASSWORD",
        "KAGGLE_KEY",
        "KAGGLE_API_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "DAGSTER_POSTGRES_PASSWORD",
    ],
)
def test_a_secret_of_the_environment_is_hidden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "c4n4ry-of-the-environment")
    assert redact("refused: c4n4ry-of-the-environment.") == "refused: ***."
    assert str(NequiLakeError("c4n4ry-of-the-environment", where="c4n4ry-of-the-environment")) == "***\n  where: ***"


def test_what_names_a_secret_and_is_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/identity")
    monkeypatch.setenv("OIDC_SECRET_ARN", "arn:aws:secretsmanager:x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    said = "test s3://test/lake, /run/identity, arn:aws:secretsmanager:x, me@host, https://host/x@y:z"
    assert redact(said) == said


@pytest.mark.parametrize(
    "name",
    ["NEQUI_LAKE_URI", "NEQUI_LAKE_SOURCE", "NEQUI_LAKE_CATALOG", "NEQUI_LAKE_REPORTS_URL", "NEQUI_LAKE_ALERT_TOPIC"],
)
@pytest.mark.parametrize(
    "value", ["ftp://me:c4n4ry@host/x y", "ftp://host/x?password=c4n4ry y", "s3://me:c4n4ry@Bucket"]
)
def test_a_setting_that_is_refused_shows_no_password_of_its_address(name: str, value: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Settings.from_env({name: value})
    assert name in str(refusal.value)
    assert "c4n4ry" not in str(refusal.value)


def test_an_error_of_a_library_and_its_causes_say_no_secret() -> None:
    remember("c4n4ry-of-a-library")
    cause = ValueError("invalid port 'c4n4ry-of-a-library'")
    error = RuntimeError("no connection", cause)
    error.__cause__ = cause
    assert translate_error(error, "the lake") is None
    assert str(error.__cause__) == "invalid port '***'"
    assert "c4n4ry" not in f"{error} {error!r}"


def test_errors_that_cause_each_other_are_scrubbed_once() -> None:
    remember("c4n4ry-in-a-circle")
    one, other = ValueError("c4n4ry-in-a-circle"), KeyError("c4n4ry-in-a-circle")
    one.__context__, other.__context__ = other, one
    scrub(one)
    assert (one.args, other.args) == (("***",), ("***",))
