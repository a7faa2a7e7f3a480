"""Alerts: what to look at first in a table, found in its profile, the most important first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Relation
from nequi_lake.lake.check import Check
from nequi_lake.lake.release import PublishedTable
from nequi_lake.profiling.numbers import NAMES, count_text, cut, extreme_text, number_text, share_text
from nequi_lake.profiling.profile import ColumnProfile

_NEAR_LIMIT = 0.9
_MOSTLY = 0.5
_DOMINATES = 0.95
_SKEWED = 5.0
_OUTLIER = 10.0
"""Interquartile ranges beyond a quartile from which an extreme value is called an outlier."""
_MANY = 1_000


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something to look at.

    Attributes:
        kind: what it is, one word or two.
        serious: whether it is a reason to act, not only to know.
        text: what was found, with its figures.
        columns: the columns that it is about, with the figure of each; none where it is about the table.
    """

    kind: str
    serious: bool
    text: str
    columns: tuple[tuple[str, str], ...] = ()


def alerts(
    table: Relation, published: PublishedTable, columns: Sequence[ColumnProfile], checks: Sequence[Check] = ()
) -> list[Alert]:
    """The alerts of a published table, the serious ones first; one for all columns that have the same."""
    found = []
    account = published.accounting
    if not published.rows:
        found.append(Alert(kind="No rows", serious=True, text="The table has no rows."))
    if account.quarantined:
        share = account.quarantined / account.raw_records if account.raw_records else 0.0
        found.append(
            Alert(
                kind="Quarantined",
                serious=True,
                text=f"{count_text(account.quarantined)} of {count_text(account.raw_records)} raw records "
                f"({share_text(share)}) were put aside. To see which, and why: nequi-lake quarantine {published.name}",
            )
        )
    for check in checks:
        if check.warns:
            found.append(Alert(kind=check.name.replace("_", " ").capitalize(), serious=True, text=check.found))
    if published.rows:
        for kind, serious, text, look in _LOOKS:
            figures = [(c.column, figure) for c in columns if (figure := look(c, table.columns[c.column]))]
            if figures:
                found.append(Alert(kind=kind, serious=serious, text=text, columns=tuple(figures)))
    return sorted(found, key=lambda alert: not alert.serious)


def _over_limit(column: ColumnProfile, declared: Column) -> str | None:
    if not declared.missing_limit.is_kept(column.missing, column.missing + column.count):
        return f"{share_text(column.missing_share)} of at most {share_text(column.null_limit)}"
    return None


def _near_limit(column: ColumnProfile, _: Column) -> str | None:
    # A limit above that declares that most values are missing: how many more could be is no news.
    if column.null_limit <= _MOSTLY and _NEAR_LIMIT * column.null_limit < column.missing_share <= column.null_limit:
        return f"{share_text(column.missing_share)} of at most {share_text(column.null_limit)}"
    return None


def _empty(column: ColumnProfile, _: Column) -> str | None:
    return "no value" if not column.count else None


def _mostly_missing(column: ColumnProfile, _: Column) -> str | None:
    return share_text(column.missing_share) if _MOSTLY < column.missing_share < 1 else None


def _constant(column: ColumnProfile, declared: Column) -> str | None:
    if declared.sensitive:
        return None
    return f"always {_shown(column.min or '', column)}" if column.distinct == 1 and column.count > 1 else None


def _shown(value: str, column: ColumnProfile) -> str:
    return cut(value, 40) if column.mean is None else extreme_text(value, column.unit)


def _dominated(column: ColumnProfile, _: Column) -> str | None:
    # Counts of a part of the rows are not compared with those of all.
    if column.distinct < 2 or not column.top or not column.exact:
        return None
    value, times = column.top[0]
    share = times / column.count
    return f"{_shown(value, column)} in {share_text(share)}" if share > _DOMINATES else None


def _outliers(column: ColumnProfile, declared: Column) -> str | None:
    spread = (column.q75 or 0.0) - (column.q25 or 0.0)
    if column.q25 is None or column.q75 is None or not spread or _is_name(column, declared):
        return None
    low, high = float(column.min or 0), float(column.max or 0)
    above, below = (high - column.q75) / spread, (column.q25 - low) / spread
    if max(above, below) < _OUTLIER:
        return None
    extreme = high if above >= below else low
    return f"{number_text(extreme, column.unit)}, beside a median of {number_text(column.median, column.unit)}"


def _skewed(column: ColumnProfile, declared: Column) -> str | None:
    if column.skew is None or abs(column.skew) < _SKEWED or _is_name(column, declared):
        return None
    return f"skew {column.skew:+.1f}"


def _many_values(column: ColumnProfile, declared: Column) -> str | None:
    if declared.dtype.is_numeric() or _is_name(column, declared) or column.distinct < _MANY:
        return None
    if column.longest is None or (column.mean_length or 0) > 60:
        return None
    return f"{'' if column.exact else '≈ '}{count_text(column.distinct)} values"


def _blank(column: ColumnProfile, _: Column) -> str | None:
    return count_text(column.blank) if column.blank else None


def _is_name(column: ColumnProfile, declared: Column) -> bool:
    return column.unit in NAMES or declared.is_key or bool(declared.references or declared.sensitive)


_Look = Callable[[ColumnProfile, Column], str | None]
_LOOKS: tuple[tuple[str, bool, str, _Look], ...] = (
    ("Over its limit", True, "Misses more values than the contract admits.", _over_limit),
    ("Near its limit", True, "Misses almost as many values as the contract admits.", _near_limit),
    ("Empty", True, "Has no value at all.", _empty),
    ("Constant", False, "Has the same value in every row that has one.", _constant),
    ("Mostly missing", False, "Is missing in more than half of the rows.", _mostly_missing),
    ("One value prevails", False, "One value makes up more than 95 % of those that are there.", _dominated),
    ("Outliers", False, "The min or max lies far from the rest. It may be real.", _outliers),
    ("Skewed", False, "A mean says little of it: prefer the median.", _skewed),
    ("High cardinality", False, "Text with very many distinct values: group it before counting by it.", _many_values),
    ("Blank text", False, "Texts of nothing but white space, which are no missing values.", _blank),
)
