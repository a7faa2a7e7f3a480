"""The profiling report of a table: one page that opens without a network, and the same as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from nequi_lake.datasets.spec import Relation
from nequi_lake.lake.check import Check
from nequi_lake.lake.export.write import escape_formula
from nequi_lake.lake.read.table import LakeTable
from nequi_lake.profiling import charts
from nequi_lake.profiling.alerts import Alert, alerts
from nequi_lake.profiling.changes import Changes, changes, facts_before
from nequi_lake.profiling.numbers import NAMES
from nequi_lake.profiling.pages import page
from nequi_lake.profiling.profile import ColumnProfile, profile_frame
from nequi_lake.profiling.spread import CORRELATED_ROWS

_PAIRS = 15
_STRONG = 0.5
_OF_QUANTITY = 5
"""Most frequent values that the page shows of a quantity with many."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report, before it is written.

    Attributes:
        table: the declaration of the table.
        overview: the facts of the release, as they are in the JSON.
        columns: the profile.
        checks: what the contract's checks found of this release; none where that is not recorded.
        alerts: what to look at first.
        changes: what changed since the release before; None where this is the first.
    """

    table: Relation
    overview: Mapping[str, Any]
    columns: Sequence[ColumnProfile]
    checks: Sequence[Check]
    alerts: Sequence[Alert]
    changes: Changes | None

    @property
    def missing_share(self) -> float:
        """Share of all cells, 0 to 1, that have no value."""
        cells = self.overview["rows"] * len(self.columns)
        return sum(column.missing for column in self.columns) / cells if cells else 0.0

    def files(self) -> dict[str, bytes]:
        """The report as file ending → content: ``html``, ``csv`` and ``json``."""
        return {"html": self._html(), "csv": self._csv(), "json": self._json()}

    def _html(self) -> bytes:
        matrix = {column.column: column.correlations for column in self.columns if column.correlations}
        pairs = sorted(
            (
                (one, other, found)
                for one, others in matrix.items()
                for other, found in others.items()
                if one < other and abs(found) >= _STRONG
            ),
            key=lambda pair: -abs(pair[2]),
        )
        shown = [
            {
                **{name: getattr(column, name) for name in column.__dataclass_fields__},
                "dated": self.table.published[column.column].dtype in (pl.Date, pl.Datetime),
                "numeric": self.table.published[column.column].dtype.is_numeric(),
                "whole": self.table.published[column.column].dtype.is_integer(),
                "names": column.unit in NAMES,
                "frequent": (frequent := _frequent(column)),
                "other": column.counted - sum(times for _, times in frequent),
            }
            for column in self.columns
        ]
        return page(
            "report.html.jinja",
            table=self.table,
            overview=self.overview,
            columns=shown,
            checks=self.checks,
            alerts=self.alerts,
            changes=self.changes,
            missing_share=self.missing_share,
            spread=next((column.histogram for column in self.columns if column.histogram), None),
            matrix=charts.correlations(list(matrix), charts.symmetric(matrix)) if matrix else None,
            pairs=pairs[:_PAIRS],
            correlated_rows=min(CORRELATED_ROWS, self.overview["rows"]),
            sample=list(zip(*(column.sample for column in self.columns), strict=True)),
        )

    def _json(self) -> bytes:
        content = {
            **self.overview,
            "missing_share": self.missing_share,
            "checks": self.checks,
            "alerts": self.alerts,
            "before": self.changes.before if self.changes else None,
            "profile": self.columns,
        }
        return msgspec.json.format(msgspec.json.encode(content), indent=1)

    def _csv(self) -> bytes:
        frame = profile_frame(self.columns).drop(columns="profile")
        top = [json.dumps(column.top, ensure_ascii=False) for column in self.columns]
        frame.insert(list(frame).index("skew"), "top", top)
        text = io.StringIO()
        frame.map(escape_formula).to_csv(text, index=False, quoting=csv.QUOTE_NONNUMERIC)
        return text.getvalue().encode()


def report(
    table: LakeTable,
    profile: Sequence[ColumnProfile],
    *,
    checks: Sequence[Check],
    earlier: bytes | None,
) -> Report:
    """Make a table's report.

    Args:
        table: the published table that was profiled.
        profile: its statistics, as :func:`nequi_lake.profiling.profile.profile` gives them.
        checks: what the contract's checks found of its release.
        earlier: the JSON of the report that is there; None where there is none.
    """
    before = facts_before(earlier, table.published.release.id, table.table.sensitive_columns)
    return Report(
        table=table.table,
        overview=_overview(table),
        columns=profile,
        checks=checks,
        alerts=alerts(table.table, table.published, profile, checks),
        changes=changes(before, table.published.rows, profile) if before else None,
    )


def _frequent(column: ColumnProfile) -> Sequence[tuple[str, int]]:
    """The most frequent values that the page shows: fewer of a quantity, whose histogram says more."""
    measured = column.mean is not None and column.unit not in NAMES and column.distinct > len(column.top)
    return column.top[:_OF_QUANTITY] if measured else column.top


def _overview(table: LakeTable) -> Mapping[str, Any]:
    published = table.published
    account = published.accounting
    of_raw = table.table.accounts_for_records
    return {
        "table": published.name,
        "rows": published.rows,
        "columns": len(table.table.published),
        "size_bytes": published.size_bytes,
        "partitions": published.partitions,
        "files": len(published.files),
        "raw_version": published.release.raw_version,
        "source_release": published.release.source_release,
        "source": published.release.source or None,
        "is_sample": published.release.is_sample,
        "release": published.release.id,
        "snapshot_id": published.snapshot_id,
        "published_at": published.published_at.isoformat(timespec="seconds"),
        "profiled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "raw_records": account.raw_records if of_raw else None,
        "quarantined": account.quarantined if of_raw else None,
        "merged": account.merged if of_raw else None,
    }
