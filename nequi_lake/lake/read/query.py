"""DuckDB over tables of the lake, and over nothing else: no files, no network, no extensions."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nequi_lake.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset


Parameters = Sequence[Any] | Mapping[str, Any]
"""Values for the ``?`` of a query, in order, or for its ``$name``, by name."""
MEMORY_LIMIT = f"{192 * (os.cpu_count() or 1)}MB"
"""Of DuckDB's own memory, of which each thread needs some; what a query needs beyond it spills onto the disk."""


def quoted(*names: str) -> str:
    """An identifier of SQL, of one or several parts."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


@contextmanager
def connect(
    tables: Mapping[tuple[str, str], pyarrow.dataset.Dataset],
    *,
    memory_limit: str | None = None,
    spill_into: Path | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that knows these tables, for the time of the block.

    Args:
        tables: (dataset, table) → its content; SQL names it ``<dataset>.<table>``.
        memory_limit: of DuckDB's own memory, as ``1GB``; its default, which is a share of the machine's.
        spill_into: a folder for what does not fit; one of its own among the system's temporary files by default.
    """
    import duckdb

    # Not the folder from which somebody asks, which is DuckDB's choice.
    with tempfile.TemporaryDirectory(prefix="nequi_lake-", dir=spill_into) as folder, duckdb.connect() as connection:
        connection.execute("SET autoinstall_known_extensions = false; SET temp_directory = $1", [folder])
        if memory_limit:
            connection.execute("SET memory_limit = $1", [memory_limit])
        for dataset in {dataset for dataset, _ in tables}:
            connection.execute(f'CREATE SCHEMA "{dataset}"')
        for (dataset, table), content in tables.items():
            source = f"{dataset}__{table}"
            connection.register(source, content)
            connection.execute(f'CREATE VIEW "{dataset}"."{table}" AS SELECT * FROM "{source}"')
        # It would write its bar among the rows that a person asked for.
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        yield connection


_SHOW_TABLES = re.compile(r"\s*SHOW\s+(ALL\s+)?TABLES\s*;?\s*", re.IGNORECASE)
_LIST = "SELECT table_schema AS dataset, table_name AS name FROM information_schema.tables "
_LIST += "WHERE table_schema <> 'main' ORDER BY ALL"
_ABOUT_TABLES = re.compile(r"\bSHOW\b|\bINFORMATION_SCHEMA\b|\bDUCKDB_\w+", re.IGNORECASE)


def asks_for_tables(text: str) -> bool:
    """Whether a query is about which tables there are."""
    return bool(_ABOUT_TABLES.search(text))


def parse_question(
    connection: duckdb.DuckDBPyConnection, text: str, params: Parameters | None = None
) -> duckdb.DuckDBPyRelation | None:
    """As :func:`parse_query`, for a person: EXPLAIN, PIVOT and SHOW TABLES are questions too."""
    import duckdb

    if _SHOW_TABLES.fullmatch(text):
        return connection.sql(_LIST)
    kinds = [statement.type for statement in connection.extract_statements(text)]
    if kinds in ([duckdb.StatementType.EXPLAIN], [duckdb.StatementType.MULTI]):
        return connection.sql(text)
    return parse_query(connection, text, params)


def parse_query(
    connection: duckdb.DuckDBPyConnection, text: str, params: Parameters | None = None
) -> duckdb.DuckDBPyRelation | None:
    """Parse a text that is one SELECT; None where it is anything else. Without parameters it is not run yet.

    Raises:
        duckdb.Error: it cannot be read, names what does not exist, or has other parameters than are given.
        UsageError: the parameters are neither a list nor a dictionary.
    """
    import duckdb

    statements = connection.extract_statements(text)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        return None
    if params is None:
        return connection.sql(text)
    if isinstance(params, str | bytes) or not isinstance(params, Sequence | Mapping):
        raise UsageError(
            f"The parameters of a query are a list or a dictionary, and not {params!r}.",
            fix="Give params=[value, …] for each ? of the query, or params={'name': value} for each $name.",
        )
    return connection.sql(text, params=dict(params) if isinstance(params, Mapping) else list(params))
