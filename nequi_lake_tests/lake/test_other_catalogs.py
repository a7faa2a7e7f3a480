"""A catalog that is not the lake's, or behind it, is refused, and nothing of the lake is removed on its word."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from nequi_lake import Lake
from nequi_lake.cli.doctor import examine
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import maintain
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.pipeline.tables import publish_tables
from nequi_lake.sources import Sources
from nequi_lake_tests.conftest import citation, released, write_citations


class KilledError(BaseException):
    """The process is killed here."""


def files(lake: Lake) -> set[str]:
    """Every file of the lake's tables."""
    return set(lake.storage.files(lake.storage.path("processed")))


@pytest.fixture
def two(lake: Lake, inbox: Path, tmp_path: Path) -> tuple[Lake, Path]:
    """A lake with two releases of cite_sum, and its catalog as it was after the first."""
    released(lake, "cite_sum")
    backup = tmp_path / "backup.db"
    shutil.copy(Path(lake.settings.uri, "catalog.db"), backup)
    write_citations(inbox, "train", [citation(9)])
    released(lake, "cite_sum")
    return lake, backup


def attempts(lake: Lake) -> dict[str, Callable[[], object]]:
    """What people and runs do with a lake."""
    cite_sum = lake.datasets["cite_sum"]
    return {
        "tables": lake.tables,
        "table": lambda: lake.table("cite_sum.papers"),
        "sql": lambda: lake.sql("SELECT * FROM cite_sum.papers"),
        "history": lambda: lake.catalog.history(cite_sum, "papers"),
        "publish": lambda: publish_tables(lake, cite_sum, "run"),
        "rollback": lambda: roll_back(cite_sum, "0123456", lake.catalog, lake.storage),
        "maintain": lambda: maintain(cite_sum, lake.catalog, lake.storage),
    }


def is_refused(lake: Lake, said: str) -> None:
    """Every attempt is refused with these words, and changes no file."""
    before = files(lake)
    for name, attempt in attempts(lake).items():
        with pytest.raises(CatalogError, match=said) as refusal:
            attempt()
        assert "NEQUI_LAKE_CATALOG_URI" in str(refusal.value), name
    answers = {check.name: check for check in examine(lake, Sources(lake.settings))}
    assert not answers["catalog_access"].passed
    assert files(lake) == before


def test_an_empty_catalog_over_a_lake_with_releases_is_refused(two: tuple[Lake, Path], tmp_path: Path) -> None:
    lake, _ = two
    empty = replace(lake.settings, catalog_uri=f"sqlite:///{tmp_path}/mistyped.db")
    is_refused(Lake(empty, lake.datasets), "is at release 2 here, and the catalog has none of its releases")
    assert lake.table("cite_sum.papers").to_arrow().num_rows


def test_a_catalog_that_was_set_back_is_refused(two: tuple[Lake, Path]) -> None:
    lake, backup = two
    shutil.copy(backup, Path(lake.settings.uri, "catalog.db"))
    is_refused(Lake(lake.settings, lake.datasets), "is at release 2 here, and the catalog ends at release 1")


def test_a_catalog_of_a_lake_that_lay_here_before_is_refused(lake: Lake, tmp_path: Path) -> None:
    outside = replace(lake.settings, catalog_uri=f"sqlite:///{tmp_path}/outside.db")
    first = Lake(outside, lake.datasets)
    released(first, "cite_sum")
    shutil.rmtree(lake.settings.uri)
    released(lake, "cite_sum")
    with pytest.raises(CatalogError, match=r"it is older than the lake, or of another one"):
        Lake(outside, lake.datasets).tables()


def test_a_table_of_another_lake_s_identity_is_refused(lake: Lake) -> None:
    released(lake, "cite_sum")
    identity = Path(lake.settings.uri, "lake.json")
    identity.write_text(identity.read_text().replace('"id": "', '"id": "0'))
    with pytest.raises(CatalogError, match="is of another lake than lies here"):
        Lake(lake.settings, lake.datasets).tables()


def test_a_copied_lake_never_reads_the_original_s_files(two: tuple[Lake, Path], tmp_path: Path) -> None:
    lake, _ = two
    shutil.copytree(lake.settings.uri, tmp_path / "copy")
    copied = replace(lake.settings, uri=str(tmp_path / "copy"), catalog_uri=f"sqlite:///{tmp_path}/copy/catalog.db")
    with pytest.raises(CatalogError, match="in another lake") as refusal:
        Lake(copied, lake.datasets).table("cite_sum.papers")
    assert "copied or moved" in str(refusal.value)


def test_files_that_metadata_beyond_the_catalog_names_stay_until_it_is_superseded(
    lake: Lake, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(lake, "cite_sum")
    cite_sum = lake.datasets["cite_sum"]
    folder = lake.storage.path("processed", "cite_sum", "papers", "data")
    (first,) = lake.storage.list(folder)

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    write_metadata = SqlCatalog._write_metadata

    def killed_after(*arguments: Any, **options: Any) -> None:
        write_metadata(*arguments, **options)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(SqlCatalog, "_write_metadata", staticmethod(killed_after))
        write_citations(inbox, "train", [citation(9)])
        with pytest.raises(KilledError):
            released(lake, "cite_sum")
    names = set(lake.storage.list(folder))
    (left,) = names - {first}
    monkeypatch.setattr(LakeCatalog, "publish", killed)
    with pytest.raises(KilledError):
        publish_tables(Lake(lake.settings, lake.datasets), cite_sum, "second")
    assert left in lake.storage.list(folder)
    monkeypatch.undo()
    publish_tables(Lake(lake.settings, lake.datasets), cite_sum, "third")
    assert left not in lake.storage.list(folder)
    assert first in lake.storage.list(folder)


def test_a_kill_between_a_commit_and_its_record_hurts_nothing(
    lake: Lake, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(lake, "cite_sum")

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("nequi_lake.lake.catalog.catalog.record_sequence", killed)
        write_citations(inbox, "train", [citation(9)])
        with pytest.raises(KilledError):
            released(lake, "cite_sum")
    again = Lake(lake.settings, lake.datasets)
    assert again.tables()
    assert released(again, "cite_sum")
