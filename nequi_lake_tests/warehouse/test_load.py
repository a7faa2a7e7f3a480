"""Releases in a real PostgreSQL: whole, equal to the lake's, and loaded once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import psycopg
import pytest
from psycopg import sql

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import TransientError, UsageError, WarehouseError
from nequi_lake.formats import JsonLinesFile
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.warehouse.difference import write_rows
from nequi_lake.warehouse.load import load
from nequi_lake.warehouse.status import status
from nequi_lake.warehouse.verify import verify
from nequi_lake_tests.conftest import released
from nequi_lake_tests.pipeline.test_carried_types import CASES
from nequi_lake_tests.postgres import Database
from nequi_lake_tests.warehouse.shop import SHOP, Customers, Orders, lake_of, publish, with_contract

pytestmark = pytest.mark.postgres
MANY = [(n, f"name {n}") for n in range(200)]
BOUGHT = [(f"o{n}", n % 200, f"{n}.10", "true" if n % 3 else "") for n in range(1000)]


def address(of: Database, **parts: str | int) -> str:
    """The database's address with other parts, as the setting has it."""
    return of.changed(drivername="postgresql", **parts).replace(" ", "%20")


class Warehouse:
    """A database that is loaded, and a lake of the shop that is loaded into it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.uri = address(database)

    def publish(self, customers: Sequence[Any], orders: Sequence[Any], dataset: Dataset = SHOP) -> Lake:
        """Publish a release."""
        return publish(self.folder, customers, orders, dataset, warehouse=self.uri)

    def lake(self, dataset: Dataset = SHOP, **settings: str) -> Lake:
        """The lake."""
        return lake_of(self.folder, dataset, **{"warehouse": self.uri, **settings})

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, statement: str) -> None:
        """Run a statement."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def warehouse(database: Database, tmp_path: Path) -> Warehouse:
    return Warehouse(database, tmp_path)


def changes(lake: Lake, dataset: Dataset = SHOP, **options: bool) -> dict[str, int]:
    """Load; how many rows of each table were changed."""
    return {one.name.partition(".")[2]: one.changed for one in load(lake, dataset, **options)}


def differences(lake: Lake, dataset: Dataset = SHOP) -> list[str]:
    """In what the warehouse differs from the lake."""
    return [problem for check in verify(lake, dataset) for problem in check.problems]


def test_each_release_is_loaded_once_and_is_the_lakes(warehouse: Warehouse) -> None:
    lake = warehouse.publish(MANY, BOUGHT)
    assert changes(lake) == {"customers": 200, "orders": 1000}
    assert differences(lake) == []
    assert changes(lake) == {"customers": 0, "orders": 0}
    lake = warehouse.publish([*MANY[1:], (900, "new")], [*BOUGHT[:-5], ("o900", 900, "1.00", "")][5:])
    # One gone and one new; ten gone, one new, and those of customer 0 refer to nobody.
    load(lake, SHOP)
    assert differences(lake) == []
    held = warehouse.ask("SELECT release, sequence, rows FROM nequi_lake.releases ORDER BY id")
    assert [row[1] for row in held] == [1, 2]
    (state,) = status(lake, [SHOP])
    assert state.is_current


def test_only_what_differs_is_written(warehouse: Warehouse) -> None:
    load(warehouse.publish(MANY, BOUGHT), SHOP)
    before = warehouse.ask("SELECT xmin::text FROM shop.orders WHERE number = 'o7'")
    changed = [(*order[:2], "0.01", *order[3:]) if order[0] == "o8" else order for order in BOUGHT]
    assert changes(warehouse.publish(MANY, changed)) == {"customers": 0, "orders": 1}
    assert warehouse.ask("SELECT xmin::text FROM shop.orders WHERE number = 'o7'") == before
    assert warehouse.ask("SELECT amount::text FROM shop.orders WHERE number = 'o8'") == [("0.01",)]


def test_a_release_that_the_lake_went_back_to_is_loaded_again(warehouse: Warehouse) -> None:
    lake = warehouse.publish(MANY, BOUGHT)
    load(lake, SHOP)
    first = lake["shop"]["orders"].published.release.id
    load(warehouse.publish(MANY[:100], [order for order in BOUGHT if order[1] < 100]), SHOP)
    lake = warehouse.lake()
    roll_back(SHOP, first, lake.catalog, lake.storage)
    assert changes(lake) == {"customers": 100, "orders": 500}
    assert differences(lake) == []


