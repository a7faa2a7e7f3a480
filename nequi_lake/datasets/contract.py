"""Reads a relation's contract: columns, constraints, Arrow schema.

A contract is a ``dataframely.Schema`` class. It is the one schema of a table or mart: row rules, Arrow, Parquet and
Iceberg types, asset metadata and the data dictionary are all made from it. No table is described here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Literal, TypeAlias, get_args

import dataframely as dy
import polars as pl
import pyarrow as pa

from nequi_lake.datasets.constraints import BY_TYPE, Constraint, Kind, describe
from nequi_lake.datasets.reading import Reading
from nequi_lake.errors import DeclarationError
from nequi_lake.formats.limit import ShareLimit
from nequi_lake.formats.types import type_problem

Sensitive: TypeAlias = Literal["hash", "mask", "drop"]
"""What a table has in the place of values that nobody may see."""


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


def column_meta(
    *,
    unit: str,
    source: str | None = None,
    derived_from: Iterable[str] = (),
    null_limit: float | None = None,
    references: str | None = None,
    null_tokens: Iterable[str] = (),
    format: str | None = None,
    sensitive: Sensitive | None = None,
) -> dict[str, Any]:
    """The ``metadata=`` of a contract's column.

    Args:
        unit: unit of measure, or what the values are ("text", "code", "count", "id").
        source: the raw column that it is parsed from, dotted for a nested JSON field; ``RECORD`` for the number of the
            record in its file, from 0, which is a key where a publisher gives none.
        derived_from: the raw columns that the table's transform makes it from, where there is no ``source``; of a
            mart's column, the ``<table>.<column>``, or ``<dataset>.<table>.<column>`` of another dataset, that its
            SQL makes it from; a mart of its group counts as a table.
        null_limit: share of rows, 0 to 1, that may have no value; required where the column is nullable.
        references: the table of the same dataset, or mart of the same group, whose key this column holds.
        null_tokens: raw texts that stand for "no value".
        format: how the values are written, as of :class:`~nequi_lake.datasets.reading.Reading`.
        sensitive: what the table has in place of the values: ``hash`` for a keyed hash of each, ``mask`` for ``***``,
            ``drop`` for no column at all. The rules hold for the real values.
    """
    return {
        "unit": unit,
        "source": source,
        "derived_from": tuple(derived_from),
        "null_limit": null_limit,
        "references": references,
        "null_tokens": tuple(null_tokens),
        "format": format,
        "sensitive": sensitive,
    }


def copy_column(
    contract: type[dy.Schema],
    origin: str,
    *,
    description: str = "",
    is_key: bool = False,
    references: str | None = None,
) -> dy.Column:
    """A mart's column that holds a table's values as they are: of the same type, unit and limits.

    Args:
        contract: the table's contract.
        origin: ``<table>.<column>``.
        description: what it is; as in the table where it is empty.
        is_key: whether it belongs to the mart's key.
        references: the relation whose key it holds.
    """
    declared = contract.columns()[origin.rpartition(".")[2]]
    facts = declared.metadata or {}
    # What stands for sensitive values is a text without their limits.
    shown = dy.String(nullable=declared.nullable) if facts["sensitive"] else declared
    return shown.with_properties(
        alias=None,
        primary_key=is_key,
        description=description or declared.description,
        metadata=column_meta(
            unit=facts["unit"], derived_from=[origin], null_limit=facts["null_limit"], references=references
        ),
    )


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
    null_tokens: tuple[str, ...]
    format: str | None
    sensitive: Sensitive | None
    declared: dy.Column

    @property
    def published(self) -> Column | None:
        """The column as the table has it: of text where its values are not shown, none where it is dropped."""
        if self.sensitive is None:
            return self
        return None if self.sensitive == "drop" else replace(self, dtype=pl.String())

    @property
    def missing_limit(self) -> ShareLimit:
        """How many of its values may be missing."""
        return ShareLimit(self.null_limit)

    @property
    def reading(self) -> Reading:
        """How its values are read from text."""
        return Reading(self.dtype, self.format)

    def rules(self, value: pl.Expr) -> dict[Constraint, pl.Expr]:
        """Constraint → expression that is true, or null for a missing value, where ``value`` satisfies it."""
        # Uniqueness is a question for the whole table, so the audit asks it: here are only rules of one row.
        by_row = self.declared.with_primary_key(False).validation_rules(value)
        return {
            constraint: keeps
            for name, keeps in by_row.items()
            if (constraint := _constraint(self.declared, name)).kind is not Kind.UNIQUE
        }

    @property
    def is_unique(self) -> bool:
        """Whether no value may occur twice, apart from a key."""
        return bool(getattr(self.declared, "unique", False))

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """The raw columns behind this one."""
        return (self.source,) if self.source else self.derived_from

    @property
    def table_columns(self) -> tuple[tuple[str, str], ...]:
        """(table, column) of all that a mart's column is made from; the table of another dataset with its dataset."""
        return tuple((table, column) for table, _, column in (name.rpartition(".") for name in self.derived_from))

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """All that the contract demands of the column: key, demands on each value, reference, share of nulls."""
        return (
            *([Constraint(Kind.KEY)] if self.is_key else []),
            *([Constraint(Kind.UNIQUE)] if self.is_unique else []),
            *self.rules(pl.col(self.name)),
            *([Constraint(Kind.REFERENCES, self.references)] if self.references else []),
            *([Constraint(Kind.NULL_SHARE, self.null_limit)] if self.nullable else []),
        )

    @cached_property
    def constraint_texts(self) -> tuple[str, ...]:
        """The constraints in words, without those that nearly every column has."""
        return tuple(describe(constraint) for constraint in self.constraints if constraint.kind not in BY_TYPE)

    @cached_property
    def allowed(self) -> tuple[Any, ...]:
        """The values of a column that admits only a fixed set; empty for any other column."""
        return next((constraint.limit for constraint in self.constraints if constraint.kind is Kind.ONE_OF), ())


