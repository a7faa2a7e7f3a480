"""What happens to a lake besides runs that are killed: clocks that jump, maintenance, and harm to its catalog."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import nequi_lake.pipeline.publish
from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.ownership import recorded_pointers
from nequi_lake.lake.catalog.rebuild import rebuild
from nequi_lake_tests.chaos.lakes import Content, content_of

MAINTAIN, REBUILD = "maintain", "rebuild"
LOCKED_S = 2.0
SOON = RetentionPolicy(age=timedelta(), releases=2, grace=timedelta())
"""Maintenance that has something to remove in a lake of some minutes, and nothing that a reader is at."""
Harm = Callable[[Path, Path], None]


def set_clock(days: float) -> None:
    """Have this process's clock go wrong by so many days."""
    true = time.time
    shift = timedelta(days=days)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + shift

    time.time = lambda: true() + shift.total_seconds()
    for module in (nequi_lake.pipeline.publish, sys.modules.get("pyiceberg.table.update")):
        if module:
            vars(module)["datetime"] = Shifted


def maintain_lake(lake: Lake, say: Callable[[str], None]) -> None:
    """Maintain each dataset."""
    say(MAINTAIN)
    for dataset in lake.datasets.values():
        maintain(dataset, lake.catalog, lake.storage, retention=SOON)


def rebuild_catalog(lake: Lake, say: Callable[[str], None]) -> None:
    """Make the catalog anew, as ``nequi-lake catalog rebuild`` does."""
    say(REBUILD)
    for dataset in lake.datasets.values():
        rebuild(dataset, lake.catalog, lake.storage)


def lock_database(database: Path, say: Callable[[str], None]) -> None:
    """Lock a database for a while, as a backup or another tool does."""
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        say("locked")
        time.sleep(LOCKED_S)
        connection.execute("ROLLBACK")


def copy_database(database: Path, copy: Path) -> None:
    """Copy a database that others may be at."""
    with closing(sqlite3.connect(database, timeout=60)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def empty(database: Path, copy: Path) -> None:
    """Take everything out of it."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("DELETE FROM iceberg_tables")


def lose(database: Path, copy: Path) -> None:
    """Remove it."""
    database.unlink()


def lose_some(database: Path, copy: Path) -> None:
    """Take one dataset's tables but one out of it."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("DELETE FROM iceberg_tables WHERE rowid NOT IN (SELECT min(rowid) FROM iceberg_tables)")


def set_back(database: Path, copy: Path) -> None:
    """Put an older copy in its place."""
    older = database.with_suffix(".older")
    older.write_bytes(copy.read_bytes())
    older.replace(database)


HARMS: Mapping[str, Harm] = {"emptied": empty, "lost": lose, "lost in part": lose_some, "set back": set_back}


def behind(lake: Lake) -> list[str]:
    """The datasets of which the catalog does not have all that the lake recorded of its commits."""
    found = []
    for name, dataset in lake.datasets.items():
        try:
            lake.catalog.require_current(dataset)
        except CatalogError:
            found.append(name)
    return found


def state_of(lake: Lake) -> dict[str, Any]:
    """Dataset → what readers see of it, its complete releases, and whether the lake recorded all of its commits.

    A kill may come between a commit and its record.
    """
    content: Content = content_of(lake.tables())
    return {
        name: {
            "content": content.get(name),
            "releases": [state.release.id for state in lake.catalog.releases(dataset) if state.complete],
            "is_recorded": _is_recorded(lake, dataset),
        }
        for name, dataset in lake.datasets.items()
    }


def _is_recorded(lake: Lake, dataset: Dataset) -> bool:
    return recorded_pointers(lake.storage, dataset.name) == {
        relation.name: iceberg.metadata_location
        for relation in dataset.relations
        if (iceberg := lake.catalog.iceberg(dataset.name, relation.name))
    }
