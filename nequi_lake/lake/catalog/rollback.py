"""Rollback: an older release becomes what readers see, by new commits of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.catalog.as_of import SHORTEST, find, resolve_single
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.release import PublishedTable, Release, ReleaseState
from nequi_lake.lake.storage import StorageBackend


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What a rollback did.

    Attributes:
        release: the release of the dataset's tables that readers see now.
        changed: the tables and marts that needed a commit.
        other_marts: the marts that stay of another release, because none is kept that was made from this one.
    """

    release: Release
    changed: tuple[str, ...]
    other_marts: tuple[str, ...]


def roll_back(dataset: Dataset, release: str, catalog: LakeCatalog, storage: StorageBackend) -> RolledBack:
    """Make an older whole release what readers see, with the marts that were made from it.

    The old files are committed as a release of a new sequence, so readers go from one release to the other at the
    last commit of the tables. Where the process ends before it, a second call with the same release does the rest.

    Args:
        dataset: the dataset that goes back.
        release: the id, or the first characters of it.
        catalog: the lake's.
        storage: the lake's.

    Raises:
        UsageError: so few characters name no release, or a mart's.
        CatalogError: there is no such whole release, its files are gone, or it has other columns than the contract.
    """
    if len(release) < SHORTEST:
        raise UsageError(f"{release} is too short.", fix=f"Give {SHORTEST} or more characters of the release's id.")
    # Asked before the lock is taken, which would make a lake where there is none.
    _wanted(dataset, release, catalog)
    with storage.lock(dataset.name) as lock:
        state = _wanted(dataset, release, catalog)
        together = catalog.published(dataset, release=state.release)
        target = {table.name: together[table.name] for table in dataset.tables if table.name in together}
        _refuse_other_columns(dataset, target, state.release, catalog)
        missing = storage.missing([path for table in target.values() for path in table.paths])
        if missing:
            raise CatalogError(
                f"{len(missing)} files of release {state.release.id} are gone.",
                where=missing[0],
                fix=f"Take another release: nequi-lake history {dataset.name}.{dataset.tables[0].name}",
            )
        seen = catalog.published(dataset)
        marts = _usable_marts(dataset, together, catalog, storage)
        found, changed = {**target, **marts}, list[str]()
        for group in dataset.release_groups:
            for old in [found[name] for name in group.names if name in found]:
                release_again = replace(old.release, sequence=catalog.next_sequence(dataset, group, old.release.id))
                newest = catalog.newest(dataset.name, old.table)
                # It is current already, or an earlier call was stopped after it.
                if newest and (newest.release.id, newest.release.sequence) == (old.release.id, release_again.sequence):
                    continue
                catalog.publish(dataset, replace(old, release=release_again), fence=lock.check)
                changed.append(old.name)
        return RolledBack(
            release=state.release,
            changed=tuple(changed),
            other_marts=tuple(
                f"{dataset.name}.{mart.name}" for mart in dataset.marts if mart.name in seen and mart.name not in marts
            ),
        )


def _wanted(dataset: Dataset, release: str, catalog: LakeCatalog) -> ReleaseState:
    _, state = resolve_single([(dataset.name, state) for state in find(catalog, dataset, release)], release)
    if state.release.source_release:
        raise UsageError(
            f"{state.release.id} is a release of the marts {', '.join(state.release.tables)} only.",
            fix=f"Go back to the release that it was made from: "
            f"nequi-lake rollback {dataset.name} {state.release.source_release}",
        )
    return state


def _usable_marts(
    dataset: Dataset, together: Mapping[str, PublishedTable], catalog: LakeCatalog, storage: StorageBackend
) -> dict[str, PublishedTable]:
    """The marts of a release of whose group each has the columns of its contract, and its files."""

    def is_usable(mart: Mart) -> bool:
        then = together.get(mart.name)
        return (
            then is not None and catalog.schema(then) == arrow_schema(mart.contract) and not storage.missing(then.paths)
        )

    usable = [group for group in dataset.mart_groups if all(map(is_usable, group.relations))]
    return {name: together[name] for group in usable for name in group.names}


def _refuse_other_columns(
    dataset: Dataset, target: Mapping[str, PublishedTable], release: Release, catalog: LakeCatalog
) -> None:
    if set(target) != {table.name for table in dataset.tables}:
        raise CatalogError(
            f"Release {release.id} has other tables than {dataset.name} has now.",
            where=f"{', '.join(sorted(target))}",
            fix=f"Read it as it is: nequi-lake tables --as-of {release.id}",
        )
    for name, table in target.items():
        then, now = catalog.schema(table), arrow_schema(dataset.relation(name).contract)
        if then != now:
            differing = sorted({field.name for field in set(then) ^ set(now)}) or ["their order"]
            raise CatalogError(
                f"Release {release.id} has other columns of {table.name} than the contract has now.",
                where=", ".join(differing),
                fix=f"Read it as it is: nequi-lake sql --as-of {release.id} …; or go back to the code of that release.",
            )
