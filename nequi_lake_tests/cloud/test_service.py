"""The template of the service: its trigger, and what it allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from nequi_lake.cloud.template import read_template, template_path


@pytest.fixture(scope="module")
def resources() -> Mapping[str, Any]:
    """The template's resources."""
    found: dict[str, Any] = read_template(template_path("service"))["Resources"]
    return found


class Ecs:
    """Takes what the trigger asks of ECS."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: dict[str, Any] = {}

    def run_task(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return self.answer


def call_trigger(
    resources: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, ecs: Ecs, event: dict[str, Any]
) -> dict[str, Any]:
    """Run the trigger's code as Lambda does."""
    properties = resources["Trigger"]["Properties"]
    values = {
        "CLUSTER": "arn:aws:ecs:eu-west-1:123456789012:cluster/lake",
        "SUBNETS": "subnet-1,subnet-2",
        "SECURITY_GROUP": "sg-1",
        "ASSIGN_PUBLIC_IP": "DISABLED",
    }
    for name, value in properties["Environment"]["Variables"].items():
        monkeypatch.setenv(name, value if isinstance(value, str) else values[name])
    monkeypatch.setattr(boto3, "client", {"ecs": ecs}.__getitem__)
    code: dict[str, Any] = {}
    exec(compile(properties["Code"]["ZipFile"], "index.py", "exec"), code)
    done: dict[str, Any] = code["handler"](event, None)
    return done


@pytest.mark.parametrize(
    ("event", "command"),
    [
        ({"id": "e1", "detail-type": "Scheduled Event", "detail": {}}, ["nequi-lake", "run"]),
        (
            {"id": "e1", "detail": {"datasets": ["cite_sum", "credit_risk"]}},
            ["nequi-lake", "run", "cite_sum", "credit_risk"],
        ),
    ],
)
def test_the_trigger_starts_a_run(
    resources: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], command: list[str]
) -> None:
    ecs = Ecs(tasks=[{"taskArn": "arn:task"}], failures=[])
    assert call_trigger(resources, monkeypatch, ecs, event) == {"task": "arn:task", "command": command}
    (run,) = resources["RunTask"]["Properties"]["ContainerDefinitions"]
    assert ecs.asked["overrides"] == {"containerOverrides": [{"name": run["Name"], "command": command}]}
    assert ecs.asked["taskDefinition"] == resources["RunTask"]["Properties"]["Family"]
    assert ecs.asked["clientToken"] == "e1"
    assert ecs.asked["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1", "subnet-2"]


@pytest.mark.parametrize("datasets", ["cite_sum", ["--debug"], ["a;b"], [1]])
def test_the_trigger_takes_only_names_of_datasets(
    resources: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, datasets: Any
) -> None:
    ecs = Ecs()
    with pytest.raises(ValueError, match="list of names of datasets"):
        call_trigger(resources, monkeypatch, ecs, {"detail": {"datasets": datasets}})
    assert ecs.asked == {}


def test_the_trigger_fails_where_ecs_starts_nothing(
    resources: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="RESOURCE:MEMORY"):
        call_trigger(resources, monkeypatch, Ecs(tasks=[], failures=[{"reason": "RESOURCE:MEMORY"}]), {"id": "e"})


def test_the_trigger_may_start_every_revision_of_the_run_with_its_roles(
    resources: Mapping[str, Any],
) -> None:
    (policy,) = resources["TriggerRole"]["Properties"]["Policies"]
    statements = {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}
    run = resources["RunTask"]["Properties"]
    assert statements["StartRun"]["Resource"]["Fn::Sub"].endswith(f":task-definition/{run['Family']}:*")
    assert statements["GiveRoles"]["Resource"] == [run["TaskRoleArn"], run["ExecutionRoleArn"]]


