"""Records that stand more than once: equal ones are merged and counted, contradicting ones are put aside."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

from nequi_lake import Lake
from nequi_lake.engines.contradictions import find_contradictions
from nequi_lake.engines.polars import stage
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.release import Accounting, Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake.quality.audit import audit
from nequi_lake_tests.conftest import Materialize, citation, failed_checks, failures, write_citations
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.datasets.orders import orders, orders_csv

pytestmark = pytest.mark.long


class Shop:
    """A lake of one dataset of two tables, filled from lines."""

    def __init__(self, inbox: Path, materialize: Materialize, lake: Lake) -> None:
        self.path = inbox / "orders" / "orders.csv"
        self.path.parent.mkdir()
        self.materialize = materialize
        self.lake = lake

    def run(self, *lines: str, keys: tuple[str, ...] = ()) -> dg.ExecuteInProcessResult:
        """Write the lines as the raw file, and materialize."""
        self.path.write_text(orders_csv(lines))
        return self.materialize(datasets=self.lake.datasets, keys=keys)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The published rows of a table, in order."""
        return sorted(self.lake.table(f"orders.{table}").scan().collect().rows())

    def account(self, table: str) -> Accounting:
        """Where the raw records went."""
        return self.lake.table(f"orders.{table}").published.accounting

    def put_aside(self) -> list[tuple[int, str, str]]:
        """Line, rule and order of the quarantined records."""
        found = newest_quarantine(self.lake.storage, *self.lake.declared("orders.orders")).collect().to_dicts()
        return [(row["line"], row["rule"], json.loads(row["raw"])["order"]) for row in found]


@pytest.fixture(params=[0.9])
def shop(request: pytest.FixtureRequest, inbox: Path, settings: Settings, materialize: Materialize) -> Shop:
    """A shop in which nine records of ten may be bad."""
    return Shop(inbox, materialize, Lake(settings, {"orders": orders(request.param)}))


def test_equal_records_are_merged_and_counted(shop: Shop) -> None:
    assert shop.run("1,7,Cali,10", "2,8,,20", "1,7,Cali,10", "1,7,Cali,10.0").success
    assert shop.rows("orders") == [(1, 7, 10.0), (2, 8, 20.0)]
    assert shop.rows("clients") == [(7, "Cali"), (8, None)]
    for table in ("orders", "clients"):
        account = shop.account(table)
        assert (account.raw_records, account.quarantined, account.accepted, account.merged) == (4, 0, 4, 2)
    assert shop.put_aside() == []


def test_records_of_one_key_that_differ_are_put_aside(shop: Shop) -> None:
    assert shop.run("1,7,Cali,10", "2,8,,20", "1,7,Cali,11", "3,9,Pasto,5").success
    assert shop.rows("orders") == [(2, 8, 20.0), (3, 9, 5.0)]
    assert shop.rows("clients") == [(8, None), (9, "Pasto")]
    told = "orders.order: other records have the same and differ in usd"
    assert shop.put_aside() == [(2, told, "1"), (4, told, "1")]
    assert shop.account("orders").merged == shop.account("clients").merged == 0
    assert shop.account("clients").quarantined == 2


def test_a_row_that_many_records_give_is_merged_in_its_own_table_alone(shop: Shop) -> None:
    assert shop.run("1,7,Cali,10", "2,7,Cali,20", "3,7,Cali,30").success
    assert shop.rows("clients") == [(7, "Cali")]
    assert shop.rows("orders") == [(1, 7, 10.0), (2, 7, 20.0), (3, 7, 30.0)]
    assert (shop.account("clients").merged, shop.account("orders").merged) == (2, 0)


def test_a_row_stays_where_the_record_that_gave_it_first_is_put_aside(shop: Shop) -> None:
    # The two records of order 1 contradict each other, so that only the third is left to tell of client 7.
    assert shop.run("1,7,Cali,10", "1,7,Cali,11", "2,7,Cali,20").success
    assert shop.rows("clients") == [(7, "Cali")]
    assert shop.rows("orders") == [(2, 7, 20.0)]


def test_a_missing_value_is_a_difference(shop: Shop) -> None:
    assert shop.run("1,7,Cali,10", "2,7,,20", "3,8,Pasto,1").success
    assert shop.rows("clients") == [(8, "Pasto")]
    assert [line for line, *_ in shop.put_aside()] == [2, 3]


@pytest.mark.parametrize("shop", [0.4], indirect=True)
def test_too_many_contradictions_are_refused(shop: Shop) -> None:
    result = shop.run("1,7,Cali,10", "1,7,Cali,11", "2,8,,1", "3,8,,1")
    assert not result.success
    assert "2 of 4 records of orders.csv (50.00%) are bad; at most 1 may be (40%)" in failures(result)
    assert shop.lake.tables() == []
    assert shop.put_aside()


