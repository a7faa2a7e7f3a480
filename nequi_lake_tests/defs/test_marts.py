"""Marts in a run: made of the published tables, each released by itself, never of tables that readers do not see."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.cli.entry import main
from nequi_lake.datasets.cite_sum.marts import MARTS as OF_PAPERS
from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.defs.build import build
from nequi_lake.engines import fingerprint
from nequi_lake.engines.duckdb import sql_of
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.chaos.lakes import leftovers
from nequi_lake_tests.conftest import citation, failed_checks, failures, only, write_citations
from nequi_lake_tests.lake.test_old_versions import LATER, KilledError

CITE_SUM = replace(only("cite_sum")["cite_sum"], marts=OF_PAPERS)
PAPERS: Mapping[str, Dataset] = {"cite_sum": CITE_SUM}
MARTS = {mart.name for mart in OF_PAPERS}
ChangeSql = Callable[[str, str], None]


@dataclass(frozen=True)
class Papers:
    """A lake of papers, to run and to read."""

    settings: Settings
    inbox: Path

    @property
    def lake(self) -> Lake:
        """It, for reading."""
        return Lake(self.settings, PAPERS)

    def deliver(self, *papers: int) -> None:
        """Put citations of these papers into the inbox, one each."""
        for split in ("train", "validation", "test"):
            write_citations(self.inbox, split, [citation(paper) for paper in papers])

    def run(self, *keys: str) -> dg.ExecuteInProcessResult:
        """Make everything, or some assets."""
        return (
            build(self.settings, PAPERS)
            .resolve_job_def("lake")
            .execute_in_process(
                asset_selection=[dg.AssetKey(key.split("/")) for key in keys] or None,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )

    def releases(self) -> dict[str, str]:
        """Table or mart → the release that readers see."""
        return {table.table.name: table.published.release.id for table in self.lake.tables()}

    def source_release(self) -> set[str | None]:
        """The releases that the marts were made from."""
        return {table.published.release.source_release for table in self.lake.tables() if table.table.name in MARTS}

    def count(self, mart: str = "citations_per_paper") -> int:
        """The rows of a mart, by SQL."""
        return int(self.lake.sql(f"SELECT count(*) AS n FROM cite_sum.{mart}").to_pylist()[0]["n"])


@dataclass(frozen=True)
class Made:
    """A lake after its first and its second run, and what the first run said.

    A lake cannot be moved, so that a test gets a copy of it in the one place for which it was made.
    """

    papers: Papers
    first_run: dg.ExecuteInProcessResult

    def restore(self, runs: int) -> Papers:
        """The lake as it was after so many runs, and the inbox as it was before the first."""
        lake = Path(self.papers.settings.uri)
        shutil.rmtree(lake, ignore_errors=True)
        if runs:
            shutil.copytree(lake.with_name(f"after {runs}"), lake)
        self.papers.deliver(1, 2, 3)
        return self.papers


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A lake of three papers, and then of four."""
    folder = tmp_path_factory.mktemp("marts")
    inbox, lake = folder / "inbox", folder / "lake"
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(lake), "NEQUI_LAKE_SOURCE": str(inbox)})
    papers = Papers(settings, inbox)
    results = []
    for runs, delivered in enumerate(((1, 2, 3), (1, 2, 3, 4)), 1):
        papers.deliver(*delivered)
        results.append(papers.run())
        shutil.copytree(lake, folder / f"after {runs}")
    return Made(papers, results[0])


@pytest.fixture
def empty(lakes: Made) -> Papers:
    """No lake yet, but the files for it."""
    return lakes.restore(0)


@pytest.fixture
def papers(lakes: Made) -> Papers:
    """A lake of three papers with its marts."""
    return lakes.restore(1)


@dataclass(frozen=True)
class Two:
    """A lake of two releases of the tables, both with their marts: of 3 papers, and then of 4."""

    papers: Papers
    ids: tuple[str, str]


@pytest.fixture
def two(lakes: Made) -> Two:
    """A lake of two releases."""
    papers = lakes.restore(2)
    new, old = (state.release.id for state in papers.lake.catalog.releases(CITE_SUM))
    return Two(papers, (old, new))


