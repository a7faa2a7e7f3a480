"""The results as a document for people, and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from benchmarks.bars import Results, Verdict
from benchmarks.cases import LAKE, Group
from benchmarks.measure import Run

BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what was measured -->"

_WIDTH = 420
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=select_autoescape(enabled_extensions=("svg.jinja",)),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_PAGES.filters["seconds"] = lambda seconds: f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}"
_PAGES.filters["mb"] = lambda size: f"{size / 10**6:,.1f}"
_PAGES.filters["gb"] = lambda size: f"{size / 10**9:.2f}"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that a document tells.

    Attributes:
        groups: what was to be measured.
        results: what was.
        runs: (group, case) → how many runs the medians are of.
        sizes: (group, case) → bytes of the four tables that it wrote.
        rows: (group, case) → rows that it loaded into a database.
        verdicts: the bars.
        facts: about the machine and the libraries.
        date: when, as a person writes it.
        command: with which it was measured.
    """

    groups: Sequence[Group]
    results: Results
    runs: Mapping[tuple[str, str], int]
    sizes: Mapping[tuple[str, str], int]
    rows: Mapping[tuple[str, str], int]
    verdicts: Sequence[Verdict]
    facts: Mapping[str, str]
    date: str
    command: str


def text(measured: Measured) -> str:
    """The tables, as Markdown."""
    groups = _measured_groups(measured)
    cases = [case for group in groups for case in group.cases]
    # What is done at several sizes is set once.
    settings = {(case.name, case.settings): f"{case.name}: {case.settings}" for case in cases}
    return _PAGES.get_template("report.md.jinja").render(measured=measured, groups=groups, settings=settings.values())


def chart(measured: Measured) -> str:
    """The chart, as SVG: seconds of each case, the lake's first, a panel for each group with peers."""
    panels, top = [], 0
    for group in _measured_groups(measured):
        runs = measured.results[group.name]
        if len(runs) < 2:
            continue
        longest = max(_shown_s(group, run) for run in runs.values())
        panels.append(
            {
                "title": group.title if group.scale is None else f"{group.title} (scale {group.scale:g})",
                "top": top,
                "bars": [
                    {
                        "name": name,
                        "ours": name == LAKE or name.startswith("nequi-lake"),
                        "width": _WIDTH * _shown_s(group, run) / longest,
                        "seconds": _shown_s(group, run),
                        "peak_bytes": run.peak_bytes,
                        "top": 24 + 24 * place,
                    }
                    for place, (name, run) in enumerate(runs.items())
                ],
            }
        )
        top += 24 * len(runs) + 52
    return _PAGES.get_template("chart.svg.jinja").render(panels=panels, height=top or 1)


def put(document: Path, block: str) -> None:
    """Write ``block`` between the markers of a document, in place of what was there; the rest stays."""
    there = document.read_text() if document.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = there.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{document} lacks the lines {BEGIN} and {END}, between which the figures go")
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(f"{before}{BEGIN}\n\n{block.strip()}\n\n{END}{after}")


def _measured_groups(measured: Measured) -> list[Group]:
    return [group for group in measured.groups if measured.results.get(group.name)]


def _shown_s(group: Group, run: Run) -> float:
    """Seconds of the work, but of the whole process where start-up is what the group is about."""
    return run.seconds if group.name.startswith(("job", "start")) else run.work_s
