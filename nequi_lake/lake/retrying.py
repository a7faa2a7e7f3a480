"""Retrying of idempotent calls. A publish is none: it could replace another one."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

ATTEMPTS = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0


def retrying(again: Callable[[BaseException], bool]) -> Retrying:
    """Yield attempts with growing waits while ``again`` is true of their error; raise the last error.

    Call it with a function and its arguments, or write ``for attempt in retrying(…): with attempt: …``.
    """
    return Retrying(
        retry=retry_if_exception(again),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
        reraise=True,
    )
