"""The contract as expressions over raw records: typed values, and the rules that a record may break.

Only functions that run row by row or in order: a function that wants the whole column costs the memory bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from nequi_lake.datasets.constraints import Kind, describe
from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.relation import Relation, Table


@dataclass(frozen=True)
class Rule:
    """One rule of a contract that a record may break.

    Attributes:
        table: the table whose contract demands it.
        text: its column, and what must hold or what is wrong, in words.
        keeps: expression that is true, or null, where a record keeps it.
    """

    table: str
    text: str
    keeps: pl.Expr


def typed_name(table: str, column: str) -> str:
    """The name of a table's column among the typed columns of raw records."""
    return f"{table}.{column}"


def raw_value(dotted: str) -> pl.Expr:
    """The raw value of a column, nested ones dotted."""
    first, *nested = dotted.split(".")
    value = pl.col(first)
    for name in nested:
        value = value.struct.field(name)
    return value


def typed_columns(table: Table, *, fast_cast: bool = False) -> Mapping[str, pl.Expr]:
    """Column → expression over raw values, for each column that comes from a single record, helper columns included.

    Args:
        table: whose columns.
        fast_cast: cast numbers without stripping spaces first, at half of the cost. A value that this reads is
            right. A number with spaces around it counts as unreadable, so records that break a rule have to be
            cast again without it.
    """
    plain = {name: _cast(column, fast_cast) for name, column in table.columns.items() if column.source}
    return {**plain, **table.parse}


def _cast(column: Column, fast_cast: bool) -> pl.Expr:
    assert column.source is not None
    # A CSV file has text already; numbers and booleans of a JSON file are cast from their text.
    raw = raw_value(column.source).cast(pl.String)
    if column.null_tokens:
        raw = pl.when(raw.is_in(column.null_tokens).not_()).then(raw)
    text = raw if fast_cast and column.dtype.is_numeric() else raw.str.strip_chars()
    match column.dtype:
        case pl.String():
            # A blank that is longer than those of BLANKS is a missing value only in free text.
            return raw if column.allowed else pl.when(text != "").then(raw)
        case pl.Date():
            return text.str.to_date("%Y-%m-%d", strict=False)
        case pl.Datetime():
            return text.str.to_datetime(strict=False, time_unit=column.dtype.time_unit)
        case pl.Boolean():
            return pl.when(text == "true").then(True).when(text == "false").then(False)
        case dtype if dtype.is_integer():
            # Counts are often written 3.0; the cast takes neither that nor surrounding spaces.
            return text.str.strip_suffix(".0").cast(dtype, strict=False)
        case dtype:
            return text.cast(dtype, strict=False)


def _read(column: Column, value: pl.Expr) -> pl.Expr:
    """True where ``value`` was read from the raw text, or the raw text is missing."""
    assert column.source is not None
    raw = raw_value(column.source)
    read = value.is_not_null() | raw.is_null()
    return read | raw.is_in(column.null_tokens) if column.null_tokens else read


def rules_of(table: Table) -> list[Rule]:
    """The rules that a raw record must keep for ``table``."""
    rules = []
    typed = typed_columns(table)
    for name, column in table.columns.items():
        if name not in typed:
            continue
        value = pl.col(typed_name(table.name, name))
        is_parsed = column.source and (column.dtype != pl.String or name in table.parse)
        if is_parsed:
            rules.append(Rule(table.name, f"{name}: cannot be read as {column.dtype}", _read(column, value)))
        for constraint, keeps in column.rules(value).items():
            if constraint.kind is Kind.NOT_NULL and column.source and is_parsed:
                # A value that could not be read is not missing.
                keeps |= raw_value(column.source).is_not_null()
            rules.append(Rule(table.name, f"{name}: {describe(constraint)}", keeps))
    return [*rules, *_record_rules(table, typed)]


def rules_of_rows(table: Relation) -> dict[str, pl.Expr]:
    """The contract's own rules that need a column which no single record gives: the audit asks the finished rows."""
    typed = typed_columns(table) if isinstance(table, Table) else {}
    return {name: keeps for name, keeps in table.record_rules.items() if not typed.keys() >= {*keeps.meta.root_names()}}


def _record_rules(table: Table, typed: Mapping[str, pl.Expr]) -> Iterator[Rule]:
    """The contract's own rules, where a single record gives all columns that they are about."""
    for name, keeps in table.record_rules.items():
        columns = keeps.meta.root_names()
        if typed.keys() >= {*columns}:
            # A rule names columns as the contract does.
            row = pl.struct(pl.col(typed_name(table.name, column)).alias(column) for column in dict.fromkeys(columns))
            yield Rule(
                table.name,
                f"{name}: the rule is broken",
                row.map_batches(_asked(keeps), return_dtype=pl.Boolean, is_elementwise=True),
            )


def _asked(keeps: pl.Expr) -> Callable[[pl.Series], pl.Series]:
    return lambda rows: rows.struct.unnest().select(keeps.alias("keeps"))["keeps"]
