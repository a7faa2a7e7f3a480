"""Loads the newest whole release of a dataset into the warehouse, in one transaction, where it is not there yet."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import UsageError, WarehouseError
from nequi_lake.lake.layout import read_identity
from nequi_lake.lake.read.query import quoted
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.warehouse import ledger
from nequi_lake.warehouse.address import Address, parse_address
from nequi_lake.warehouse.ddl import add_references, comments, create_table, grants, literal
from nequi_lake.warehouse.difference import Written, lock_number, prepare, write_rows
from nequi_lake.warehouse.rows import Rows
from nequi_lake.warehouse.server import again_where_it_may_pass, opened

if TYPE_CHECKING:
    from nequi_lake.warehouse.server import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoadedTable:
    """A table of the warehouse after a load.

    Attributes:
        name: ``<dataset>.<table>``.
        release: the release that it holds.
        rows: how many it has.
        changed: how many of them the load inserted, updated or deleted; 0 where the release was there.
    """

    name: str
    release: str
    rows: int
    changed: int


def load(lake: Lake, dataset: Dataset, *, rebuild: bool = False, take_over: bool = False) -> tuple[LoadedTable, ...]:
    """Load what readers of the lake see of a dataset.

    Args:
        lake: the lake; its settings name the warehouse.
        dataset: which dataset.
        rebuild: drop a table whose shape has changed, and the views that depend on it, and make it anew.
        take_over: replace what was loaded from another lake.

    Raises:
        UsageError: there is no warehouse, or it does not let this user in.
        WarehouseError: it refuses, or holds other tables than the contract's.
        TransientError: it cannot be reached, after some tries.
    """
    address = address_of(lake)
    for attempt in again_where_it_may_pass():
        with attempt, opened(address) as connection:
            done = _load(connection, lake, dataset, rebuild=rebuild, take_over=take_over)
    return done


def check_access(lake: Lake) -> str:
    """What the warehouse is, where all that a load needs is there; changes nothing.

    Raises:
        UsageError: it does not let this user in, the user has no right to load, or the reader role is not there.
        WarehouseError: the server cannot be used.
        TransientError: it cannot be reached.
    """
    with opened(address_of(lake)) as connection:
        ask = "SELECT current_setting('server_version'), has_database_privilege(current_database(), 'CREATE')"
        version, may_create = connection.execute(ask).fetchone() or ("", False)
        if not may_create:
            raise UsageError(
                "The user may make no schema in the warehouse's database.",
                where=lake.settings.warehouse_shown,
                fix="As its owner: GRANT CREATE ON DATABASE … TO …",
            )
        if lake.settings.warehouse_reader:
            _find_role(connection, lake.settings.warehouse_reader)
    return f"PostgreSQL {version}, in UTF-8"


def address_of(lake: Lake) -> Address:
    """The warehouse that a lake's settings name.

    Raises:
        UsageError: they name none.
    """
    if not lake.settings.warehouse:
        raise UsageError(
            "There is no warehouse.",
            where="NEQUI_LAKE_WAREHOUSE",
            fix="Set it to postgresql://USER@HOST:5432/DATABASE, and the password in PGPASSWORD or ~/.pgpass.",
        )
    return parse_address(lake.settings.warehouse)


def _load(
    connection: Connection,
    lake: Lake,
    dataset: Dataset,
    *,
    rebuild: bool,
    take_over: bool,
) -> tuple[LoadedTable, ...]:
    identity = read_identity(lake.storage)
    if identity is None or not lake.published(dataset):
        raise WarehouseError(
            f"Nothing of {dataset.name} was ever published.",
            where=lake.settings.uri,
            fix=f"Make it: nequi-lake run {dataset.name}",
        )
    with connection.transaction():
        log.info("%s: waiting for the warehouse's lock", dataset.name)
        connection.execute(f"SELECT pg_advisory_xact_lock({lock_number('nequi_lake')})")
        ledger.make(connection)
        # Nobody else loads from now on, so what is the newest now is still so when it is loaded.
        tables = lake.tables_of(dataset)
        for table in tables.values():
            _refuse_other_columns(table)
        held = ledger.newest(connection, dataset.name)
        others = {loaded.lake for loaded in held.values()} - {identity.id}
        if others and not take_over:
            raise WarehouseError(
                f"What the warehouse has of {dataset.name} was loaded from another lake, {', '.join(sorted(others))}.",
                where=lake.settings.uri,
                fix="Is NEQUI_LAKE_URI the lake that you mean? To replace what is there: "
                f"nequi-lake warehouse load {dataset.name} --take-over",
            )
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(dataset.name)}")
        connection.execute(f"COMMENT ON SCHEMA {quoted(dataset.name)} IS {literal(dataset.summary)}")
        wanted = _wanted(identity.id, dataset, tables)
        groups = {name: dataset.release_group_of(name).name for name in tables}
        due = [
            table
            for name, table in tables.items()
            if held.get(groups[name]) != wanted[groups[name]] or not _is_there(connection, dataset, table.table)
        ]
        done = _write(connection, dataset, due, rebuild=rebuild)
        if lake.settings.warehouse_reader:
            _grant(connection, dataset, lake.settings.warehouse_reader)
        for group in dict.fromkeys(groups[name] for name in done):
            ledger.record(connection, dataset.name, group, wanted[group])
    for name, written in done.items():
        if written.changed or written.is_new:
            log.info("%s.%s: vacuuming", dataset.name, name)
            connection.execute(f"VACUUM (ANALYZE) {quoted(dataset.name, name)}")
    return tuple(
        LoadedTable(
            name=table.name,
            release=table.published.release.id,
            rows=len(table),
            changed=done[name].changed if name in done else 0,
        )
        for name, table in tables.items()
    )


def _write(connection: Connection, dataset: Dataset, due: Iterable[LakeTable], *, rebuild: bool) -> dict[str, Written]:
    done: dict[str, Written] = {}
    for table in due:
        is_new = prepare(connection, dataset, table.table, rebuild=rebuild)
        log.info("%s: loading %s rows of release %s", table.name, f"{len(table):,}", table.published.release.id)
        written = write_rows(connection, dataset, table.table, Rows(table), is_new=is_new)
        if written.nul_count:
            log.warning(
                "%s: %s texts had a NUL, which PostgreSQL cannot hold: U+FFFD is in its place",
                table.name,
                f"{written.nul_count:,}",
            )
        done[table.table.name] = written
        for statement in comments(dataset, table.table):
            connection.execute(statement)
    made = {name for name, written in done.items() if written.is_new}
    for relation in dataset.relations:
        # Of a table that was dropped, those of its children went with it.
        lost = {reference.to for reference in relation.foreign_keys} & made
        if relation.name in made or (lost and _is_there(connection, dataset, relation)):
            for statement in add_references(dataset, relation, None if relation.name in made else lost):
                connection.execute(statement)
    return done


def _is_there(connection: Connection, dataset: Dataset, relation: Relation) -> bool:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [quoted(dataset.name, relation.name)]).fetchone()
    return bool(found and found[0])


def _wanted(lake: str, dataset: Dataset, tables: Mapping[str, LakeTable]) -> dict[str, ledger.Loaded]:
    """What the ledger says of each release group once these tables are loaded."""
    found = {}
    for group in dataset.release_groups:
        members = [tables[name] for name in group.names if name in tables]
        if members:
            release = members[0].published.release
            found[group.name] = ledger.Loaded(
                lake=lake,
                release=release.id,
                sequence=release.sequence,
                shape=_shape(dataset, group.relations),
                rows=sum(map(len, members)),
            )
    return found


def _shape(dataset: Dataset, relations: Iterable[Relation]) -> str:
    """A fingerprint of tables: columns, keys, references and comments."""
    text = "\n".join(
        statement
        for relation in relations
        for statement in (
            create_table(dataset, relation),
            *relation.key,
            *add_references(dataset, relation),
            *comments(dataset, relation),
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _grant(connection: Connection, dataset: Dataset, role: str) -> None:
    _find_role(connection, role)
    for statement in grants(dataset, role):
        connection.execute(statement)


def _find_role(connection: Connection, role: str) -> None:
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        raise UsageError(
            f"The warehouse has no role {role}.",
            where="NEQUI_LAKE_WAREHOUSE_READER",
            fix=f"Create it: CREATE ROLE {quoted(role)}",
        )


def _refuse_other_columns(table: LakeTable) -> None:
    if not table.is_as_declared:
        raise WarehouseError(
            f"{table.name} was published with other columns than its contract has now.",
            where=table.name,
            fix=f"Publish it with those first: nequi-lake run {table.name.partition('.')[0]}",
        )
