"""A lake that was copied, or whose catalog is damaged, is told so, and nothing of another lake is touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.cli.doctor import examine
from nequi_lake.errors import CatalogError
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.tables import publish_tables
from nequi_lake.sources import Sources
from nequi_lake_tests.conftest import Materialize, citation, write_citations


def every_file(lake: Lake) -> dict[str, int]:
    """Every file below a lake, and when it was written."""
    return {str(path): path.stat().st_mtime_ns for path in Path(lake.settings.uri).rglob("*") if path.is_file()}


def test_a_copy_of_a_lake_never_writes_into_the_original(
    materialize: Materialize, lake: Lake, inbox: Path, tmp_path: Path
) -> None:
    assert materialize("cite_sum").success
    before = every_file(lake)
    shutil.copytree(lake.settings.uri, tmp_path / "copy")
    copied = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "copy"), "NEQUI_LAKE_SOURCE": str(inbox)})
    write_citations(inbox, "train", [citation(9)])
    copy = Lake(copied, lake.datasets)
    published = lake.table("cite_sum.papers").published
    staged = replace(published, release=replace(published.release, id="new"))
    with pytest.raises(CatalogError, match="in another lake") as told:
        copy.catalog.publish(lake.datasets["cite_sum"], staged)
    assert "copied or moved" in str(told.value)
    assert every_file(lake) == before


def test_a_damaged_catalog_is_reported_in_a_sentence(materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    Path(lake.settings.uri, "catalog.db").write_bytes(b"not a database, whatever it was before" * 100)
    with pytest.raises(CatalogError, match="catalog's database cannot be read"):
        Lake(lake.settings, lake.datasets).tables()


@pytest.mark.parametrize(
    ("identity", "said"),
    [(None, "has no lake.json, so it is of a format before 2"), ('{"id": "x", "format": 3}', "it has format 3")],
)
def test_a_lake_of_another_format_has_to_be_made_anew(
    materialize: Materialize, lake: Lake, identity: str | None, said: str
) -> None:
    assert materialize("cite_sum").success
    path = Path(lake.settings.uri, "lake.json")
    path.unlink()
    if identity:
        path.write_text(identity)
    before = every_file(lake)
    other = Lake(lake.settings, lake.datasets)
    attempts: list[Callable[[], object]] = [
        other.tables,
        lambda: publish_tables(other, other.datasets["cite_sum"], "r"),
    ]
    for attempt in attempts:
        with pytest.raises(CatalogError) as refusal:
            attempt()
        assert said in str(refusal.value)
        assert "Make it again" in str(refusal.value)
    answers = {check.name: check for check in examine(other, Sources(lake.settings))}
    assert not answers["lake_format"].passed
    assert said in answers["lake_format"].found
    assert every_file(lake) == before
