"""The contract as expressions over raw records: typed values, and the rules that a record may break.

Only functions that run row by row or in order: a function that wants the whole column costs the memory bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from nequi_lake.datasets.contract import MISSING, Column
from nequi_lake.datasets.spec import Table


@dataclass(frozen=True)
class Rule:
    """One thing that a record may break.

    Attributes:
        table: the table whose contract it is.
        text: the rule, for a person, with its column.
        keeps: true, or null, where the record keeps it.
    """

    table: str
    text: str
    keeps: pl.Expr


def typed_name(table: str, column: str) -> str:
    """The name of a table's column among the typed columns of a raw record."""
    return f"{table}.{column}"


def raw_value(dotted: str) -> pl.Expr:
    """The raw value of a column, nested ones dotted."""
    first, *nested = dotted.split(".")
    value = pl.col(first)
    for name in nested:
        value = value.struct.field(name)
    return value


def typed_columns(table: Table, *, hastily: bool = False) -> Mapping[str, pl.Expr]:
    """Column → expression over raw values, for each column that a single record gives, helpers included.

    Args:
        table: whose columns.
        hastily: read a number only where nothing is around it, for half of the cost. What is read so is right; of what
            is not, the rules of the table say that it cannot be read, and a second look has to tell.
    """
    plain = {name: _cast(column, hastily) for name, column in table.columns.items() if column.source}
    return {**plain, **table.parse}


def _cast(column: Column, hastily: bool) -> pl.Expr:
    assert column.source is not None
    # Text already in a CSV file; numbers and truths of a JSON file are read as they are written.
    raw = raw_value(column.source).cast(pl.String)
    if column.missing:
        raw = pl.when(raw.is_in(column.missing).not_()).then(raw)
    text = raw if hastily and column.dtype.is_numeric() else raw.str.strip_chars()
    match column.dtype:
        case pl.String():
            # Longer blanks than the engine takes for missing values are one only in free text.
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
    """Whether ``value`` was read from the raw text, or there was nothing to read."""
    assert column.source is not None
    raw = raw_value(column.source)
    read = value.is_not_null() | raw.is_null()
    return read | raw.is_in(column.missing) if column.missing else read


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
        for text, keeps in column.rules(value).items():
            if text == MISSING and column.source and is_parsed:
                # A value that could not be read is not missing.
                keeps |= raw_value(column.source).is_not_null()
            rules.append(Rule(table.name, f"{name}: {text}", keeps))
    return rules
