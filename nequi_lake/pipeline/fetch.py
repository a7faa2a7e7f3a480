"""Fetch: a dataset's raw files from its source, hashed and inspected, and the check of their structure.

The raw zone keeps what this returns; see ``RawZone.keep``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import AuditError, UsageError
from nequi_lake.formats import RawFile, Structure
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.catalog.housekeeping import remove_temporary_files
from nequi_lake.lake.check import Check, refusals
from nequi_lake.lake.deliveries import accumulated
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawFileVersion, RawPart, content_version, sha256_of
from nequi_lake.lake.read.reader import Lake
from nequi_lake.quality.structure import structure_check
from nequi_lake.sources import Source, unpack_limits
from nequi_lake.sources.delivery import refuse_repeats

log = logging.getLogger(__name__)


@contextmanager
def fetched_files(lake: Lake, dataset: Dataset, source: Source) -> Iterator[list[RawFileVersion]]:
    """Fetch a dataset's files for the time of the block, which holds the dataset's lock: :func:`fetch_dataset`.

    Raises:
        UsageError: the source is a sample, and the dataset has data from another one.
    """
    ensure_identity(lake.storage)
    with lake.storage.lock(dataset.name), lake.storage.scratch(dataset.name) as folder:
        zone = RawZone(lake.storage)
        if source.is_sample and not lake.settings.sample_replaces:
            _refuse_sample(dataset, zone)
        remove_temporary_files(dataset, lake.storage)
        yield fetch_dataset(dataset, source, zone, folder, unpack_limits(lake.settings))


def _refuse_sample(dataset: Dataset, zone: RawZone) -> None:
    """Check that a sample takes the place of nothing but a sample."""
    version = zone.current_version(dataset.name)
    kept = zone.files_of_version(dataset, version) if version else {}
    real = next((file for file in kept.values() if not file.is_sample), None)
    if real:
        raise UsageError(
            f"{dataset.name} has data from {real.source}; a sample does not take its place.",
            where=dataset.name,
            fix="Set NEQUI_LAKE_SOURCE to the source of the data. If the sample is meant: nequi-lake run "
            f"--replace-with-sample {dataset.name}",
        )


def fetch_and_keep(lake: Lake, dataset: Dataset, source: Source) -> list[RawFileVersion]:
    """Fetch a dataset's files and keep them in the raw zone; return them as kept.

    Raises:
        AuditError: a file's structure is refused. It is kept, but no table is made of this version.
    """
    with fetched_files(lake, dataset, source) as files:
        zone = RawZone(lake.storage)
        kept = [zone.keep(dataset, file) for file in files]
        refused = refusals(check for check in structure_checks(dataset, files).values() if check.refuses)
        if refused:
            raise AuditError("\n".join(refused), where=dataset.name)
        return kept


def fetch_dataset(
    dataset: Dataset, source: Source, zone: RawZone, folder: Path, limits: UnpackLimits | None = None
) -> list[RawFileVersion]:
    """Return the files of the source's version of a dataset, in the order of their declaration.

    They are in the raw zone where it has the version already, otherwise in ``folder``, an empty one of this machine.

    Raises:
        SourceError: the source cannot deliver a file.
        TransientError: the source broke off, or could not be reached.
    """
    if dataset.arrives == "increments":
        return accumulated(dataset, zone.storage, receive(dataset, source, folder, limits))
    return already_kept(dataset, source, zone) or receive(dataset, source, folder, limits)


def already_kept(dataset: Dataset, source: Source, zone: RawZone) -> list[RawFileVersion]:
    """Return the files of the source's version where the raw zone has it complete; none where it must be fetched."""
    version = source.version(dataset)
    kept = zone.complete_version(dataset, version) if version else {}
    if kept:
        log.info("%s: version %s of %s is kept already", dataset.name, version, source.describe())
    return list(kept.values())


def receive(dataset: Dataset, source: Source, folder: Path, limits: UnpackLimits | None = None) -> list[RawFileVersion]:
    """Fetch a dataset's files into ``folder``, hash and inspect them, and return which version they are."""
    log.info("%s: fetching from %s", dataset.name, source.describe())
    parts = _described(dataset, source.fetch(dataset, folder), folder, limits)
    refuse_repeats(dataset, parts)
    source_version = next((part.source_version for part in parts if part.source_version), None)
    version = source_version or content_version({part.name: part.sha256 for part in parts})
    fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
    found = []
    for file in dataset.files:
        own = tuple(part for part in parts if part.file == file.name)
        if not own and file.is_optional:
            log.info("%s/%s is not there, and need not be", dataset.name, file.name)
            continue
        structure = file.merge_structures({part.name: part.structure for part in own})
        found.append(
            RawFileVersion(
                dataset=dataset.name,
                file=file.name,
                version=version,
                readable=structure.is_readable(dataset.quarantine_limit(file, structure.records)),
                fetched_at=fetched_at,
                parts=own,
                folder=str(folder),
            )
        )
        _log_received(file, found[-1])
    return found


def structure_checks(dataset: Dataset, files: Iterable[RawFileVersion]) -> dict[str, Check]:
    """Return the check ``file_structure`` of each file, by the file's name, and log those that warn."""
    declared = {file.name: file for file in dataset.files}
    checks = {}
    for version in files:
        file = declared[version.file]
        structure = _structure_of_delivery(dataset, file, version) or file.merge_structures(version.structures)
        limit = dataset.quarantine_limit(file, structure.records)
        if dataset.hidden_fields(file):
            structure = structure.without_values()
        check = structure_check(f"{dataset.name}/{file.name}", structure, limit)
        if check.warns:
            log.warning("%s: %s warns: %s", check.subject, check.name, check.found)
        checks[file.name] = check
    return checks


def _structure_of_delivery(dataset: Dataset, file: RawFile, version: RawFileVersion) -> Structure | None:
    """The structure of what the version's own delivery added, where it is refused: among all others it may not be."""
    added = {part.name: part.structure for part in version.parts if part.kept_in == version.version}
    structure = file.merge_structures(added) if added else Structure()
    return None if structure.is_readable(dataset.quarantine_limit(file, structure.records)) else structure


def _described(dataset: Dataset, parts: list[RawPart], folder: Path, limits: UnpackLimits | None) -> list[RawPart]:
    """Return parts that a source has written into ``folder``, with hash, size, structure and licence."""
    declared = {file.name: file for file in dataset.files}
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Hashing keeps one core busy, and the structure pass another.
        hashing = [pool.submit(sha256_of, folder / part.name) for part in parts]
        structures = [declared[part.file].inspect(folder / part.name, limits) for part in parts]
        return [
            replace(
                part,
                sha256=digest.result(),
                size_bytes=(folder / part.name).stat().st_size,
                structure=structure,
                licence=part.licence or dataset.licence,
            )
            for part, digest, structure in zip(parts, hashing, structures, strict=True)
        ]


def _log_received(file: RawFile, version: RawFileVersion) -> None:
    content = f"{version.records:,} records in" if file.field_paths else "kept and not read,"
    size = f"{version.size_bytes:,} bytes" + (f" in {len(version.parts)} parts" if len(version.parts) > 1 else "")
    log.info("%s: %s, %s %s", version.dataset, file.name, content, size)
