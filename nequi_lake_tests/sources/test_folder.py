"""A folder source finds a dataset's files loose or zipped, and says what is wanted where one is not there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.sources.folder import FolderSource
from nequi_lake_tests.conftest import MOTOR_FILE, citation, motor_rows, write_citations, write_motor


@pytest.fixture
def motor(datasets: Mapping[str, Dataset]) -> Dataset:
    """A dataset of one file."""
    return datasets["electric_motor"]


@pytest.fixture
def cite_sum(datasets: Mapping[str, Dataset]) -> Dataset:
    """A dataset of three files, one of them with an alias."""
    return datasets["cite_sum"]


def fetch(tmp_path: Path, dataset: Dataset) -> list[RawPart]:
    """What a source over the folder ``inbox`` delivers."""
    into = tmp_path / "into"
    into.mkdir()
    return source(tmp_path).fetch(dataset, into)


def content(tmp_path: Path, part: RawPart) -> bytes:
    """The bytes that were delivered for a part."""
    return (tmp_path / "into" / part.name).read_bytes()


def source(tmp_path: Path) -> FolderSource:
    """A source over the folder ``inbox``."""
    return FolderSource(str(tmp_path / "inbox"), limits=UnpackLimits(max_bytes=10**6, max_ratio=200, max_members=100))


def write_zip(path: Path, **members: bytes) -> Path:
    """Write a zip; a member's name has ``/`` for each ``__``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(name.replace("__", "/"), content)
    return path


def test_a_loose_file_is_copied_byte_for_byte(tmp_path: Path, motor: Dataset) -> None:
    path = write_motor(tmp_path / "inbox", motor_rows(4, 3))
    (delivered,) = fetch(tmp_path, motor)
    assert delivered.file == MOTOR_FILE
    assert content(tmp_path, delivered) == path.read_bytes()
    assert delivered.source == str(path)
    assert delivered.zip_sha256 is None


def test_a_file_is_left_where_it_was(tmp_path: Path, motor: Dataset) -> None:
    path = write_motor(tmp_path / "inbox", motor_rows(4, 3))
    before = path.read_bytes()
    fetch(tmp_path, motor)
    assert path.read_bytes() == before


def test_files_come_in_the_order_of_their_declaration(tmp_path: Path, cite_sum: Dataset) -> None:
    for split in ("test", "train", "validation"):
        write_citations(tmp_path / "inbox", split, [citation(1)])
    assert [delivered.file for delivered in fetch(tmp_path, cite_sum)] == [
        "train.json",
        "validation.json",
        "test.json",
    ]


def test_a_file_under_another_known_name_is_delivered_under_its_own(tmp_path: Path, cite_sum: Dataset) -> None:
    for split in ("train", "val", "test"):
        write_citations(tmp_path / "inbox", split, [citation(1, tgt=split)])
    _, validation, _ = fetch(tmp_path, cite_sum)
    assert (validation.file, validation.name) == ("validation.json", "validation.json")
    assert b'"val"' in content(tmp_path, validation)
    assert validation.source.endswith("/val.json")


def test_a_file_is_taken_from_a_folder_inside_the_zip_as_kaggle_gives_it(tmp_path: Path, motor: Dataset) -> None:
    archive = write_zip(
        tmp_path / "inbox" / "electric_motor" / "electric-motor-temperature.zip",
        **{f"motor__{MOTOR_FILE}": b"measured", "motor__readme.txt": b"read"},
    )
    (delivered,) = fetch(tmp_path, motor)
    assert content(tmp_path, delivered) == b"measured"
    assert delivered.source == str(archive)
    assert delivered.zip_sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_all_files_may_come_from_one_zip(tmp_path: Path, cite_sum: Dataset) -> None:
    write_zip(
        tmp_path / "inbox" / "cite_sum" / "cite-sum.zip",
        **{"train.json": b"1", "val.json": b"2", "test.json": b"3"},
    )
    assert [content(tmp_path, delivered) for delivered in fetch(tmp_path, cite_sum)] == [b"1", b"2", b"3"]


