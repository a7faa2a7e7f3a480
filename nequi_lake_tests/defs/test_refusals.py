"""Bad files are refused by file, column, check and limit, and the tables published before read exactly as before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import (
    MOTOR_HEADER,
    Materialize,
    citation,
    failed_checks,
    failures,
    motor_rows,
    only,
    write_citations,
    write_motor,
)

Damage = Callable[[Path], object]
RAW_MOTOR = "raw/electric_motor/measures_v2.csv"
RENAMED = MOTOR_HEADER.replace("coolant", "cooling")

DAMAGED_FILES: dict[str, tuple[Damage, str]] = {
    "missing column": (
        lambda inbox: write_motor(
            inbox, [row.split(",", 1)[1] for row in motor_rows(17, 3)], MOTOR_HEADER.split(",", 1)[1]
        ),
        "missing columns u_q",
    ),
    "renamed column": (
        lambda inbox: write_motor(inbox, motor_rows(17, 3), RENAMED),
        "missing columns coolant; unexpected columns cooling",
    ),
    "extra column": (
        lambda inbox: write_motor(inbox, [f"{row},1" for row in motor_rows(17, 3)], f"{MOTOR_HEADER},note"),
        "unexpected columns note",
    ),
    "empty file": (lambda inbox: write_motor(inbox, [], "").write_bytes(b""), "the file is empty"),
    "header alone": (lambda inbox: write_motor(inbox, []), "the file has no records"),
    "Git LFS pointer": (
        lambda inbox: write_motor(inbox, ["oid sha256:00", "size 1"], "version https://git-lfs.github.com/spec/v1"),
        "Git LFS pointer",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGED_FILES.values(), ids=DAMAGED_FILES)
def test_a_damaged_file_changes_nothing(
    damage: Damage, reason: str, inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    assert materialize("electric_motor").success
    before = {table.published.name: table.to_arrow() for table in lake.tables()}
    damage(inbox)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize("electric_motor", instance=instance)
        assert not result.success
        checks = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(RAW_MOTOR.split("/")), "file_structure"), limit=1
        )
    assert checks[0].status.value == "FAILED"
    assert failed_checks(result) == {RAW_MOTOR: ["file_structure"]}
    assert "electric_motor/measures_v2.csv fails file_structure: " in failures(result)
    assert reason in failures(result)
    assert {table.published.name: table.to_arrow() for table in lake.tables()} == before
    # Nothing of the damaged version is staged when the tables alone are made again.
    assert materialize(keys=["processed/electric_motor/measurements"]).success
    assert {table.published.name: table.to_arrow() for table in lake.tables()} == before


def test_too_many_missing_values_are_refused_with_column_and_limit(
    inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    assert materialize("cite_sum").success
    before = {table.published.name: table.published for table in lake.tables()}
    write_citations(inbox, "train", [citation(paper, title=None) for paper in range(10, 20)])
    result = materialize("cite_sum")
    assert not result.success
    assert failed_checks(result) == {"processed/cite_sum/papers": ["null_limits", "volume"]}
    told = failures(result)
    assert "cite_sum.papers fails null_limits: title is missing in" in told
    assert "; at most " in told
    assert "column title of train.json, validation.json, test.json" in told
    # All of the dataset's tables are as they were, the sound ones too.
    assert {table.published.name: table.published for table in lake.tables()} == before


def test_too_many_bad_records_are_refused_and_can_be_looked_at(
    inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    write_motor(inbox, motor_rows(17, 50) + motor_rows(17, 2, pm="hot"))
    result = materialize("electric_motor")
    assert not result.success
    assert "2 of 52 records of measures_v2.csv (3.85%) are bad; at most 1 may be (1%)" in failures(result)
    said = 'measurements.pm: cannot be read as Float64: 2, such as line 52 of measures_v2.csv ("hot")'
    assert failures(result).count(said) == 1
    assert lake.tables() == []
    assert lake.storage.list(lake.storage.path("processed", "electric_motor", "measurements", "data")) == []


def test_a_few_bad_records_are_quarantined_and_the_rest_is_published(
    inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    rows = motor_rows(17, 200)
    rows[3] = motor_rows(17, 1, pm="hot", torque="99999")[0]
    write_motor(inbox, rows)
    assert materialize("electric_motor").success
    measurements = lake.table("electric_motor.measurements")
    assert measurements.published.rows == 199
    assert measurements.published.accounting.quarantined == 1
    # The quarantined record leaves a gap, and the records after it keep their place.
    assert measurements.scan().collect()["sample"].sort().to_list() == [n for n in range(200) if n != 3]
    assert lake.table("electric_motor.sessions").to_pandas()["samples"].item() == 199


def test_one_dataset_refused_does_not_hold_up_the_other(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    write_motor(inbox, [])
    assert not materialize().success
    assert {table.published.dataset for table in lake.tables()} == {"cite_sum"}


def test_what_a_killed_run_had_staged_is_cleared_away_by_the_next(materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    left = Path(lake.storage.path("processed", "cite_sum", "papers", "data", "20200101T000000-killed", "half.parquet"))
    left.parent.mkdir()
    left.write_bytes(b"PAR1")
    half = Path(lake.storage.path("quarantine", "cite_sum", "99990101T000000-killed", "train.json.parquet"))
    half.parent.mkdir()
    half.write_bytes(b"PAR1")
    assert newest_quarantine(lake.storage, *lake.declared("cite_sum.papers")).collect().height == 0
    before = lake.table("cite_sum.papers").to_arrow()
    assert materialize("cite_sum").success
    assert not left.parent.exists()
    assert lake.table("cite_sum.papers").to_arrow() == before


def test_a_parquet_file_that_somebody_removed_is_made_again(materialize: Materialize, lake: Lake) -> None:
    assert materialize("cite_sum").success
    before = lake.table("cite_sum.papers").to_arrow()
    Path(lake.table("cite_sum.papers").files()[0]).unlink()
    assert materialize("cite_sum").success
    assert lake.table("cite_sum.papers").to_arrow() == before


def test_an_error_that_quotes_an_interrupt_is_a_failure_and_no_stop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> None:
        raise OSError("in a library: except KeyboardInterrupt: raise")

    monkeypatch.setattr("nequi_lake.pipeline.tables.release_id", break_off)
    outcome = run(build(settings, only("cite_sum")), (), None)
    assert not outcome.success
    assert "in a library" in "".join(outcome.traces)
