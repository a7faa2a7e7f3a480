"""A declaration says all that a person needs, and one that contradicts itself is refused before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import dataframely as dy
import polars as pl
import pyarrow as pa
import pytest

from nequi_lake.datasets.constraints import Constraint, Kind
from nequi_lake.datasets.contract import Column, arrow_schema, column_meta, columns, one_of
from nequi_lake.datasets.spec import Dataset, Mart, Partition, Relation, Table
from nequi_lake.engines.duckdb import sql_of
from nequi_lake.errors import DeclarationError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.declared import declarations, discover
from nequi_lake_tests.conftest import declared

Declared = Mapping[str, Dataset]

ORDERS = CsvFile(name="orders.csv", description="Orders.", columns=("order_id", "amount_usd"))


def contract(**changes: dy.Column | None) -> type[dy.Schema]:
    """A sound contract over the orders' columns; ``changes`` replaces or, with None, leaves out columns."""
    sound = {
        "order_id": dy.Int64(
            primary_key=True, description="Number of the order.", metadata=column_meta(unit="id", source="order_id")
        ),
        "amount_usd": dy.Float64(
            nullable=True,
            min=0,
            max=1000,
            description="What was paid.",
            metadata=column_meta(unit="USD", source="amount_usd", null_limit=0.1),
        ),
    }
    kept = {name: column for name, column in {**sound, **changes}.items() if column is not None}
    return cast("type[dy.Schema]", type("Orders", (dy.Schema,), kept))


def table(**changes: Any) -> Table:
    """A sound table of orders, but for the changes."""
    return Table(**{"name": "orders", "description": "Orders.", "contract": contract(), **changes})


def mart(name: str = "spending", **changes: Any) -> Mart:
    """A sound mart of orders, but for the changes of it, or of its column ``spent``."""
    key = dy.Int64(
        primary_key=True, description="The order.", metadata=column_meta(unit="id", derived_from=["orders.order_id"])
    )
    spent = changes.pop("spent", number(source=None, derived_from=["orders.amount_usd"]))
    facts = {"description": "Spending.", "contract": type("Spending", (dy.Schema,), {"order_id": key, "spent": spent})}
    return Mart(name=name, **{**facts, **changes})


def dataset(*tables: Table, file: CsvFile = ORDERS, marts: tuple[Mart, ...] = ()) -> Dataset:
    """A dataset of these tables; of one sound one by default."""
    return Dataset(
        name="shop",
        slug="somebody/shop",
        title="Shop",
        licence="CC0",
        use_case="Tests.",
        files=(file,),
        tables=tables or (table(),),
        marts=marts,
    )


def number(**facts: Any) -> dy.Column:
    """A column of numbers with these facts in place of sound ones."""
    return dy.Float64(
        description="What was paid.", metadata=column_meta(**{"unit": "USD", "source": "amount_usd", **facts})
    )


def every_column(datasets: Declared) -> Iterator[tuple[str, Column]]:
    """Each declared column, under its full name."""
    for dataset in datasets.values():
        for each in dataset.relations:
            for name, column in each.columns.items():
                yield f"{dataset.name}.{each.name}.{name}", column


def every_table(datasets: Declared) -> Iterator[tuple[str, Dataset, Relation]]:
    """Each declared table, under its full name, and its dataset."""
    for dataset in datasets.values():
        yield from ((f"{dataset.name}.{each.name}", dataset, each) for each in dataset.relations)


def test_every_column_is_described_in_a_sentence_of_its_own(datasets: Declared) -> None:
    placeholders = [
        name
        for name, column in every_column(datasets)
        if not column.description.endswith(".")
        or len(column.description.split()) < 2
        or column.description.rstrip(".").lower() in (column.name, column.name.replace("_", " "))
    ]
    assert placeholders == []


def test_every_column_has_a_unit_and_a_measure_one_of_measure(datasets: Declared) -> None:
    nothing = {"", "-", "?", "unit", "none", "unknown", "tbd", "todo"}
    assert [name for name, column in every_column(datasets) if column.unit.lower() in nothing] == []
    assert [
        name
        for name, column in every_column(datasets)
        if column.dtype.is_float() and column.unit in ("id", "text", "code")
    ] == []


def test_every_table_has_a_key_that_is_never_missing(datasets: Declared) -> None:
    tables = list(every_table(datasets))
    assert [name for name, _, each in tables if not each.key] == []
    assert [name for name, _, each in tables if any(each.columns[key].nullable for key in each.key)] == []


