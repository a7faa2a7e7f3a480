"""The raw zone: every file as it came, under its version, with a manifest, never overwritten.

raw/<dataset>/version=<v>/<file>                   the bytes
raw/<dataset>/version=<v>/<file's stem>/part-*     the same, where the file came in parts
raw/<dataset>/version=<v>/<file>.manifest.json     where they came from, and what they are
raw/<dataset>/current.json                         which version is the newest whole one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.errors import RawZoneError
from nequi_lake.lake.storage import FileFacts, Storage
from nequi_lake.progress import blocks

MANIFEST = ".manifest.json"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a raw file, or the whole of it where it came so.

    Attributes:
        name: the name under which the lake keeps it, in the folder of its version.
        sha256, size_bytes: its content's hash, hexadecimal, and length.
        zip_sha256: hash of the zip that it was a member of, if it was one.
        records, lines: records and lines that the structure pass counted; 0 where the lake does not read the file.
        damaged: records that cannot be read, as the structure pass counted them; staging puts them aside.
        problems: the first of them: the line on which each begins, or None, and what is wrong with it.
        marked: whether it begins with a byte order mark, which readers of its format take for content.
    """

    name: str
    sha256: str
    size_bytes: int
    zip_sha256: str | None = None
    records: int = 0
    lines: int = 0
    damaged: int = 0
    problems: tuple[tuple[int | None, str], ...] = ()
    marked: bool = False

    @property
    def reads_as_it_is(self) -> bool:
        """Whether the engine can be given these bytes, and no mended copy."""
        return not (self.damaged or self.marked)


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What is known of a raw file.

    Attributes:
        dataset, file: which file it is; ``file`` is the name under which the dataset declares it.
        version: the dataset's version that it belongs to.
        source: where it came from, for a person.
        source_version: the source's own version number, if it has one.
        licence: the publisher's licence.
        whole: whether it can be read, but for its damaged records.
        parts: what it consists of, in order.
    """

    dataset: str
    file: str
    version: str
    source: str
    source_version: str | None
    licence: str
    whole: bool
    parts: tuple[Part, ...]

    @property
    def sha256(self) -> str:
        """The hash of its content, or of those of its parts."""
        hashes = {part.name: part.sha256 for part in self.parts}
        return hashes[self.file] if self.file in hashes else _hash_of(hashes)

    @property
    def size_bytes(self) -> int:
        """Its length."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def records(self) -> int:
        """Its records; the damaged ones are among them."""
        return sum(part.records for part in self.parts)

    @property
    def damaged(self) -> int:
        """Its records that cannot be read."""
        return sum(part.damaged for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class Fetched(_Facts):
    """A raw file that a source has delivered and the structure pass has seen: in ``folder`` on this machine's disk."""

    folder: Path


@dataclass(frozen=True, kw_only=True)
class KeptFile(_Facts):
    """A file in the raw zone, in ``folder``. All but that is in its manifest."""

    fetched_at: str
    folder: str

    def path_of(self, part: Part) -> str:
        """Where a part is."""
        return f"{self.folder}/{part.name}"

    @property
    def path(self) -> str:
        """Where it is, for a person: the file, or the folder of its parts."""
        return self.path_of(self.parts[0]) if len(self.parts) == 1 else self.path_of(self.parts[0]).rsplit("/", 1)[0]

    @property
    def offsets(self) -> Mapping[str, int]:
        """Part → the number, in the whole file, of its first record."""
        starts = accumulate((part.records for part in self.parts), initial=0)
        return {part.name: start for part, start in zip(self.parts, starts, strict=False)}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a local file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream, f"hashing {path.name}", path.stat().st_size):
            digest.update(block)
    return digest.hexdigest()


def content_version(hashes: Mapping[str, str]) -> str:
    """A version made of the files' content, for a source that has none: file name → SHA-256."""
    return _hash_of(hashes)[:12]


