"""The index lists every table of the lake, how it is, and where its report is; each dataset's run makes it anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock, Timeout

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.defs.build import build
from nequi_lake.errors import DeclarationError
from nequi_lake.lake.settings import Settings
from nequi_lake.profiling.index import TableState, index_page
from nequi_lake_tests.conftest import Materialize, citation, only, write_citations
from nequi_lake_tests.datasets.notes import NOTES, Notes
from nequi_lake_tests.profiling.tables import problems


@dataclass(frozen=True)
class Made:
    """A run of one dataset of two, and what it left."""

    result: dg.ExecuteInProcessResult
    lake: Lake

    def page(self, name: str = "index.html") -> str:
        """A page among the reports."""
        return self.lake.storage.read(self.lake.storage.path("profiling_reports", *name.split("/"))).decode()

    def said(self, key: str) -> dict[str, object]:
        """The metadata of an asset's materialization."""
        (event,) = [
            event.materialization
            for event in self.result.get_asset_materialization_events()
            if event.asset_key == dg.AssetKey(key.split("/"))
        ]
        return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """CiteSum in a lake that electric_motor was never published in; nobody changes it."""
    folder = tmp_path_factory.mktemp("index")
    for split in ("train", "validation", "test"):
        write_citations(folder / "inbox", split, [citation(number) for number in range(3)])
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake"), "NEQUI_LAKE_SOURCE": str(folder / "inbox")})
    part = only("electric_motor", "cite_sum")
    job = build(settings, part).resolve_job_def("cite_sum")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return Made(job.execute_in_process(run_config=quiet), Lake(settings, part))


def test_a_datasets_job_writes_the_index_and_the_dictionary(made: Made) -> None:
    assert made.result.success
    assert problems(made.page()) == []
    assert "data dictionary" in made.page()
    assert "cite_sum.papers" in made.page("dictionary.html")


def test_every_table_is_listed_with_its_state(made: Made) -> None:
    page = made.page()
    for table in made.lake.datasets["cite_sum"].tables:
        assert f'href="cite_sum/{table.name}.html"' in page
    assert page.count("✓ kept") == 3
    assert page.count("✓ up to date") == 3
    assert page.count("! never published") == len(made.lake.datasets["electric_motor"].tables) == 2
    assert "nequi-lake run electric_motor" in page
    assert made.lake.table("cite_sum.papers").published.release.id in page
    assert 'href="electric_motor/' not in page


def test_a_mart_is_marked_as_one() -> None:
    dataset = only("cite_sum", marts=True)["cite_sum"]
    states = [TableState(dataset=dataset, table=table, published=None, report=None) for table in dataset.relations]
    page = index_page(states, datetime.now(UTC)).decode()
    assert page.count('<span class="chip">mart</span>') == len(dataset.marts) > 0
    assert 'publications_by_field <span class="chip">mart</span>' in page


def test_a_report_of_another_release_is_called_so(made: Made) -> None:
    report = json.loads(made.page("cite_sum/papers.json"))
    dataset = made.lake.datasets["cite_sum"]
    state = TableState(
        dataset=dataset,
        table=dataset.relation("papers"),
        published=made.lake.table("cite_sum.papers").published,
        report={**report, "release": "another"},
    )
    page = index_page([state], datetime.now(UTC)).decode()
    assert "! report of release another" in page
    assert "up to date" not in page


def test_the_checks_that_the_run_recorded_are_in_the_report(made: Made) -> None:
    told = json.loads(made.page("cite_sum/papers.json"))
    assert [check["name"] for check in told["checks"]] == list(Table.checks)
    assert all(check["passed"] for check in told["checks"])
    page = made.page("cite_sum/papers.html")
    assert problems(page) == []
    assert "✓ Contract kept" in page
    assert "no two rows have the same paper_id" in page


def test_a_run_reports_dagster_what_it_plots_and_shows(made: Made) -> None:
    report = made.said("profiling_reports/cite_sum/papers_report")
    assert (report["rows"], report["quarantined"], report["missing_percent"]) == (3, 0, 0.0)
    assert isinstance(report["bytes"], int)
    assert isinstance(report["profile_seconds"], float)
    assert "| paper&#95;id | string | 0 % | 3 |" in str(report["profile"])
    assert str(report["report"]).endswith("/profiling_reports/cite_sum/papers.html")
    table = made.said("processed/cite_sum/papers")
    assert "| unique&#95;key | passed | no two rows have the same paper&#95;id |" in str(table["checks"])
    assert isinstance(table["seconds"], float)
    index = made.said("profiling_reports/cite_sum/index")
    assert (index["tables"], index["tables_published"], index["tables_that_keep_their_contract"]) == (3, 3, 3)


def test_the_index_is_downstream_of_the_reports(made: Made) -> None:
    graph = build(made.lake.settings, made.lake.datasets).resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["profiling_reports", "cite_sum", "index"])).parent_keys
    assert {key.path[-1] for key in parents} == {"papers_report", "citations_report", "paper_fields_report"}


def test_two_datasets_at_once_make_the_index_one_after_another(
    materialize: Materialize, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert materialize("cite_sum").success
    seen = []

    def guarded(tables: Sequence[TableState], made_at: datetime) -> bytes:
        with pytest.raises(Timeout):
            FileLock(Path(lake.settings.uri) / ".locks" / "profiling_reports.lock").acquire(timeout=0)
        seen.append(made_at)
        return index_page(tables, made_at)

    monkeypatch.setattr("nequi_lake.pipeline.report.index_page", guarded)
    left_behind = Path(lake.settings.uri) / "profiling_reports" / ".index.html.0.draft"
    left_behind.write_bytes(b"half a page")
    assert materialize(keys=["profiling_reports/cite_sum/index"]).success
    assert len(seen) == 1
    assert lake.storage.temporary_files(lake.storage.path("profiling_reports")) == []


def test_a_report_names_the_source_of_its_own_release(
    materialize: Materialize, settings: Settings, lake: Lake, tmp_path: Path
) -> None:
    assert materialize("cite_sum").success
    for split in ("train", "validation", "test"):
        write_citations(tmp_path / "elsewhere", split, [citation(9)])
    other = Settings.from_env({"NEQUI_LAKE_URI": settings.uri, "NEQUI_LAKE_SOURCE": str(tmp_path / "elsewhere")})
    job = build(other, only("cite_sum")).resolve_job_def("lake")
    raw = [dg.AssetKey(["raw", "cite_sum", f"{split}.json"]) for split in ("train", "validation", "test")]
    report = dg.AssetKey(["profiling_reports", "cite_sum", "papers_report"])
    assert job.execute_in_process(asset_selection=[*raw, report]).success
    told = json.loads(lake.storage.read(lake.storage.path("profiling_reports", "cite_sum", "papers.json")))
    assert told["raw_version"] == lake.table("cite_sum.papers").published.release.raw_version
    assert str(tmp_path / "inbox") in told["source"]
    assert "elsewhere" not in told["source"]


def test_no_table_may_be_called_index() -> None:
    with pytest.raises(DeclarationError, match="no table may be called index"):
        Dataset(
            name="notes",
            slug="nobody/notes",
            title="Notes",
            licence="none",
            use_case="Tests.",
            files=NOTES.files,
            tables=(Table(name="index", description="Notes.", contract=Notes),),
        )