_KINDS = {
    "nullability": Kind.NOT_NULL,
    "inf": Kind.FINITE,
    "nan": Kind.NOT_NAN,
    "min": Kind.MIN,
    "max": Kind.MAX,
    "min_exclusive": Kind.MIN_EXCLUSIVE,
    "max_exclusive": Kind.MAX_EXCLUSIVE,
    "min_length": Kind.MIN_LENGTH,
    "max_length": Kind.MAX_LENGTH,
    "unique": Kind.UNIQUE,
    "regex": Kind.MATCHES,
    "is_in": Kind.ONE_OF,
    "check__one_of": Kind.ONE_OF,
}
"""Name of a rule in dataframely → the kind of constraint that it is."""


def _constraint(column: dy.Column, rule: str) -> Constraint:
    """The constraint that a rule of dataframely's checks."""
    kind = _KINDS.get(rule, Kind.OTHER)
    if kind in BY_TYPE:
        return Constraint(kind)
    if isinstance(column.check, OneOf) and rule == "check__one_of":
        return Constraint(kind, column.check.values)
    if rule == "check" or rule.startswith("check__"):
        return Constraint(Kind.CHECK, rule.removeprefix("check").removeprefix("__") or "without a name")
    if kind is Kind.UNIQUE:
        return Constraint(kind)
    limit = getattr(column, rule, None)
    if kind is Kind.OTHER:
        return Constraint(kind, (rule, limit))
    return Constraint(kind, tuple(limit) if kind is Kind.ONE_OF and limit is not None else limit)


def record_rules(contract: type[dy.Schema]) -> dict[str, pl.Expr]:
    """The contract's own rules, ``@dy.rule``, over its columns: name → expression that is true where a row keeps it."""
    # dataframely gives them in no public way.
    return {name: rule.expr for name, rule in contract._schema_validation_rules().items()}


def columns(contract: type[dy.Schema]) -> dict[str, Column]:
    """The contract's columns by name, in order.

    Raises:
        DeclarationError: something is wrong with a column; all that is wrong with any of them is named.
    """
    found = [(name, what) for name, column in contract.columns().items() for what in _problems(name, column)]
    if found:
        where = f"{contract.__module__}.{contract.__name__}"
        raise DeclarationError(
            "; ".join(f"column {name}: {what}" for name, what in found) + ".",
            where=f"{where}.{found[0][0]}" if len({name for name, _ in found}) == 1 else where,
            fix="Fix the contract.",
        )
    return {name: _column(name, column) for name, column in contract.columns().items()}


