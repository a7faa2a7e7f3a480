"""Reads files that nobody can trust in another process: what crashes a reader, or takes all memory, ends only that.

The process has a limit of memory beyond what it needs by itself, and none of time.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nequi_lake.errors import TransientError

MEMORY_BYTES = 2 * 2**30
"""Memory that the reading of a file may take."""
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from nequi_lake.formats.guarded import serve; serve()"
)
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP})
_SHOWN = 300
_OUT_OF_MEMORY = f"reading it takes more than {MEMORY_BYTES // 2**20:,} MiB of memory"


class UnreadableFileError(Exception):
    """A file cannot be read; the text says why, in words that follow the file's name."""


def guarded(read: str, *args: object) -> Iterator[Any]:
    """Yield what a function yields that runs in another process.

    Args:
        read: the function, ``<module>:<name>``; its module is loaded there only. What it yields can be written as
            JSON. Any error that it raises, but one of the operating system, says why the file cannot be read.
        args: of the function.

    Raises:
        UnreadableFileError: the file cannot be read, or takes too much memory, or its reader crashed.
        OSError: the operating system refused something, such as more space on the disk.
        TransientError: the process was ended from outside.
    """
    with subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        # Ctrl-C ends this process, which ends the other.
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(pickle.dumps(sys.path) + pickle.dumps((read, args)))
            process.stdin.close()
            for line in process.stdout:
                found, error = json.loads(line)
                if error:
                    _raise(*error)
                yield found
            if process.wait():
                raise _ended(process.returncode)
        finally:
            process.kill()


def serve() -> None:
    """Read what standard input asks for, and write what comes of it to standard output; run by :func:`guarded`."""
    read, args = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
    module, _, name = read.partition(":")
    function = getattr(importlib.import_module(module), name)
    _limit_memory()
    try:
        for found in function(*args):
            _write(found)
    except BrokenPipeError:
        # Nobody reads any more.
        os._exit(1)
    except MemoryError:
        _write(None, error=(None, _OUT_OF_MEMORY))
    except OSError as error:
        _write(None, error=(error.errno, error.strerror if error.errno else _words(error)))
    except BaseException as error:
        # A panic of a library is no Exception.
        _write(None, error=(None, _words(error)))


def _write(found: object, error: tuple[int | None, str | None] | None = None) -> None:
    print(json.dumps((found, error)), flush=True)  # noqa: T201


def _words(error: BaseException) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return said.rstrip(".")[:_SHOWN]


def _raise(number: int | None, said: str) -> None:
    if number is not None:
        raise OSError(number, said)
    raise UnreadableFileError(said)


def _ended(code: int) -> Exception:
    """What it means that the process ended so."""
    if -code in _CRASHES:
        return UnreadableFileError(f"its reader crashed ({signal.Signals(-code).name})")
    return TransientError(
        f"The process that reads a raw file was ended from outside: {_how(code)}.",
        fix="Run again. If it happens again, this machine may have too little memory.",
    )


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _limit_memory() -> None:
    """Limit the memory of this process; of one that crashes, leave nothing behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
