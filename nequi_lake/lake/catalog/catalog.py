"""The catalog: one Iceberg table per table or mart, published by one snapshot each, read a whole release at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import cached_property

import pyarrow as pa
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchIcebergTableError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.io import load_file_io
from pyiceberg.io.pyarrow import parquet_files_to_data_files
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table import Transaction
from sqlalchemy.exc import DBAPIError, IntegrityError

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset, Relation, ReleaseGroup
from nequi_lake.errors import CatalogConflictError, CatalogError
from nequi_lake.lake.catalog.commits import (
    Commit,
    commits_by_release,
    commits_of,
    committed_at,
    is_complete,
    published_by,
    release_of,
    schema_of,
)
from nequi_lake.lake.catalog.connect import open_catalog
from nequi_lake.lake.catalog.database import explain_failure, is_unreached
from nequi_lake.lake.catalog.evolution import evolve
from nequi_lake.lake.catalog.ownership import (
    LAKE_ID,
    explain_missing,
    forget_pointer,
    record_pointers,
    record_sequence,
    recorded_pointers,
    recorded_sequences,
    require_apart,
    require_current,
    require_same_lake,
)
from nequi_lake.lake.layout import LakeIdentity, read_identity, relation_folder
from nequi_lake.lake.raw_file import SAMPLE_LICENCE
from nequi_lake.lake.release import HistoryEntry, PublishedTable, Release, ReleaseState, StagedTable, to_properties
from nequi_lake.lake.retrying import retrying
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend

# The library retries a refused commit by itself, and on an empty table both of two writers would land.
_NO_RETRY = {"commit.retry.num-retries": "0"}


class LakeCatalog:
    """The tables and marts of the lake.

    Args:
        settings: names the catalog's database.
        storage: where the tables are.
    """

    def __init__(self, settings: Settings, storage: StorageBackend) -> None:
        self._settings = settings
        self._storage = storage
        self._identity: LakeIdentity | None = None

    @property
    def _lake_id(self) -> str | None:
        """The id of the lake that lies in the storage; None before its first run has written it."""
        self._identity = self._identity or read_identity(self._storage)
        return self._identity.id if self._identity else None

    @cached_property
    def _catalog(self) -> MetastoreCatalog:
        if not self._storage.exists_root() or self._lake_id is None:
            raise CatalogError(
                "There is no lake yet.",
                where=self._storage.uri,
                fix="Make it: nequi-lake run. Is NEQUI_LAKE_URI the lake that you mean?",
            )
        return open_catalog(self._settings, self._storage)

    def publish(
        self, dataset: Dataset, staged: StagedTable, *, fence: Callable[[], object] | None = None
    ) -> PublishedTable:
        """Make the staged files the table of ``dataset``, in one commit.

        Args:
            dataset: whose table it is.
            staged: the files, with the release and its sequence.
            fence: called right before the commit; raises where the caller no longer holds the dataset's lock.

        Raises:
            CatalogConflictError: another writer changed the table at the same time.
        """
        table = dataset.relation(staged.table)
        current = self.iceberg(dataset.name, table.name)
        try:
            change = current.transaction() if current else self._creation(table, dataset, staged.release)
            evolve(change, table)
            mapping = change.table_metadata.schema().name_mapping.model_dump_json()
            change.set_properties(
                {"schema.name-mapping.default": mapping, **self._properties(dataset, table, staged.release)}
            )
            files = load_file_io(self._storage.iceberg_properties(), self._storage.uri)
            new = list(parquet_files_to_data_files(files, change.table_metadata, iter(staged.paths)))
            old = [task.file for task in current.scan().plan_files()] if current and current.current_snapshot() else []
            with change.update_snapshot(snapshot_properties=to_properties(staged)).overwrite() as snapshot:
                for file in old:
                    snapshot.delete_data_file(file)
                for file in new:
                    snapshot.append_data_file(file)
            if fence:
                fence()
            committed = change.commit_transaction()
        except (CommitFailedException, TableAlreadyExistsError, ValidationException) as refused:
            # Not tried again: it would take the place of what the other has published, unseen.
            raise CatalogConflictError(
                f"Another run published {staged.name} at the same time; this one left it as it is.",
                where=staged.name,
                fix=f"Run it again: nequi-lake run {staged.dataset}",
            ) from refused
        # What has created a table cannot read it.
        iceberg = current or self._catalog.load_table((dataset.name, table.name))
        where = committed.metadata_location if current else iceberg.metadata_location
        record_pointers(self._storage, dataset.name, {table.name: where})
        # Afterwards, for a catalog that is made anew from the pointers may not be behind the sequence.
        record_sequence(self._storage, dataset.name, dataset.release_group_of(table.name).name, staged.release.sequence)
        return published_by(staged.dataset, staged.table, iceberg, next(commits_of(committed)))

    def require_current(self, dataset: Dataset) -> None:
        """Check that this is the lake's catalog, with all that was committed of a dataset.

        Raises:
            CatalogError: it is another lake's, or behind the lake.
        """
        for group in dataset.release_groups:
            self._icebergs(dataset, group)

    def newest(self, dataset: str, table: str) -> PublishedTable | None:
        """The table's last commit, whether or not its siblings have that release; None where there is none."""
        iceberg = self.iceberg(dataset, table)
        if iceberg is None:
            return None
        return next((published_by(dataset, table, iceberg, commit) for commit in commits_of(iceberg)), None)

    def run_ids(self, dataset: str, table: str) -> set[str]:
        """The runs that staged the files of the table's snapshots."""
        iceberg = self.iceberg(dataset, table)
        return {commit.release.run_id for commit in commits_of(iceberg)} if iceberg else set()

    def published(
        self,
        dataset: Dataset,
        names: Collection[str] | None = None,
        *,
        release: Release | None = None,
        before: datetime | None = None,
    ) -> dict[str, PublishedTable]:
        """The relations that readers see, by name: of each release group, the complete release of the highest sequence.

        Args:
            dataset: whose relations.
            names: only these tables and marts; all of them by default.
            release: only this release, with the newest of each mart that comes from the same tables.
            before: leave out what was committed later than this, by the clock of the committing machine.
        """
        found: dict[str, PublishedTable] = {}
        selected = {table.name for table in dataset.relations} if names is None else set(names)
        for group in dataset.release_groups:
            if group.isdisjoint(selected):
                continue
            tables = self._icebergs(dataset, group)
            newest = _select((c for c in commits_by_release(tables, before) if is_complete(c, tables)), release)
            found |= {
                name: published_by(dataset.name, name, iceberg, newest[name])
                for name, iceberg in tables.items()
                if iceberg and name in newest and name in selected
            }
        return found

    def releases(self, dataset: Dataset, group: ReleaseGroup | None = None) -> Iterator[ReleaseState]:
        """The releases of the dataset's tables, or of another release group, the highest sequence first.

        What readers see is the first complete one.
        """
        tables = self._icebergs(dataset, group or dataset.release_groups[0])
        for commits in commits_by_release(tables):
            yield ReleaseState(
                release=release_of(commits),
                complete=is_complete(commits, tables),
                committed_at=committed_at(commits),
            )

    def next_sequence(self, dataset: Dataset, group: ReleaseGroup, release: str) -> int:
        """The sequence that a release of this id gets now; that of the newest release where it is the same.

        Only for a caller that holds the dataset's lock.
        """
        newest = next(self.releases(dataset, group), None)
        if newest is None:
            return 1
        return newest.release.sequence + (newest.release.id != release)

    def history(self, dataset: Dataset, table: str) -> list[HistoryEntry]:
        """The lake's commits to a table, the newest first."""
        tables = self._icebergs(dataset, dataset.release_group_of(table))
        iceberg = tables[table]
        complete = [commits for commits in commits_by_release(tables) if is_complete(commits, tables)]
        seen = complete[0].get(table) if complete else None
        keys = {(release_of(commits).sequence, release_of(commits).id) for commits in complete}
        return [
            HistoryEntry(
                release=commit.release,
                snapshot_id=commit.snapshot.snapshot_id,
                committed_at=commit.committed_at,
                rows=commit.total("total-records"),
                size_bytes=commit.total("total-files-size"),
                current=seen is not None and seen.snapshot == commit.snapshot,
                complete=(commit.release.sequence, commit.release.id) in keys,
            )
            for commit in (commits_of(iceberg) if iceberg else ())
        ]

    def schema(self, published: PublishedTable) -> pa.Schema:
        """The columns that a table had in its snapshot; later ones may have others."""
        iceberg = self.iceberg(published.dataset, published.table)
        snapshot = iceberg.snapshot_by_id(published.snapshot_id) if iceberg else None
        if iceberg is None or snapshot is None:
            raise CatalogError(
                f"The snapshot of {published.name} is no longer in the catalog.",
                where=f"snapshot {published.snapshot_id}",
                fix=f"See those that are kept: nequi-lake history {published.name}",
            )
        return schema_of(iceberg, snapshot).as_arrow()

    def expire(self, dataset: str, table: str, snapshot_ids: Collection[int]) -> None:
        """Remove snapshots from a table, in one commit. Their files stay.

        Raises:
            CatalogConflictError: another writer changed the table at the same time.
        """
        iceberg = self.iceberg(dataset, table)
        if iceberg is None or not snapshot_ids:
            return
        try:
            iceberg.maintenance.expire_snapshots().by_ids(list(snapshot_ids)).commit()
        except CommitFailedException as refused:
            raise CatalogConflictError(
                f"Another run changed {dataset}.{table} at the same time; this one left it as it is.",
                where=f"{dataset}.{table}",
                fix=f"Run it again: nequi-lake maintain {dataset}",
            ) from refused
        record_pointers(self._storage, dataset, {table: iceberg.refresh().metadata_location})

    def record_pointers(self, dataset: Dataset, names: Collection[str] | None = None) -> None:
        """Record which metadata the catalog has: a run may have been killed right after its commit.

        Args:
            dataset: whose relations.
            names: only those of the release groups of these relations; of all by default.

        Raises:
            CatalogError: the catalog is not the lake's, or behind it; nothing was recorded.
        """
        groups = [group for group in dataset.release_groups if names is None or not group.isdisjoint(names)]
        loaded = [self._icebergs(dataset, group) for group in groups]
        found = {name: iceberg for tables in loaded for name, iceberg in tables.items() if iceberg}
        where = {name: iceberg.metadata_location for name, iceberg in found.items()}
        record_pointers(self._storage, dataset.name, where)

    def register(self, dataset: Dataset, relation: str, metadata: str) -> None:
        """Let the catalog have a relation as this metadata describes it, whatever it had before."""
        self._ensure_namespace(dataset)
        with suppress(NoSuchTableError):
            self._catalog.drop_table((dataset.name, relation))
        self._catalog.register_table((dataset.name, relation), metadata)

    def names(self) -> list[tuple[str, str]]:
        """Dataset and name of every table that the catalog has of this lake, declared or not."""
        if not self._storage.exists_root() or self._lake_id is None:
            return []
        found = [name for space in self._catalog.list_namespaces() for name in self._catalog.list_tables(space)]
        # Glue has the tables of others too.
        return [(name[-2], name[-1]) for name in found if self._is_of_this_lake(name)]

    def has_elsewhere(self, dataset: str, table: str) -> bool:
        """Whether the catalog has a table of this name, and not in this lake: in another, or where nothing is."""
        return self._is_here((dataset, table)) is False

    def require_own(self, former: str) -> None:
        """Check that this catalog is not that of the lake from which this one was copied.

        Args:
            former: where that lake was, or is.

        Raises:
            CatalogError: that lake is still there, and the catalog is not in this lake's folder.
        """
        require_apart(self._settings, self._storage, self._lake_id, former)

    def _is_of_this_lake(self, name: tuple[str, ...]) -> bool:
        return self._is_here(name) is True

    def _is_here(self, name: tuple[str, ...]) -> bool | None:
        """Whether a table of the catalog lies in this lake; None where the catalog has none of this name."""
        try:
            return self._catalog.load_table(name).location().startswith(self._storage.uri + "/")
        except FileNotFoundError:
            return False
        except (NoSuchTableError, NoSuchIcebergTableError):
            return None

    def forget(self, dataset: str, table: str) -> None:
        """Take a table of this lake out of the catalog, if it is there. Its files stay."""
        if self._is_of_this_lake((dataset, table)):
            # First, or a catalog without the table would look like one that lost it.
            forget_pointer(self._storage, dataset, table)
            self._catalog.drop_table((dataset, table))

    def _icebergs(self, dataset: Dataset, group: ReleaseGroup) -> dict[str, IcebergTable | None]:
        # Read first: what another run commits in between is no sign of a catalog that is behind.
        recorded = recorded_sequences(self._storage, dataset.name)
        pointers = recorded_pointers(self._storage, dataset.name)
        tables = {name: self.iceberg(dataset.name, name) for name in group.names}
        require_current(dataset, group, tables, recorded, pointers)
        return tables

    def iceberg(self, dataset: str, table: str) -> IcebergTable | None:
        """The Iceberg table behind a table or mart; None where it was never published."""
        try:
            found = retrying(is_unreached)(self._catalog.load_table, (dataset, table))
        except NoSuchTableError:
            return None
        except DBAPIError as refusal:
            raise explain_failure(refusal, self._settings.catalog_shown) from refusal
        except FileNotFoundError as missing:
            raise explain_missing(missing, f"{dataset}.{table}", self._storage) from missing
        require_same_lake(found, f"{dataset}.{table}", self._lake_id, self._storage)
        return found

    def _ensure_namespace(self, dataset: Dataset) -> None:
        with suppress(NamespaceAlreadyExistsError, IntegrityError):
            self._catalog.create_namespace(dataset.name, {"Description": dataset.summary})

    def _creation(self, table: Relation, dataset: Dataset, release: Release) -> Transaction:
        """A change that creates the table, to which its first snapshot can be added."""
        self._ensure_namespace(dataset)
        return self._catalog.create_table_transaction(
            (dataset.name, table.name),
            schema=arrow_schema(table.contract),
            location=relation_folder(self._storage, table.zone, dataset.name, table.name),
            properties=self._properties(dataset, table, release),
        )

    def _properties(self, dataset: Dataset, table: Relation, release: Release) -> dict[str, str]:
        """Return the properties of a table's catalog entry, which Athena and Glue show."""
        of_publisher = {
            "nequi.kaggle": dataset.slug,
            "nequi.licence": SAMPLE_LICENCE if release.is_sample else dataset.licence,
            "nequi.use-case": dataset.use_case,
        }
        return {
            **_NO_RETRY,
            **({LAKE_ID: self._lake_id} if self._lake_id else {}),
            "Description": table.description,
            "nequi.dataset": dataset.title,
            **{name: value for name, value in of_publisher.items() if value},
            "nequi.source": release.source,
            "nequi.sources": ", ".join(source.name for source in dataset.sources_of(table)),
            "nequi.key": ", ".join(table.key),
            "nequi.foreign-keys": "; ".join(map(str, table.foreign_keys)),
        }


def _select(releases: Iterable[dict[str, Commit]], wanted: Release | None) -> dict[str, Commit]:
    """Return the first release; or else, of a given one, the first of its id or of the same tables' release."""
    of_same_tables: dict[str, Commit] = {}
    for commits in releases:
        release = release_of(commits)
        if wanted is None or release.id == wanted.id:
            return commits
        if not of_same_tables and release.tables_release == wanted.tables_release:
            of_same_tables = commits
    return of_same_tables
