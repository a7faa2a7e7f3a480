"""A zip is taken from nobody on trust: one that is damaged, hostile or ambiguous is refused, and told by its name."""

from __future__ import annotations

import os
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest

from nequi_lake.errors import SourceError
from nequi_lake.formats import OpaqueFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.formats.zip_directory import count_members
from nequi_lake.sources.unzip import unzip

LIMITS = UnpackLimits(max_bytes=100_000, max_ratio=50, max_members=100)
CONTENT = random.Random(1).randbytes(5_000)
CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def zipped(path: Path, *members: tuple[str | ZipInfo, bytes], compression: int = ZIP_STORED) -> None:
    """Write a zip with these members, in this order."""
    with ZipFile(path, "w", compression) as opened:
        for name, content in members:
            opened.writestr(name, content)


def link(name: str) -> ZipInfo:
    """A member that is a symbolic link."""
    member = ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def changed(path: Path, *changes: tuple[int, int]) -> None:
    """Flip bits of a written zip: (position, bits)."""
    content = bytearray(path.read_bytes())
    for position, bits in changes:
        content[position] ^= bits
    path.write_bytes(content)


def take(archive: Path, *names: str) -> bytes | None:
    """The content of the member with one of these names, or None where there is none."""
    into = archive.with_name("into")
    into.mkdir(exist_ok=True)
    name, *aliases = names or ("loan.csv",)
    unpacked = unzip(archive, OpaqueFile(name=name, description="", aliases=tuple(aliases)), into, LIMITS)
    assert sorted(into.iterdir()) == sorted(unpacked.values())
    return unpacked[name].read_bytes() if unpacked else None


def nothing_left(archive: Path) -> bool:
    """Whether a zip that was refused has left nothing behind."""
    return not list(archive.with_name("into").iterdir())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where the zip is written."""
    return tmp_path / "credit.zip"


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["loan.csv", "loan/loan.csv", "./a/b/loan.csv"])
def test_a_member_is_found_by_its_base_name(archive: Path, name: str, compression: int) -> None:
    zipped(archive, ("loan/", b""), ("readme.txt", b"x"), (name, CONTENT), compression=compression)
    assert take(archive) == CONTENT


def test_a_member_is_found_under_any_of_the_names(archive: Path) -> None:
    zipped(archive, ("val.json", CONTENT))
    assert take(archive, "validation.json", "val.json") == CONTENT


def test_a_zip_without_the_member_gives_nothing(archive: Path) -> None:
    zipped(archive, ("other.csv", CONTENT), ("loan.csv/", b""), ("old_loan.csv", CONTENT))
    assert take(archive) is None


@pytest.mark.parametrize(
    "member",
    [
        "../loan.csv",
        "loan/../../loan.csv",
        "/loan.csv",
        "..\\loan.csv",
        "\\loan.csv",
        "C:\\loan.csv",
        "C:loan.csv",
        link("loan.csv"),
    ],
    ids=lambda member: member if isinstance(member, str) else "symbolic link",
)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a good one"])
def test_a_member_that_points_outside_is_refused(archive: Path, member: str | ZipInfo, beside: bool) -> None:
    zipped(archive, (member, b"/etc/passwd"), *([("good/loan.csv", CONTENT)] if beside else []))
    with pytest.raises(SourceError, match="points outside") as refusal:
        take(archive)
    assert refusal.value.where == str(archive)
    assert repr(member if isinstance(member, str) else member.filename) in refusal.value.what
    assert nothing_left(archive)


def cut(archive: Path) -> None:
    """Leave half of a sound zip."""
    zipped(archive, ("loan.csv", CONTENT))
    archive.write_bytes(archive.read_bytes()[: len(CONTENT) // 2])


def cut_by_a_little(archive: Path) -> None:
    """Leave a sound zip without its last bytes."""
    zipped(archive, ("loan.csv", CONTENT))
    archive.write_bytes(archive.read_bytes()[:-5])


def flip_stored(archive: Path) -> None:
    """Flip a bit of a stored member's content."""
    zipped(archive, ("loan.csv", CONTENT))
    changed(archive, (2_000, 1))


def flip_deflated(archive: Path) -> None:
    """Flip a bit of a compressed member's content."""
    zipped(archive, ("loan.csv", CONTENT), compression=ZIP_DEFLATED)
    changed(archive, (2_000, 1))


def rename_inside(archive: Path) -> None:
    """Make a member's name differ between the zip's listing and the member's own header."""
    zipped(archive, ("loan.csv", CONTENT))
    changed(archive, (archive.read_bytes().index(b"loan.csv"), 1))


