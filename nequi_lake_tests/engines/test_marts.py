"""The engine of the marts: exact types, no row that the contract refuses, nothing read but tables, bounded memory."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from nequi_lake.datasets.contract import arrow_schema, column_meta
from nequi_lake.datasets.spec import Dataset, Mart, Partition
from nequi_lake.engines import duckdb as engine
from nequi_lake.errors import DeclarationError, StageError
from nequi_lake.lake.release import StagedTable
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.quality.audit import audit
from nequi_lake_tests.datasets.notes import NOTES
from nequi_lake_tests.marts import RELEASE


def column(kind: Callable[..., dy.Column], null_limit: float | None = None, **options: Any) -> dy.Column:
    """A column of a mart of notes."""
    return kind(
        nullable=null_limit is not None,
        description="Something of the notes.",
        metadata=column_meta(unit="text", derived_from=["notes.id", "notes.text"], null_limit=null_limit),
        **options,
    )


class Lengths(dy.Schema):
    """One row per note."""

    id = column(dy.Int64, primary_key=True)
    text = column(dy.String, null_limit=0.5)
    length = column(dy.Int64, null_limit=0.5, max=9)
    share = column(dy.Float64)
    seen_on = column(dy.Date)
    is_long = column(dy.Bool)


MART = Mart(name="lengths", description="Lengths of notes.", contract=Lengths)
DATASET = replace(NOTES, marts=(MART,))
SOUND = """
SELECT true AS is_long, id, text, length(text) AS length, 0.5 AS share, DATE '2026-01-31' AS seen_on
FROM notes.notes -- no semicolon needed"""
NOTES_TABLE = pa.table({"id": [3, 1, 2], "text": ["three", "one", None]})


@pytest.fixture
def make(storage: StorageBackend, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StagedTable]:
    """Make a mart of notes by this SQL."""

    def run(sql: str, dataset: Dataset = DATASET, notes: pa.Table = NOTES_TABLE) -> StagedTable:
        monkeypatch.setattr(engine, "sql_of", lambda mart: sql)
        content = {"notes": pyarrow.dataset.dataset(notes)}
        return engine.make(dataset, dataset.marts[0], content, RELEASE, storage, memory_limit="60MB")

    return run


Make = Callable[..., StagedTable]


def test_a_mart_has_the_contracts_types_in_its_order_and_by_its_key(make: Make, storage: StorageBackend) -> None:
    staged = make(SOUND)
    (path,) = staged.paths
    assert path == storage.path("marts", "notes", "lengths", "data", "run", "00000-00000000.parquet")
    assert pq.read_schema(path) == arrow_schema(Lengths)
    day = date(2026, 1, 31)
    assert pl.read_parquet(path).rows() == [
        (1, "one", 3, 0.5, day, True),
        (2, None, None, 0.5, day, True),
        (3, "three", 5, 0.5, day, True),
    ]
    assert (staged.rows, staged.size_bytes) == (3, Path(path).stat().st_size)
    assert storage.list(storage.path(".scratch")) == []


def test_a_mart_is_compressed_and_cut_into_folders_as_a_table_is(make: Make) -> None:
    dataset = replace(NOTES, marts=(replace(MART, partition_by=Partition("id")),))
    staged = make(SOUND, dataset)
    assert [Path(path).parent.name for path in staged.paths] == ["id=1", "id=2", "id=3"]
    assert pq.read_metadata(staged.paths[0]).row_group(0).column(0).compression == "ZSTD"


def test_the_same_tables_give_the_same_bytes(make: Make) -> None:
    first = Path(make(SOUND).paths[0]).read_bytes()
    assert Path(make(SOUND).paths[0]).read_bytes() == first


WRONG = {
    "a column too few": (SOUND.replace(", 0.5 AS share", ""), "other columns"),
    "a column too many": (SOUND.replace("0.5 AS share", "0.5 AS share, 1 AS more"), "other columns"),
    "a column that the table lacks": (SOUND.replace("length(text)", "width"), "width"),
    "a value that the type cannot hold": (
        SOUND.replace("length(text)", "length(text) + 0.5"),
        "length values that bigint cannot hold",
    ),
    "a number out of the type's range": (
        SOUND.replace("length(text)", "id + 9223372036854775807::HUGEINT"),
        "length values that bigint cannot hold",
    ),
    "text for a number": (SOUND.replace("0.5 AS share", "'half' AS share"), "share values that double cannot hold"),
    "a missing value that must be there": (
        SOUND.replace("0.5 AS share", "nullif(id, 2) / 2 AS share"),
        "without share",
    ),
    "two statements": (SOUND.replace("-- no semicolon needed", "; SELECT 1"), "not one query"),
    "no query": ("DROP VIEW notes.notes", "not one query"),
    "no SQL": ("-- to be written", "not one query"),
    "a file": (SOUND.replace("notes.notes", "read_csv('/etc/hostname')"), "disabled by configuration"),
    "another table": (SOUND.replace("notes.notes", "credit_risk.loans"), "cannot be run"),
}


@pytest.mark.parametrize("case", WRONG)
def test_sql_is_refused_for(case: str, make: Make, storage: StorageBackend) -> None:
    sql, told = WRONG[case]
    with pytest.raises(StageError, match=told) as refusal:
        make(sql)
    assert "lengths.sql" in str(refusal.value.where)
    assert storage.files(storage.path("marts")) == {}
    assert storage.list(storage.path(".scratch")) == []


class Owed(dy.Schema):
    """One row per note."""

    id = column(dy.Int64, primary_key=True)
    owed = column(lambda **facts: dy.Decimal(6, 2, **facts))


@pytest.mark.parametrize(
    ("owed", "told"),
    [
        ("sum(id * 0.10) OVER ()", None),
        ("CAST(sum(CAST(0.1 AS DOUBLE)) OVER () AS DECIMAL(6, 2))", None),
        ("sum(CAST(4000.00 AS DECIMAL(6, 2))) OVER ()", r"owed values that decimal\(6,2\) cannot hold: .* precision 6"),
        ("CAST(0.105 AS DECIMAL(6, 3))", r"owed values that decimal\(6,2\) cannot hold: .* data loss"),
        ("avg(CAST(id AS DECIMAL(6, 2))) OVER ()", r"decimal\(6,2\) cannot hold: a double is no exact number"),
        ("CAST(99999999.99 AS DECIMAL(10, 2)) * 99999999.99", "cannot be run: .* explicit cast to a bigger decimal"),
    ],
)
def test_amounts_are_exact_or_refused_in_words(owed: str, told: str | None, make: Make) -> None:
    dataset = replace(NOTES, marts=(replace(MART, contract=Owed),))
    sql = f"SELECT id, {owed} AS owed FROM notes.notes"
    if told is None:
        (path,) = make(sql, dataset).paths
        found = pl.read_parquet(path)["owed"]
        assert (found.dtype, str(found[0])) == (pl.Decimal(6, 2), "0.60" if "id" in owed else "0.30")
        return
    with pytest.raises(StageError, match=told) as refusal:
        make(sql, dataset)
    assert "lengths.sql" in str(refusal.value.where)


def test_a_mart_without_sql_says_where_to_write_it() -> None:
    with pytest.raises(DeclarationError) as refusal:
        engine.sql_of(MART)
    assert str(refusal.value.where) == str(Path(__file__).with_name("lengths.sql"))


def test_more_than_the_memory_holds_is_spilled(make: Make) -> None:
    many = "(SELECT hash(range) >> 1 AS id, md5(range::VARCHAR) AS text FROM range(1500000))"
    staged = make(SOUND.replace("length(text)", "1").replace("notes.notes", many))
    assert staged.rows == 1_500_000
    assert pl.scan_parquet(staged.paths).select(pl.col("id").is_sorted()).collect(engine="streaming").item()


def test_a_person_can_stop_a_query_at_work(make: Make, storage: StorageBackend) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    endless = "SELECT a.range AS id FROM range(9000000) AS a, range(9000000) AS b WHERE a.range * b.range = 7"
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            make(f"SELECT sound.* FROM ({SOUND.partition('--')[0]}) AS sound, ({endless}) AS endless")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert storage.list(storage.path(".scratch")) == []


AUDITED = {
    "columns_and_types": (SOUND.replace("length(text)", "10"), "3 rows break length must be <= 9"),
    "null_limits": (SOUND.replace("length(text)", "NULL::INT"), "length is missing in 3 of 3 rows (100.00%)"),
    "unique_key": (SOUND.replace("id,", "id // 2 AS id,"), "1 rows repeat the key of another"),
}


@pytest.mark.parametrize("check", AUDITED)
def test_the_audit_finds(check: str, make: Make, storage: StorageBackend) -> None:
    sql, told = AUDITED[check]
    checks = audit(DATASET, {"lengths": make(sql)}, {}, storage)
    assert [each.name for each in checks] == list(Mart.checks)
    (failed,) = [each for each in checks if not each.passed]
    assert failed.name == check
    assert told in failed.found
    assert "sql" in failed.fix.lower() or "notes" in failed.fix


def test_the_audit_holds_references_against_the_published_parent(make: Make, storage: StorageBackend) -> None:
    reference = dy.Int64(
        primary_key=True,
        description="The note.",
        metadata=column_meta(unit="id", derived_from=["notes.id"], references="notes"),
    )
    contract = type("References", (dy.Schema,), {"id": reference})
    dataset = replace(NOTES, marts=(replace(MART, contract=contract),))
    path = tmp = Path(storage.uri) / "notes.parquet"
    tmp.parent.mkdir(exist_ok=True)
    pl.DataFrame({"id": [1, 3], "text": ["a", "b"]}).write_parquet(path)
    staged = make("SELECT id FROM notes.notes", dataset)
    published = replace(staged, table="notes", files=(replace(staged.files[0], path=str(path)),))
    checks = {each.name: each for each in audit(dataset, {"lengths": staged}, {"notes": published}, storage)}
    assert "1 rows have a id that notes does not have, such as [2]" in checks["foreign_keys"].found
