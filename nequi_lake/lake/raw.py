"""The raw zone: every file as it came, under its version, with a manifest, never overwritten.

raw/<dataset>/version=<v>/<file>                   the bytes
raw/<dataset>/version=<v>/<file's stem>/part-*     the same, where the file came in parts
raw/<dataset>/version=<v>/<file>.manifest.json     where they came from, and what they are
raw/<dataset>/current.json                         which version is the newest one that is complete and readable
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import RawZoneError
from nequi_lake.lake.layout import raw_folder
from nequi_lake.lake.raw_file import RawFileVersion, RawPart
from nequi_lake.lake.storage import FileInfo, StorageBackend

MANIFEST = ".manifest.json"


class RawZone:
    """The raw files of the lake."""

    def __init__(self, storage: StorageBackend) -> None:
        self.storage = storage

    def keep(self, dataset: Dataset, file: RawFileVersion) -> RawFileVersion:
        """Upload a file from its local folder and write its manifest, unless it is kept already.

        Its version becomes the current one once all files of the dataset are kept and readable.

        Returns:
            The file as it is in the raw zone.

        Raises:
            RawZoneError: the version is kept already with other bytes.
        """
        is_kept = file.folder == self._folder(dataset.name, file.version)
        kept = file if is_kept else self._upload(dataset, file)
        self._make_current(dataset, file.version)
        return kept

    def newest(self, dataset: Dataset) -> dict[str, RawFileVersion]:
        """All files of the current version, by name, each present as it was kept.

        Raises:
            RawZoneError: no version of the dataset is kept, or a file of the current one is missing or changed.
        """
        version = self.current_version(dataset.name)
        fix = f"Fetch it: nequi-lake run {dataset.name}"
        if version is None:
            raise RawZoneError(
                f"No version of {dataset.name} is kept in the raw zone.",
                where=raw_folder(self.storage, dataset.name),
                fix=fix,
            )
        kept = self.files_of_version(dataset, version)
        for file in dataset.files:
            if file.name not in kept and not file.is_optional:
                folder = self._folder(dataset.name, version)
                raise RawZoneError(f"Version {version} of {dataset.name} has no {file.name}.", where=folder, fix=fix)
        for path, part in self._lost(dataset, version, kept).items():
            raise RawZoneError(
                f"{part.name} is no longer as it was kept: {part.size_bytes:,} bytes.", where=path, fix=fix
            )
        return kept

    def complete_version(self, dataset: Dataset, version: str) -> dict[str, RawFileVersion]:
        """All files of a version, by name; none unless every one is kept, readable, and present as it was kept."""
        kept = self.files_of_version(dataset, version)
        is_complete = _all_readable(dataset, kept) and not self._lost(dataset, version, kept)
        return kept if is_complete else {}

    def current_version(self, dataset: str) -> str | None:
        """The newest version of which every file is kept and readable; None where there is none."""
        pointer = f"{raw_folder(self.storage, dataset)}/current.json"
        if not self.storage.exists(pointer):
            return None
        return str(json.loads(self.storage.read(pointer))["version"])

    def files_of_version(self, dataset: Dataset, version: str) -> dict[str, RawFileVersion]:
        """The files of a version that have a manifest, by name, in the order of their declaration."""
        folder = self._folder(dataset.name, version)
        names = set(self.storage.list(folder))
        return {
            file.name: self._manifest(folder, file.name) for file in dataset.files if f"{file.name}{MANIFEST}" in names
        }

    def unlisted_files(self, dataset: str) -> dict[str, FileInfo]:
        """Return the files of all versions that no manifest names: left by killed runs, or being written now."""
        found = self.storage.files(raw_folder(self.storage, dataset))
        manifests = [path for path in found if path.endswith(MANIFEST)]
        kept = [self._manifest(*path.removesuffix(MANIFEST).rsplit("/", 1)) for path in manifests]
        named = {*manifests, *(file.path_of(part) for file in kept for part in file.parts)}
        versions = self._folder(dataset, "")
        return {path: facts for path, facts in found.items() if path.startswith(versions) and path not in named}

    def _upload(self, dataset: Dataset, file: RawFileVersion) -> RawFileVersion:
        kept = replace(file, folder=self._folder(dataset.name, file.version))
        if not self.storage.exists(_manifest_path(kept)):
            # The manifest comes last: a file without one was never kept, and is written again.
            self._upload_parts(file, kept, [part for part in kept.parts if part.kept_in in ("", kept.version)])
            self._write_manifest(kept)
            return kept
        earlier = self._manifest(kept.folder, kept.file)
        if [(part.name, part.sha256) for part in earlier.parts] != [(part.name, part.sha256) for part in kept.parts]:
            raise RawZoneError(
                f"Version {file.version} of {file.file} is kept already, with other bytes.",
                where=earlier.path,
                fix="A kept version is never overwritten: ask the publisher for a new version.",
            )
        # The kept copy may be missing or cut short; these are the same bytes.
        self._upload_parts(file, earlier, self._lost(dataset, file.version, {file.file: earlier}).values())
        # What the structure pass finds may change with the code where the bytes do not.
        parts = (replace(old, structure=new.structure) for old, new in zip(earlier.parts, kept.parts, strict=True))
        kept = replace(earlier, readable=kept.readable, parts=tuple(parts))
        if kept != earlier:
            self._write_manifest(kept)
        return kept

    def _upload_parts(self, file: RawFileVersion, kept: RawFileVersion, parts: Iterable[RawPart]) -> None:
        for part in parts:
            self.storage.upload(Path(file.path_of(part)), kept.path_of(part))

    def _lost(self, dataset: Dataset, version: str, kept: Mapping[str, RawFileVersion]) -> dict[str, RawPart]:
        """Path → part, of the parts that are missing or of another length than when they were kept."""
        versions = {part.kept_in or version for file in kept.values() for part in file.parts}
        present = {
            path: facts
            for each in versions
            for path, facts in self.storage.files(self._folder(dataset.name, each)).items()
        }
        parts = {file.path_of(part): part for file in kept.values() for part in file.parts}
        return {
            path: part
            for path, part in parts.items()
            if path not in present or present[path].size_bytes != part.size_bytes
        }

    def _make_current(self, dataset: Dataset, version: str) -> None:
        if _all_readable(dataset, self.files_of_version(dataset, version)):
            self.storage.write(
                f"{raw_folder(self.storage, dataset.name)}/current.json", json.dumps({"version": version}).encode()
            )

    def _folder(self, dataset: str, version: str) -> str:
        return f"{raw_folder(self.storage, dataset)}/version={version}"

    def _manifest(self, folder: str, file: str) -> RawFileVersion:
        content = self.storage.read(f"{folder}/{file}{MANIFEST}")
        return replace(msgspec.json.decode(content, type=RawFileVersion), folder=folder)

    def _write_manifest(self, kept: RawFileVersion) -> None:
        content = msgspec.to_builtins(kept)
        del content["folder"]
        self.storage.write(_manifest_path(kept), json.dumps(content, indent=2).encode())


def _manifest_path(kept: RawFileVersion) -> str:
    return f"{kept.folder}/{kept.file}{MANIFEST}"


def _all_readable(dataset: Dataset, kept: Mapping[str, RawFileVersion]) -> bool:
    needed = {file.name for file in dataset.files if not file.is_optional}
    return needed <= kept.keys() and all(file.readable for file in kept.values())
