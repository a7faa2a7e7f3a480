"""Who is alerted of a failed run: each failed run is alerted once, whoever started it.

``nequi-lake run`` alerts of its own runs, so that they need no daemon. The sensor alerts of all others, and of a run
of ``nequi-lake`` that somebody else recorded as failed. The tag ``ALERT`` on a run says who.
"""

from __future__ import annotations

import logging

import dagster as dg

from nequi_lake.defs.failures import reason_of_failure
from nequi_lake.defs.names import TAG_LAKE
from nequi_lake.lake.settings import Settings
from nequi_lake.redaction import redact

log = logging.getLogger(__name__)

ALERT = "nequi_lake/alert"
"""Tag of a run: who alerts of its failure. Without it, the sensor does."""
BY_ITSELF, SENT = "by_itself", "sent"
"""Its values: the process of the run alerts; somebody has alerted."""


def failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that alerts of every failed run, and so of every failed check, as a failed check fails its run."""

    # Runs of `dagster asset materialize` name no code location, and no sensor of one location sees them.
    @dg.run_failure_sensor(
        name="failure_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        monitor_all_code_locations=True,
        description="Report failed runs and checks: in the log always, and to the SNS topic that is configured.",
    )
    def failure_alert(context: dg.RunFailureSensorContext) -> None:
        if not _is_of_lake(context, settings) or _alerts_itself(context):
            return
        reasons = [reason_of_failure(event) for event in context.get_step_failure_events()]
        report_failure(settings, context.dagster_run.run_id, reasons or [context.failure_event.message or "unknown"])

    return failure_alert


def alert(settings: Settings, run_id: str, reasons: list[str]) -> None:
    """Report a failed run as :func:`report_failure` does; log an alert that cannot be sent, with its reason."""
    try:
        report_failure(settings, run_id, reasons)
    except Exception as error:
        log.error(
            "The alert of run %s could not be sent to %s: %s", run_id[:8], settings.alert_topic, redact(str(error))
        )


def report_failure(settings: Settings, run_id: str, reasons: list[str]) -> None:
    """Log a failed run, and send an alert to the topic of the settings if there is one."""
    reasons = [redact(reason) for reason in reasons]
    text = "\n\n".join([*reasons, f"Lake: {settings.uri}\nDagster run: {run_id}"])
    log.error("Run %s failed.\n%s", run_id[:8], text)
    if settings.alert_topic:
        from nequi_lake.cloud.alerts import send

        send(settings.alert_topic, f"nequi_lake: {reasons[0].splitlines()[0]}", text)


def _is_of_lake(context: dg.RunFailureSensorContext, settings: Settings) -> bool:
    """Whether a run is one of this lake: a Dagster instance may hold runs of other projects, and of other lakes.

    A run that failed before its resources were there has no tag of its lake; its job and assets say whose it is.
    """
    run, repository = context.dagster_run, context.repository_def
    if TAG_LAKE in run.tags:
        return run.tags[TAG_LAKE] == settings.uri
    return (
        repository is not None
        and repository.has_job(run.job_name)
        and (run.asset_selection or set()) <= repository.asset_graph.get_all_asset_keys()
    )


def _alerts_itself(context: dg.RunFailureSensorContext) -> bool:
    """Whether the run's process has alerted, or does so now. Only that process writes its number into the event."""
    who = context.dagster_run.tags.get(ALERT)
    return who == SENT or (who == BY_ITSELF and context.failure_event.pid is not None)
