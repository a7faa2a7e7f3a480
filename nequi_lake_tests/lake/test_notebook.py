"""The lake at a prompt: names that Tab completes, and what a notebook shows."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import CatalogError
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import Materialize, citation, only, released, write_citations
from nequi_lake_tests.datasets.notes import NOTES

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def empty(tmp_path: Path) -> Lake:
    """A lake that is not there yet."""
    return Lake(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake")}))


def test_a_published_lake_is_shown_and_read_by_name(materialize: Materialize, lake: Lake, inbox: Path) -> None:
    write_citations(inbox, "test", [citation(9, title=HOSTILE, src="x" * 500)])
    assert materialize("cite_sum").success
    page = lake._repr_html_()
    table = lake["cite_sum.papers"]
    assert table.published.rows == lake.cite_sum.papers.published.rows == 4
    assert f">{table.published.release.id}<" in page
    assert ">cite_sum.papers<" in page
    assert f">{table.published.published_at:%Y-%m-%d %H:%M}<" in page
    assert "electric_motor" not in page
    assert lake.cite_sum["papers"].published == table.published
    assert "cite_sum.citations" in lake.cite_sum._repr_html_()

    shown = table._repr_html_()
    assert "Abstract of the cited paper" in shown
    assert ">string<" in shown
    assert "Abstract of paper 1." in shown
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert ">" + "x" * 59 + "…<" in shown
    assert "<em>null</em>" in shown
    assert "4 rows" in shown
    for text in (page, shown):
        assert f"{inbox}/cite_sum" in text
        assert "SAMPLE DATA" not in text


def test_a_notebook_says_that_data_is_made_up(tmp_path: Path) -> None:
    lake = Lake(
        Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SAMPLE_SCALE": "0.001"}),
        only("electric_motor"),
    )
    released(lake, "electric_motor")
    for page in (lake._repr_html_(), lake.electric_motor._repr_html_(), lake.electric_motor.sessions._repr_html_()):
        assert "SAMPLE DATA" in page


def test_names_are_completed(empty: Lake) -> None:
    assert {"credit_risk", "sql", "table"} <= set(dir(empty))
    assert {"loans", "payments"} <= set(dir(empty.credit_risk))
    assert {"credit_risk", "credit_risk.loans"} <= set(empty._ipython_key_completions_())
    assert "loans" in empty.credit_risk._ipython_key_completions_()
    assert "loans" in repr(empty.credit_risk)


def test_wrong_names_say_the_right_ones(empty: Lake) -> None:
    with pytest.raises(AttributeError, match=r"no dataset credits; its datasets: cite_sum, credit_risk"):
        _ = empty.credits
    with pytest.raises(AttributeError, match=r"credit_risk has no table loan; it has borrowers, loans"):
        _ = empty.credit_risk.loan
    with pytest.raises(CatalogError, match=r"There is no table credit_risk\.loan"):
        _ = empty["credit_risk.loan"]
    assert not hasattr(empty, "_repr_png_")
    assert not hasattr(empty.credit_risk, "_repr_png_")
    assert isinstance(copy.copy(empty), Lake)


def test_a_dataset_hides_no_method(empty: Lake) -> None:
    lake = Lake(empty.settings, {"sql": NOTES, "settings": NOTES})
    assert lake.sql("SELECT 1 AS a").to_pylist() == [{"a": 1}]
    assert lake.settings is empty.settings


def test_a_lake_that_is_not_there_is_shown_with_what_to_do(empty: Lake, datasets: dict[str, Dataset]) -> None:
    assert "nequi-lake run" in empty._repr_html_()
    with pytest.raises(CatalogError, match="There is no lake yet"):
        _ = empty.credit_risk.loans
