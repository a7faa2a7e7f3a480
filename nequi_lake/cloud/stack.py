"""The lake's stack on AWS: planned, deployed, looked at, taken down.

The template says what there is; here is only how it gets to CloudFormation, and what must hold before it does.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.exceptions

from nequi_lake.cloud.template import TEMPLATE, check_parameters, render
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import NequiLakeError, TransientError, UsageError
from nequi_lake.lake.storage.aws import access, translate_error

STACK_NAME = "nequi-lake"
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_BROKEN = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
"""States out of which a stack can only be taken down."""
_UNFINISHED = {"UPDATE_ROLLBACK_FAILED"}
_IN_REVIEW = "REVIEW_IN_PROGRESS"
_CHANGE_SET = "nequi-lake-"
"""How the names of our change sets begin."""
_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_OURS = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_SKIPPED", "DELETE_FAILED", "UPDATE_FAILED"}
"""States in which a resource of the stack is there."""

log = logging.getLogger(__name__)

Tell = Callable[[str], object]


class StackError(NequiLakeError):
    """The stack could not be made, changed or taken down."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a stack is made with. None leaves a parameter as the stack has it, or at the template's default.

    Attributes:
        uri: the lake, ``s3://bucket/prefix``.
        datasets: the declared datasets by name; each gets a database.
        create_bucket: whether the stack makes the bucket; False for one that is there already.
        parameters: other parameters of the template by name.
        stack: the stack's name.
        template: the template's file.
        timeout_s: how long to wait for CloudFormation.
        poll_s: how long to wait between two looks.
    """

    uri: str
    datasets: Mapping[str, Dataset]
    create_bucket: bool | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    stack: str = STACK_NAME
    template: Path = TEMPLATE
    timeout_s: float = 3600
    poll_s: float = 3

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return _bucket_and_prefix(self.uri)[0]

    @property
    def prefix(self) -> str:
        """The lake's prefix within the bucket."""
        return _bucket_and_prefix(self.uri)[1]


@dataclass(frozen=True)
class Change:
    """What would happen to a resource: ``Add``, ``Modify``, ``Remove``; and whether a new one would take its place."""

    action: str
    logical_id: str
    type: str
    replacement: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deployment would do.

    Attributes:
        account: number of the AWS account.
        bucket: what becomes of the bucket, in words.
        is_needed: whether anything would change; parameters, outputs or tags may where no resource does.
        changes: the resources that would change.
        notes: what else there is to know.
    """

    stack: str
    account: str
    region: str
    bucket: str
    is_needed: bool = False
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What a deployment did: ``plan.changes`` are what was changed."""

    plan: Plan
    status: str
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the stack is.

    Attributes:
        state: CloudFormation's word for it; empty where there is no stack.
        updated: when it was last changed.
        bucket_is_there: whether its bucket is.
        databases: how many of the declared datasets have a database.
        reasons: why the last change failed, where it did.
    """

    stack: str
    account: str
    region: str
    state: str = ""
    updated: datetime | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    bucket: str = ""
    bucket_is_there: bool = False
    databases: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether the last change succeeded and the bucket is there."""
        return self.state in _GOOD and self.bucket_is_there


@dataclass(frozen=True, kw_only=True)
class Destroyed:
    """What was taken down.

    Attributes:
        was_there: whether there was a stack.
        kept: what is still there, in words.
        removed_bucket: whether the bucket was deleted, too.
    """

    stack: str
    was_there: bool
    kept: tuple[str, ...] = ()
    removed_bucket: bool = False


def plan(options: Options) -> Plan:
    """What ``deploy`` would do. Changes nothing.

    Raises:
        UsageError: credentials, bucket or parameters do not fit.
        StackError: the stack is in a state that cannot be changed.
    """
    return _Stack(options).plan()


def deploy(options: Options, tell: Tell = log.info) -> Deployed:
    """Make the stack, or change it to what is declared now.

    Args:
        options: what to make.
        tell: is given a line for each step of CloudFormation.

    Raises:
        UsageError: credentials, bucket or parameters do not fit; nothing was started.
        StackError: CloudFormation gave up; says which resources failed and why.
        TransientError: it is still not done after ``timeout_s``.
    """
    return _Stack(options).deploy(tell)


def status(options: Options) -> Status:
    """How the stack is, whatever its state.

    Raises:
        UsageError: credentials are missing or wrong.
    """
    return _Stack(options).status()


