"""Runs the lake in this process: what ``nequi-lake run`` calls."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import dagster as dg

from nequi_lake.defs.alerts import ALERT, BY_ITSELF, alert
from nequi_lake.defs.automation import WHOLE_LAKE
from nequi_lake.defs.build import build
from nequi_lake.defs.failures import reason_of_failure
from nequi_lake.defs.records import alive, fail_killed_runs, recorded
from nequi_lake.lake.settings import Settings

_INTERRUPTED = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        run_id: Dagster's identifier of it.
        success: whether every step and check of it passed.
        failures: for each step that failed, what it says to a person.
        traces: for each of them, where in the code it failed.
    """

    run_id: str
    success: bool
    failures: tuple[str, ...]
    traces: tuple[str, ...]


def run_recorded(settings: Settings, datasets: Collection[str]) -> Outcome:
    """Run the lake of these settings as :func:`run` does, recorded in ``DAGSTER_HOME`` where that is set.

    A failure is alerted from here: there may be no daemon. Runs that were killed before are recorded as failed first.

    Raises:
        UsageError: ``DAGSTER_HOME`` cannot be used.
    """
    run_id = str(uuid.uuid4())
    with recorded() as instance:
        if instance:
            fail_killed_runs(instance, settings)
        with alive(run_id) if instance else nullcontext():
            outcome = run(build(settings), datasets, instance, run_id=run_id, tags={ALERT: BY_ITSELF})
        if outcome.failures:
            alert(settings, run_id, list(outcome.failures))
    return outcome


def run(
    definitions: dg.Definitions,
    datasets: Collection[str],
    instance: dg.DagsterInstance | None,
    *,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    """Materialize what the jobs of the named datasets do, in one run.

    Args:
        definitions: the lake's.
        datasets: names of the datasets; all of the definitions where it is empty.
        instance: where the run is recorded; nowhere that outlives it where it is None.
        run_id: Dagster's identifier of the run; a new one by default.
        tags: of the run, beside those that every run of the lake has.

    Raises:
        KeyboardInterrupt: the person at the terminal stopped it.
    """
    job = definitions.resolve_job_def(WHOLE_LAKE)
    of_datasets = [definitions.resolve_job_def(name).asset_layer for name in datasets] or [job.asset_layer]
    selection = sorted({key for layer in of_datasets for key in layer.executable_asset_keys})
    result = job.execute_in_process(
        instance=instance,
        run_id=run_id,
        tags=tags,
        asset_selection=selection,
        raise_on_error=False,
        # The steps log for themselves; Dagster's own events are for its UI.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    failed = [event for event in result.all_node_events if event.is_step_failure]
    stopped = any(_was_stopped(event.step_failure_data.error) for event in failed)
    if stopped or not (result.success or failed):
        raise KeyboardInterrupt
    return Outcome(
        run_id=result.run_id,
        success=result.success,
        failures=tuple(reason_of_failure(event) for event in failed),
        traces=tuple(str(event.step_failure_data.error) for event in failed),
    )


def _was_stopped(error: Any) -> bool:
    """Whether an error, as Dagster keeps it, is a person's stop, or was made of one. Its text may quote anything."""
    while error:
        if error.cls_name in _INTERRUPTED:
            return True
        error = error.cause or error.context
    return False
