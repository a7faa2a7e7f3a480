"""A dataset's tables: staged from the newest kept raw version in one pass, audited together, published one by one."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nequi_lake.datasets.checks import COLUMNS_AND_TYPES, FOREIGN_KEYS, UNIQUE_KEY
from nequi_lake.datasets.sensitive import HashKey
from nequi_lake.datasets.spec import Dataset
from nequi_lake.datasets.trial import refuse_draft, try_out
from nequi_lake.engines.contradictions import find_contradictions
from nequi_lake.engines.files import discard
from nequi_lake.engines.fingerprint import release_id
from nequi_lake.engines.polars import stage
from nequi_lake.lake.catalog.housekeeping import remove_orphans
from nequi_lake.lake.check import Check
from nequi_lake.lake.hash_key import hash_key_of
from nequi_lake.lake.layout import ensure_identity
from nequi_lake.lake.raw import RawZone
from nequi_lake.lake.raw_file import RawFileVersion
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.release import PublishedTable, Release
from nequi_lake.pipeline.publish import EVERYTHING, Selection, Staged, StagedGroup, StagePlan, attempt_id, stage_group
from nequi_lake.quality.audit import audit

log = logging.getLogger(__name__)
_BUCKET = "s3://"


@contextmanager
def stage_tables(
    lake: Lake,
    dataset: Dataset,
    run_id: str,
    *,
    selection: Selection = EVERYTHING,
    fetched: str | None = None,
    is_trial: bool = False,
) -> Iterator[StagedGroup]:
    """Stage and audit a dataset's tables; holds the dataset's lock for the time of the block.

    The raw version is resolved here, under the lock, once: the newest that is kept, whatever a run fetched before.

    Args:
        lake: the lake.
        dataset: whose tables.
        run_id: the run that does it.
        selection: which of the tables to publish or check.
        fetched: the version that the run fetched, to say where a newer one is staged.
        is_trial: whether a draft of a declaration will do.

    Raises:
        DeclarationError: the declaration cannot be used.
        UsageError: values are to be hashed, and there is no key for it.
        RawZoneError: no version of the dataset is kept, or a file of it is missing.
        StageError: the engine could not read or write a file.
    """
    try_out(dataset)
    if not is_trial:
        refuse_draft(dataset)
    hash_key = hash_key_of(dataset, lake.settings)
    ensure_identity(lake.storage)
    with lake.storage.lock(dataset.name) as lock:
        superseding = remove_orphans(dataset, lake.catalog, lake.storage)
        files = RawZone(lake.storage).newest(dataset)
        version = next(iter(files.values())).version
        if fetched not in (None, version):
            log.warning(
                "%s: staging raw version %s, which is newer than %s that this run fetched",
                dataset.name,
                version,
                fetched,
            )
        release = Release(
            id=release_id(dataset, files.values(), hash_key),
            run_id=attempt_id(run_id),
            raw_version=version,
            tables=tuple(table.name for table in dataset.tables),
            source=_source_of(files.values()),
            is_sample=any(file.is_sample for file in files.values()),
            hash_key=hash_key.id if hash_key else "",
        )
        yield stage_group(
            lake,
            dataset,
            dataset.release_groups[0],
            release,
            selection,
            lock,
            title=dataset.name,
            stage_and_audit=lambda plan: _stage_and_audit(lake, dataset, files, plan, hash_key),
            superseding=superseding,
        )


def _source_of(files: Iterable[RawFileVersion]) -> str:
    """Where the files came from: their source, or the folder that all of them lie in."""
    sources = sorted({file.source for file in files})
    if len(sources) > 1 and all(source.startswith(_BUCKET) for source in sources):
        return _BUCKET + posixpath.commonpath([source.removeprefix(_BUCKET) for source in sources])
    in_folder = len(sources) > 1 and all(Path(source).is_absolute() for source in sources)
    return os.path.commonpath(sources) if in_folder else ", ".join(sources)


def publish_tables(lake: Lake, dataset: Dataset, run_id: str) -> dict[str, PublishedTable]:
    """Stage, audit and publish a dataset's tables from the newest raw version; relation name → what readers see.

    Raises:
        AuditError: a check failed, so nothing was published.
    """
    with stage_tables(lake, dataset, run_id) as staged:
        return staged.commit_all()


def _stage_and_audit(
    lake: Lake, dataset: Dataset, files: Mapping[str, RawFileVersion], plan: StagePlan, hash_key: HashKey | None
) -> tuple[Staged, list[Check]]:
    """Stage the missing tables, and audit them with the kept ones.

    Where rows contradict each other, refer to none, or break a rule, the records behind them are looked for, and the
    tables are staged again without them. Where only some tables are staged, contradictions in the others would go
    unseen, so the search comes first.
    """
    names: Collection[str] = plan.missing
    if not names:
        return {}, audit(dataset, plan.kept, plan.current, lake.storage, plan.before)
    release = plan.release
    found = find_contradictions(dataset, files, lake.storage) if len(names) < len(dataset.tables) else None
    while True:
        log.info("%s: staging %s", dataset.name, ", ".join(names))
        limit = lake.settings.max_partitions
        staged = stage(dataset, files, names, release, lake.storage, found, max_partitions=limit, hash_key=hash_key)
        try:
            log.info("%s: auditing %s", dataset.name, ", ".join([*plan.kept, *staged]))
            checks = audit(dataset, {**plan.kept, **staged}, plan.current, lake.storage, plan.before)
            if found is not None or all(check.passed for check in checks if check.name in _BY_CONTRADICTIONS):
                return staged, checks
            log.info("%s: looking for the records behind rows that cannot be published", dataset.name)
            found = find_contradictions(dataset, files, lake.storage)
            if not found:
                return staged, checks
        except BaseException:
            discard(dataset, staged, lake.storage)
            raise
        discard(dataset, staged, lake.storage)
        release = replace(release, run_id=attempt_id(release.run_id.rsplit("-", 1)[-1]))


_BY_CONTRADICTIONS = frozenset({UNIQUE_KEY, FOREIGN_KEYS, COLUMNS_AND_TYPES})
"""Checks that fail where records contradict each other, refer to none, or give a row that breaks its contract."""