def test_views_grants_and_prepared_statements_live_on(warehouse: Warehouse) -> None:
    role = warehouse.uri.split("@")[0].rpartition("/")[2].partition(":")[0] + "_reader"
    warehouse.database.do(f"CREATE ROLE {role}")
    try:
        warehouse.publish(MANY, BOUGHT)
        load(warehouse.lake(warehouse_reader=role), SHOP)
        warehouse.do("CREATE VIEW shop.totals AS SELECT customer, sum(amount) AS total FROM shop.orders GROUP BY 1")
        with psycopg.connect(warehouse.uri, autocommit=True, prepare_threshold=0) as reader:
            counted = "SELECT count(*) FROM shop.customers"
            assert reader.execute(counted).fetchall() == [(200,)]
            warehouse.publish(MANY[:150], [order for order in BOUGHT if order[1] < 150])
            load(warehouse.lake(warehouse_reader=role), SHOP)
            assert reader.execute(counted).fetchall() == [(150,)]
        assert warehouse.ask("SELECT count(*) FROM shop.totals") == [(150,)]
        assert warehouse.ask(f"SELECT has_table_privilege('{role}', 'shop.orders', 'SELECT')") == [(True,)]
    finally:
        warehouse.database.do(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_reader_role_that_is_not_there_is_named(warehouse: Warehouse) -> None:
    warehouse.publish(MANY, BOUGHT)
    with pytest.raises(UsageError, match="no role nobody_at_all"):
        load(warehouse.lake(warehouse_reader="nobody_at_all"), SHOP)
    assert warehouse.ask("SELECT to_regclass('shop.orders')") == [(None,)]


class Longer(Customers):
    """One row per customer."""

    town = dy.String(
        nullable=True, description="Where.", metadata=column_meta(unit="text", source="name", null_limit=1)
    )


class Texts(dy.Schema):
    """One row per customer."""

    id = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    name = dy.String(max_length=50, description="Name.", metadata=column_meta(unit="text", source="name"))


def test_a_new_column_is_added_and_views_stay(warehouse: Warehouse) -> None:
    load(warehouse.publish(MANY, BOUGHT), SHOP)
    warehouse.do("CREATE VIEW shop.names AS SELECT name FROM shop.customers")
    longer = with_contract("customers", Longer)
    lake = warehouse.publish(MANY, BOUGHT, longer)
    assert changes(lake, longer) == {"customers": 200, "orders": 0}
    assert differences(lake, longer) == []
    assert warehouse.ask("SELECT count(*) FROM shop.names") == [(200,)]


def test_another_shape_is_refused_with_the_views_on_it_until_it_is_rebuilt(warehouse: Warehouse) -> None:
    load(warehouse.publish(MANY, BOUGHT), SHOP)
    warehouse.do("CREATE VIEW public.names AS SELECT name FROM shop.customers")
    other = with_contract("customers", Texts)
    lake = warehouse.publish(MANY, BOUGHT, other)
    with pytest.raises(WarehouseError, match=r"name is text, and character varying\(50\) NOT NULL.*view public\.names"):
        load(lake, other)
    assert warehouse.ask("SELECT count(*) FROM public.names") == [(200,)]
    load(lake, other, rebuild=True)
    assert differences(lake, other) == []
    references = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'shop.orders'::regclass"
    assert warehouse.ask(references) == [(1,)]


def test_a_release_of_other_types_is_not_rounded_into_the_contracts(warehouse: Warehouse) -> None:
    floats = dy.Float64(description="Amount.", metadata=column_meta(unit="EUR", source="amount"))
    cents = type("Cents", (dy.Schema,), {**Orders.columns(), "amount": floats})
    warehouse.publish(MANY, [("o1", 1, "0.12345", "")], with_contract("orders", cents))
    with pytest.raises(WarehouseError, match=r"shop\.orders was published with other columns"):
        load(warehouse.lake(), SHOP)


def test_what_another_lake_loaded_is_not_replaced_unasked(warehouse: Warehouse, tmp_path: Path) -> None:
    load(warehouse.publish(MANY, BOUGHT), SHOP)
    other = Warehouse(warehouse.database, tmp_path / "other")
    lake = other.publish(MANY[:3], BOUGHT[:3])
    with pytest.raises(WarehouseError, match="from another lake"):
        load(lake, SHOP)
    assert warehouse.ask("SELECT count(*) FROM shop.customers") == [(200,)]
    load(lake, SHOP, take_over=True)
    assert differences(lake) == []


def test_a_table_that_somebody_dropped_is_made_again(warehouse: Warehouse) -> None:
    lake = warehouse.publish(MANY, BOUGHT)
    load(lake, SHOP)
    warehouse.do("DROP TABLE shop.customers CASCADE")
    assert changes(lake) == {"customers": 200, "orders": 0}
    references = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'shop.orders'::regclass"
    assert warehouse.ask(references) == [(1,)]


def test_every_type_arrives(warehouse: Warehouse, tmp_path: Path) -> None:
    names = {name: f"c{number}" for number, name in enumerate(CASES)}
    columns: dict[str, Any] = {
        "id": dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="id"))
    }
    for name, (column, _, _, _) in CASES.items():
        meta = column_meta(unit="x", source=names[name], null_limit=1)
        columns[names[name]] = column(nullable=True, description="Some value.", metadata=meta)
    schema = {"id": pl.Int64, **{names[name]: raw for name, (_, raw, _, _) in CASES.items()}}
    things = Dataset(
        name="things",
        files=(JsonLinesFile(name="things.json", description="Things.", schema=schema),),
        tables=(Table(name="things", description="Things.", contract=type("Things", (dy.Schema,), columns)),),
    )
    inbox = tmp_path / "inbox" / "things"
    inbox.mkdir(parents=True)
    full = {"id": 1, **{names[name]: given for name, (_, _, given, _) in CASES.items()}}
    (inbox / "things.json").write_text(
        "".join(json.dumps(row) + "\n" for row in (full, {**dict.fromkeys(full), "id": 2}))
    )
    lake = warehouse.lake(things)
    released(lake, "things")
    load(lake, things)
    assert differences(lake, things) == []
    (row, empty) = warehouse.ask("SELECT * FROM things.things ORDER BY id")
    assert list(row[1:]) == [expected for _, _, _, expected in CASES.values()]
    assert set(empty[1:]) == {None}


