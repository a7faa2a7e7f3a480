"""Tables on their way into files: memory is bounded whatever the number of partitions, and no row is lost."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Partition, Table
from nequi_lake.engines.files import Spool, TableWriter, _folder
from nequi_lake.errors import StageError
from nequi_lake.lake.storage import StorageBackend

FACTS = column_meta(unit="x", source="x")


class Readings(dy.Schema):
    """Readings of a day."""

    at = dy.Date(primary_key=True, description="Day.", metadata=FACTS)
    name = dy.String(description="Of what.", metadata=FACTS)
    value = dy.Int64(description="Value.", metadata=FACTS)


class LooseReadings(Readings):
    """The same, of which some have no name."""

    name = dy.String(nullable=True, description="Of what.", metadata=column_meta(unit="x", source="x", null_limit=1))


def readings(partition_by: Partition | None) -> Table:
    return Table(name="readings", description="Readings.", contract=Readings, partition_by=partition_by)


def batches(names: int, rows: int = 600, at_once: int = 50) -> list[pl.DataFrame]:
    whole = pl.DataFrame(
        {
            "at": [dt.date(2020 + number % 3, 1, 1) for number in range(rows)],
            "name": [f"n{number % names}" for number in range(rows)],
            "value": range(rows),
        }
    )
    return [whole[start : start + at_once] for start in range(0, rows, at_once)]


@pytest.mark.parametrize("held_bytes", [1, 2_000, 2**28])
@pytest.mark.parametrize("cut", [None, Partition("name"), Partition("at", by_year=True)])
def test_every_row_is_written_once_in_its_order(
    cut: Partition | None, held_bytes: int, storage: StorageBackend
) -> None:
    writer, table = TableWriter(storage, held_bytes), readings(cut)
    given = batches(names=40)
    for batch in given:
        writer.add(table, batch, storage.path("readings"))
    writer.finish()
    files = writer.files(table)
    written = [pl.read_parquet(file.path, hive_partitioning=False) for file in files]
    assert [file.rows for file in files] == [frame.height for frame in written]
    assert [file.size_bytes for file in files] == [Path(file.path).stat().st_size for file in files]
    folders: dict[str, list[pl.DataFrame]] = {}
    for file, frame in zip(files, written, strict=True):
        folders.setdefault(file.path.rsplit("/", 1)[0], []).append(frame)
    for frames in folders.values():
        assert pl.concat(frames)["value"].is_sorted()
    assert pl.concat(written).sort("value").equals(pl.concat(given))


def test_no_more_is_held_than_was_agreed(storage: StorageBackend) -> None:
    writer, table, given = TableWriter(storage, held_bytes=5_000), readings(Partition("name")), batches(names=600)
    # A date, a view on a text, a number.
    taken = 600 * (4 + 16 + 8)
    for batch in given:
        writer.add(table, batch, storage.path("readings"))
    still_held = 600 - sum(file.rows for file in writer.files(table))
    assert taken > 5_000
    assert taken * still_held / 600 <= 5_000


def test_the_largest_partitions_are_written_first(storage: StorageBackend) -> None:
    writer, table = TableWriter(storage, held_bytes=2_000), readings(Partition("name"))
    rows = pl.DataFrame(
        {"at": [dt.date(2020, 1, 1)] * 100, "name": ["much"] * 95 + ["little"] * 5, "value": range(100)},
    )
    writer.add(table, rows, storage.path("readings"))
    assert [(Path(file.path).parent.name, file.rows) for file in writer.files(table)] == [("name=much", 95)]


def test_of_long_rows_fewer_are_held(storage: StorageBackend) -> None:
    writer, table = TableWriter(storage), readings(None)
    for number in range(30):
        rows = pl.DataFrame({"at": [dt.date(2020, 1, 1)], "name": [str(number) * 2_000_000], "value": [number]})
        writer.add(table, rows, storage.path("readings"))
    written = sum(file.rows for file in writer.files(table))
    assert 0 < 30 - written <= 17
    writer.finish()
    assert sum(file.rows for file in writer.files(table)) == 30


def test_a_value_that_is_no_name_of_a_folder_is_quoted(storage: StorageBackend) -> None:
    writer, table = TableWriter(storage), readings(Partition("name"))
    rows = pl.DataFrame({"at": [dt.date(2020, 1, 1)], "name": ["a/../b c=ñ"], "value": [1]})
    writer.add(table, rows, storage.path("readings"))
    writer.finish()
    (file,) = writer.files(table)
    assert Path(file.path).parent.name == "name=a%2F..%2Fb%20c%3D%C3%B1"
    assert pl.read_parquet(file.path, hive_partitioning=False)["name"].to_list() == ["a/../b c=ñ"]


def test_what_waits_in_a_spool_comes_back_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nequi_lake.engines.files._SPOOLED_BYTES", 3_000)
    given = batches(names=3)
    spool = Spool(tmp_path / "spool", given[0].schema)
    assert spool.scan().collect().equals(given[0].clear())
    for batch in given:
        spool.add(batch)
    assert spool.scan().collect().equals(pl.concat(given))
    assert len(list((tmp_path / "spool").iterdir())) > 1


def test_values_that_are_alike_as_names_have_partitions_of_their_own(storage: StorageBackend) -> None:
    long = "ñ" * 300
    names = [None, "__HIVE_DEFAULT_PARTITION__", "", long, f"{long}a", "%5F_HIVE_DEFAULT_PARTITION__", "~", "%7E"]
    folders = written_folders(storage, names)
    assert len(set(folders)) == len(names)
    assert max(len(os.fsencode(folder)) for folder in folders) < 255


@settings(max_examples=200, deadline=None)
@given(values=st.sets(st.text(max_size=200), min_size=2, max_size=4))
def test_any_two_values_have_folders_of_their_own(values: set[str]) -> None:
    folders = {_folder(Partition("name"), value) for value in values}
    assert len(folders) == len(values)
    assert all(len(folder) < 255 and "/" not in folder for folder in folders)


def written_folders(storage: StorageBackend, names: list[str | None]) -> list[str]:
    """The folders of a table's rows, one of each name."""
    writer, table = TableWriter(storage), readings(Partition("name"))
    rows = pl.DataFrame({"at": [dt.date(2020, 1, 1)] * len(names), "name": names, "value": range(len(names))})
    # The contract has no missing names: as in a column that may miss some.
    table = replace(table, contract=LooseReadings)
    writer.add(table, rows.select("at", "value", "name"), storage.path("readings"))
    writer.finish()
    files = writer.files(table)
    assert sorted(pl.read_parquet(file.path, hive_partitioning=False)["name"].item() or "" for file in files) == sorted(
        name or "" for name in names
    )
    return [Path(file.path).parent.name for file in files]


@pytest.mark.parametrize("at_once", [50, 600])
def test_too_many_partitions_are_refused_before_any_is_written(storage: StorageBackend, at_once: int) -> None:
    writer, table = TableWriter(storage, max_partitions=99), readings(Partition("name"))
    with pytest.raises(StageError, match="would have more than 99 partitions by name") as refused:
        add_all(writer, table, batches(names=600, at_once=at_once), storage)
    assert "with values such as n" in str(refused.value)
    assert "NEQUI_LAKE_MAX_PARTITIONS" in str(refused.value)
    assert not Path(storage.path("readings")).exists()
    add_all(TableWriter(storage, max_partitions=99), table, batches(names=99), storage)


def add_all(writer: TableWriter, table: Table, given: list[pl.DataFrame], storage: StorageBackend) -> None:
    """Give a writer all batches of a table."""
    for batch in given:
        writer.add(table, batch, storage.path("readings"))
