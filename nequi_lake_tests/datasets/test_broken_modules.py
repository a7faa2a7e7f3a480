"""A module of a dataset that cannot be loaded costs its own dataset, and is named with all its mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake.defs.build import build
from nequi_lake.lake.declared import declarations, discover
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import Shell, declared

CONTRADICTS = '''
import dataframely as dy

from nequi_lake import CsvFile, Dataset, Table, column_meta


class Shops(dy.Schema):
    """One row per shop."""

    shop = dy.Int64(primary_key=True, description="Shop.", metadata=column_meta(unit="id", source="sho"))
    town = dy.String(description="Town.", metadata=column_meta(unit="text", source="town", references="towns"))


DATASET = Dataset(
    name="shops",
    slug="nobody/shops",
    title="Shops",
    licence="none",
    use_case="Tests.",
    files=(CsvFile(name="shops.csv", description="Shops.", columns=("shop", "town")),),
    tables=(Table(name="shops", description="Shops.", contract=Shops, group_by=("twon",)),),
)
'''
BROKEN = {"shops": CONTRADICTS, "typo": "import polars as pl\n\nX = pl.colum('a')\n", "half": "DATASET = Dataset(\n"}


def test_the_others_are_found(tmp_path: Path) -> None:
    known = set(discover())
    with declared(tmp_path / "more", **BROKEN):
        found = declarations()
    assert set(found.datasets) == known
    assert set(found.broken) == set(BROKEN)
    assert "typo.py, line 3" in str(found.broken["typo"])
    assert "has no attribute 'colum'" in str(found.broken["typo"])
    assert "half.py, line 1" in str(found.broken["half"])


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with declared(tmp_path / "more", shops=CONTRADICTS):
        said = str(declarations().broken["shops"])
    assert "shops.shops: group_by or explode names no column: twon" in said
    assert "shops.shops: column shop comes from sho, which shops.csv does not have" in said
    assert "column town references towns, which is not listed before it" in said


@pytest.mark.long
def test_the_command_line_names_it_and_does_the_rest(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", str(tmp_path / "lake"))

    with declared(tmp_path / "more", typo=BROKEN["typo"]):
        code, out, _ = shell("doctor", "--format", "json")
        assert code == 1
        failed = [row for row in json.loads(out) if not row["passed"]]
        assert [row["check"] for row in failed] == ["declarations"]
        code, out, err = shell("run", "cite_sum")
        assert code == 1
        assert "The module of the dataset typo cannot be loaded" in err
        assert "cite_sum.papers" in out
        code, _, err = shell("run", "typo")
        assert code == 1
        assert "has no attribute 'colum'" in err


def test_the_ui_names_it(tmp_path: Path) -> None:
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake")})
    with declared(tmp_path / "more", typo=BROKEN["typo"]):
        graph = build(settings).resolve_asset_graph()
    assert dg.AssetKey(["processed", "cite_sum", "papers"]) in graph.get_all_asset_keys()
    assert "has no attribute 'colum'" in str(graph.get(dg.AssetKey(["declarations", "typo"])).description)
