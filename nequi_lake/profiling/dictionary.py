"""The data dictionary: what every dataset, table and column is, said by the contracts alone.

One page that opens without a network, and the same as Markdown. Nothing here reads the lake or writes anything; what a
published table holds is in its report.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from nequi_lake.datasets.constraints import BY_RECORD, BY_TYPE, Kind, describe
from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Dataset, MartGroup, Relation
from nequi_lake.formats import RawFile, ShareLimit
from nequi_lake.formats.types import sql_type, used_types
from nequi_lake.profiling import diagram


def dictionary_page(datasets: Iterable[Dataset], reports: Collection[str] = ()) -> bytes:
    """The dictionary as one HTML page.

    Anchors are ``<dataset>``, ``<dataset>.<table>`` and ``<dataset>.<table>.<column>``.

    Args:
        datasets: what is declared.
        reports: tables, as ``<dataset>.<table>``, whose report lies at ``<dataset>/<table>.html`` beside the page;
            with any, so does the reports' ``index.html``.
    """
    pages = Environment(
        loader=PackageLoader("nequi_lake", "profiling"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["inline"] = _as_html
    entries = [_about(dataset) for dataset in datasets]
    page = pages.get_template("dictionary.html.jinja").render(
        datasets=entries,
        reports=reports,
        types=_types(entries),
        how_to_read=_HOW_TO_READ,
        about_marts=_ABOUT_MARTS,
        about_groups=_ABOUT_GROUPS,
    )
    return page.encode()


def dictionary_markdown(datasets: Iterable[Dataset]) -> str:
    """The dictionary as GitHub's Markdown."""
    entries = [_about(dataset) for dataset in datasets]
    lines = [
        "# Data dictionary",
        "",
        "Made from the contracts by `nequi-lake dictionary --output docs/dictionary.md`; edit those, not this file.",
        "",
        f"{_HOW_TO_READ} A key is marked PK, a reference to another table's key FK.",
        "",
        *_grid(
            ("type", "meaning", "in Iceberg", "in Polars"),
            ((f"`{t}`", m, f"`{i}`", f"`{p}`") for t, m, i, p in _types(entries)),
        ),
    ]
    for dataset in entries:
        lines += _dataset_lines(dataset)
    return "\n".join(lines) + "\n"


_HOW_TO_READ = (
    "Types are named as in SQL. Missing is the share of a column's rows that may lack a value; above it nothing of the "
    "dataset is published. A record that lacks a value where that may never be, or that has one outside of Values, is "
    "quarantined."
)

_ABOUT_MARTS = "Each is made of the tables above by SQL, for one use, and released by itself."
_ABOUT_GROUPS = "Marts of one release, made of the tables above by SQL: readers see all of them or none."


@dataclass(frozen=True)
class _RelationEntry:
    """What both forms say of a table."""

    table: Relation
    name: str
    facts: Mapping[str, str]
    columns: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Diagram:
    """How relations refer to each other."""

    label: str
    entities: Sequence[Relation]

    @property
    def references(self) -> list[diagram.Line]:
        return diagram.references(self.entities)

    @property
    def drawing(self) -> Markup:
        """What the page shows; made of declared names only, each of them escaped."""
        return Markup(diagram.svg(self.entities, self.label))  # noqa: S704

    @property
    def lines(self) -> list[str]:
        """What the Markdown shows."""
        return ["", "```mermaid", diagram.mermaid(self.entities), "```"]


@dataclass(frozen=True)
class _GroupEntry:
    """Several marts that are released together."""

    name: str
    diagram: _Diagram
    marts: Sequence[_RelationEntry]


@dataclass(frozen=True)
class _DatasetEntry:
    dataset: Dataset
    tables: Sequence[_RelationEntry]
    marts: Sequence[_RelationEntry]
    groups: Sequence[_GroupEntry]
    files: Sequence[Mapping[str, str]]
    dropped: Sequence[tuple[str, str, str]]
    diagram: _Diagram

    @property
    def relations(self) -> list[_RelationEntry]:
        return [*self.tables, *self.marts, *(mart for group in self.groups for mart in group.marts)]