def no_zip(archive: Path) -> None:
    """Write something else under the zip's name."""
    archive.write_bytes(b"<!DOCTYPE html><title>Sign in</title>")


def nothing(archive: Path) -> None:
    """Write nothing under the zip's name."""
    archive.write_bytes(b"")


DAMAGES: tuple[Callable[[Path], None], ...] = (
    cut,
    cut_by_a_little,
    flip_stored,
    flip_deflated,
    rename_inside,
    no_zip,
    nothing,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_zip_is_refused(archive: Path, damage: Callable[[Path], None]) -> None:
    damage(archive)
    with pytest.raises(SourceError, match="The zip is damaged") as refusal:
        take(archive)
    assert refusal.value.where == str(archive)
    assert "Download it again" in str(refusal.value.fix)


def test_an_encrypted_member_is_refused(archive: Path) -> None:
    zipped(archive, ("loan.csv", CONTENT))
    content = archive.read_bytes()
    changed(archive, (content.index(LOCAL) + 6, 1), (content.index(CENTRAL) + 8, 1))
    with pytest.raises(SourceError, match="password") as refusal:
        take(archive)
    assert refusal.value.where == str(archive)
    assert nothing_left(archive)


def test_a_member_packed_in_an_unknown_way_is_refused(archive: Path) -> None:
    zipped(archive, ("loan.csv", CONTENT))
    content = archive.read_bytes()
    changed(archive, (content.index(LOCAL) + 8, 99), (content.index(CENTRAL) + 10, 99))
    with pytest.raises(SourceError, match="compression method is not supported") as refusal:
        take(archive)
    assert refusal.value.where == str(archive)


@pytest.mark.parametrize("names", [("loan.csv",), ("other.csv",)], ids=["of the member", "of another member"])
def test_a_zip_that_unpacks_to_too_much_is_refused(archive: Path, names: tuple[str, ...]) -> None:
    zipped(archive, ("loan.csv", bytes(60_000)), ("other.csv", bytes(40_001)))
    with pytest.raises(SourceError, match="unpacks to 100,001 bytes; the limit is 100,000") as refusal:
        take(archive, *names)
    assert refusal.value.where == str(archive)
    assert "NEQUI_LAKE_ZIP_MAX_BYTES" in str(refusal.value.fix)
    assert nothing_left(archive)


def test_a_zip_that_unpacks_to_just_the_limit_is_taken(archive: Path) -> None:
    zipped(archive, ("loan.csv", bytes(100_000)))
    assert take(archive) == bytes(100_000)


def test_a_zip_that_swells_is_refused(archive: Path) -> None:
    zipped(archive, ("loan.csv", bytes(100_000)), compression=ZIP_DEFLATED)
    with pytest.raises(SourceError, match="times its size; the limit is 50 times") as refusal:
        take(archive)
    assert refusal.value.where == str(archive)
    assert "NEQUI_LAKE_ZIP_MAX_RATIO" in str(refusal.value.fix)
    assert nothing_left(archive)


def test_a_zip_that_lies_about_its_size_never_unpacks_to_more(archive: Path) -> None:
    zipped(archive, ("loan.csv", bytes(100_000)), compression=ZIP_DEFLATED)
    content = bytearray(archive.read_bytes())
    place = content.index(CENTRAL) + 24
    content[place : place + 4] = (100).to_bytes(4, "little")
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="The zip is damaged"):
        take(archive)
    assert all(path.stat().st_size <= 100 for path in archive.parent.glob("into/*"))


AMBIGUOUS: Mapping[str, tuple[str, str]] = {
    "in two folders": ("a/loan.csv", "b/loan.csv"),
    "under two names": ("loan.csv", "loans.csv"),
}


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("stated", [len(CONTENT) - 1, len(CONTENT) + 1], ids=["shorter", "longer"])
def test_a_member_that_is_not_as_long_as_the_zip_says_is_refused(archive: Path, stated: int, compression: int) -> None:
    zipped(archive, ("loan.csv", CONTENT), compression=compression)
    entry = archive.read_bytes().rindex(CENTRAL)
    fields = struct.pack("<L", zlib.crc32(CONTENT[:stated])), struct.pack("<L", stated)
    content = bytearray(archive.read_bytes())
    content[entry + 16 : entry + 20], content[entry + 24 : entry + 28] = fields
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="The zip is damaged"):
        take(archive)
    assert nothing_left(archive)


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_zip_that_has_the_member_twice_is_refused(archive: Path, case: str) -> None:
    one, other = AMBIGUOUS[case]
    zipped(archive, (one, CONTENT), (other, CONTENT))
    with pytest.raises(SourceError, match="which one is meant") as refusal:
        take(archive, "loan.csv", "loans.csv")
    assert refusal.value.where == str(archive)
    assert one in refusal.value.what
    assert other in refusal.value.what
    assert nothing_left(archive)


