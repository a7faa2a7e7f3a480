"""``nequi-lake run`` of the whole lake, which tells how long the work on data took. The rest is imports, Dagster and
the catalog."""

import sys

from benchmarks.clock import timed
from nequi_lake.cli import program
from nequi_lake.pipeline import fetch, mart, report, tables
from nequi_lake.profiling.report import Report

DATA_WORK: tuple[tuple[object, str], ...] = (
    (fetch, "receive"),
    (tables, "stage"),
    (tables, "audit"),
    (mart, "make"),
    (mart, "audit"),
    (report, "profile"),
    (Report, "files"),
)
"""Where the functions that work on data are called from, and their names there."""


if __name__ == "__main__":
    for owner, name in DATA_WORK:
        timed(owner, name)
    sys.argv = ["nequi-lake", "run"]
    program()
