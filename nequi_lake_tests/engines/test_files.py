"""Tables on their way into files: memory is bounded whatever the number of partitions, and no row is lost."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Partition, Table
from nequi_lake.engines.files import Spool, TableWriter
from nequi_lake.lake.storage import StorageBackend

FACTS = column_meta(unit="x", source="x")


class Readings(dy.Schema):
    """Readings of a day."""

    at = dy.Date(primary_key=True, description="Day.", metadata=FACTS)
    name = dy.String(description="Of what.", metadata=FACTS)
    value = dy.Int64(description="Value.", metadata=FACTS)


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