@pytest.fixture
def change_sql(monkeypatch: pytest.MonkeyPatch) -> ChangeSql:
    """Give a mart other SQL, as an edit of its file would."""
    changed: dict[str, str] = {}

    def told(mart: Mart) -> str:
        return changed.get(mart.name) or sql_of(mart)

    monkeypatch.setattr("nequi_lake.engines.duckdb.sql_of", told)
    monkeypatch.setattr("nequi_lake.engines.fingerprint.sql_of", told)
    return changed.__setitem__


def events(result: dg.ExecuteInProcessResult) -> dict[str, Mapping[str, Any]]:
    """Key of each mart that was materialized → its metadata."""
    found = [event.materialization for event in result.get_asset_materialization_events()]
    return {one.asset_key.path[-1]: one.metadata for one in found if one.asset_key.path[0] == "marts"}


def test_marts_are_made_read_and_reported_on_as_tables_are(lakes: Made, papers: Papers) -> None:
    result = lakes.first_run
    assert result.success, failures(result)
    tables = papers.lake.tables()
    assert {table.table.name: table.published.rows for table in tables} == {
        **{"papers": 3, "citations": 9, "paper_fields": 3},
        **{"publications_by_field": 1, "citations_per_paper": 3, "summarisation_training": 9},
    }
    for table in tables:
        assert table.scan().collect().height == table.to_arrow().num_rows == table.published.rows
    query = "SELECT sum(m.citations) AS n FROM cite_sum.citations_per_paper m JOIN cite_sum.papers USING (paper_id)"
    assert papers.lake.sql(query).to_pylist() == [{"n": 9}]
    storage = papers.lake.storage
    for name in MARTS:
        told = json.loads(storage.read(storage.path("profiling_reports", "cite_sum", f"{name}.json")))
        assert told["source_release"] == papers.releases()["papers"]
        assert told["raw_records"] is None
        page = storage.read(storage.path("profiling_reports", "cite_sum", f"{name}.html")).decode()
        assert told["source_release"] in page
        assert "Raw records" not in page
        assert all(
            path.startswith(storage.path("marts", "cite_sum", name))
            for path in papers.lake.table(f"cite_sum.{name}").files()
        )
    metadata = events(result)["citations_per_paper"]
    assert metadata["dagster/row_count"].value == 3
    assert "raw_records" not in metadata
    lineage = metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage.deps_by_column["main_field"]} == {
        ("processed/cite_sum/paper_fields", "mag_field_of_study"),
        ("processed/cite_sum/paper_fields", "position"),
    }
    assert leftovers(papers.lake) == []


def test_each_mart_has_its_checks_and_comes_after_the_tables_that_it_reads(papers: Papers) -> None:
    graph = build(papers.settings, PAPERS).resolve_asset_graph()
    key = dg.AssetKey(["marts", "cite_sum", "citations_per_paper"])
    node = graph.get(key)
    assert {parent.to_user_string() for parent in node.parent_keys} == {
        f"processed/cite_sum/{table}" for table in ("papers", "citations", "paper_fields")
    }
    assert {check.name for check in graph.asset_check_keys if check.asset_key == key} == set(Mart.checks)
    assert node.kinds == {"iceberg", "parquet", "duckdb"}


@pytest.mark.long
def test_marts_are_made_anew_where_their_tables_or_their_sql_changed(papers: Papers, change_sql: ChangeSql) -> None:
    first = papers.releases()
    result = papers.run()
    assert {said["new_snapshot"].value for said in events(result).values()} == {False}
    assert papers.releases() == first
    change_sql("citations_per_paper", f"SELECT * FROM ({sql_of_mart('citations_per_paper')})")
    result = papers.run()
    assert {name for name, said in events(result).items() if said["new_snapshot"].value} == {"citations_per_paper"}
    assert {name for name, release in papers.releases().items() if release != first[name]} == {"citations_per_paper"}
    papers.deliver(1, 2, 3, 4)
    assert papers.run().success
    assert papers.source_release() == {papers.releases()["papers"]}
    assert papers.count() == 4
    assert papers.releases().items().isdisjoint(first.items())


def sql_of_mart(name: str) -> str:
    """The SQL of a mart of papers, as it is in the file."""
    mart = CITE_SUM.mart(name)
    return sql_of(mart)


