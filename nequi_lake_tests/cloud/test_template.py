"""The template of the lake's stack: what it has for the declared datasets, and what it allows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from nequi_lake.cloud.template import render, template_path
from nequi_lake.datasets import discover
from nequi_lake_tests.conftest import declared

TRIGGER = {
    "ClusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/lake",
    "TaskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/lake:1",
    "Subnets": "subnet-1,subnet-2",
    "SecurityGroup": "sg-1",
}


def test_a_new_dataset_gets_its_database_without_an_edit(tmp_path: Path) -> None:
    known = discover()
    text = Path(str(sys.modules["nequi_lake.datasets.cite_sum"].__file__)).read_text()
    with declared(tmp_path / "more", fourth=text.replace('name="cite_sum"', 'name="fourth"')):
        found = json.loads(render(template_path("lake"), discover().values()))["Resources"]
    assert set(discover()) == set(known)
    assert found["Databasefourth"]["Properties"]["DatabaseInput"]["Name"] == "fourth"
    assert "database/fourth" in json.dumps(found["PipelinePolicy"])


@pytest.fixture(scope="module")
def resources() -> Mapping[str, Any]:
    body: dict[str, Any] = json.loads(render(template_path("lake"), discover().values()))
    return dict(body["Resources"])


def test_the_rendered_template_has_nothing_to_complain_of(tmp_path: Path) -> None:
    rendered = tmp_path / "lake.json"
    rendered.write_text(render(template_path("lake"), discover().values()))
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(template_path("lake")), str(rendered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_bucket_is_private_encrypted_versioned_and_kept(resources: Mapping[str, Any]) -> None:
    bucket = resources["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    with_key, without = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["Fn::If"][1:]
    assert with_key["BucketKeyEnabled"] is True
    assert without["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    refusal = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert (refusal["Effect"], refusal["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert all(
        found["DeletionPolicy"] == "Retain" for found in resources.values() if found["Type"] == "AWS::Glue::Database"
    )


def statements(resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for resource in resources.values():
        properties = resource["Properties"]
        documents = [properties.get("PolicyDocument"), *(p["PolicyDocument"] for p in properties.get("Policies", []))]
        found += [statement for document in documents if document for statement in document["Statement"]]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_nobody_is_allowed_everything(resources: Mapping[str, Any]) -> None:
    # The key's own policy is no part of these: there "*" is the key.
    allowed = [statement for statement in statements(resources) if statement["Effect"] == "Allow"]
    assert len(allowed) > 15
    assert [s["Sid"] for s in allowed if any("*" in action for action in as_list(s["Action"]))] == []
    assert [s["Sid"] for s in allowed if "*" in as_list(s["Resource"])] == []


def test_readers_write_nothing_but_the_results_of_their_queries(resources: Mapping[str, Any]) -> None:
    for statement in resources["ReaderPolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        writes = [a for a in as_list(statement["Action"]) if a.split(":")[1].startswith(("Put", "Delete", "Create"))]
        if writes:
            assert statement["Resource"]["Fn::Sub"].endswith("${BucketName}/athena-results/*")


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
    values = {**TRIGGER, "ContainerName": "nequi-lake", "AssignPublicIp": "DISABLED"}
    for name, value in properties["Environment"]["Variables"].items():
        monkeypatch.setenv(name, values[value["Ref"]])
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
    assert ecs.asked["overrides"] == {"containerOverrides": [{"name": "nequi-lake", "command": command}]}
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
