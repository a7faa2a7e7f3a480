"""The command line, ``nequi-lake``: a thin layer over what the package offers, one module a group of commands."""

from __future__ import annotations

import gc
from typing import Any

from nequi_lake.cli.stop import on_stop, stop_at_once, stop_in_time

__all__ = ["app", "main", "program"]

_OBJECTS_PER_COLLECTION = 50_000


def program() -> None:
    """``nequi-lake`` as a process of its own, which can be stopped from its first line on.

    Imports make a million objects, none of which is garbage, and the collector would look through them again and again
    while they are made: it comes more rarely.
    """
    on_stop(stop_at_once)
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    from nequi_lake.cli.entry import main

    stop_in_time()
    main()


def __getattr__(name: str) -> Any:
    if name in ("app", "main"):
        from nequi_lake.cli import entry

        return getattr(entry, name)
    raise AttributeError(name)