def test_every_foreign_key_holds_the_key_of_a_table_declared_before(datasets: Declared) -> None:
    for name, dataset, each in every_table(datasets):
        before = dataset.relations[: dataset.relations.index(each)]
        for reference in each.foreign_keys:
            assert reference.to in [other.name for other in before], name
            parent = dataset.relation(reference.to)
            keys = zip(reference.columns, parent.key, strict=True)
            assert all(each.columns[column].dtype == parent.columns[key].dtype for column, key in keys), name


def test_only_a_column_that_may_be_missing_has_a_null_limit(datasets: Declared) -> None:
    for name, column in every_column(datasets):
        assert 0 < column.null_limit <= 1 if column.nullable else column.null_limit == 0, name


def test_every_raw_column_is_in_a_table_or_dropped_with_a_reason(datasets: Declared) -> None:
    for dataset in datasets.values():
        for file in dataset.readable_files:
            used = {
                raw for each in dataset.tables_of(file) for c in each.columns.values() for raw in c.raw_columns
            } - file.constants.keys()
            assert used | file.dropped.keys() == set(file.field_paths), file.name
            assert not used & file.dropped.keys(), file.name
            assert [raw for raw, reason in file.dropped.items() if len(reason.split()) < 3] == [], file.name


def test_the_arrow_schema_has_required_fields_and_descriptions(datasets: Declared) -> None:
    for name, _, each in every_table(datasets):
        for field, column in zip(arrow_schema(each.contract), each.columns.values(), strict=True):
            assert (field.name, field.nullable) == (column.name, column.nullable), name
            assert field.metadata[b"doc"].decode() == column.description, name


def test_the_arrow_schema_has_the_types_that_iceberg_knows() -> None:
    found = arrow_schema(
        contract(
            note=dy.String(description="Words on it.", metadata=column_meta(unit="text", source="order_id")),
            placed_on=dy.Date(description="When it came.", metadata=column_meta(unit="date", source="order_id")),
        )
    )
    assert found.types == [pa.int64(), pa.float64(), pa.large_string(), pa.date32()]


def test_constraints_are_reported_in_words() -> None:
    found = columns(
        contract(
            status=dy.String(
                check=one_of("open", "paid"), description="State.", metadata=column_meta(unit="code", source="order_id")
            ),
            buyer_id=dy.String(
                regex="^[0-9]+$",
                description="Who ordered.",
                metadata=column_meta(unit="id", source="order_id", references="buyers"),
            ),
        )
    )
    assert {name: column.constraint_texts for name, column in found.items()} == {
        "order_id": ("key",),
        "amount_usd": ("must be >= 0", "must be <= 1000", "missing in at most 10 % of rows"),
        "status": ("must be one of open, paid",),
        "buyer_id": ("must match ^[0-9]+$", "references buyers"),
    }


def test_no_declared_constraint_is_reported_in_the_words_of_a_library(datasets: Declared) -> None:
    words = {name: " ".join(column.constraint_texts) for name, column in every_column(datasets)}
    assert {
        name: text for name, text in words.items() if any(bit in text for bit in ("__", "lambda", "pl.", "None"))
    } == {}


