"""The raw zone keeps every file as it came, never overwrites a version, and points only to a readable one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import RawZoneError
from nequi_lake.formats import OpaqueFile, Problem, Structure
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawFileVersion, RawPart, content_version, sha256_of
from nequi_lake.lake.storage import StorageBackend

CONTENT = b"\xef\xbb\xbfid,text\r\n1,\xff\x00\r\n"
PAIR = Dataset(
    name="pair",
    slug="somebody/pair",
    title="Pair",
    licence="CC0",
    use_case="Tests.",
    files=(OpaqueFile(name="one.bin", description="One."), OpaqueFile(name="two.bin", description="Two.")),
    tables=(),
)


@pytest.fixture
def zone(storage: StorageBackend) -> RawZone:
    """Its raw zone."""
    return RawZone(storage)


Keep = Callable[..., RawFileVersion]
FETCHED_AT = "2026-01-02T03:04:05+00:00"
SEEN = Structure(records=1, lines=2)


@pytest.fixture
def keep(zone: RawZone, tmp_path: Path) -> Keep:
    """Keep a file of the pair with this content, as it has just been fetched."""

    def keep(
        file: str, version: str, content: bytes = CONTENT, readable: bool = True, structure: Structure = SEEN, **of: Any
    ) -> RawFileVersion:
        (tmp_path / file).write_bytes(content)
        part = RawPart(
            file=file,
            name=file,
            sha256=sha256_of(tmp_path / file),
            size_bytes=len(content),
            structure=structure,
            **{"source": "folder /inbox", "licence": PAIR.licence, **of},
        )
        return zone.keep(PAIR, fetched(file, version, tmp_path, part, readable=readable))

    return keep


def fetched(file: str, version: str, folder: Path, *parts: RawPart, readable: bool = True) -> RawFileVersion:
    """A file of the pair that has just been fetched into a folder."""
    return RawFileVersion(
        dataset="pair",
        file=file,
        version=version,
        readable=readable,
        fetched_at=FETCHED_AT,
        parts=parts,
        folder=str(folder),
    )


def test_a_file_is_kept_byte_for_byte_under_its_version(keep: Keep, storage: StorageBackend) -> None:
    kept = keep("one.bin", "v1")
    assert kept.path == storage.path("raw", "pair", "version=v1", "one.bin")
    assert Path(kept.path).read_bytes() == CONTENT


def test_the_manifest_beside_it_says_what_it_is_and_where_it_came_from(keep: Keep, zone: RawZone) -> None:
    structure = Structure(
        records=9, lines=10, damaged=1, problems=(Problem(3, "a NUL byte"),), problem_count=1, has_bom=True
    )
    of = {"source": "/inbox/pair.zip", "source_version": "12", "zip_sha256": "ab" * 32}
    kept = keep("one.bin", "v1", structure=structure, **of)
    assert json.loads(Path(f"{kept.path}.manifest.json").read_text()) == {
        "dataset": "pair",
        "file": "one.bin",
        "version": "v1",
        "readable": True,
        "fetched_at": FETCHED_AT,
        "parts": [
            {
                "file": "one.bin",
                "name": "one.bin",
                "source": "/inbox/pair.zip",
                "source_version": "12",
                "licence": "CC0",
                "zip_sha256": "ab" * 32,
                "is_sample": False,
                "sha256": hashlib.sha256(CONTENT).hexdigest(),
                "size_bytes": len(CONTENT),
                "structure": {
                    "records": 9,
                    "lines": 10,
                    "damaged": 1,
                    "problems": [{"line": 3, "reason": "a NUL byte", "part": None, "plain": ""}],
                    "problem_count": 1,
                    "has_bom": True,
                    "codec": "",
                    "ends_in_cr": False,
                    "layout": "",
                    "columns": [],
                    "passed_over": {},
                    "notes": [],
                },
                "delivery": 0,
                "delivered_at": "",
                "kept_in": "",
            }
        ],
    }
    keep("two.bin", "v1")
    assert zone.newest(PAIR)["one.bin"] == kept


def test_nothing_but_the_file_and_its_manifest_is_left(keep: Keep, storage: StorageBackend) -> None:
    keep("one.bin", "v1")
    assert storage.list(storage.path("raw", "pair", "version=v1")) == ["one.bin", "one.bin.manifest.json"]


def test_the_same_version_again_is_not_written_again(keep: Keep) -> None:
    first = keep("one.bin", "v1")
    written = [Path(first.path + ending).stat() for ending in ("", ".manifest.json")]
    again = keep("one.bin", "v1", source="another folder")
    assert again == first
    for ending, before in zip(("", ".manifest.json"), written, strict=True):
        after = Path(first.path + ending).stat()
        assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_other_bytes_under_a_kept_version_are_refused(keep: Keep) -> None:
    kept = keep("one.bin", "v1")
    with pytest.raises(RawZoneError, match=r"Version v1 of one\.bin is kept already, with other bytes") as refusal:
        keep("one.bin", "v1", content=b"other")
    assert refusal.value.where == kept.path
    assert Path(kept.path).read_bytes() == CONTENT


def test_a_version_that_is_kept_stays_beside_a_newer_one(keep: Keep) -> None:
    old = keep("one.bin", "v1")
    new = keep("one.bin", "v2", content=b"other")
    assert (Path(old.path).read_bytes(), Path(new.path).read_bytes()) == (CONTENT, b"other")


def test_a_file_whose_manifest_was_never_written_is_kept_again(keep: Keep) -> None:
    kept = keep("one.bin", "v1")
    Path(f"{kept.path}.manifest.json").unlink()
    Path(kept.path).write_bytes(b"half of it")
    keep("one.bin", "v1")
    assert Path(kept.path).read_bytes() == CONTENT


def test_a_version_is_current_only_once_all_its_files_are_kept(keep: Keep, zone: RawZone) -> None:
    keep("one.bin", "v1")
    assert zone.current_version("pair") is None
    keep("two.bin", "v1")
    assert zone.current_version("pair") == "v1"
    keep("two.bin", "v2", content=b"other")
    assert zone.current_version("pair") == "v1"
    keep("one.bin", "v2", content=b"other")
    assert zone.current_version("pair") == "v2"


def test_the_pointer_is_where_the_lake_s_layout_says(keep: Keep, storage: StorageBackend) -> None:
    keep("one.bin", "v1")
    keep("two.bin", "v1")
    assert json.loads(storage.read(storage.path("raw", "pair", "current.json"))) == {"version": "v1"}


def test_a_damaged_version_is_kept_and_never_current(keep: Keep, zone: RawZone) -> None:
    keep("one.bin", "v1")
    keep("two.bin", "v1")
    keep("one.bin", "v2", content=b"sound")
    damaged = keep("two.bin", "v2", content=b"damaged", readable=False)
    assert Path(damaged.path).read_bytes() == b"damaged"
    assert zone.current_version("pair") == "v1"
    keep("one.bin", "v2", content=b"sound")
    assert zone.current_version("pair") == "v1"


def test_a_version_found_readable_by_a_later_pass_becomes_current(keep: Keep, zone: RawZone) -> None:
    keep("one.bin", "v1")
    keep("two.bin", "v1", readable=False, structure=Structure.refused("the file is empty"))
    assert zone.current_version("pair") is None
    found = keep("two.bin", "v1", structure=Structure(records=5, lines=6), source="elsewhere")
    assert zone.current_version("pair") == "v1"
    assert (found.readable, found.records, found.parts[0].structure.lines) == (True, 5, 6)
    # It is the file that was kept first, with another structure.
    assert found.source == "folder /inbox"
    assert zone.newest(PAIR)["two.bin"] == found


def test_all_files_of_the_current_version_are_given(keep: Keep, zone: RawZone) -> None:
    one, two = keep("one.bin", "v1"), keep("two.bin", "v1")
    keep("one.bin", "v2", content=b"other")
    assert zone.newest(PAIR) == {"one.bin": one, "two.bin": two}


def test_a_dataset_of_which_no_version_is_kept_is_reported_with_the_command_that_fetches_it(
    keep: Keep, zone: RawZone, storage: StorageBackend
) -> None:
    keep("one.bin", "v1")
    with pytest.raises(RawZoneError, match="No version of pair is kept in the raw zone") as refusal:
        zone.newest(PAIR)
    assert refusal.value.where == storage.path("raw", "pair")
    assert "nequi-lake run pair" in str(refusal.value.fix)


def test_a_file_that_was_declared_after_the_current_version_is_reported(keep: Keep, zone: RawZone) -> None:
    keep("one.bin", "v1")
    keep("two.bin", "v1")
    more = replace(PAIR, files=(*PAIR.files, OpaqueFile(name="three.bin", description="Three.")))
    with pytest.raises(RawZoneError, match=r"Version v1 of pair has no three\.bin"):
        zone.newest(more)


def test_a_file_that_is_kept_already_is_not_uploaded_again_and_its_version_becomes_current(
    keep: Keep, zone: RawZone
) -> None:
    kept = [keep("one.bin", "v1"), keep("two.bin", "v1")]
    keep("one.bin", "v2", content=b"other")
    keep("two.bin", "v2", content=b"other")
    assert zone.current_version("pair") == "v2"
    assert [zone.keep(PAIR, file) for file in kept] == kept
    assert zone.current_version("pair") == "v1"


def test_a_version_of_content_does_not_depend_on_the_order_of_files() -> None:
    hashes = {"one.bin": "aa", "two.bin": "bb"}
    assert content_version(hashes) == content_version(dict(reversed(hashes.items())))


@pytest.mark.parametrize(
    "other",
    [
        {"one.bin": "aa", "two.bin": "cc"},
        {"one.bin": "bb", "two.bin": "aa"},
        {"one.bin": "aa"},
        {"one.bin": "aa", "three.bin": "bb"},
    ],
)
def test_a_version_of_content_changes_with_any_file(other: dict[str, str]) -> None:
    assert content_version(other) != content_version({"one.bin": "aa", "two.bin": "bb"})


def test_a_hash_is_the_one_that_everybody_computes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_kept_file_that_is_gone_is_kept_again(keep: Keep) -> None:
    kept = keep("one.bin", "v1")
    Path(kept.path).unlink()
    keep("one.bin", "v1")
    assert Path(kept.path).read_bytes() == CONTENT


def in_parts(folder: Path, **contents: bytes) -> RawFileVersion:
    """The pair's first file in parts with these names and contents, as it has just been fetched."""
    (folder / "one").mkdir(exist_ok=True)
    parts = []
    for name, content in contents.items():
        path = folder / "one" / f"{name}.bin"
        path.write_bytes(content)
        parts.append(
            RawPart(
                file="one.bin",
                name=f"one/{name}.bin",
                source="test",
                licence="CC0",
                sha256=sha256_of(path),
                size_bytes=len(content),
                structure=Structure(records=1, lines=1),
            )
        )
    return fetched("one.bin", "v1", folder, *parts)


