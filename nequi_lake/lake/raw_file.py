"""A raw file from its arrival to its manifest: one value per part, and one per version of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from nequi_lake.formats import Structure
from nequi_lake.progress import blocks

SAMPLE_LICENCE = "none: a sample, made up on this machine"


@dataclass(frozen=True, kw_only=True)
class RawPart:
    """A part of a raw file, or all of it where it came in one piece.

    A source makes it without hash, size and structure, which are added once the bytes are on this machine's disk.

    Attributes:
        file: the name under which the dataset declares the file.
        name: the name under which the lake keeps the part, in the folder of its version; ``file`` for the only part.
        source: where it came from, human-readable.
        source_version: the source's own version of the dataset, if it has one.
        licence: the licence that the source reports; once it is fetched, otherwise the dataset's.
        zip_sha256: hash of the zip that it was a member of, if it was one.
        is_sample: whether it was made up on this machine.
        sha256: its content's hash, hexadecimal.
        size_bytes: its length.
        structure: what the structure pass found.
        delivery: the number of the delivery that brought it, where the dataset arrives in increments; else 0.
        delivered_at: when that was, ISO 8601, UTC.
        kept_in: the version in whose folder it is, where that is not the one of its file.
    """

    file: str
    name: str
    source: str
    source_version: str | None = None
    licence: str | None = None
    zip_sha256: str | None = None
    is_sample: bool = False
    sha256: str = ""
    size_bytes: int = 0
    structure: Structure = field(default_factory=Structure)
    delivery: int = 0
    delivered_at: str = ""
    kept_in: str = ""


@dataclass(frozen=True, kw_only=True)
class RawFileVersion:
    """A raw file as it is in one version of its dataset. Its manifest in the raw zone has all of it but ``folder``.

    Attributes:
        dataset, file: which file it is; ``file`` is the name under which the dataset declares it.
        version: the version of the dataset.
        readable: whether tables can be made of it: its damaged records, if any, are within the limit.
        fetched_at: when it was fetched, ISO 8601, UTC.
        parts: its parts, in order.
        folder: where the parts are: a folder on this machine's disk until it is kept, then one of the raw zone.
    """

    dataset: str
    file: str
    version: str
    readable: bool
    fetched_at: str
    parts: tuple[RawPart, ...]
    folder: str = ""

    def path_of(self, part: RawPart) -> str:
        """The path of a part."""
        if part.kept_in in ("", self.version):
            return f"{self.folder}/{part.name}"
        return f"{self.folder.removesuffix(self.version)}{part.kept_in}/{part.name}"

    @property
    def path(self) -> str:
        """The path of the file, or of the folder of its parts, for messages."""
        return self.path_of(self.parts[0]) if len(self.parts) == 1 else self.path_of(self.parts[0]).rsplit("/", 1)[0]

    @property
    def source(self) -> str:
        """Where it came from, human-readable."""
        return self.parts[0].source

    @property
    def is_sample(self) -> bool:
        """Whether it was made up on this machine."""
        return any(part.is_sample for part in self.parts)

    @property
    def source_version(self) -> str | None:
        """The source's own version of the dataset, if it has one."""
        return self.parts[0].source_version

    @property
    def licence(self) -> str:
        """The publisher's licence."""
        return self.parts[0].licence or ""

    @property
    def sha256(self) -> str:
        """The hash of its content; of several parts, of their names and hashes."""
        hashes = {part.name: part.sha256 for part in self.parts}
        return hashes[self.file] if hashes.keys() == {self.file} else _hash_of(hashes)

    @property
    def size_bytes(self) -> int:
        """Its length."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def records(self) -> int:
        """Its records, damaged ones included."""
        return sum(part.structure.records for part in self.parts)

    @property
    def damaged(self) -> int:
        """Its records that cannot be read."""
        return sum(part.structure.damaged for part in self.parts)

    @property
    def structures(self) -> Mapping[str, Structure]:
        """Part name → its structure, in order."""
        return {part.name: part.structure for part in self.parts}

    @property
    def offsets(self) -> Mapping[str, int]:
        """Part name → the number, in the whole file, of its first record."""
        starts = accumulate((part.structure.records for part in self.parts), initial=0)
        return {part.name: start for part, start in zip(self.parts, starts, strict=False)}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a local file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream, f"hashing {path.name}", path.stat().st_size):
            digest.update(block)
    return digest.hexdigest()


def content_version(hashes: Mapping[str, str]) -> str:
    """A version made of the files' content, for a source that has no versions: file name → SHA-256."""
    return _hash_of(hashes)[:12]


def _hash_of(hashes: Mapping[str, str]) -> str:
    listing = "".join(f"{name}\0{digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(listing.encode()).hexdigest()
