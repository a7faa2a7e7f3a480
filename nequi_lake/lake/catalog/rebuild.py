"""Makes the catalog anew from the lake itself: the catalog is not the lake's life.

Each commit records which metadata it made, beside the relation's highest sequence. Metadata that a killed or refused
commit left is named by no record, and is not taken for a release. Of a lake that was copied or moved, the metadata is
written anew first, as it names every file by its whole path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pyiceberg.table import StaticTable

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.commits import commits_of
from nequi_lake.lake.catalog.ownership import (
    MetadataGoneError,
    metadata_number,
    recorded_pointers,
    recorded_sequences,
    require_same_lake,
    tables_beyond,
)
from nequi_lake.lake.catalog.relocate import former_place, relocate
from nequi_lake.lake.layout import read_identity
from nequi_lake.lake.storage import StorageBackend


class State(StrEnum):
    """What the catalog has of a relation."""

    RIGHT = "right"
    MISSING = "missing"
    BEHIND = "behind"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What was found of a relation, and registered where it was missing or behind.

    Attributes:
        name: ``<dataset>.<relation>``.
        state: what the catalog had.
        releases: how many releases the metadata has.
        metadata: the path of the metadata that the catalog has, or is to have; of a relation that is elsewhere, of
            that from which the new one is written.
    """

    name: str
    state: State
    releases: int
    metadata: str


def rebuild(
    dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend, *, moved: bool = False, dry_run: bool = False
) -> list[Rebuilt]:
    """Register what the lake committed of a dataset and the catalog does not have; holds the dataset's lock.

    What the catalog has right stays as it is, so that a call that was killed can be made again.

    Args:
        dataset: which.
        catalog: the lake's catalog, which may be empty or behind.
        storage: the lake.
        moved: whether the lake was copied or moved here, so that metadata of another place is written anew.
        dry_run: say what would be done, and change nothing.

    Raises:
        CatalogError: the catalog has tables of another lake, or the metadata is gone or of another lake.
    """
    with storage.lock(dataset.name):
        found = []
        # The whole dataset is looked at before any of it is changed.
        for one, committed in list(_find(dataset, catalog, storage, moved)):
            relation = dataset.relation(one.name.partition(".")[2])
            if one.state is State.ELSEWHERE and not dry_run:
                path = relocate(committed, dataset, relation, storage)
                catalog.register(dataset, relation.name, path)
            elif one.state is not State.RIGHT and not dry_run:
                catalog.register(dataset, relation.name, one.metadata)
            found.append(one)
        if not dry_run:
            catalog.record_pointers(dataset)
    return found


def _find(
    dataset: Dataset, catalog: LakeCatalog, storage: StorageBackend, moved: bool
) -> Iterator[tuple[Rebuilt, StaticTable]]:
    identity = read_identity(storage)
    for relation in dataset.relations:
        name = f"{dataset.name}.{relation.name}"
        left_behind = moved and catalog.has_elsewhere(dataset.name, relation.name)
        current, is_gone = None, False
        try:
            current = None if left_behind else catalog.iceberg(dataset.name, relation.name)
        except MetadataGoneError:
            is_gone = True
        committed = _committed(dataset, relation, storage)
        if committed is None:
            continue
        is_elsewhere = not committed.location().startswith(f"{storage.uri}/")
        if not (moved and is_elsewhere):
            require_same_lake(committed, name, identity.id if identity else None, storage)
        state = State.RIGHT
        if is_elsewhere and current is None:
            if left_behind:
                catalog.require_own(former_place(committed, dataset, relation, storage))
            state = State.ELSEWHERE
        elif is_gone:
            state = State.BEHIND
        elif current is None:
            state = State.MISSING
        elif metadata_number(current.metadata_location) < metadata_number(committed.metadata_location):
            state = State.BEHIND
        kept = current if current is not None and state is State.RIGHT else committed
        releases = sum(1 for _ in commits_of(kept))
        yield Rebuilt(name=name, state=state, releases=releases, metadata=kept.metadata_location), committed


def _committed(dataset: Dataset, relation: Relation, storage: StorageBackend) -> StaticTable | None:
    """The relation as it was committed last; None where it never was."""
    pointer = recorded_pointers(storage, dataset.name).get(relation.name)
    if pointer is not None:
        if not storage.exists(pointer):
            raise CatalogError(
                f"The metadata of {dataset.name}.{relation.name} that was committed last is gone.",
                where=pointer,
                fix="Bring the lake's files back from a backup of the same time as its records.",
            )
        return StaticTable.from_metadata(pointer, dict(storage.iceberg_properties()))
    # An older state of the code recorded no pointers.
    sequence = recorded_sequences(storage, dataset.name).get(dataset.release_group_of(relation.name).name, 0)
    states = tables_beyond(None, relation.zone, dataset.name, relation.name, storage)
    for state in sorted(states, key=lambda state: metadata_number(state.metadata_location), reverse=True):
        newest = next(commits_of(state), None)
        if newest and newest.release.sequence <= sequence:
            return state
    return None
