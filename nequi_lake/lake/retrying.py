"""Trying again what comes to the same end each time. A publish does not: it would take the place of another one."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

ATTEMPTS = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0


def retrying(again: Callable[[BaseException], bool]) -> Retrying:
    """Attempts with waits that grow, for as long as ``again`` says of their error that another may do; then the error.

    Call it with a function and its arguments, or write ``for attempt in retrying(…): with attempt: …``.
    """
    return Retrying(
        retry=retry_if_exception(again),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
        reraise=True,
    )
