"""The page that lists all reports of a lake, and says of every table how it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.lake.release import PublishedTable
from nequi_lake.profiling.pages import page


@dataclass(frozen=True, kw_only=True)
class TableState:
    """How a declared table is.

    Attributes:
        dataset, table: its declaration.
        published: what readers see of it; None where it was never published.
        report: the facts in the JSON of its report; None where it has none that can be read.
    """

    dataset: Dataset
    table: Relation
    published: PublishedTable | None
    report: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """``<dataset>.<table>``"""
        return f"{self.dataset.name}.{self.table.name}"

    @property
    def contract_kept(self) -> bool | None:
        """Whether every check passed that was recorded of the reported release; None where none was."""
        checks = self.report["checks"] if self.report else ()
        return all(check["passed"] or check["warns"] for check in checks) if checks else None

    @property
    def alerts(self) -> tuple[int, int]:
        """Alerts of the report: all, and those to act on."""
        alerts = self.report["alerts"] if self.report else ()
        return len(alerts), sum(alert["serious"] for alert in alerts)

    @property
    def report_is_old(self) -> bool:
        """Whether the report is of another release than readers see."""
        return bool(self.report and self.published and self.report["release"] != self.published.release.id)

    @property
    def fresh_until(self) -> str:
        """Until when the table counts as fresh if no run makes it anew: ISO, UTC."""
        seen = datetime.fromisoformat(self.report["profiled_at"]) if self.report else None
        return (seen + timedelta(hours=self.dataset.fresh_for_h)).isoformat() if seen else ""


def facts_of_report(content: bytes | None) -> Mapping[str, Any] | None:
    """What the index shows of a report's JSON; None where it is not there or not a report of today's form."""
    try:
        found = json.loads(content or b"null")
        return {
            name: found[name] for name in ("release", "profiled_at", "checks", "alerts", "missing_share", "quarantined")
        }
    except (ValueError, KeyError, TypeError):
        return None


def index_page(tables: Sequence[TableState], made_at: datetime) -> bytes:
    """The page, as UTF-8: a section a dataset, a row a table.

    Args:
        tables: every declared table.
        made_at: now, in UTC.
    """
    datasets = {table.dataset.name: table.dataset for table in tables}
    published = [table for table in tables if table.published]
    return page(
        "index.html.jinja",
        datasets=[(dataset, [t for t in tables if t.dataset.name == name]) for name, dataset in datasets.items()],
        made_at=made_at.isoformat(timespec="seconds"),
        tables=len(tables),
        published=len(published),
        kept=sum(table.contract_kept is True for table in tables),
        rows=sum(table.published.rows for table in published if table.published),
        size_bytes=sum(table.published.size_bytes for table in published if table.published),
        to_act_on=sum(table.alerts[1] for table in tables),
    )
