"""How an older version is named: by a time, or by the first characters of a release's id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from nequi_lake.errors import CatalogError, UsageError

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset
    from nequi_lake.lake.catalog.catalog import LakeCatalog
    from nequi_lake.lake.release import ReleaseState

SHORTEST = 6
"""Characters of a release's id that name it, at least."""


def parse(as_of: datetime | str) -> datetime | str:
    """A time in a zone, or the beginning of a release's id.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(as_of, datetime):
        return as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", as_of):
        # A day means its end: what was published on it is part of it.
        try:
            return datetime.combine(date.fromisoformat(as_of), time.max, UTC)
        except ValueError:
            raise _unclear(as_of) from None
    if re.match(r"\d{4}-", as_of):
        try:
            return parse(datetime.fromisoformat(as_of))
        except ValueError:
            raise _unclear(as_of) from None
    if len(as_of) < SHORTEST or not as_of.isalnum():
        raise _unclear(as_of)
    return as_of


def find(catalog: LakeCatalog, dataset: Dataset, release: str) -> list[ReleaseState]:
    """The releases of the dataset, and of its marts, whose id begins with this; of one id, the newest complete one."""
    found: dict[str, ReleaseState] = {}
    for group in dataset.release_groups:
        for state in catalog.releases(dataset, group):
            known = found.get(state.release.id)
            if state.release.id.startswith(release) and not (known and known.complete):
                found[state.release.id] = state
    return list(found.values())


def resolve_single(matching: Sequence[tuple[str, ReleaseState]], release: str) -> tuple[str, ReleaseState]:
    """The one release among those that match, with its dataset.

    Raises:
        CatalogError: none or several do, or not every table of the dataset has it.
    """
    if not matching:
        raise CatalogError(
            f"There is no release {release}, or it is no longer kept.",
            fix="nequi-lake history DATASET.TABLE lists those that are kept.",
        )
    if len(matching) > 1:
        ids = ", ".join(f"{state.release.id} of {dataset}" for dataset, state in matching)
        raise CatalogError(f"Several releases begin with {release}.", where=ids, fix="Give more characters of the id.")
    (dataset, state) = matching[0]
    if not state.complete:
        raise CatalogError(
            f"Release {state.release.id} is not complete: not every table of {dataset} has it.",
            where=dataset,
            fix="nequi-lake history DATASET.TABLE lists which releases are complete.",
        )
    return dataset, state


def _unclear(as_of: str) -> UsageError:
    return UsageError(
        f"{as_of} is neither a time nor a release.",
        fix=f"Give a time such as 2026-01-31T18:00, in UTC; a day, which means its end; or {SHORTEST} or more "
        "characters of a release's id.",
    )
