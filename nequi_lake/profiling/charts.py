"""Charts as inline SVG, drawn by small functions.

A report is one file that opens without a network and in no time, so it can neither load a chart library nor carry one
of megabytes; and a bar chart is a dozen lines. Colours come from the page's style sheet, so that a chart follows the
reader's light or dark scheme. Each chart says in words what it shows, and each mark has its figures as a tooltip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from nequi_lake.profiling.numbers import correlation_text, count_text, cut, date_text, number_text, share_text
from nequi_lake.profiling.spread import Histogram

_WIDTH, _HEIGHT = 320, 96
_GAP = 1
_LABEL = 30


def histogram(found: Histogram, name: str, unit: str, *, dated: bool, whole: bool) -> Markup:
    """The histogram of a numeric column, or the timeline of a date.

    Args:
        found: what to draw.
        name, unit: of the column.
        dated: whether the values are times.
        whole: whether the values are whole numbers, whose bins end halfway between two.
    """

    def label(value: float) -> str:
        return date_text(value) if dated else number_text(value, unit)

    def between(low: float, high: float) -> str:
        if whole:
            low, high = low + 0.5, high - 0.5
        return label(low) if whole and low >= high else f"{label(low)} to {label(high)}"

    highest = max(found.counts, default=0) or 1
    span = found.edges[-1] - found.edges[0]

    def x_of(edge: float) -> float:
        return (edge - found.edges[0]) / span * _WIDTH if span else 0.0

    bars = Markup()
    for place, count in enumerate(found.counts):
        if count:
            height = max(1.0, count / highest * _HEIGHT)
            left, right = x_of(found.edges[place]), x_of(found.edges[place + 1]) if span else _WIDTH
            tip = f"{between(found.edges[place], found.edges[place + 1])}: {count_text(count)}"
            bars += Markup('<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                _short(left + _GAP / 2),
                _short(_HEIGHT - height),
                _short(max(right - left - _GAP, 1)),
                _short(height),
                tip,
            )
    peak = found.counts.index(max(found.counts))
    kind = "Timeline" if dated else "Histogram"
    said = (
        f"{kind} of {name}: {len(found.counts)} bins over {between(found.edges[0], found.edges[-1])}; "
        f"the highest, {count_text(highest)} rows, is {between(found.edges[peak], found.edges[peak + 1])}"
    )
    first, last = found.edges[0] + 0.5 * whole, found.edges[-1] - 0.5 * whole
    axis = Markup("").join(
        Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, _HEIGHT + 15, anchor, label(value))
        for x, anchor, value in (
            (0, "start", first),
            (_WIDTH / 2, "middle", (first + last) / 2),
            (_WIDTH, "end", last),
        )
        if value != last or anchor == "end"
    )
    return Markup(
        '<svg class="histogram" viewBox="0 0 {w} {h}" role="img" aria-label="{said}"><title>{said}</title>'
        '<g class="bars">{bars}</g><path class="axis" d="M0 {y}H{w}"/>{axis}</svg>'
    ).format(w=_WIDTH, h=_HEIGHT + 20, y=_HEIGHT + 0.5, said=said, bars=bars, axis=axis)


def missing_bar(name: str, share: float, limit: float) -> Markup:
    """How much of a column is missing, with a mark at its limit."""
    said = f"{name}: {share_text(share)} missing, the limit is {share_text(limit)}"
    return Markup(
        '<svg class="missing{over}" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{said}">'
        '<title>{said}</title><rect class="track" width="100" height="8"/>'
        '<rect class="part" width="{share}" height="8"/><rect class="limit" x="{limit}" width=".8" height="8"/></svg>'
    ).format(
        over=" over" if share > limit else "",
        said=said,
        share=_short(max(100 * share, 0.6 if share else 0)),
        limit=_short(min(100 * limit, 99.2)),
    )


def correlations(names: Sequence[str], value: Callable[[str, str], float | None]) -> Markup:
    """The matrix of correlations: one colour for those above 0, one for those below, the paler the weaker."""
    longest = max(min(len(name), _LABEL) for name in names)
    cell, left, top = 22, round(longest * 6.6) + 12, round(longest * 5.8) + 16
    size = cell * len(names)
    marks = Markup()
    for row, name in enumerate(names):
        y = top + row * cell
        marks += Markup('<text class="label" x="{}" y="{}" text-anchor="end">{}</text>').format(
            left - 6, y + cell * 0.68, cut(name, _LABEL)
        )
        x = left + row * cell + cell * 0.68
        marks += Markup('<text class="label" transform="translate({} {}) rotate(-60)">{}</text>').format(
            _short(x), top - 6, cut(name, _LABEL)
        )
        for place, other in enumerate(names):
            found = 1.0 if name == other else value(name, other)
            if found is None:
                continue
            marks += Markup(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{}"><title>{}</title></rect>'
            ).format(
                "self" if name == other else "with" if found >= 0 else "against",
                left + place * cell + 1,
                y + 1,
                cell - 2,
                cell - 2,
                _short(0.06 + 0.94 * abs(found)),
                f"{name}, {other}: {correlation_text(found)}",
            )
    return Markup(
        '<svg class="matrix" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-label="{said}">'
        "<title>{said}</title>{marks}</svg>"
    ).format(
        w=left + size + round(longest * 3.4),
        h=top + size + 4,
        said=f"Matrix of the correlations of {len(names)} columns; the table before it lists the strongest",
        marks=marks,
    )


def share_bar(share: float) -> Markup:
    """A bar as long as the share, 0 to 1, says; decoration beside the figure."""
    return Markup(
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6"/><rect class="part" width="{}" height="6"/></svg>'
    ).format(_short(max(100 * share, 0.6 if share else 0)))


def symmetric(matrix: Mapping[str, Mapping[str, float]]) -> Callable[[str, str], float | None]:
    """Looks a correlation up, by its two columns."""
    return lambda one, other: matrix.get(one, {}).get(other)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
