"""Ctrl-C: one line and exit code 130, from the program's first line on, whatever is at work.

Python sees a signal only between two of its own steps, and an engine may be far from the next one. A thread of its own
hears of it at once, waits for an orderly end, and ends the process where none comes: every command can be killed at any
point.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

INTERRUPTED = 130
"""Exit code of a command that the person at the terminal stopped, as shells have it."""
STOPPED = "Stopped. Each dataset is whole, as it was or as it is now; run it again to go on."
_PATIENCE_S = 1.2
_asked = threading.Event()


def stop_at_once(_signal: int = 0, _frame: FrameType | None = None) -> None:
    """End the process now."""
    os.write(2, f"\n{STOPPED}\n\n".encode())
    os._exit(INTERRUPTED)


def was_asked() -> bool:
    """Whether somebody has pressed Ctrl-C."""
    return _asked.is_set()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt


def stop_in_time() -> None:
    """From now on, let Ctrl-C be a ``KeyboardInterrupt``, and end the process where that has no effect soon."""
    signal.signal(signal.SIGINT, _interrupt)
    heard, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def watch() -> None:
        while os.read(heard, 1) != bytes([signal.SIGINT]):
            pass
        time.sleep(_PATIENCE_S)
        stop_at_once()

    threading.Thread(target=watch, daemon=True, name="ctrl-c").start()