def test_texts_arrive_as_they_are(warehouse: Warehouse) -> None:
    odd = ['"a ""quoted"", text"', '"\\N"', "\\.", '"two\nlines"', "ñ☕", "NULL", '"  "', "''"]
    lake = warehouse.publish([(n, text) for n, text in enumerate(odd)], [("o1", 0, "1.00", "")])
    load(lake, SHOP)
    of_lake = lake["shop"]["customers"].to_polars().sort("id").rows()
    assert warehouse.ask("SELECT id, name FROM shop.customers ORDER BY id") == of_lake


def test_a_full_rebuild_in_between_is_no_reader_error(warehouse: Warehouse) -> None:
    load(warehouse.publish(MANY, BOUGHT), SHOP)
    with psycopg.connect(warehouse.uri) as reader:
        reader.execute(sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        assert reader.execute("SELECT count(*) FROM shop.customers").fetchall() == [(200,)]
        load(warehouse.publish(MANY[:10], [order for order in BOUGHT if order[1] < 10]), SHOP)
        assert reader.execute("SELECT count(*) FROM shop.orders").fetchall() == [(1000,)]


@pytest.mark.parametrize(
    ("change", "kind", "what"),
    [
        ({"password": "c4n4ry/wrong"}, UsageError, r"does not accept the password|does not let this user in"),
        ({"username": "nobody_at_all"}, UsageError, r"does not accept the password|does not let this user in"),
        ({"database": "no_such_database"}, UsageError, "no such database"),
    ],
)
def test_a_wrong_address_says_which_part(
    warehouse: Warehouse, change: dict[str, str], kind: type[Exception], what: str
) -> None:
    warehouse.publish(MANY, BOUGHT)
    lake = warehouse.lake(warehouse=address(warehouse.database, **change))
    with pytest.raises(kind, match=what) as refusal:
        load(lake, SHOP)
    assert "c4n4ry" not in str(refusal.value)


def test_a_server_that_is_not_there_may_come_back(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.publish(MANY, BOUGHT)
    monkeypatch.setattr("nequi_lake.warehouse.server.TRIES", 1)
    lake = warehouse.lake(warehouse=address(warehouse.database, port=1))
    with pytest.raises(TransientError, match="cannot be reached"):
        load(lake, SHOP)


def test_a_connection_that_breaks_is_tried_again(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = warehouse.publish(MANY, BOUGHT)
    tried: list[int] = []

    def broken(*arguments: Any, **options: Any) -> Any:
        tried.append(1)
        if len(tried) == 1:
            warehouse.database.do(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'nequi_lake'"
            )
        return write_rows(*arguments, **options)

    monkeypatch.setattr("nequi_lake.warehouse.load.write_rows", broken)
    load(lake, SHOP)
    assert differences(lake) == []
    assert len(tried) == 3
