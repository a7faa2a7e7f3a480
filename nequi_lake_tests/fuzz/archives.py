"""Zips with odd members: what was put in comes out whole, or the zip is refused by name."""

from __future__ import annotations

import math
import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from hypothesis import strategies as st

from nequi_lake.errors import NequiLakeError
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.sources.folder import FolderSource
from nequi_lake_tests.datasets.notes import NOTES
from nequi_lake_tests.fuzz.outcomes import came, logged, result_or_refusal

MAX_MEMBERS = 5
LIMITS = UnpackLimits(max_bytes=2**20, max_ratio=200, max_members=MAX_MEMBERS)
UTF_8 = 1 << 11
ENCRYPTED = 1
PATCHED = 1 << 5
_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")


class Kind(Enum):
    """What a member's name says of it."""

    WHOLE = auto()
    PART = auto()
    REFUSED = auto()
    OTHER = auto()
    NOTHING = auto()


NAMES: dict[bytes, Kind] = {
    b"notes.csv": Kind.WHOLE,
    b"data/2024/notes.csv": Kind.WHOLE,
    b"deep/" * 900 + b"notes.csv": Kind.WHOLE,
    b"notes.csv\0.txt": Kind.WHOLE,
    **{f"notes/part-{number}.csv".encode(): Kind.PART for number in range(3)},
    b"notes.csv/part-0.csv": Kind.PART,
    b"../notes.csv": Kind.REFUSED,
    b"a/../../notes.csv": Kind.REFUSED,
    b"a\\..\\..\\notes.csv": Kind.REFUSED,
    b"/notes.csv": Kind.REFUSED,
    b"/etc/passwd": Kind.REFUSED,
    b"C:\\notes.csv": Kind.REFUSED,
    b"NOTES.CSV": Kind.REFUSED,
    b"notes (1).csv": Kind.REFUSED,
    b"notes.csv.gz": Kind.REFUSED,
    b"notes.csv.zip": Kind.REFUSED,
    b"notes.zip": Kind.REFUSED,
    b"notes/part_1.csv": Kind.REFUSED,
    b"n" * 250 + b".csv": Kind.REFUSED,
    b"readme.txt": Kind.OTHER,
    b"inner.zip": Kind.OTHER,
    b"n\x94tes.csv": Kind.OTHER,
    b"n" * 250 + b".txt": Kind.OTHER,
    b"": Kind.NOTHING,
    b"notes.csv/": Kind.NOTHING,
    b"__MACOSX/._notes.csv": Kind.NOTHING,
    b".DS_Store": Kind.NOTHING,
}
"""Name of a member → what it says. A nested zip is a file like any other, and is not looked into."""
LIES = ("size is larger", "size is smaller", "size is smaller, and so is its checksum", "checksum", "method", "place")
"""What a zip may say of a member that is not so, for which a member that is read is refused."""
ODDITIES = ("packed size", "local name")
"""The same, of which some readers take notice and some do not."""
ODD_COMMENT = b"made by PK\5\6"
CONTENTS = (
    b"id,text\n1,a\n",
    b"id,text\n2,b\n3,c\n",
    b"id,text\n" + b"4,d\n" * 3000,
    b"PK\x03\x04 is no zip",
    b"\0" * 300_000,
)
_BOMB = len(CONTENTS) - 1


@dataclass(frozen=True)
class Member:
    """A member of a zip.

    Attributes:
        name: as it stands in the zip.
        content: number of its content.
        packed: whether it is deflated.
        flags: of its headers.
        lie: what of its headers is not so; nothing by default.
    """

    name: bytes
    content: int
    packed: bool = False
    flags: int = 0
    lie: str = ""

    @property
    def kind(self) -> Kind:
        """What its name says."""
        return NAMES[self.name]

    @property
    def bytes(self) -> bytes:
        """What was put in."""
        return b"" if self.name.endswith(b"/") else CONTENTS[self.content]


@dataclass(frozen=True)
class Archive:
    """A zip.

    Attributes:
        members: what is in it.
        before: bytes before it.
        comment: its comment.
        cut: the share of it that is gone at its end.
    """

    members: tuple[Member, ...]
    before: bytes = b""
    comment: bytes = b""
    cut: float = 0.0

    @property
    def content(self) -> bytes:
        """The file."""
        body, directory = self.before, b""
        for member in self.members:
            entry, local = _headers(member, len(body) - len(self.before))
            directory += entry
            body += local
        end = _END.pack(
            *(b"PK\5\6", 0, 0, len(self.members), len(self.members)),
            *(len(directory), len(body) - len(self.before), len(self.comment)),
        )
        whole = body + directory + end + self.comment
        return whole[: len(whole) - math.ceil(len(whole) * self.cut)]


def _headers(member: Member, place: int) -> tuple[bytes, bytes]:
    """The entry of a member in the directory, and the member with its local header."""
    content = member.bytes
    packer = zlib.compressobj(wbits=-15)
    stored = packer.compress(content) + packer.flush() if member.packed else content
    method, size, packed, checksum, local_name = (
        8 * member.packed,
        len(content),
        len(stored),
        zlib.crc32(content),
        member.name,
    )
    match member.lie:
        case "size is larger":
            size += 5
        case "size is smaller":
            size = max(size - 1, 0)
        case "size is smaller, and so is its checksum" if size:
            size, checksum = size - 1, zlib.crc32(content[:-1])
        case "checksum":
            checksum ^= 1
        case "method":
            method = 99
        case "place":
            place += 3
        case "packed size":
            packed += 7
        case "local name":
            local_name = member.name[:-1] + b"?"
    length = len(member.name)
    entry = _CENTRAL.pack(
        *(b"PK\1\2", 20, 20, member.flags, method, 0, 33, checksum, packed, size, length), 0, 0, 0, 0, 0, place
    )
    local = _LOCAL.pack(b"PK\3\4", 20, member.flags, method, 0, 33, checksum, packed, size, length, 0)
    return entry + member.name, local + local_name + stored