def test_a_change_of_a_mart_makes_no_new_release_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: set[str] = set()
    source = fingerprint._source

    def told(module: Any) -> str:
        return source(module) + ("\nCHANGED = 1\n" if module.__name__ in changed else "")

    monkeypatch.setattr(fingerprint, "_source", told)
    for dataset in discover().values():
        before = fingerprint.release_id(dataset, [])
        marts_before = {group.name: fingerprint.mart_release_id(group, before) for group in dataset.mart_groups}
        changed |= {mart.contract.__module__ for mart in dataset.marts}
        assert fingerprint.release_id(dataset, []) == before
        for group in dataset.mart_groups:
            assert fingerprint.mart_release_id(group, before) != marts_before[group.name]
            assert fingerprint.mart_release_id(group, "another") != fingerprint.mart_release_id(group, before)


def test_a_mart_that_fails_its_audit_leaves_all_else_as_it_must_be(papers: Papers, change_sql: ChangeSql) -> None:
    first = papers.releases()
    change_sql("citations_per_paper", "SELECT a.* FROM (SELECT '1' AS paper_id) AS a")
    papers.deliver(1, 2)
    assert "other columns" in failures(papers.run())
    twice = sql_of_mart("citations_per_paper").replace(
        "FROM cite_sum.papers\n", "FROM (SELECT p.* FROM cite_sum.papers AS p, range(2)) AS papers\n"
    )
    change_sql("citations_per_paper", twice)
    result = papers.run()
    failed = {key: [name for name in names if name != "volume"] for key, names in failed_checks(result).items()}
    assert {key: names for key, names in failed.items() if names} == {
        "marts/cite_sum/citations_per_paper": ["unique_key"]
    }
    told = failures(result)
    assert "cite_sum.citations_per_paper fails unique_key: 2 rows repeat the key" in told
    assert "Nothing of cite_sum.citations_per_paper was published" in told
    now = papers.releases()
    assert now["citations_per_paper"] == first["citations_per_paper"]
    assert {name for name in now if now[name] == first[name]} == {"citations_per_paper"}
    assert (papers.count(), papers.count("summarisation_training")) == (3, 6)
    assert leftovers(papers.lake) == []


def test_marts_are_not_made_of_tables_that_fail(papers: Papers) -> None:
    first = papers.releases()
    write_citations(papers.inbox, "train", [citation(1), citation(1, title="another")])
    result = papers.run()
    assert "processed/cite_sum/papers" in failed_checks(result)
    assert events(result) == {}
    assert papers.releases() == first


def test_a_mart_alone_is_made_of_what_is_published(empty: Papers) -> None:
    result = empty.run("marts/cite_sum/citations_per_paper")
    assert "There is no lake yet" in failures(result)
    empty.run(*(f"raw/cite_sum/{split}.json" for split in ("train", "validation", "test")), "processed/cite_sum/papers")
    result = empty.run("marts/cite_sum/citations_per_paper")
    assert "cite_sum.papers was never published" in failures(result)
    empty.run("processed/cite_sum/papers", "processed/cite_sum/citations", "processed/cite_sum/paper_fields")
    assert empty.run("marts/cite_sum/citations_per_paper").success
    assert empty.count() == 3


def test_what_a_killed_run_left_is_cleared_away_by_the_next(papers: Papers) -> None:
    storage = papers.lake.storage
    left = storage.path("marts", "cite_sum", "citations_per_paper", "data", "20200101T000000-killed", "half.parquet")
    storage.write(left, b"half")
    assert any("an orphan" in found for found in leftovers(papers.lake))
    assert papers.run().success
    assert leftovers(papers.lake) == []
    assert papers.count() == 3


def test_older_marts_are_read_with_the_tables_that_they_were_made_from(two: Two) -> None:
    of_first = Lake(two.papers.settings, PAPERS, as_of=two.ids[0])
    assert {table.published.release.tables_release for table in of_first.tables()} == {two.ids[0]}
    assert len(of_first.tables()) == 6
    assert of_first.table("cite_sum.citations_per_paper").published.rows == 3
    own = of_first.table("cite_sum.citations_per_paper").published.release.id
    by_mart = Lake(two.papers.settings, PAPERS, as_of=own[:8])
    assert by_mart.table("cite_sum.citations_per_paper").published.release.id == own
    assert by_mart.table("cite_sum.papers").published.release.id == two.ids[0]
    entries = two.papers.lake.catalog.history(CITE_SUM, "citations_per_paper")
    assert [(entry.release.source_release, entry.rows, entry.current, entry.complete) for entry in entries] == [
        (two.ids[1], 4, True, True),
        (two.ids[0], 3, False, True),
    ]


