"""The template of the lake's stack: what it has for the declared datasets, and what it allows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nequi_lake.cloud.template import render, template_path
from nequi_lake.lake.declared import discover
from nequi_lake_tests.conftest import declared


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
        for statement in (statement for document in documents if document for statement in document["Statement"]):
            found.append(statement["Fn::If"][1] if "Fn::If" in statement else statement)
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


def test_runs_read_the_source_that_is_named_and_nothing_beside_it(resources: Mapping[str, Any]) -> None:
    policy = resources["SourcePolicy"]
    assert (policy["Condition"], policy["Properties"]["Roles"]) == ("HasSource", [{"Ref": "PipelineRole"}])
    listing, reading, key = policy["Properties"]["PolicyDocument"]["Statement"]
    within, all_of_it = listing["Condition"]["StringLike"]["s3:prefix"]["Fn::If"][1:]
    assert (within, all_of_it) == ([{"Ref": "SourcePrefix"}, {"Fn::Sub": "${SourcePrefix}/*"}], ["*"])
    assert reading["Action"] == "s3:GetObject"
    assert reading["Resource"]["Fn::If"][1]["Fn::Sub"].endswith(":::${SourceBucket}/${SourcePrefix}/*")
    assert key["Fn::If"][1]["Action"] == "kms:Decrypt"
