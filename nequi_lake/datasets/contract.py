"""Reads a table's contract, and renders it for whoever needs a schema.

A contract is a ``dataframely.Schema`` class. It is the table's one schema: row rules, Arrow, Parquet and Iceberg
types, asset metadata and the data dictionary are all made from it by the functions here. No table is described here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import dataframely as dy
import polars as pl
import pyarrow as pa
from polars._typing import PolarsDataType

from nequi_lake.errors import DeclarationError


@dataclass(frozen=True)
class OneOf:
    """A column ``check=`` that admits a fixed set of values, and can say which."""

    values: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return "one_of"

    def __call__(self, column: pl.Expr) -> pl.Expr:
        """True where the value is one of the set."""
        return column.is_in(self.values)


def one_of(*values: str) -> OneOf:
    """The ``check=`` of a column that admits only ``values``."""
    return OneOf(values)


def about(
    *,
    unit: str,
    source: str | None = None,
    derived_from: Iterable[str] = (),
    null_limit: float | None = None,
    references: str | None = None,
    missing: Iterable[str] = (),
) -> dict[str, Any]:
    """The ``metadata=`` of a contract's column.

    Args:
        unit: unit of measure, or what the values are ("text", "code", "count", "id").
        source: the raw column that it is parsed from, dotted for a nested JSON field.
        derived_from: the raw columns that the table's transform makes it from, where there is no ``source``; of a
            mart's column, the ``<table>.<column>`` that its SQL makes it from.
        null_limit: share of rows, 0 to 1, that may miss a value; required where the column is nullable.
        references: the table of the same dataset whose key this column holds.
        missing: raw texts that stand for "no value".
    """
    return {
        "unit": unit,
        "source": source,
        "derived_from": tuple(derived_from),
        "null_limit": null_limit,
        "references": references,
        "missing": tuple(missing),
    }


@dataclass(frozen=True)
class Column:
    """What the contract says of one column."""

    name: str
    dtype: pl.DataType
    description: str
    unit: str
    nullable: bool
    is_key: bool
    source: str | None
    derived_from: tuple[str, ...]
    null_limit: float
    references: str | None
    missing: tuple[str, ...]
    allowed: tuple[str, ...]
    declared: dy.Column

    def rules(self, value: pl.Expr) -> dict[str, pl.Expr]:
        """Rule in words → expression that is true, or null for a missing value, where ``value`` keeps it."""
        # The key's uniqueness is a question for the whole table, so the audit asks it: here are only rules of one row.
        by_row = self.declared.with_primary_key(False).validation_rules(value)
        return {self._in_words(name): keeps for name, keeps in by_row.items()}

    def _in_words(self, rule: str) -> str:
        limit = getattr(self.declared, rule, None)
        if rule in _SIGNS:
            return f"must be {_SIGNS[rule]} {limit}"
        return {
            "nullability": MISSING,
            "inf": "is infinite",
            "nan": "is not a number",
            "regex": f"must match {limit}",
            "is_in": f"must be one of {', '.join(map(str, limit or ()))}",
            "check__one_of": f"must be one of {', '.join(self.allowed)}",
        }.get(rule, f"must keep {rule} {'' if limit is None else limit}".rstrip())

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """The raw columns behind this one."""
        return (self.source,) if self.source else self.derived_from

    @property
    def table_columns(self) -> tuple[tuple[str, str], ...]:
        """(table, column) of all that a mart's column is made from."""
        return tuple((table, column) for table, _, column in (name.partition(".") for name in self.derived_from))

    @cached_property
    def constraints(self) -> tuple[str, ...]:
        """The contract in words, for a person: key, reference, range, allowed values."""
        words = [rule for rule in self.rules(pl.col(self.name)) if rule.startswith("must ")]
        if self.is_key:
            words.insert(0, "key")
        if self.references:
            words.append(f"references {self.references}")
        if self.nullable:
            words.append(f"missing in at most {100 * self.null_limit:.4g} % of rows")
        return tuple(words)


MISSING = "is missing"
"""The rule of a column that may not miss a value, in words."""
_SIGNS = {"min": ">=", "max": "<=", "min_exclusive": ">", "max_exclusive": "<"}


def columns(contract: type[dy.Schema]) -> dict[str, Column]:
    """The contract's columns by name, in order.

    Raises:
        DeclarationError: a column has no description, unit, origin or null limit.
    """
    return {name: _column(contract, name, column) for name, column in contract.columns().items()}


def _column(contract: type[dy.Schema], name: str, column: dy.Column) -> Column:
    where = f"{contract.__module__}.{contract.__name__}.{name}"
    facts = column.metadata or {}
    if not column.description or not facts.get("unit"):
        raise DeclarationError(
            "A column has no description or unit.",
            where=where,
            fix="Give it description= and metadata=about(unit=…).",
        )
    if facts.keys() != about(unit="").keys():
        raise DeclarationError("A column's metadata is not from about().", where=where, fix="Give metadata=about(…).")
    if not 0 <= (facts["null_limit"] or 0) <= 1:
        raise DeclarationError("A null limit is a share from 0 to 1.", where=where)
    if bool(facts["source"]) == bool(facts["derived_from"]):
        raise DeclarationError(
            "A column must say where it comes from, in one way.",
            where=where,
            fix="Give about() either source= or derived_from=.",
        )
    if column.nullable != (facts["null_limit"] is not None):
        raise DeclarationError(
            "A column that may be missing needs a null limit, and no other column has one.",
            where=where,
            fix="Give nullable=True together with about(null_limit=…).",
        )
    return Column(
        name=name,
        dtype=column.dtype,
        description=column.description,
        unit=facts["unit"],
        nullable=column.nullable,
        is_key=column.primary_key,
        source=facts["source"],
        derived_from=facts["derived_from"],
        null_limit=facts["null_limit"] or 0.0,
        references=facts["references"],
        missing=facts["missing"],
        allowed=column.check.values if isinstance(column.check, OneOf) else (),
        declared=column,
    )


@cache
def arrow_schema(contract: type[dy.Schema]) -> pa.Schema:
    """The Arrow schema of the table: types, required fields, and each description as the field's ``doc``."""
    declared = columns(contract)
    empty = pl.DataFrame(schema={name: column.dtype for name, column in declared.items()})
    plain = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return pa.schema(
        pa.field(field.name, field.type, nullable=column.nullable, metadata={"doc": column.description})
        for field, column in zip(plain, declared.values(), strict=True)
    )


_SQL_TYPES: dict[PolarsDataType, str] = {
    pl.Boolean: "boolean",
    pl.Int8: "int",
    pl.Int16: "int",
    pl.Int32: "int",
    pl.Int64: "bigint",
    pl.Float32: "float",
    pl.Float64: "double",
    pl.String: "string",
    pl.Binary: "binary",
    pl.Date: "date",
    pl.Time: "time",
    pl.Datetime: "timestamp",
}


def sql_type(dtype: PolarsDataType) -> str:
    """A type's name for people, as Athena, Glue and DuckDB have it; Polars' own where those have no such type."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"array<{sql_type(dtype.inner)}>"
    if isinstance(dtype, pl.Struct):
        return f"struct<{','.join(f'{field.name}:{sql_type(field.dtype)}' for field in dtype.fields)}>"
    return _SQL_TYPES.get(dtype.base_type(), str(dtype))
