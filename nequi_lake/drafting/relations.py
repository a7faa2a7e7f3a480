"""What the records of files are to each other: keys of one or two columns, and references, by all of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import polars as pl

from nequi_lake.drafting.columns import Drafted
from nequi_lake.drafting.values import Counted, StoredValues, ValueQueries

_ID_ENDS = ("id", "code", "codigo", "key", "symbol", "number", "num", "no", "uuid", "name")
_COLUMNS_PAIRED = 14
_SURE_VALUES = 20


@dataclass(frozen=True)
class Records:
    """The records of a table.

    Attributes:
        table: the name of their table.
        stored: their raw values.
        counts: raw column → its values and how often each stands there, but of lists and objects.
        columns: what is proposed for each column, by its name in the contract.
        key: the columns of the contract's key; empty where none is unique, so that the record's number is the key.
    """

    table: str
    stored: StoredValues
    counts: Mapping[str, Counted]
    columns: Mapping[str, Drafted]
    key: tuple[str, ...] = ()


def find_key(queries: ValueQueries, stored: StoredValues, columns: Mapping[str, Drafted]) -> tuple[str, ...]:
    """One column, or else two, that no two records have alike; none where there are none such."""
    height = stored.height
    fit = [name for name, column in columns.items() if _may_be_in_key(column)]
    first = next(iter(columns), None)
    alone = [
        name
        for name in fit
        if columns[name].distinct == height
        and (name == first or _tells_apart(name, columns[name]) or not columns[name].dtype.is_integer())
    ]
    if alone:
        return (min(alone, key=lambda name: (not _is_named_like_an_id(name), list(columns).index(name))),)
    pairs = [
        pair
        for pair in combinations(fit[:_COLUMNS_PAIRED], 2)
        if any(_tells_apart(name, columns[name]) for name in pair)
        and columns[pair[0]].distinct * columns[pair[1]].distinct >= height > 1
    ]
    ranked = sorted(
        pairs, key=lambda pair: (-sum(map(_is_named_like_an_id, pair)), [list(columns).index(n) for n in pair])
    )
    unique = (pair for pair in ranked if queries.is_unique(stored, [columns[name].source for name in pair]))
    return next(unique, ())


def find_references(queries: ValueQueries, tables: Sequence[Records]) -> dict[tuple[str, str], str]:
    """(table, column) → the table whose key it holds: every value of the column is one of that key's."""
    found: dict[tuple[str, str], str] = {}
    # What is named like the key it holds comes first, as two tables cannot refer to each other.
    for is_named in (True, False):
        for parent, child in product(tables, tables):
            if len(parent.key) != 1 or child.table == parent.table:
                continue
            key = parent.columns[parent.key[0]]
            for name, column in child.columns.items():
                if column.dtype != key.dtype or column.distinct < 2 or (child.table, name) in found:
                    continue
                if _are_alike(name, parent.key[0], parent.table) != is_named:
                    continue
                if not is_named and (column.distinct < _SURE_VALUES or _measures(name, column)):
                    continue
                if parent.table in _reached(found, child.table, parent.table):
                    continue
                if queries.are_among(child.counts[column.source], parent.counts[key.source]):
                    found[child.table, name] = parent.table
    return found


def in_order(tables: Sequence[Records], references: Mapping[tuple[str, str], str]) -> list[Records]:
    """The tables, a parent before its children."""
    left, done = list(tables), list[Records]()
    while left:
        waiting = {table for (table, _), parent in references.items() if parent in {other.table for other in left}}
        ready = [table for table in left if table.table not in waiting] or left
        done.append(ready[0])
        left.remove(ready[0])
    return done


def _reached(references: Mapping[tuple[str, str], str], child: str, parent: str) -> set[str]:
    """The parent, where it already refers to the child, directly or not."""
    waiting, seen = [parent], set[str]()
    while waiting:
        table = waiting.pop()
        seen.add(table)
        waiting += [other for (of, _), other in references.items() if of == table and other not in seen]
    return {parent} if child in seen else set()


def _may_be_in_key(column: Drafted) -> bool:
    is_plain = column.dtype.is_integer() or isinstance(column.dtype, (pl.String, pl.Date, pl.Datetime))
    return is_plain and not column.missing and column.distinct > 1 and not column.unread[0]


def _tells_apart(name: str, column: Drafted) -> bool:
    """Whether a column is one that identifies records, and not one that measures something."""
    return _is_named_like_an_id(name) or isinstance(column.dtype, (pl.Date, pl.Datetime))


def _measures(name: str, column: Drafted) -> bool:
    """Whether a column has whole numbers and no name of an identifier: such are among the first numbers by chance."""
    return column.dtype.is_integer() and not _is_named_like_an_id(name)


def _is_named_like_an_id(name: str) -> bool:
    return name.rsplit("_", 1)[-1] in _ID_ENDS or name.endswith("id")


def _are_alike(name: str, key: str, table: str) -> bool:
    stem = table.rstrip("s")
    return name == key or name.endswith(f"_{key}") or (stem in name and _is_named_like_an_id(name))
