"""One lake filled from several sources: each dataset has its own, or that of all others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.errors import UsageError
from nequi_lake.lake.declared import declarations, discover
from nequi_lake.lake.settings import Settings
from nequi_lake.sources import Sources
from nequi_lake_tests.conftest import Shell, motor_rows, write_motor
from nequi_lake_tests.datasets.outside import Outside, notes


def described(settings: Settings) -> dict[str, str]:
    """Dataset → its source."""
    return {name: Sources(settings).of(dataset).describe() for name, dataset in discover(settings).items()}


def test_kaggle_a_bucket_and_a_folder_are_side_by_side(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "NEQUI_LAKE_SOURCE": str(tmp_path),
            "NEQUI_LAKE_SOURCE_CREDIT_RISK": "s3://inbox/daily",
            "NEQUI_LAKE_SOURCE_CITE_SUM": "kaggle",
        }
    )
    assert described(settings) == {
        "cite_sum": "Kaggle",
        "credit_risk": "bucket s3://inbox/daily",
        "electric_motor": f"folder {tmp_path}",
    }


def test_a_declaration_names_its_source_and_a_setting_another(outside: Outside, tmp_path: Path) -> None:
    outside.write(notes=notes(marts=f'\n    source="{tmp_path}/cards",'))
    assert described(outside.settings())["notes"] == f"folder {tmp_path}/cards"
    assert described(outside.settings())["cite_sum"] == f"folder {tmp_path}/inbox"
    set_here = outside.settings(NEQUI_LAKE_SOURCE_NOTES="sample")
    assert described(set_here)["notes"].startswith("sample")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("kagle", "source= of notes is 'kagle', which is no source. Did you mean kaggle?"),
        ("kaggle", "slug= does not say what it is called there"),
        ("gs://bucket", "source= of notes is 'gs://bucket', which is not supported"),
    ],
)
def test_a_declaration_that_names_no_source_is_refused_alone(outside: Outside, source: str, said: str) -> None:
    outside.write(notes=notes(marts=f'\n    source="{source}",'))
    found = declarations(outside.settings())
    assert said in str(found.broken["notes"])
    assert "cite_sum" in found.datasets


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NEQUI_LAKE_SOURCE_CREDIT_RISKS", "NEQUI_LAKE_SOURCE_CREDIT_RISK"),
        ("NEQUI_LAKE_SOURCE_LINK", "NEQUI_LAKE_SOURCE_LINKS"),
    ],
)
def test_the_source_of_a_misspelt_dataset_is_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "sample")
    code, _, said = shell("doctor")
    assert code == 2
    assert f"{name} is the source of no dataset. Did you mean {meant}?" in said
    assert "cite_sum, credit_risk, electric_motor" in said


def test_a_source_that_is_none_is_refused_by_the_name_of_its_setting() -> None:
    with pytest.raises(UsageError, match=r"NEQUI_LAKE_SOURCE_CITE_SUM is 'kagle', which is no source\."):
        Settings.from_env({"NEQUI_LAKE_SOURCE_CITE_SUM": "kagle"})


def test_a_run_fills_each_dataset_from_its_source(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside.write(notes=notes())
    outside.deliver("notes", "1,Pay")
    write_motor(tmp_path / "motors", motor_rows(17, 6))
    outside.export(monkeypatch, NEQUI_LAKE_SOURCE_ELECTRIC_MOTOR=str(tmp_path / "motors"))
    code, _, said = shell("run", "notes", "electric_motor")
    assert code == 0, said
    assert f"filled from folder {tmp_path}/inbox (notes); folder {tmp_path}/motors (electric_motor)" in said
    rows = json.loads(shell("tables", "--format", "json")[1])
    assert {row["table"]: row["source"] for row in rows if "mart" not in row["table"]}.items() >= {
        ("notes.notes", f"{tmp_path}/inbox/notes/notes.csv"),
        ("electric_motor.measurements", f"{tmp_path}/motors/electric_motor/measures_v2.csv"),
    }


def test_a_source_that_is_away_costs_its_own_datasets(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside.write(notes=notes(), memos=notes("memos"))
    outside.deliver("notes", "1,Pay")
    outside.export(monkeypatch, NEQUI_LAKE_BUILT_IN="off", NEQUI_LAKE_SOURCE_MEMOS=str(tmp_path / "gone"))
    code, out, said = shell("run")
    assert (code, "notes.notes" in out) == (1, True)
    assert f"does not exist.\n  where: {tmp_path}/gone" in said
    assert "FAILED" in said
    code, out, said = shell("run", "memos", "notes")
    assert (code, out, "does not exist" in said) == (2, "", True)
    asked = [row for row in json.loads(shell("doctor", "--format", "json")[1]) if row["check"].startswith("source_")]
    assert [(row["check"], row["where"], row["passed"]) for row in asked] == [
        ("source_access", f"{tmp_path}/gone", False),
        ("source_datasets", f"{tmp_path}/gone", False),
        ("source_access", f"{tmp_path}/inbox", True),
        ("source_datasets", f"{tmp_path}/inbox", True),
    ]


def test_a_dataset_that_its_source_cannot_have_says_what_is_missing(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.write(notes=notes())
    outside.export(monkeypatch, NEQUI_LAKE_BUILT_IN="off", NEQUI_LAKE_SOURCE="kaggle", KAGGLE_API_TOKEN="of a test")
    monkeypatch.setattr("nequi_lake.sources.kaggle.KaggleSource.account", lambda _: "a friend")
    code, _, said = shell("run", "notes")
    assert code == 2
    assert "The source does not have notes." in said
    assert "slug=" in said


@pytest.mark.long
def test_a_sample_stands_back_for_data_dataset_by_dataset(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside.export(monkeypatch, NEQUI_LAKE_SAMPLE_SCALE="0.001", NEQUI_LAKE_SOURCE="sample")
    write_motor(tmp_path / "motors", motor_rows(17, 6))
    with monkeypatch.context() as patch:
        patch.setenv("NEQUI_LAKE_SOURCE_ELECTRIC_MOTOR", str(tmp_path / "motors"))
        code, _, said = shell("run", "electric_motor", "cite_sum")
        assert code == 0, said
    code, _, said = shell("run", "electric_motor", "cite_sum")
    assert code == 1
    assert re.search(r"electric_motor has data from .*/motors/.*; a sample does not take its place", said)
    lake = Lake.from_env()
    assert not lake.table("electric_motor.measurements").published.release.is_sample
    assert lake.table("cite_sum.papers").published.release.is_sample


def test_the_ui_has_what_is_not_to_be_a_sample(outside: Outside, tmp_path: Path) -> None:
    outside.write(notes=notes())
    groups = {
        source: {node.group_name for node in build(outside.settings(**env)).resolve_asset_graph().asset_nodes}
        for source, env in {
            "sample": {"NEQUI_LAKE_SOURCE": "sample"},
            "own": {"NEQUI_LAKE_SOURCE": "sample", "NEQUI_LAKE_SOURCE_NOTES": str(tmp_path)},
        }.items()
    }
    assert groups["own"] - groups["sample"] == {"notes"}
