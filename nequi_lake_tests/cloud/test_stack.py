"""The stack on AWS: planned, deployed, taken down, against a stand-in of CloudFormation that knows no rollback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.cloudformation.models import CloudFormationBackend, Event, cloudformation_backends
from moto.s3.responses import S3Response

from nequi_lake.cloud import stack
from nequi_lake.cloud.stack import Options, StackError
from nequi_lake.cloud.template import TEMPLATE, render
from nequi_lake.datasets import discover
from nequi_lake.errors import UsageError
from nequi_lake.lake.storage.aws import access
from nequi_lake_tests.conftest import declared

# The stand-in makes no resources of these types, and says so by a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS.*not supported by moto:UserWarning")

BUCKET = "acme-lake"
TRIGGER = {
    "ClusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/lake",
    "TaskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/lake:1",
    "Subnets": "subnet-1,subnet-2",
    "SecurityGroup": "sg-1",
}


def options(**changes: Any) -> Options:
    return Options(**{"uri": f"s3://{BUCKET}/lake", "datasets": discover(), "poll_s": 0, **changes})


def make_bucket(name: str = BUCKET, region: str = "eu-west-1", client: Any = None) -> Any:
    s3 = client or access().client("s3")
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    return s3


def buckets() -> list[str]:
    return [found["Name"] for found in access().client("s3").list_buckets()["Buckets"]]


def stacks() -> list[str]:
    return [found["StackName"] for found in access().client("cloudformation").describe_stacks()["Stacks"]]


def roll_back(found: Any, reason: str) -> None:
    """Leave a stack of the stand-in as CloudFormation leaves one that it could not make."""
    found.status = "ROLLBACK_COMPLETE"
    found.events.append(
        Event(found.stack_id, found.name, "Workgroup", "", "AWS::Athena::WorkGroup", "CREATE_FAILED", reason, None)
    )


def test_a_plan_on_an_empty_account_says_what_would_be_made_and_leaves_nothing(aws: str) -> None:
    planned = stack.plan(options())
    assert (planned.account, planned.region, planned.bucket) == (
        "123456789012",
        "eu-west-1",
        "acme-lake will be made",
    )
    made = {change.logical_id: (change.action, change.type) for change in planned.changes}
    assert made["Bucket"] == ("Add", "AWS::S3::Bucket")
    assert [kind for _, kind in made.values()].count("AWS::Glue::Database") == len(discover())
    assert (buckets(), stacks()) == ([], [])


def test_what_was_deployed_has_nothing_to_change(aws: str) -> None:
    told: list[str] = []
    first = stack.deploy(options(), tell=told.append)
    assert (first.status, bool(first.plan.changes), buckets()) == ("CREATE_COMPLETE", True, [BUCKET])
    assert any(line.startswith("CREATE_COMPLETE  nequi-lake") for line in told)
    assert not stack.plan(options()).is_needed
    again = stack.deploy(options(), tell=told.append)
    assert (again.plan.changes, again.status) == ((), "CREATE_COMPLETE")
    assert access().client("cloudformation").list_change_sets(StackName="nequi-lake")["Summaries"][1:] == []
    found = stack.status(options())
    assert (found.state, found.bucket, found.bucket_is_there, found.is_well) == (
        "CREATE_COMPLETE",
        BUCKET,
        True,
        True,
    )


def test_a_parameter_stays_where_it_is_not_given_again(aws: str) -> None:
    stack.deploy(options(parameters={"AthenaScanLimitBytes": "20000000"}))
    assert not stack.plan(options()).is_needed
    assert stack.plan(options(parameters={"AthenaScanLimitBytes": "30000000"})).is_needed


def test_a_bucket_of_the_account_outside_of_the_stack_is_not_taken_over(aws: str) -> None:
    make_bucket()
    with pytest.raises(UsageError, match=r"in this account already, and not in the stack[\s\S]*--existing-bucket"):
        stack.deploy(options())
    assert stacks() == []
    assert stack.deploy(options(create_bucket=False)).plan.bucket == "acme-lake is used as it is"
    assert not stack.plan(options()).is_needed
    kept = stack.destroy(options(), yes=True, delete_empty_bucket=True)
    assert (kept.removed_bucket, buckets()) == (False, [BUCKET])
    assert "which the stack did not make" in " ".join(kept.kept)


def test_a_bucket_of_another_account_is_refused(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_by_all = S3Response.head_bucket

    def head(self: Any) -> Any:
        """As S3 answers, which the stand-in does not: whose bucket it is has to be as expected."""
        owner = self.backend.head_bucket(self.bucket_name).account_id
        return seen_by_all(self) if self.headers["x-amz-expected-bucket-owner"] == owner else (403, {}, "")

    role = "arn:aws:iam::999999999999:role/other"
    login = access().client("sts").assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]
    other = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=login["AccessKeyId"],
        aws_secret_access_key=login["SecretAccessKey"],
        aws_session_token=login["SessionToken"],
    )
    make_bucket(client=other)
    monkeypatch.setattr(S3Response, "head_bucket", head)
    with pytest.raises(UsageError, match="belongs to another account"):
        stack.plan(options())
    assert stacks() == []


def test_a_bucket_of_another_region_is_refused(aws: str) -> None:
    make_bucket(region="eu-central-1", client=boto3.client("s3", region_name="eu-central-1"))
    with pytest.raises(UsageError, match="is in eu-central-1, and the stack would be in eu-west-1"):
        stack.plan(options(create_bucket=False))


def test_a_bucket_that_is_to_be_there_and_is_not_is_told(aws: str) -> None:
    with pytest.raises(UsageError, match="There is no bucket acme-lake"):
        stack.plan(options(create_bucket=False))


def test_a_database_that_is_there_stays_outside_of_the_stack(aws: str) -> None:
    access().client("glue").create_database(DatabaseInput={"Name": "cite_sum"})
    planned = stack.plan(options())
    assert [change.logical_id for change in planned.changes if change.logical_id.startswith("Database")] == [
        "DatabasecreditUrisk",
        "DatabaseelectricUmotor",
    ]
    assert planned.notes == ("The database cite_sum is there already, and stays outside of the stack.",)
    assert stack.status(options()).databases == 1


def test_missing_credentials_are_told(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="no AWS credentials"):
        stack.plan(options())


def test_credentials_that_aws_does_not_know_are_told_without_the_secret(aws: str) -> None:
    requests.post(f"{aws}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
    try:
        with pytest.raises(UsageError, match="does not accept the credentials") as told:
            stack.plan(options())
    finally:
        requests.post(f"{aws}/moto-api/reset-auth", data="inf", timeout=10).raise_for_status()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(told.value)


def test_taking_down_keeps_a_bucket_with_data(aws: str) -> None:
    stack.deploy(options())
    access().client("s3").put_object(Bucket=BUCKET, Key="lake/raw/x", Body=b"1")
    with pytest.raises(UsageError, match="--yes"):
        stack.destroy(options())
    assert stacks() == ["nequi-lake"]
    gone = stack.destroy(options(), yes=True, delete_empty_bucket=True)
    assert (gone.was_there, gone.removed_bucket) == (True, False)
    assert "the bucket acme-lake, which is not empty" in gone.kept
    assert access().client("s3").get_object(Bucket=BUCKET, Key="lake/raw/x")["Body"].read() == b"1"
    assert stack.destroy(options(), yes=True).was_there is False


def test_old_versions_are_data_too(aws: str) -> None:
    stack.deploy(options())
    s3 = access().client("s3")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key="lake/raw/x", Body=b"1")
    s3.delete_object(Bucket=BUCKET, Key="lake/raw/x")
    assert stack.destroy(options(), yes=True, delete_empty_bucket=True).removed_bucket is False
    assert buckets() == [BUCKET]


def test_an_unfinished_upload_is_data_too(aws: str) -> None:
    stack.deploy(options())
    access().client("s3").create_multipart_upload(Bucket=BUCKET, Key="lake/raw/x")
    assert stack.destroy(options(), yes=True, delete_empty_bucket=True).removed_bucket is False
    assert buckets() == [BUCKET]


@pytest.mark.parametrize("asked", [True, False])
def test_an_empty_bucket_goes_only_where_it_is_asked_for(aws: str, asked: bool) -> None:
    stack.deploy(options())
    assert stack.destroy(options(), yes=True, delete_empty_bucket=asked).removed_bucket is asked
    assert buckets() == ([] if asked else [BUCKET])


def test_a_deployment_that_is_rolled_back_says_why(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
        roll_back(self.get_stack(stack_name), "WorkGroup nequi_lake is already created")

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", fail)
    with pytest.raises(StackError, match=r"ROLLBACK_COMPLETE[\s\S]*Workgroup[\s\S]*is already created"):
        stack.deploy(options())


def test_a_rolled_back_stack_can_only_be_taken_down(aws: str) -> None:
    stack.deploy(options())
    roll_back(cloudformation_backends["123456789012"]["eu-west-1"].get_stack("nequi-lake"), "no such key")
    with pytest.raises(StackError, match=r"no such key[\s\S]*infra destroy --yes"):
        stack.plan(options())
    assert not stack.status(options()).is_well
    assert stack.status(options()).reasons == ("Workgroup (AWS::Athena::WorkGroup): no such key",)
    assert stack.destroy(options(), yes=True, delete_empty_bucket=True).removed_bucket


@pytest.mark.parametrize("left_by", ["nequi-lake-1", "approval"])
def test_only_a_plan_that_was_broken_off_is_cleared_away(aws: str, left_by: str) -> None:
    access().client("cloudformation").create_change_set(
        StackName="nequi-lake",
        ChangeSetName=left_by,
        ChangeSetType="CREATE",
        TemplateBody=render(TEMPLATE, []),
        Parameters=[{"ParameterKey": "BucketName", "ParameterValue": BUCKET}],
    )
    assert stack.plan(options()).changes
    assert ("nequi-lake" in stacks()) is (left_by == "approval")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"uri": "s3://acme-lake"}, "not a bucket and a prefix"),
        ({"uri": "/data/lake"}, "not a bucket and a prefix"),
        ({"template": Path("/nowhere/lake.yaml")}, "--template infra/lake.yaml"),
        ({"parameters": {"AthenaScanLimitBytes": "5"}}, "AthenaScanLimitBytes is '5'"),
        ({"parameters": {"AlarmEmail": "nobody"}}, "AlarmEmail is 'nobody'"),
        ({"parameters": {"ClusterArn": TRIGGER["ClusterArn"]}}, "needs TaskDefinitionArn, too"),
        ({"stack": "my_stack"}, "The stack's name is"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_made(aws: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        stack.deploy(options(**changes))
    assert (buckets(), stacks()) == ([], [])


def test_a_stack_of_another_bucket_is_left_alone(aws: str) -> None:
    stack.deploy(options())
    with pytest.raises(UsageError, match="is that of the bucket acme-lake"):
        stack.plan(options(uri="s3://other-lake/lake"))


def test_a_new_dataset_gets_its_database_without_an_edit(tmp_path: Path) -> None:
    known = discover()
    text = Path(str(sys.modules["nequi_lake.datasets.cite_sum"].__file__)).read_text()
    with declared(tmp_path / "more", fourth=text.replace('name="cite_sum"', 'name="fourth"')):
        found = json.loads(render(TEMPLATE, discover().values()))["Resources"]
    assert set(discover()) == set(known)
    assert found["Databasefourth"]["Properties"]["DatabaseInput"]["Name"] == "fourth"
    assert "database/fourth" in json.dumps(found["PipelinePolicy"])


@pytest.fixture(scope="module")
def resources() -> Mapping[str, Any]:
    body: dict[str, Any] = json.loads(render(TEMPLATE, discover().values()))
    return dict(body["Resources"])


def test_the_rendered_template_has_nothing_to_complain_of(tmp_path: Path) -> None:
    rendered = tmp_path / "lake.json"
    rendered.write_text(render(TEMPLATE, discover().values()))
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(TEMPLATE), str(rendered)]
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
