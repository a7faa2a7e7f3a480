"""What the warehouse holds of each dataset, beside what the lake has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.read.reader import Lake
from nequi_lake.warehouse import ledger
from nequi_lake.warehouse.load import address_of
from nequi_lake.warehouse.server import opened


@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    """A release group in lake and warehouse.

    Attributes:
        dataset, group: which one.
        release, sequence: what readers of the lake see; empty and 0 where nothing was published.
        loaded, loaded_sequence, rows, loaded_at: what the warehouse holds; empty, 0 and None where nothing was loaded.
    """

    dataset: str
    group: str
    release: str
    sequence: int
    loaded: str
    loaded_sequence: int
    rows: int
    loaded_at: datetime | None

    @property
    def is_current(self) -> bool:
        """Whether the warehouse holds what readers of the lake see."""
        return (self.release, self.sequence) == (self.loaded, self.loaded_sequence)


def status(lake: Lake, datasets: Iterable[Dataset]) -> list[GroupStatus]:
    """Compare the ledger of the warehouse with the lake.

    Raises:
        UsageError, WarehouseError, TransientError: the warehouse cannot be asked.
    """
    found = []
    with opened(address_of(lake)) as connection:
        for dataset in datasets:
            held = ledger.newest(connection, dataset.name)
            published = lake.published(dataset)
            for group in dataset.release_groups:
                release = next((published[name].release for name in group.names if name in published), None)
                loaded = held.get(group.name)
                found.append(
                    GroupStatus(
                        dataset=dataset.name,
                        group=group.name,
                        release=release.id if release else "",
                        sequence=release.sequence if release else 0,
                        loaded=loaded.release if loaded else "",
                        loaded_sequence=loaded.sequence if loaded else 0,
                        rows=loaded.rows if loaded else 0,
                        loaded_at=loaded.loaded_at if loaded else None,
                    )
                )
    return found
