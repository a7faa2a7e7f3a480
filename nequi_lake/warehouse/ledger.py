"""The ledger of a warehouse: which release of each dataset it holds, as its own table ``nequi_lake.releases`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nequi_lake.warehouse.server import Connection

_MAKE = """
CREATE SCHEMA IF NOT EXISTS nequi_lake;
CREATE TABLE IF NOT EXISTS nequi_lake.releases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lake text NOT NULL,
    dataset text NOT NULL,
    release_group text NOT NULL,
    release text NOT NULL,
    sequence bigint NOT NULL,
    shape text NOT NULL,
    rows bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nequi_lake.releases IS
    'Which release of each dataset was loaded when; the newest row of a release group is what its tables hold.';
"""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A release group as the warehouse holds it, or is to hold it. Two are equal where their tables hold the same.

    Attributes:
        lake: the identity of the lake that it is from.
        release, sequence: which release.
        shape: fingerprint of the tables that it was loaded into.
        rows: of its tables.
        loaded_at: when; None where it is not yet.
    """

    lake: str
    release: str
    sequence: int
    shape: str
    rows: int = field(compare=False)
    loaded_at: datetime | None = field(default=None, compare=False)


def is_made(connection: Connection) -> bool:
    """Whether anything was ever loaded."""
    found = connection.execute("SELECT to_regclass('nequi_lake.releases') IS NOT NULL").fetchone()
    return bool(found and found[0])


def make(connection: Connection) -> None:
    """Make the ledger where it is not there."""
    if not is_made(connection):
        connection.execute(_MAKE)


def newest(connection: Connection, dataset: str) -> Mapping[str, Loaded]:
    """What the warehouse holds of a dataset, by release group."""
    if not is_made(connection):
        return {}
    found = connection.execute(
        "SELECT DISTINCT ON (release_group) release_group, lake, release, sequence, shape, rows, loaded_at "
        "FROM nequi_lake.releases WHERE dataset = %s ORDER BY release_group, id DESC",
        [dataset],
    )
    return {
        group: Loaded(lake=lake, release=release, sequence=sequence, shape=shape, rows=rows, loaded_at=at)
        for group, lake, release, sequence, shape, rows, at in found
    }


def record(connection: Connection, dataset: str, group: str, loaded: Loaded) -> None:
    """Say in the ledger that a release group was loaded."""
    connection.execute(
        "INSERT INTO nequi_lake.releases (lake, dataset, release_group, release, sequence, shape, rows) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [loaded.lake, dataset, group, loaded.release, loaded.sequence, loaded.shape, loaded.rows],
    )
