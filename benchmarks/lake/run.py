"""``nequi-lake run`` of the whole lake, which tells how long the work on data took. The rest is imports, Dagster and
the catalog."""

import functools
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.clock import part
from nequi_lake.cli import program
from nequi_lake.defs import reports
from nequi_lake.pipeline import fetch, mart, tables
from nequi_lake.profiling.report import Report

DATA_WORK: tuple[tuple[object, str], ...] = (
    (fetch, "receive"),
    (tables, "stage"),
    (tables, "audit"),
    (mart, "make"),
    (mart, "audit"),
    (reports, "profile"),
    (Report, "files"),
)
"""Where the functions that work on data are called from, and their names there."""


def _timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def timed(*arguments: Any, **named: Any) -> Any:
        with part(name):
            return work(*arguments, **named)

    return timed


if __name__ == "__main__":
    for owner, name in DATA_WORK:
        setattr(owner, name, _timed(name, getattr(owner, name)))
    sys.argv = ["nequi-lake", "run"]
    program()
