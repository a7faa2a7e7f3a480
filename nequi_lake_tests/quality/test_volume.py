"""A release that lost rows, partitions or values is not published without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.cli import main
from nequi_lake.datasets.spec import Dataset, Volume
from nequi_lake.errors import AuditError
from nequi_lake.lake.check import Check, read_record
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.report import profile_relation, write_index, write_report
from nequi_lake_tests.conftest import Materialize, citation, motor_rows, only, released, write_citations, write_motor

TABLE = "electric_motor.measurements"


def motor(folder: Path, *sizes: int) -> None:
    """A motor file of sessions of these sizes, with the numbers 1, 2, …"""
    write_motor(folder, [row for number, size in enumerate(sizes, 1) for row in motor_rows(number, size)])


def found(lake: Lake, name: str = TABLE) -> Check:
    """What the check recorded of the release that readers see."""
    published = lake.table(name).published
    record = read_record(lake.storage, published.dataset, published.release.run_id, published.table)
    return next(check for check in record if check.name == "volume")


def blocking(dataset: Dataset) -> Mapping[str, Dataset]:
    """The dataset with tables that refuse a change of volume."""
    tables = tuple(replace(table, volume=Volume(blocks=True)) for table in dataset.tables)
    return {dataset.name: replace(dataset, tables=tables)}


def test_a_first_release_has_nothing_to_compare_with(lake: Lake) -> None:
    released(lake, "electric_motor")
    assert found(lake).passed
    assert found(lake).found == "there is no release before to compare with"


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((100, 23, 50), "173 rows where the release before has 300: 42.3% are gone"),
        ((200, 100), "partitions are gone: profile_id=3"),
        ((1000, 500, 500), "2,000 rows where the release before has 300: 6.7 times"),
    ],
    ids=["rows", "partitions", "growth"],
)
def test_what_is_unlike_the_release_before_is_a_warning(
    lake: Lake, inbox: Path, sizes: tuple[int, ...], said: str
) -> None:
    motor(inbox, 100, 100, 100)
    released(lake, "electric_motor")
    motor(inbox, *sizes)
    released(lake, "electric_motor")
    assert lake.table(TABLE).published.rows == sum(sizes)
    assert (found(lake).passed, found(lake).warns, found(lake).found) == (False, True, said)


def test_a_release_like_the_one_before_passes(lake: Lake, inbox: Path) -> None:
    motor(inbox, 100, 100, 100)
    released(lake, "electric_motor")
    motor(inbox, 100, 100, 81)
    released(lake, "electric_motor")
    assert found(lake).passed
    assert found(lake).found == "281 rows, 300 in the release before"


@pytest.mark.parametrize("lost", [0.29, 0.57, 0.58])
def test_a_loss_that_is_exactly_what_may_be_lost_passes(lake: Lake, inbox: Path, lost: float) -> None:
    motor_dataset = only("electric_motor")["electric_motor"]
    tables = tuple(replace(table, volume=Volume(lost=lost)) for table in motor_dataset.tables)
    lake = Lake(lake.settings, {"electric_motor": replace(motor_dataset, tables=tables)})
    motor(inbox, 100)
    released(lake, "electric_motor")
    motor(inbox, 100 - round(100 * lost))
    released(lake, "electric_motor")
    assert found(lake).passed


def test_values_that_are_missing_where_they_were_not_are_a_warning(lake: Lake, inbox: Path) -> None:
    write_citations(inbox, "train", [citation(number) for number in range(100, 400)])
    released(lake, "cite_sum")
    papers = [citation(number, journal="Nature" if number % 5 else None) for number in range(100, 400)]
    write_citations(inbox, "train", papers)
    lake = replace_volume(lake, Volume(emptier=0.03))
    released(lake, "cite_sum")
    assert "of all values are missing where 0.1% were" in found(lake, "cite_sum.papers").found


def replace_volume(lake: Lake, volume: Volume) -> Lake:
    """The lake with other limits for cite_sum."""
    dataset = lake.datasets["cite_sum"]
    tables = tuple(replace(table, volume=volume) for table in dataset.tables)
    return Lake(lake.settings, {"cite_sum": replace(dataset, tables=tables)})


def test_where_it_is_declared_it_refuses_until_a_person_accepts(settings: Settings, inbox: Path) -> None:
    datasets = blocking(only("electric_motor")["electric_motor"])
    lake = Lake(settings, datasets)
    motor(inbox, 100, 100)
    first = released(lake, "electric_motor")
    motor(inbox, 100, 3)
    with pytest.raises(AuditError, match="fails volume") as refused:
        released(lake, "electric_motor")
    assert "nequi-lake run --accept-volume electric_motor" in str(refused.value)
    assert lake.table(TABLE).published.release.id == first
    accepting = Lake(replace(settings, volume_accepted=True), datasets)
    released(accepting, "electric_motor")
    assert lake.table(TABLE).published.rows == 103
    assert found(lake).found.endswith("(accepted)")


def test_the_ui_the_report_and_the_index_say_it(lake: Lake, inbox: Path, materialize: Materialize) -> None:
    motor(inbox, 100, 100)
    assert materialize("electric_motor").success
    motor(inbox, 100, 3)
    result = materialize("electric_motor")
    assert result.success
    (check,) = [
        e.asset_check_evaluation_data
        for e in result.all_events
        if e.event_type_value == "ASSET_CHECK_EVALUATION"
        and e.asset_check_evaluation_data.check_name == "volume"
        and e.asset_check_evaluation_data.asset_key.path[-1] == "measurements"
    ]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    table = lake.table(TABLE)
    written = write_report(lake, TABLE, profile_relation(table), snapshot_id=table.published.snapshot_id)
    assert [alert.kind for alert in written.report.alerts if alert.serious] == ["Volume"]
    (state,) = [state for state in write_index(lake).tables if state.name == TABLE]
    assert state.alerts[1] == 1
    assert state.contract_kept


def test_the_last_lines_of_a_run_say_it(
    settings: Settings, inbox: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", settings.uri)
    monkeypatch.setenv("NEQUI_LAKE_SOURCE", settings.source)
    monkeypatch.setattr("sys.argv", ["nequi-lake", "run", "electric_motor"])
    for sizes in ((100, 100), (100, 3)):
        motor(inbox, *sizes)
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
    said = "".join(capsys.readouterr())
    assert "electric_motor.measurements: volume warns: 103 rows where the release before has 200" in said
