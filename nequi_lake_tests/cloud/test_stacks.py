"""The stacks fit together: what the service is given is what the lake gives, by the same names and in the same form."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nequi_lake.cloud.template import read_template, template_path

ROOT = Path(__file__).parents[2]
LAKE, SERVICE = (read_template(template_path(name)) for name in ("lake", "service"))
VALUES = {
    "BucketName": "acme-lake",
    "LakePrefix": "lake",
    "TopicArn": "arn:aws:sns:us-east-1:123456789012:nequi-lake-AlarmTopic-1",
    "AlarmKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "PipelineRoleArn": "arn:aws:iam::123456789012:role/nequi-lake-PipelineRole-1",
    "Encryption": "arn:aws:kms:us-east-1:123456789012:key/2",
    "Source": "s3://acme-inbox/daily",
    "SourcePolicyArn": "arn:aws:iam::123456789012:policy/nequi-lake-SourcePolicy-1",
    "SecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:nequi-lake/kaggle-1",
}
"""Output of the lake's stack → what it may be."""


def shared() -> set[str]:
    """The names that are outputs of the lake's stack and parameters of the service's."""
    return set(LAKE["Outputs"]) & set(SERVICE["Parameters"])


def test_the_service_says_of_each_parameter_whether_the_lake_gives_it() -> None:
    said = {name for name, found in SERVICE["Parameters"].items() if "Output of the lake" in found["Description"]}
    assert said == shared() == set(VALUES)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_the_service_takes_what_the_lake_gives(name: str) -> None:
    pattern = SERVICE["Parameters"][name].get("AllowedPattern", ".+")
    assert re.fullmatch(pattern, VALUES[name])
    # An output that may be missing is a parameter that may be left out.
    assert "Condition" not in LAKE["Outputs"][name] or "Default" in SERVICE["Parameters"][name]


def test_each_stack_takes_what_the_other_way_round_would_need() -> None:
    """Nothing of the service is needed by the lake, so that each is deployed once."""
    assert not set(SERVICE["Outputs"]) & set(LAKE["Parameters"])


@pytest.mark.parametrize("body", [LAKE, SERVICE], ids=["lake", "service"])
def test_every_parameter_is_used(body: dict[str, Any]) -> None:
    text = str({name: part for name, part in body.items() if name != "Parameters"})
    unused = [name for name in body["Parameters"] if f"{{'Ref': '{name}'}}" not in text and f"${{{name}}}" not in text]
    assert unused == []


def test_the_service_asks_for_what_it_needs_and_not_for_more() -> None:
    asserted = {
        condition["Assert"]["Fn::Not"][0]["Fn::Equals"][0]["Ref"]
        for condition in SERVICE["Rules"]["ServiceIsWhole"]["Assertions"]
    }
    of_service = {name for name, found in SERVICE["Parameters"].items() if "With the service." in found["Description"]}
    assert asserted == {name for name in of_service if SERVICE["Parameters"][name].get("Default") == ""}


def deploy_service(tmp_path: Path, *arguments: str) -> list[str]:
    """What scripts/deploy-service asks of the AWS command line."""
    outputs = "".join(f"{name}\\t{value}\\n" for name, value in {**VALUES, "ReaderRoleArn": "arn:x"}.items())
    aws = tmp_path / "aws"
    aws.write_text(
        f'#!/bin/sh\nif [ "$2" = deploy ]; then printf "%s\\n" "$@" > "$SAID"; else printf "{outputs}"; fi\n'
    )
    aws.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SAID": str(tmp_path / "said")}
    subprocess.run([ROOT / "scripts" / "deploy-service", *arguments], env=environment, check=True)
    return (tmp_path / "said").read_text().splitlines()


def test_the_script_gives_the_service_what_the_lake_gives(tmp_path: Path) -> None:
    said = deploy_service(tmp_path, "Image=acme/nequi-lake:1", "VpcId=vpc-1", "--no-execute-changeset")
    overrides = said[said.index("--parameter-overrides") + 1 : -1]
    assert dict(override.split("=", 1) for override in overrides) == {
        **VALUES,
        "Image": "acme/nequi-lake:1",
        "VpcId": "vpc-1",
    }
    assert said[-1] == "--no-execute-changeset"
    assert deploy_service(tmp_path, "Image=acme/nequi-lake:2")[-1] == "Image=acme/nequi-lake:2"


def commands(text: str) -> list[str]:
    """The shell commands of a page, each on one line."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]


def test_the_page_gives_each_stack_parameters_that_it_has_and_all_that_it_needs() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    given = {
        script: [set(re.findall(r"\b([A-Z]\w+)=", line)) for line in commands(page) if f"scripts/{script}" in line]
        for script in ("deploy-stack", "deploy-service")
    }
    assert set().union(*given["deploy-stack"]) <= set(LAKE["Parameters"])
    needed = {name for name, found in SERVICE["Parameters"].items() if "Default" not in found} - shared()
    with_service = {
        name for name, found in SERVICE["Parameters"].items() if "With the service." in found["Description"]
    }
    whole, small = (names for names in given["deploy-service"] if "VpcId" in names)
    assert whole == needed | with_service
    assert small == needed | {"DagsterService", "Schedule"}
    assert set().union(*given["deploy-service"]) <= set(SERVICE["Parameters"])


def test_the_pages_name_outputs_and_parameters_that_there_are() -> None:
    text = (ROOT / "docs" / "infrastructure.md").read_text()
    table = text.split("## Parameters", 1)[1].split("## What the roles may do", 1)[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(LAKE["Parameters"]) | (set(SERVICE["Parameters"]) - shared())
