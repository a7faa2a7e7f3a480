"""The example for Airflow: a real Airflow, in an environment of its own, runs the lake by Dagster's GraphQL API."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from nequi_lake_tests.servers import PATIENCE_S, free_port, module_at_work, wait_for

ROOT = Path(__file__).parents[1]
AIRFLOW = ROOT / ".venv-tools" / "airflow" / "bin"
FOLDER = ROOT / "examples" / "airflow"

pytestmark = pytest.mark.long

KILLED = """
import sys, threading, time
from types import SimpleNamespace
from nequi_lake_dags import STATUS, NequiLakeRunOperator

task = NequiLakeRunOperator(task_id="run", dataset="credit_risk", wait_s=0.2)
ti = SimpleNamespace(dag_id="killed", task_id="run", run_id="one", try_number=1)

def kill():
    while not task.run_id or task.ask(STATUS, run=task.run_id)["runOrError"].get("status") != "STARTED":
        time.sleep(0.2)
    again = NequiLakeRunOperator(task_id="run", dataset="credit_risk", wait_s=0.2)
    threading.Thread(target=again.execute, args=({"ti": ti},), daemon=True).start()
    while not again.run_id:
        time.sleep(0.2)
    assert again.run_id == task.run_id
    task.on_kill()

threading.Thread(target=kill, daemon=True).start()
try:
    task.execute({"ti": ti})
except Exception as error:
    print(type(error).__name__, error)
"""
"""A task that is stopped while its run is at work, and that a second worker has begun again before."""


@dataclass(frozen=True)
class Airflow:
    """Airflow beside a Dagster with its daemon.

    Attributes:
        environment: of Airflow.
        instance: Dagster's records.
    """

    environment: Mapping[str, str]
    instance: DagsterInstance

    def test(self, dag: str) -> subprocess.CompletedProcess[str]:
        """Run a DAG once."""
        return self.call(str(AIRFLOW / "airflow"), "dags", "test", dag)

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in Airflow's environment; return how it ended, with all that it said in stdout."""
        return subprocess.run(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def newest(self, job: str) -> DagsterRun:
        """The newest run of a job."""
        return next(run for run in self.instance.get_runs() if run.job_name == job)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    assert AIRFLOW.exists(), "There is no Airflow: make .venv-tools/airflow/.ready"
    home = tmp_path_factory.mktemp("airflow")
    inbox = home / "inbox" / "electric_motor"
    inbox.mkdir(parents=True)
    (inbox / "measures_v2.csv").write_text("u_q,coolant\n1,2\n")
    (home / "dagster").mkdir()
    lake = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEQUI_")},
        "NEQUI_LAKE_URI": str(home / "lake"),
        "NEQUI_LAKE_SAMPLE_SCALE": "0.01",
        "NEQUI_LAKE_SOURCE_ELECTRIC_MOTOR": str(home / "inbox"),
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("NEQUI_", "PYTHON"))},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_NEQUI_LAKE": f"http://127.0.0.1:{port}/graphql",
        "PYTHONPATH": str(FOLDER),
    }
    code = ("-m", "nequi_lake.definitions")
    with ExitStack() as stack:
        stack.enter_context(module_at_work(lake, home / "daemon.log", "dagster._daemon", "run", *code))
        web = stack.enter_context(module_at_work(lake, home / "web.log", "dagster_webserver", "-p", str(port), *code))
        instance = stack.enter_context(DagsterInstance.from_config(str(home / "dagster")))
        found = Airflow(environment, instance)
        migrated = found.call(str(AIRFLOW / "airflow"), "db", "migrate")
        assert migrated.returncode == 0, migrated.stdout
        wait_for(f"http://127.0.0.1:{port}/server_info", web)
        yield found


def test_a_dag_runs_a_dataset(airflow: Airflow) -> None:
    done = airflow.test("nequi_lake_cite_sum")
    run = airflow.newest("cite_sum")
    assert "state=success" in done.stdout, done.stdout
    assert run.status is DagsterRunStatus.SUCCESS
    assert run.tags["airflow/task"].startswith("nequi_lake_cite_sum/run/")


def test_a_run_that_fails_is_a_failed_task_with_the_reasons_in_its_log(airflow: Airflow) -> None:
    done = airflow.test("nequi_lake_electric_motor")
    assert airflow.newest("electric_motor").status is DagsterRunStatus.FAILURE
    assert "state=failed" in done.stdout, done.stdout
    assert "measures_v2.csv" in done.stdout
    assert "check file_structure of raw/electric_motor/measures_v2.csv: line 1: 2 columns where 13" in done.stdout
    assert len([run for run in airflow.instance.get_runs() if run.job_name == "electric_motor"]) == 1


def test_a_task_that_is_stopped_stops_its_run_and_one_begun_again_finds_it(airflow: Airflow) -> None:
    done = airflow.call(str(AIRFLOW / "python"), "-c", KILLED)
    run = airflow.newest("credit_risk")
    assert f"AirflowException The run {run.run_id} of credit_risk was stopped in Dagster." in done.stdout, done.stdout
    assert run.status is DagsterRunStatus.CANCELED
    assert len([one for one in airflow.instance.get_runs() if one.job_name == "credit_risk"]) == 1


def test_a_dataset_that_dagster_does_not_have_is_named(airflow: Airflow) -> None:
    asked = (
        "from nequi_lake_dags import NequiLakeRunOperator as Run\n"
        "from types import SimpleNamespace as Ti\n"
        "ti = Ti(dag_id='a', task_id='b', run_id='c', try_number=1)\n"
        "Run(task_id='run', dataset='credit_rosk').execute({'ti': ti})"
    )
    done = airflow.call(str(AIRFLOW / "python"), "-c", asked)
    assert "Dagster has no job of the name credit_rosk" in done.stdout.splitlines()[-1]