def test_a_rollback_takes_the_marts_along(two: Two) -> None:
    lake = two.papers.lake
    own = lake.table("cite_sum.citations_per_paper").published.release.id
    with pytest.raises(Exception, match=f"nequi-lake rollback cite_sum {two.ids[1]}"):
        roll_back(CITE_SUM, own, lake.catalog, lake.storage)
    done = roll_back(CITE_SUM, two.ids[0], lake.catalog, lake.storage)
    assert (len(done.changed), done.other_marts) == (6, ())
    assert two.papers.source_release() == {two.ids[0]}
    assert two.papers.count() == 3
    assert roll_back(CITE_SUM, two.ids[0], lake.catalog, lake.storage).changed == ()


def test_a_rollback_names_the_marts_that_stay_of_another_release(
    two: Two, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = two.papers.lake
    old = {
        e.snapshot_id
        for e in lake.catalog.history(CITE_SUM, "citations_per_paper")
        if e.release.source_release == two.ids[0]
    }
    lake.catalog.expire("cite_sum", "citations_per_paper", old)
    monkeypatch.setenv("NEQUI_LAKE_URI", two.papers.settings.uri)
    monkeypatch.setattr("sys.argv", ["nequi-lake", "rollback", "cite_sum", two.ids[0]])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    told = capsys.readouterr().err
    assert "NOT of this release, as none is kept that was made from it: cite_sum.citations_per_paper\n" in told
    assert """--select 'key:"marts/cite_sum/*"'""" in told
    assert two.papers.source_release() == {two.ids[0], two.ids[1]}
    # What it says to do.
    assert two.papers.run(*(f"marts/cite_sum/{mart}" for mart in MARTS)).success
    assert two.papers.source_release() == {two.ids[0]}
    assert two.papers.count() == 3


@pytest.mark.parametrize("survived", [1, 3, 4])
def test_a_rollback_that_is_killed_can_be_ended(two: Two, monkeypatch: pytest.MonkeyPatch, survived: int) -> None:
    publish: Callable[..., Any] = LakeCatalog.publish
    done: list[str] = []

    def killed_later(self: LakeCatalog, dataset: Dataset, staged: Any, **options: Any) -> Any:
        if len(done) == survived:
            raise KilledError
        done.append(staged.table)
        return publish(self, dataset, staged, **options)

    lake = two.papers.lake
    with monkeypatch.context() as patch:
        patch.setattr(LakeCatalog, "publish", killed_later)
        with pytest.raises(KilledError):
            roll_back(CITE_SUM, two.ids[0], lake.catalog, lake.storage)
    assert {release for name, release in two.papers.releases().items() if name not in MARTS} == {two.ids[survived < 3]}
    assert len(roll_back(CITE_SUM, two.ids[0], lake.catalog, lake.storage).changed) == 6 - survived
    assert two.papers.source_release() == {two.ids[0]}


def test_marts_stay_with_the_tables_that_they_were_made_from(papers: Papers, change_sql: ChangeSql) -> None:
    change_sql("citations_per_paper", f"SELECT * FROM ({sql_of_mart('citations_per_paper')})")
    assert papers.run("marts/cite_sum/citations_per_paper").success
    lake = papers.lake
    maintain(CITE_SUM, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=LATER)
    assert len(lake.catalog.history(CITE_SUM, "citations_per_paper")) == 2


def test_marts_are_forgotten_with_the_tables_that_they_were_made_from(two: Two) -> None:
    lake = two.papers.lake
    removed = maintain(CITE_SUM, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=LATER)
    assert removed.snapshots == 6
    assert two.papers.releases().keys() >= MARTS
    assert two.papers.count() == 4
    assert [len(lake.catalog.history(CITE_SUM, mart)) for mart in MARTS] == [1, 1, 1]
    assert leftovers(lake) == []
