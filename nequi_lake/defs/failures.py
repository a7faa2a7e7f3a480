"""Turns what the other layers report into Dagster's words: check results, and failures without a bare traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dagster as dg

from nequi_lake.errors import TransientError
from nequi_lake.lake.check import Check, refusals
from nequi_lake.lake.storage.faults import translate_error
from nequi_lake.profiling.markdown import plain
from nequi_lake.profiling.numbers import cut

log = logging.getLogger(__name__)

MAX_RETRIES = 3
RETRY_WAIT_S = 60.0
"""How often, and after how long, a step is tried again whose failure may pass. The libraries below have tried before,
with waits that grow."""
_FOUND_SHOWN = 400


@contextmanager
def as_failure(where: str) -> Iterator[None]:
    """Raise an error of the block as a retry request where it is transient, as a failure with its reason otherwise.

    A retry policy would not do: it also retries what a person stopped, and what no second try can cure.

    Args:
        where: the lake at work, for an error that does not say it.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except Exception as error:
        translated = translate_error(error, where)
        if isinstance(translated, TransientError):
            log.warning("%s Trying again in %.0f s, at most %d times.", translated.what, RETRY_WAIT_S, MAX_RETRIES)
            raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=RETRY_WAIT_S) from translated
        if translated:
            raise dg.Failure(description=str(translated), allow_retries=False) from error
        raise


RELEASE = "release"
"""Metadata of a check's result: the release that it was checked against, by which a report finds its own."""


def check_result(check: Check, key: dg.AssetKey, release: str | None = None) -> dg.AssetCheckResult:
    """A check as Dagster records it; of a table, with the release that it was checked against."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=check.passed,
        severity=dg.AssetCheckSeverity.WARN if check.warns else dg.AssetCheckSeverity.ERROR,
        description=check.found,
        metadata={
            **check.numbers,
            **({} if release is None else {RELEASE: release}),
            **({} if check.passed else {"to do": check.fix}),
        },
    )


def as_markdown(checks: Iterable[Check]) -> str:
    """Checks of a table as Markdown: what each found, the number beside its limit."""
    lines = ["| check | | found |", "|---|---|---|"]
    for check in checks:
        verdict = "passed" if check.passed else "warns" if check.warns else "FAILED"
        lines.append(f"| {plain(check.name)} | {verdict} | {plain(cut(check.found, _FOUND_SHOWN))} |")
    return "\n".join(lines)


def refuse(failed: Iterable[Check], unharmed: str) -> dg.Failure:
    """Return the failure of a run whose checks failed: what, where, and what to do, check by check."""
    return dg.Failure(description="\n".join([*refusals(failed), unharmed]), allow_retries=False)


def reason_of_failure(event: dg.DagsterEvent) -> str:
    """Why a step failed, human-readable."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error and error.cause and error.cls_name != TransientError.__name__:
        error = error.cause
    reason = error.message.strip() if error else "an unknown error"
    if error and error.cls_name == TransientError.__name__:
        return reason.partition(": ")[2]
    return f"{event.step_key} broke off: {reason}\n  to do: see the traceback with --debug, and report it"
