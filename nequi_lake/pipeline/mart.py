"""A mart: made by SQL of published tables, audited and published on its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nequi_lake.datasets.relation import in_dataset
from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.engines.duckdb import make
from nequi_lake.engines.files import discard
from nequi_lake.engines.fingerprint import mart_release_id
from nequi_lake.lake.catalog.housekeeping import remove_orphans
from nequi_lake.lake.check import Check
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.lake.release import PublishedTable, Release
from nequi_lake.pipeline.publish import EVERYTHING, Selection, Staged, StagedGroup, StagePlan, attempt_id, stage_group
from nequi_lake.quality.audit import audit

log = logging.getLogger(__name__)


@contextmanager
def stage_mart(
    lake: Lake, dataset: Dataset, mart: Mart, run_id: str, *, selection: Selection = EVERYTHING
) -> Iterator[StagedGroup]:
    """Make a mart of published tables, and audit it; holds its the dataset's lock for the time of the block.

    Args:
        lake: the lake.
        dataset: whose mart.
        mart: the mart.
        run_id: the run that does it.
        selection: whether to publish the mart, or only to check it.

    Raises:
        CatalogError: a table that the mart reads was never published.
        StageError: the query cannot be run, or contradicts the contract.
    """
    # Asked before the lock is taken, which would make a lake where there is none.
    for name in mart.upstream:
        lake.table(".".join(in_dataset(dataset.name, name)))
    ensure_identity(lake.storage)
    title = f"{dataset.name}.{mart.name}"
    with lake.storage.lock(dataset.name) as lock:
        superseding = remove_orphans(dataset, lake.catalog, lake.storage, [mart.name])
        tables = lake.tables_of(dataset, [table.name for table in dataset.tables])
        others = _of_others(lake, mart)
        content = {name: {**tables, **others}[name].to_dataset() for name in mart.upstream}
        source = next(iter(tables.values())).published.release
        of_others = {name.partition(".")[0]: table.published.release for name, table in others.items()}
        other_releases = tuple(f"{name} {release.id}" for name, release in sorted(of_others.items()))
        sources = [source, *of_others.values()]
        release = Release(
            id=mart_release_id(mart, source.id, other_releases),
            run_id=attempt_id(run_id),
            raw_version=source.raw_version,
            tables=(mart.name,),
            source_release=source.id,
            other_releases=other_releases,
            source=", ".join(dict.fromkeys(release.source for release in sources)),
            is_sample=any(release.is_sample for release in sources),
        )
        parents = {name: table.published for name, table in tables.items()}

        def stage_and_audit(plan: StagePlan) -> tuple[Staged, list[Check]]:
            log.info("%s: %s", title, "making and auditing" if plan.missing else "auditing")
            limit = lake.settings.max_partitions
            staged = {
                name: make(dataset, mart, content, plan.release, lake.storage, max_partitions=limit)
                for name in plan.missing
            }
            try:
                return staged, audit(dataset, {**plan.kept, **staged}, parents, lake.storage, plan.before)
            except BaseException:
                discard(dataset, staged, lake.storage)
                raise

        yield stage_group(
            lake,
            dataset,
            dataset.release_group_of(mart.name),
            release,
            selection,
            lock,
            title=title,
            stage_and_audit=stage_and_audit,
            superseding=superseding,
        )


def unpublished(lake: Lake, dataset: Dataset, mart: Mart) -> list[str]:
    """``<dataset>.<table>`` of what a mart reads and was never published."""
    read = [in_dataset(dataset.name, name) for name in mart.upstream]
    return [f"{of}.{table}" for of, table in read if table not in lake.published(lake.datasets[of], [table])]


def _of_others(lake: Lake, mart: Mart) -> dict[str, LakeTable]:
    """``<dataset>.<table>`` → the table, of the other datasets' tables that a mart reads; of each one release."""
    found = {}
    for of in mart.other_datasets:
        names = [name.partition(".")[2] for name in mart.of_others if name.startswith(f"{of}.")]
        found.update({f"{of}.{name}": table for name, table in lake.tables_of(lake.datasets[of], names).items()})
    return found


def publish_mart(lake: Lake, dataset: Dataset, mart: Mart, run_id: str) -> dict[str, PublishedTable]:
    """Make, audit and publish a mart; its name → what readers see.

    Raises:
        AuditError: a check failed, so nothing was published.
    """
    with stage_mart(lake, dataset, mart, run_id) as staged:
        return staged.commit_all()
