"""What killed runs left behind is cleared away by the next one, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.defs.names import report_key
from nequi_lake.lake.layout import ensure_identity
from nequi_lake_tests.conftest import Materialize, failures


def test_drafts_of_killed_writers_are_cleared_away_by_the_next_run(materialize: Materialize, lake: Lake) -> None:
    ensure_identity(lake.storage)
    drafts = [
        Path(lake.storage.path(zone, dataset, "deep", ".name.0123.draft"))
        for zone in ("raw", "quarantine", "profiling_reports")
        for dataset in ("cite_sum", "electric_motor")
    ]
    for draft in drafts:
        draft.parent.mkdir(parents=True)
        draft.write_text("half")
    assert materialize("cite_sum").success
    assert [draft for draft in drafts if draft.exists()] == [d for d in drafts if "electric_motor" in d.parts]


def test_drafts_are_cleared_away_though_nothing_can_be_fetched(
    materialize: Materialize, lake: Lake, inbox: Path
) -> None:
    ensure_identity(lake.storage)
    draft = Path(lake.storage.path("raw", "cite_sum", "version=1", ".train.json.0123.draft"))
    draft.parent.mkdir(parents=True)
    draft.write_text("half")
    (inbox / "cite_sum" / "train.json").unlink()
    assert not materialize("cite_sum").success
    assert not draft.exists()


def test_a_report_is_written_by_a_run_that_has_its_dataset_to_itself(
    materialize: Materialize, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert materialize("cite_sum").success
    report = report_key("cite_sum", "papers").to_user_string()
    monkeypatch.setattr("nequi_lake.lake.storage.base.LOCK_WAIT_S", 0.1)
    with lake.storage.lock("cite_sum"):
        assert "Another run has been at work on cite_sum" in failures(materialize(keys=[report]))
    assert materialize(keys=[report]).success
