"""A compact profile as Markdown, for the Dagster UI."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nequi_lake.profiling.numbers import NAMES, count_text, cut, extreme_text, number_text, share_text
from nequi_lake.profiling.profile import ColumnProfile
from nequi_lake.profiling.report import Report

COLUMNS_SHOWN = 40
_TEXT_SHOWN = 32
_SPECIAL = re.compile(r"""([\\`*_{}\[\]()#+\-.!|~:/@"'])""")


def markdown(report: Report) -> str:
    """A report's summary: alerts, changes, and one line per column.

    No text of the data acts as Markdown or HTML in it. It has at most 40 columns: Dagster keeps it with every run.
    """
    parts = [_alerts(report), _changes(report), _table(report.columns[:COLUMNS_SHOWN])]
    left_out = len(report.columns) - COLUMNS_SHOWN
    if left_out > 0:
        parts.append(f"And {left_out} more columns: see the report.")
    return "\n\n".join(part for part in parts if part)


def _alerts(report: Report) -> str:
    lines = []
    for alert in report.alerts:
        columns = ", ".join(name for name, _ in alert.columns[:8]) + (", …" if len(alert.columns) > 8 else "")
        lines.append(f"- {'**' + alert.kind + '**' if alert.serious else alert.kind}: {plain(columns or alert.text)}")
    return "\n".join(lines)


def _changes(report: Report) -> str:
    if not report.changes:
        return ""
    was, now = report.changes.rows
    return (
        f"Since release {plain(report.changes.before.release)}: rows {count_text(was)} → {count_text(now)}, "
        f"{len(report.changes.columns)} of {len(report.columns)} columns changed."
    )


def _table(columns: Sequence[ColumnProfile]) -> str:
    lines = ["| column | type | missing | distinct | min | mean | max |", "|---|---|--:|--:|---|--:|---|"]
    for c in columns:
        numeric = c.mean is not None
        low, high = (
            (extreme_text(c.min, c.unit), extreme_text(c.max, c.unit)) if numeric else (c.min or "", c.max or "")
        )
        cells = [
            c.column,
            c.type,
            share_text(c.missing_share),
            f"{'' if c.exact else '≈ '}{count_text(c.distinct)}",
            low,
            number_text(c.mean) if c.unit not in NAMES else "",
            high,
        ]
        lines.append("| " + " | ".join(plain(cut(cell, _TEXT_SHOWN)) for cell in cells) + " |")
    return "\n".join(lines)


def plain(text: str) -> str:
    """The text as Markdown that shows it as it is, on one line."""
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", one_line)
