"""Checks of a deployment by `aws cloudformation deploy`: account, stack, bucket, databases. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import botocore.exceptions

from nequi_lake.errors import UsageError
from nequi_lake.lake.check import Check, run_check
from nequi_lake.lake.storage.aws import access

_TO_DELETE = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
"""States of a stack after which it can only be deleted."""
_IN_REVIEW = "REVIEW_IN_PROGRESS"
_MISSING = ("404", "NoSuchBucket")


def check_deployment(uri: str, datasets: Collection[str], stack: str) -> list[Check]:
    """Check what a deployment of the lake's stack would meet. A check that warns says with which option to deploy.

    Args:
        uri: the lake, ``s3://bucket/prefix``.
        datasets: names of the declared datasets, each of which gets a database.
        stack: the stack's name.

    Raises:
        UsageError: the lake is not in a bucket, under a prefix.
    """
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not uri.startswith("s3://") or not bucket or not prefix:
        raise UsageError(
            f"The lake is {uri!r}, which is not a bucket and a prefix.",
            where="NEQUI_LAKE_URI",
            fix="Set it to s3://bucket/prefix, such as s3://my-company-lake/lake.",
        )
    deployment = _Deployment(bucket, tuple(datasets), stack)
    credentials = run_check("aws_credentials", "AWS", deployment.identity)
    if not credentials.passed:
        return [credentials]
    found = run_check("stack_state", stack, deployment.state)
    if not found.passed:
        return [credentials, found]
    return [
        credentials,
        found,
        run_check("bucket", f"s3://{bucket}", deployment.bucket_state),
        run_check("databases", "AWS Glue", deployment.database_state),
    ]


@dataclass(frozen=True)
class _Deployment:
    """One stack in the account and region of AWS's standard chain."""

    bucket: str
    datasets: tuple[str, ...]
    stack: str

    @cached_property
    def _account(self) -> str:
        return str(access().client("sts").get_caller_identity()["Account"])

    @cached_property
    def _described(self) -> Mapping[str, Any] | None:
        """The stack; None where there is none."""
        try:
            answer = access().client("cloudformation").describe_stacks(StackName=self.stack)
        except botocore.exceptions.ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise
        found: Mapping[str, Any] = answer["Stacks"][0]
        return None if found["StackStatus"] == _IN_REVIEW else found

    @cached_property
    def _resources(self) -> set[tuple[str, str]]:
        """(type, name) of the stack's resources."""
        if self._described is None:
            return set()
        pages = access().client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        return {
            (resource["ResourceType"], resource.get("PhysicalResourceId", ""))
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceStatus"] != "DELETE_COMPLETE"
        }

    def identity(self) -> str:
        """The account and region."""
        return f"account {self._account}, region {access().region}"

    def state(self) -> str | Check:
        """Whether the stack can be deployed."""
        if self._described is None:
            return "there is no such stack yet: the deployment makes it"
        state = str(self._described["StackStatus"])
        if state in _TO_DELETE:
            return self._failed(
                f"it is {state}{self._reasons()}",
                f"Fix the cause, then: aws cloudformation delete-stack --stack-name {self.stack}, and deploy again. "
                "A bucket that it made stays: deploy with CreateBucket=false.",
            )
        if state == "UPDATE_ROLLBACK_FAILED":
            return self._failed(
                f"it is {state}{self._reasons()}",
                f"Fix the cause, then: aws cloudformation continue-update-rollback --stack-name {self.stack}",
            )
        if state.endswith("_IN_PROGRESS"):
            return self._failed(f"it is being changed: {state}", "Wait until it is done.")
        return state

    def _failed(self, found: str, fix: str) -> Check:
        return Check(name="stack_state", subject=self.stack, passed=False, found=found, fix=fix)

    def _reasons(self) -> str:
        """Why resources failed, the first cause first, without those that were cancelled because of it."""
        pages = access().client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=self.stack)
        reasons = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for page in pages
            for event in page["StackEvents"]
            if event.get("ResourceStatus", "").endswith("FAILED")
            and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
        ]
        return "".join(f"; {reason}" for reason in reversed(reasons))

    def bucket_state(self) -> str | Check:
        """Whether the bucket is, or can be, the lake's."""
        parameters = {
            given["ParameterKey"]: given["ParameterValue"] for given in (self._described or {}).get("Parameters", ())
        }
        if parameters.get("BucketName", self.bucket) != self.bucket:
            return self._bucket_failed(
                f"the stack {self.stack} is that of the bucket {parameters['BucketName']}",
                "Set NEQUI_LAKE_URI to that bucket, or choose another stack: --stack",
            )
        in_stack = ("AWS::S3::Bucket", self.bucket) in self._resources
        region = self._bucket_region()
        if region is None:
            if in_stack:
                return self._bucket_failed(
                    "the stack made it, and it does not exist any more",
                    f"Delete the stack and deploy again: aws cloudformation delete-stack --stack-name {self.stack}",
                )
            if parameters.get("CreateBucket") == "false":
                return self._bucket_failed("there is no such bucket", "Deploy with CreateBucket=true, which makes it.")
            return "there is no such bucket yet: the deployment makes it"
        if region != access().region:
            return self._bucket_failed(
                f"it is in {region}, and the stack would be in {access().region}",
                f"Set AWS_REGION={region}, or choose another bucket.",
            )
        if in_stack:
            return "it is the stack's"
        found = "it exists in this account, outside of the stack"
        if parameters.get("CreateBucket") == "false":
            return f"{found}, which uses it as it is"
        return Check(
            name="bucket",
            subject=f"s3://{self.bucket}",
            passed=False,
            warns=True,
            found=found,
            fix="To use it as it is, deploy with: --parameter-overrides CreateBucket=false",
        )

    def _bucket_failed(self, found: str, fix: str) -> Check:
        return Check(name="bucket", subject=f"s3://{self.bucket}", passed=False, found=found, fix=fix)

    def _bucket_region(self) -> str | None:
        """The region of the bucket; None where there is none.

        Raises:
            UsageError: it is another account's.
        """
        try:
            answer = access().client("s3").head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self._account)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _MISSING:
                return None
            if code not in ("403", "AccessDenied"):
                raise
            raise UsageError(
                "It belongs to another account, or may not be looked at.",
                where=f"s3://{self.bucket}, account {self._account}",
                fix="Choose another name in NEQUI_LAKE_URI: names of buckets are shared by all of AWS. If it is yours, "
                "these credentials need s3:ListBucket on it.",
            ) from error
        return str(answer.get("BucketRegion") or access().region)

    def database_state(self) -> str | Check:
        """Which databases exist."""
        existing = list(self._existing_databases())
        outside = [name for name in existing if ("AWS::Glue::Database", name) not in self._resources]
        found = f"{len(existing)} of {len(self.datasets)} exist"
        if not outside:
            return found
        without = " ".join(f"--without {name}" for name in outside)
        return Check(
            name="databases",
            subject="AWS Glue",
            passed=False,
            warns=True,
            found=f"{found}, outside of the stack: {', '.join(outside)}",
            fix=f"If they are this lake's, leave them out of the stack: nequi-lake infra template {without}",
        )

    def _existing_databases(self) -> Iterator[str]:
        glue = access().client("glue")
        for name in self.datasets:
            try:
                glue.get_database(Name=name)
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "EntityNotFoundException":
                    raise
            else:
                yield name
