"""Going back: an older release becomes what readers see, by new commits of the old files."""

from __future__ import annotations

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.as_of import SHORTEST, find, the_one
from nequi_lake.lake.catalog import LakeCatalog
from nequi_lake.lake.release import PublishedTable, Release
from nequi_lake.lake.storage import Storage


def roll_back(dataset: Dataset, release: str, catalog: LakeCatalog, storage: Storage) -> tuple[Release, list[str]]:
    """Make an older whole release what readers see, and say which it is and what tables needed a commit.

    The first commit makes the old release the newest, and every table has it already, so readers go from one whole
    release to the other at that commit. Where the process ends before the last one, a second call does the rest.

    Args:
        dataset: the dataset that goes back.
        release: the id, or the first characters of it.
        catalog: the lake's.
        storage: the lake's.

    Raises:
        UsageError: so few characters name no release.
        CatalogError: there is no such whole release, its files are gone, or it has other columns than the contract.
    """
    if len(release) < SHORTEST:
        raise UsageError(f"{release} is too short.", fix=f"Give {SHORTEST} or more characters of the release's id.")
    # Asked before the lock is taken, which would make a lake where there is none.
    the_one([(dataset.name, state) for state in find(catalog, dataset, release)], release)
    with storage.alone(dataset.name):
        matching = [(dataset.name, state) for state in find(catalog, dataset, release)]
        _, state = the_one(matching, release)
        target = catalog.published(dataset, release=state.release.id)
        _refuse_other_columns(dataset, target, state.release, catalog)
        missing = storage.missing([path for table in target.values() for path in table.paths])
        if missing:
            raise CatalogError(
                f"{len(missing)} files of release {state.release.id} are gone.",
                where=missing[0],
                fix=f"Take another release: nequi-lake history {dataset.name}.{dataset.tables[0].name}",
            )
        seen = catalog.published(dataset)
        current = all(seen[name].release.id == state.release.id for name in target)
        changed: list[str] = []
        for name, table in target.items():
            newest = catalog.newest(dataset.name, name)
            # An earlier call was stopped after this table.
            if newest and newest.release.id == state.release.id and (current or changed):
                continue
            catalog.publish(dataset, table)
            changed.append(table.name)
        return state.release, changed


def _refuse_other_columns(
    dataset: Dataset, target: dict[str, PublishedTable], release: Release, catalog: LakeCatalog
) -> None:
    if set(target) != {table.name for table in dataset.tables}:
        raise CatalogError(
            f"Release {release.id} has other tables than {dataset.name} has now.",
            where=f"{', '.join(sorted(target))}",
            fix=f"Read it as it is: nequi-lake tables --as-of {release.id}",
        )
    for name, table in target.items():
        then, now = catalog.schema(table), arrow_schema(dataset.table(name).contract)
        if then != now:
            differing = sorted({field.name for field in set(then) ^ set(now)}) or ["their order"]
            raise CatalogError(
                f"Release {release.id} has other columns of {table.name} than the contract has now.",
                where=", ".join(differing),
                fix=f"Read it as it is: nequi-lake sql --as-of {release.id} …; or go back to the code of that release.",
            )
