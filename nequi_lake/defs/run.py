"""Runs the lake in this process: what ``nequi-lake run`` calls."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from nequi_lake.defs.automation import WHOLE_LAKE
from nequi_lake.defs.build import build
from nequi_lake.errors import TransientError
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
    """Run the lake of these settings as :func:`run` does, recorded in ``DAGSTER_HOME`` where that is set."""
    with dg.DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else dg.DagsterInstance.ephemeral() as instance:
        return run(build(settings), datasets, instance)


def run(definitions: dg.Definitions, datasets: Collection[str], instance: dg.DagsterInstance | None) -> Outcome:
    """Materialize the named datasets in one run.

    Args:
        definitions: the lake's.
        datasets: names of the datasets; all of the definitions where it is empty.
        instance: where the run is recorded; nowhere that outlives it where it is None.

    Raises:
        KeyboardInterrupt: the person at the terminal stopped it.
    """
    job = definitions.resolve_job_def(WHOLE_LAKE)
    graph = job.asset_layer.asset_graph
    selection = [
        key for key in graph.materializable_asset_keys if not datasets or graph.get(key).group_name in datasets
    ]
    result = job.execute_in_process(
        instance=instance,
        asset_selection=selection,
        raise_on_error=False,
        # The steps log for themselves; Dagster's own events are for its UI.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    failed = [event for event in result.all_node_events if event.is_step_failure]
    stopped = any(word in str(event.step_failure_data.error) for event in failed for word in _INTERRUPTED)
    if stopped or not (result.success or failed):
        raise KeyboardInterrupt
    return Outcome(
        run_id=result.run_id,
        success=result.success,
        failures=tuple(_say(event) for event in failed),
        traces=tuple(str(event.step_failure_data.error) for event in failed),
    )


def _say(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error and error.cause:
        error = error.cause
    reason = error.message.strip() if error else "an unknown error"
    if error and error.cls_name == TransientError.__name__:
        return reason.partition(": ")[2]
    return f"{event.step_key} broke off: {reason}\n  to do: see the traceback with --debug, and report it"
