"""A folder source takes regular files of its folder: links out of it, and what is no file, are refused or named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake_tests.conftest import MOTOR_FILE
from nequi_lake_tests.sources.test_delivery import fetch, folder, motor, part

__all__ = ["folder", "motor"]
OUT = "a link that leads out of the source's folder"


def test_a_link_out_of_the_source_is_refused_unless_it_is_allowed(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    part(secret)
    (folder / MOTOR_FILE).symlink_to(secret)
    with pytest.raises(SourceError, match="a link that leads out of the source's folder") as refused:
        fetch(motor, folder, tmp_path)
    assert "NEQUI_LAKE_SOURCE_LINKS" in str(refused.value)
    (tmp_path / "into").rmdir()
    assert fetch(motor, folder, tmp_path, follows_links=True) == [MOTOR_FILE]


def test_a_link_within_the_source_is_followed(motor: Dataset, folder: Path, tmp_path: Path) -> None:
    part(folder.parent / "shared" / "file.csv")
    (folder / MOTOR_FILE).symlink_to(folder.parent / "shared" / "file.csv")
    assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]


def linked_folder(folder: Path, elsewhere: Path) -> None:
    part(elsewhere / MOTOR_FILE)
    folder.rmdir()
    folder.symlink_to(elsewhere)


def linked_parts(folder: Path, elsewhere: Path) -> None:
    part(elsewhere / "part-1.csv")
    (folder / "measures_v2").symlink_to(elsewhere)


def linked_zip(folder: Path, elsewhere: Path) -> None:
    elsewhere.mkdir()
    with ZipFile(elsewhere / "any.zip", "w") as opened:
        opened.writestr(MOTOR_FILE, "x")
    (folder / "any.zip").symlink_to(elsewhere / "any.zip")


@pytest.mark.parametrize("make", [linked_folder, linked_parts, linked_zip], ids=lambda make: str(make.__name__))
def test_links_of_folders_and_zips_are_as_those_of_files(
    motor: Dataset, folder: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    make(folder, tmp_path / "elsewhere")
    with pytest.raises(SourceError, match=OUT) as refused:
        fetch(motor, folder, tmp_path)
    assert "NEQUI_LAKE_SOURCE_LINKS" in str(refused.value)
    (tmp_path / "into").rmdir()
    assert len(fetch(motor, folder, tmp_path, follows_links=True)) == 1


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "reason"),
    [(pipe, "it is neither a file nor a folder"), (link_to_nothing, "it is a link that leads nowhere")],
    ids=["pipe", "link to nothing"],
)
def test_what_is_no_file_is_refused_where_a_file_should_be_and_named_elsewhere(
    motor: Dataset,
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path], None],
    reason: str,
) -> None:
    make(folder / "README")
    make(folder / MOTOR_FILE)
    with pytest.raises(SourceError) as refused:
        fetch(motor, folder, tmp_path)
    assert f"{MOTOR_FILE} cannot be read: {reason}" in refused.value.what
    (folder / MOTOR_FILE).unlink()
    (tmp_path / "into").rmdir()
    part(folder / MOTOR_FILE)
    assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]
    assert f"{reason}: README" in caplog.text


@pytest.mark.parametrize("follows_links", [False, True])
def test_a_link_that_leads_back_is_not_followed_for_ever(
    motor: Dataset, folder: Path, tmp_path: Path, follows_links: bool
) -> None:
    part(folder / MOTOR_FILE)
    (folder / "a").mkdir()
    (folder / "a" / "b").symlink_to(folder / "c")
    (folder / "c").mkdir()
    (folder / "c" / "d").symlink_to(folder / "a")
    assert fetch(motor, folder, tmp_path, follows_links=follows_links) == [MOTOR_FILE]


def test_a_folder_that_cannot_be_listed_is_refused_where_data_could_be_in_it(
    motor: Dataset, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    part(folder / MOTOR_FILE)
    closed, scandir = folder / "private", os.scandir
    closed.mkdir()

    def refuse(path: Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert fetch(motor, folder, tmp_path) == [MOTOR_FILE]
    assert "the folder cannot be listed (Permission denied): private" in caplog.text
    closed = closed.rename(folder / "measures_v2")
    (tmp_path / "into" / MOTOR_FILE).unlink()
    (tmp_path / "into").rmdir()
    with pytest.raises(SourceError, match="measures_v2 cannot be read: the folder cannot be listed"):
        fetch(motor, folder, tmp_path)