def _problems(name: str, column: dy.Column) -> Iterator[str]:
    """What is wrong with a column by itself."""
    yield from name_problems(name)
    type_wrong = type_problem(column.dtype)
    if type_wrong:
        yield type_wrong
    facts = column.metadata or {}
    if not column.description or not facts.get("unit"):
        yield "it has no description or unit: give description= and metadata=column_meta(unit=…)"
        return
    if facts.keys() != column_meta(unit="").keys():
        yield "its metadata is not from column_meta(): give metadata=column_meta(…)"
        return
    if not 0 <= (facts["null_limit"] or 0) <= 1:
        yield f"its null limit is {facts['null_limit']}, and not a share from 0 to 1"
    if bool(facts["source"]) == bool(facts["derived_from"]):
        yield "it must say where it comes from, in one way: give column_meta() either source= or derived_from="
    if column.nullable != (facts["null_limit"] is not None):
        yield (
            "a column that may be missing needs a null limit, and no other column has one: give nullable=True together "
            "with column_meta(null_limit=…)"
        )
    format_wrong = None if type_wrong else Reading(column.dtype, facts["format"]).problem()
    if format_wrong:
        yield format_wrong
    if not type_wrong:
        yield from _sensitive_problems(facts["sensitive"], column.dtype)
    yield from _pattern_problems(getattr(column, "regex", None))


def _sensitive_problems(sensitive: str | None, dtype: pl.DataType) -> Iterator[str]:
    """What is wrong with how the values of a column of a type are protected."""
    if sensitive not in (None, *get_args(Sensitive)):
        yield f"sensitive= is {sensitive!r}, and not one of {', '.join(get_args(Sensitive))}"
    if sensitive == "hash" and (dtype.is_nested() or dtype.is_float()):
        yield f"a value of {dtype} has no single text to be hashed: declare it as mask, drop or another type"


def _pattern_problems(pattern: str | None) -> Iterator[str]:
    """What is wrong with a pattern, whose syntax is that of Rust's ``regex``."""
    if pattern is None:
        return
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"its pattern {pattern} is none: {error}"
    if _NOT_IN_RUST.search(pattern):
        yield f"its pattern {pattern} looks around or refers back, which patterns of the engine cannot"
    if _ANY_DIGIT.search(pattern):
        yield rf"its pattern {pattern} has \d, which admits the digits of every script: write [0-9]"


def name_problems(name: str) -> Iterator[str]:
    """What is wrong with the name of a dataset, table, mart or column, which is a name in files, SQL and Python."""
    if not _NAME.fullmatch(name):
        yield f"{name!r} is no name: a name has lower case letters, digits and _, and begins with a letter"
    elif len(name) > _NAME_CHARACTERS:
        yield f"the name {name} has {len(name)} characters, more than the {_NAME_CHARACTERS} that databases take"


_NAME = re.compile("[a-z][a-z0-9_]*")
_NAME_CHARACTERS = 63
_NOT_IN_RUST = re.compile(r"\(\?<?[=!]|\(\?P=|(?<!\\)(?:\\\\)*\\[1-9]")
_ANY_DIGIT = re.compile(r"(?<!\\)(?:\\\\)*\\d")


def _column(name: str, column: dy.Column) -> Column:
    facts = column.metadata or {}
    return Column(
        name=name,
        dtype=column.dtype,
        description=column.description or "",
        unit=facts["unit"],
        nullable=column.nullable,
        is_key=column.primary_key,
        source=facts["source"],
        derived_from=facts["derived_from"],
        null_limit=facts["null_limit"] or 0.0,
        references=facts["references"],
        null_tokens=facts["null_tokens"],
        format=facts["format"],
        sensitive=facts["sensitive"],
        declared=column,
    )


@cache
def arrow_schema(contract: type[dy.Schema]) -> pa.Schema:
    """The Arrow schema of the table as it is published, with each description as the field's ``doc``."""
    declared = {name: column for name, each in columns(contract).items() if (column := each.published)}
    empty = pl.DataFrame(schema={name: column.dtype for name, column in declared.items()})
    plain = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return pa.schema(
        pa.field(field.name, field.type, nullable=column.nullable, metadata={"doc": column.description})
        for field, column in zip(plain, declared.values(), strict=True)
    )
