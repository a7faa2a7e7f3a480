"""``nequi-lake infra``: the template to deploy, and what a deployment would meet, against a stand-in of AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.cloudformation.models import Event, cloudformation_backends
from moto.s3.responses import S3Response

from nequi_lake.cli import main
from nequi_lake.cloud.template import render, template_path
from nequi_lake.lake.declared import discover
from nequi_lake.lake.storage.aws import access

# The stand-in makes no resources of these types, and says so by a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS.*not supported by moto:UserWarning")

ROOT = Path(__file__).parents[2]
BUCKET, STACK = "acme-lake", "nequi-lake"
Infra = Callable[..., tuple[int, str, str]]
CheckAll = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def infra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Infra:
    """Runs a command; gives its exit code, and what it printed."""
    monkeypatch.setenv("NEQUI_LAKE_URI", f"s3://{BUCKET}/lake")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nequi-lake", "infra", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def check_all(aws: str, infra: Infra) -> CheckAll:
    """Runs ``infra check``; gives its exit code, and each check by its name."""

    def run(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        code, out, err = infra("check", "--format", "json", *arguments)
        assert "Traceback" not in err
        return code, {row["check"]: row for row in json.loads(out)}

    return run


def deploy(**parameters: str) -> Any:
    """Make the stack as ``aws cloudformation deploy`` does."""
    body = render(template_path("lake"), discover().values())
    given = {"BucketName": BUCKET, **parameters}
    access().client("cloudformation").create_stack(
        StackName=STACK,
        TemplateBody=body,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (found,) = cloudformation_backends["123456789012"]["eu-west-1"].stacks.values()
    return found


def make_bucket(name: str = BUCKET, region: str = "eu-west-1", client: Any = None) -> None:
    (client or access().client("s3")).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}
    )


def results(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: row["result"] for name, row in checks.items()}


def test_an_empty_account_is_ready(check_all: CheckAll) -> None:
    code, checks = check_all()
    assert code == 0
    assert set(results(checks).values()) == {"passed"}
    assert checks["aws_credentials"]["found"] == "account 123456789012, region eu-west-1"
    assert "the deployment makes it" in checks["stack_state"]["found"]
    assert "the deployment makes it" in checks["bucket"]["found"]
    assert checks["databases"]["found"] == "0 of 3 exist"
    assert access().client("s3").list_buckets()["Buckets"] == []


def test_a_deployed_stack_passes(check_all: CheckAll) -> None:
    deploy()
    code, checks = check_all()
    assert (code, set(results(checks).values())) == (0, {"passed"})
    assert checks["stack_state"]["found"] == "CREATE_COMPLETE"
    assert checks["bucket"]["found"] == "it is the stack's"


def test_a_bucket_outside_of_the_stack_is_used_only_where_that_is_meant(check_all: CheckAll) -> None:
    make_bucket()
    code, checks = check_all()
    assert (code, checks["bucket"]["result"]) == (0, "warning")
    assert "CreateBucket=false" in checks["bucket"]["to do"]
    deploy(CreateBucket="false")
    assert check_all()[1]["bucket"]["found"].endswith("which uses it as it is")


def test_a_bucket_of_another_account_is_refused(check_all: CheckAll, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_by_all = S3Response.head_bucket

    def head(self: Any) -> Any:
        """As S3 answers, which the stand-in does not: whose bucket it is has to be as expected."""
        owner = self.backend.head_bucket(self.bucket_name).account_id
        return seen_by_all(self) if self.headers["x-amz-expected-bucket-owner"] == owner else (403, {}, "")

    role = "arn:aws:iam::999999999999:role/other"
    login = access().client("sts").assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]
    make_bucket(
        client=boto3.client(
            "s3",
            region_name="eu-west-1",
            aws_access_key_id=login["AccessKeyId"],
            aws_secret_access_key=login["SecretAccessKey"],
            aws_session_token=login["SessionToken"],
        )
    )
    monkeypatch.setattr(S3Response, "head_bucket", head)
    code, checks = check_all()
    assert (code, checks["bucket"]["result"]) == (1, "failed")
    assert "belongs to another account" in checks["bucket"]["found"]


def test_a_bucket_of_another_region_is_refused(check_all: CheckAll) -> None:
    make_bucket(region="eu-central-1", client=boto3.client("s3", region_name="eu-central-1"))
    code, checks = check_all()
    assert (code, checks["bucket"]["result"]) == (1, "failed")
    assert checks["bucket"]["found"] == "it is in eu-central-1, and the stack would be in eu-west-1"
    assert "AWS_REGION=eu-central-1" in checks["bucket"]["to do"]


def test_a_bucket_that_is_to_exist_and_does_not_is_refused(check_all: CheckAll) -> None:
    deploy(CreateBucket="false")
    code, checks = check_all()
    assert (code, checks["bucket"]["result"]) == (1, "failed")
    assert "CreateBucket=true" in checks["bucket"]["to do"]


def test_a_bucket_of_the_stack_that_was_removed_is_noticed(check_all: CheckAll) -> None:
    deploy()
    access().client("s3").delete_bucket(Bucket=BUCKET)
    code, checks = check_all()
    assert (code, checks["bucket"]["result"]) == (1, "failed")
    assert "does not exist any more" in checks["bucket"]["found"]


def test_a_stack_of_another_bucket_is_refused(check_all: CheckAll, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy()
    monkeypatch.setenv("NEQUI_LAKE_URI", "s3://other-lake/lake")
    code, checks = check_all()
    assert (code, checks["bucket"]["result"]) == (1, "failed")
    assert f"is that of the bucket {BUCKET}" in checks["bucket"]["found"]


def test_a_database_outside_of_the_stack_is_left_out(check_all: CheckAll, infra: Infra) -> None:
    access().client("glue").create_database(DatabaseInput={"Name": "cite_sum"})
    code, checks = check_all()
    assert (code, checks["databases"]["result"]) == (0, "warning")
    advice = checks["databases"]["to do"].split("nequi-lake infra ")[1].split()
    databases = [name for name in json.loads(infra(*advice)[1])["Resources"] if name.startswith("Database")]
    assert databases == ["DatabasecreditUrisk", "DatabaseelectricUmotor"]


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --stack-name nequi-lake"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name nequi-lake"),
        ("UPDATE_IN_PROGRESS", "Wait"),
    ],
)
def test_a_stack_that_cannot_be_deployed_says_why(check_all: CheckAll, state: str, advice: str) -> None:
    found = deploy()
    found.status = state
    found.events.append(
        Event(found.stack_id, STACK, "Workgroup", "", "AWS::Athena::WorkGroup", "CREATE_FAILED", "no such key", None)
    )
    code, checks = check_all()
    assert (code, checks["stack_state"]["result"]) == (1, "failed")
    assert state in checks["stack_state"]["found"]
    assert advice in checks["stack_state"]["to do"]
    assert ("Workgroup: no such key" in checks["stack_state"]["found"]) is ("IN_PROGRESS" not in state)
    assert "bucket" not in checks


def test_a_stack_of_which_only_a_change_set_exists_is_none_yet(check_all: CheckAll) -> None:
    deploy().status = "REVIEW_IN_PROGRESS"
    assert "the deployment makes it" in check_all()[1]["stack_state"]["found"]


def test_missing_credentials_are_reported_first(check_all: CheckAll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, checks = check_all()
    assert (code, list(checks)) == (1, ["aws_credentials"])
    assert "no AWS credentials" in checks["aws_credentials"]["found"]


def test_wrong_credentials_are_reported_without_the_secret(aws: str, check_all: CheckAll) -> None:
    requests.post(f"{aws}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
    try:
        code, checks = check_all()
    finally:
        requests.post(f"{aws}/moto-api/reset-auth", data="inf", timeout=10).raise_for_status()
    assert code == 1
    assert "does not accept the credentials" in checks["aws_credentials"]["found"]
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(checks)


def test_a_lake_in_a_folder_has_no_deployment(infra: Infra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", "/somewhere/lake")
    code, _, err = infra("check")
    assert code == 2
    assert "s3://bucket/prefix" in err


def test_the_template_has_the_declared_datasets(infra: Infra, tmp_path: Path) -> None:
    code, out, _ = infra("template")
    assert code == 0
    kinds = [resource["Type"] for resource in json.loads(out)["Resources"].values()]
    assert kinds.count("AWS::Glue::Database") == 3
    assert infra("template", "--output", str(tmp_path / "lake.json"))[0] == 0
    assert (tmp_path / "lake.json").read_text() == out.rstrip("\n")


def test_the_template_of_the_service_is_printed_too(infra: Infra) -> None:
    assert "AWS::ECS::Service" in infra("template", "service")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--without", "cite_sums"], "There is no dataset cite_sums"),
        (["--output", "no/such/folder/lake.json"], "The folder for this file does not exist"),
        (["cluster"], "'lake', 'service'"),
        (["service", "--without", "cite_sum"], "The template of the service has no databases"),
    ],
)
def test_a_template_that_cannot_be_made_is_wrong_use(infra: Infra, arguments: list[str], said: str) -> None:
    code, out, err = infra("template", *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_a_template_that_is_too_large_for_a_request_says_how_to_deploy_it(
    infra: Infra, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--s3-bucket" not in infra("template")[2]
    monkeypatch.setattr("nequi_lake.cloud.template.MAX_TEMPLATE_BYTES", 1000)
    assert "deploy it with --s3-bucket" in infra("template")[2]


def test_the_script_deploys_the_template_for_the_lake_s_place(tmp_path: Path) -> None:
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$SAID"\ncat "$4" > "$SAID.json"\n')
    aws.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NEQUI_LAKE_URI": f"s3://{BUCKET}/some/prefix",
        "SAID": str(tmp_path / "said"),
    }
    subprocess.run([ROOT / "scripts" / "deploy-stack", "--no-execute-changeset"], env=environment, check=True)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[:3] == ["cloudformation", "deploy", "--template-file"]
    assert {"CAPABILITY_IAM", f"BucketName={BUCKET}", "LakePrefix=some/prefix"} < set(said)
    assert said[-1] == "--no-execute-changeset"
    assert "DatabasecreditUrisk" in json.loads((tmp_path / "said.json").read_text())["Resources"]


@pytest.mark.long
def test_the_wheel_has_the_templates(tmp_path: Path) -> None:
    kept = ("nequi_lake", "infra", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
    (tmp_path / "source").mkdir()
    for name in kept:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / "source" / name)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(tmp_path / "source")]
    subprocess.run(wheel, check=True)
    (built,) = tmp_path.glob("*.whl")
    templates = {"nequi_lake/infra/lake.yaml", "nequi_lake/infra/service.yaml"}
    assert templates <= set(zipfile.ZipFile(built).namelist())
