"""The address of the catalog's database: what cannot be used is said in one message that has no password in it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from nequi_lake import Lake
from nequi_lake.errors import UsageError
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage

BEGINNING = "postgresql+psycopg2://me:"
ADDRESSES = {
    "a scheme of others": (
        "postgres://me:c4n4ry@127.0.0.1:9/lake",
        *("(postgres:// is not known)", "such as postgresql+psycopg2://USER:PASSWORD@HOST:5432/DATABASE"),
    ),
    "a driver that is not there": (
        "postgresql+asyncpg://me:c4n4ry@127.0.0.1:9/lake",
        *("is not installed: asyncpg", "pip install 'nequi_lake[postgres]'"),
    ),
    "a port that is none": (f"{BEGINNING}c4n4ry@127.0.0.1:c4n4ry/lake", "(ValueError)", "is a SQLAlchemy URL"),
    "a text": ("c4n4ry", "(ArgumentError)", "is a SQLAlchemy URL"),
    "an @ in a password": (f"{BEGINNING}c4n4ry@x@127.0.0.1:9/lake", "mean something else", "%40 for @"),
    "an @ and a / in a password": (f"{BEGINNING}c4n4ry/@x@127.0.0.1:9/lake", "mean something else", "%2F for /"),
    "an @ and a ? in a password": (f"{BEGINNING}@c4n4ry?x@127.0.0.1:9/lake", "mean something else", "%3F for ?"),
}


@pytest.mark.parametrize(("address", "said", "fix"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_cannot_be_used(settings: Settings, address: str, said: str, fix: str) -> None:
    ensure_identity(open_storage(settings))
    with pytest.raises(UsageError) as refusal:
        Lake(replace(settings, catalog_uri=address)).tables()
    assert said in refusal.value.what
    assert refusal.value.where
    assert fix in (refusal.value.fix or "")
    assert "c4n4ry" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_driver_that_is_documented_and_not_installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_identity(open_storage(settings))
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(UsageError, match="is not installed: psycopg2") as refusal:
        Lake(replace(settings, catalog_uri=f"{BEGINNING}c4n4ry@127.0.0.1:9/lake")).tables()
    assert "pip install 'nequi_lake[postgres]'" in (refusal.value.fix or "")


@pytest.mark.parametrize("password", ["c4n4ry/pass", "c4n4ry?x", "c4n4ry:x", "c4n4ry%40x", "c4n4ry%zz"])
def test_a_password_that_can_be_read_is_taken_to_the_server(settings: Settings, password: str) -> None:
    ensure_identity(open_storage(settings))
    with pytest.raises(Exception, match="port 9 failed: Connection refused") as refusal:
        Lake(replace(settings, catalog_uri=f"{BEGINNING}{password}@127.0.0.1:9/lake")).tables()
    assert "c4n4ry" not in str(refusal.value)
