"""Marts: made by SQL of published tables; those of one group are audited and published together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow.dataset

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.relation import in_dataset
from nequi_lake.datasets.spec import Dataset, Mart, MartGroup
from nequi_lake.engines.duckdb import make
from nequi_lake.engines.files import discard
from nequi_lake.engines.fingerprint import mart_release_id
from nequi_lake.errors import StageError
from nequi_lake.lake.catalog.housekeeping import remove_orphans
from nequi_lake.lake.check import Check
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.lake.release import PublishedTable, Release, StagedTable
from nequi_lake.pipeline.publish import EVERYTHING, Selection, Staged, StagedGroup, StagePlan, attempt_id, stage_group
from nequi_lake.quality.audit import audit

log = logging.getLogger(__name__)


@contextmanager
def stage_marts(
    lake: Lake, dataset: Dataset, group: MartGroup, run_id: str, *, selection: Selection = EVERYTHING
) -> Iterator[StagedGroup]:
    """Make the marts of a group, and audit them together; holds the dataset's lock for the time of the block.

    Args:
        lake: the lake.
        dataset: whose marts.
        group: the marts.
        run_id: the run that does it.
        selection: which of the marts to publish, or only to check.

    Raises:
        CatalogError: a table that the marts read was never published.
        StageError: a query cannot be run, or contradicts its contract.
    """
    # Asked before the lock is taken, which would make a lake where there is none.
    lake.tables_of(dataset, [name for name in group.upstream if name not in group.of_others])
    _of_others(lake, group)
    ensure_identity(lake.storage)
    title = f"{dataset.name}.{group.name}"
    with lake.storage.lock(dataset.name) as lock:
        superseding = remove_orphans(dataset, lake.catalog, lake.storage, group.names)
        tables = lake.tables_of(dataset, [table.name for table in dataset.tables])
        others = _of_others(lake, group)
        content = {name: {**tables, **others}[name].to_dataset() for name in group.upstream}
        source = next(iter(tables.values())).published.release
        of_others = {name.partition(".")[0]: table.published.release for name, table in others.items()}
        other_releases = tuple(f"{name} {release.id}" for name, release in sorted(of_others.items()))
        sources = [source, *of_others.values()]
        release = Release(
            id=mart_release_id(group, source.id, other_releases),
            run_id=attempt_id(run_id),
            raw_version=source.raw_version,
            tables=group.names,
            source_release=source.id,
            other_releases=other_releases,
            source=", ".join(dict.fromkeys(release.source for release in sources)),
            is_sample=any(release.is_sample for release in sources),
        )
        parents = {name: table.published for name, table in tables.items()}

        def stage_and_audit(plan: StagePlan) -> tuple[Staged, list[Check]]:
            log.info("%s: %s", title, "making and auditing" if plan.missing else "auditing")
            limit = lake.settings.max_partitions
            staged: dict[str, StagedTable] = {}
            try:
                for mart in (mart for mart in group.relations if mart.name in plan.missing):
                    read = {**content, **_of_group(lake, dataset, mart, {**plan.current, **staged})}
                    staged[mart.name] = make(dataset, mart, read, plan.release, lake.storage, max_partitions=limit)
                known = {**parents, **plan.current}
                return staged, audit(dataset, {**plan.kept, **staged}, known, lake.storage, plan.before)
            except BaseException:
                discard(dataset, staged, lake.storage)
                raise

        yield stage_group(
            lake,
            dataset,
            group,
            release,
            selection,
            lock,
            title=title,
            stage_and_audit=stage_and_audit,
            superseding=superseding,
        )


def unpublished(lake: Lake, dataset: Dataset, group: MartGroup) -> list[str]:
    """``<dataset>.<table>`` of what marts read and was never published."""
    read = [in_dataset(dataset.name, name) for name in group.upstream]
    return [f"{of}.{table}" for of, table in read if table not in lake.published(lake.datasets[of], [table])]


def _of_group(
    lake: Lake, dataset: Dataset, mart: Mart, made: Mapping[str, StagedTable]
) -> dict[str, pyarrow.dataset.Dataset]:
    """The marts of its group that a mart reads, by name, as they are in the release that is made.

    Raises:
        StageError: one of them is not made yet.
    """
    of_group = [name for name in mart.upstream if name in dataset.release_group_of(mart.name).names]
    missing = [name for name in of_group if name not in made]
    if missing:
        raise StageError(
            f"{dataset.name}.{mart.name} reads {', '.join(missing)} of its group, which this release does not have "
            "yet.",
            where=f"{dataset.name}.{mart.name}",
            fix=f"Make the whole group in one run: nequi-lake run {dataset.name}",
        )
    return {
        name: lake.storage.dataset(dict.fromkeys(made[name].paths), arrow_schema(dataset.mart(name).contract))
        for name in of_group
    }


def _of_others(lake: Lake, group: MartGroup) -> dict[str, LakeTable]:
    """``<dataset>.<table>`` → the table, of the other datasets' tables that marts read; of each one release."""
    found = {}
    for of in group.other_datasets:
        names = [name.partition(".")[2] for name in group.of_others if name.startswith(f"{of}.")]
        found.update({f"{of}.{name}": table for name, table in lake.tables_of(lake.datasets[of], names).items()})
    return found


def publish_marts(lake: Lake, dataset: Dataset, group: MartGroup, run_id: str) -> dict[str, PublishedTable]:
    """Make, audit and publish the marts of a group; mart → what readers see.

    Raises:
        AuditError: a check failed, so nothing was published.
    """
    with stage_marts(lake, dataset, group, run_id) as staged:
        return staged.commit_all()
