"""The reports over http: ``nequi-lake serve``, and the links of the Dagster UI to it."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.cli.serve import reports_server
from nequi_lake.defs.build import build
from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend
from nequi_lake_tests.conftest import Materialize, only


@pytest.fixture
def address(storage: StorageBackend) -> Iterator[str]:
    """A server of a lake that has two pages, beside files that are not for everyone."""
    for name in ("index.html", "cite_sum/papers.html", "cite_sum/papers.csv", "cite_sum/.papers.html.0.draft"):
        storage.write(storage.path("profiling_reports", *name.split("/")), f"This is {name}.".encode())
    storage.write(storage.path("raw", "secret.csv"), b"secret")
    with reports_server(storage, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def get(address: str, host: str | None = None) -> tuple[int, str, str]:
    """Status, content type and text."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], refused.read().decode()


def test_reports_are_served_as_what_they_are(address: str) -> None:
    assert get(f"{address}/") == (200, "text/html; charset=utf-8", "This is index.html.")
    assert get(f"{address}/cite_sum/papers.html?x=1")[2] == "This is cite_sum/papers.html."
    assert get(f"{address}/cite_sum/papers.csv")[1] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "none.html",
        "cite_sum",
        "../raw/secret.csv",
        "%2e%2e/raw/secret.csv",
        "cite_sum/.papers.html.0.draft",
        "..%2Fraw",
    ],
)
def test_nothing_else_of_the_lake_is_served(address: str, path: str) -> None:
    status, _, text = get(f"{address}/{path}")
    assert status == 404
    assert "nequi-lake run" in text


def test_only_this_machine_is_answered(address: str) -> None:
    assert get(f"{address}/", host="evil.example:3001")[0] == 403
    assert get(f"{address}/", host="localhost:3001")[0] == 200


def test_a_port_that_is_taken_is_named(storage: StorageBackend, address: str) -> None:
    with pytest.raises(UsageError, match="cannot be served") as told:
        reports_server(storage, int(address.rsplit(":", 1)[1]))
    assert "make dev REPORTS_PORT=" in str(told.value)


def test_the_ui_links_to_the_served_pages_whichever_run_wrote_them(settings: Settings) -> None:
    served = replace(settings, reports_url="http://localhost:3001")
    graph = build(served, only("cite_sum", marts=True)).resolve_asset_graph()
    links = {
        (key.to_user_string(), name): value.value
        for key in graph.get_all_asset_keys()
        for name, value in graph.get(key).metadata.items()
        if name.endswith("_page")
    }
    papers = "http://localhost:3001/cite_sum/papers.html"
    assert links["processed/cite_sum/papers", "report_page"] == papers
    assert links["profiling_reports/cite_sum/papers_report", "report_page"] == papers
    assert links["profiling_reports/cite_sum/index", "index_page"] == "http://localhost:3001/index.html"
    assert links["profiling_reports/cite_sum/index", "dictionary_page"] == "http://localhost:3001/dictionary.html"
    assert {key.split("/")[0] for key, _ in links} == {"processed", "marts", "profiling_reports"}


def test_no_link_of_a_run_leads_into_a_folder(materialize: Materialize, lake: Lake) -> None:
    result = materialize("cite_sum")
    said = [
        value
        for event in result.get_asset_materialization_events()
        for value in event.materialization.metadata.values()
    ]
    assert not [value for value in said if isinstance(value, dg.UrlMetadataValue) and "file:" in str(value.value)]
    paths = {str(value.value) for value in said if isinstance(value, dg.PathMetadataValue)}
    assert lake.storage.path("profiling_reports", "cite_sum", "papers.html") in paths
    assert all(lake.storage.exists(path) for path in paths)
