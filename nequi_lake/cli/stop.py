"""Ctrl-C, and being asked to end: one line and exit code 130 or 143, from the program's first line on, at any work.

What asks is ``SIGTERM``: of a container that is stopped, of a scheduler. A container's first process would not hear it
without a handler.

Python sees a signal only between two of its own steps, and an engine may be far from the next one. A thread of its own
hears of it at once, waits for an orderly end, and ends the process where none comes: every command can be killed at any
point.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130
"""Exit code by which a library says that somebody pressed Ctrl-C."""
STOPPED = "Stopped. Each dataset is whole, as it was or as it is now; run it again to go on."
_PATIENCE_S = {signal.SIGINT: 1.2, signal.SIGTERM: 10.0}
_asked: list[int] = []


def stop_at_once(number: int, _frame: FrameType | None = None) -> None:
    """End the process now, as of this signal."""
    os.write(2, f"\n{STOPPED}\n\n".encode())
    os._exit(_exit_code(number))


def was_asked() -> bool:
    """Whether the process was asked to end."""
    return bool(_asked)


def stopped_code() -> int:
    """Exit code of a command that was stopped, as shells have it."""
    return _exit_code(_asked[0] if _asked else signal.SIGINT)


def on_stop(handler: Callable[[int, FrameType | None], None]) -> None:
    """Let this handler have each signal that asks to end."""
    for number in _PATIENCE_S:
        signal.signal(number, handler)


def stop_in_time() -> None:
    """From now on, let these signals be a ``KeyboardInterrupt``, and end the process where that has no effect soon."""
    on_stop(_interrupt)
    heard, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def watch() -> None:
        while (number := os.read(heard, 1)[0]) not in _PATIENCE_S:
            pass
        # A library at work may have taken the handler's place.
        _asked.append(number)
        time.sleep(_PATIENCE_S[signal.Signals(number)])
        stop_at_once(number)

    threading.Thread(target=watch, daemon=True, name="stop").start()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _asked.append(number)
    raise KeyboardInterrupt


def _exit_code(number: int) -> int:
    return 128 + number
