"""What came of the cases: counted, and known to Hypothesis."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hypothesis import event

from nequi_lake.errors import NequiLakeError

Result = TypeVar("Result")
COUNTS: Counter[str] = Counter()
"""What came of a case → how often."""


def came(what: str) -> None:
    """Count what came of a case."""
    event(what)
    COUNTS[what] += 1


def result_or_refusal(work: Callable[[], Result]) -> Result | NequiLakeError:
    """What the work gives, or the error of the project with which it refuses; any other error is raised."""
    try:
        return work()
    except NequiLakeError as refused:
        return refused


@contextmanager
def logged() -> Iterator[list[str]]:
    """The messages that the package logs while the block runs."""
    messages: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    package, listener = logging.getLogger("nequi_lake"), Listener()
    level = package.level
    package.addHandler(listener)
    package.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        package.removeHandler(listener)
        package.setLevel(level)