def test_the_web_interface_is_reached_over_tls_and_behind_a_login_alone(resources: Mapping[str, Any]) -> None:
    listeners = [r["Properties"] for r in resources.values() if r["Type"].endswith("::Listener")]
    (listener,) = listeners
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    login, forward = sorted(listener["DefaultActions"], key=lambda action: action["Order"])
    assert (login["Type"], login["AuthenticateOidcConfig"]["OnUnauthenticatedRequest"]) == (
        "authenticate-oidc",
        "authenticate",
    )
    assert forward == {"Type": "forward", "Order": 2, "TargetGroupArn": {"Ref": "Web"}}
    assert resources["LoadBalancer"]["Properties"]["Scheme"] == "internal"
    # Nothing else leads to the webserver.
    assert "SecurityGroupIngress" not in resources["ServiceSecurityGroup"]["Properties"]
    ingress = [
        r["Properties"]
        for r in resources.values()
        if r["Type"] == "AWS::EC2::SecurityGroupIngress"
        and r["Properties"]["GroupId"] == {"Ref": "ServiceSecurityGroup"}
    ]
    assert [(rule["FromPort"], rule["SourceSecurityGroupId"]) for rule in ingress] == [
        (3000, {"Ref": "WebSecurityGroup"})
    ]
    (balanced,) = resources["Service"]["Properties"]["LoadBalancers"]
    containers = {c["Name"]: c for c in resources["ServiceTask"]["Properties"]["ContainerDefinitions"]}
    assert containers[balanced["ContainerName"]]["PortMappings"] == [{"ContainerPort": balanced["ContainerPort"]}]


def references(value: Any) -> set[str]:
    """The resources and parameters that a part of the template names, but for what stands behind a condition."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    if set(value) == {"Ref"}:
        return {value["Ref"]}
    if set(value) == {"Fn::GetAtt"}:
        return {value["Fn::GetAtt"][0]}
    if set(value) == {"Fn::If"} and value["Fn::If"][0] == "HasService":
        return references(value["Fn::If"][2])
    if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        return {name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", value["Fn::Sub"])}
    return set().union(*map(references, value.values()))


def test_runs_and_trigger_need_nothing_of_the_service(resources: Mapping[str, Any]) -> None:
    of_service = {name for name, resource in resources.items() if resource.get("Condition") == "HasService"}
    assert {"Database", "Service", "ServiceTask", "LoadBalancer"} <= of_service
    always = {name: resource for name, resource in resources.items() if "Condition" not in resource}
    assert {"RunTask", "Trigger", "OnRequest", "Cluster", "ExecutionRole"} <= set(always)
    for name, resource in always.items():
        assert references(resource) & of_service == set(), name


def test_runs_without_the_service_record_nothing_in_its_database(resources: Mapping[str, Any]) -> None:
    (run,) = resources["RunTask"]["Properties"]["ContainerDefinitions"]
    plain = {variable["Name"] for variable in run["Environment"] if "Name" in variable}
    assert {"NEQUI_LAKE_URI", "NEQUI_LAKE_ALERT_TOPIC", "NEQUI_LAKE_SOURCE"} <= plain
    assert not {"DAGSTER_HOME", "DAGSTER_POSTGRES_HOST"} & plain
    image = (Path(__file__).parents[2] / "Dockerfile").read_text()
    assert not re.search(r"^ENV .*DAGSTER_HOME", image, re.MULTILINE)


def test_an_event_for_which_no_run_could_be_started_goes_to_the_topic(resources: Mapping[str, Any]) -> None:
    assert resources["Trigger"]["Properties"]["DeadLetterConfig"] == {"TargetArn": {"Ref": "TopicArn"}}
    (policy,) = resources["TriggerRole"]["Properties"]["Policies"]
    allowed = {
        (action, str(statement["Resource"]))
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    # The topic's messages are encrypted: without the key Lambda drops them.
    wanted = {"sns:Publish": "TopicArn", "kms:GenerateDataKey": "AlarmKeyArn", "kms:Decrypt": "AlarmKeyArn"}
    assert {(action, str({"Ref": name})) for action, name in wanted.items()} <= allowed
