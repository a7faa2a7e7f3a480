"""Readers of files that end badly, each in its own way."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator


def crash() -> Iterator[int]:
    """End as a reader does that looks at memory which is none of its own."""
    yield 1
    os.kill(os.getpid(), signal.SIGSEGV)


def abort() -> Iterator[int]:
    """End as a reader does that gives up."""
    yield 1
    os.abort()


def take_memory() -> Iterator[int]:
    """Take more memory than a reader may."""
    yield len(bytearray(2**33))


def panic() -> Iterator[int]:
    """Raise what is no Exception, as libraries in Rust do."""
    yield 1
    raise BaseException("not yet implemented: this page")


def fill_disk() -> Iterator[int]:
    """Meet a disk without space."""
    yield 1
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def be_ended() -> Iterator[int]:
    """Be ended from outside."""
    yield 1
    os.kill(os.getpid(), signal.SIGKILL)


def go_on() -> Iterator[int]:
    """Say which process it is, and go on for ever."""
    while True:
        yield os.getpid()
