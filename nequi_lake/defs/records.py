"""The records of runs in ``DAGSTER_HOME``: where ``nequi-lake run`` writes them, and that none says "Started" for ever.

Dagster sees the end of a process only where it launched it. A run of ``nequi-lake`` is a process of its own, so it
holds a lock while it works, a file in ``DAGSTER_HOME`` that the operating system releases when the process ends. A run
that is recorded as started, and whose lock is free, was killed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from nequi_lake.defs.alerts import ALERT, SENT, alert
from nequi_lake.defs.names import TAG_LAKE
from nequi_lake.errors import UsageError
from nequi_lake.lake.settings import Settings

HOME = "DAGSTER_HOME"
_LOCKS = ".runs_at_work"
_KILLED = "The process of this run is gone: it was killed, or its machine went down."
_FIX = "Readers see what they saw before. Run it again."
_INSTANCE = "dagster.yaml"
_DEFAULT_INSTANCE = "# Made by nequi-lake, as this folder had no dagster.yaml.\ntelemetry:\n  enabled: false\n"


@contextmanager
def recorded() -> Iterator[dg.DagsterInstance | None]:
    """Where runs are recorded; None where ``DAGSTER_HOME`` is not set.

    A folder without Dagster's settings gets some, as Dagster sends telemetry where no setting says otherwise.

    Raises:
        UsageError: ``DAGSTER_HOME`` names no folder that can be used.
    """
    home = os.environ.get(HOME)
    if not home:
        yield None
        return
    folder = Path(home)
    if not folder.is_absolute():
        raise UsageError(f"{HOME} is not an absolute path.", where=home, fix=f"export {HOME}={folder.absolute()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _INSTANCE).exists():
            (folder / _INSTANCE).write_text(_DEFAULT_INSTANCE, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{HOME} cannot be used: {error.strerror}.", where=home, fix="Set it to a folder that can be written to."
        ) from error
    with dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def alive(run_id: str) -> Iterator[None]:
    """Say that the process of a run is at work, for the time of the block."""
    folder = _locks()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run_id}.lock"
    with FileLock(path):
        yield
        path.unlink(missing_ok=True)


def fail_killed_runs(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Record runs of ``nequi-lake`` on this machine as failed whose process is gone, and alert of each.

    Returns:
        Their identifiers.
    """
    found = []
    for path in sorted(_locks().glob("*.lock")):
        try:
            with FileLock(path, blocking=False):
                run = instance.get_run_by_id(path.stem)
                if run and run.tags.get(TAG_LAKE, settings.uri) != settings.uri:
                    continue
                if run and not run.is_finished:
                    # First the tag, by which the sensor sees that this failure is alerted from here.
                    instance.add_run_tags(run.run_id, {ALERT: SENT})
                    instance.report_run_failed(run, f"{_KILLED} {_FIX}")
                    alert(settings, run.run_id, [f"{_KILLED}\n  to do: {_FIX}"])
                    found.append(run.run_id)
                path.unlink(missing_ok=True)
        except Timeout:
            continue
    return found


def killed_runs_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that records killed runs as failed; without a daemon, the next ``nequi-lake run`` does."""

    @dg.sensor(
        name="killed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=60,
        description="Record runs of nequi-lake as failed whose process was killed, and alert of them.",
    )
    def killed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        found = fail_killed_runs(context.instance, settings)
        return dg.SkipReason(f"Recorded as failed: {', '.join(found)}" if found else "No run was killed.")

    return killed_runs


def _locks() -> Path:
    return Path(os.environ.get(HOME, "")) / _LOCKS