def test_a_big_file_may_come_in_a_zip_of_its_own(tmp_path: Path, motor: Dataset) -> None:
    archive = write_zip(tmp_path / "inbox" / "electric_motor" / f"{MOTOR_FILE}.zip", **{MOTOR_FILE: b"measured"})
    (delivered,) = fetch(tmp_path, motor)
    assert content(tmp_path, delivered) == b"measured"
    assert delivered.source == str(archive)


def test_a_loose_file_beside_a_zip_of_it_is_refused(tmp_path: Path, motor: Dataset) -> None:
    path = write_motor(tmp_path / "inbox", motor_rows(4, 3))
    write_zip(path.with_name(f"{MOTOR_FILE}.zip"), **{MOTOR_FILE: b"from its own zip"})
    with pytest.raises(SourceError, match=r"measures_v2\.csv is there twice, loose and in measures_v2\.csv\.zip"):
        fetch(tmp_path, motor)


def test_a_zip_of_its_own_beside_the_zip_of_all_is_refused(tmp_path: Path, motor: Dataset) -> None:
    folder = tmp_path / "inbox" / "electric_motor"
    write_zip(folder / "electric-motor-temperature.zip", **{MOTOR_FILE: b"from the zip of all"})
    write_zip(folder / f"{MOTOR_FILE}.zip", **{MOTOR_FILE: b"from its own zip"})
    with pytest.raises(
        SourceError, match=r"is there twice, in electric-motor-temperature\.zip and in measures_v2\.csv\.zip"
    ):
        fetch(tmp_path, motor)


def test_a_missing_file_is_reported_with_folder_names_and_zip(tmp_path: Path, cite_sum: Dataset) -> None:
    write_citations(tmp_path / "inbox", "train", [citation(1)])
    with pytest.raises(SourceError) as refusal:
        fetch(tmp_path, cite_sum)
    assert refusal.value.what == "cite_sum has no file validation.json."
    assert refusal.value.where == str(tmp_path / "inbox" / "cite_sum")
    assert "validation.json or val.json" in str(refusal.value.fix)
    assert "cite-sum.zip" in str(refusal.value.fix)
    assert "nbroad/cite-sum" in str(refusal.value.fix)


def test_a_file_that_the_zip_lacks_is_missing(tmp_path: Path, motor: Dataset) -> None:
    write_zip(tmp_path / "inbox" / "electric_motor" / "electric-motor-temperature.zip", **{"other.csv": b"x"})
    with pytest.raises(SourceError, match=r"electric_motor has no file measures_v2\.csv"):
        fetch(tmp_path, motor)


def test_a_dataset_is_offered_where_it_has_a_folder(tmp_path: Path, motor: Dataset, cite_sum: Dataset) -> None:
    write_motor(tmp_path / "inbox", motor_rows(4, 3))
    assert source(tmp_path).offers(motor)
    assert not source(tmp_path).offers(cite_sum)


def test_nothing_is_offered_where_there_is_no_folder_at_all(tmp_path: Path, motor: Dataset) -> None:
    assert not source(tmp_path / "nowhere").offers(motor)


def test_the_source_says_which_folder_it_is(tmp_path: Path) -> None:
    assert source(tmp_path).describe() == f"folder {tmp_path / 'inbox'}"


def test_a_file_may_come_in_parts(tmp_path: Path, motor: Dataset) -> None:
    folder = tmp_path / "inbox" / "electric_motor" / "measures_v2"
    folder.mkdir(parents=True)
    for number in (2, 10, 1, *range(3, 10)):
        (folder / f"part-{number}.csv").write_text(str(number))
    (folder / "_SUCCESS").touch()
    delivered = fetch(tmp_path, motor)
    assert [(one.file, one.name, content(tmp_path, one)) for one in delivered] == [
        (MOTOR_FILE, f"measures_v2/part-{number}.csv", str(number).encode()) for number in range(1, 11)
    ]
    assert {one.source for one in delivered} == {str(folder)}


def test_a_file_beside_its_own_parts_is_refused(tmp_path: Path, motor: Dataset) -> None:
    path = write_motor(tmp_path / "inbox", motor_rows(4, 3))
    (path.parent / "measures_v2").mkdir()
    (path.parent / "measures_v2" / "part-1.csv").touch()
    with pytest.raises(SourceError, match=r"measures_v2\.csv.* which one is meant"):
        fetch(tmp_path, motor)
