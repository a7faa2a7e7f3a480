"""Makes a table hold the rows of a release, in its caller's transaction: a new one whole, another by what differs.

Readers go on: what they see changes when the transaction is committed. Rows that are the same are not written again,
so that views, prepared statements and grants live on, and the table does not grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import WarehouseError
from nequi_lake.lake.read.query import quoted
from nequi_lake.progress import bar
from nequi_lake.warehouse.ddl import Shape, add_keys, create_table, literal, shape
from nequi_lake.warehouse.rows import COPY_OPTIONS, Rows

if TYPE_CHECKING:
    from nequi_lake.warehouse.server import Connection

_NEW = "nequi_lake_new"
_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_KEY = """
SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE indrelid = to_regclass(%s) AND indisprimary ORDER BY array_position(indkey::int[], attnum::int)
"""
_DEPENDENTS = """
SELECT DISTINCT c.relkind::text, n.nspname || '.' || c.relname FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.refobjid = to_regclass(%s) AND c.oid <> d.refobjid ORDER BY 2
"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was done to a table.

    Attributes:
        rows: that it has now.
        changed: how many were inserted, updated and deleted.
        is_new: whether the table was made.
        nul_count: texts with a NUL, which PostgreSQL cannot hold; U+FFFD stands in its place.
    """

    rows: int
    changed: int
    is_new: bool
    nul_count: int


def found_shape(connection: Connection, name: str) -> tuple[tuple[Shape, ...], tuple[str, ...]] | None:
    """Columns and primary key of a table that is there; None where it is not."""
    columns = tuple(Shape(*row) for row in connection.execute(_COLUMNS, [name]).fetchall())
    key = tuple(row[0] for row in connection.execute(_KEY, [name]).fetchall())
    return (columns, key) if columns else None


def dependents(connection: Connection, name: str) -> list[str]:
    """The views that depend on a table."""
    kinds = {"v": "view", "m": "materialized view"}
    return [f"{kinds.get(kind, kind)} {other}" for kind, other in connection.execute(_DEPENDENTS, [name]).fetchall()]


def prepare(connection: Connection, dataset: Dataset, relation: Relation, *, rebuild: bool) -> bool:
    """Make a table ready for the rows of a relation; whether it has to be made.

    Args:
        rebuild: drop a table of another shape, and what depends on it.

    Raises:
        WarehouseError: the table has another shape, and is not to be rebuilt.
    """
    name = quoted(dataset.name, relation.name)
    found = found_shape(connection, name)
    if found is None:
        return True
    columns, key = found
    wanted = shape(relation)
    there = {column.name: column for column in columns}
    added = [column for column in wanted if column.name not in there and column.nullable]
    if key == relation.key and {*columns} | {*added} == {*wanted}:
        for column in added:
            connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {column.type}")
        return False
    views = dependents(connection, name)
    if not rebuild:
        raise WarehouseError(
            f"The table {dataset.name}.{relation.name} of the warehouse has another shape: "
            f"{'; '.join(_differences(columns, wanted, key, relation.key))}."
            + (f" On it depend: {', '.join(views)}." if views else " No view depends on it."),
            where=f"{dataset.name}.{relation.name}",
            fix=f"nequi-lake warehouse load {dataset.name} --rebuild drops it with these views, and loads it again.",
        )
    connection.execute(f"DROP TABLE {name} CASCADE")
    return True


def write_rows(connection: Connection, dataset: Dataset, relation: Relation, rows: Rows, *, is_new: bool) -> Written:
    """Make a table hold these rows.

    Raises:
        WarehouseError: it does not hold as many afterwards.
    """
    name = quoted(dataset.name, relation.name)
    if is_new:
        connection.execute(create_table(dataset, relation))
        _copy(connection, f"{dataset.name}.{relation.name}", name, rows, f"{COPY_OPTIONS}, FREEZE")
        for statement in add_keys(dataset, relation):
            connection.execute(statement)
        changed = rows.count
    else:
        connection.execute(f"CREATE TEMP TABLE {_NEW} (LIKE {name}) ON COMMIT DROP")
        _copy(connection, f"{dataset.name}.{relation.name}", _NEW, rows, COPY_OPTIONS)
        key = ", ".join(quoted(column) for column in relation.key)
        connection.execute(f"CREATE UNIQUE INDEX ON {_NEW} ({key})")
        connection.execute(f"ANALYZE {_NEW}")
        changed = sum(connection.execute(statement).rowcount for statement in _statements(name, relation, rows.columns))
        connection.execute(f"DROP TABLE {_NEW}")
    (count,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone() or (0,)
    if count != rows.count:
        raise WarehouseError(
            f"The warehouse has {count:,} rows of {dataset.name}.{relation.name}, and the lake {rows.count:,}.",
            where=f"{dataset.name}.{relation.name}",
            fix="Nothing was changed. Does a trigger or a rule of the database change what is written?",
        )
    return Written(rows=count, changed=changed, is_new=is_new, nul_count=rows.nul_count)


def _copy(connection: Connection, what: str, into: str, rows: Rows, options: str) -> None:
    columns = ", ".join(quoted(column) for column in rows.columns)
    with (
        bar(f"loading {what}", None, "rows") as progress,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {into} ({columns}) FROM STDIN WITH ({options})") as copy,
    ):
        before = 0
        for block in rows:
            copy.write(block)
            progress.update(rows.count - before)
            before = rows.count


def _statements(name: str, relation: Relation, columns: Sequence[str]) -> Iterable[str]:
    """What makes the table equal to the new one."""
    same_key = " AND ".join(f"old.{quoted(column)} = new.{quoted(column)}" for column in relation.key)
    listed = ", ".join(quoted(column) for column in columns)
    yield f"DELETE FROM {name} old WHERE NOT EXISTS (SELECT 1 FROM {_NEW} new WHERE {same_key})"
    others = [column for column in columns if column not in relation.key]
    if others:
        assigned = ", ".join(f"{quoted(column)} = new.{quoted(column)}" for column in others)
        differs = " OR ".join(f"old.{quoted(column)} IS DISTINCT FROM new.{quoted(column)}" for column in others)
        yield f"UPDATE {name} old SET {assigned} FROM {_NEW} new WHERE {same_key} AND ({differs})"
    yield (
        f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {_NEW} new "
        f"WHERE NOT EXISTS (SELECT 1 FROM {name} old WHERE {same_key})"
    )


def _differences(
    found: Sequence[Shape], wanted: Sequence[Shape], key: Sequence[str], wanted_key: Sequence[str]
) -> Iterable[str]:
    there, new = {column.name: column for column in found}, {column.name: column for column in wanted}
    for name in sorted(there.keys() | new.keys()):
        if name not in new:
            yield f"the contract has no {name}"
        elif name not in there:
            yield f"it has no {name}"
        elif there[name] != new[name]:
            yield f"{name} is {_words(there[name])}, and {_words(new[name])} in the contract"
    if tuple(key) != tuple(wanted_key):
        yield f"its key is {', '.join(key) or 'none'}, and {', '.join(wanted_key) or 'none'} in the contract"


def _words(column: Shape) -> str:
    return column.type if column.nullable else f"{column.type} NOT NULL"


def lock_number(text: str) -> str:
    """The number of an advisory lock, as SQL."""
    return f"hashtextextended({literal(text)}, 0)"
