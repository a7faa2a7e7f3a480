"""Child processes of a process that has everything imported: a run starts in milliseconds, and can be killed.

The process that forks never uses Polars or DuckDB itself, so that their threads begin in the children.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import nequi_lake.pipeline.fetch
import nequi_lake.pipeline.report
import nequi_lake.pipeline.tables
from nequi_lake.defs.io_managers import ReportIOManager
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.raw import RawZone

PHASES: dict[str, list[tuple[Any, str]]] = {
    "fetch": [(nequi_lake.pipeline.fetch, "receive")],
    "keep": [(RawZone, "keep")],
    "stage": [(nequi_lake.pipeline.tables, "stage")],
    "audit": [(nequi_lake.pipeline.tables, "audit")],
    "publish": [(LakeCatalog, "publish")],
    "profile": [(nequi_lake.pipeline.report, "profile"), (ReportIOManager, "handle_output")],
}
"""Phase of a run → the functions that are it."""

BETWEEN = "between"
"""The phase of a run that is in none of :data:`PHASES`: Dagster's own work, and looking for what is there already."""


@dataclass
class Child:
    """A child process.

    Attributes:
        pid: its id.
        pipe: the end of a pipe from which what it says is read.
        heard: each line that it has said, and when.
    """

    pid: int
    pipe: int
    heard: list[tuple[float, str]] = field(default_factory=list)
    _rest: bytes = b""

    def listen(self, until: float | None = None, stop: Callable[[str], bool] = lambda _: False) -> bool:
        """Hear what it says until a moment of the monotonic clock, or a line; False once it has no more to say."""
        while True:
            wait_s = None if until is None else until - time.monotonic()
            if wait_s is not None and wait_s <= 0:
                return True
            if not select.select([self.pipe], [], [], wait_s)[0]:
                return True
            said = os.read(self.pipe, 65536)
            if not said:
                return False
            *lines, self._rest = (self._rest + said).split(b"\n")
            self.heard += [(time.monotonic(), line.decode()) for line in lines]
            if any(stop(line.decode()) for line in lines):
                return True

    def kill(self) -> None:
        """Kill it; nothing that it wanted to do at its end is done."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Hear it out; its exit code, negative where a signal ended it."""
        self.listen()
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def phase(self) -> str:
        """The phase in which it was when it was last heard."""
        return self.heard[-1][1] if self.heard else BETWEEN


def fork(work: Callable[[Callable[[str], None]], None]) -> Child:
    """Do the work in a child process; it is given a function by which it says a line."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return Child(pid, reader)
    code = 1
    try:
        os.close(reader)
        work(lambda line: _say(writer, line))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # The parent's buffers and exit handlers are not the child's.
        os._exit(code)


def _say(pipe: int, line: str) -> None:
    content = f"{line}\n".encode()
    while content:
        content = content[os.write(pipe, content) :]


def answer_of(question: Callable[[], Any]) -> Any:
    """Ask in a child process.

    Raises:
        RuntimeError: it failed; its traceback is on stderr.
    """
    child = fork(lambda say: say(json.dumps(question())))
    if child.wait() or not child.heard:
        raise RuntimeError("a child process failed")
    return json.loads(child.heard[-1][1])


def import_what_it_imports(work: Callable[[], object]) -> None:
    """Do the work in a child process, and import here what it imported, so that the next child need not."""

    def imported() -> list[str]:
        work()
        return sorted(set(sys.modules) - before)

    before = set(sys.modules)
    for name in answer_of(imported):
        # Some are no more than names, made by the module that needed them.
        with suppress(ImportError):
            importlib.import_module(name)


def tell_phases(say: Callable[[str], None]) -> None:
    """Have this process say the name of each phase that it comes into."""
    for phase, functions in PHASES.items():
        for owner, name in functions:
            setattr(owner, name, _told(phase, getattr(owner, name), say))


def _told(phase: str, function: Callable[..., Any], say: Callable[[str], None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def told(*arguments: Any, **options: Any) -> Any:
        say(phase)
        try:
            return function(*arguments, **options)
        finally:
            say(BETWEEN)

    return told
