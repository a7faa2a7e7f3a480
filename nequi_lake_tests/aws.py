"""A bucket for the tests: of moto's server in this process, or of the real S3 server that the environment names.

``NEQUI_TEST_BUCKET_SERVER=1`` says that ``AWS_ENDPOINT_URL_S3`` and credentials are those of a server on which
buckets may be made and removed. Without it nothing outside of this process is ever talked to.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.server import ThreadedMotoServer

from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage.aws import access

ON_SERVER = bool(os.environ.get("NEQUI_TEST_BUCKET_SERVER"))
"""Whether the tests that are marked ``bucket`` run against a real server."""


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The URL of a stand-in for AWS."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty AWS account that this process's environment leads to; gives its URL."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    requests.post(f"{moto_server}/moto-api/reset", timeout=10).raise_for_status()
    return moto_server


@pytest.fixture
def bucket_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings' variables of a lake in a new bucket, its catalog in Glue where there is one."""
    name = f"lake-{uuid.uuid4().hex[:12]}"
    variables = {"NEQUI_LAKE_URI": f"s3://{name}/some/prefix"}
    if ON_SERVER:
        client = access().client("s3")
        client.create_bucket(Bucket=name)
        database = f"sqlite:///{tmp_path}/catalog.db"
        yield {
            **variables,
            "NEQUI_LAKE_CATALOG": "sql",
            "NEQUI_LAKE_CATALOG_URI": database,
            "NEQUI_LAKE_ENCRYPTION": os.environ.get("NEQUI_LAKE_ENCRYPTION", "AES256"),
        }
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for found in page.get("Contents", []):
                client.delete_object(Bucket=name, Key=found["Key"])
        client.delete_bucket(Bucket=name)
    else:
        request.getfixturevalue("aws")
        client = access().client("s3")
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield variables


@dataclass
class Mailbox:
    """Where the messages of a topic arrive."""

    topic: str
    queue: str

    def messages(self) -> list[dict[str, str]]:
        """All that came since the last look."""
        sqs, bodies = access().client("sqs"), []
        while found := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in found]
            for message in found:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@pytest.fixture
def mailbox(aws: str) -> Mailbox:
    """A topic, and a queue that is subscribed to it."""
    topic = access().client("sns").create_topic(Name="alerts")["TopicArn"]
    sqs = access().client("sqs")
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    access().client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return Mailbox(topic, queue)


def objects(settings: Settings) -> dict[str, dict[str, Any]]:
    """Key within the lake → what the server says of the object."""
    bucket, prefix = settings.uri.removeprefix("s3://").split("/", 1)
    client = access().client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return {key.removeprefix(prefix + "/"): client.head_object(Bucket=bucket, Key=key) for key in keys}
