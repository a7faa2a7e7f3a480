"""What a relation is in PostgreSQL: its columns, keys, references, indexes and comments, all from its one contract."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from nequi_lake.datasets.constraints import Kind
from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import DeclarationError
from nequi_lake.formats.types import column_type
from nequi_lake.lake.read.query import quoted

_TYPES: Mapping[type[pl.DataType], str] = {
    pl.Int64: "bigint",
    pl.Int32: "integer",
    pl.Int16: "smallint",
    pl.Int8: "smallint",
    pl.Float64: "double precision",
    pl.Float32: "real",
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Binary: "bytea",
    pl.List: "jsonb",
    pl.Struct: "jsonb",
}


@dataclass(frozen=True)
class Shape:
    """A column as a database has it.

    Attributes:
        name: its name.
        type: its type, as ``format_type`` writes it.
        nullable: whether a value may be missing.
    """

    name: str
    type: str
    nullable: bool


def literal(text: str) -> str:
    """A text of SQL."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def postgres_type(column: Column) -> str:
    """The type of a column in PostgreSQL, as its ``format_type`` writes it.

    Raises:
        DeclarationError: there is none.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "timestamp with time zone" if dtype.time_zone else "timestamp without time zone"
    found = _TYPES.get(dtype.base_type())
    if found is None:
        known = column_type(dtype)
        raise DeclarationError(f"PostgreSQL has no type for {known.meaning if known else dtype}.", where=column.name)
    if column.sensitive:
        # Its limits are those of what it stands for.
        return found
    longest = next((one.limit for one in column.constraints if one.kind is Kind.MAX_LENGTH), None)
    return f"character varying({longest})" if found == "text" and longest else found


def shape(relation: Relation) -> tuple[Shape, ...]:
    """The columns of a relation."""
    return tuple(
        Shape(name, postgres_type(column), nullable=column.nullable) for name, column in relation.published.items()
    )


def create_table(dataset: Dataset, relation: Relation) -> str:
    """The statement that makes a relation's table, without its keys."""
    columns = ",\n".join(
        f"    {quoted(one.name)} {one.type}{'' if one.nullable else ' NOT NULL'}" for one in shape(relation)
    )
    return f"CREATE TABLE {quoted(dataset.name, relation.name)} (\n{columns}\n)"


def add_keys(dataset: Dataset, relation: Relation) -> Iterator[str]:
    """The statements that give a full table its primary key, and no value twice where that is declared."""
    table = quoted(dataset.name, relation.name)
    columns = ", ".join(quoted(name) for name in relation.key)
    yield f"ALTER TABLE {table} ADD PRIMARY KEY ({columns})"
    for name in relation.unique_columns:
        yield f"ALTER TABLE {table} ADD UNIQUE ({quoted(name)})"


def add_references(dataset: Dataset, relation: Relation, parents: Collection[str] | None = None) -> Iterator[str]:
    """The statements that give a table its references, each with an index: without one, to delete a parent reads all.

    They are checked at the end of a transaction, so that parents and children may be changed in any order.

    Args:
        dataset: whose table.
        relation: the table.
        parents: give it back those to these tables, which were made anew; its indexes are there.
    """
    table = quoted(dataset.name, relation.name)
    for reference in relation.foreign_keys:
        if parents is not None and reference.to not in parents:
            continue
        columns, key = (
            ", ".join(map(quoted, names)) for names in (reference.columns, dataset.relation(reference.to).key)
        )
        if parents is None and relation.key[: len(reference.columns)] != reference.columns:
            yield f"CREATE INDEX ON {table} ({columns})"
        yield (
            f"ALTER TABLE {table} ADD FOREIGN KEY ({columns}) "
            f"REFERENCES {quoted(dataset.name, reference.to)} ({key}) DEFERRABLE INITIALLY DEFERRED"
        )


def comments(dataset: Dataset, relation: Relation) -> Iterator[str]:
    """The statements that describe a table and its columns."""
    table = quoted(dataset.name, relation.name)
    yield f"COMMENT ON TABLE {table} IS {literal(relation.description)}"
    for name, column in relation.published.items():
        text = f"{column.description} ({column.unit})" if column.unit else column.description
        yield f"COMMENT ON COLUMN {table}.{quoted(name)} IS {literal(text)}"


def grants(dataset: Dataset, role: str) -> Iterator[str]:
    """The statements by which a role may read a dataset's tables, and those that are made later."""
    schema = quoted(dataset.name)
    yield f"GRANT USAGE ON SCHEMA {schema} TO {quoted(role)}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {quoted(role)}"


def script(dataset: Dataset, role: str = "") -> str:
    """All statements that make a dataset's tables, for people to read."""
    statements = [
        f"CREATE SCHEMA IF NOT EXISTS {quoted(dataset.name)}",
        f"COMMENT ON SCHEMA {quoted(dataset.name)} IS {literal(dataset.summary)}",
    ]
    for relation in dataset.relations:
        statements += [create_table(dataset, relation), *add_keys(dataset, relation)]
    for add in (add_references, comments):
        statements += [statement for relation in dataset.relations for statement in add(dataset, relation)]
    statements += grants(dataset, role) if role else ()
    return "".join(f"{statement};\n" for statement in statements)