def _types(entries: Iterable[_DatasetEntry]) -> list[tuple[str, str, str, str]]:
    """Of the types that the relations have: SQL's name, meaning, Iceberg's name, Polars' name."""
    columns = (
        column for one in entries for relation in one.dataset.relations for column in relation.published.values()
    )
    return [
        (known.sql, known.meaning, known.iceberg, known.polars.__name__)
        for known in used_types(column.dtype for column in columns)
    ]


def _limit(limit: ShareLimit) -> str:
    floor = f", and more than {limit.floor:,}" if limit.share and limit.floor else ""
    return f"{100 * limit.share:.4g} % bad records in a file{floor}"


def _about(dataset: Dataset) -> _DatasetEntry:
    single = [group.relations[0] for group in dataset.mart_groups if len(group.relations) == 1]
    return _DatasetEntry(
        dataset=dataset,
        tables=[_tell(dataset, table, {"Refused above": _limit(table.limit)}) for table in dataset.tables],
        marts=[_tell(dataset, mart, {}) for mart in single],
        groups=[_group(dataset, group) for group in dataset.mart_groups if len(group.relations) > 1],
        files=[_file(file) for file in dataset.files],
        dropped=[(file.name, column, why) for file in dataset.files for column, why in file.dropped.items()],
        diagram=_Diagram(
            f"How the tables of {dataset.name} refer to each other",
            (*dataset.tables, *(mart for mart in single if mart.foreign_keys)),
        ),
    )


def _group(dataset: Dataset, group: MartGroup) -> _GroupEntry:
    parents = {reference.to for mart in group.relations for reference in mart.foreign_keys}
    tables = [table for table in dataset.tables if table.name in parents]
    return _GroupEntry(
        group.name,
        _Diagram(f"How the marts of the group {group.name} refer to each other", (*tables, *group.relations)),
        [_tell(dataset, mart, {}) for mart in group.relations],
    )


def _file(file: RawFile) -> dict[str, str]:
    also = f" A source may also have it as {_codes(file.aliases)}." if file.aliases else ""
    read = f"{len(file.field_paths)} columns" if file.field_paths else "kept, not read"
    return {"file": f"`{file.name}`", "format": file.kind.upper(), "what": f"{file.description}{also}", "read": read}


def _tell(dataset: Dataset, table: Relation, more: Mapping[str, str]) -> _RelationEntry:
    implied = {name for file in dataset.files for name in file.constants}
    facts = {"One row per": _row_of(table), "Key": _codes(table.key)}
    if table.partition_by:
        cut = "year of " if table.partition_by.by_year else ""
        facts["Partitions"] = f"{cut}`{table.partition_by.column}`"
    if table.foreign_keys:
        facts["References"] = "; ".join(f"{_codes(each.columns)} → `{each.to}`" for each in table.foreign_keys)
    facts["Made from"] = _codes(source.name for source in dataset.sources_of(table))
    dropped = [column for name, column in table.columns.items() if name not in table.published]
    if dropped:
        facts["Sensitive, and not in the table"] = _codes(column.name for column in dropped)
    facts |= more
    return _RelationEntry(
        table, f"{dataset.name}.{table.name}", facts, [_column(table, c, implied) for c in table.published.values()]
    )


def _row_of(table: Relation) -> str:
    """What there is one row of, as the contract's docstring says it: ``One row per loan.``, and what follows it."""
    said = " ".join((table.contract.__doc__ or "").split())
    return said.removeprefix("One row per ").rstrip(".") or "not stated"


def _column(table: Relation, column: Column, implied: Collection[str]) -> dict[str, Any]:
    return {
        "column": column.name,
        "marks": _marks(table, column),
        "sensitive": column.sensitive,
        "type": sql_type(column.dtype),
        "unit": column.unit,
        "missing": _missing(column),
        "source": _origin(column, implied),
        "values": _values(column),
        "references": [each.to for each in table.foreign_keys if column.name in each.columns],
        "description": column.description,
    }


