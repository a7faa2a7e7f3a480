"""What changed since the release before: held against the figures that its report left in its JSON.

A report's JSON carries the few figures of the release before too, so that making a report of the same release anew
compares with the same one, and not with itself.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from nequi_lake.profiling.profile import ColumnProfile

log = logging.getLogger(__name__)

_SHOWN_VALUES = 10


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """What is kept of a column of an earlier release; as in :class:`ColumnProfile`."""

    type: str
    missing_share: float
    distinct: int
    exact: bool
    min: str | None
    max: str | None
    mean: float | None
    values: list[str] | None


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """What is kept of an earlier release of a table."""

    release: str
    snapshot_id: int
    raw_version: str
    published_at: str
    rows: int
    columns: dict[str, ColumnFacts]


@dataclass(frozen=True, kw_only=True)
class ColumnChange:
    """What changed in a column: pairs of before and now; values that are new or gone, where all are known."""

    column: str
    missing_share: tuple[float, float]
    distinct: tuple[int, int]
    mean: tuple[float, float] | None
    extremes: tuple[tuple[str | None, str | None], tuple[str | None, str | None]]
    new_values: tuple[str, ...] = ()
    gone_values: tuple[str, ...] = ()
    retyped: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed since the release ``before``."""

    before: ReleaseFacts
    rows: tuple[int, int]
    new_columns: tuple[str, ...]
    gone_columns: tuple[str, ...]
    columns: tuple[ColumnChange, ...]
    unchanged: int


def facts_before(report: bytes | None, release: str) -> ReleaseFacts | None:
    """The facts of the last release that is not ``release``, from the JSON of the report that is there.

    Args:
        report: that JSON; None where there is none.
        release: the release that is about to be reported.
    """
    if report is None:
        return None
    try:
        told = json.loads(report)
        if told["release"] == release:
            return _facts(told["before"]) if told.get("before") else None
        return _facts({**told, "columns": {column["column"]: column for column in told["profile"]}})
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        log.warning("The report that is there cannot be read (%s); the new one compares with none.", damage)
        return None


def changes(before: ReleaseFacts, rows: int, columns: Sequence[ColumnProfile]) -> Changes:
    """Hold a profile against the release before."""
    known = {column.column for column in columns}
    compared = [_change(before.columns[c.column], c) for c in columns if c.column in before.columns]
    changed = tuple(change for change in compared if change)
    return Changes(
        before=before,
        rows=(before.rows, rows),
        new_columns=tuple(c.column for c in columns if c.column not in before.columns),
        gone_columns=tuple(name for name in before.columns if name not in known),
        columns=changed,
        unchanged=len(compared) - len(changed),
    )


def _change(then: ColumnFacts, now: ColumnProfile) -> ColumnChange | None:
    was, known = set(then.values or ()), set(now.values or ())
    complete = then.values is not None and now.values is not None
    same_mean = then.mean is not None and now.mean is not None and math.isclose(then.mean, now.mean, rel_tol=1e-9)
    # Sums over the same rows in another order differ in their last digits.
    if replace(_facts_of_column(asdict(now)), mean=then.mean if same_mean else now.mean) == then:
        return None
    return ColumnChange(
        column=now.column,
        missing_share=(then.missing_share, now.missing_share),
        distinct=(then.distinct, now.distinct),
        mean=(then.mean, now.mean) if then.mean is not None and now.mean is not None else None,
        extremes=((then.min, then.max), (now.min, now.max)),
        new_values=tuple(sorted(known - was)[:_SHOWN_VALUES]) if complete else (),
        gone_values=tuple(sorted(was - known)[:_SHOWN_VALUES]) if complete else (),
        retyped=(then.type, now.type) if then.type != now.type else None,
    )


def _facts(told: Mapping[str, Any]) -> ReleaseFacts:
    return ReleaseFacts(
        release=str(told["release"]),
        snapshot_id=int(told["snapshot_id"]),
        raw_version=str(told["raw_version"]),
        published_at=str(told["published_at"]),
        rows=int(told["rows"]),
        columns={name: _facts_of_column(column) for name, column in told["columns"].items()},
    )


def _facts_of_column(told: Mapping[str, Any]) -> ColumnFacts:
    # What an older version of the lake did not write is None.
    facts: dict[str, Any] = {field.name: told.get(field.name) for field in fields(ColumnFacts)}
    return ColumnFacts(**{**facts, "missing_share": float(told["missing_share"]), "distinct": int(told["distinct"])})
