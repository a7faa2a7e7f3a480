"""``nequi-lake run`` of the whole lake, which tells how long the work on data took. The rest is imports, Dagster and
the catalog."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import nequi_lake.defs.io_managers
import nequi_lake.defs.raw
import nequi_lake.defs.reports
import nequi_lake.defs.tables
from benchmarks.clock import part
from nequi_lake.cli import main

_DATA_WORK = {
    "receive": nequi_lake.defs.raw,
    "stage": nequi_lake.defs.tables,
    "audit": nequi_lake.defs.tables,
    "profile": nequi_lake.defs.reports,
    "render": nequi_lake.defs.io_managers,
}
"""Function → the module that calls it."""


def _timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def timed(*arguments: Any, **named: Any) -> Any:
        with part(name):
            return work(*arguments, **named)

    return timed


if __name__ == "__main__":
    for name, module in _DATA_WORK.items():
        setattr(module, name, _timed(name, getattr(module, name)))
    sys.argv = ["nequi-lake", "run"]
    main()
