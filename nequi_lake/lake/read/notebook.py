"""What a notebook shows of the lake: HTML of its tables, and of one table with its columns and first rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from nequi_lake.errors import NequiLakeError
from nequi_lake.formats.types import sql_type

if TYPE_CHECKING:
    from nequi_lake.lake.read.reader import Lake, LakeTable

FIRST_ROWS = 5
_SHOWN = 100


def lake_html(lake: Lake, dataset: str | None = None) -> str:
    """The published tables, of one dataset or of all: rows, release, and when."""
    title = f"Lake {lake.settings.uri}" + (f", as of {lake.as_of}" if lake.as_of else "")
    try:
        tables = [table for table in lake.tables() if dataset in (None, table.published.dataset)]
    except NequiLakeError as error:
        return f"{_title(title)}<pre>{escape(str(error))}</pre>"
    if not tables:
        return f"{_title(title)}<p>Nothing is published yet. Make it: <code>nequi-lake run</code></p>"
    rows = [
        (
            table.published.name,
            f"{table.published.rows:,}",
            table.published.release.id,
            f"{table.published.published_at:%Y-%m-%d %H:%M}",
            table.table.description,
        )
        for table in tables
    ]
    return _title(title) + _grid(("table", "rows", "release", "published (UTC)", "what it is"), rows)


def table_html(table: LakeTable) -> str:
    """What a table is, its columns, and its first rows; a long value is shortened, and ends in … then."""
    published = table.published
    schema = table.to_dataset().schema
    known = [table.table.columns.get(name) for name in schema.names]
    columns = [
        (name, sql_type(column.dtype), column.unit, column.description) if column else (name, str(kind), "", "")
        for name, kind, column in zip(schema.names, schema.types, known, strict=True)
    ]
    # Without reading ahead, so that five rows of a large table cost one row group.
    first = table.to_dataset().head(FIRST_ROWS, batch_size=FIRST_ROWS, batch_readahead=0, fragment_readahead=0)
    values = zip(*(column.to_pylist() for column in first.columns), strict=True)
    return (
        f"{_title(published.name)}<p>{escape(table.table.description)} {published.rows:,} rows, release "
        f"{escape(published.release.id)}, published {published.published_at:%Y-%m-%d %H:%M} UTC.</p>"
        f"{_grid(('column', 'type', 'unit', 'description'), columns)}"
        f"<details open><summary>First rows</summary>{_grid(schema.names, values)}</details>"
    )


def _title(text: str) -> str:
    return f"<strong>{escape(text)}</strong>"


def _grid(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(
        f'<th scope="col" style="text-align:left;padding:.2em .8em .2em 0">{escape(name)}</th>' for name in names
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:left;padding:.2em .8em .2em 0">{_cell(value)}</td>' for value in row)
        + "</tr>"
        for row in rows
    )
    return f'<div style="overflow-x:auto"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    if value is None:
        return "<em>null</em>"
    text = str(value)
    return escape(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
