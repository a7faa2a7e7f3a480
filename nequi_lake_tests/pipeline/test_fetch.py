"""Fetching gives a dataset's files with version, hash and structure, and does not fetch what the lake has already."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import SourceError
from nequi_lake.formats import OpaqueFile, Structure
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawFileVersion, RawPart, content_version
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.pipeline.fetch import fetch_dataset, structure_checks
from nequi_lake_tests.datasets.notes import NOTES

MANUAL = OpaqueFile(name="manual.pdf", description="How the notes were taken.")
DATASET = replace(NOTES, files=(*NOTES.files, MANUAL))
SOUND = b"id,text\n" + b"".join(b"%d,words\n" % number for number in range(300))


@dataclass
class Publisher:
    """A source with these files: name under which the lake keeps a part → its bytes."""

    files: dict[str, bytes]
    number: str | None = None
    licence: str | None = None
    deliveries: list[str] = field(default_factory=list)

    is_sample = False

    def describe(self) -> str:
        return "publisher"

    def account(self) -> str:
        return "nobody"

    def offers(self, dataset: Dataset) -> bool:
        return True

    def version(self, dataset: Dataset, /) -> str | None:
        return self.number

    def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
        self.deliveries.append(dataset.name)
        parts = []
        for file in dataset.files:
            for path, name in file.among(self.files):
                (into / name).parent.mkdir(exist_ok=True)
                (into / name).write_bytes(self.files[path])
                version, licence = self.number, self.licence
                parts.append(RawPart(file=file.name, name=name, source=path, source_version=version, licence=licence))
        return parts


@pytest.fixture
def zone(storage: StorageBackend) -> RawZone:
    """An empty raw zone."""
    return RawZone(storage)


@pytest.fixture
def publisher() -> Publisher:
    """A source whose files are sound."""
    return Publisher({"notes.csv": SOUND, "manual.pdf": b"%PDF"})


def fetched(publisher: Publisher, zone: RawZone, folder: Path) -> list[RawFileVersion]:
    """The files that are fetched, into a new folder."""
    return fetch_dataset(DATASET, publisher, zone, Path(mkdtemp(dir=folder)))


def test_files_come_with_hash_size_structure_and_licence(publisher: Publisher, zone: RawZone, tmp_path: Path) -> None:
    notes, manual = fetched(publisher, zone, tmp_path)
    assert [file.file for file in (notes, manual)] == ["notes.csv", "manual.pdf"]
    assert (notes.sha256, notes.size_bytes) == (hashlib.sha256(SOUND).hexdigest(), len(SOUND))
    assert notes.structures == {"notes.csv": Structure(records=300, lines=301, columns=("id", "text"))}
    assert (notes.readable, notes.licence, notes.source) == (True, "none", "notes.csv")
    assert (manual.readable, manual.records, manual.size_bytes) == (True, 0, 4)
    assert Path(notes.path).read_bytes() == SOUND


def test_the_licence_that_the_source_reports_wins(publisher: Publisher, zone: RawZone, tmp_path: Path) -> None:
    publisher.licence = "CC0"
    assert {file.licence for file in fetched(publisher, zone, tmp_path)} == {"CC0"}


def test_a_source_without_versions_has_one_made_of_the_content(
    publisher: Publisher, zone: RawZone, tmp_path: Path
) -> None:
    first = fetched(publisher, zone, tmp_path)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in publisher.files.items()}
    assert {file.version for file in first} == {content_version(hashes)}
    publisher.files["manual.pdf"] = b"%PDF, another"
    (version,) = {file.version for file in fetched(publisher, zone, tmp_path)}
    assert version != first[0].version


def test_a_version_that_the_lake_has_is_not_fetched_again(publisher: Publisher, zone: RawZone, tmp_path: Path) -> None:
    publisher.number = "7"
    first = [zone.keep(DATASET, file) for file in fetched(publisher, zone, tmp_path)]
    assert fetched(publisher, zone, tmp_path) == first == list(zone.newest(DATASET).values())
    assert len(publisher.deliveries) == 1
    publisher.number = "8"
    assert {file.version for file in fetched(publisher, zone, tmp_path)} == {"8"}
    assert len(publisher.deliveries) == 2


def test_a_version_of_which_a_file_is_cut_short_is_fetched_again(
    publisher: Publisher, zone: RawZone, tmp_path: Path
) -> None:
    publisher.number = "7"
    kept = [zone.keep(DATASET, file) for file in fetched(publisher, zone, tmp_path)]
    Path(kept[0].path).write_bytes(SOUND[:-1])
    again = [zone.keep(DATASET, file) for file in fetched(publisher, zone, tmp_path)]
    assert (len(publisher.deliveries), Path(again[0].path).read_bytes()) == (2, SOUND)
    # The manifest tells when the version first came.
    assert [file.fetched_at for file in again] == [file.fetched_at for file in kept]


def test_the_check_of_a_kept_file_says_what_it_said_of_the_fetched_one(
    publisher: Publisher, zone: RawZone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.number = "7"
    publisher.files["notes.csv"] = SOUND + b"300\n"
    files = fetched(publisher, zone, tmp_path)
    with caplog.at_level(logging.WARNING, "nequi_lake"):
        checks = structure_checks(DATASET, files)
    assert checks["notes.csv"].warns
    assert "line 302: 1 fields where the header has 2" in checks["notes.csv"].found
    assert caplog.text.count("notes/notes.csv: file_structure warns: 1 of 301 records") == 1
    assert checks["manual.pdf"].passed
    for file in files:
        zone.keep(DATASET, file)
    assert structure_checks(DATASET, fetched(publisher, zone, tmp_path)) == checks


def test_damage_in_parts_reports_the_part_and_counts_over_all_of_them(
    publisher: Publisher, zone: RawZone, tmp_path: Path
) -> None:
    header = b"id,text\n"
    del publisher.files["notes.csv"]
    publisher.files |= {"notes/part-1.csv": SOUND, "notes/part-2.csv": header + b"300\n", "notes/part-3.csv": header}
    notes, manual = fetched(publisher, zone, tmp_path)
    assert (notes.readable, notes.records, notes.damaged) == (True, 301, 1)
    assert notes.offsets == {"notes/part-1.csv": 0, "notes/part-2.csv": 300, "notes/part-3.csv": 301}
    check = structure_checks(DATASET, [notes, manual])["notes.csv"]
    assert check.found.startswith("1 of 301 records (0.33%) cannot be read and go to the quarantine: notes/part-2.csv")


@pytest.mark.parametrize("content", [b"", b"id,text\n", SOUND + b"300\n" * 4], ids=["empty", "header", "over limit"])
def test_a_file_that_is_refused_is_kept_and_does_not_become_current(
    publisher: Publisher, zone: RawZone, tmp_path: Path, content: bytes
) -> None:
    publisher.files["notes.csv"] = content
    files = fetched(publisher, zone, tmp_path)
    assert [file.readable for file in files] == [False, True]
    assert [check.refuses for check in structure_checks(DATASET, files).values()] == [True, False]
    kept = [zone.keep(DATASET, file) for file in files]
    assert Path(kept[0].path).read_bytes() == content
    assert zone.current_version(DATASET.name) is None


def test_an_error_of_the_source_is_passed_on(zone: RawZone, tmp_path: Path) -> None:
    class Closed(Publisher):
        def fetch(self, dataset: Dataset, into: Path) -> list[RawPart]:
            raise SourceError("The publisher is closed.")

    with pytest.raises(SourceError, match="closed"):
        fetched(Closed({}), zone, tmp_path)
