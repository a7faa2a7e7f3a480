"""The state machine that runs a dataset, as moto's interpreter of the States Language executes it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from nequi_lake.cloud.template import read_template, template_path

REGION = "eu-west-1"
PATIENCE_S = 30.0
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/lake"
TASK = "0123456789abcdef"


def definition(**values: str) -> str:
    """The machine as CloudFormation would make it."""
    body = read_template(template_path("service"))["Resources"]["RunDataset"]["Properties"]
    assert set(values) == set(body["DefinitionSubstitutions"])
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], body["DefinitionString"])


@dataclass
class Fargate:
    """Takes what the machine asks of ECS and of the log, and answers as AWS documents it."""

    exit_code: int | None = 0
    said: list[str] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    read: list[dict[str, Any]] = field(default_factory=list)

    def run_task(self, env: Environment, asked: dict[str, Any]) -> None:
        """Start a task."""
        self.asked.append(asked)
        env.stack.append({})

    def end(self, env: Environment) -> Callable[[], dict[str, Any]]:
        """Wait for the end of the task, which is an error where its container failed, or where none was started."""
        env.stack.pop()

        def ended() -> dict[str, Any]:
            if self.exit_code is None:
                raise failed(env, "no subnet has an address left")
            container = {"Name": "run", "ExitCode": self.exit_code}
            task = {"TaskArn": f"{CLUSTER.replace(':cluster', ':task')}/{TASK}", "Containers": [container]}
            if self.exit_code:
                raise failed(env, json.dumps(task))
            return task

        return ended

    def log_events(self, env: Environment, asked: dict[str, Any]) -> None:
        """Read the log."""
        self.read.append(asked)
        if self.said is None:
            raise failed(env, "The specified log stream does not exist.")
        env.stack.append({"Events": [{"Timestamp": 1, "Message": line} for line in self.said]})


def failed(env: Environment, cause: str) -> FailureEventException:
    """The error of a task that failed."""
    error = StatesErrorName(StatesErrorNameType.StatesTaskFailed)
    details = cast(EventDetails, {"taskFailedEventDetails": {"error": error.error_name, "cause": cause}})
    return FailureEventException(FailureEvent(env, error, HistoryEventType.TaskFailed, details))


@dataclass
class Machine:
    """The state machine, and what it meets."""

    arn: str
    fargate: Fargate

    def run(self, given: dict[str, Any]) -> dict[str, Any]:
        """Execute it; return how it ended."""
        client = boto3.client("stepfunctions", region_name=REGION)
        execution = client.start_execution(stateMachineArn=self.arn, input=json.dumps(given))["executionArn"]
        until = time.monotonic() + PATIENCE_S
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < until
            time.sleep(0.02)
        return dict(found)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The machine in an account of its own."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    fargate = Fargate()
    calls = {
        (StateTaskServiceEcs, "_eval_service_task"): lambda self, env, normalised_parameters, **_: fargate.run_task(
            env, normalised_parameters
        ),
        (StateTaskServiceEcs, "_build_sync_resolver"): lambda self, env, **_: fargate.end(env),
        (StateTaskServiceAwsSdk, "_eval_service_task"): lambda self, env, normalised_parameters, **_: (
            fargate.log_events(env, normalised_parameters)
        ),
    }
    for (service, method), call in calls.items():
        # moto's own do not know the names of ECS and of the log.
        monkeypatch.setattr(service, method, call)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        made = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
            name="run-dataset",
            roleArn="arn:aws:iam::123456789012:role/run-dataset",
            definition=definition(
                Cluster=CLUSTER,
                Subnets='subnet-1","subnet-2',
                SecurityGroup="sg-1",
                AssignPublicIp="DISABLED",
                LogGroup="lake-log",
            ),
        )
        yield Machine(made["stateMachineArn"], fargate)


def test_a_run_that_is_done_ends_it_well(machine: Machine) -> None:
    assert machine.run({"dataset": "credit_risk"})["status"] == "SUCCEEDED"
    (asked,) = machine.fargate.asked
    (override,) = asked["Overrides"]["ContainerOverrides"]
    assert override == {"Name": "run", "Command": ["nequi-lake", "run", "credit_risk"]}
    assert asked["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"] == ["subnet-1", "subnet-2"]
    assert asked["Cluster"] == CLUSTER
    task = read_template(template_path("service"))["Resources"]["RunTask"]["Properties"]
    assert asked["TaskDefinition"] == task["Family"]


def test_a_run_that_failed_is_its_failure_with_what_the_run_said(machine: Machine) -> None:
    said = ["credit_risk.loans failed its check quarantine_limit", "to do: nequi-lake quarantine credit_risk"]
    machine.fargate.exit_code, machine.fargate.said = 1, said
    found = machine.run({"dataset": "credit_risk"})
    assert (found["status"], found["error"]) == ("FAILED", "RunFailed")
    assert json.loads(found["cause"]) == said
    (read,) = machine.fargate.read
    assert (read["LogGroupName"], read["LogStreamName"]) == ("lake-log", f"dagster/run/{TASK}")


def test_a_run_that_said_nothing_is_its_failure_with_the_task(machine: Machine) -> None:
    machine.fargate.exit_code = 137
    found = machine.run({"dataset": "credit_risk"})
    assert (found["status"], found["error"]) == ("FAILED", "RunFailed")
    assert json.loads(found["cause"])["Containers"] == [{"Name": "run", "ExitCode": 137}]


def test_a_task_that_could_not_be_started_says_why(machine: Machine) -> None:
    machine.fargate.exit_code = None
    found = machine.run({"dataset": "credit_risk"})
    assert (found["error"], found["cause"]) == ("NotStarted", "no subnet has an address left")


@pytest.mark.parametrize("given", [{}, {"dataset": ""}, {"dataset": "--help"}, {"dataset": ["credit_risk"]}])
def test_it_starts_nothing_without_the_name_of_a_dataset(machine: Machine, given: dict[str, Any]) -> None:
    found = machine.run(given)
    assert (found["status"], found["error"]) == ("FAILED", "WrongInput")
    assert '{"dataset": "credit_risk"}' in found["cause"]
    assert machine.fargate.asked == []


def test_it_may_stop_what_it_started() -> None:
    role = read_template(template_path("service"))["Resources"]["RunDatasetRole"]["Properties"]
    (policy,) = role["Policies"]
    allowed = [action for statement in policy["PolicyDocument"]["Statement"] for action in statement["Action"]]
    assert "ecs:StopTask" in allowed
