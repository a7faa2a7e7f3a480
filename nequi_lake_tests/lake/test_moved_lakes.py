"""A lake that was copied or moved is whole in its new place, and nothing done there touches the original."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nequi_lake import Lake
from nequi_lake.cli.doctor import examine
from nequi_lake.errors import CatalogError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.rebuild import Rebuilt, State, rebuild
from nequi_lake.lake.catalog.relocate import relocate
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access
from nequi_lake.sources import Sources
from nequi_lake_tests.conftest import citation, only, released, write_citations

pytestmark = pytest.mark.long

NAMES = ("papers", "citations", "paper_fields")
LATER = datetime.now(UTC) + timedelta(days=30)


class KilledError(BaseException):
    """The process is killed here."""


@pytest.fixture
def full(lake: Lake, inbox: Path) -> Lake:
    """A lake with three releases of cite_sum."""
    return filled(lake, inbox)


def filled(lake: Lake, inbox: Path) -> Lake:
    """The lake, once it has three releases of cite_sum."""
    released(lake, "cite_sum")
    for number in (9, 10):
        write_citations(inbox, "train", [citation(number)])
        released(lake, "cite_sum")
    return lake


def seen(lake: Lake) -> dict[str, Any]:
    """What readers see of the dataset in every release."""
    found: dict[str, Any] = {}
    for name in NAMES:
        history = [row["release"] for row in lake.history(f"cite_sum.{name}").to_dicts()]
        found[name] = history
        for release in history:
            then = Lake(lake.settings, lake.datasets, as_of=release).table(f"cite_sum.{name}")
            found[f"{name} {release}"] = (then.to_polars().sort("paper_id").rows(), then.scan().collect().height)
    found["sql"] = lake.sql("SELECT count(*) AS rows FROM cite_sum.papers JOIN cite_sum.citations USING (paper_id)")
    found["sql"] = found["sql"].to_pylist()
    return found


def contents(folder: str) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def there(lake: Lake, place: Path) -> Lake:
    """The lake of another folder, with the catalog that lies in it."""
    settings = replace(lake.settings, uri=str(place), catalog_uri=f"sqlite:///{place}/catalog.db")
    return Lake(settings, lake.datasets)


def copy(lake: Lake, place: Path) -> Lake:
    """A copy of the lake."""
    shutil.copytree(lake.settings.uri, place)
    return there(lake, place)


def move(lake: Lake, place: Path) -> Lake:
    """The lake, moved."""
    Path(lake.settings.uri).rename(place)
    return there(lake, place)


def copy_without_catalog(lake: Lake, place: Path) -> Lake:
    """A copy of the lake's files, as a backup is."""
    shutil.copytree(lake.settings.uri, place, ignore=shutil.ignore_patterns("catalog.db*"))
    return there(lake, place)


def made_whole(lake: Lake, **options: bool) -> list[Rebuilt]:
    """Make the dataset's metadata anew in the lake's place."""
    return rebuild(lake.datasets["cite_sum"], lake.catalog, lake.storage, moved=True, **options)


@pytest.mark.parametrize("bring", [copy, move, copy_without_catalog])
def test_every_release_is_there_and_the_original_is_not_needed(
    full: Lake, tmp_path: Path, bring: Callable[[Lake, Path], Lake]
) -> None:
    before = seen(full)
    lake = bring(full, tmp_path / "new place")
    with pytest.raises(CatalogError, match="nequi-lake catalog rebuild"):
        lake.tables()
    done = made_whole(there(lake, tmp_path / "new place"))
    assert [(one.state, one.releases) for one in done] == [(State.ELSEWHERE, 3)] * 3
    # Whoever asked the original for a file would not get it.
    shutil.rmtree(full.settings.uri, ignore_errors=True)
    again = there(lake, tmp_path / "new place")
    assert seen(again) == before
    assert all(check.passed for check in examine(again, Sources(again.settings)))
    assert {one.state for one in made_whole(again)} == {State.RIGHT}


def test_nothing_that_is_done_with_a_copy_touches_the_original(full: Lake, inbox: Path, tmp_path: Path) -> None:
    before, files = seen(full), contents(full.settings.uri)
    first = before["papers"][-1]
    lake = copy(full, tmp_path / "copy")
    made_whole(lake)
    roll_back(lake.datasets["cite_sum"], first, lake.catalog, lake.storage)
    assert lake.table("cite_sum.papers").published.release.id == first
    write_citations(inbox, "train", [citation(11)])
    newest = released(lake, "cite_sum")
    removed = maintain(
        lake.datasets["cite_sum"], lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=LATER
    )
    assert removed.snapshots
    assert lake.table("cite_sum.papers").published.release.id == newest
    assert lake.table("cite_sum.papers").to_polars().height == 3
    assert contents(full.settings.uri) == files
    assert seen(full) == before
    # What of the copy's metadata named the original is gone by now, or names files that are not read.
    named = [path for path in contents(lake.settings.uri) if path.endswith(".metadata.json")]
    assert [path for path in named if f'"{full.settings.uri}/' in Path(path).read_text()] == []


