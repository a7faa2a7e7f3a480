"""What changed since the release before: compared with the figures that its report left in its JSON.

A report's JSON carries the few figures of the release before too, so that making a report of the same release anew
compares with the same one, and not with itself.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace

import msgspec

from nequi_lake.profiling.profile import ColumnProfile
from nequi_lake.redaction import HIDDEN

log = logging.getLogger(__name__)

_SHOWN_VALUES = 10


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """What is kept of a column of an earlier release; as in :class:`ColumnProfile`."""

    column: str
    type: str
    missing_share: float
    distinct: int
    exact: bool
    min: str | None
    max: str | None
    mean: float | None
    values: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """What is kept of an earlier release of a table."""

    release: str
    snapshot_id: int
    raw_version: str
    published_at: str
    rows: int
    profile: list[ColumnFacts]


@dataclass(frozen=True, kw_only=True)
class _Written:
    """The part of a report's JSON that orders releases."""

    release: str
    before: ReleaseFacts | None = None


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


def facts_before(report: bytes | None, release: str, sensitive: Collection[str] = ()) -> ReleaseFacts | None:
    """The facts of the last release that is not ``release``, from the JSON of the report that is there.

    Args:
        report: that JSON; None where there is none.
        release: the release that is about to be reported.
        sensitive: the columns of which no value is to be shown, whatever the report that is there shows.
    """
    if report is None:
        return None
    try:
        written = msgspec.json.decode(report, type=_Written)
        before = written.before if written.release == release else msgspec.json.decode(report, type=ReleaseFacts)
    except msgspec.DecodeError as damage:
        log.warning("The report that is there cannot be read (%s); the new one compares with none.", damage)
        return None
    if before is None:
        return None
    return replace(before, profile=[_without_values(c) if c.column in sensitive else c for c in before.profile])


def _without_values(facts: ColumnFacts) -> ColumnFacts:
    shown = HIDDEN if facts.distinct else None
    return replace(facts, min=shown, max=shown, mean=None, values=None)


def changes(before: ReleaseFacts, rows: int, columns: Sequence[ColumnProfile]) -> Changes:
    """Hold a profile against the release before."""
    known = {column.column for column in columns}
    then = {column.column: column for column in before.profile}
    compared = [_change(then[c.column], c) for c in columns if c.column in then]
    changed = tuple(change for change in compared if change)
    return Changes(
        before=before,
        rows=(before.rows, rows),
        new_columns=tuple(c.column for c in columns if c.column not in then),
        gone_columns=tuple(name for name in then if name not in known),
        columns=changed,
        unchanged=len(compared) - len(changed),
    )


def _change(then: ColumnFacts, now: ColumnProfile) -> ColumnChange | None:
    was, known = set(then.values or ()), set(now.values or ())
    complete = then.values is not None and now.values is not None
    same_mean = then.mean is not None and now.mean is not None and math.isclose(then.mean, now.mean, rel_tol=1e-9)
    facts = ColumnFacts(**{field.name: getattr(now, field.name) for field in fields(ColumnFacts)})
    # Sums over the same rows in another order differ in their last digits.
    if replace(facts, mean=then.mean if same_mean else now.mean) == then:
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
