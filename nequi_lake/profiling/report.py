"""The profiling report of a table: one page that opens without a network, and the same as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader

from nequi_lake.lake.exports import harmless
from nequi_lake.lake.reader import LakeTable

_PAGES = Environment(loader=PackageLoader("nequi_lake", "profiling"), autoescape=True, trim_blocks=True)
_PAGES.filters["number"] = lambda value: "" if value is None else f"{value:,.6g}"
_PAGES.filters["size"] = lambda value: size_text(value)


def render(table: LakeTable, profile: pd.DataFrame, source: str) -> dict[str, bytes]:
    """The report as file ending → content: ``html``, ``json`` and ``csv``.

    Args:
        table: the published table that was profiled.
        profile: its statistics, as :func:`nequi_lake.profiling.profile.profile` gives them.
        source: where the raw files came from, for a person.
    """
    overview = _overview(table, source)
    columns = [
        {str(name): None if value != value else value for name, value in row.items()} | {"top": json.loads(row["top"])}
        for row in profile.to_dict(orient="records")
    ]
    descriptions = {name: column.description for name, column in table.table.columns.items()}
    page = _PAGES.get_template("report.html.jinja").render(
        overview=overview, columns=columns, descriptions=descriptions, table=table.table
    )
    return {"html": page.encode(), "json": _as_json(overview, columns), "csv": _as_csv(profile)}


def size_text(size_bytes: int) -> str:
    """A size for a person, in decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _overview(table: LakeTable, source: str) -> Mapping[str, Any]:
    published = table.published
    return {
        "table": published.name,
        "rows": published.rows,
        "columns": len(table.table.columns),
        "size_bytes": published.size_bytes,
        "partitions": published.partitions,
        "files": len(published.files),
        "raw_version": published.release.raw_version,
        "source": source,
        "release": published.release.id,
        "snapshot_id": published.snapshot_id,
        "published_at": published.published_at.isoformat(timespec="seconds"),
        "profiled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "raw_records": published.accounting.raw_records,
        "quarantined": published.accounting.quarantined,
        "merged": published.accounting.merged,
    }


def _as_json(overview: Mapping[str, Any], columns: list[dict[str, Any]]) -> bytes:
    return json.dumps({**overview, "profile": columns}, indent=2, ensure_ascii=False, allow_nan=False).encode()


def _as_csv(profile: pd.DataFrame) -> bytes:
    text = io.StringIO()
    profile.map(harmless).to_csv(text, index=False, quoting=csv.QUOTE_NONNUMERIC)
    return text.getvalue().encode()
