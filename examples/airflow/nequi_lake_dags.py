"""Airflow runs the lake: one DAG for each dataset, whose task starts a run of Dagster and ends as it does.

The task asks the GraphQL API of Dagster's webserver, which the connection ``nequi_lake`` names (host, port, and the
path as its schema, such as ``http://lake.acme.com/graphql``), and waits. To stop or to clear the task stops the run. A
run that fails is a failed task, with the failed checks and the reasons in its log. A task that Airflow tries again,
or that lost its worker, finds the run that it has started, and starts no second one.

Put the file into Airflow's folder of DAGs. It needs no more than Airflow itself.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from typing import Any

import httpx
from airflow.sdk import DAG, BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

DATASETS = os.environ.get("NEQUI_DAGS", "credit_risk electric_motor cite_sum").split()
"""The datasets that get a DAG; also marts of several datasets have a job of their dataset."""
CONNECTION = "nequi_lake"

WHERE = """{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } jobs { name } } } } }"""
START = """mutation ($job: JobOrPipelineSelector!, $tags: [ExecutionTag!]!) {
  launchPipelineExecution(executionParams: {selector: $job, mode: "default", executionMetadata: {tags: $tags}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
STARTED = """query ($tags: [ExecutionTag!]!) {
  runsOrError(filter: {tags: $tags}, limit: 1) { ... on Runs { results { runId } } }
}"""
STATUS = """query ($run: ID!) { runOrError(runId: $run) { __typename ... on Run { status } } }"""
STOP = """mutation ($run: String!) { terminateRun(runId: $run) { __typename } }"""
EVENTS = """query ($run: ID!, $after: String) {
  logsForRun(runId: $run, afterCursor: $after) {
    __typename
    ... on EventConnection {
      cursor
      hasMore
      events {
        __typename
        ... on ExecutionStepFailureEvent { stepKey failureMetadata { description } error { message } }
        ... on AssetCheckEvaluationEvent {
          evaluation { assetKey { path } checkName success severity description }
        }
      }
    }
  }
}"""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class NequiLakeRunOperator(BaseOperator):
    """Runs a dataset's job and waits for its end.

    Args:
        dataset: the dataset.
        wait_s: seconds between two looks at the run.
        connection: Airflow's connection to Dagster's webserver.

    Raises:
        AirflowFailException: the run failed; another try would fail as well until the data or the lake is mended.
        AirflowException: the run was stopped, or Dagster cannot be reached.
    """

    template_fields = ("dataset",)

    def __init__(self, *, dataset: str, wait_s: float = 10.0, connection: str = CONNECTION, **options: Any) -> None:
        super().__init__(**options)
        self.dataset, self.wait_s, self.connection = dataset, wait_s, connection
        self.run_id = ""

    def execute(self, context: Any) -> str:
        """Start the run, or find the one that this task has started, and wait; return its identifier."""
        tries = context["ti"]
        tags = [{"key": "airflow/task", "value": f"{tries.dag_id}/{tries.task_id}/{tries.run_id}/{tries.try_number}"}]
        started = self.ask(STARTED, tags=tags)["runsOrError"].get("results")
        self.run_id = started[0]["runId"] if started else self.start(tags)
        self.log.info("Run %s of %s", self.run_id, self.dataset)
        seen = None
        while (status := self.ask(STATUS, run=self.run_id)["runOrError"].get("status")) not in ENDED:
            if status != seen:
                self.log.info("%s%s", status, " until Dagster's daemon begins it" if status == "QUEUED" else "")
            seen = status
            time.sleep(self.wait_s)
        for level, line in self.found():
            self.log.log(level, line)
        if status == "FAILURE":
            raise AirflowFailException(f"The run {self.run_id} of {self.dataset} failed; why stands in the log above.")
        if status == "CANCELED":
            raise AirflowException(f"The run {self.run_id} of {self.dataset} was stopped in Dagster.")
        return self.run_id

    def on_kill(self) -> None:
        """Stop the run that this task waits for."""
        if self.run_id:
            self.log.warning("Stopping the run %s", self.run_id)
            self.ask(STOP, run=self.run_id)

    def start(self, tags: list[dict[str, str]]) -> str:
        """Start a run of the dataset's job."""
        nodes = self.ask(WHERE)["repositoriesOrError"].get("nodes", [])
        homes = [node for node in nodes if any(job["name"] == self.dataset for job in node["jobs"])]
        if not homes:
            raise AirflowFailException(f"Dagster has no job of the name {self.dataset}; see its page of deployments.")
        job = {
            "repositoryName": homes[0]["name"],
            "repositoryLocationName": homes[0]["location"]["name"],
            "pipelineName": self.dataset,
        }
        answer = self.ask(START, job=job, tags=tags)["launchPipelineExecution"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise AirflowException(f"Dagster did not start {self.dataset}: {answer}")
        return str(answer["run"]["runId"])

    def found(self) -> list[tuple[int, str]]:
        """What failed in the run, each with its level of the log: checks, and steps with their reasons."""
        lines, after, has_more = [], None, True
        while has_more:
            page = self.ask(EVENTS, run=self.run_id, after=after)["logsForRun"]
            after, has_more = page.get("cursor"), page.get("hasMore", False)
            for event in page.get("events", []):
                check = event.get("evaluation")
                if check and not check["success"]:
                    level = 30 if check["severity"] == "WARN" else 40
                    table = "/".join(check["assetKey"]["path"])
                    lines.append((level, f"check {check['checkName']} of {table}: {check['description']}"))
                elif event["__typename"] == "ExecutionStepFailureEvent":
                    reason = (event["failureMetadata"] or {}).get("description") or event["error"]["message"]
                    lines.append((40, f"{event['stepKey']}: {reason}"))
        return lines

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask Dagster's GraphQL API."""
        at = BaseHook.get_connection(self.connection)
        address = f"{at.conn_type or 'http'}://{at.host}{f':{at.port}' if at.port else ''}/{at.schema or 'graphql'}"
        try:
            answer = httpx.post(address, json={"query": query, "variables": variables}, timeout=60)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise AirflowException(f"Dagster did not answer at {address}: {error}") from error
        said: dict[str, Any] = answer.json()
        if said.get("errors"):
            raise AirflowException(f"Dagster refused at {address}: {said['errors'][0]['message']}")
        return dict(said["data"])


for dataset in DATASETS:
    with DAG(
        f"nequi_lake_{dataset}",
        schedule=None,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        tags=["nequi_lake"],
    ) as dag:
        NequiLakeRunOperator(
            task_id="run",
            dataset=dataset,
            retries=2,
            retry_delay=timedelta(minutes=5),
            execution_timeout=timedelta(hours=6),
        )
    globals()[dag.dag_id] = dag
