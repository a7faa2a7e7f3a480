"""What needs no server: addresses, statements, and what is said where there is no warehouse."""

from __future__ import annotations

import sys
from pathlib import Path

import dataframely as dy
import pytest

from nequi_lake.datasets.contract import column_meta
from nequi_lake.errors import UsageError
from nequi_lake.warehouse.address import parse_address
from nequi_lake.warehouse.ddl import script
from nequi_lake.warehouse.load import load
from nequi_lake_tests.conftest import Shell
from nequi_lake_tests.warehouse.shop import SHOP, lake_of, with_contract


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("postgresql://ana@db:5433/lake", {"user": "ana", "host": "db", "port": "5433", "dbname": "lake"}),
        ("postgres:///lake", {"dbname": "lake"}),
        (
            "postgresql://ana:a%40b%2Fc@[::1]/lake",
            {"user": "ana", "password": "a@b/c", "host": "::1", "dbname": "lake"},
        ),
        (
            "postgresql://db.acme.com/lake?sslmode=verify-full&sslrootcert=%2Fca.pem",
            {"host": "db.acme.com", "dbname": "lake", "sslmode": "verify-full", "sslrootcert": "/ca.pem"},
        ),
    ],
)
def test_an_address_is_taken_apart(uri: str, parts: dict[str, str]) -> None:
    assert parse_address(uri).parts == parts


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ana:c4n4ry-w0rd@db",
        "postgresql://ana:c4n4ry-w0rd@db:port/lake",
        "postgresql://ana:c4n4ry-w0rd@more@db/lake",
        "postgresql://ana:c4n4ry-w0rd/x@db/lake",
        "mysql://ana:c4n4ry-w0rd@db/lake",
        "host=db password=c4n4ry-w0rd",
        "postgresql://ana:c4n4ry-w0rd@db/lake?passfile=c4n4ry-w0rd",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(UsageError, match=r"warehouse|NEQUI_LAKE_WAREHOUSE") as refusal:
        parse_address(uri)
    assert "c4n4ry-w0rd" not in str(refusal.value)


def test_the_statements_have_types_keys_references_and_comments() -> None:
    assert script(SHOP, "analyst") == (
        'CREATE SCHEMA IF NOT EXISTS "shop";\n'
        "COMMENT ON SCHEMA \"shop\" IS 'Shop.';\n"
        'CREATE TABLE "shop"."customers" (\n'
        '    "id" bigint NOT NULL,\n'
        '    "name" text\n'
        ");\n"
        'ALTER TABLE "shop"."customers" ADD PRIMARY KEY ("id");\n'
        'CREATE TABLE "shop"."orders" (\n'
        '    "number" character varying(20) NOT NULL,\n'
        '    "customer" bigint NOT NULL,\n'
        '    "amount" numeric(12,2) NOT NULL,\n'
        '    "paid" boolean\n'
        ");\n"
        'ALTER TABLE "shop"."orders" ADD PRIMARY KEY ("number");\n'
        'CREATE INDEX ON "shop"."orders" ("customer");\n'
        'ALTER TABLE "shop"."orders" ADD FOREIGN KEY ("customer") REFERENCES "shop"."customers" ("id") '
        "DEFERRABLE INITIALLY DEFERRED;\n"
        "COMMENT ON TABLE \"shop\".\"customers\" IS 'Customers'' names.';\n"
        'COMMENT ON COLUMN "shop"."customers"."id" IS \'Number. (id)\';\n'
        'COMMENT ON COLUMN "shop"."customers"."name" IS \'What it\'\'s called. (text)\';\n'
        'COMMENT ON TABLE "shop"."orders" IS \'Orders.\';\n'
        'COMMENT ON COLUMN "shop"."orders"."number" IS \'Number. (id)\';\n'
        'COMMENT ON COLUMN "shop"."orders"."customer" IS \'Who orders. (id)\';\n'
        'COMMENT ON COLUMN "shop"."orders"."amount" IS \'Amount. (EUR)\';\n'
        'COMMENT ON COLUMN "shop"."orders"."paid" IS \'Whether paid. (flag)\';\n'
        'GRANT USAGE ON SCHEMA "shop" TO "analyst";\n'
        'GRANT SELECT ON ALL TABLES IN SCHEMA "shop" TO "analyst";\n'
    )


def test_a_name_that_is_a_word_of_sql_is_quoted() -> None:
    class Words(dy.Schema):
        """One row per word."""

        select = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
        name = dy.String(description="Name.", metadata=column_meta(unit="text", source="name"))

    assert '"select" bigint NOT NULL' in script(with_contract("customers", Words))


def test_the_command_prints_them_without_a_warehouse(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "lake"))
    code, out, _ = shell("warehouse", "ddl", "cite_sum")
    assert code == 0
    assert 'CREATE TABLE "cite_sum"."papers"' in out
    assert 'CREATE TABLE "credit_risk"' not in out


def test_without_a_warehouse_it_says_what_to_set(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "lake"))
    code, _, said = shell("warehouse", "load", "cite_sum")
    assert code == 2
    assert "NEQUI_LAKE_WAREHOUSE" in said
    assert "postgresql://USER@HOST" in said


def test_where_the_driver_is_missing_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match="extra 'warehouse'"):
        load(lake_of(tmp_path, warehouse="postgresql://nobody@localhost/lake"), SHOP)