WRONG: Mapping[str, tuple[Callable[[], object], str, str]] = {
    "a column without a description": (
        lambda: dataset(
            table(contract=contract(amount_usd=dy.Float64(metadata=column_meta(unit="USD", source="amount_usd"))))
        ),
        "no description or unit",
        "Orders.amount_usd",
    ),
    "a column without a unit": (
        lambda: dataset(table(contract=contract(amount_usd=number(unit="")))),
        "no description or unit",
        "Orders.amount_usd",
    ),
    "a column of which nothing is said": (
        lambda: dataset(table(contract=contract(amount_usd=dy.Float64()))),
        "no description or unit",
        "Orders.amount_usd",
    ),
    "a column that may be missing, without a limit": (
        lambda: dataset(
            table(
                contract=contract(
                    amount_usd=dy.Float64(
                        nullable=True,
                        description="What was paid.",
                        metadata=column_meta(unit="USD", source="amount_usd"),
                    )
                )
            )
        ),
        "needs a null limit",
        "Orders.amount_usd",
    ),
    "a limit on a column that may not be missing": (
        lambda: dataset(table(contract=contract(amount_usd=number(null_limit=0.1)))),
        "needs a null limit",
        "Orders.amount_usd",
    ),
    "a column that comes from nowhere": (
        lambda: dataset(table(contract=contract(amount_usd=number(source=None)))),
        "where it comes from",
        "Orders.amount_usd",
    ),
    "a column that comes from somewhere in two ways": (
        lambda: dataset(table(contract=contract(amount_usd=number(derived_from=["order_id"])))),
        "where it comes from",
        "Orders.amount_usd",
    ),
    "a reference to a table that is not there": (
        lambda: dataset(table(contract=contract(amount_usd=number(references="buyers")))),
        "amount_usd references buyers",
        "shop.orders",
    ),
    "a reference to a table declared later": (
        lambda: dataset(
            table(name="lines", contract=contract(amount_usd=number(references="orders"))),
            table(),
        ),
        "amount_usd references orders",
        "shop.lines",
    ),
    "a column that comes from a raw column that is not there": (
        lambda: dataset(table(contract=contract(amount_usd=number(source="amount_eur")))),
        "amount_usd comes from amount_eur, which orders.csv does not have",
        "shop.orders",
    ),
    "a raw column that no table has": (
        lambda: dataset(table(contract=contract(amount_usd=None))),
        "no table has the raw column amount_usd",
        "shop, orders.csv",
    ),
    "a table without a key": (
        lambda: dataset(
            table(
                contract=contract(
                    order_id=dy.Int64(description="Its number.", metadata=column_meta(unit="id", source="order_id"))
                )
            )
        ),
        "no key",
        "shop.orders",
    ),
    "a partition by a column that is not there": (
        lambda: dataset(table(partition_by=Partition("issue_year"))),
        "no column: issue_year",
        "shop.orders",
    ),
    "a mart that is called as a table is": (
        lambda: dataset(marts=(mart("orders"),)),
        "two tables or marts are called orders",
        "shop",
    ),
    "two marts of one name": (
        lambda: dataset(marts=(mart(), mart())),
        "two tables or marts are called spending",
        "shop",
    ),
    "a mart's column of a table that is not there": (
        lambda: dataset(marts=(mart(spent=number(source=None, derived_from=["sales.amount_usd"])),)),
        "column spent comes from sales.amount_usd, which is no column",
        "shop.spending",
    ),
    "a mart's column of a column that is not there": (
        lambda: dataset(marts=(mart(spent=number(source=None, derived_from=["orders.amount"])),)),
        "column spent comes from orders.amount, which is no column",
        "shop.spending",
    ),
    "a mart's column of a raw column": (
        lambda: dataset(marts=(mart(spent=number()),)),
        "column spent has source=",
        "shop.spending",
    ),
    "a mart's column of another mart": (
        lambda: dataset(marts=(mart("first"), mart(spent=number(source=None, derived_from=["first.spent"])))),
        "first.spent, which is no column of the dataset's tables",
        "shop.spending",
    ),
    "a mart's reference to another mart": (
        lambda: dataset(
            marts=(
                mart("first"),
                mart(spent=number(source=None, derived_from=["orders.amount_usd"], references="first")),
            )
        ),
        "column spent references first",
        "shop.spending",
    ),
    "a mart that is called as the dataset is": (
        lambda: dataset(marts=(mart("shop"),)),
        "two release groups are called shop",
        "shop",
    ),
    "a mart without a key": (
        lambda: dataset(marts=(mart(contract=contract(order_id=None)),)),
        "no key",
        "shop.spending",
    ),
    "a mart cut by a column that is not there": (
        lambda: dataset(marts=(mart(partition_by=Partition("issue_year")),)),
        "no column: issue_year",
        "shop.spending",
    ),
}


def test_a_mart_says_which_tables_and_files_it_is_made_of() -> None:
    shop = dataset(marts=(mart(),))
    assert shop.relation("spending").upstream == ("orders",)
    assert shop.files_of(shop.relation("spending")) == (ORDERS,)
    assert {group.name: group.names for group in shop.release_groups} == {
        "shop": ("orders",),
        "spending": ("spending",),
    }
    assert [shop.release_group_of(name).name for name in ("orders", "spending")] == ["shop", "spending"]


def test_every_mart_has_its_sql_and_reads_only_what_it_declares(datasets: Declared) -> None:
    for declared_dataset in datasets.values():
        for each in declared_dataset.marts:
            read = set(re.findall(rf"\b{declared_dataset.name}\.(\w+)", sql_of(each)))
            # What reads nothing is a list of members that its SQL has, of columns of the tables that it says.
            assert read in (set(each.upstream), set()), each.name


@pytest.mark.parametrize("case", WRONG)
def test_a_declaration_is_refused_for(case: str) -> None:
    declare, what, where = WRONG[case]
    with pytest.raises(DeclarationError) as refusal:
        declare()
    assert what in refusal.value.what
    assert where in str(refusal.value.where)


@pytest.mark.parametrize("field", ["parse", "transform", "group_by", "explode", "files", "quarantine_limit"])
def test_a_mart_has_nothing_that_is_about_raw_records(field: str) -> None:
    with pytest.raises(TypeError, match=field):
        mart("spending", **{field: None})