def _hash_of(hashes: Mapping[str, str]) -> str:
    listing = "".join(f"{name}\0{digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


class RawZone:
    """The raw files of the lake."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def keep(self, dataset: Dataset, file: Fetched | KeptFile) -> KeptFile:
        """Keep a file under its version, unless it is kept, and make the version current once it is complete and sound.

        Raises:
            RawZoneError: the version is kept already with other bytes.
        """
        kept = file if isinstance(file, KeptFile) else self._keep(dataset, file)
        self._make_current(dataset, file.version)
        return kept

    def _keep(self, dataset: Dataset, fetched: Fetched) -> KeptFile:
        facts = {name: value for name, value in vars(fetched).items() if name != "folder"}
        kept = KeptFile(
            **facts,
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
            folder=self._folder(dataset.name, fetched.version),
        )
        manifest = f"{kept.folder}/{kept.file}{MANIFEST}"
        if not self._storage.exists(manifest):
            # The manifest comes last: a file without one was never kept, and is written again.
            for part in kept.parts:
                self._storage.take(fetched.folder / part.name, kept.path_of(part))
            self._storage.write(manifest, _to_json(kept))
            return kept
        earlier = self._manifest(kept.folder, kept.file)
        if [(part.name, part.sha256) for part in earlier.parts] != [(part.name, part.sha256) for part in kept.parts]:
            raise RawZoneError(
                f"Version {fetched.version} of {fetched.file} is kept already, with other bytes.",
                where=earlier.path,
                fix="A kept version is never overwritten: ask the publisher for a new version.",
            )
        for part in self._lost(earlier):
            # What was kept is gone or cut short; these are the same bytes.
            self._storage.take(fetched.folder / part.name, kept.path_of(part))
        # What the structure pass has to say may change with the code where the bytes do not.
        seen = (replace(new, zip_sha256=old.zip_sha256) for new, old in zip(kept.parts, earlier.parts, strict=True))
        kept = replace(earlier, whole=kept.whole, parts=tuple(seen))
        if kept != earlier:
            self._storage.write(manifest, _to_json(kept))
        return kept

    def _lost(self, kept: KeptFile) -> list[Part]:
        """The parts that are not there as they were kept."""
        return [part for part in kept.parts if self._storage.size(kept.path_of(part)) != part.size_bytes]

    def whole_version(self, dataset: Dataset, version: str) -> dict[str, KeptFile]:
        """The files of a version, by name, if all of them are kept, sound, and there in full; otherwise none."""
        kept = {file.file: file for file in self._kept(dataset, version)}
        whole = len(kept) == len(dataset.files) and all(file.whole and not self._lost(file) for file in kept.values())
        return kept if whole else {}

    def never_kept(self, dataset: str) -> dict[str, FileFacts]:
        """The files, of any version, that no manifest names: what killed runs left, or what is being kept just now."""
        found = self._storage.files(self._storage.path("raw", dataset))
        manifests = [path for path in found if path.endswith(MANIFEST)]
        kept = [self._manifest(*path.removesuffix(MANIFEST).rsplit("/", 1)) for path in manifests]
        named = {*manifests, *(file.path_of(part) for file in kept for part in file.parts)}
        versions = self._folder(dataset, "")
        return {path: facts for path, facts in found.items() if path.startswith(versions) and path not in named}

    def current_version(self, dataset: str) -> str | None:
        """The newest version of which every file is kept and sound; None where there is none."""
        pointer = self._storage.path("raw", dataset, "current.json")
        if not self._storage.exists(pointer):
            return None
        return str(json.loads(self._storage.read(pointer))["version"])

    def source_of(self, dataset: Dataset, version: str, table: Relation) -> str | None:
        """Where the files of a version that feed ``table`` came from, for a person; None where they are not kept."""
        names = [file.name for file in dataset.files_of(table)]
        kept = (file for file in self._kept(dataset, version) if file.file in names)
        return ", ".join(dict.fromkeys(file.source for file in kept)) or None

    def file(self, dataset: str, file: str) -> KeptFile:
        """A file of the current version.

        Raises:
            RawZoneError: no version of the dataset is kept.
        """
        version = self.current_version(dataset)
        if version is None:
            raise RawZoneError(
                f"No version of {dataset} is kept in the raw zone.",
                where=self._storage.path("raw", dataset),
                fix=f"Fetch it first: nequi-lake run {dataset}",
            )
        kept = self._manifest(self._folder(dataset, version), file)
        lost = self._lost(kept)
        if lost:
            raise RawZoneError(
                f"{lost[0].name} is no longer as it was kept: {lost[0].size_bytes:,} bytes.",
                where=kept.path_of(lost[0]),
                fix=f"Fetch it again: nequi-lake run {dataset}",
            )
        return kept

    def newest(self, dataset: Dataset) -> dict[str, KeptFile]:
        """All files of the current version, by name.

        Raises:
            RawZoneError: no version of the dataset is kept, or a file of it is gone.
        """
        return {file.name: self.file(dataset.name, file.name) for file in dataset.files}

    def _make_current(self, dataset: Dataset, version: str) -> None:
        kept = list(self._kept(dataset, version))
        if len(kept) == len(dataset.files) and all(file.whole for file in kept):
            self._storage.write(
                self._storage.path("raw", dataset.name, "current.json"), json.dumps({"version": version}).encode()
            )

    def _kept(self, dataset: Dataset, version: str) -> Iterable[KeptFile]:
        for file in dataset.files:
            folder = self._folder(dataset.name, version)
            if self._storage.exists(f"{folder}/{file.name}{MANIFEST}"):
                yield self._manifest(folder, file.name)

    def _folder(self, dataset: str, version: str) -> str:
        return self._storage.path("raw", dataset, f"version={version}")

    def _manifest(self, folder: str, file: str) -> KeptFile:
        facts = json.loads(self._storage.read(f"{folder}/{file}{MANIFEST}"))
        if "parts" not in facts:
            # Written when a file was always one part, whose facts stood among the others.
            own = {field.name: facts.pop(field.name) for field in fields(Part) if field.name in facts}
            facts["parts"] = [{"name": file, **own}]
        for part in facts["parts"]:
            part["problems"] = tuple(map(tuple, part.get("problems", ())))
        facts["parts"] = tuple(Part(**part) for part in facts["parts"])
        return KeptFile(**facts, folder=folder)


def _to_json(kept: KeptFile) -> bytes:
    facts = {name: value for name, value in asdict(kept).items() if name != "folder"}
    return json.dumps(facts, indent=2).encode()
