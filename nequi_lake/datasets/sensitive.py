"""Columns whose values nobody may see: what a table has in their place, and what cannot be declared of them.

Records are checked, grouped and joined by the real values. These are replaced in the last moment before rows are
written, so that no file outside of the raw zone has them.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.relation import Mart, Relation, Table
from nequi_lake.formats import RECORD, RawFile
from nequi_lake.redaction import HIDDEN

_KEY_ID = b"the id of a hash key"


@dataclass(frozen=True)
class HashKey:
    """The key of the hashes that stand for sensitive values.

    Attributes:
        secret: the key.
    """

    secret: str = field(repr=False)

    @property
    def id(self) -> str:
        """12 hexadecimal digits that differ from key to key, and from which no key can be found."""
        return hmac.digest(self.secret.encode(), _KEY_ID, "sha256").hex()[:12]

    def hashed(self, texts: pl.Series) -> pl.Series:
        """HMAC-SHA-256 of each text in UTF-8, as 64 hexadecimal digits; null stays null."""
        key = self.secret.encode()
        hashes = [None if text is None else hmac.digest(key, text.encode(), "sha256").hex() for text in texts.to_list()]
        return pl.Series(texts.name, hashes, dtype=pl.String)


def canonical_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The one text of a value, whatever the width, scale or unit of its type; what a hash is made of."""
    match dtype:
        case pl.Decimal() if dtype.scale:
            return value.cast(pl.String).str.replace(r"(\.[0-9]*?)0+$", "$1").str.strip_suffix(".")
        case pl.Datetime():
            zone = "Z" if dtype.time_zone else ""
            return value.dt.cast_time_unit("us").dt.strftime(f"%Y-%m-%dT%H:%M:%S%.6f{zone}")
        case pl.Binary():
            return value.bin.encode("hex")
        case _:
            return value.cast(pl.String)


def published_values(relation: Relation, key: HashKey | None) -> list[pl.Expr]:
    """The columns of the table as it is published, over its real values.

    Args:
        relation: the table.
        key: of its hashes; None where no column has any.
    """
    return [_published_value(column, key) for column in relation.columns.values() if column.published]


def _published_value(column: Column, key: HashKey | None) -> pl.Expr:
    value = pl.col(column.name)
    if column.sensitive is None:
        return value
    if column.sensitive == "mask":
        return pl.when(value.is_not_null()).then(pl.lit(HIDDEN)).alias(column.name)
    assert key is not None
    text = canonical_text(value, column.dtype)
    return text.map_batches(key.hashed, return_dtype=pl.String, is_elementwise=True).alias(column.name)


def hidden_fields(tables: Sequence[Table], file: RawFile) -> dict[str, str]:
    """Raw column of a file → ``<table>.<column>``, the sensitive one that is made of it; nested ones dotted.

    Args:
        tables: the tables that the file feeds.
        file: the file.
    """
    found: dict[str, str] = {}
    for table in tables:
        for name in table.sensitive_columns:
            declared = table.columns[name].raw_columns
            read = (raw for raw in table.raw_columns_of([name]) if not any(lies_in(each, raw) for each in declared))
            for raw in (*declared, *read):
                if raw != RECORD and raw not in file.constants:
                    found.setdefault(raw, f"{table.name}.{name}")
    return found


def relation_problems(relation: Relation, parents: Mapping[str, Relation]) -> Iterator[str]:
    """What a relation needs in clear, and its sensitive columns do not have.

    Args:
        relation: the relation.
        parents: the relations declared before it, by name.
    """
    needed = {
        "is part of the key": relation.key,
        "is unique": relation.unique_columns,
        "is the column of partition_by": [relation.partition_by.column] if relation.partition_by else [],
        "references another table": relation.foreign_key_columns,
    }
    for name in relation.sensitive_columns:
        column = relation.columns[name]
        for use in (use for use, names in needed.items() if name in names):
            if column.sensitive != "hash":
                yield f'column {name} {use}, which nobody can see of sensitive="{column.sensitive}": declare it as hash'
        if relation.partition_by and relation.partition_by.by_year and relation.partition_by.column == name:
            yield f"partition_by cuts by the year of {name}, which is sensitive: a hash has none"
    for reference in relation.foreign_keys:
        parent = parents.get(reference.to)
        for name, key in zip(reference.columns, parent.key if parent else (), strict=False):
            if parent and name in relation.columns:
                column, of_key = relation.columns[name], parent.columns[key]
                if column.sensitive != of_key.sensitive:
                    yield f"column {name} references {parent.name}.{key}: declare both as hash, or none"
                elif column.sensitive and column.dtype != of_key.dtype:
                    yield f"column {name} references {parent.name}.{key}, and hashes of them are of two types"


def mart_problems(mart: Mart, relations: Sequence[Relation]) -> Iterator[str]:
    """What is wrong with the columns of a mart, which reads its tables as they are published."""
    yield from (
        f"column {name} of a mart is sensitive: a mart has what its tables have, so declare it in the table"
        for name in mart.sensitive_columns
    )
    dropped = {(relation.name, name) for relation in relations for name in {*relation.columns} - {*relation.published}}
    for name, column in mart.columns.items():
        for of, origin in dropped.intersection(column.table_columns):
            yield f'column {name} comes from {of}.{origin}, which is sensitive="drop" and in no table'


def clear_problems(tables: Sequence[Table], file: RawFile) -> Iterator[tuple[str, str]]:
    """(table, what) of that which would show what a sensitive column of the same raw file hides.

    Args:
        tables: the tables that the file feeds.
        file: the file.
    """
    hidden = hidden_fields(tables, file)
    for table in tables:
        for name, column in table.columns.items():
            for raw in [] if column.sensitive else _overlapping(hidden, _read(table, name)):
                yield table.name, f"column {name} shows {raw}, which {hidden[raw]} hides: give it sensitive= too"
        of_sensitive = [raw for name in table.sensitive_columns for raw in _read(table, name)]
        for name in table.parse:
            read = _overlapping(hidden, _read(table, name))
            if name not in table.columns and not {*read} <= {*_overlapping(hidden, of_sensitive)}:
                yield table.name, f"parse= of {name} reads {read[0]}, which {hidden[read[0]]} hides, for no such column"
        if file.session_by in table.sensitive_columns:
            yield table.name, f"session_by of {file.name} is {file.session_by}, which is sensitive"


def _read(table: Table, name: str) -> set[str]:
    """The raw columns that a column or helper column of a table is made of, as declared and as its expression says."""
    declared = table.columns[name].raw_columns if name in table.columns else ()
    return {*declared, *table.raw_columns_of([name])}


def _overlapping(hidden: Iterable[str], read: Collection[str]) -> list[str]:
    """Those of the hidden raw columns that lie in one of those that are read, or the other way round."""
    return [raw for raw in hidden if any(lies_in(raw, each) or lies_in(each, raw) for each in read)]


def lies_in(raw: str, other: str) -> bool:
    """Whether a raw column, dotted where it is nested, is another one or lies in it."""
    return raw == other or raw.startswith(f"{other}.")
