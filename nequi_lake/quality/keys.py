"""Finds repeated keys and references without a parent in Parquet files, by DuckDB, in bounded memory.

DuckDB groups and joins by hash, and what does not fit into its memory spills onto the disk, so that time grows with the
rows and memory does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset, Reference, Relation
from nequi_lake.lake.read.query import MEMORY_LIMIT, connect, quoted
from nequi_lake.lake.release import StagedTable
from nequi_lake.lake.storage import StorageBackend

if TYPE_CHECKING:
    import duckdb

_SCHEMA = "audited"


@dataclass(frozen=True)
class KeyQueries:
    """Queries about the keys of relations, while the connection is open."""

    _connection: duckdb.DuckDBPyConnection

    def repeated(self, relation: str, key: Sequence[str], examples: int) -> tuple[int, list[dict[str, Any]]]:
        """Return how many rows repeat the key of another, and examples, column → value. Nulls repeat nothing."""
        columns = ", ".join(map(quoted, key))
        known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)
        groups = (
            f"SELECT {columns}, count(*) AS n FROM {_table(relation)} WHERE {known} "
            f"GROUP BY {columns} HAVING count(*) > 1"
        )
        count = self._one(f"SELECT coalesce(sum(n - 1), 0) FROM ({groups})")
        if not count:
            return 0, []
        rows = self._all(f"SELECT {columns} FROM ({groups}) ORDER BY {columns} LIMIT {examples}")
        return count, [dict(zip(key, row, strict=True)) for row in rows]

    def orphans(
        self, relation: str, reference: Reference, parent_key: Sequence[str], examples: int
    ) -> tuple[int, list[Any]]:
        """Return how many rows refer to a key that the parent does not have, with examples.

        A row that misses a value of the reference refers to nothing.
        """
        values = [f"child.{quoted(name)}" for name in reference.columns]
        pairs = zip(values, parent_key, strict=True)
        without = (
            f"SELECT {', '.join(values)} FROM {_table(relation)} AS child ANTI JOIN {_table(reference.to)} AS parent "
            f"ON {' AND '.join(f'{value} = parent.{quoted(key)}' for value, key in pairs)} "
            f"WHERE {' AND '.join(f'{value} IS NOT NULL' for value in values)}"
        )
        count = self._one(f"SELECT count(*) FROM ({without})")
        if not count:
            return 0, []
        rows = self._all(f"{without} ORDER BY ALL LIMIT {examples}")
        return count, [row[0] if len(row) == 1 else row for row in rows]

    def _one(self, query: str) -> int:
        (row,) = self._all(query)
        return int(row[0])

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()


@contextmanager
def key_queries(
    dataset: Dataset, relations: Mapping[str, StagedTable], storage: StorageBackend
) -> Iterator[KeyQueries]:
    """Open the files of relations for queries about their keys."""
    content = {
        (_SCHEMA, name): storage.dataset(dict.fromkeys(staged.paths), _key_schema(dataset.relation(name)))
        for name, staged in relations.items()
    }
    with connect(content, memory_limit=MEMORY_LIMIT) as connection:
        yield KeyQueries(connection)


def _key_schema(relation: Relation) -> pa.Schema:
    """The columns that keys and references are made of."""
    contract = arrow_schema(relation.contract)
    names = dict.fromkeys((*relation.key, *relation.unique_columns, *sorted(relation.foreign_key_columns)))
    return pa.schema(pa.field(name, contract.field(name).type) for name in names)


def _table(relation: str) -> str:
    return quoted(_SCHEMA, relation)