def _marks(table: Relation, column: Column) -> str:
    is_reference = column.name in table.foreign_key_columns
    marks = {"PK": column.is_key, "FK": is_reference, column.sensitive or "": bool(column.sensitive)}
    return " ".join(mark for mark, is_set in marks.items() if is_set)


def _missing(column: Column) -> str:
    if not column.nullable:
        return "never"
    return "any share" if column.null_limit >= 1 else f"up to {100 * column.null_limit:.4g} %"


def _origin(column: Column, implied: Collection[str]) -> str:
    if column.source in implied:
        return "the file's name"
    origin = f"`{column.source}`" if column.source else f"made from {_codes(column.derived_from)}"
    return origin + (f"; {_codes(column.null_tokens)} counts as missing" if column.null_tokens else "")


def _values(column: Column) -> str:
    """Range and allowed values."""
    if column.allowed:
        return _codes(map(str, column.allowed))
    limits = {constraint.kind: constraint.limit for constraint in column.constraints}
    low, high = limits.get(Kind.MIN), limits.get(Kind.MAX)
    words = []
    if low is not None and high is not None:
        words.append(f"{_number(low)} to {_number(high)}")
    elif low is not None:
        words.append(f"{_number(low)} or more")
    elif high is not None:
        words.append(f"{_number(high)} or less")
    if Kind.MATCHES in limits:
        words.append(f"matches `{limits[Kind.MATCHES]}`")
    covered = {Kind.MIN, Kind.MAX, Kind.MATCHES} | BY_TYPE
    words += [describe(c) for c in column.constraints if c.kind in BY_RECORD - covered]
    return "; ".join(words)


def _number(value: Any) -> str:
    if isinstance(value, date) or abs(value) < 10_000:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return f"{value:,.15g}" if isinstance(value, float) else f"{value:,}"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _as_html(text: str) -> Markup:
    """A text with `` `code` `` in it as HTML."""
    parts = [Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(text.split("`"))]
    return Markup("").join(parts)


def _as_cell(text: str) -> str:
    """A text with `` `code` `` in it as the cell of a Markdown table."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*<>\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts).replace("|", r"\|")


def _grid(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield f"| {' | '.join(map(_as_cell, row))} |"


def _dataset_lines(entry: _DatasetEntry) -> Iterator[str]:
    dataset = entry.dataset
    yield from ("", f"## {dataset.name}", "", dataset.summary, "")
    published = [f"[`{dataset.slug}`]({dataset.kaggle_page}) on Kaggle"] if dataset.slug else []
    published += [f"licence {dataset.licence}"] if dataset.licence else []
    if published:
        said = ", ".join(published)
        yield from (f"{said[0].upper()}{said[1:]}.", "")
    yield from _grid(
        ("raw file", "format", "what it is", "read"),
        ([f[k] for k in ("file", "format", "what", "read")] for f in entry.files),
    )
    if entry.dropped:
        yield from ("", "Raw columns that no table has:", "")
        yield from _grid(
            ("file", "column", "why it is dropped"),
            ((f"`{file}`", f"`{name}`", why) for file, name, why in entry.dropped),
        )
    yield from entry.diagram.lines
    for one in entry.tables:
        yield from _table_lines(one)
    if entry.marts:
        yield from (
            "",
            f"### Marts of {dataset.name}",
            "",
            _ABOUT_MARTS,
        )
    for one in entry.marts:
        yield from _table_lines(one)
    for group in entry.groups:
        yield from ("", f"### Group {group.name} of {dataset.name}", "", _ABOUT_GROUPS, *group.diagram.lines)
        for one in group.marts:
            yield from _table_lines(one)


def _table_lines(entry: _RelationEntry) -> Iterator[str]:
    yield from ("", f"### {entry.name}", "", entry.table.description, "")
    yield from (f"- {name}: {value}" for name, value in entry.facts.items())
    yield ""
    yield from _grid(
        ("column", "", "type", "unit", "description", "missing", "values", "source"),
        (
            (
                f"`{c['column']}`",
                *(c[k] for k in ("marks", "type", "unit", "description", "missing", "values", "source")),
            )
            for c in entry.columns
        ),
    )