def test_a_file_in_parts_is_kept_part_by_part_under_one_manifest(
    zone: RawZone, storage: StorageBackend, tmp_path: Path
) -> None:
    kept = zone.keep(PAIR, in_parts(tmp_path, a=b"1", b=b"23"))
    assert storage.list(storage.path("raw", "pair", "version=v1")) == ["one", "one.bin.manifest.json"]
    assert [storage.read(kept.path_of(part)) for part in kept.parts] == [b"1", b"23"]
    assert (kept.size_bytes, kept.records, kept.path) == (3, 2, storage.path("raw", "pair", "version=v1", "one"))


def test_a_part_that_is_gone_is_taken_again_and_another_part_refused(
    zone: RawZone, keep: Keep, storage: StorageBackend, tmp_path: Path
) -> None:
    keep("two.bin", "v1")
    kept = zone.keep(PAIR, in_parts(tmp_path, a=b"1", b=b"23"))
    Path(kept.path_of(kept.parts[1])).unlink()
    with pytest.raises(RawZoneError, match=r"one/b\.bin is no longer as it was kept"):
        zone.newest(PAIR)
    assert zone.complete_version(PAIR, "v1") == {}
    assert zone.keep(PAIR, in_parts(tmp_path, a=b"1", b=b"23")) == kept
    assert zone.newest(PAIR)["one.bin"] == kept
    for other in (in_parts(tmp_path, a=b"1", b=b"24"), in_parts(tmp_path, a=b"1"), in_parts(tmp_path, b=b"23", a=b"1")):
        with pytest.raises(RawZoneError, match="kept already, with other bytes"):
            zone.keep(PAIR, other)


def test_what_no_manifest_names_was_never_kept(
    keep: Keep, zone: RawZone, storage: StorageBackend, tmp_path: Path
) -> None:
    zone.keep(PAIR, in_parts(tmp_path, a=b"1", b=b"23"))
    keep("one.bin", "v2")
    keep("two.bin", "v2")
    assert zone.unlisted_files("pair") == {}
    left = [
        storage.path("raw", "pair", *names)
        for names in (("version=v1", "one", "c.bin"), ("version=v1", "two.bin"), ("version=v3", "one.bin"))
    ]
    for path in left:
        storage.write(path, b"left over")
    assert sorted(zone.unlisted_files("pair")) == left
