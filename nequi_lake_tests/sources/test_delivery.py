"""What a delivery holds is read, or named: what could be meant as data is never left out without a word."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import dataframely as dy
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.defs.build import build
from nequi_lake.errors import SourceError
from nequi_lake.formats import CsvFile, OpaqueFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.settings import Settings
from nequi_lake.sources.folder import FolderSource
from nequi_lake_tests.conftest import (
    MOTOR_FILE,
    MOTOR_HEADER,
    citation,
    motor_rows,
    released,
    write_citations,
    write_motor,
)

SHOP = dy.Int64(primary_key=True, description="Shop.", metadata=column_meta(unit="id", source="shop"))


LIMITS = UnpackLimits(max_bytes=10**7, max_ratio=1000, max_members=100)


@pytest.fixture
def motor(datasets: Mapping[str, Dataset]) -> Dataset:
    """A dataset of one file."""
    return datasets["electric_motor"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The dataset's folder in a source."""
    path = tmp_path / "source" / "electric_motor"
    path.mkdir(parents=True)
    return path


def part(path: Path, profile: int = 4) -> None:
    """A part of the motor's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([MOTOR_HEADER, *motor_rows(profile, 3)]) + "\n")


def fetch(motor: Dataset, folder: Path, tmp_path: Path, **options: bool) -> list[str]:
    """The names of what the source delivers."""
    into = tmp_path / "into"
    into.mkdir()
    source = FolderSource(str(folder.parent), limits=LIMITS, **options)
    return [delivered.name for delivered in source.fetch(motor, into)]


@pytest.mark.parametrize(
    "beside",
    [
        "measures_v2/part-2.csv.zip",
        "measures_v2/part-2.CSV",
        "measures_v2/part_2.csv",
        "measures_v2/more/part-2.csv",
        "measures_v2/part-2.csv.crdownload",
        "measures_v2/part-2 (1).csv",
        "measures_v2/part 2.csv",
        "measures_v2_2.csv",
        "MEASURES_V2.csv",
        "measures_v2.csv.part",
        "measures_v2.csv.gz",
        "measures_v2 (1).csv",
        "measures_v2 - Copy.csv",
        "old/measures_v2.csv",
        "measures_v2/part-2_copy.csv",
        "measures_v2/part-2.csv.1",
        "measures_v2/january.csv",
        "measures_v2/part-2.parquet",
        "measures_v2-00001-of-00002.csv",
        "measures_v2.csv.txt",
        "Copy of measures_v2.csv",
        "part-2.csv",
        "electric-motor-temperature.zip.crdownload",
        "electric-motor-temperature.7z",
    ],
)
def test_what_could_be_meant_as_data_refuses_the_delivery(
    motor: Dataset, folder: Path, tmp_path: Path, beside: str
) -> None:
    part(folder / "measures_v2" / "part-1.csv")
    part(folder / beside)
    with pytest.raises(SourceError) as refused:
        fetch(motor, folder, tmp_path)
    assert beside in str(refused.value) or MOTOR_FILE in str(refused.value)


@pytest.mark.parametrize(
    "beside",
    [
        *("README.txt", "notes/about.md", "loan_header.txt", "other.csv", "measures_v3.csv"),
        *("measures_v2.csv.sha256", "measures_v2.csv.manifest.json", "photocopy.csv", "notes\udcff.txt"),
    ],
)
def test_anything_else_is_a_warning(
    motor: Dataset, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, beside: str
) -> None:
    part(folder / MOTOR_FILE)
    part(folder / beside)
    with caplog.at_level(logging.WARNING):
        assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]
    assert ascii(beside)[1:-1] in caplog.text


@pytest.mark.parametrize("hidden", [".DS_Store", "_SUCCESS", ".measures_v2.csv.swp"])
def test_what_systems_leave_is_passed_over(
    motor: Dataset, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, hidden: str
) -> None:
    part(folder / MOTOR_FILE)
    (folder / hidden).write_text("x")
    # Commands of other tests may have let the package say more.
    with caplog.at_level(logging.WARNING, logger="nequi_lake"):
        assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]
    assert caplog.text == ""


@pytest.mark.parametrize("numbers", [(1, 3), (2, 3), (0, 2)])
def test_a_hole_in_the_parts_is_refused(motor: Dataset, folder: Path, tmp_path: Path, numbers: tuple[int, int]) -> None:
    for number in numbers:
        part(folder / "measures_v2" / f"part-{number}.csv", profile=number + 1)
    with pytest.raises(SourceError, match="comes in parts, and part"):
        fetch(motor, folder, tmp_path)


def test_two_parts_of_one_number_are_refused(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    for profile, name in enumerate(("part-1", "part-01"), 1):
        part(folder / "measures_v2" / f"{name}.csv", profile)
    with pytest.raises(SourceError, match="are both part 1 of measures_v2"):
        fetch(motor, folder, tmp_path)


def test_parts_that_say_how_many_they_are_are_all_there(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        part(folder / "measures_v2" / f"part-{number:05}-of-00003.csv", number)
    with pytest.raises(SourceError, match="part 3 of them is not there"):
        fetch(motor, folder, tmp_path)


@pytest.mark.parametrize("dates", [("2023-01", "2023-12", "2024-02"), ("20230131", "20230201"), ("2019", "2021")])
def test_parts_that_are_called_by_dates_have_no_holes(
    motor: Dataset, folder: Path, tmp_path: Path, dates: tuple[str, ...]
) -> None:
    for profile, date in enumerate(dates, 1):
        part(folder / "measures_v2" / f"part-{date}.csv", profile)
    assert len(fetch(motor, folder, tmp_path)) == len(dates)


def test_parts_that_spark_left_out_as_empty_are_no_hole(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    for number in (0, 3):
        name = f"part-{number:05}-3f2e0c1a-1111-4222-8333-444455556666-c000.csv"
        part(folder / "measures_v2" / name, number + 1)
    with pytest.raises(SourceError, match="part 1 of them is not there"):
        fetch(motor, folder, tmp_path)
    (tmp_path / "into").rmdir()
    (folder / "measures_v2" / "_SUCCESS").touch()
    assert len(fetch(motor, folder, tmp_path)) == 2


ZIPS = ("electric-motor-temperature.zip", "electric-motor-temperature (1).zip", "archive.zip", "measures_v2.ZIP")


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_of_any_name_is_looked_into(motor: Dataset, folder: Path, tmp_path: Path, name: str) -> None:
    with ZipFile(folder / name, "w") as opened:
        opened.writestr(MOTOR_FILE, "newer")
    assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]


@pytest.mark.parametrize("name", ZIPS)
def test_an_old_loose_file_beside_a_zip_of_it_is_refused(
    motor: Dataset, folder: Path, tmp_path: Path, name: str
) -> None:
    part(folder / MOTOR_FILE)
    with ZipFile(folder / name, "w") as opened:
        opened.writestr(MOTOR_FILE, "newer")
    with pytest.raises(SourceError) as refused:
        fetch(motor, folder, tmp_path)
    assert f"is there twice, loose and in {name}" in refused.value.what


def test_a_zip_that_cannot_be_opened_beside_a_loose_file_is_refused(
    motor: Dataset, folder: Path, tmp_path: Path
) -> None:
    part(folder / MOTOR_FILE)
    (folder / "electric-motor-temperature.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(SourceError, match="The zip is damaged"):
        fetch(motor, folder, tmp_path)


def test_what_lies_beside_in_a_zip_is_looked_at_too(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    with ZipFile(folder / "electric-motor-temperature.zip", "w") as opened:
        opened.writestr(MOTOR_FILE, MOTOR_HEADER + "\n")
        opened.writestr("Measures_V2 (1).csv", "more")
    with pytest.raises(SourceError, match="could be meant as data"):
        fetch(motor, folder, tmp_path)


def test_the_same_bytes_twice_are_refused(lake: Lake, inbox: Path) -> None:
    (inbox / "electric_motor" / MOTOR_FILE).unlink()
    for number in (1, 2):
        part(inbox / "electric_motor" / "measures_v2" / f"part-{number}.csv")
    with pytest.raises(SourceError, match="have the same bytes"):
        released(lake, "electric_motor")


def test_two_files_of_the_same_bytes_are_a_warning(lake: Lake, inbox: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_citations(inbox, "test", [citation(3)])
    write_citations(inbox, "validation", [citation(3)])
    with caplog.at_level(logging.WARNING):
        released(lake, "cite_sum")
    assert "validation.json and test.json have the same bytes" in caplog.text


def test_a_part_whose_name_is_not_utf_8_is_named(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    (folder / "measures_v2").mkdir()
    name = os.fsdecode(os.fsencode(folder / "measures_v2") + b"/part-1\xff.csv")
    part(Path(name))
    with pytest.raises(SourceError, match="is not UTF-8"):
        fetch(motor, folder, tmp_path)


def test_a_zip_with_a_name_of_a_very_long_number_is_read(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    with ZipFile(folder / "electric-motor-temperature.zip", "w") as opened:
        opened.writestr("9" * 5000, "x")
        opened.writestr(MOTOR_FILE, MOTOR_HEADER + "\n")
    assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]


def test_a_zip_whose_name_is_not_what_its_flag_says_is_refused(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    path = folder / "electric-motor-temperature.zip"
    with ZipFile(path, "w") as opened:
        opened.writestr("ñ.csv", "x")
        opened.writestr(MOTOR_FILE, MOTOR_HEADER + "\n")
    path.write_bytes(path.read_bytes().replace("ñ".encode(), b"\xff\xfe"))
    with pytest.raises(SourceError, match="The zip is damaged") as refused:
        fetch(motor, folder, tmp_path)
    assert str(path) in str(refused.value)


def test_what_the_declared_datasets_come_with_is_no_obstacle(lake: Lake, inbox: Path) -> None:
    (inbox / "cite_sum" / "README.md").write_text("About.")
    (inbox / "cite_sum" / "statistics.json").write_text(json.dumps({}))
    released(lake, "cite_sum")
    write_motor(inbox, motor_rows(4, 3))
    released(lake, "electric_motor")


def test_a_file_that_is_optional_may_be_missing(tmp_path: Path) -> None:
    contract = type("Shops", (dy.Schema,), {"shop": SHOP})
    dataset = Dataset(
        name="shops",
        slug="nobody/shops",
        title="Shops",
        licence="none",
        use_case="Tests.",
        files=(
            CsvFile(name="shops.csv", description="Shops.", columns=("shop",)),
            OpaqueFile(name="about.pdf", description="About.", optional=True),
        ),
        tables=(Table(name="shops", description="Shops.", contract=contract),),
    )
    inbox = tmp_path / "in" / "shops"
    inbox.mkdir(parents=True)
    (inbox / "shops.csv").write_text("shop\n1\n")
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(inbox.parent)})
    lake = Lake(settings, {"shops": dataset})
    released(lake, "shops")
    first = lake.table("shops.shops").published
    assert build(settings, {"shops": dataset}).resolve_job_def("lake").execute_in_process().success
    (inbox / "about.pdf").write_text("Words.")
    released(lake, "shops")
    assert "about.pdf" in RawZone(lake.storage).newest(dataset)
    assert first.rows == lake.table("shops.shops").published.rows == 1
