"""The whole lake in one run: what is made, what is said of it, and what a second run does."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import Materialize, citation, failures, write_citations


def test_every_table_and_report_is_made(materialize: Materialize, lake: Lake) -> None:
    result = materialize()
    assert result.success
    rows = {table.published.name: table.published.rows for table in lake.tables()}
    assert rows == {
        "cite_sum.papers": 3,
        "cite_sum.citations": 5,
        "cite_sum.paper_fields": 4,
        "electric_motor.sessions": 2,
        "electric_motor.measurements": 10,
    }
    for name in rows:
        dataset, table = name.split(".")
        for ending in ("html", "json", "csv"):
            assert lake.storage.exists(lake.storage.path("profiling_reports", dataset, f"{table}.{ending}"))
    assert lake.storage.list(lake.storage.path(".scratch")) == []


def test_tables_hold_what_the_files_say(materialize: Materialize, lake: Lake) -> None:
    assert materialize().success
    papers = lake.table("cite_sum.papers").to_arrow().sort_by("paper_id").to_pylist()
    assert [(p["paper_id"], p["title"], p["venue"], p["journal"]) for p in papers] == [
        ("1", "Paper 1", "ArXiv", "Nature"),
        ("2", "Paper 2", "ArXiv", "Nature"),
        ("3", "Paper 3", "ArXiv", None),
    ]
    citations = lake.sql(
        "SELECT split, line, paper_id, tgt FROM cite_sum.citations ORDER BY split DESC, line"
    ).to_pylist()
    assert [tuple(row.values())[:3] for row in citations] == [
        ("validation", 1, "3"),
        ("train", 1, "1"),
        ("train", 2, "1"),
        ("train", 3, "2"),
        ("test", 1, "2"),
    ]
    fields = lake.table("cite_sum.paper_fields").scan().filter(pl.col("paper_id") == "3").sort("position").collect()
    assert fields.rows() == [("3", 1, "Art"), ("3", 2, "History")]
    sessions = lake.table("electric_motor.sessions").scan().sort("profile_id").collect()
    assert sessions.rows() == [(4, 4, 2.0, None), (17, 6, 3.0, None)]


def test_a_second_run_publishes_nothing_new(materialize: Materialize, lake: Lake) -> None:
    assert materialize().success
    before = [table.published for table in lake.tables()]
    result = materialize()
    assert result.success
    assert [table.published for table in lake.tables()] == before
    events = [event.materialization for event in result.get_asset_materialization_events()]
    said = {event.metadata["new_snapshot"].value for event in events if event.asset_key.path[0] == "processed"}
    assert said == {False}


def test_a_new_file_replaces_the_tables_in_one_snapshot_each(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    first = lake.table("cite_sum.papers").published
    write_citations(inbox, "train", [citation(number) for number in range(30, 40)])
    assert materialize("cite_sum").success
    second = lake.table("cite_sum.papers")
    assert second.published.release.id != first.release.id
    assert set(second.to_pandas()["paper_id"]) == {*map(str, range(30, 40)), "2", "3"}
    iceberg = lake.catalog.iceberg("cite_sum", "papers")
    assert iceberg is not None
    assert len(iceberg.snapshots()) == 2
    assert {t.published.release.id for t in lake.tables()} == {second.published.release.id}


def test_a_table_materialization_says_rows_schema_and_lineage(materialize: Materialize) -> None:
    result = materialize("electric_motor")
    (event,) = [
        e.materialization
        for e in result.get_asset_materialization_events()
        if e.asset_key == dg.AssetKey(["processed", "electric_motor", "measurements"])
    ]
    said = event.metadata
    assert said["dagster/row_count"].value == 10
    assert said["partitions"].value == 2
    assert said["quarantined"].value == 0
    schema = said["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    pm = next(column for column in schema.columns if column.name == "pm")
    assert pm.description == (
        "Temperature of the rotor's permanent magnet, by thermography; the usual target of a forecast. Unit: °C."
    )
    assert not pm.constraints.nullable
    assert pm.constraints.other == ["must be >= -40", "must be <= 300"]
    lineage = said["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert [(dep.asset_key.path[-1], dep.column_name) for dep in lineage.deps_by_column["elapsed_s"]] == [
        ("measures_v2.csv", "profile_id")
    ]
    assert str(said["report"].value).endswith("/profiling_reports/electric_motor/measurements.html")


def test_every_check_is_there_and_blocks(settings: Settings) -> None:
    graph = build(settings).resolve_asset_graph()
    checks: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        assert graph.get_check_spec(key).blocking
        checks.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    for dataset in discover().values():
        for file in dataset.files:
            assert checks.pop(f"raw/{dataset.name}/{file.name}") == {"file_structure"}
        for table in dataset.tables:
            assert checks.pop(f"processed/{dataset.name}/{table.name}") == set(table.checks)
        for mart in dataset.marts:
            assert checks.pop(f"marts/{dataset.name}/{mart.name}") == set(mart.checks)
    assert checks == {}


def test_every_asset_says_whose_it_is(settings: Settings) -> None:
    graph = build(settings).resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.group_name in discover()
        assert node.owners
        assert node.kinds
        assert node.tags["zone"] == key.path[0]
        assert len(node.description or "") > 20


def test_each_dataset_has_a_job_and_a_schedule(settings: Settings) -> None:
    repository = build(settings).get_repository_def()
    for name in discover():
        assert {key.path[1] for key in repository.get_job(name).asset_layer.executable_asset_keys} == {name}
        assert repository.get_schedule_def(f"{name}_schedule").job_name == name


def test_some_tables_can_be_made_alone_and_are_seen_when_all_are_there(materialize: Materialize, lake: Lake) -> None:
    raw = [f"raw/cite_sum/{split}.json" for split in ("train", "validation", "test")]
    assert materialize(keys=[*raw, "processed/cite_sum/papers"]).success
    # A release is read when every table of it is there, so that versions never mix.
    assert lake.tables() == []
    assert materialize(keys=["processed/cite_sum/citations"]).success
    assert lake.tables() == []
    assert materialize(keys=["processed/cite_sum/paper_fields"]).success
    assert [table.published.rows for table in lake.tables()] == [3, 5, 4]


def test_a_child_alone_is_refused_without_its_parent(materialize: Materialize, inbox: Path, lake: Lake) -> None:
    assert materialize("cite_sum").success
    before = [table.published for table in lake.tables()]
    write_citations(inbox, "train", [citation(9)])
    raw = [f"raw/cite_sum/{split}.json" for split in ("train", "validation", "test")]
    result = materialize(keys=[*raw, "processed/cite_sum/citations"])
    assert not result.success
    assert "papers is not published in this release" in failures(result)
    assert [table.published for table in lake.tables()] == before


def test_a_check_alone_is_held_against_the_published_table(
    materialize: Materialize, settings: Settings, lake: Lake
) -> None:
    assert materialize("cite_sum").success
    before = [table.published for table in lake.tables()]
    check = dg.AssetCheckKey(dg.AssetKey(["processed", "cite_sum", "papers"]), "unique_key")
    selection = dg.AssetSelection.checks(check)
    definitions = build(settings, lake.datasets)
    job = dg.Definitions.merge(
        definitions, dg.Definitions(jobs=[dg.define_asset_job("check_alone", selection=selection)])
    ).resolve_job_def("check_alone")
    result = job.execute_in_process()
    assert [(e.check_name, e.passed) for e in result.get_asset_check_evaluations()] == [("unique_key", True)]
    assert [table.published for table in lake.tables()] == before


def test_a_report_of_a_table_that_was_never_published_says_so(materialize: Materialize) -> None:
    assert "There is no lake yet" in failures(materialize(keys=["profiling_reports/cite_sum/papers_report"]))
    assert materialize("electric_motor").success
    result = materialize(keys=["profiling_reports/cite_sum/papers_report"])
    assert not result.success
    assert "cite_sum.papers was never published" in failures(result)


def test_tables_without_raw_files_say_what_to_do(materialize: Materialize) -> None:
    result = materialize(keys=["processed/cite_sum/papers"])
    assert not result.success
    assert "nequi-lake run cite_sum" in failures(result)


@pytest.mark.parametrize("annotation", ["LazyFrame", "DataFrame", "Table", "LakeTable"])
def test_a_downstream_asset_gets_the_table_as_it_asks(
    annotation: str, materialize: Materialize, settings: Settings, lake: Lake
) -> None:
    import pandas as pd
    import pyarrow as pa

    from nequi_lake import LakeTable

    assert materialize("electric_motor").success
    kinds = {"LazyFrame": pl.LazyFrame, "DataFrame": pd.DataFrame, "Table": pa.Table, "LakeTable": LakeTable}
    seen: list[object] = []

    def downstream(sessions):  # type: ignore[no-untyped-def]
        seen.append(sessions)

    downstream.__annotations__ = {"sessions": kinds[annotation]}
    asset = dg.asset(ins={"sessions": dg.AssetIn(dg.AssetKey(["processed", "electric_motor", "sessions"]))})(downstream)
    definitions = dg.Definitions.merge(build(settings), dg.Definitions(assets=[asset]))
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[asset.key]).success
    assert isinstance(seen[0], kinds[annotation])
