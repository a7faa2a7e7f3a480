"""What a notebook shows of the lake: HTML of its tables, of a table's columns and first rows, and of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from nequi_lake.datasets.spec import Relation
from nequi_lake.errors import NequiLakeError
from nequi_lake.formats.types import sql_type, value_text
from nequi_lake.lake.release import PublishedTable

if TYPE_CHECKING:
    import pyarrow as pa

ANSWER_ROWS = 20
"""Rows of an answer that are shown."""
_SAMPLE = "SAMPLE DATA"
_VALUE_CHARACTERS = 60
"""Of a value of the data, whose rows stay one line each."""


def lake_html(title: str, tables: Callable[[], Sequence[tuple[Relation, PublishedTable]]]) -> str:
    """The published tables: rows, release, and when; or why they cannot be listed.

    Args:
        title: the heading.
        tables: lists the tables.
    """
    try:
        listed = tables()
    except NequiLakeError as error:
        return f"{_title(title)}<pre>{escape(str(error))}</pre>"
    if not listed:
        return f"{_title(title)}<p>Nothing is published yet. Make it: <code>nequi-lake run</code></p>"
    rows = [
        (
            published.name,
            f"{published.rows:,}",
            published.release.id,
            f"{published.published_at:%Y-%m-%d %H:%M}",
            f"{_SAMPLE}: {published.release.source}" if published.release.is_sample else published.release.source,
            relation.description,
        )
        for relation, published in listed
    ]
    return _title(title) + _grid(("table", "rows", "release", "published (UTC)", "source", "what it is"), rows)


def table_html(relation: Relation, published: PublishedTable, first: pa.Table) -> str:
    """What a table is, its columns, and its ``first`` rows; a long value is cut, and ends in … then."""
    schema = first.schema
    known = [relation.published.get(name) for name in schema.names]
    columns = [
        (name, sql_type(column.dtype), column.unit, column.description) if column else (name, str(kind), "", "")
        for name, kind, column in zip(schema.names, schema.types, known, strict=True)
    ]
    release = published.release
    sample = f"<strong>{_SAMPLE}.</strong> " if release.is_sample else ""
    values = zip(*(column.to_pylist() for column in first.columns), strict=True)
    return (
        f"{_title(published.name)}<p>{sample}{escape(relation.description)} {published.rows:,} rows, release "
        f"{escape(release.id)}, published {published.published_at:%Y-%m-%d %H:%M} UTC."
        f"{escape(f' Source: {release.source}.') if release.source else ''}</p>"
        f"{_grid(('column', 'type', 'unit', 'description'), columns)}"
        f"<details open><summary>First rows</summary>{_data_grid(schema.names, values)}</details>"
    )


def answer_html(rows: pa.Table) -> str:
    """The first rows of an answer, and how many there are; a long value is cut, and ends in … then."""
    shown = rows.slice(0, ANSWER_ROWS)
    values = zip(*(column.to_pylist() for column in shown.columns), strict=True)
    counted = f"{rows.num_rows:,} rows" if rows.num_rows != 1 else "1 row"
    first = f", the first {ANSWER_ROWS} shown" if shown.num_rows < rows.num_rows else ""
    return f"{_data_grid(rows.column_names, values)}<p>{counted}{first}</p>"


def _title(text: str) -> str:
    return f"<strong>{escape(text)}</strong>"


def _data_grid(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of the data, one line each."""
    return _grid(names, ([_cut(value) for value in row] for row in rows), style="white-space:nowrap;")


def _grid(names: Sequence[str], rows: Iterable[Sequence[Any]], style: str = "") -> str:
    cell = f'style="text-align:left;{style}padding:.2em .8em .2em 0"'
    head = "".join(f'<th scope="col" {cell}>{escape(name)}</th>' for name in names)
    body = "".join("<tr>" + "".join(f"<td {cell}>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div style="overflow-x:auto"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    return "<em>null</em>" if value is None else escape(value_text(value))


def _cut(value: Any) -> str | None:
    if value is None:
        return None
    text = value_text(value)
    return text if len(text) <= _VALUE_CHARACTERS else f"{text[: _VALUE_CHARACTERS - 1]}…"
