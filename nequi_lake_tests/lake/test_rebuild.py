"""The catalog is not the lake's life: it is made anew from the lake's own records, and nothing is lost or made up."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from nequi_lake import Lake
from nequi_lake.cli import main
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.rebuild import Rebuilt, State, rebuild
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake_tests.conftest import citation, only, released, write_citations

pytestmark = pytest.mark.long

NAMES = ("papers", "citations", "paper_fields")


class KilledError(BaseException):
    """The process is killed here."""


@pytest.fixture
def full(lake: Lake, inbox: Path, tmp_path: Path) -> Lake:
    """A lake with three releases of cite_sum; its catalog as it was after the first is in ``backup.db``."""
    released(lake, "cite_sum")
    shutil.copy(Path(lake.settings.uri, "catalog.db"), tmp_path / "backup.db")
    for number in (9, 10):
        write_citations(inbox, "train", [citation(number)])
        released(lake, "cite_sum")
    return lake


def fresh(lake: Lake) -> Lake:
    """The same lake, opened anew."""
    return Lake(lake.settings, lake.datasets)


def seen(lake: Lake) -> dict[str, Any]:
    """What readers see of the dataset, in every release."""
    found: dict[str, Any] = {}
    for name in NAMES:
        table = lake.table(f"cite_sum.{name}")
        history = lake.history(f"cite_sum.{name}").to_dicts()
        found[name] = (table.to_polars().sort("paper_id").rows(), [row["release"] for row in history])
    return found


def rebuilt(lake: Lake, **options: bool) -> list[Rebuilt]:
    """Make the catalog of the dataset anew."""
    return rebuild(lake.datasets["cite_sum"], lake.catalog, lake.storage, **options)


def lose(lake: Lake, tmp_path: Path) -> None:
    """The catalog is gone."""
    Path(lake.settings.uri, "catalog.db").unlink()


def set_back(lake: Lake, tmp_path: Path) -> None:
    """The catalog is as it was after the first release."""
    shutil.copy(tmp_path / "backup.db", Path(lake.settings.uri, "catalog.db"))


def lose_half(lake: Lake, tmp_path: Path) -> None:
    """The catalog has lost one of its tables."""
    with closing(sqlite3.connect(Path(lake.settings.uri, "catalog.db"))) as database, database:
        database.execute("DELETE FROM iceberg_tables WHERE table_name = 'papers'")


@pytest.mark.parametrize("harm", [lose, set_back, lose_half])
def test_all_releases_are_there_as_before(full: Lake, tmp_path: Path, harm: Callable[[Lake, Path], None]) -> None:
    before = seen(full)
    harm(full, tmp_path)
    with pytest.raises(CatalogError, match="nequi-lake catalog rebuild"):
        fresh(full).tables()
    done = rebuilt(fresh(full))
    assert {one.state for one in done} >= {State.BEHIND if harm is set_back else State.MISSING}
    assert {one.releases for one in done} == {3}
    assert seen(fresh(full)) == before


def test_a_catalog_that_names_metadata_which_is_gone_is_made_anew(full: Lake, tmp_path: Path) -> None:
    before = seen(full)
    (named,) = Path(full.settings.uri).glob("processed/cite_sum/papers/metadata/00000-*.metadata.json")
    set_back(full, tmp_path)
    named.unlink()
    with pytest.raises(CatalogError, match=r"older than the lake[\s\S]*nequi-lake catalog rebuild"):
        fresh(full).tables()
    assert {one.name: one.state for one in rebuilt(fresh(full))}["cite_sum.papers"] is State.BEHIND
    assert seen(fresh(full)) == before


def test_work_goes_on_after_it(full: Lake, inbox: Path, tmp_path: Path) -> None:
    first = full.history("cite_sum.papers").to_dicts()[-1]["release"]
    lose(full, tmp_path)
    rebuilt(fresh(full))
    lake = fresh(full)
    roll_back(lake.datasets["cite_sum"], first, lake.catalog, lake.storage)
    assert lake.table("cite_sum.papers").published.release.id == first
    write_citations(inbox, "train", [citation(11)])
    newest = released(lake, "cite_sum")
    maintain(lake.datasets["cite_sum"], lake.catalog, lake.storage, retention=RetentionPolicy(releases=1))
    lose(lake, tmp_path)
    rebuilt(fresh(lake))
    assert fresh(lake).table("cite_sum.papers").published.release.id == newest


def test_a_catalog_that_is_right_is_left_alone(full: Lake) -> None:
    before = Path(full.settings.uri, "catalog.db").read_bytes()
    assert {one.state for one in rebuilt(full)} == {State.RIGHT}
    assert Path(full.settings.uri, "catalog.db").read_bytes() == before


def test_a_dry_run_changes_nothing(full: Lake, tmp_path: Path) -> None:
    lose(full, tmp_path)
    assert {one.state for one in rebuilt(fresh(full), dry_run=True)} == {State.MISSING}
    with pytest.raises(CatalogError):
        fresh(full).tables()


def test_what_a_killed_commit_left_is_not_taken_for_a_release(
    full: Lake, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(full)
    write_citations(inbox, "train", [citation(77)])

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        # The metadata is written by now, and the catalog's pointer is not.
        patch.setattr("pyiceberg.catalog.sql.Session.commit", killed)
        with pytest.raises(KilledError):
            released(full, "cite_sum")
    lose(full, tmp_path)
    rebuilt(fresh(full))
    assert seen(fresh(full)) == before


def test_a_rebuild_that_was_killed_can_be_made_again(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(full)
    set_back(full, tmp_path)

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(SqlCatalog, "register_table", killed)
        with pytest.raises(KilledError):
            rebuilt(fresh(full))
    rebuilt(fresh(full))
    assert seen(fresh(full)) == before


def test_a_commit_that_was_killed_before_it_was_recorded_is_recorded_by_the_next_run(
    full: Lake, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_citations(inbox, "train", [citation(77)])

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("nequi_lake.lake.catalog.catalog.record_pointers", killed)
        with pytest.raises(KilledError):
            released(full, "cite_sum")
    released(full, "cite_sum")
    before = seen(full)
    lose(full, tmp_path)
    rebuilt(fresh(full))
    assert seen(fresh(full)) == before


def test_a_table_that_is_lost_while_it_is_open_says_what_to_do(full: Lake, tmp_path: Path) -> None:
    table = full.table("cite_sum.papers")
    lose_half(full, tmp_path)
    with pytest.raises(CatalogError, match="nequi-lake catalog rebuild"):
        table.scan()


def test_whoever_has_the_lake_open_sees_the_catalog_that_was_made_anew(full: Lake, inbox: Path, tmp_path: Path) -> None:
    assert seen(full)
    lose(full, tmp_path)
    rebuilt(fresh(full))
    write_citations(inbox, "train", [citation(77)])
    released(fresh(full), "cite_sum")
    assert seen(full) == seen(fresh(full))


@pytest.mark.parametrize("record", ["record_pointers", "record_sequence"])
def test_a_catalog_that_is_lost_right_after_a_killed_commit_is_made_anew(
    full: Lake, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    before = seen(full)
    write_citations(inbox, "train", [citation(77)])

    def commit_and_be_killed(*arguments: Any, **options: Any) -> None:
        def killed(*_: object) -> None:
            raise KilledError

        monkeypatch.setattr(f"nequi_lake.lake.catalog.catalog.{record}", killed)
        publish(*arguments, **options)

    publish = LakeCatalog.publish
    monkeypatch.setattr(LakeCatalog, "publish", commit_and_be_killed)
    with pytest.raises(KilledError):
        released(full, "cite_sum")
    monkeypatch.undo()
    lose(full, tmp_path)
    rebuilt(fresh(full))
    assert [rows for rows, _ in seen(fresh(full)).values()] == [rows for rows, _ in before.values()]
    released(fresh(full), "cite_sum")
    assert 77 in fresh(full).table("cite_sum.papers").to_polars()["paper_id"].cast(int)


def test_a_lake_of_before_the_record_is_made_anew_too(full: Lake, tmp_path: Path) -> None:
    before = seen(full)
    Path(full.settings.uri, "releases/cite_sum/pointers.json").unlink()
    lose(full, tmp_path)
    rebuilt(fresh(full))
    assert seen(fresh(full)) == before


def test_a_copied_lake_is_not_made_to_read_the_original(full: Lake, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(full.settings.uri, copy)
    (copy / "catalog.db").unlink()
    settings = replace(full.settings, uri=str(copy), catalog_uri=f"sqlite:///{copy}/catalog.db")
    with pytest.raises(CatalogError, match="in another lake"):
        rebuilt(Lake(settings, full.datasets))


def test_a_lake_is_restored_from_a_backup_of_its_folder(full: Lake, tmp_path: Path) -> None:
    before = seen(full)
    folder, backup = Path(full.settings.uri), tmp_path / "backup"
    shutil.copytree(folder, backup, ignore=shutil.ignore_patterns("catalog.db*"))
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    rebuilt(fresh(full))
    assert seen(fresh(full)) == before


def test_the_command_says_what_it_did(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(full, tmp_path)
    monkeypatch.setenv("NEQUI_LAKE_URI", full.settings.uri)
    monkeypatch.setattr(sys, "argv", ["nequi-lake", "catalog", "rebuild"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    out, said = capsys.readouterr()
    assert "cite_sum.papers" in out
    assert "3 tables were registered; 0 were right" in said
    assert set(only("cite_sum")) <= set(full.datasets)
