"""Assets of the processed zone: a dataset's tables are staged in one pass, audited together, published one by one."""

import logging
from collections.abc import Collection
from dataclasses import replace

import dagster as dg

from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.failures import as_failure
from nequi_lake.defs.names import raw_key
from nequi_lake.defs.publishing import Made, Staged, check_specs, made, table_spec, try_of
from nequi_lake.engines.duplicates import find_duplicates
from nequi_lake.engines.files import discard
from nequi_lake.engines.fingerprint import release_id
from nequi_lake.engines.polars import stage
from nequi_lake.lake.housekeeping import remove_orphans
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.reader import Lake
from nequi_lake.lake.release import Release
from nequi_lake.quality.audit import UNIQUE_KEY, audit
from nequi_lake.quality.check import Check

log = logging.getLogger(__name__)


def table_assets(dataset: Dataset) -> dg.AssetsDefinition:
    """The assets of a dataset's tables."""

    @dg.multi_asset(
        name=f"{dataset.name}_tables",
        ins={
            f"file_{number}": dg.AssetIn(raw_key(dataset.name, file.name))
            for number, file in enumerate(dataset.readable_files)
        },
        specs=[
            table_spec(dataset, table, [raw_key(dataset.name, file.name) for file in dataset.files_of(table)], "polars")
            for table in dataset.tables
        ],
        check_specs=check_specs(dataset, dataset.tables),
        can_subset=True,
        op_tags={"dataset": dataset.name},
    )
    def process(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], **files: RawFileVersion) -> Made:
        with as_failure(lake.settings.uri), lake.storage.alone(dataset.name):
            remove_orphans(dataset, lake.catalog, lake.storage)
            release = Release(
                id=release_id(dataset, files.values()),
                run_id=try_of(context.run.run_id),
                raw_version=next(iter(files.values())).version,
                tables=tuple(table.name for table in dataset.tables),
            )

            def make(names: Collection[str], old: Staged, there: Staged) -> tuple[Staged, list[Check]]:
                return _staged_and_audited(dataset, files.values(), names, old, there, release, lake)

            yield from made(context, lake, dataset, dataset.tables, dataset.name, release, make)

    return process


def _staged_and_audited(
    dataset: Dataset,
    files: Collection[RawFileVersion],
    names: Collection[str],
    old: Staged,
    parents: Staged,
    release: Release,
    lake: Lake,
) -> tuple[Staged, list[Check]]:
    """Stage tables and audit them, with ``old`` ones beside them that stay as they are.

    Where keys repeat, the records behind it are looked for, and the tables are staged anew without them. Of some tables
    alone nobody sees whether keys of the others repeat, so the look comes first.
    """
    if not names:
        return {}, audit(dataset, old, parents, lake.storage)
    by_name = {file.file: file for file in files}
    duplicates = find_duplicates(dataset, by_name, lake.storage) if len(names) < len(dataset.tables) else None
    while True:
        log.info("%s: staging %s", dataset.name, ", ".join(names))
        staged = stage(dataset, by_name, names, release, lake.storage, duplicates)
        try:
            log.info("%s: auditing %s", dataset.name, ", ".join([*old, *staged]))
            checks = audit(dataset, {**old, **staged}, parents, lake.storage)
            if duplicates or all(check.passed for check in checks if check.name == UNIQUE_KEY):
                return staged, checks
            log.info("%s: keys repeat; looking for the records behind it", dataset.name)
            duplicates = find_duplicates(dataset, by_name, lake.storage)
        except BaseException:
            discard(dataset, staged, lake.storage)
            raise
        discard(dataset, staged, lake.storage)
        release = replace(release, run_id=try_of(release.run_id.rsplit("-", 1)[-1]))