def test_the_upstream_of_each_column_is_a_raw_column_or_a_column_of_a_table() -> None:
    split = dy.String(description="Its half.", metadata=column_meta(unit="code", source="half"))
    file = replace(ORDERS, constants={"half": "first"})
    shop = dataset(table(contract=contract(half=split)), file=file, marts=(mart(),))
    assert shop.column_lineage(shop.relation("orders")) == {
        "order_id": (("raw", "orders.csv", "order_id"),),
        "amount_usd": (("raw", "orders.csv", "amount_usd"),),
        "half": (),
    }
    assert shop.column_lineage(shop.relation("spending")) == {
        "order_id": (("processed", "orders", "order_id"),),
        "spent": (("processed", "orders", "amount_usd"),),
    }


def test_a_table_of_some_files_comes_from_those_alone() -> None:
    other = replace(ORDERS, name="returns.csv")
    shop = replace(dataset(), files=(ORDERS, other), tables=(table(), table(name="returned", files=("returns.csv",))))
    assert [source.name for source in shop.sources_of(shop.table("orders"))] == ["orders.csv", "returns.csv"]
    assert shop.column_lineage(shop.table("returned"))["order_id"] == (("raw", "returns.csv", "order_id"),)


def test_only_a_table_is_had_as_a_table() -> None:
    shop = dataset(marts=(mart(),))
    assert [relation.name for relation in shop.relations] == ["orders", "spending"]
    assert shop.relation("spending") is shop.mart("spending")
    with pytest.raises(KeyError):
        shop.table("spending")
    with pytest.raises(KeyError):
        shop.mart("orders")
    with pytest.raises(KeyError):
        shop.release_group_of("nothing")


def test_a_raw_column_may_be_dropped_with_a_reason() -> None:
    file = CsvFile(
        name="orders.csv",
        description="Orders.",
        columns=ORDERS.columns,
        dropped={"amount_usd": "the same in every record"},
    )
    assert list(dataset(table(contract=contract(amount_usd=None)), file=file).tables[0].columns) == ["order_id"]


def test_of_two_modules_that_declare_the_same_name_one_is_left_out(tmp_path: Path) -> None:
    again = "from nequi_lake.datasets.electric_motor import DATASET\n"
    with declared(tmp_path / "more", twin=again):
        found = declarations()
    assert "electric_motor" in str(found.broken["twin"])
    assert "twin.py" in str(found.broken["twin"].where)
    assert found.datasets["electric_motor"].tables


def test_a_module_that_declares_no_dataset_is_passed_over(tmp_path: Path, datasets: Declared) -> None:
    with declared(tmp_path / "more", helper="DATASET = 'not one'\n"):
        assert discover().keys() == datasets.keys()


def test_a_rule_of_a_column_holds_for_each_value_on_its_own() -> None:
    rules = columns(contract())["amount_usd"].rules(pl.col("amount_usd"))
    values = pl.DataFrame({"amount_usd": [-1.0, 0.0, 1000.0, 1001.0]})
    assert values.select(rules[Constraint(Kind.MIN, 0)]).to_series().to_list() == [False, True, True, True]
    assert values.select(rules[Constraint(Kind.MAX, 1000)]).to_series().to_list() == [True, True, True, False]


CONTRADICTIONS: dict[str, Callable[[], object]] = {
    "unknown file": lambda: dataset(table(), table(name="other", files=("nope.csv",))),
    "group_by": lambda: dataset(table(group_by=("zz",))),
    "explode": lambda: dataset(table(explode="zz")),
    "two tables of a name": lambda: dataset(table(), table()),
    "dropped unknown": lambda: dataset(file=replace(ORDERS, dropped={"zz": "a good reason here"})),
    "dropped and used": lambda: dataset(file=replace(ORDERS, dropped={"amount_usd": "a good reason here"})),
    "column twice": lambda: dataset(file=replace(ORDERS, columns=(*ORDERS.columns, "amount_usd"))),
    "no about": lambda: dataset(
        table(contract=contract(amount_usd=dy.Float64(description="What was paid.", metadata={"unit": "USD"})))
    ),
    "null limit over 1": lambda: dataset(
        table(
            contract=contract(
                amount_usd=dy.Float64(
                    nullable=True,
                    description="What was paid.",
                    metadata=column_meta(unit="USD", source="amount_usd", null_limit=30),
                )
            )
        )
    ),
    "quarantine limit over 1": lambda: dataset(table(quarantine_limit=30)),
    "fk of another type": lambda: dataset(
        table(), table(name="lines", contract=contract(amount_usd=number(references="orders")))
    ),
    "name": lambda: replace(dataset(), name="my-shop"),
    "name lake": lambda: replace(dataset(), name="lake"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_declaration_that_contradicts_itself_is_refused(case: str) -> None:
    with pytest.raises(DeclarationError):
        CONTRADICTIONS[case]()