def test_without_its_option_a_copy_stays_as_it_is(full: Lake, tmp_path: Path) -> None:
    lake = copy(full, tmp_path / "copy")
    before = contents(lake.settings.uri)
    with pytest.raises(CatalogError, match="catalog rebuild --moved"):
        rebuild(lake.datasets["cite_sum"], lake.catalog, lake.storage)
    assert {one.state for one in made_whole(lake, dry_run=True)} == {State.ELSEWHERE}
    assert contents(lake.settings.uri) == before


def test_the_catalog_of_the_original_is_never_the_copy_s(full: Lake, inbox: Path, tmp_path: Path) -> None:
    lake = copy(full, tmp_path / "copy")
    theirs = Lake(replace(lake.settings, catalog_uri=full.settings.catalog_uri), full.datasets)
    before, files = seen(full), contents(full.settings.uri)
    with pytest.raises(CatalogError, match="still there, and this may be its catalog") as refusal:
        made_whole(theirs)
    assert "NEQUI_LAKE_CATALOG_URI" in str(refusal.value)
    assert (seen(full), contents(full.settings.uri)) == (before, files)


def test_a_catalog_outside_of_a_lake_that_was_moved_follows_it(full: Lake, tmp_path: Path) -> None:
    before = seen(full)
    outside = f"sqlite:///{tmp_path}/outside.db"
    shutil.copy(Path(full.settings.uri, "catalog.db"), tmp_path / "outside.db")
    moved = move(full, tmp_path / "moved")
    lake = Lake(replace(moved.settings, catalog_uri=outside), full.datasets)
    assert {one.state for one in made_whole(lake)} == {State.ELSEWHERE}
    assert seen(lake) == before


@pytest.mark.parametrize("step", ["relocate", "register", "record_pointers"])
def test_it_can_be_killed_and_made_again(
    full: Lake, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = seen(full)
    lake = move(full, tmp_path / "moved")
    whole: Any = relocate if step == "relocate" else getattr(LakeCatalog, step)
    calls = list[int]()

    def killed(*arguments: Any) -> Any:
        calls.append(1)
        # The first table is done, where the step is one of a table.
        if len(calls) == 2 or step == "record_pointers":
            raise KilledError
        return whole(*arguments)

    with monkeypatch.context() as patch:
        place = rebuild.__module__ if step == "relocate" else f"{LakeCatalog.__module__}.LakeCatalog"
        patch.setattr(f"{place}.{step}", killed)
        with pytest.raises(KilledError):
            made_whole(lake)
    made_whole(there(lake, tmp_path / "moved"))
    again = there(lake, tmp_path / "moved")
    assert seen(again) == before
    write_citations(inbox, "train", [citation(12)])
    assert released(again, "cite_sum")


@pytest.mark.bucket
@pytest.mark.long
def test_a_copy_of_a_prefix_of_a_bucket(bucket_lake: Mapping[str, str], inbox: Path, tmp_path: Path) -> None:
    sql = {"NEQUI_LAKE_CATALOG": "sql", "NEQUI_LAKE_CATALOG_URI": f"sqlite:///{tmp_path}/one.db"}
    settings = Settings.from_env({**bucket_lake, **sql, "NEQUI_LAKE_SOURCE": str(inbox)})
    full = filled(Lake(settings, only("cite_sum")), inbox)
    before = seen(full)
    bucket, prefix = settings.uri.removeprefix("s3://").split("/", 1)
    client = access().client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
    keys = [found["Key"] for page in pages for found in page["Contents"]]
    for key in keys:
        target = "elsewhere" + key.removeprefix(prefix)
        client.copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": key})
    new = replace(settings, uri=f"s3://{bucket}/elsewhere", catalog_uri=f"sqlite:///{tmp_path}/two.db")
    lake = Lake(new, full.datasets)
    made_whole(lake)
    for key in keys:
        client.delete_object(Bucket=bucket, Key=key)
    assert seen(Lake(new, full.datasets)) == before
