"""What nothing declares or needs is listed, and removed only where a person asks for it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.cli import main
from nequi_lake.lake.catalog.leftovers import leftovers, remove_leftover
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import motor_rows, only, released, write_motor

MONTH_S = 30 * 24 * 3600


def without_sessions(settings: Settings) -> Lake:
    """The lake whose motor dataset no longer declares the table of measurements."""
    motor = only("electric_motor")["electric_motor"]
    file = motor.files[0]
    dropped = {name: "Not needed." for name in file.field_paths if name != "profile_id"}
    smaller = replace(motor, files=(replace(file, dropped=dropped),), tables=motor.tables[:1])
    return Lake(settings, {"electric_motor": smaller})


def age(folder: Path) -> None:
    """Make all files below a folder a month old."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - MONTH_S,) * 2)


def two_versions(lake: Lake, inbox: Path) -> tuple[str, str]:
    """Publish two raw versions of the motor file; their names."""
    versions = []
    for count in (6, 7):
        write_motor(inbox, motor_rows(17, count))
        released(lake, "electric_motor")
        versions.append(lake.table("electric_motor.sessions").published.release.raw_version)
    first, second = versions
    return first, second


def test_a_table_that_is_declared_no_longer_is_listed_and_goes_when_asked(lake: Lake, settings: Settings) -> None:
    released(lake, "electric_motor")
    smaller = without_sessions(settings)
    (left,) = leftovers(smaller.datasets, (), smaller.catalog, smaller.storage)
    assert (left.dataset, left.name) == ("electric_motor", "measurements")
    assert left.size_bytes > 0
    remove_leftover(left, smaller.catalog, smaller.storage)
    assert leftovers(smaller.datasets, (), smaller.catalog, smaller.storage) == []
    assert smaller.table("electric_motor.sessions").published.rows == 2
    assert not Path(settings.uri, "processed/electric_motor/measurements").exists()


def test_a_dataset_whose_module_is_broken_is_not_undeclared(lake: Lake, settings: Settings) -> None:
    released(lake, "electric_motor")
    other = Lake(settings, only("cite_sum"))
    assert leftovers(other.datasets, ["electric_motor"], other.catalog, other.storage) == []
    assert len(leftovers(other.datasets, (), other.catalog, other.storage)) == 2


def test_a_removal_that_was_killed_is_listed_again(lake: Lake, settings: Settings) -> None:
    released(lake, "electric_motor")
    smaller = without_sessions(settings)
    smaller.catalog.forget("electric_motor", "measurements")
    (left,) = leftovers(smaller.datasets, (), smaller.catalog, smaller.storage)
    remove_leftover(left, smaller.catalog, smaller.storage)
    assert leftovers(smaller.datasets, (), smaller.catalog, smaller.storage) == []


def test_a_raw_version_stays_while_a_kept_release_or_its_youth_needs_it(lake: Lake, inbox: Path) -> None:
    two_versions(lake, inbox)
    assert leftovers(lake.datasets, (), lake.catalog, lake.storage) == []
    age(Path(lake.settings.uri, "raw"))
    assert leftovers(lake.datasets, (), lake.catalog, lake.storage) == []


def test_a_raw_version_that_no_kept_release_needs_goes_when_asked(
    lake: Lake, inbox: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = two_versions(lake, inbox)
    for table in ("sessions", "measurements"):
        iceberg = lake.catalog.iceberg("electric_motor", table)
        assert iceberg is not None
        current = iceberg.current_snapshot()
        assert current is not None
        old = [snapshot.snapshot_id for snapshot in iceberg.snapshots() if snapshot.snapshot_id != current.snapshot_id]
        lake.catalog.expire("electric_motor", table, old)
    age(Path(lake.settings.uri, "raw"))
    monkeypatch.setenv("NEQUI_LAKE_URI", lake.settings.uri)

    def maintain(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["nequi-lake", "maintain", "electric_motor", *options])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return "".join(capsys.readouterr())

    folder = Path(lake.settings.uri, "raw", "electric_motor")
    said = f"the raw version {first} of electric_motor is older, and no kept release needs it"
    assert said in maintain()
    assert "would be removed" in maintain("--remove-raw", "--dry-run")
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2
    assert said in maintain("--remove-raw")
    assert [path.name for path in folder.iterdir() if path.is_dir()] == [f"version={second}"]
    assert said not in maintain()
