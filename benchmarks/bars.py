"""What the lake promises of its speed, held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.cases import LAKE
from benchmarks.measure import Run

Results = Mapping[str, Mapping[str, Run]]
"""Group → case → medians."""

_GB = 10**9


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A promise: ``figure`` is at most ``limit``.

    Attributes:
        text: the promise, for a person.
        limit: in ``unit``.
        unit: ``×`` for a ratio of medians, or the figure's own.
        figure: what was measured; it raises KeyError where it was not.
    """

    text: str
    limit: float
    unit: str
    figure: Callable[[Results], float]


@dataclass(frozen=True)
class Verdict:
    """A bar, and what was measured; None where it was not."""

    bar: Bar
    measured: float | None

    @property
    def word(self) -> str:
        """The verdict for a person."""
        if self.measured is None:
            return "not measured"
        return "met" if self.measured <= self.bar.limit else "**not met**"


def judge(results: Results, growth: tuple[float, float]) -> Iterator[Verdict]:
    """Every bar with what was measured."""
    for bar in bars(*growth):
        try:
            yield Verdict(bar, bar.figure(results))
        except KeyError:
            yield Verdict(bar, None)


def bars(more: float, most: float) -> tuple[Bar, ...]:
    """The promises; ``more`` and ``most`` are the times by which the size grows."""
    return (
        Bar(
            text="stage, audit and publish, against the bare Polars script that writes the same tables",
            limit=1.5,
            unit="×",
            figure=lambda r: _published_s(r["write"][LAKE]) / r["write"]["Polars script"].work_s,
        ),
        Bar(
            text="keep, stage, audit and publish, against DuckDB",
            limit=1.0,
            unit="×",
            figure=lambda r: r["write"][LAKE].work_s / r["write"]["DuckDB COPY"].work_s,
        ),
        Bar(
            text=f"the same at {more:g} times the size",
            limit=0.7,
            unit="×",
            figure=lambda r: r[f"write-{more:g}x"][LAKE].work_s / r[f"write-{more:g}x"]["DuckDB COPY"].work_s,
        ),
        Bar(
            text="profile of every column, against DuckDB's SUMMARIZE",
            limit=0.5,
            unit="×",
            figure=lambda r: r["profile"][LAKE].parts["profile"] / r["profile"]["DuckDB SUMMARIZE"].work_s,
        ),
        Bar(
            text="the whole job, start included, against pandas and ydata-profiling",
            limit=0.2,
            unit="×",
            figure=lambda r: r["job"][LAKE].seconds / r["job"]["pandas + ydata-profiling"].seconds,
        ),
        Bar(
            text=f"peak memory of the whole job at {most:g} times the size, against once",
            limit=1.3,
            unit="×",
            figure=lambda r: r[f"job-{most:g}x"][LAKE].peak_bytes / r["job"][LAKE].peak_bytes,
        ),
        Bar(
            text=f"peak memory of the whole job at {most:g} times the size",
            limit=2.0,
            unit="GB",
            figure=lambda r: r[f"job-{most:g}x"][LAKE].peak_bytes / _GB,
        ),
        Bar(
            text=f"time of the whole job at {most:g} times the size, against once",
            limit=1.1 * most,
            unit="×",
            figure=lambda r: r[f"job-{most:g}x"][LAKE].seconds / r["job"][LAKE].seconds,
        ),
        Bar(
            text="what is not work on data (imports, Dagster, catalog) in `nequi-lake run` on the sample",
            limit=6.0,
            unit="s",
            figure=lambda r: r["start"]["nequi-lake run"].seconds - r["start"]["nequi-lake run"].work_s,
        ),
        Bar(
            text='`nequi-lake sql "select 1"`',
            limit=1.5,
            unit="s",
            figure=lambda r: r["start"]["nequi-lake sql"].seconds,
        ),
        Bar(
            text="`nequi-lake --help`",
            limit=0.5,
            unit="s",
            figure=lambda r: r["start"]["nequi-lake --help"].seconds,
        ),
    )


def _published_s(run: Run) -> float:
    return sum(run.parts[name] for name in ("stage", "audit", "publish"))