def test_tables_made_one_by_one_have_the_rows_of_tables_made_together(shop: Shop) -> None:
    # No key of the clients repeats: only the orders tell that the records of clients 6 and 7 contradict each other.
    lines = ("1,7,Cali,10", "2,8,,20", "1,6,Leticia,11", "3,9,Pasto,5")
    raw, *tables = "raw/orders/orders.csv", "processed/orders/clients", "processed/orders/orders"
    assert shop.run(*lines, keys=(raw, tables[0])).success
    assert shop.run(*lines, keys=(tables[1],)).success
    assert shop.rows("orders") == [(2, 8, 20.0), (3, 9, 5.0)]
    assert shop.rows("clients") == [(8, None), (9, "Pasto")]


def test_papers_that_contradict_each_other_are_put_aside_with_their_citations(
    inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    many = [citation(paper) for paper in range(10, 700)]
    write_citations(inbox, "train", [*many, citation(1), citation(1, src="Another abstract."), citation(1)])
    assert materialize("cite_sum").success
    assert lake.sql("SELECT count(*) FROM cite_sum.papers WHERE paper_id = '1'").to_pylist()[0]["count_star()"] == 0
    bad = newest_quarantine(lake.storage, *lake.declared("cite_sum.citations")).collect().to_dicts()
    told = "papers.paper_id: other records have the same and differ in src"
    assert [(row["file"], row["line"], row["rule"]) for row in bad] == [
        ("train.json", n, told) for n in (691, 692, 693)
    ]
    assert lake.table("cite_sum.papers").published.accounting.quarantined == 3


def test_a_paper_whose_fields_differ_is_put_aside(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    many = [citation(paper) for paper in range(10, 700)]
    write_citations(inbox, "train", [*many, citation(1, fields=["Art"]), citation(1, fields=["Art", "History"])])
    assert materialize("cite_sum").success
    bad = newest_quarantine(lake.storage, *lake.declared("cite_sum.papers")).collect().to_dicts()
    assert {row["rule"].split(":")[0] for row in bad} == {"paper_fields.paper_id"}


def test_a_small_file_of_contradictions_is_refused(inbox: Path, materialize: Materialize) -> None:
    write_citations(inbox, "train", [citation(1), citation(1, src="Another abstract.")])
    result = materialize("cite_sum")
    assert not result.success
    assert set(failed_checks(result)) == {f"processed/cite_sum/{t}" for t in ("papers", "citations", "paper_fields")}
    assert "nequi-lake quarantine cite_sum.papers" in failures(result)


Order = tuple[int, int, str | None, int]


def without_contradictions(records: list[Order]) -> list[Order]:
    """The records that share no key of a table with another that differs in its values, told in plain words."""
    of_order, of_client = defaultdict(set), defaultdict(set)
    for order, client, town, usd in records:
        of_order[order].add((client, usd))
        of_client[client].add(town)
    return [record for record in records if len(of_order[record[0]]) == 1 and len(of_client[record[1]]) == 1]


@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(
    records=st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 4), st.sampled_from(["Cali", "Pasto", None]), st.integers(1, 2)),
        min_size=1,
        max_size=12,
    ),
    at_once=st.sampled_from([2, 100_000]),
)
def test_random_repeats_are_merged_or_put_aside(records: list[Order], at_once: int) -> None:
    sound = without_contradictions(records)
    hypothesis.event("sound" if sound == records else "contradicting")
    dataset = orders(1.0)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("nequi_lake.engines.records._BATCH_RECORDS", at_once)
        folder = Path(name)
        storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake")}))
        lines = [",".join("" if value is None else str(value) for value in record) for record in records]
        files = {"orders.csv": kept_file(dataset, folder, orders_csv(lines))}
        release = Release(id="r", run_id="run", raw_version="v", tables=("clients", "orders"))
        contradictions = find_contradictions(dataset, files, storage)
        staged = stage(dataset, files, release.tables, release, storage, contradictions)
        rows = {
            table: Counter(row for path in staged[table].paths for row in pl.read_parquet(path).rows())
            for table in release.tables
        }
        # Where nothing good is left the table is refused, whatever its limit.
        allowed = set() if sound else {"quarantine_limit"}
        assert {check.name for check in audit(dataset, staged, {}, storage) if not check.passed} <= allowed
    assert rows["orders"] == Counter({(order, client, float(usd)) for order, client, _, usd in sound})
    assert rows["clients"] == Counter({(client, town) for _, client, town, _ in sound})
    for table in release.tables:
        account = staged[table].accounting
        assert account.quarantined == len(records) - len(sound)
        assert account.merged == len(sound) - rows[table].total()
