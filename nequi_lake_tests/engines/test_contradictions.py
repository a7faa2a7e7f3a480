"""Records that only others show to be bad are put aside, with the record that says why; the rest is published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dataframely as dy
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import AuditError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import citation, only, released, write_citations


def key(name: str) -> dy.Int64:
    """A key that is at least 1."""
    return dy.Int64(primary_key=True, min=1, description="Number.", metadata=column_meta(unit="id", source=name))


def reference(name: str, table: str) -> dy.Int64:
    """A column that holds the key of a table."""
    return dy.Int64(description="Parent.", metadata=column_meta(unit="id", source=name, references=table))


class Clients(dy.Schema):
    """One row per client."""

    client = key("client")


class Orders(dy.Schema):
    """One row per order."""

    order = key("order")
    client = reference("client", "clients")


class Items(dy.Schema):
    """One row per item."""

    item = key("item")
    order = reference("order", "orders")


CONTRACTS: Mapping[str, tuple[type[dy.Schema], tuple[str, ...]]] = {
    "clients": (Clients, ("client",)),
    "orders": (Orders, ("order", "client")),
    "items": (Items, ("item", "order")),
}


def shop(limit: float) -> Dataset:
    """Clients, orders and items, each in a file of its own."""
    return Dataset(
        name="shop",
        slug="nobody/shop",
        title="Shop",
        licence="none",
        use_case="Tests.",
        files=tuple(CsvFile(name=f"{name}.csv", description="S.", columns=c) for name, (_, c) in CONTRACTS.items()),
        tables=tuple(
            Table(name=name, description="S.", contract=contract, files=(f"{name}.csv",), quarantine_limit=limit)
            for name, (contract, _) in CONTRACTS.items()
        ),
    )


def shop_lake(folder: Path, limit: float = 0.05, clients: int = 100) -> Lake:
    """A lake of clients with an order each, and two items for each order; the first client's number is bad."""
    inbox = folder / "in" / "shop"
    inbox.mkdir(parents=True)
    numbers = range(1, clients + 1)
    (inbox / "clients.csv").write_text("client\n" + "".join(f"{'x' if n == 1 else n}\n" for n in numbers))
    (inbox / "orders.csv").write_text("order,client\n" + "".join(f"{n},{n}\n" for n in numbers))
    (inbox / "items.csv").write_text(
        "item,order\n" + "".join(f"{n},{(n + 1) // 2}\n" for n in range(1, 2 * clients + 1))
    )
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "in")})
    lake = Lake(settings, {"shop": shop(limit)})
    released(lake, "shop")
    return lake


def test_what_refers_to_a_bad_record_is_put_aside_with_it_and_all_that_refers_to_that(tmp_path: Path) -> None:
    lake = shop_lake(tmp_path)
    assert {name: lake.table(f"shop.{name}").published.rows for name in CONTRACTS} == {
        "clients": 99,
        "orders": 99,
        "items": 198,
    }
    rules = {
        name: lake.table(f"shop.{name}").quarantine().select("line", "rule").rows() for name in ("orders", "items")
    }
    assert rules == {
        "orders": [(2, "orders.client: clients has no such row, or its record is in the quarantine")],
        "items": [(line, "items.order: orders has no such row, or its record is in the quarantine") for line in (2, 3)],
    }


def test_they_count_towards_the_limit(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"2 of 20 records of items\.csv"):
        shop_lake(tmp_path, limit=0.05, clients=10)


def test_the_search_ends_where_a_limit_is_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nequi_lake.engines.contradictions._MOST", 10)
    lake = shop_lake(tmp_path)
    inbox = tmp_path / "in" / "shop"
    (inbox / "orders.csv").write_text("order,client\n" + "".join(f"{n},{n + 1000}\n" for n in range(1, 101)))
    with pytest.raises(AuditError, match="a client that clients does not have") as refused:
        released(lake, "shop")
    # The limit is 5 of 100, and a release that leaves out 10 of them is no more right than one that leaves out 100.
    assert "shop.orders fails quarantine_limit: at least 10 of 100 records of orders.csv" in str(refused.value)
    assert "Where quarantine_limit fails too, look at what it names first" in str(refused.value)
    assert lake.table("shop.orders").published.rows == 99


def test_a_search_that_finds_all_that_is_allowed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nequi_lake.engines.contradictions._MOST", 1)
    lake = shop_lake(tmp_path)
    assert [lake.table(f"shop.{name}").published.rows for name in CONTRACTS] == [99, 99, 198]


def test_a_value_that_explode_makes_costs_its_own_record(lake: Lake, inbox: Path) -> None:
    records = [citation(number) for number in range(1001, 1301)]
    records[9] = citation(1010, fields=["Law"])
    write_citations(inbox, "train", records)
    released(lake, "cite_sum")
    (bad,) = lake.table("cite_sum.paper_fields").quarantine().to_dicts()
    assert (bad["file"], bad["line"], bad["table"]) == ("train.json", 10, "paper_fields")
    assert "mag_field_of_study: must be one of Art, Biology" in bad["rule"]
    assert "1010" not in lake.table("cite_sum.papers").to_polars()["paper_id"].to_list()


@pytest.mark.parametrize("other", [[], None, ["Computer Science", "Art"]])
def test_lists_that_contradict_each_other_are_put_aside(lake: Lake, inbox: Path, other: list[str] | None) -> None:
    records = [citation(number) for number in range(1001, 1301)]
    write_citations(inbox, "train", [*records, citation(1007, fields=other, tgt="again")])
    released(lake, "cite_sum")
    bad = lake.table("cite_sum.paper_fields").quarantine()
    assert bad["line"].to_list() == [7, 301]
    assert all("differ in" in rule for rule in bad["rule"])


def test_an_empty_list_and_none_do_not_contradict_each_other(lake: Lake, inbox: Path) -> None:
    records = [citation(number) for number in range(1010, 1030)]
    write_citations(inbox, "train", [*records, citation(1007, fields=[]), citation(1007, fields=None, tgt="again")])
    released(lake, "cite_sum")
    assert lake.table("cite_sum.paper_fields").quarantine().is_empty()
    assert "1007" in lake.table("cite_sum.papers").to_polars()["paper_id"].to_list()


def test_the_columns_in_which_records_differ_are_named(lake: Lake, inbox: Path) -> None:
    records = [citation(number) for number in range(1001, 1301)]
    write_citations(inbox, "train", [*records, citation(1007, title="Another", journal="Other", tgt="again")])
    released(lake, "cite_sum")
    rules = lake.table("cite_sum.papers").quarantine()["rule"].to_list()
    assert rules == ["papers.paper_id: other records have the same and differ in title, journal"] * 2


def test_the_declared_datasets_find_nothing_in_sound_files(lake: Lake) -> None:
    for name in only("electric_motor", "cite_sum"):
        released(lake, name)
        assert lake.table(f"{name}.{lake.datasets[name].tables[0].name}").quarantine().is_empty()
