"""Reports and their index, written without Dagster: they say what the release's checks found, whoever makes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.errors import TransientError
from nequi_lake.lake.layout import report_path
from nequi_lake.pipeline.report import profile_relation, write_index, write_report
from nequi_lake_tests.conftest import citation, released, write_citations

PAPERS = "cite_sum.papers"


@pytest.fixture
def published(lake: Lake, inbox: Path) -> Lake:
    """A lake with one release of cite_sum and no report."""
    released(lake, "cite_sum")
    return lake


def test_a_report_says_what_the_release_s_checks_found(published: Lake) -> None:
    table = published.table(PAPERS)
    written = write_report(published, PAPERS, profile_relation(table), snapshot_id=table.published.snapshot_id)
    found = json.loads(published.storage.read(report_path(published.storage, "cite_sum", "papers", "json")))
    assert {check["name"]: check["passed"] for check in found["checks"]} == dict.fromkeys(table.table.checks, True)
    assert "✓ Contract kept" in Path(written.links["html"].removeprefix("file://")).read_text()


def test_a_report_is_of_what_readers_see(published: Lake, inbox: Path) -> None:
    table = published.table(PAPERS)
    profiled = profile_relation(table)
    write_citations(inbox, "train", [citation(9)])
    released(published, "cite_sum")
    with pytest.raises(TransientError, match="published again while it was profiled"):
        write_report(published, PAPERS, profiled, snapshot_id=table.published.snapshot_id)
    assert not published.storage.exists(report_path(published.storage, "cite_sum", "papers", "json"))


def test_the_index_says_how_each_relation_is(published: Lake) -> None:
    table = published.table(PAPERS)
    write_report(published, PAPERS, profile_relation(table), snapshot_id=table.published.snapshot_id)
    states = {state.name: state for state in write_index(published).tables}
    assert states[PAPERS].contract_kept is True
    assert states["cite_sum.citations"].contract_kept is None
    assert states["cite_sum.citations"].published is not None
    assert states["electric_motor.sessions"].published is None
