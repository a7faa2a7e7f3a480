"""The raw zone: every file as it came, under its version, with a manifest, never overwritten.

raw/<dataset>/version=<v>/<file>                   the bytes
raw/<dataset>/version=<v>/<file>.manifest.json     where they came from, and what they are
raw/<dataset>/current.json                         which version is the newest whole one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import RawZoneError
from nequi_lake.lake.storage import Storage
from nequi_lake.progress import blocks

MANIFEST = ".manifest.json"
_SEEN = ("records", "lines", "whole", "damaged", "problems", "marked")
"""What the structure pass has to say, which may change with the code where the bytes do not."""


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What is known of a raw file.

    Attributes:
        dataset, file: which file it is; ``file`` is the name under which the lake keeps it.
        version: the dataset's version that it belongs to.
        sha256, size_bytes: its content's hash, hexadecimal, and length.
        source: where it came from, for a person.
        source_version: the source's own version number, if it has one.
        licence: the publisher's licence.
        zip_sha256: hash of the zip that it was a member of, if it was one.
        records, lines: records and lines that the structure pass counted; 0 where the lake does not read the file.
        whole: whether it can be read, but for its damaged records.
        damaged: records that cannot be read, as the structure pass counted them; staging puts them aside.
        problems: the first of them: the line on which each begins, or None, and what is wrong with it.
        marked: whether it begins with a byte order mark, which readers of its format take for content.
    """

    dataset: str
    file: str
    version: str
    sha256: str
    size_bytes: int
    source: str
    source_version: str | None
    licence: str
    zip_sha256: str | None
    records: int
    lines: int
    whole: bool
    damaged: int = 0
    problems: tuple[tuple[int | None, str], ...] = ()
    marked: bool = False

    @property
    def reads_as_it_is(self) -> bool:
        """Whether the engine can be given these bytes, and no mended copy."""
        return not (self.damaged or self.marked)


@dataclass(frozen=True, kw_only=True)
class Fetched(_Facts):
    """A raw file that a source has delivered and the structure pass has seen, on this machine's disk."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class KeptFile(_Facts):
    """A file in the raw zone, and where it is. All but ``path`` is in its manifest."""

    fetched_at: str
    path: str


def sha256_of(path: Path) -> str:
    """The SHA-256 of a local file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream, f"hashing {path.name}", path.stat().st_size):
            digest.update(block)
    return digest.hexdigest()


def content_version(hashes: Mapping[str, str]) -> str:
    """A version made of the files' content, for a source that has none: file name → SHA-256."""
    listing = "".join(f"{name}\0{digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(listing.encode()).hexdigest()[:12]


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
        folder = self._folder(dataset.name, fetched.version)
        path = f"{folder}/{fetched.file}"
        facts = {name: value for name, value in asdict(fetched).items() if name != "path"}
        kept = KeptFile(**facts, fetched_at=datetime.now(UTC).isoformat(timespec="seconds"), path=path)
        if self._storage.exists(path + MANIFEST):
            earlier = self._manifest(path)
            if earlier.sha256 != fetched.sha256:
                raise RawZoneError(
                    f"Version {fetched.version} of {fetched.file} is kept already, with other bytes.",
                    where=path,
                    fix="A kept version is never overwritten: ask the publisher for a new version.",
                )
            if self._storage.size(path) != earlier.size_bytes:
                # What was kept is gone or cut short; these are the same bytes.
                self._storage.take(fetched.path, path)
            seen = {name: facts[name] for name in _SEEN}
            kept = replace(earlier, **seen)
            if kept != earlier:
                self._storage.write(path + MANIFEST, _to_json(kept))
        else:
            # The manifest comes last: a file without one was never kept, and is written again.
            self._storage.take(fetched.path, path)
            self._storage.write(path + MANIFEST, _to_json(kept))
        return kept

    def whole_version(self, dataset: Dataset, version: str) -> dict[str, KeptFile]:
        """The files of a version, by name, if all of them are kept, sound, and there in full; otherwise none."""
        kept = {file.file: file for file in self._kept(dataset, version)}
        whole = len(kept) == len(dataset.files) and all(
            file.whole and self._storage.size(file.path) == file.size_bytes for file in kept.values()
        )
        return kept if whole else {}

    def current_version(self, dataset: str) -> str | None:
        """The newest version of which every file is kept and sound; None where there is none."""
        pointer = self._storage.path("raw", dataset, "current.json")
        if not self._storage.exists(pointer):
            return None
        return str(json.loads(self._storage.read(pointer))["version"])

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
        kept = self._manifest(f"{self._folder(dataset, version)}/{file}")
        if self._storage.size(kept.path) != kept.size_bytes:
            raise RawZoneError(
                f"{file} is no longer as it was kept: {kept.size_bytes:,} bytes.",
                where=kept.path,
                fix=f"Fetch it again: nequi-lake run {dataset}",
            )
        return kept

    def _make_current(self, dataset: Dataset, version: str) -> None:
        kept = list(self._kept(dataset, version))
        if len(kept) == len(dataset.files) and all(file.whole for file in kept):
            self._storage.write(
                self._storage.path("raw", dataset.name, "current.json"), json.dumps({"version": version}).encode()
            )

    def _kept(self, dataset: Dataset, version: str) -> Iterable[KeptFile]:
        for file in dataset.files:
            path = f"{self._folder(dataset.name, version)}/{file.name}"
            if self._storage.exists(path + MANIFEST):
                yield self._manifest(path)

    def _folder(self, dataset: str, version: str) -> str:
        return self._storage.path("raw", dataset, f"version={version}")

    def _manifest(self, path: str) -> KeptFile:
        facts = json.loads(self._storage.read(path + MANIFEST))
        facts["problems"] = tuple(map(tuple, facts.get("problems", ())))
        return KeptFile(**facts, path=path)


def _to_json(kept: KeptFile) -> bytes:
    facts = {name: value for name, value in asdict(kept).items() if name != "path"}
    return json.dumps(facts, indent=2).encode()
