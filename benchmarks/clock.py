"""How a measured process tells how long its parts took, apart from its own start. Standard library only."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "BENCH_PARTS"
"""Environment variable that names the file into which a measured process writes its parts."""


@contextmanager
def part(name: str) -> Iterator[None]:
    """Note the seconds that the block takes under ``name``; those of the same name add up."""
    started = time.perf_counter()
    try:
        yield
    finally:
        if os.environ.get(VARIABLE):
            with Path(os.environ[VARIABLE]).open("a") as notes:
                notes.write(json.dumps([name, time.perf_counter() - started]) + "\n")


def timed(owner: object, name: str) -> None:
    """Note the seconds of each call of a function under its name, as a part; ``owner`` is where it is called from."""
    work: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(work)
    def noted(*arguments: Any, **named: Any) -> Any:
        with part(name):
            return work(*arguments, **named)

    setattr(owner, name, noted)


def parts_in(notes: Path) -> dict[str, float]:
    """Part → seconds, of a file that :func:`part` wrote; none where there is no file."""
    parts: dict[str, float] = {}
    for line in notes.read_text().splitlines() if notes.exists() else ():
        name, seconds = json.loads(line)
        parts[name] = parts.get(name, 0.0) + seconds
    return parts
