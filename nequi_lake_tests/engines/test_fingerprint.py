"""The id of a release covers all that makes its rows, and nothing else."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nequi_lake.datasets import discover
from nequi_lake.datasets.spec import Dataset
from nequi_lake.engines import fingerprint
from nequi_lake.engines.fingerprint import normalised, release_id, without_sql_comments
from nequi_lake.engines.polars import stage
from nequi_lake.lake.release import Release
from nequi_lake.lake.storage import StorageBackend
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.datasets.orders import orders, orders_csv

HELPER = """
import polars as pl

USD_PER_EUR = 1.25


def in_usd(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64) * USD_PER_EUR
"""
DECLARATION = """
import dataframely as dy

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import CsvFile
from {package}.money import in_usd


class Sales(dy.Schema):
    \"\"\"One row per sale.\"\"\"

    sale = dy.Int64(primary_key=True, description="Sale.", metadata=column_meta(unit="id", source="sale"))
    usd = dy.Float64(description="Price.", metadata=column_meta(unit="USD", source="eur"))


DATASET = Dataset(
    name="sales",
    slug="nobody/sales",
    title="Sales",
    licence="none",
    use_case="Tests.",
    files=(CsvFile(name="sales.csv", description="Sales.", columns=("sale", "eur")),),
    tables=(Table(name="sales", description="Sales.", contract=Sales, parse={{"usd": in_usd("eur")}}),),
)
"""

Declare = Callable[..., Dataset]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declare]:
    """Declares a dataset in a package of its own, whose ``parse=`` comes from a helper module."""
    names: list[str] = []

    def make(helper: str = HELPER, declaration: str = DECLARATION) -> Dataset:
        # One name for all, so that only the content differs.
        for name in names:
            sys.modules.pop(name, None)
        folder = tmp_path / str(len(list(tmp_path.iterdir()))) / "outside_sales"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "money.py").write_text(helper)
        (folder / "declared.py").write_text(declaration.format(package="outside_sales"))
        monkeypatch.syspath_prepend(folder.parent)
        importlib.invalidate_caches()
        names[:] = ["outside_sales", "outside_sales.money", "outside_sales.declared"]
        module: Any = importlib.import_module("outside_sales.declared")
        found = module.DATASET
        assert isinstance(found, Dataset)
        return found

    yield make
    for name in names:
        sys.modules.pop(name, None)


def test_a_change_of_a_helper_module_is_another_release(declare: Declare) -> None:
    before = release_id(declare(), [])
    assert release_id(declare(HELPER.replace("1.25", "1.5")), []) != before
    assert release_id(declare(HELPER.replace("pl.Float64", "pl.Float64, strict=False")), []) != before


def test_comments_docstrings_and_blank_lines_make_no_other_release(declare: Declare) -> None:
    before = release_id(declare(), [])
    helper = HELPER.replace("USD_PER_EUR = 1.25\n", "USD_PER_EUR = 1.25  # of 2026\n\n\n# Read by in_usd.\n")
    declaration = DECLARATION.replace("One row per sale.", "One row per sale of the shop.\n\n    Of each.\n    ")
    assert release_id(declare(helper, declaration), []) == before


def test_an_expression_that_is_made_as_the_module_loads_counts_in_full(declare: Declare) -> None:
    dataset = declare()
    (table,) = dataset.tables
    ids = {
        release_id(replace(dataset, tables=(replace(table, parse={"usd": pl.col("eur").cast(pl.Float64) * f}),)), [])
        for f in (1.0, 1.1, 1.2)
    }
    assert len(ids) == 3


def test_the_engines_own_modules_count_only_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = discover()["cite_sum"]
    before = release_id(dataset, [])
    source = fingerprint._source

    def changed(module: Any) -> str:
        is_engine = module.__name__.startswith(("nequi_lake.engines", "nequi_lake.datasets.rules"))
        return source(module) + ("\nCHANGED = 1\n" if is_engine else "")

    monkeypatch.setattr(fingerprint, "_source", changed)
    assert release_id(dataset, []) == before
    monkeypatch.setattr(fingerprint, "STAGING_RULES", fingerprint.STAGING_RULES + 1)
    assert release_id(dataset, []) != before


def test_normalised_source_is_spelled_out() -> None:
    source = (
        '"""Doc."""\n# comment\nx = f"{1 + 1}#{2}"  # no\n\n\n'
        'def f():\n    """Doc\n\n    more."""\n    return "# kept"\n'
    )
    assert normalised(source) == 'x = f"{1 + 1}#{2}"\ndef f():\n    return "# kept"'


@pytest.mark.parametrize(
    ("sql", "same"),
    [
        ("SELECT 1 -- one\n\nFROM t", "SELECT 1\nFROM t"),
        ("SELECT '--' /* a\nb */ AS \"/*\"", "SELECT '--'  AS \"/*\""),
        ("SELECT 'it''s -- it' --", "SELECT 'it''s -- it'"),
    ],
)
def test_comments_of_sql_are_left_out(sql: str, same: str) -> None:
    assert without_sql_comments(sql) == same


ROWS_OF_RULES = {2: "a13784604235c09c", 3: "a13784604235c09c"}
"""Number of the staging rules → hash of the rows that they give of the fixed input below. A new number, a new line."""


def test_other_rows_need_another_number_of_the_rules(tmp_path: Path, storage: StorageBackend) -> None:
    content = orders_csv(
        [
            "1, 7 ,Bern,10.5",
            "2,8,,0.0",
            "3,7,Bern,-1",
            "+4,8,  ,3.0",
            '5.00,9,"Basel, CH",1e3',
            "x,9,Basel,2",
            "6,9,Basel,",
            "6,9,Basel,7",
            "6,9,Basel,7",
            "8,9",
        ]
    )
    dataset = orders(1.0)
    folder = tmp_path / "raw"
    folder.mkdir()
    files = {"orders.csv": kept_file(dataset, folder, content)}
    release = Release(id="r", run_id="run", raw_version="v", tables=("clients", "orders"))
    with storage.lock("orders"):
        staged = stage(dataset, files, ["clients", "orders"], release, storage)
    rows = {
        name: pl.read_parquet(table.paths, hive_partitioning=False).rows() if table.paths else []
        for name, table in staged.items()
    }
    quarantined = pl.read_parquet(sorted(map(str, Path(storage.path("quarantine")).rglob("*.parquet"))))
    found = f"{rows} {quarantined.drop('raw', 'rules').rows()}"
    assert ROWS_OF_RULES[fingerprint.STAGING_RULES] == hashlib.sha256(found.encode()).hexdigest()[:16], found
