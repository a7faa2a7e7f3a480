"""Turns what the other layers report into Dagster's words: check results, and failures without a bare traceback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dagster as dg

from nequi_lake.errors import NequiLakeError
from nequi_lake.quality.check import Check


@contextmanager
def as_failure() -> Iterator[None]:
    """Raise a :class:`NequiLakeError` of the block as a failure that says the same, and that no retry would cure."""
    try:
        yield
    except NequiLakeError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def check_result(check: Check, key: dg.AssetKey) -> dg.AssetCheckResult:
    """A check as Dagster records it."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=check.passed,
        description=check.found,
        metadata={**check.numbers, **({} if check.passed else {"to do": check.fix})},
    )


def refuse(failed: Iterable[Check], unharmed: str) -> dg.Failure:
    """The failure of a run whose checks failed: what, where, and what to do, check by check."""
    lines = []
    for check in failed:
        lines += [f"{check.subject} fails {check.name}: {check.found}", f"  to do: {check.fix}"]
    return dg.Failure(description="\n".join([*lines, unharmed]), allow_retries=False)
