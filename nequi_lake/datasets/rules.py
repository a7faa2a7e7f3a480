"""The contract as expressions over raw records: typed values, and the rules that a record may break.

Only functions that run row by row or in order: a function that wants the whole column costs the memory bound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from nequi_lake.datasets.casting import as_text, exact
from nequi_lake.datasets.constraints import Kind, describe
from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.relation import Relation, Table
from nequi_lake.formats import RawFile

BROKEN_RULE = "the rule is broken"
"""What is wrong with a record that breaks one of the contract's own rules."""


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
    # No raw column may have such a name.
    return f"__{table}.{column}"


def typed_columns(table: Table, file: RawFile, *, fast_cast: bool = False) -> Mapping[str, pl.Expr]:
    """Column → expression over raw values, for each of :func:`typed_names`.

    Args:
        table: whose columns.
        file: whose raw values.
        fast_cast: cast numbers without stripping spaces first, at half of the cost. A value that this reads is
            right. A number with spaces around it counts as unreadable, so records that break a rule have to be
            cast again without it.
    """
    plain = {name: _value(column, file, fast_cast) for name, column in table.columns.items() if column.source}
    return {**plain, **table.parse}


def typed_names(table: Table) -> tuple[str, ...]:
    """The columns of a table that come from a single record, helper columns included."""
    return tuple(dict.fromkeys([*(name for name, column in table.columns.items() if column.source), *table.parse]))


def _value(column: Column, file: RawFile, fast_cast: bool) -> pl.Expr:
    assert column.source is not None
    raw, dtype = file.raw_value(column.source), file.raw_type(column.source)
    text = as_text(raw, dtype)
    if column.null_tokens:
        is_value = text.is_in(column.null_tokens).not_()
        raw, text = pl.when(is_value).then(raw), pl.when(is_value).then(text)
    value = exact(raw, dtype, column.dtype)
    if value is not None:
        return value
    if column.dtype == pl.String:
        # A blank that is longer than those of the formats is a missing value only in free text.
        return text if column.allowed else pl.when(_is_blank(text).not_()).then(text)
    return column.reading.value(text, fast=fast_cast)


def _is_blank(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars() == ""


def _read(column: Column, file: RawFile, value: pl.Expr) -> pl.Expr:
    """True where ``value`` was read from the raw value, or the raw value is missing."""
    assert column.source is not None
    raw = file.raw_value(column.source)
    read = value.is_not_null() | raw.is_null()
    if column.null_tokens:
        read |= as_text(raw, file.raw_type(column.source)).is_in(column.null_tokens)
    if column.dtype == pl.String and not column.allowed and file.raw_type(column.source) == pl.String:
        read |= _is_blank(raw)
    return read


def rules_of(table: Table, file: RawFile, *, only: str | None = None) -> list[Rule]:
    """The rules that a record of ``file`` must keep for ``table``; those of one column where ``only`` names it."""
    rules = []
    typed = typed_names(table)
    for name, column in table.columns.items():
        if name not in typed or only not in (None, name):
            continue
        value = pl.col(typed_name(table.name, name))
        is_parsed = column.source and (column.dtype != pl.String or name in table.parse)
        if is_parsed:
            rules.append(
                Rule(table.name, f"{name}: {_unread(column, file, name in table.parse)}", _read(column, file, value))
            )
        for constraint, keeps in column.rules(value).items():
            if constraint.kind is Kind.NOT_NULL and column.source and is_parsed:
                # A value that could not be read is not missing.
                keeps |= _read(column, file, value).not_()
            rules.append(Rule(table.name, f"{name}: {describe(constraint)}", keeps))
    return rules if only else [*rules, *_record_rules(table, typed)]


def _unread(column: Column, file: RawFile, by_expression: bool) -> str:
    """The words for a value that could not be read."""
    said = f"cannot be read as {column.dtype}"
    is_plain = column.dtype.is_integer() or column.dtype.is_float() or column.dtype.is_nested()
    is_text = column.source is not None and file.raw_type(column.source) == pl.String
    return said if by_expression or is_plain or not is_text else f"{said}: expected is {column.reading.accepts}"


def derived_rules(relation: Relation) -> Iterator[tuple[str, str | None, pl.Expr]]:
    """The rules that no single record can be asked: of derived columns, and of the contract over such columns.

    Yields:
        The column, what must hold for it in words, and what is true or null where a row keeps it; for a rule of the
        contract its name, and no words.
    """
    for column in relation.derived_columns:
        for constraint, keeps in column.rules(pl.col(column.name)).items():
            yield column.name, describe(constraint), keeps
    for name, keeps in _rules_of_rows(relation).items():
        yield name, None, keeps


def clear_rules(relation: Relation) -> dict[str, pl.Expr]:
    """Those of :func:`derived_rules` that need real values of sensitive columns, by words that name them."""
    return {text: keeps for text, keeps in _derived_rule_texts(relation).items() if _is_in_clear(relation, keeps)}


def published_rules(relation: Relation) -> dict[str, pl.Expr]:
    """Those of :func:`derived_rules` that the published rows show to be kept, by words that name them."""
    return {text: keeps for text, keeps in _derived_rule_texts(relation).items() if not _is_in_clear(relation, keeps)}


def _derived_rule_texts(relation: Relation) -> dict[str, pl.Expr]:
    """:func:`derived_rules` by words that name them."""
    return {f"{name} {words}" if words else f"the rule {name}": keeps for name, words, keeps in derived_rules(relation)}


def _is_in_clear(relation: Relation, keeps: pl.Expr) -> bool:
    return not {*relation.sensitive_columns}.isdisjoint(keeps.meta.root_names())


def _rules_of_rows(table: Relation) -> dict[str, pl.Expr]:
    """The contract's own rules that need a column which no single record gives: the audit asks the finished rows."""
    typed = {*typed_names(table)} if isinstance(table, Table) else set[str]()
    return {name: keeps for name, keeps in table.record_rules.items() if not typed >= {*keeps.meta.root_names()}}


def _record_rules(table: Table, typed: Collection[str]) -> Iterator[Rule]:
    """The contract's own rules, where a single record gives all columns that they are about."""
    for name, keeps in table.record_rules.items():
        columns = keeps.meta.root_names()
        if {*typed} >= {*columns}:
            # A rule names columns as the contract does.
            row = pl.struct(pl.col(typed_name(table.name, column)).alias(column) for column in dict.fromkeys(columns))
            yield Rule(
                table.name,
                f"{name}: {BROKEN_RULE}",
                row.map_batches(_asked(keeps), return_dtype=pl.Boolean, is_elementwise=True),
            )


def _asked(keeps: pl.Expr) -> Callable[[pl.Series], pl.Series]:
    return lambda rows: rows.struct.unnest().select(keeps.alias("keeps"))["keeps"]
