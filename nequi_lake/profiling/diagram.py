"""How the tables of a dataset refer to each other: as Mermaid text, and as a drawing. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Relation
from nequi_lake.formats.types import sql_type

_ROW = 20.0
_LETTER = 7.3
_MARGIN = 16.0
_BETWEEN = 28.0
_BELOW = 52.0
_GUTTER = 18.0


@dataclass(frozen=True)
class Line:
    """Columns of ``child`` that hold the key of ``parent``; ``single`` where a parent has at most one such row."""

    parent: Relation
    child: Relation
    columns: tuple[str, ...]
    single: bool


def references(tables: Sequence[Relation]) -> list[Line]:
    """All references among the tables, child by child; a reference to any other is none of them."""
    by_name = {table.name: table for table in tables}
    return [
        Line(by_name[reference.to], child, reference.columns, single={*child.key} <= {*reference.columns})
        for child in tables
        for reference in child.foreign_keys
        if reference.to in by_name
    ]


def mermaid(tables: Sequence[Relation]) -> str:
    """The tables as a Mermaid ``erDiagram``, each with its keys and references."""
    lines = ["erDiagram"]
    for reference in references(tables):
        many = "o|" if reference.single else "o{"
        lines.append(f"  {reference.parent.name} ||--{many} {reference.child.name} : {_label(reference)}")
    for table in tables:
        lines.append(f"  {table.name} {{")
        lines += [f"    {_word(sql_type(c.dtype))} {c.name} {', '.join(_marks(table, c))}" for c in _shown(table)]
        lines.append("  }")
    return "\n".join(lines)


def svg(tables: Sequence[Relation], label: str) -> str:
    """The tables as an inline SVG, parents above their children, coloured by the page's CSS variables.

    A line ends in a crow's foot where a parent may have many rows, in a bar where it has at most one.
    """
    places = _places(tables)
    width = max(place.x + place.width for place in places.values()) + _MARGIN
    height = max(place.y + place.height for place in places.values()) + _MARGIN
    drawn = [*_lines(references(tables), places), *(_box(table, places[table.name]) for table in tables)]
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(drawn)}</svg>'
    )


@dataclass(frozen=True)
class _Place:
    x: float
    y: float
    width: float
    height: float
    level: int

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


def _shown(table: Relation) -> list[Column]:
    return [column for column in table.published.values() if column.is_key or column.name in table.foreign_key_columns]


def _marks(table: Relation, column: Column) -> list[str]:
    return ["PK"] * column.is_key + ["FK"] * (column.name in table.foreign_key_columns)


def _label(reference: Line) -> str:
    """The columns as Mermaid can read them: quoted where there are several."""
    return reference.columns[0] if len(reference.columns) == 1 else f'"{", ".join(reference.columns)}"'


def _word(text: str) -> str:
    """A type as Mermaid can read it, which knows no angle brackets."""
    return "".join(letter if letter.isalnum() or letter in "(),_-" else "_" for letter in text)


def _rest(table: Relation) -> str:
    count = len(table.published) - len(_shown(table))
    return f"{count} more column{'' if count == 1 else 's'}" if count else "no other column"


def _places(tables: Sequence[Relation]) -> dict[str, _Place]:
    """Each table's box: a row of boxes for each level, centred."""
    levels: dict[str, int] = {}
    for table in tables:
        above = (levels[reference.to] + 1 for reference in table.foreign_keys if reference.to in levels)
        levels[table.name] = max(above, default=0)
    far = [r for r in references(tables) if levels[r.child.name] - levels[r.parent.name] > 1]
    rows = [[t for t in tables if levels[t.name] == level] for level in range(max(levels.values()) + 1)]
    sizes = {table.name: _size(table) for table in tables}
    widths = [sum(sizes[t.name][0] for t in row) + _BETWEEN * (len(row) - 1) for row in rows]
    left = _MARGIN + _GUTTER * len(far)
    places: dict[str, _Place] = {}
    y = _MARGIN
    for level, (row, row_width) in enumerate(zip(rows, widths, strict=True)):
        x = left + (max(widths) - row_width) / 2
        for table in row:
            width, height = sizes[table.name]
            places[table.name] = _Place(x, y, width, height, level)
            x += width + _BETWEEN
        y += max(sizes[table.name][1] for table in row) + _BELOW
    return places


def _size(table: Relation) -> tuple[float, float]:
    rows = [
        table.name,
        _rest(table),
        *(f"{column.name}  {' '.join(_marks(table, column))}" for column in _shown(table)),
    ]
    return max(map(len, rows)) * _LETTER + 28, (len(rows) + 0.8) * _ROW


def _box(table: Relation, place: _Place) -> str:
    left, right = place.x + 12, place.x + place.width - 12
    parts = [
        f'<rect class="box" x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="6"/>',
        f'<text class="name" x="{left:.1f}" y="{place.y + _ROW:.1f}">{escape(table.name)}</text>',
        f'<path class="rule" d="M{place.x:.1f} {place.y + 1.5 * _ROW:.1f}h{place.width:.1f}"/>',
    ]
    y = place.y + 2.3 * _ROW
    for column in _shown(table):
        marks = " ".join(_marks(table, column))
        parts.append(f'<text x="{left:.1f}" y="{y:.1f}">{escape(column.name)}</text>')
        parts.append(f'<text class="mark" x="{right:.1f}" y="{y:.1f}" text-anchor="end">{marks}</text>')
        y += _ROW
    parts.append(f'<text class="rest" x="{left:.1f}" y="{y:.1f}">{_rest(table)}</text>')
    return "".join(parts)


def _lines(all_references: Sequence[Line], places: dict[str, _Place]) -> Iterator[str]:
    gutters = 0
    for reference in all_references:
        parent, child = places[reference.parent.name], places[reference.child.name]
        siblings = [r for r in all_references if r.child is reference.child]
        if child.level - parent.level > 1:
            # Round the levels between, so that it crosses no box.
            gutters += 1
            x, y = _MARGIN + _GUTTER * (gutters - 1), child.y + 0.75 * _ROW
            path = f"M{parent.x:.1f} {parent.y + 0.75 * _ROW:.1f}H{x:.1f}V{y:.1f}H{child.x:.1f}"
            foot = f"M{child.x - 8:.1f} {y - 6:.1f}v12" if reference.single else _foot(child.x, y, across=True)
        else:
            x = child.x + child.width * (siblings.index(reference) + 1) / (len(siblings) + 1)
            path = f"M{parent.middle:.1f} {parent.bottom:.1f}V{child.y - _BELOW / 2:.1f}H{x:.1f}V{child.y:.1f}"
            foot = f"M{x - 6:.1f} {child.y - 8:.1f}h12" if reference.single else _foot(x, child.y, across=False)
        yield f'<path class="line" d="{path}{foot}"/>'


def _foot(x: float, y: float, *, across: bool) -> str:
    """A crow's foot that ends at a point on a box's edge."""
    if across:
        return f"M{x:.1f} {y - 6:.1f}l-12 6l12 6"
    return f"M{x - 6:.1f} {y:.1f}l6 -12l6 12"