def destroy(
    options: Options, *, yes: bool = False, delete_empty_bucket: bool = False, tell: Tell = log.info
) -> Destroyed:
    """Take the stack down. The bucket and the databases stay, but for a bucket of the stack's own that is empty, and
    that only where it is asked for.

    Args:
        options: which stack.
        yes: that it is really meant.
        delete_empty_bucket: delete the bucket, too, if the stack made it and it holds nothing, no old version either.
        tell: is given a line for each step of CloudFormation.

    Raises:
        UsageError: ``yes`` is not set, or the credentials are missing or wrong; nothing was started.
        StackError: CloudFormation gave up; says which resources failed and why.
    """
    return _Stack(options).destroy(yes=yes, delete_empty_bucket=delete_empty_bucket, tell=tell)


class _Stack:
    """One stack in the account and region that the standard chain of AWS leads to."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._name = options.stack
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", self._name):
            raise UsageError(
                f"The stack's name is {self._name!r}.",
                where="--stack",
                fix="A name has letters, digits and -, and begins with a letter.",
            )
        # Before all else, so that wrong credentials are told as such and not as a missing bucket or stack.
        with _asking("the AWS credentials"):
            self._account = str(access().client("sts").get_caller_identity()["Account"])
            self._region = access().region
            self._cloudformation = access().client("cloudformation")
            self._s3 = access().client("s3")
            self._glue = access().client("glue")

    def plan(self) -> Plan:
        _bucket_and_prefix(self._options.uri)
        found = self._describe()
        created, planned = self._change_set(found)
        try:
            return planned
        finally:
            self._discard(created, found)

    def deploy(self, tell: Tell) -> Deployed:
        found = self._describe()
        created, planned = self._change_set(found)
        if not planned.is_needed:
            self._discard(created, found)
            now = self._describe() or {}
            return Deployed(plan=planned, status=str(now.get("StackStatus", "")), outputs=_outputs(now))
        started = self._newest_event()
        with _asking(self._name):
            self._cloudformation.execute_change_set(ChangeSetName=created, StackName=self._name)
        done = self._wait(self._name, started, tell)
        state = str(done.get("StackStatus", "gone"))
        if state not in _GOOD:
            raise self._broken(state, self._failures(self._name, started))
        return Deployed(plan=planned, status=state, outputs=_outputs(done))

    def status(self) -> Status:
        found = self._describe()
        databases = sum(self._has_database(name) for name in self._options.datasets)
        if found is None:
            return Status(stack=self._name, account=self._account, region=self._region, databases=databases)
        state = str(found["StackStatus"])
        bucket = _parameters(found).get("BucketName", "")
        is_bad = state in _BROKEN | _UNFINISHED or "ROLLBACK" in state
        return Status(
            stack=self._name,
            account=self._account,
            region=self._region,
            state=state,
            updated=found.get("LastUpdatedTime") or found.get("CreationTime"),
            outputs=_outputs(found),
            bucket=bucket,
            bucket_is_there=bool(bucket) and self._own_bucket(bucket) is not None,
            databases=databases,
            reasons=tuple(self._failures(self._name)) if is_bad else (),
        )

    def destroy(self, *, yes: bool, delete_empty_bucket: bool, tell: Tell) -> Destroyed:
        found = self._describe()
        if found is None:
            return Destroyed(stack=self._name, was_there=False)
        if not yes:
            raise UsageError(
                f"The stack {self._name} of account {self._account} in {self._region} would be taken down: workgroup, "
                "roles, topic and trigger. The bucket and the databases would stay.",
                where=self._name,
                fix="If it is meant, say so: --yes",
            )
        self._must_be_still(str(found["StackStatus"]))
        resources = list(self._resources())
        bucket = next((name for kind, name in resources if kind == "AWS::S3::Bucket"), "")
        databases = sorted(name for kind, name in resources if kind == "AWS::Glue::Database")
        identity = str(found["StackId"])
        started = self._newest_event()
        with _asking(self._name):
            self._cloudformation.delete_stack(StackName=self._name)
        done = self._wait(identity, started, tell)
        state = str(done.get("StackStatus", "DELETE_COMPLETE"))
        if state != "DELETE_COMPLETE":
            raise self._broken(state, self._failures(identity, started))
        removed = bool(bucket) and delete_empty_bucket and self._remove_empty(bucket)
        kept = [f"the databases {', '.join(databases)}, which know the tables"] if databases else []
        if not bucket:
            kept.append(f"the bucket {_parameters(found).get('BucketName', '')}, which the stack did not make")
        elif not removed:
            why = "which is not empty" if delete_empty_bucket else "with all that is in it"
            kept.append(f"the bucket {bucket}, {why}")
        return Destroyed(stack=self._name, was_there=True, kept=tuple(kept), removed_bucket=removed)

    def _change_set(self, found: dict[str, Any] | None) -> tuple[str, Plan]:
        """A change set, to be executed or discarded, and what it would do."""
        state = str(found["StackStatus"]) if found else ""
        is_new = state in ("", _IN_REVIEW)
        if not is_new:
            self._must_be_still(state)
            if state in _BROKEN | _UNFINISHED:
                raise self._broken(state, self._failures(self._name))
        parameters = self._wanted(None if is_new else found)
        in_stack = [] if is_new else list(self._resources())
        bucket = self._look_at_bucket(parameters, in_stack)
        ours = {name for kind, name in in_stack if kind == "AWS::Glue::Database"}
        outside = [name for name in self._options.datasets if name not in ours and self._has_database(name)]
        body = render(self._options.template, self._options.datasets.values(), outside)
        check_parameters(parameters, json.loads(body)["Parameters"])
        planned = Plan(
            stack=self._name,
            account=self._account,
            region=self._region,
            bucket=bucket,
            notes=tuple(f"The database {name} is there already, and stays outside of the stack." for name in outside),
        )
        with _asking(self._name):
            created = str(
                self._cloudformation.create_change_set(
                    StackName=self._name,
                    ChangeSetName=f"{_CHANGE_SET}{uuid.uuid4().hex}",
                    ChangeSetType="CREATE" if is_new else "UPDATE",
                    TemplateBody=body,
                    Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in sorted(parameters.items())],
                    Capabilities=["CAPABILITY_IAM"],
                    Tags=[{"Key": "application", "Value": "nequi_lake"}],
                )["Id"]
            )
        try:
            changes = self._changes(created)
        except BaseException:
            self._discard(created, found)
            raise
        return created, replace(planned, is_needed=changes is not None, changes=changes or ())

    def _changes(self, change_set: str) -> tuple[Change, ...] | None:
        """The resources that would change; None where nothing at all would."""
        deadline = time.monotonic() + self._options.timeout_s
        with _asking(self._name):
            while True:
                answer = self._cloudformation.describe_change_set(ChangeSetName=change_set, StackName=self._name)
                if answer["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                    break
                self._pause(deadline, "CloudFormation is still comparing")
            if answer["Status"] == "FAILED":
                reason = str(answer.get("StatusReason", ""))
                # CloudFormation has no code for it, only these two sentences.
                if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                    return None
                raise StackError(
                    f"CloudFormation refuses the template: {reason}",
                    where=self._name,
                    fix="Mend what it names: a parameter, or infra/lake.yaml.",
                )
            found = list(answer.get("Changes", []))
            while following := answer.get("NextToken"):
                answer = self._cloudformation.describe_change_set(
                    ChangeSetName=change_set, StackName=self._name, NextToken=following
                )
                found += answer.get("Changes", [])
        changes = (change["ResourceChange"] for change in found if "ResourceChange" in change)
        return tuple(
            Change(c["Action"], c["LogicalResourceId"], c["ResourceType"], c.get("Replacement", "")) for c in changes
        )

    def _discard(self, change_set: str, before: dict[str, Any] | None) -> None:
        """Leave nothing of a change set, nor of the empty stack that it began."""
        with _asking(self._name):
            self._cloudformation.delete_change_set(ChangeSetName=change_set, StackName=self._name)
            now = self._describe()
            if now and now["StackStatus"] == _IN_REVIEW and (before is None or self._is_left_over()):
                self._cloudformation.delete_stack(StackName=self._name)

    def _is_left_over(self) -> bool:
        """Whether a stack in review is of a plan that was broken off, and not another person's that waits."""
        pages = self._cloudformation.get_paginator("list_change_sets").paginate(StackName=self._name)
        return all(found["ChangeSetName"].startswith(_CHANGE_SET) for page in pages for found in page["Summaries"])

    def _wanted(self, found: dict[str, Any] | None) -> dict[str, str]:
        bucket, prefix = _bucket_and_prefix(self._options.uri)
        kept = _parameters(found) if found else {}
        if kept.get("BucketName", bucket) != bucket:
            raise UsageError(
                f"The stack {self._name} is that of the bucket {kept['BucketName']}.",
                where=self._options.uri,
                fix="Set NEQUI_LAKE_URI to that bucket, or choose another stack: --stack",
            )
        wanted = {**kept, **self._options.parameters, "BucketName": bucket, "LakePrefix": prefix}
        if self._options.create_bucket is not None:
            wanted["CreateBucket"] = "true" if self._options.create_bucket else "false"
        wanted.setdefault("CreateBucket", "true")
        return wanted

    def _look_at_bucket(self, parameters: Mapping[str, str], in_stack: list[tuple[str, str]]) -> str:
        """What becomes of the bucket, in words.

        Raises:
            UsageError: it cannot be what the parameters say.
        """
        name, makes = parameters["BucketName"], parameters["CreateBucket"] == "true"
        is_ours = ("AWS::S3::Bucket", name) in in_stack
        region = self._own_bucket(name)
        if region is None:
            if makes and not is_ours:
                return f"{name} will be made"
            raise UsageError(
                f"There is no bucket {name}" + (", though the stack made one." if is_ours else "."),
                where=f"s3://{name}",
                fix="Take the stack down and deploy it anew: nequi-lake infra destroy --yes"
                if is_ours
                else "Let the stack make it: leave out --existing-bucket (CreateBucket=false).",
            )
        if region != self._region:
            raise UsageError(
                f"The bucket {name} is in {region}, and the stack would be in {self._region}.",
                where=f"s3://{name}",
                fix=f"Set AWS_REGION={region}, or choose another bucket.",
            )
        if is_ours:
            return f"{name} is the stack's" if makes else f"{name} leaves the stack, and stays"
        if makes:
            raise UsageError(
                f"The bucket {name} is in this account already, and not in the stack {self._name}.",
                where=f"s3://{name}",
                fix="Choose another name in NEQUI_LAKE_URI, or let the stack leave that bucket alone: "
                "--existing-bucket (CreateBucket=false).",
            )
        return f"{name} is used as it is"

    def _own_bucket(self, name: str) -> str | None:
        """The region of a bucket of this account; None where there is no such bucket.

        Raises:
            UsageError: it is another account's.
        """
        try:
            with _asking(f"s3://{name}", but=("403", "404", "NoSuchBucket", "AccessDenied")):
                answer = self._s3.head_bucket(Bucket=name, ExpectedBucketOwner=self._account)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return None
            raise UsageError(
                f"The bucket {name} belongs to another account, or may not be looked at.",
                where=f"s3://{name}, account {self._account}",
                fix="Choose another name in NEQUI_LAKE_URI: names of buckets are shared by all of AWS. If it is yours, "
                "these credentials need s3:ListBucket on it.",
            ) from error
        return str(answer.get("BucketRegion") or self._region)

    def _has_database(self, name: str) -> bool:
        try:
            with _asking(f"the database {name}", but=("EntityNotFoundException",)):
                self._glue.get_database(Name=name)
        except botocore.exceptions.ClientError:
            return False
        return True

    def _remove_empty(self, name: str) -> bool:
        """Delete the bucket if it holds nothing; whether it did."""
        with _asking(f"s3://{name}"):
            held = self._s3.list_object_versions(Bucket=name, MaxKeys=1)
            uploads = self._s3.list_multipart_uploads(Bucket=name, MaxUploads=1)
        if held.get("Versions") or held.get("DeleteMarkers") or uploads.get("Uploads"):
            return False
        # S3 itself refuses a bucket that got something in the meantime.
        with _asking(f"s3://{name}", but=("BucketNotEmpty",)), suppress(botocore.exceptions.ClientError):
            self._s3.delete_bucket(Bucket=name, ExpectedBucketOwner=self._account)
            return True
        return False

    def _describe(self, stack: str | None = None) -> dict[str, Any] | None:
        try:
            with _asking(self._name, but=("ValidationError",)):
                found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=stack or self._name)["Stacks"][0]
        except botocore.exceptions.ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise StackError(
                f"CloudFormation does not answer for the stack: {error}", where=self._name, fix="Is its name right?"
            ) from error
        return found

    def _resources(self) -> Iterator[tuple[str, str]]:
        """(type, name) of the resources that the stack has."""
        with _asking(self._name):
            for page in self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self._name):
                for found in page["StackResourceSummaries"]:
                    if found.get("ResourceStatus") in _OURS:
                        yield found["ResourceType"], found.get("PhysicalResourceId", "")

    def _events(self, stack: str, after: str = "") -> list[dict[str, Any]]:
        """The stack's events after one of them, the oldest first."""
        found: list[dict[str, Any]] = []
        with _asking(self._name):
            for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
                for event in page["StackEvents"]:
                    if event["EventId"] == after:
                        return found[::-1]
                    found.append(event)
        return found[::-1]

    def _newest_event(self) -> str:
        events = self._events(self._name)
        return str(events[-1]["EventId"]) if events else ""

    def _failures(self, stack: str, after: str = "") -> list[str]:
        """Why resources failed, the first cause first, those that were only broken off left out."""
        return [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
            for event in self._events(stack, after)
            if event.get("ResourceStatus", "").endswith("FAILED")
            and event.get("ResourceStatusReason")
            and "cancelled" not in event["ResourceStatusReason"]
        ]

    def _wait(self, stack: str, after: str, tell: Tell) -> dict[str, Any]:
        """Tell of the stack's events until it is still; the stack then, empty where it is gone."""
        deadline = time.monotonic() + self._options.timeout_s
        began = False
        while True:
            found = self._describe(stack)
            for event in self._events(stack, after) if found else ():
                began = True
                after = event["EventId"]
                why = event.get("ResourceStatusReason")
                tell(
                    f"{event.get('ResourceStatus', '')}  {event.get('LogicalResourceId', '')}  "
                    f"{event.get('ResourceType', '')}" + (f"  {why}" if why else "")
                )
            state = str(found["StackStatus"]) if found else ""
            # Until the first event the state may still be that of the change before.
            if not found or (began and not state.endswith("_IN_PROGRESS")):
                return found or {}
            self._pause(deadline, f"The stack is still {state}")

    def _pause(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise TransientError(
                f"{what} after {self._options.timeout_s:.0f} s.",
                where=self._name,
                fix="It goes on by itself. See how it is: nequi-lake infra status",
            )
        time.sleep(self._options.poll_s)

    def _must_be_still(self, state: str) -> None:
        if state.endswith("_IN_PROGRESS") and state != _IN_REVIEW:
            raise StackError(
                f"The stack is being changed: {state}.",
                where=self._name,
                fix="Wait until it is done: nequi-lake infra status",
            )

    def _broken(self, state: str, reasons: list[str]) -> StackError:
        why = "".join(f"\n    {reason}" for reason in reasons)
        if state in _BROKEN:
            fix = (
                "Mend the cause, take the stack down (nequi-lake infra destroy --yes, with --delete-empty-bucket for "
                "the bucket that it made), and deploy it again."
            )
        elif state in _UNFINISHED:
            fix = f"Mend the cause, then: aws cloudformation continue-update-rollback --stack-name {self._name}"
        else:
            fix = "All is as it was before. Mend the cause and deploy it again."
        return StackError(f"The stack is {state}.{why}", where=f"{self._name} in {self._region}", fix=fix)


def _bucket_and_prefix(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
    if not uri.startswith("s3://") or not bucket or not prefix:
        raise UsageError(
            f"The lake is {uri!r}, which is not a bucket and a prefix.",
            where="NEQUI_LAKE_URI",
            fix="Set it to s3://bucket/prefix, such as s3://my-company-lake/lake.",
        )
    return bucket, prefix


def _parameters(stack: Mapping[str, Any]) -> dict[str, str]:
    return {found["ParameterKey"]: str(found["ParameterValue"]) for found in stack.get("Parameters", [])}


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {found["OutputKey"]: str(found["OutputValue"]) for found in stack.get("Outputs", [])}


@contextmanager
def _asking(where: str, but: tuple[str, ...] = ()) -> Iterator[None]:
    """Failures of AWS in words, but for the codes that the caller knows what to do with."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if code in but:
            raise
        if code in _DENIED:
            raise StackError(
                f"AWS does not allow {error.operation_name} to whom these credentials belong.",
                where=where,
                fix="docs/infrastructure.md has the permissions that a deployment needs.",
            ) from error
        message = error.response["Error"].get("Message") or code
        raise translate_error(error, where) or StackError(
            f"AWS refuses {error.operation_name}: {message}", where=where, fix="Mend what it names, and run it again."
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise translate_error(error, where) or StackError(
            f"AWS could not be asked: {error}", where=where, fix="Look at the AWS_ variables and ~/.aws/config."
        ) from error
