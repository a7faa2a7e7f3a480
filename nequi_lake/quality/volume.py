"""The check ``volume``: is a relation about as large and as full as in the release before?

A file that lost most of its rows keeps every rule of the contract. Only the release before shows that something is
missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import PurePosixPath

from nequi_lake.datasets.checks import VOLUME
from nequi_lake.datasets.relation import Relation
from nequi_lake.formats import ShareLimit
from nequi_lake.lake.check import Check, read_record
from nequi_lake.lake.release import PublishedTable, StagedTable
from nequi_lake.lake.storage import StorageBackend

MISSING = "mean_missing_share"
_SHOWN = 5

Numbers = Mapping[str, int | float | str]


def volume_check(
    relation: Relation,
    staged: StagedTable,
    before: PublishedTable | None,
    missing_share: float,
    storage: StorageBackend,
    *,
    accepted: bool,
) -> Check:
    """Compare what is to be published with the release that readers see.

    Args:
        relation: its declaration, which says how much may change, and whether more than that is refused.
        staged: what is to be published, or is published and checked again.
        before: what readers see; None where it was never published.
        missing_share: mean share of missing values over the columns, 0 to 1.
        storage: where the lake is.
        accepted: whether a person said that a change is right.
    """
    numbers = {"rows": staged.rows, "partitions": len(_partitions(staged)), MISSING: missing_share}
    if isinstance(staged, PublishedTable):
        return _recorded(staged, storage) or _check(staged, "it is published already", numbers)
    if before is None:
        return _check(staged, "there is no release before to compare with", numbers)
    if before.release.is_sample != staged.release.is_sample:
        return _check(staged, "the release before came from another kind of source", numbers)
    problems = list(_problems(relation, staged, before, missing_share, _recorded(before, storage)))
    numbers["rows_before"] = before.rows
    if not problems:
        return _check(staged, f"{staged.rows:,} rows, {before.rows:,} in the release before", numbers)
    return Check(
        name=VOLUME,
        subject=staged.name,
        passed=False,
        warns=accepted or not relation.volume.blocks,
        found="; ".join(problems) + (" (accepted)" if accepted and relation.volume.blocks else ""),
        numbers=numbers,
        fix="Compare the raw files with those before. If the change is right, "
        f"nequi-lake run --accept-volume {staged.dataset} publishes it.",
    )


def _check(staged: StagedTable, found: str, numbers: Numbers) -> Check:
    return Check(name=VOLUME, subject=staged.name, passed=True, found=found, numbers=numbers)


def _recorded(published: PublishedTable, storage: StorageBackend) -> Check | None:
    """What the check found when a release was made."""
    record = read_record(storage, published.dataset, published.release.run_id, published.table)
    return next((check for check in record if check.name == VOLUME), None)


def _problems(
    relation: Relation, staged: StagedTable, before: PublishedTable, missing_share: float, recorded: Check | None
) -> Iterator[str]:
    limits = relation.volume
    gone_rows = before.rows - staged.rows
    if gone_rows > 0 and gone_rows > ShareLimit(limits.lost, floor=0).allowed(before.rows):
        lost = 1 - staged.rows / before.rows
        yield f"{staged.rows:,} rows where the release before has {before.rows:,}: {lost:.1%} are gone"
    if before.rows and staged.rows > before.rows * Decimal(str(limits.grown)):
        times = staged.rows / before.rows
        yield f"{staged.rows:,} rows where the release before has {before.rows:,}: {times:.1f} times"
    gone = sorted(_partitions(before) - _partitions(staged))
    if gone and len(gone) > ShareLimit(limits.partitions_lost, floor=0).allowed(len(_partitions(before))):
        more = f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else ""
        yield f"partitions are gone: {', '.join(gone[:_SHOWN])}{more}"
    missing_before = recorded.numbers.get(MISSING) if recorded else None
    if isinstance(missing_before, float | int) and missing_share > missing_before + limits.emptier:
        yield f"{missing_share:.1%} of all values are missing where {missing_before:.1%} were"


def _partitions(table: StagedTable) -> set[str]:
    folders = (PurePosixPath(path).parent.name for path in table.paths)
    return {folder for folder in folders if "=" in folder}
