"""The report says what the table is, opens without a network, and never runs what the data says."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import dagster as dg
import pandas as pd

from nequi_lake import Lake
from nequi_lake.defs.io_managers import ReportIOManager
from nequi_lake.defs.names import report_key
from nequi_lake.defs.reports import ProfileFrame
from nequi_lake.profiling.profile import profile
from nequi_lake_tests.conftest import Materialize, citation, write_citations

HOSTILE = "<script>alert('x')</script>\"onload=\"alert(1)"


def read(lake: Lake, name: str) -> bytes:
    """A report's content."""
    return lake.storage.read(lake.storage.path("profiling_reports", *name.split("/")))


def test_the_page_says_rows_snapshot_columns_and_units(materialize: Materialize, lake: Lake) -> None:
    assert materialize("electric_motor").success
    published = lake.table("electric_motor.measurements").published
    page = read(lake, "electric_motor/measurements.html").decode()
    assert "<h1>electric_motor.measurements</h1>" in page
    assert str(published.snapshot_id) in page
    assert published.release.id in page
    for column in lake.table("electric_motor.measurements").table.columns.values():
        assert f'id="column-{column.name}"' in page
        assert html.escape(column.description, quote=False).replace("'", "&#39;") in page
    assert "°C" in page


def test_the_page_needs_no_network(materialize: Materialize, lake: Lake) -> None:
    assert materialize("electric_motor").success
    page = read(lake, "electric_motor/sessions.html").decode()
    assert re.findall(r"""src=|url\(|@import|https?://""", page) == []
    links = set(re.findall(r'href="([^"#]+)"', page))
    assert links == {"data:,", "../index.html", "sessions.json", "sessions.csv"}
    assert "default-src 'none'" in page


def test_text_of_the_data_never_becomes_markup(materialize: Materialize, lake: Lake, inbox: Path) -> None:
    write_citations(inbox, "train", [citation(number, title=HOSTILE) for number in range(5, 8)])
    assert materialize("cite_sum").success
    page = read(lake, "cite_sum/papers.html").decode()
    assert "&lt;script&gt;alert" in page
    assert page.count("<script") == 1
    assert '"onload' not in page


def test_a_report_is_loaded_as_the_frame_that_its_asset_gave(materialize: Materialize, lake: Lake) -> None:
    assert materialize("electric_motor").success
    context = dg.build_input_context(asset_key=report_key("electric_motor", "sessions"))
    frame = ReportIOManager(lake).load_input(context)
    assert dg.check_dagster_type(ProfileFrame, frame).success
    assert frame["profile"].tolist() == profile(lake.table("electric_motor.sessions"))


def test_json_and_csv_say_the_same(materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    told = json.loads(read(lake, "cite_sum/papers.json"))
    assert told["rows"] == 3
    assert told["snapshot_id"] == lake.table("cite_sum.papers").published.snapshot_id
    with lake.storage.open(lake.storage.path("profiling_reports", "cite_sum", "papers.csv")) as stream:
        frame = pd.read_csv(stream)
    assert [column["column"] for column in told["profile"]] == frame["column"].tolist()
    assert [column["distinct"] for column in told["profile"]] == frame["distinct"].tolist()
    journal = told["profile"][4]
    assert (journal["missing"], journal["top"], journal["mean"]) == (1, [["Nature", 2]], None)