def is_refused(archive: Archive) -> bool | None:
    """Whether a zip must be refused; None where it may be."""
    members = archive.members
    data = [member for member in members if member.kind in (Kind.WHOLE, Kind.PART)]
    numbers = sorted(int(member.name[-5:-4]) for member in data if member.kind is Kind.PART)
    if (
        (archive.cut and not archive.comment)
        or len(members) > MAX_MEMBERS
        or any(member.kind is Kind.REFUSED for member in members)
        or any(member.flags & UTF_8 and not _is_utf_8(member.name) for member in members)
        or sum(len(member.bytes) for member in members) > LIMITS.max_ratio * len(archive.content)
        or not ((len(data) == 1 and data[0].kind is Kind.WHOLE) or (data and _are_all(data, numbers)))
        or any(member.lie in LIES or member.flags & (ENCRYPTED | PATCHED) for member in data)
    ):
        return True
    # What looks like the end of a zip may be taken for it, and a comment may be cut.
    is_odd = archive.comment == ODD_COMMENT or archive.cut or any(member.lie for member in members)
    return None if is_odd else False


def _are_all(data: Collection[Member], numbers: list[int]) -> bool:
    return all(member.kind is Kind.PART for member in data) and numbers in ([0], [1], [0, 1], [1, 2], [0, 1, 2])


def _is_utf_8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


_HARMLESS = [name for name, kind in NAMES.items() if kind in (Kind.OTHER, Kind.NOTHING)]
_PARTS = [name for name, kind in NAMES.items() if kind is Kind.PART]


def _members(names: st.SearchStrategy[bytes], flags: list[int], lies: list[str]) -> st.SearchStrategy[Member]:
    return st.builds(
        Member,
        name=names,
        content=st.sampled_from([0, 1, 2, 3, 0, 1, 2, _BOMB]),
        packed=st.booleans(),
        flags=st.sampled_from(flags),
        lie=st.sampled_from(lies),
    )


_SOUND = [0, 0, UTF_8], [""]
_ODD = [0, UTF_8, UTF_8, ENCRYPTED, PATCHED], ["", *LIES, *ODDITIES]
MEMBERS = st.one_of(
    _members(st.sampled_from(_HARMLESS), *_SOUND),
    _members(st.sampled_from(_HARMLESS), *_ODD),
    _members(st.sampled_from(list(NAMES)), *_SOUND),
)
DATA = st.one_of(
    *[_members(st.sampled_from([name]), *_SOUND).map(lambda one: [one]) for name in NAMES if NAMES[name] is Kind.WHOLE],
    *[st.tuples(*(_members(st.just(name), *_SOUND) for name in _PARTS[:count])).map(list) for count in (1, 2, 3)],
    _members(st.sampled_from([b"notes.csv"]), *_ODD).map(lambda one: [one]),
)
ARCHIVES = st.builds(
    lambda data, others, **facts: Archive((*data, *others), **facts),
    data=DATA,
    others=st.lists(MEMBERS, max_size=3),
    before=st.sampled_from([b"", b"", b"#!/bin/sh\nexit\n"]),
    comment=st.sampled_from([b""] * 6 + [b"made by hand", ODD_COMMENT]),
    cut=st.sampled_from([0.0] * 12 + [0.001, 0.3, 0.9, 1.0]),
)


def is_refused_or_whole(archive: Archive) -> None:
    """Fetch a delivery of this zip.

    Raises:
        AssertionError: a part is not what was put in, a member is left out without a word, or the zip is refused
            without reason, or not by name.
    """
    must = is_refused(archive)
    with tempfile.TemporaryDirectory() as name, logged() as messages:
        path, into = Path(name, "source", "notes", "notes.zip"), Path(name, "into")
        path.parent.mkdir(parents=True)
        into.mkdir()
        path.write_bytes(archive.content)
        source = FolderSource(str(path.parents[1]), limits=LIMITS)
        parts = result_or_refusal(lambda: source.fetch(NOTES, into))
        if isinstance(parts, NequiLakeError):
            came("odd zip: refused")
            assert must is not False, parts
            assert parts.fix
            assert str(path) in str(parts) or (str(path.parent) in str(parts) and "notes.csv" in str(parts))
            return
        came("odd zip: read")
        assert not must
        data = [member for member in archive.members if member.kind in (Kind.WHOLE, Kind.PART)]
        assert Counter((into / part.name).read_bytes() for part in parts) == Counter(member.bytes for member in data)
        assert sorted(p for p in into.rglob("*") if p.is_file()) == sorted(into / part.name for part in parts)
        said = "\n".join(messages)
        for member in archive.members:
            if member.kind is Kind.OTHER:
                assert member.name[:60].decode("utf-8" if member.flags & UTF_8 else "cp437") in said
