"""Runs a command as a process of its own and measures it with all of its children."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.clock import VARIABLE, parts_in

ROOT = Path(__file__).parents[1]
_LOOK_S = 0.02
_LOOKS_PER_CENSUS = 10
_SHOWN = 2000


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a command, or the medians of several.

    Attributes:
        seconds: wall-clock time from the start of the process to its end.
        cpu_s: processor time of it and its children.
        peak_bytes: the most memory (RSS) that it and its children had at once, looked at every 20 ms.
        parts: part of the work → wall-clock seconds, as the process told.
    """

    seconds: float
    cpu_s: float
    peak_bytes: int
    parts: Mapping[str, float]

    @property
    def work_s(self) -> float:
        """Wall-clock seconds of all parts; of the whole process where it told none."""
        return sum(self.parts.values()) if self.parts else self.seconds


class CommandFailedError(Exception):
    """A measured command failed."""


def medians(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        seconds=median(run.seconds for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        peak_bytes=int(median(run.peak_bytes for run in runs)),
        parts={name: median(run.parts[name] for run in runs) for name in runs[0].parts},
    )


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    """Run a command to its end, from the project's root.

    Raises:
        CommandFailedError: it failed; with the end of what it printed.
        KeyboardInterrupt: a person stopped it; no process is left.
    """
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "printed").open("w+") as printed:
        notes = Path(scratch) / "parts"
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, VARIABLE: str(notes)},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        watch = _Watch(process.pid)
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watch.ended.set()
            watch.join()
            if process.returncode is None:
                _end(process.pid)
                process.wait()
        if process.returncode:
            printed.seek(0)
            raise CommandFailedError(
                f"{' '.join(command)}\nended with {process.returncode}:\n{printed.read()[-_SHOWN:]}"
            )
        return Run(
            seconds=seconds,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_bytes=watch.peak_bytes,
            parts=parts_in(notes),
        )


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children until it is told that they ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.peak_bytes = 0
        self._root = psutil.Process(pid)

    def run(self) -> None:
        family, looks = [self._root], 0
        while not self.ended.wait(_LOOK_S):
            # Finding children means reading every process of the machine, which would be felt at each look.
            if looks % _LOOKS_PER_CENSUS == 0:
                with suppress(psutil.NoSuchProcess):
                    family = [self._root, *self._root.children(recursive=True)]
            looks += 1
            self.peak_bytes = max(self.peak_bytes, sum(map(_rss, family)))


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _end(pid: int) -> None:
    """Kill a process and its children."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