def test_a_member_without_a_name(archive: Path) -> None:
    zipped(archive, ("x", b""), ("loan.csv", b"a"))
    archive.write_bytes(archive.read_bytes().replace(b"x", b"."))
    assert take(archive) == b"a"


def test_a_zip_of_too_many_members_is_refused_before_they_are_held(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(archive, ("loan.csv", CONTENT), *((f"{number}.txt", b"") for number in range(99)))
    assert take(archive) == CONTENT
    with ZipFile(archive, "a") as opened:
        opened.writestr("one more.txt", b"")
    monkeypatch.setattr(zipfile, "ZipFile", None)
    for shown in (archive.read_bytes(), b"bytes before the zip" + archive.read_bytes()):
        archive.write_bytes(shown)
        with pytest.raises(SourceError, match="more than 100 members") as refusal:
            take(archive)
        assert refusal.value.where == str(archive)
        assert "NEQUI_LAKE_ZIP_MAX_MEMBERS" in str(refusal.value.fix)


def test_members_are_counted_in_a_zip_of_64_bits(archive: Path) -> None:
    with ZipFile(archive, "w") as opened:
        for number in range(2**16 + 5):
            opened.writestr(ZipInfo(str(number)), b"")
    assert count_members(archive, 10**6) == 2**16 + 5
    assert count_members(archive, 1_000) == 1_001


def test_a_damaged_bzip2_member(archive: Path) -> None:
    zipped(archive, ("loan.csv", os.urandom(5_000)), compression=zipfile.ZIP_BZIP2)
    changed(archive, (2_000, 255))
    with pytest.raises(SourceError, match="damaged"):
        take(archive)


def test_a_damaged_lzma_member(archive: Path) -> None:
    zipped(archive, ("loan.csv", b"abc" * 5_000), compression=zipfile.ZIP_LZMA)
    changed(archive, (60, 255), (61, 255), (62, 255))
    with pytest.raises(SourceError, match="damaged"):
        take(archive)


def test_a_damaged_end_record(archive: Path) -> None:
    zipped(archive, ("loan.csv", b"abc" * 5_000))
    content = bytearray(archive.read_bytes())
    place = content.index(b"PK\x05\x06") + 16
    content[place : place + 4] = b"\xff\xff\xff\x7f"
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        take(archive)


def test_an_encrypted_member_is_reported_by_its_name_alone(archive: Path) -> None:
    zipped(archive, ("loan.csv", b"abc"))
    content = archive.read_bytes()
    changed(archive, (content.index(LOCAL) + 6, 1), (content.index(CENTRAL) + 8, 1))
    with pytest.raises(SourceError) as refusal:
        take(archive)
    assert "ZipInfo" not in refusal.value.what


def test_no_part_of_a_damaged_member_is_left(archive: Path) -> None:
    zipped(archive, ("loan.csv", os.urandom(90_000)))
    changed(archive, (80_000, 1))
    with pytest.raises(SourceError):
        take(archive)
    assert nothing_left(archive)


def test_parts_come_in_the_order_of_their_numbers(archive: Path, tmp_path: Path) -> None:
    zipped(
        archive, *((f"x/loan/part-{number}.csv", b"%d" % number) for number in (10, 2, 1)), ("x/loan/notes.csv", b"")
    )
    unpacked = unzip(archive, OpaqueFile(name="loan.csv", description=""), tmp_path, LIMITS)
    assert [(part, path.read_bytes()) for part, path in unpacked.items()] == [
        ("loan/part-1.csv", b"1"),
        ("loan/part-2.csv", b"2"),
        ("loan/part-10.csv", b"10"),
    ]


@pytest.mark.parametrize("other", ["loan.csv", "b/loan/part-1.csv", "loan.csv/part-1.csv"])
def test_parts_beside_the_file_or_other_parts_of_it_are_refused(archive: Path, other: str) -> None:
    zipped(archive, ("loan/part-1.csv", CONTENT), (other, CONTENT))
    with pytest.raises(SourceError, match="which one is meant"):
        take(archive)
